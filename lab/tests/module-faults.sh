#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# What the guest's module does when what it relies on fails: the hypervisor keeps
# what it shall give back, vCPU ids are not what CPUID says, a live patch replaces
# what a program answers for, ftrace dies.

vcpus=3
. "$lab/tests/lib.sh"
. "$lab/tests/renew.sh"

# Bits of enum hyperupcall_op.
unlink=0x40
all=0x54

restart()
{
	l2_monitor system_reset
	l2_wait
}

insmod_fails()
{
	l2_run "dmesg -c >/dev/null"
	not l2_run "insmod /hyperupcall.ko programs=$1" && guest_says "$2"
}

programs_end()
{
	links_are 0 && guest_says "$1" &&
		l2_run "grep -qx 'link 0' /sys/kernel/debug/hyperupcall/tlb"
}

live_patch_goes()
{
	l2_run "echo 0 >/sys/kernel/livepatch/live_patch/enabled;" \
		"for i in \$(seq 100); do rmmod live_patch && exit; sleep 0.2; done; exit 1"
}

expect "boots" boot
expect "insmod" l2_run insmod /hyperupcall.ko programs=count,tlb
expect "IPIs are consumed" shootdowns_are_consumed
expect "whatever is given back is refused twice" \
	l2_run insmod /refuse.ko ops=$all times=2
expect "rmmod" l2_run rmmod hyperupcall
expect "nothing is charged to the VMM" nothing_is_charged
expect "IPIs are delivered" shootdowns_are_delivered
expect "rmmod" l2_run rmmod refuse

expect "a program twice is refused" insmod_fails tlb,tlb "tlb is there twice"
expect "an empty name is none" l2_run insmod /hyperupcall.ko programs=tlb,
expect "rmmod" l2_run rmmod hyperupcall

expect "APIC ids are swapped" l2_run insmod /swap_ids.ko
expect "the module declines and says why" insmod_fails tlb "APIC ids"
expect "nothing is charged to the VMM" nothing_is_charged
expect "APIC ids are swapped back" l2_run rmmod swap_ids

expect "insmod" l2_run insmod /hyperupcall.ko programs=tlb
expect "a live patch comes" l2_run insmod /live_patch.ko
expect "programs end" programs_end "live patch"
expect "IPIs are delivered" shootdowns_are_delivered
expect "rmmod" l2_run rmmod hyperupcall
expect "the module declines and says why" insmod_fails tlb "live patch"
expect "the live patch goes" live_patch_goes
expect "insmod" l2_run insmod /hyperupcall.ko programs=tlb
expect "IPIs are consumed" shootdowns_are_consumed
expect "rmmod" l2_run rmmod hyperupcall

# The hypervisor keeps the link: what it runs has to do nothing any more.
expect "restart" restart
expect "insmod" l2_run insmod /hyperupcall.ko programs=tlb
expect "UNLINK is refused" l2_run insmod /refuse.ko ops=$unlink
expect "rmmod" l2_run rmmod hyperupcall
expect "the module says so" guest_says "the hypervisor keeps tlb"
expect "the link is there" links_are 1
expect "IPIs are delivered" shootdowns_are_delivered
expect "checker is clean" l2_run "shootdown_check $vcpus 5"
expect "insmod" l2_run insmod /hyperupcall.ko programs=tlb
expect "IPIs are consumed" shootdowns_are_consumed
expect "checker is clean" l2_run "shootdown_check $vcpus 5"

expect "restart" restart
expect "nothing is charged to the VMM" nothing_is_charged
expect "insmod" l2_run insmod /hyperupcall.ko programs=tlb
expect "ftrace dies" l2_run insmod /kill_ftrace.ko
expect "programs end" programs_end "ftrace is dead"
expect "IPIs are delivered" shootdowns_are_delivered
expect "the module stays" not l2_run rmmod hyperupcall
l2_stop
plan
