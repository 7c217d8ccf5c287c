#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# upstream-bpf.sh MODULES TEST_BPF: the kernel's own BPF tests, with the modules
# in that folder. Prints for each test: name and how it ended. In the results
# folder are what a suite said itself, SUITE.log; "ended", with its status and the
# second of this clock; and "errors", which has the reason if this fails: a suite
# did not come to its end, or test_progs skips all that needs a module.

# Of L1's clock, which leaps where nothing runs: test_verifier takes over an hour of it
# in a minute, and a test that waits in vain is over soon all the same.
limit=14400
modules=$(realpath "$1")
test_bpf=$(realpath "$2")
parse=$(realpath lab/tests/upstream-bpf.awk)
results=/run/results
failed=0
exec 2>"$results/errors"

ended()
{
	echo "$1 $2 $(cut -d ' ' -f 1 /proc/uptime)" >>"$results/ended"
}

report()
{
	awk -v suite="$1" -f "$parse" "$results/$1.log" || failed=1
}

run()
{
	timeout -k 5 $limit "./$1" >"$results/$1.log" 2>&1
	ended "$1" $?
	! grep 'bpf_testmod.ko will be skipped' "$results/$1.log" >&2 || failed=1
	report "$1"
}

# The module says all to the kernel's log.
run_test_bpf()
{
	dmesg -c >/dev/null
	for part in test_bpf test_tail_calls test_skb_segment; do
		insmod "$test_bpf" test_suite=$part && rmmod test_bpf
		ended $part $?
	done
	dmesg >"$results/test_bpf.log"
	report test_bpf
}

# What the verifier says of each program of each object, and how long it takes:
# numbers in veristat.csv. An object that it cannot open, where one means it to be
# so, ends veristat.
run_veristat()
{
	for object in *.bpf.o; do
		timeout -k 5 $limit ./veristat -o csv -e file,prog,verdict,insns,states \
			"$object" 2>>"$results/veristat.log" | sed 1d
	done >"$results/veristat.csv"
	[ -s "$results/veristat.csv" ] || {
		echo "veristat: said nothing of any program" >&2
		failed=1
	}
	awk -F , '{ print "veristat/" $1 "/" $2, $3 == "success" ? "passed" : "failed" }' \
		"$results/veristat.csv"
}

mkdir /run/bpf
cp build/bpf-tests/test_verifier build/bpf-tests/test_progs build/bpf-tests/veristat \
	build/bpf-tests/*.bpf.o "$modules"/*/*.ko /run/bpf/
cd /run/bpf || exit
mount -t bpf bpf /sys/fs/bpf
mount -t tracefs tracefs /sys/kernel/tracing

run test_verifier
run_test_bpf
run test_progs
run_veristat
exit $failed
