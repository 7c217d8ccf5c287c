#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# The guest sleeps, which for the host is a reset, and goes on: S3, a hibernation
# that fails, and one that works.

vcpus=3
. "$lab/tests/lib.sh"
. "$lab/tests/renew.sh"

# The guest is not asleep yet the first times.
sleeps()
{
	(
		while sleep 2; do
			l2_monitor system_wakeup
		done
	) &
	waker=$!
	l2_run "echo mem >/sys/power/state"
	status=$?
	kill $waker
	wait $waker 2>/dev/null
	return $status
}

# There is no swap to write to, which is found at the very end.
fails_to_hibernate()
{
	not l2_run "echo disk >/sys/power/state"
}

# The guest writes its memory to the disk and powers off. It boots again, finds it
# there, and the kernel that is in it goes on in the middle of the command.
hibernates()
{
	echo "mkswap /dev/vda && swapon /dev/vda && echo disk >/sys/power/state" >&8
	wait "$l2_pid"
	exec 7>&- 8>&- 9<&-
	L2_APPEND=resume=/dev/vda l2_launch "$vcpus" ,kvm-pv-tlb-flush=off
	l2_answer
}

L2_OPTIONS="-drive file=/dev/vda,format=raw,if=virtio"
expect "boots" boot
expect "insmod" l2_run insmod /hyperupcall.ko programs=tlb,reclaim
expect "IPIs are consumed" shootdowns_are_consumed
for i in 1 2; do
	expect "sleeps and wakes up" sleeps
	expect "programs work again" renews 2
	expect "checker is clean" l2_run "shootdown_check $vcpus 5"
done
expect "hibernation fails" fails_to_hibernate
expect "programs work again" renews 2
expect "checker is clean" l2_run "shootdown_check $vcpus 5"
expect "hibernates" hibernates
expect "programs work again" renews 2
expect "checker is clean" l2_run "shootdown_check $vcpus 5"
expect "rmmod" l2_run rmmod hyperupcall
expect "nothing is charged to the VMM" nothing_is_charged
expect "IPIs are delivered again" shootdowns_are_delivered
l2_stop
plan
