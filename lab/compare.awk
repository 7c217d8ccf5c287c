# SPDX-License-Identifier: GPL-2.0
#
# Reads how tests ended without the series (file=base) and with it (file=series),
# "NAME OUTCOME ...", and before that, if there are any:
#
#	file=list	the tests; without it, they are those of base and series
#	file=meant	differences that the series means to make, "NAME OUTCOME
#			OUTCOME REASON", base's first, "-" where it does not run
#
# Says how many ended the same way, and how; which did not; and fails if there are
# others than those that are meant, or one of these is none any more.

file == "meant" && (/^#/ || !NF) {
	next
}
file == "meant" {
	test = $1
	meant[test] = $2 " " $3
	$1 = $2 = $3 = ""
	sub(/^ +/, "")
	reason[test] = $0
	next
}
file == "list" {
	tests[++n] = $1
	listed = 1
	next
}
{
	if (!listed && !seen[$1]++)
		tests[++n] = $1
	outcome[file, $1] = $2
}

function ended(kernel, test) {
	return (kernel, test) in outcome ? outcome[kernel, test] : "-"
}

function words(how) {
	return how == "-" ? "did not run" : how
}

END {
	for (test in meant)
		if (!(("base", test) in outcome) && !(("series", test) in outcome))
			tests[++n] = test
	for (i = 1; i <= n; i++) {
		test = tests[i]
		base = ended("base", test)
		series = ended("series", test)
		text = test ": " words(base) " without the series, " \
			words(series) " with it"
		if (test in meant && meant[test] == base " " series)
			means[++meanings] = text ". " reason[test]
		else if (base != series || base == "-")
			different[++differences] = text
		else if (test in meant)
			different[++differences] = test ": " words(base) \
				" on both, where a difference is meant"
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
	for (i = 1; i <= meanings; i++)
		print "meant: " means[i]
	for (i = 1; i <= differences; i++)
		print different[i]
	printf "%d tests, %d differences\n", n, differences
	exit differences > 0 || !same["passed"]
}
