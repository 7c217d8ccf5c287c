#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# What the VMM does while programs run: it takes memory from the guest with a
# balloon and gives it back, and it is killed.

vcpus=3
. "$lab/tests/lib.sh"

# Pages that are pinned, system-wide: what each CPU counted, too.
pinned()
{
	echo 1 >/proc/sys/vm/stat_refresh
	awk '/^nr_foll_pin_acquired / { n += $2 }
		/^nr_foll_pin_released / { n -= $2 } END { print n }' /proc/vmstat
}

nothing_is_pinned()
{
	echo "$pinned pages were pinned before, $(pinned) are"
	[ "$(pinned)" -eq "$pinned" ]
}

memory_is_pinned()
{
	echo "$pinned pages were pinned before, $(pinned) are"
	[ "$(pinned)" -gt "$pinned" ]
}

# The device comes while the guest runs: it has to look for it.
add_balloon()
{
	l2_monitor device_add virtio-balloon-pci,id=balloon
	l2_run "for i in \$(seq 30); do echo 1 >/sys/bus/pci/rescan;" \
		"ls -d /sys/bus/virtio/drivers/virtio_balloon/virtio* && exit;" \
		"sleep 1; done; exit 1"
}

# balloon_to MEGABYTES CONDITION: until it holds for the guest's memory in MB
balloon_to()
{
	l2_monitor balloon "$1"
	l2_run "for i in \$(seq 60); do" \
		"mb=\$(awk '/^MemTotal/ { print int(\$2 / 1024) }' /proc/meminfo);" \
		"[ \$mb $2 ] && break; sleep 1; done;" \
		"echo \$mb MB; [ \$mb $2 ]"
}

# The module's memory is the kernel's, which no balloon takes.
nothing_was_taken()
{
	echo "$charged kB were charged, $(charged) are"
	l2_run "cat /sys/kernel/debug/hyperupcall/tlb;" \
		"grep -q '^faults 0\$' /sys/kernel/debug/hyperupcall/tlb" &&
		[ "$(charged)" -eq "$charged" ]
}

while_balloon_moves()
{
	l2_run "shootdown_check $vcpus 12" &
	for size in 250 384 250 384 250; do
		l2_monitor balloon $size
		sleep 2
	done
	wait $!
}

kill_vmm()
{
	before=$(consumed)
	echo "shootdown munmap $vcpus 600 3>&-" >&8
	for i in $(seq 60); do
		[ "$(consumed)" -gt $((before + 100)) ] && break
		sleep 1
	done
	echo "ipis_consumed $before $(consumed)"
	[ "$(consumed)" -gt $((before + 100)) ] || return
	kill -9 "$l2_pid"
	wait "$l2_pid"
	exec 7>&- 8>&- 9<&-
}

no_vm_is_left()
{
	! ls -d /sys/kernel/debug/kvm/"$l2_pid"-*
}

pinned=$(pinned)
expect "boots" boot
expect "balloon" add_balloon
expect "insmod" l2_run insmod /hyperupcall.ko programs=tlb
charged=$(charged)
expect "memory is charged to the VMM" memory_is_charged
expect "and pinned" memory_is_pinned
expect "balloon takes memory" balloon_to 250 "-lt 250"
expect "nothing of the programs' memory was taken" nothing_was_taken
expect "IPIs are consumed" shootdowns_are_consumed
expect "balloon gives it back" balloon_to 384 "-gt 300"
expect "checker is clean while the balloon moves" while_balloon_moves
expect "nothing of the programs' memory was taken" nothing_was_taken
expect "rmmod" l2_run rmmod hyperupcall
expect "nothing is charged to the VMM" nothing_is_charged
expect "nothing is pinned" nothing_is_pinned
expect "insmod" l2_run insmod /hyperupcall.ko programs=tlb
expect "VMM is killed while IPIs are consumed" kill_vmm
expect "no VM is left" no_vm_is_left
expect "nothing is pinned" nothing_is_pinned
expect "boots again" boot
expect "insmod" l2_run insmod /hyperupcall.ko programs=tlb
expect "IPIs are consumed" shootdowns_are_consumed
l2_stop
plan
