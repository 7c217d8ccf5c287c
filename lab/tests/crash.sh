#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# The guest's kernel panics while IPIs are consumed and memory goes offline and
# online, for which another CPU maps and unmaps regions, and a crash kernel starts
# on the CPU that panicked: the boot vCPU, or another. The rest stay where they
# were, in paged mode. The module leaves the host before.

vcpus=3
. "$lab/tests/lib.sh"
. "$lab/tests/next-kernel.sh"
# A block of memory can go offline where nothing but movable pages is.
L2_MEMORY=640M
L2_APPEND="crashkernel=128M movablecore=256M"

# An endless loop, one line.
blocks_go_and_come="while :; do for b in /sys/devices/system/memory/memory*/state; \
do echo offline >\$b; echo online >\$b; done; done 2>/dev/null"

# Somebody may hold a page of a block for a moment, and then it stays online.
blocks_are_movable()
{
	l2_run "for i in \$(seq 20); do" \
		"for b in /sys/devices/system/memory/memory*/state; do" \
		"echo offline >\$b 2>/dev/null && echo online >\$b &&" \
		"exit 0; done; sleep 0.5; done; exit 1"
}

# lab/trouble takes every panic for one: this kernel's last words are not said.
panics_on()
{
	next_wait "shootdown munmap $vcpus 60 3>&- &" \
		"($blocks_go_and_come) 3>&- & sleep 1;" \
		"echo 0 >/proc/sys/kernel/printk;" \
		"taskset $(printf %x $((1 << $1))) sh -c" \
		"'echo c >/proc/sysrq-trigger'"
}

runs_on_one_cpu()
{
	l2_run "grep ^apicid /proc/cpuinfo;" \
		"[ \$(grep -c ^processor /proc/cpuinfo) -eq 1 ] &&" \
		"grep -q '^apicid.*: $1\$' /proc/cpuinfo"
}

# With one CPU there are no IPIs, and no module that would have them consumed.
consumes_nothing()
{
	before=$(consumed)
	l2_run "! lsmod | grep hyperupcall && shootdown munmap 1 2" || return
	echo "ipis_consumed $before $(consumed)"
	[ "$(consumed)" -eq "$before" ]
}

by_guest()
{
	next_wait reboot -f
}

next_install
expect "boots" boot
for cpu in 0 1; do
	expect "insmod" l2_run insmod /hyperupcall.ko programs=tlb,reclaim
	expect "memory is charged to the VMM" memory_is_charged
	expect "a block of memory goes and comes" blocks_are_movable
	expect "IPIs are consumed" shootdowns_are_consumed
	expect "kexec loads a crash kernel" next_load crash nr_cpus=1
	expect "crash kernel starts after a panic on CPU $cpu" panics_on $cpu
	expect "it runs on CPU $cpu" runs_on_one_cpu $cpu
	expect "nothing is charged to the VMM" nothing_is_charged
	expect "no IPIs are consumed" consumes_nothing
	expect "restart" by_guest
	expect "IPIs are delivered" shootdowns_are_delivered
done
expect "insmod" l2_run insmod /hyperupcall.ko programs=tlb
expect "IPIs are consumed" shootdowns_are_consumed
l2_stop
plan
