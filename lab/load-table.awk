# SPDX-License-Identifier: GPL-2.0
#
# Makes a table of what bench_load prints, with the name of the boot before each
# line. The variables are the unit, and how many nanoseconds one is; with
# -icount shift=2 an instruction takes four.

BEGIN { rows = 0 }

function value(boot, kind, length_)
{
	ns = table[boot, kind, length_]
	if (ns == "")
		return "-"
	return ns < 0 ? "error " ns : sprintf("%.2f", ns / per)
}

$1 != "before" && $1 != "now" || NF != 4 || $3 !~ /^[0-9]+$/ { next }

{
	table[$1, $2, $3] = $4
	if (!(($2, $3) in seen)) {
		seen[$2, $3] = 1
		kind[rows] = $2
		size[rows++] = $3
	}
}

END {
	if (!rows)
		exit 1
	printf "LOAD, %s\n%-12s %12s %12s %12s\n", unit, "program", "instructions", "before", "now"
	for (i = 0; i < rows; i++)
		printf "%-12s %12s %12s %12s\n", kind[i], size[i],
			value("before", kind[i], size[i]), value("now", kind[i], size[i])
}
