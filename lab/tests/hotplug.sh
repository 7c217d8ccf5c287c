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

expect "boots" boot
expect "insmod" l2_run insmod /hyperupcall.ko programs=tlb
expect "checker is clean while a CPU comes and goes" hotplug
expect "IPIs are consumed" shootdowns_are_consumed
expect "checker is clean with all CPUs" l2_run "shootdown_check $vcpus 5"
expect "rmmod" l2_run rmmod hyperupcall
l2_stop
plan
