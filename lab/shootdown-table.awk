# SPDX-License-Identifier: GPL-2.0
#
# Makes a table of what lab/bench-shootdown.sh prints. With no consumed IPI, no checker
# that found nothing lost, or a row that failed there is no success.

function field(name,	i, pair)
{
	for (i = 3; i <= NF; i++) {
		split($i, pair, "=")
		if (pair[1] == name)
			return pair[2]
	}
	return "-"
}

function ratio(text, kind, row, base)
{
	if (rate[kind, row] && rate[kind, base])
		printf "%s: %.1f times %s\n", text,
		       rate[kind, row] / rate[kind, base], base
}

BEGIN {
	format = "%-11s %-12s %8s %8s %10s %9s %8s %8s\n"
	printf format, "IPI", "row", "ops/s", "sent", "delivered", "consumed",
	       "flushes", "exits"
}

$3 == "failed:" {
	failed = failed $0 "\n"
	next
}

$2 == "check" {
	checks++
	next
}

$2 == "munmap" || $2 == "membarrier" {
	rate[$2, $1] = field("ops") * 1e9 / field("ns")
	lines[$2] = lines[$2] sprintf(format, $2, $1,
		sprintf("%.1f", rate[$2, $1]), field("ipis_sent"),
		field("received"), field("ipis_consumed"),
		field("tlb_flush"), field("exits"))
	consumed += field("ipis_consumed")
}

END {
	printf "%s%s\n", lines["munmap"], lines["membarrier"]
	ratio("munmap, hyperupcall", "munmap", "hyperupcall", "plain")
	ratio("munmap, hyperupcall", "munmap", "hyperupcall", "paravirt")
	ratio("membarrier, hyperupcall", "membarrier", "hyperupcall", "plain")
	printf "lost flushes: none in %d rows\n", checks
	if (consumed == 0)
		failed = failed "no IPI was consumed\n"
	printf "%s", failed
	exit failed != "" || checks == 0
}
