# SPDX-License-Identifier: GPL-2.0
#
# Reads what a suite of the kernel's BPF tests has said, -v suite=NAME. Prints a
# line a test, "SUITE/NAME OUTCOME", and fails if the suite did not come to its
# end, or has counted others than are printed here.

BEGIN {
	how["OK"] = how["PASS"] = "passed"
	how["FAIL"] = "failed"
	how["SKIP"] = "skipped"
	# Summaries to come.
	ends = suite == "test_bpf" ? 3 : 1
}

# Once for each number; a name that is there again gets one of its own.
function report(number, name, outcome) {
	if (number in seen)
		return
	seen[number]
	gsub(/[ \t]+$/, "", name)
	gsub(/[ \t]+/, "_", name)
	if (names[name]++)
		name = name "_" names[name]
	print suite "/" name, how[outcome]
	count[how[outcome]]++
	if (number ~ /\// && outcome == "OK")
		subtests++
}

function wrong(what) {
	print suite ": " what >"/dev/stderr"
	status = 1
}

# "#NUMBER/u NAME", u for unprivileged and p for privileged, and then, there or
# on a line behind what else there is to say, how it ended.
suite == "test_verifier" && /^#[0-9]+\/[up] / {
	test = substr($0, 2)
	sub(/(Did not run the program|[0-9]+ cases OK|OK$|FAIL|SKIP|Failed to create).*/, "", test)
	open = 1
}
suite == "test_verifier" && open && match($0, /(^| )(OK|SKIP|FAIL)/) {
	outcome = substr($0, RSTART, RLENGTH)
	sub(/ /, "", outcome)
	report(test, test, outcome)
	open = 0
}
suite == "test_verifier" && /^Summary: / {
	ends--
	expected = $2
}

# "#NUMBER NAME:OUTCOME", and with a subtest "#NUMBER/NUMBER NAME/NAME:OUTCOME".
# What has failed is there twice.
suite == "test_progs" && /^#[0-9]+(\/[0-9]+)? .*:(OK|FAIL|SKIP)( \(SKIP: [0-9]+\/[0-9]+\))?$/ {
	test = $0
	sub(/ \(SKIP: [0-9]+\/[0-9]+\)$/, "", test)
	outcome = test
	sub(/.*:/, "", outcome)
	sub(/:[A-Z]+$/, "", test)
	sub(/^#[0-9\/]+ +/, "", test)
	report($1, test, outcome)
}
# "TESTS/SUBTESTS PASSED", of which a test counts that was skipped.
suite == "test_progs" && /^Summary: / {
	ends--
	expected = $2
	sub(/.*\//, "", expected)
}

# "test_bpf: #NUMBER NAME jited:1 NUMBERS PASS"; the module is loaded once for
# each of its three parts, which ends with a summary.
suite == "test_bpf" {
	sub(/^(<[0-9]+>)?(\[ *[0-9.]+\] )?/, "")
}
suite == "test_bpf" && /^test_bpf: #[0-9]+ / {
	test = $0
	sub(/^test_bpf: #/, "", test)
	sub(/ (jited:[01] .*|PASS|FAIL.*|UNEXPECTED.*)$/, "", test)
	tests[++n] = test
	outcomes[n] = / PASS$/ ? "PASS" : "FAIL"
}
suite == "test_bpf" && /^test_bpf: .*Summary: / {
	part = /test_skb_segment/ ? "skb_segment" : /test_tail_calls/ ? "tail_calls" : "main"
	for (i = 1; i <= n; i++)
		report(part tests[i], part "/" tests[i], outcomes[i])
	n = 0
	ends--
	sub(/.*Summary: /, "")
	expected += $1
}

END {
	passed = suite == "test_progs" ? subtests : count["passed"]
	if (ends != 0)
		wrong("did not come to its end")
	else if (passed + 0 != expected)
		wrong(expected " passed, " passed + 0 " were seen")
	exit status
}
