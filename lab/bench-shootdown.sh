#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# bench-shootdown.sh VCPUS SECONDS [ROW...]: runs the shootdown workload in L2,
# once for each row of lab/shootdown-rows, or those rows, and each kind of IPI.
# Runs in L1. Prints, for lab/shootdown-table.awk, a line for each: row, kind, and
# NAME=VALUE words.

. "$lab/l2.sh"

# What is counted, by its name in KVM's debugfs folder of the VM.
stats='exits tlb_flush ipis_sent ipis_consumed hyperupcall_flushes'

# Reading costs exits, too: read first what matters most.
read_stats()
{
	for stat in $stats; do
		value=$(l2_stat "$stat")
		[ -z "$value" ] || eval "$1_$stat=$value"
	done
}

l2_mark()
{
	read_stats "$1"
}

differences()
{
	for stat in $stats; do
		eval "first=\${begin_$stat-} last=\${end_$stat-}"
		[ -z "$last" ] || printf ' %s=%s' "$stat" $((last - first))
	done
	echo
}

measure()
{
	if ! l2_run "shootdown $2 $vcpus $seconds" >/run/words; then
		echo "$1 $2 failed: $(tr '\n' ' ' </run/words)"
		failed=1
		return
	fi
	echo "$1 $2 $(cat /run/words)$(differences)"
	program_stats "$1"
}

check()
{
	if l2_run "shootdown_check $vcpus 2" >/run/words; then
		echo "$1 check $(cat /run/words)"
	else
		echo "$1 check failed: $(tr '\n' ' ' </run/words)"
		failed=1
	fi
}

# What the guest's module knows of its program, for whoever reads the log.
program_stats()
{
	l2_run 'cat /sys/kernel/debug/hyperupcall/* 2>/dev/null' |
		sed "s/^/# $1 /"
}

run_row()
{
	if ! l2_start "$vcpus" ",$2"; then
		echo "$1 boot failed: $(tail -n 3 $l2/qemu.log)"
		failed=1
		return
	fi
	if l2_run "$3" >/run/words; then
		measure "$1" munmap
		measure "$1" membarrier
		check "$1"
	else
		echo "$1 setup failed: $3: $(tr '\n' ' ' </run/words)" \
			"$(l2_run 'dmesg | tail -n 3' | tr '\n' ' ')"
		failed=1
	fi
	l2_stop
}

vcpus=$1
seconds=$2
shift 2
rows=${*-}
failed=0
while read -r row flags before <&4; do
	case $row in
	''|'#'*) continue ;;
	esac
	case " ${rows:-$row} " in
	*" $row "*) ;;
	*) continue ;;
	esac
	run_row "$row" "$flags" "$before"
done 4<"$lab/shootdown-rows"
exit $failed
