# SPDX-License-Identifier: GPL-2.0
#
# Reads the list of tests (file=list) and how they ended without the series
# (file=base) and with it (file=series), "NAME OUTCOME ...". Says how many ended
# the same way, and how; which did not; and fails if there are any.

file == "list" {
	sub(/.*\//, "")
	tests[++n] = $0
	next
}
{
	outcome[file, $1] = $2
}

END {
	for (i = 1; i <= n; i++) {
		test = tests[i]
		base = ("base", test) in outcome ? outcome["base", test] : "did not run"
		series = ("series", test) in outcome ? outcome["series", test] : "did not run"
		if (base != series || base == "did not run")
			different[++differences] = test ": " base \
				" without the series, " series " with it"
		else {
			same[base]++
			if (base != "passed")
				names[base] = names[base] " " test
		}
	}
	printf "the same on both kernels: %d passed, %d skipped, %d failed, %d not over in time\n",
	       same["passed"], same["skipped"], same["failed"], same["late"]
	for (how in names)
		printf "  %s:%s\n", how, names[how]
	for (i = 1; i <= differences; i++)
		print different[i]
	printf "%d tests, %d differences\n", n, differences
	exit differences > 0 || !same["passed"]
}
