#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# The guest patches its own text while IPIs are consumed. Who patches relies on
# more than that each CPU serializes: no CPU may be in a breakpoint handler for
# the old text. See guest_modules/text_sync.c and lab/patch-text.

. "$lab/tests/lib.sh"

# Two vCPUs, each with a CPU of its own, and one of them with a competitor.
pin()
{
	for cpu in 0 1; do
		taskset -p -c $cpu "$(grep -lx "CPU $cpu/KVM" \
			/proc/"$l2_pid"/task/*/comm | cut -d / -f 5)" || return
	done
	taskset -c 1 sh -c 'while :; do :; done' &
	competitor=$!
}

# Sets $patched and $early.
patch_while_irqs_are_off()
{
	before=$(consumed)
	l2_run "taskset 1 insmod /text_sync.ko; dmesg | grep text_sync: | tail -n 1" \
		>/run/patches || return
	cat /run/patches
	echo "ipis_consumed $before $(consumed)"
	patched=$(sed -n 's/.* \([0-9]*\) patches.*/\1/p' /run/patches)
	early=$(sed -n 's/.* \([0-9]*\) too early.*/\1/p' /run/patches)
	[ "$patched" -gt 20 ]
}

never_too_early()
{
	patch_while_irqs_are_off && [ "$early" -eq 0 ]
}

finds_patches_too_early()
{
	patch_while_irqs_are_off && [ "$early" -gt 0 ]
}

never_too_early_and_consumed()
{
	never_too_early && [ "$(consumed)" -gt "$before" ]
}

vcpus=2 L2_OPTIONS="-name l2,debug-threads=on"
expect "boots with $vcpus vCPUs" boot
expect "vCPUs have CPUs, one has a competitor" pin
expect "no patch is too early without a program" never_too_early
expect "insmod of the broken program" \
	l2_run insmod /hyperupcall.ko programs=tlb_broken
expect "patches that are too early are found" finds_patches_too_early
expect "rmmod" l2_run rmmod hyperupcall
expect "insmod" l2_run insmod /hyperupcall.ko programs=tlb
expect "no patch is too early, and IPIs are consumed" \
	never_too_early_and_consumed
kill $competitor
l2_stop

vcpus=8 L2_OPTIONS=
expect "boots with $vcpus vCPUs" boot
expect "insmod" l2_run insmod /hyperupcall.ko programs=tlb
expect "the kernel survives that it is patched under load" \
	l2_run patch-text 60
expect "IPIs are consumed" shootdowns_are_consumed
l2_stop
plan
