#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# CPUs of the guest come and go while IPIs are consumed.

vcpus=4
. "$lab/tests/lib.sh"

# The checker keeps to the CPUs that stay.
hotplug()
{
	l2_run "shootdown_check 3 15 & check=\$!;" \
		"cpu=/sys/devices/system/cpu/cpu3/online; times=0;" \
		"while kill -0 \$check 2>/dev/null; do" \
		"echo 0 >\$cpu && echo 1 >\$cpu || exit 1;" \
		"times=\$((times + 1)); done; echo \$times times;" \
		"wait \$check && [ \$times -gt 2 ]"
}

# Its own calls are outside of the window then, and their IPIs are delivered.
comes_back_elsewhere()
{
	l2_run "cpu=/sys/devices/system/cpu/cpu3/online;" \
		"echo 0 >\$cpu && insmod /fill_percpu.ko && echo 1 >\$cpu"
}

unseen()
{
	l2_run "sed -n 's/^unseen //p' /sys/kernel/debug/hyperupcall/tlb"
}

unseen_grow()
{
	unseen_before=$(unseen)
	shootdowns_are_consumed || return
	echo "unseen $unseen_before $(unseen)"
	[ "$(unseen)" -gt "$unseen_before" ]
}

expect "boots" boot
expect "insmod" l2_run insmod /hyperupcall.ko programs=tlb
expect "checker is clean while a CPU comes and goes" hotplug
expect "IPIs are consumed" shootdowns_are_consumed
expect "checker is clean with all CPUs" l2_run "shootdown_check $vcpus 5"
expect "a CPU comes back and has its calls elsewhere" comes_back_elsewhere
expect "IPIs with such calls are counted" unseen_grow
expect "checker is clean with such calls" l2_run "shootdown_check $vcpus 5"
expect "rmmod" l2_run rmmod hyperupcall
l2_stop
plan
