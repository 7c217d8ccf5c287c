# SPDX-License-Identifier: GPL-2.0
#
# Makes a table of what lab/bench-reclaim.sh prints, and, in the file that the
# variable data names, if it is set, the same for lab/reclaim.gnuplot. A row that
# failed is no success, and neither is a hyperupcall with which free pages were
# swapped.

function field(name,	i, pair)
{
	for (i = 4; i <= NF; i++) {
		split($i, pair, "=")
		if (pair[1] == name)
			return pair[2]
	}
	return 0
}

function seconds(name)
{
	return sprintf("%.2f", field(name) / 1e9)
}

function mebibytes(name)
{
	return sprintf("%.0f", field(name) / 2 ^ 20)
}

function ratio(text, value, base)
{
	if (value && base)
		printf "%s: %.2f\n", text, value / base
}

BEGIN {
	format = "%-5s %4s  %-12s %9s %9s %9s %9s %9s %9s %9s %9s\n"
	printf format, "", "", "", "take back", "guest", "host", "swapped",
	       "free ones", "discarded", "use again", "read back"
	printf format, "load", "%", "row", "s", "CPU s", "CPU s", "MiB", "MiB",
	       "MiB", "s", "MiB"
}

$NF == "failed" {
	failed = failed $0 "\n"
	next
}

$3 == "host" {
	alone[$2] = field("host_ns")
	host = host sprintf(format, $1, "host", $2, "",
		seconds("all_guest"), seconds("all_host"),
		mebibytes("all_out"), "", mebibytes("all_dropped"),
		seconds("host_ns"), mebibytes("all_in"))
	next
}

$3 == "calm" {
	came[$1, $2] = field("calm_ns")
	calm[$1] = calm[$1] sprintf(format, $1, "calm", $2, "",
		seconds("all_guest"), seconds("all_host"),
		mebibytes("all_out"), "", mebibytes("all_dropped"),
		seconds("calm_ns"), mebibytes("all_in"))
	next
}

{
	printf format, $1, $3, $2, seconds("take_ns"), seconds("take_guest"),
	       seconds("take_host"), mebibytes("take_out"),
	       mebibytes("take_free"), mebibytes("take_dropped"),
	       seconds("reuse_ns"), mebibytes("use_in")
	if (data)
		print $1, $3, $2, seconds("take_ns"), seconds("reuse_ns") >data
	take[$1, $3, $2] = field("take_ns")
	reuse[$1, $3, $2] = field("reuse_ns")
	if ($2 == "hyperupcall") {
		rows++
		if (field("take_free"))
			failed = failed $1 " " $3 " %: free pages were swapped\n"
	}
}

END {
	if (calm["idle"] calm["busy"])
		printf "\nNobody wants memory back; the guest takes it and gives it back\n%s%s",
		       calm["idle"], calm["busy"]
	if (host)
		printf "\nNo guest; a process uses twice what its cgroup may have\n%s", host
	print ""
	ratio("take back 75 %, swap to hyperupcall", take["idle", 75, "swap"],
	      take["idle", 75, "hyperupcall"])
	ratio("use again after 75 %, hyperupcall to reporting",
	      reuse["idle", 75, "hyperupcall"], reuse["idle", 75, "reporting"])
	ratio("nobody wants memory, hyperupcall to swap", came["idle", "hyperupcall"],
	      came["idle", "swap"])
	ratio("nobody wants memory, hyperupcall to reporting",
	      came["idle", "hyperupcall"], came["idle", "reporting"])
	ratio("no guest, with the series to without", alone["swap"], alone["unpatched"])
	for (part = 25; part <= 75; part += 25)
		ratio("take back " part " % by swap, with the series to without",
		      take["idle", part, "swap"], take["idle", part, "unpatched"])
	printf "%s", failed
	exit failed != "" || !rows
}
