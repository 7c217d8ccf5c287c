#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# shootdown.sh VCPUS: workload and checker with the TLB program.

vcpus=$1
. "$lab/tests/lib.sh"

# One line: that is what L2 takes.
while_module_comes_and_goes()
{
	l2_run "come-and-go /tmp/times & status=0;" \
		"until [ -e /tmp/times.enough ]; do" \
		"shootdown_check $vcpus 15 || status=1; done;" \
		"touch /tmp/times.stop; wait; cat /tmp/times;" \
		"grep -q '^failed' /tmp/times && exit 1; exit \$status"
}

expect "boots with $vcpus vCPUs" boot
expect "checker is clean without a program" l2_run "shootdown_check $vcpus 5"
expect "insmod" l2_run insmod /hyperupcall.ko programs=tlb
expect "memory is charged to the VMM" memory_is_charged
expect "munmap: IPIs are consumed" shootdowns_are_consumed
expect "membarrier" l2_run "shootdown membarrier $vcpus 2"
expect "no flush is lost" l2_run "shootdown_check $vcpus 15"
expect "no flush is lost while the module comes and goes" \
	while_module_comes_and_goes
expect "IPIs are still consumed" shootdowns_are_consumed
expect "rmmod" l2_run rmmod hyperupcall
expect "IPIs are delivered again" shootdowns_are_delivered
expect "nothing is charged to the VMM" nothing_is_charged
l2_stop
plan
