#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Guests whose free pages are not as usual: one that looks for a pattern in
# them, one that gives struct pages away, and one whose memory comes and goes.

vcpus=2
. "$lab/tests/lib.sh"
. "$lab/reclaim.sh"

# What is in use and cold goes first.
boot()
{
	L2_MEMORY=$1 L2_APPEND=${2-} vmm_start "$vcpus" || return
	vmm_reclaim "$(vmm_memory)" || :
}

says()
{
	l2_run "dmesg | grep hyperupcall: | tail -n 3" >/run/said
	cat /run/said
	grep -q "$1" /run/said
}

# declines BECAUSE
declines()
{
	l2_run "dmesg -c >/dev/null; insmod /hyperupcall.ko programs=reclaim" &&
		return 1
	says "$1"
}

tracer()
{
	echo "echo $1 >/proc/sys/kernel/ftrace_enabled"
}

# Counts of huge pages whose struct pages are given away.
huge_pages()
{
	l2_run "echo 1 >/proc/sys/vm/hugetlb_optimize_vmemmap &&" \
		"echo $1 >/proc/sys/vm/nr_hugepages &&" \
		"[ \$(cat /proc/sys/vm/nr_hugepages) -eq $1 ]"
}

memory_total()
{
	l2_run "sed -n 's/^MemTotal: *\([0-9]*\) kB/\1/p' /proc/meminfo"
}

memory_is_above()
{
	[ "$(memory_total)" -gt $(($1 * 1024)) ]
}

memory_is_below()
{
	[ "$(memory_total)" -lt $(($1 * 1024)) ]
}

within_30_s()
{
	for i in $(seq 300); do
		"$@" && return
		sleep 0.1
	done
	return 1
}

# It has to be movable, or it never goes again.
plug()
{
	l2_run "echo online_movable >/sys/devices/system/memory/auto_online_blocks" ||
		return
	l2_monitor object_add memory-backend-ram,id=plugged,size=256M
	l2_monitor device_add pc-dimm,id=dimm,memdev=plugged
	within_30_s memory_is_above 450
}

# A page that somebody looks at just then keeps it: the guest has to be asked again.
unplug()
{
	for i in $(seq 5); do
		l2_monitor device_del dimm
		within_30_s memory_is_below 330 && return
	done
	return 1
}

# take_back MEGABYTES: so much is used, freed, and taken back, of which some is
# what is in use and cold; sets $pages to what was discarded
take_back()
{
	l2_run "touch_memory $1 && echo 1 >/proc/sys/vm/compact_memory" || return
	pages=$(discarded)
	vmm_reclaim $(($1 << 20))
	pages=$(($(discarded) - pages))
	echo "discarded $((pages / 256)) of $1 MiB"
}

discards()
{
	take_back "$1" && [ $pages -gt $(($1 << 8 >> 2)) ]
}

discards_nothing()
{
	take_back "$1" && [ $pages -eq 0 ]
}

# Struct pages that the programs' regions show, in bytes.
shown()
{
	awk '$1 == "region" && $NF == "ro" { print $6 }' \
		/sys/kernel/debug/kvm/"$l2_pid"-*/hyperupcalls |
		while read -r size; do echo $((size)); done |
		awk '{ n += $1 } END { print n + 0 }'
}

# A block of memory is about to go offline, and does not, for a page is held.
block_begins_to_go()
{
	l2_run "rm -f /tmp/held*; (hold_page /tmp/held) 3>&- >/tmp/hold 2>&1 &" &&
	l2_run "for i in \$(seq 50); do [ -s /tmp/held ] && break; sleep 0.2; done;" \
		"cat /tmp/hold; read n </tmp/held || exit 1;" \
		"block=/sys/devices/system/memory/memory\$n;" \
		"(echo offline >\$block/state; echo \$? >/tmp/held.gone) 3>&- >/dev/null 2>&1 &" &&
	l2_run "sleep 2; read n </tmp/held;" \
		"cat /sys/devices/system/memory/memory\$n/state; [ ! -e /tmp/held.gone ]"
}

block_goes()
{
	before=$(shown)
	l2_run "touch /tmp/held.stop; for i in \$(seq 150); do" \
		"[ -e /tmp/held.gone ] && break; sleep 0.2; done;" \
		"[ \$(cat /tmp/held.gone) -eq 0 ]"
}

# Its 128 MiB have 2 MiB of struct pages.
block_is_forgotten()
{
	echo "$before bytes of struct pages are shown, then $(shown)"
	[ "$(shown)" -le $((before - (2 << 20))) ]
}

churn()
{
	vmm_reclaim_start 200M
	l2_run "churn 4 $1 /tmp"
	status=$?
	vmm_reclaim_stop
	return $status
}

expect "swap" swap_start zram0 512
expect "a guest with page_poison=1 boots" boot 320M page_poison=1
expect "the module declines and says why" declines "poisons free pages"
l2_stop

expect "a guest with huge pages boots" boot 320M
expect "without a tracer" l2_run "$(tracer 0)"
expect "the module declines and says why" declines "ftrace_enabled"
expect "with a tracer" l2_run "$(tracer 1)"
expect "insmod" l2_run insmod /hyperupcall.ko programs=tlb,reclaim,aging
expect "nobody turns off what the module watches" not l2_run "$(tracer 0)"
expect "free pages are discarded" discards 160
expect "huge pages come" huge_pages 4
expect "programs end" says "given away"
expect "free pages are not discarded any more" discards_nothing 160
expect "rmmod" l2_run rmmod hyperupcall
expect "the module declines and says why" declines "hugetlb_optimize_vmemmap"
expect "huge pages go" huge_pages 0
expect "insmod" l2_run insmod /hyperupcall.ko programs=reclaim
expect "free pages are discarded" discards 160
l2_stop

expect "a guest with slots boots" boot 320M,slots=2,maxmem=1G
expect "insmod" l2_run insmod /hyperupcall.ko programs=reclaim,aging
expect "free pages are discarded" discards 160
expect "memory comes" plug
expect "free pages are discarded in all of it" discards 400
expect "nothing is lost" churn 256
expect "rmmod" l2_run rmmod hyperupcall
expect "a block of memory is about to go" block_begins_to_go
expect "insmod" l2_run insmod /hyperupcall.ko programs=reclaim,aging
expect "the block goes" block_goes
expect "programs do not know it any more" block_is_forgotten
expect "memory goes" unplug
expect "free pages are discarded in what is left" discards 160
expect "nothing is lost" churn 128
l2_stop
plan
