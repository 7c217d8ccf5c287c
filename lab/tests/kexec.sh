#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# The guest's kernel starts another by kexec: no reset, no vCPU that leaves
# paged mode. The module leaves the host before.

vcpus=3
. "$lab/tests/lib.sh"
. "$lab/tests/next-kernel.sh"

next_install
expect "boots" boot
expect "insmod" l2_run insmod /hyperupcall.ko programs=tlb
expect "memory is charged to the VMM" memory_is_charged
expect "IPIs are consumed" shootdowns_are_consumed
expect "kexec loads a kernel" next_load load
expect "kexec starts it" next_wait kexec_file exec
expect "nothing is charged to the VMM" nothing_is_charged
expect "IPIs are delivered" shootdowns_are_delivered
expect "insmod" l2_run insmod /hyperupcall.ko programs=tlb
expect "IPIs are consumed" shootdowns_are_consumed
expect "checker is clean" l2_run "shootdown_check $vcpus 5"
l2_stop
plan
