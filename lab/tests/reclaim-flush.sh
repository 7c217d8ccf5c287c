#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# A kernel that flushes the TLBs after it asked for an unmapped page, and not
# before: the test has to see what is lost.

. "$lab/tests/lib.sh"

run_test()
{
	/run/selftest -r race.anonymous_vmm.nothing_is_lost
}

# It fails for this reason and no other.
finds_lost_pages()
{
	run_test >/run/found 2>&1 && return 1
	cat /run/found
	[ "$(grep -c 'Expected' /run/found)" -eq 1 ] &&
		grep -q 'Expected 0 (0) == loses(' /run/found
}

echo 1 >/sys/module/kvm/parameters/hyperupcall
let_reclaim_ask
cp "$lab/../build/selftests/hyperupcall/reclaim_race_test" /run/selftest
expect "nothing is lost" run_test
expect "insmod of what flushes too late" \
	insmod "$lab/../build/late_flush/late_flush.ko"
expect "the test finds lost pages" finds_lost_pages
expect "rmmod" rmmod late_flush
expect "nothing is lost again" run_test
plan
