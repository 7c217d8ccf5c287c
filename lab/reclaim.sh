# SPDX-License-Identifier: GPL-2.0
#
# Reclaim of a Linux guest's memory in L1, for tests and benchmarks. Sourced
# after lab/l2.sh.
#
#	swap_start DEVICE [MEGABYTES]	swaps there; zram0 has to be made first
#	swap_stop DEVICE		ends that, of a zram
#	swap_free			kilobytes that are left of it
#	swapped				bytes that were written to swap so far
#	discarded			pages that were discarded so far
#	cgroup_make FOLDER		a cgroup that counts memory
#	vmm_start VCPUS			L2, its VMM in a cgroup of its own
#	vmm_memory			bytes that are charged to that cgroup
#	vmm_reclaim BYTES [COMMAND...]	takes them from it, and waits now and then, or
#					runs that instead
#	vmm_reclaim_cold		takes what is in use and cold
#	vmm_reclaim_start [BYTES]	does so all the time, and lets it have no
#					more than that many
#	vmm_reclaim_stop		ends that
#	swap_mark MEGABYTES		remembers which pages of L2's memory are free,
#					and which are in swap; its memory is
#					that large, anonymous, and in one piece
#	swap_free_pages MEGABYTES	bytes of those that were free all the time
#					and are in swap since

cgroup=/sys/fs/cgroup/vmm

swap_start()
{
	[ $# -eq 1 ] || echo "${2}M" >"/sys/block/$1/disksize"
	mkswap "/dev/$1" >/dev/null && swapon "/dev/$1"
}

swap_stop()
{
	swapoff "/dev/$1" && echo 1 >"/sys/block/$1/reset"
}

swap_free()
{
	awk '$1 == "SwapFree:" { print $2 }' /proc/meminfo
}

vmstat()
{
	sed -n "s/^$1 //p" /proc/vmstat
}

swapped()
{
	echo $(($(vmstat pswpout) * 4096))
}

discarded()
{
	vmstat pgdiscard
}

cgroup_make()
{
	[ -e /sys/fs/cgroup/cgroup.procs ] || mount -t cgroup2 none /sys/fs/cgroup
	echo +memory >/sys/fs/cgroup/cgroup.subtree_control
	mkdir -p "$1"
}

vmm_start()
{
	cgroup_make $cgroup
	L2_WRAPPER="$lab/in-cgroup $cgroup" l2_start "$@"
}

vmm_memory()
{
	cat $cgroup/memory.current
}

vmm_reclaim_once()
{
	echo "$1" 2>/dev/null >$cgroup/memory.reclaim
}

# What was used a moment ago the kernel takes only when it comes by again, and
# until then it says EAGAIN: its counts of such pages are up to 4 s old. One
# part in twenty may be left.
vmm_reclaim()
{
	wanted=$1
	rest=$1
	until=$(($(vmm_memory) - rest))
	shift
	[ $# -gt 0 ] || set -- sleep 5
	for try in 1 2 3 4 5 6; do
		vmm_reclaim_once "$rest" && return
		rest=$(($(vmm_memory) - until))
		[ $rest -gt $((wanted / 20)) ] || return 0
		"$@"
	done
	return 1
}

# Guests that spin fetch a page back now and then, which is progress, and with
# that the kernel would go on until it has taken as much as there was.
vmm_reclaim_cold()
{
	timeout 20 sh -c "echo $(vmm_memory) >$cgroup/memory.reclaim" 2>/dev/null || :
}

vmm_reclaim_start()
{
	rm -f /run/reclaim.stop
	echo "${1-max}" >$cgroup/memory.max
	while [ ! -e /run/reclaim.stop ]; do
		vmm_reclaim_once 16M
		sleep 0.1
	done &
	reclaimer=$!
}

vmm_reclaim_stop()
{
	touch /run/reclaim.stop
	wait "$reclaimer"
	echo max >$cgroup/memory.max
}

# l2_memory_start MEGABYTES: the number of the VMM's page that is L2's first one
l2_memory_start()
{
	while IFS='- ' read -r start end rest; do
		[ $((0x$end - 0x$start)) -ne $(($1 << 20)) ] ||
			echo $((0x$start >> 12))
	done <"/proc/$l2_pid/maps"
}

# list_pages MEGABYTES WHEN: leaves what is free and what is in swap in /run/WHEN.*
list_pages()
{
	start=$(l2_memory_start "$1")
	l2_run page-types -N -l -b buddy >/run/"$2".free || return
	# It does not find this flag by its name.
	$l2/page-types -N -l -r -p "$l2_pid" -b $((1 << 62)) \
		-a "$start,$((start + ($1 << 8)))" >/run/"$2".swapped
}

swap_mark()
{
	list_pages "$1" before
}

swap_free_pages()
{
	list_pages "$1" now || return
	awk -v start="$start" -f "$lab/swapped.awk" /run/before.free /run/before.swapped \
		/run/now.free /run/now.swapped
}
