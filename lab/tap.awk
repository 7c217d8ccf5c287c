# SPDX-License-Identifier: GPL-2.0
#
# Reads the TAP output of one case, of one test or several; -v status is the
# case's exit status.
# Prints "PASSED FAILED", then what was wrong or skipped.

function wrong(what)
{
	failed++
	notes = notes "    " what "\n"
}

/^not ok /	{ wrong($0); seen++; next }
/^ok .*# *SKIP/	{ notes = notes "    skipped: " $0 "\n"; seen++; next }
/^ok /		{ passed++; seen++; next }
/^1\.\.0/	{ wrong("nothing was tested: " $0) }
/^1\.\.[0-9]+/	{ planned += substr($1, 4); plans++ }

END {
	if (!plans)
		wrong("no TAP plan")
	else if (seen != planned)
		wrong("planned " planned " tests, " seen + 0 " were seen")
	if (status && !failed)
		wrong("exit status " status)
	print passed + 0, failed + 0
	printf "%s", notes
}
