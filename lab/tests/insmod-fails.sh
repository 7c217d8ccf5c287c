#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# An insmod that fails leaves nothing behind, in the guest or in the host.

# More than there are CPUs: only a vCPU that does not run has its IPIs consumed.
vcpus=4
. "$lab/tests/lib.sh"

# More often than there may be programs.
fails_often()
{
	l2_run "for i in \$(seq 35); do" \
		"insmod /hyperupcall.ko programs=tlb,none 2>/dev/null && exit 1;" \
		"done; ! lsmod | grep hyperupcall"
}

says_what_failed()
{
	l2_run "dmesg | grep hyperupcall: | tail -n 1" >/run/said
	cat /run/said
	grep -q "no program none" /run/said
}

expect "boots" boot
expect "insmod of a program that does not exist fails, 35 times" fails_often
expect "one line says what failed" says_what_failed
expect "no debugfs folder is left" \
	l2_run "[ ! -e /sys/kernel/debug/hyperupcall ]"
expect "nothing is charged to the VMM" nothing_is_charged
expect "IPIs are delivered" shootdowns_are_delivered
expect "insmod works" l2_run insmod /hyperupcall.ko programs=tlb
expect "memory is charged to the VMM" memory_is_charged
expect "IPIs are consumed" shootdowns_are_consumed
l2_stop
plan
