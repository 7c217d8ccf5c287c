#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# An unpatched VMM, which knows nothing of hyperupcalls, rewinds the guest to a
# snapshot, and moves it to another process by way of a file, under load. The
# guest goes on, and has its programs again soon after.

vcpus=3
. "$lab/tests/lib.sh"
. "$lab/tests/renew.sh"
. "$lab/reclaim.sh"
L2_MEMORY=256M
images=/run/images

# be64 NUMBER...: as 8 bytes each
be64()
{
	for number; do
		for shift in 56 48 40 32 24 16 8 0; do
			printf "\\$(printf %o $((number >> shift & 255)))"
		done
	done
}

# be32 NUMBER...: as 4 bytes each
be32()
{
	for number; do
		be64 "$number" | tail -c 4
	done
}

# An empty qcow2 image, for snapshots: header, table of reference counts, counts
# and table of clusters have a cluster of 64 KiB each.
image_make()
{
	{
		be32 $((0x514649fb)) 2 0 0 0 16
		be64 $((1 << 20))
		be32 0 1
		be64 $((3 << 16)) $((1 << 16))
		be32 1 0
		be64 0
	} >$images/header
	be64 $((2 << 16)) >$images/table
	be64 $((0x0001000100010001)) >$images/counts
	truncate -s $((4 << 16)) "$1"
	for part in header,0 table,1 counts,2; do
		dd if=$images/${part%,*} of="$1" bs=64k seek=${part#*,} \
			conv=notrunc 2>/dev/null
	done
}

# A command that has nothing to say worked.
monitor_does()
{
	l2_asks "$*" >/run/answer
	cat /run/answer
	not grep -Eiq "error|fail|invalid|no block device" /run/answer
}

snapshot()
{
	at_snapshot=$(count_in_guest)
	monitor_does savevm one
}

# What is done between snapshot and rewinding never was.
rewind()
{
	counted=$at_snapshot
	monitor_does loadvm one && l2_run true
}

# The source stops by itself once everything is written.
migrate()
{
	rm -f $images/state
	l2_asks "migrate \"exec:cat >$images/state\"" >/run/answer
	l2_asks "info migrate" >/run/answer
	grep "Migration status\|total time" /run/answer
	grep -q "Migration status: completed" /run/answer || return
	l2_stop
	L2_OPTIONS="$options -incoming exec:$images/restore" \
		vmm_launch "$vcpus" ,kvm-pv-tlb-flush=off
	l2_run true
}

vmm_launch()
{
	cgroup_make $cgroup
	L2_WRAPPER="$lab/in-cgroup $cgroup" l2_launch "$@"
}

# A piece of QEMU's option ends at a comma or a space.
mkdir -p $images
printf '#!/bin/sh\ncat %s/state\n' $images >$images/restore
chmod +x $images/restore
image_make $images/disk
options="-drive if=none,id=snapshots,format=qcow2,file=$images/disk"

start()
{
	L2_OPTIONS=$options vmm_start "$vcpus" ,kvm-pv-tlb-flush=off
}

# churn in the background of L2, and its status in the end
churn_start()
{
	l2_run "rm -f /tmp/churn.status;" \
		"(churn 2 $1 /tmp >/tmp/churn; echo \$? >/tmp/churn.status)" \
		"3>&- >/dev/null 2>&1 &"
	vmm_reclaim_start
}

nothing_is_lost()
{
	l2_run "for i in \$(seq 900); do [ -e /tmp/churn.status ] && break;" \
		"sleep 0.2; done; cat /tmp/churn; [ \$(cat /tmp/churn.status) -eq 0 ]"
	status=$?
	vmm_reclaim_stop
	return $status
}

expect "swap" swap_start zram0 512
expect "boots" start
expect "insmod" l2_run insmod /hyperupcall.ko programs=tlb,reclaim
expect "IPIs are consumed" shootdowns_are_consumed
expect "checker starts" check_start 10
expect "snapshot" snapshot
expect "guest goes on" l2_run true
for i in 1 2; do
	expect "guest is rewound" rewind
	expect "programs work again" renews 2
done
expect "checker is clean" check_is_clean

for i in 1 2; do
	expect "checker starts" check_start 10
	expect "guest moves by way of a file" migrate
	expect "programs work again" renews 2
	expect "checker is clean" check_is_clean
done

expect "memory is used while the host takes it" churn_start 160
expect "snapshot" snapshot
expect "guest is rewound" rewind
expect "programs work again" renews 2
expect "nothing is lost" nothing_is_lost
expect "rmmod" l2_run rmmod hyperupcall
expect "nothing is charged to the VMM" nothing_is_charged
l2_stop
plan
