#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# bench-reclaim.sh LOAD [ROW...]: takes memory back from a guest that has used
# and freed most of it, and has it use memory again; once for each row of
# lab/reclaim-rows, or those rows, and for 25, 50 and 75 % of what it has freed.
# And once where nobody wants memory back, but the guest comes and goes with it:
# "calm". Before that, if it is idle, a process of the host's own is swapped: "host".
# PARTS in the environment names those percentages that are wanted, calm, and host.
# Runs in L1. Prints, for lab/reclaim-table.awk, a line for each: LOAD, row, part,
# and NAME=VALUE words.
#
# LOAD is idle: L2 has as many vCPUs as L1 has CPUs, and they sleep; or busy: it
# has four times as many, and they spin.

. "$lab/l2.sh"
. "$lab/reclaim.sh"

memory=768	# of L2, in MiB
freed=560	# what it has used and freed
again=400	# what it uses again
calm=300	# what comes and goes

now_ns()
{
	awk '{ printf "%.0f\n", $1 * 1000000000 }' /proc/uptime
}

# Nanoseconds that L1's CPUs were busy: in guests, and otherwise.
busy()
{
	awk -v hz="$(getconf CLK_TCK)" '/^cpu / {
		guest = $10 + $11
		printf "%.0f %.0f\n", guest * 1e9 / hz,
		       ($2 + $3 + $4 + $7 + $8 - guest) * 1e9 / hz
	}' /proc/stat
}

snapshot()
{
	# shellcheck disable=SC2046 # words
	set -- $(busy)
	guest=$1 host=$2
	out=$(vmstat pswpout) in=$(vmstat pswpin) dropped=$(discarded)
	ns=$(now_ns)
}

# difference PREFIX: words for what happened since snapshot
difference()
{
	now=$(now_ns)
	# shellcheck disable=SC2046 # words
	set -- "$1" $(busy)
	printf ' %sns=%s %sguest=%s %shost=%s %sout=%s %sin=%s %sdropped=%s' \
		"$1" $((now - ns)) "$1" $(($2 - guest)) "$1" $(($3 - host)) \
		"$1" $((($(vmstat pswpout) - out) * 4096)) \
		"$1" $((($(vmstat pswpin) - in) * 4096)) \
		"$1" $((($(discarded) - dropped) * 4096))
}

# until_is TRIES COMMAND...: tries it so often, a tenth of a second apart
until_is()
{
	tries=$1
	shift
	while [ "$tries" -gt 0 ]; do
		"$@" && return
		tries=$((tries - 1))
		sleep 0.1
	done
	return 1
}

balloon_is()
{
	l2_monitor info balloon
	[ "$(sed -n 's/.*actual=//p' $l2/monitor.log | tail -n 1 | tr -d '\r')" = "$1" ]
}

balloon()
{
	l2_monitor "balloon $1"
	until_is 3000 balloon_is "$1"
}

# What vmm_reclaim waits for: reading them brings the kernel's counts up to date.
count_pages()
{
	cat $cgroup/memory.stat >/dev/null
}

memory_is_below()
{
	[ "$(vmm_memory)" -le "$1" ]
}

# take HOW BYTES
take()
{
	case $1 in
	reclaim)
		vmm_reclaim "$2" count_pages
		;;
	balloon)
		balloon $((memory - ($2 >> 20)))
		;;
	wait)
		until_is 300 memory_is_below $((used - $2))
		;;
	esac
}

run_percent()
{
	load=$1 row=$2 how=$3 percent=$4
	l2_run "touch_memory $freed" >/dev/null || return
	# The guest begins to report after 2 s.
	used=$(vmm_memory)
	swap_mark $memory || return
	count_pages
	snapshot
	take "$how" $(((freed << 20) * percent / 100)) || return
	words=$(difference take_)
	words="$words take_free=$(swap_free_pages $memory)"
	[ "$how" != balloon ] || balloon $memory || return

	snapshot
	reuse=$(l2_run "touch_memory $again") || return
	echo "$load $row $percent$words reuse_$reuse$(difference use_)"
}

run_calm()
{
	snapshot
	calm_ns=$(l2_run "touch_memory $calm 5 3000") || return
	echo "$1 $2 calm calm_$calm_ns$(difference all_)"
}

# A process of the host's own, for which half of what it uses is swapped.
run_host()
{
	folder=/sys/fs/cgroup/host
	cgroup_make $folder
	echo ${again}M >$folder/memory.max
	snapshot
	host_ns=$("$lab/in-cgroup" $folder "$lab/../build/lab/bin/touch_memory" \
		$((again * 2)) 3 0) || return
	echo "$load swap host host_$host_ns$(difference all_)"
}

spin()
{
	[ "$1" = busy ] || return 0
	for i in $(seq "$vcpus"); do
		l2_run "while :; do :; done &" || return
	done
}

run_row()
{
	load=$1 row=$2 device=$3 how=$4 before=$5
	[ "$device" = - ] && device= || device="-device $device"
	L2_MEMORY=${memory}M L2_OPTIONS=$device vmm_start "$vcpus" || return
	l2_run "$before" && spin "$load" || return
	# What is in use and cold goes before anything is counted.
	vmm_reclaim_cold
	for part in $parts; do
		case $part in
		host)	continue ;;
		calm)	run_calm "$load" "$row" ;;
		*)	run_percent "$load" "$row" "$how" "$part" ;;
		esac || echo "$load $row $part failed"
	done
	l2_stop
}

load=$1
shift
rows=${*-}
parts=${PARTS:-25 50 75 calm host}
vcpus=$(nproc)
[ "$load" != busy ] || vcpus=$((vcpus * 4))
swap_start zram0 1536
case $load,$parts in
idle,*host*)
	run_host || echo "$load swap host failed"
	;;
esac
while read -r row device how before <&4; do
	case $row in
	''|'#'*) continue ;;
	esac
	case " ${rows:-$row} " in
	*" $row "*) ;;
	*) continue ;;
	esac
	run_row "$load" "$row" "$device" "$how" "$before" ||
		echo "$load $row boot failed"
done 4<"$lab/reclaim-rows"
