# SPDX-License-Identifier: GPL-2.0
#
# Bytes of a guest's free pages that went to swap. Reads four files of
# page-types: the guest's free pages and those of its VMM that were in swap
# before, and the same now. Those of the VMM are pages of its address space, and
# the variable start is the one that is the guest's first.

function number(hex,	i, n)
{
	for (i = 1; i <= length(hex); i++)
		n = n * 16 + index("123456789abcdef", substr(hex, i, 1))
	return n
}

# The first line has the names of the columns.
FNR == 1 {
	file++
	next
}

{
	free = file % 2
	gfn = number($1) - (free ? 0 : start)
	for (n = number($(free ? 2 : 3)); n > 0; n--) {
		seen[gfn] = seen[gfn] file
		gfn++
	}
}

END {
	# Which files it is in: all but the second.
	for (gfn in seen)
		found += seen[gfn] == "134"
	print found * 4096
}
