#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# reclaim.sh VCPUS MEGABYTES [WORD...]: the host reclaims a guest's memory as
# fast as it can while the guest uses it, and that much of it is filled and
# checked. The words say what is not as usual:
#
#	mglru	the host has the multi-gen LRU
#	nothp	neither the host nor the guest has transparent huge pages
#	disk	the host swaps to a disk, and not to compressed memory
#	full	it has hardly any place to swap to
#	memfd	the guest's memory is a memfd
#	hole	half of the guest's memory is above a hole, in another NUMA node

vcpus=$1
megabytes=$2
shift 2
words=" $* "
. "$lab/tests/lib.sh"
. "$lab/reclaim.sh"

# Without a file system in between, direct I/O takes L2's own pages.
disk=/dev/vdb
memory=512
port=1024

with()
{
	case $words in
	*" $1 "*) ;;
	*) return 1 ;;
	esac
}

# A small guest has none unless it is told.
thp()
{
	echo "echo $1 >/sys/kernel/mm/transparent_hugepage/enabled"
}

prepare_host()
{
	with mglru && echo 7 >/sys/kernel/mm/lru_gen/enabled
	with nothp && eval "$(thp never)"
	if with disk; then
		swap_start vda
	elif with full; then
		swap_start zram0 8
	else
		swap_start zram0 1024
	fi
}

memory_options()
{
	backend=memory-backend-ram
	with memfd && backend=memory-backend-memfd,share=on
	if with hole; then
		half=$((memory / 2))
		echo "-machine max-ram-below-4g=${half}M"
		echo "-object $backend,id=m0,size=${half}M -numa node,memdev=m0"
		echo "-object $backend,id=m1,size=${half}M -numa node,memdev=m1"
	else
		echo "-object $backend,id=m0,size=${memory}M"
		echo "-machine memory-backend=m0"
	fi
}

boot()
{
	prepare_host || return
	mkdir -p /tmp/empty
	mkfs.ext4 -q -O ^has_journal -d /tmp/empty $disk || return
	L2_MEMORY=${memory}M
	L2_OPTIONS="$(memory_options | tr '\n' ' ')
		-drive file=$disk,format=raw,if=virtio,cache=none
		-device vhost-vsock-pci,guest-cid=3"
	# Sends back what comes.
	socat VSOCK-LISTEN:$port,fork PIPE &
	echo_pid=$!
	vmm_start "$vcpus" || return
	with nothp || l2_run "$(thp always)" || return
	l2_run "mkdir /tmp/disk; mount -t ext4 /dev/vda /tmp/disk"
}

has_two_nodes()
{
	l2_run "cat /sys/devices/system/node/online; grep RAM /proc/iomem"
	[ "$(l2_run cat /sys/devices/system/node/online)" = 0-1 ]
}

# Before and after: runs a command, sets $pages and $bytes to what it cost.
measure()
{
	pages=$(discarded) bytes=$(swapped)
	"$@"
	status=$?
	pages=$(($(discarded) - pages)) bytes=$(($(swapped) - bytes))
	echo "discarded $((pages / 256)) MiB, swapped $((bytes >> 20)) MiB"
	return $status
}

# A guest that has used most of its memory and has freed it.
free_memory()
{
	l2_run "touch_memory 300 && echo 1 >/proc/sys/vm/compact_memory"
}

free_pages_are_swapped()
{
	free_memory || return
	measure vmm_reclaim $((200 << 20))
	[ $pages -eq 0 ] || return
	if with full; then
		[ "$(swap_free)" -lt 1024 ]
	else
		[ $bytes -gt $((100 << 20)) ]
	fi
}

free_pages_are_discarded()
{
	free_memory || return
	measure vmm_reclaim $((200 << 20))
	[ $pages -gt $((150 << 8)) ]
}

# Those in use are, if they are cold; and a few that were in per-CPU lists then,
# and in the buddy allocator before and after.
free_pages_are_not_swapped()
{
	free_memory && swap_mark $memory || return
	measure vmm_reclaim $((200 << 20)) || return
	bytes=$(swap_free_pages $memory)
	echo "of free pages: $bytes bytes"
	[ "$bytes" -lt $((1 << 20)) ]
}

# Without swap there is no limit that keeps it alive.
nothing_is_lost()
{
	with full && limit=max || limit=$((memory / 4))M
	vmm_reclaim_start $limit
	measure l2_run "churn -p $port 4 $megabytes /tmp /tmp/disk"
	status=$?
	echo "the limit was reached $(sed -n 's/^max //p' $cgroup/memory.events) times"
	vmm_reclaim_stop
	[ $status -eq 0 ] && [ $pages -gt 0 ]
}

expect "boots" boot
with hole && expect "two nodes" has_two_nodes
expect "free pages are swapped without a program" free_pages_are_swapped
expect "insmod" l2_run insmod /hyperupcall.ko programs=reclaim,aging
expect "free pages are discarded" free_pages_are_discarded
with memfd || with hole ||
	expect "free pages are not swapped" free_pages_are_not_swapped
expect "nothing is lost" nothing_is_lost
expect "rmmod" l2_run rmmod hyperupcall
expect "nothing is charged to the VMM" nothing_is_charged
l2_stop
kill $echo_pid
plan
