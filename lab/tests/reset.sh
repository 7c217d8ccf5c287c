#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Whatever restarts the guest, the host drops what the old kernel gave it.

vcpus=4
. "$lab/tests/lib.sh"

by_vmm()
{
	l2_monitor system_reset
	l2_wait
}

# The reboot notifiers run: the module unregisters.
by_guest()
{
	echo "reboot -f" >&8
	l2_wait
}

# They do not: only the host can know.
by_sysrq()
{
	echo "echo b >/proc/sysrq-trigger" >&8
	l2_wait
}

# A panic without a crash kernel; crash.sh has those with one. lab/trouble takes
# every panic for one: this kernel's last words are not said.
by_panic()
{
	echo "echo 0 >/proc/sys/kernel/printk; echo c >/proc/sysrq-trigger" >&8
	l2_wait
}

expect "boots" boot
for how in by_vmm by_guest by_sysrq by_panic; do
	expect "insmod" l2_run insmod /hyperupcall.ko programs=tlb
	expect "memory is charged to the VMM" memory_is_charged
	expect "IPIs are consumed" shootdowns_are_consumed
	expect "restart $how" $how
	expect "nothing is charged to the VMM after restart $how" \
		nothing_is_charged
	expect "IPIs are delivered after restart $how" shootdowns_are_delivered
done
expect "insmod" l2_run insmod /hyperupcall.ko programs=tlb
expect "IPIs are consumed" shootdowns_are_consumed
expect "checker is clean" l2_run "shootdown_check $vcpus 5"
l2_stop
plan
