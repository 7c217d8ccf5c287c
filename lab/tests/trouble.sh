#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# lab/trouble finds each kind of trouble in a console that is fine otherwise,
# and none in one that is fine.

trouble=$(cd "$(dirname "$0")/.." && pwd)/trouble
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
n=0

fine()
{
	cat <<-EOT
		[    0.000000] Command line: console=ttyS0 loglevel=5 panic=-1
		[    0.091852] Speculative Return Stack Overflow: WARNING: See https://kernel.org/doc/html/latest/admin-guide/hw-vuln/srso.html for mitigation options.
		[    0.300000] kvm: Nested Virtualization enabled
		[    0.300001] kvm [84]: vcpu0, guest rIP: 0x401000 Unhandled WRMSR(0xc0010015) = 0x0
	EOT
}

# The first words of each, as the kernel's source has them.
kinds()
{
	cat <<-'EOT'
		BUG: KASAN: slab-use-after-free in kvm_hyperupcall_run+0x10/0x20
		BUG: KFENCE: use-after-free read in f+0x10/0x20
		BUG: sleeping function called from invalid context at mm/util.c:1
		BUG: scheduling while atomic: sh/1/0x00000002
		BUG: using smp_processor_id() in preemptible [00000000] code: sh/1
		BUG: unable to handle page fault for address: ffff888000000000
		BUG: kernel NULL pointer dereference, address: 0000000000000008
		BUG: workqueue leaked atomic, lock or RCU: kworker/0:1[10]
		BUG: MAX_LOCKDEP_CHAINS too low!
		BUG: Bad page state in process sh  pfn:12345
		BUG: Bad rss-counter state mm:0000000012345678 type:MM_ANONPAGES val:1
		BUG kmalloc-64 (Not tainted): Object already free
		WARNING: CPU: 0 PID: 1 at kernel/fork.c:1 f+0x10/0x20
		WARNING: possible circular locking dependency detected
		WARNING: possible recursive locking detected
		WARNING: possible irq lock inversion dependency detected
		WARNING: bad unlock balance detected!
		WARNING: inconsistent lock state
		WARNING: suspicious RCU usage
		INFO: possible recursive locking detected
		INFO: trying to register non-static key.
		INFO: lockdep is turned off.
		DEBUG_LOCKS_WARN_ON(1)
		INFO: rcu_preempt detected stalls on CPUs/tasks:
		rcu: INFO: rcu_preempt self-detected stall on CPU
		watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [sh:1]
		INFO: task sh:1 blocked for more than 120 seconds. hung task
		smp: csd: CSD lock (#1) unresponsive.
		kmemleak: 2 new suspected memory leaks (see /sys/kernel/debug/kmemleak)
		kmemleak: Kernel memory leak detector disabled
		ODEBUG: free active (active state 0) object: 1 object type: work_struct
		refcount_t: underflow; use-after-free.
		list_add corruption. prev->next should be next (1), but was 2. (prev=3).
		list_add double add: new=1, prev=1, next=2.
		list_del corruption, 1->next is LIST_POISON1 (2)
		UBSAN: array-index-out-of-bounds in kernel/bpf/window.c:1:2
		kernel BUG at virt/kvm/kvm_main.c:1!
		Oops: general protection fault, probably for non-canonical address 1
		stack segment: 0000 [#1] SMP
		traps: PANIC: double fault, error_code: 0x0
		sh[1]: segfault at 0 ip 1 sp 2 error 4 in busybox[400000+1000]
		Call Trace:
		Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000000
	EOT
}

result()
{
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2"
	fi
}

# A line that is not where the console begins, with what printk puts before it,
# and in the second of two consoles.
finds()
{
	fine >"$tmp/l1"
	{ fine; echo "[    1.234567] $1"; fine; } >"$tmp/l2"
	! "$trouble" "$tmp/l1" "$tmp/l2" >"$tmp/found" &&
		[ "$(wc -l <"$tmp/found")" -eq 1 ] && grep -qF "$1" "$tmp/found"
}

fine >"$tmp/fine"
"$trouble" "$tmp/fine" "$tmp/fine"
result $? 'a console that is fine'

# The same while a test lets allocations fail.
while_failing()
{
	fine
	echo "[    1.000000] abi_memory_test: allocations fail"
	echo "[    1.234567] $1"
	echo "[    2.000000] abi_memory_test: allocations succeed"
	fine
}

while_failing 'kmemleak: Cannot allocate a scan area' >"$tmp/l1"
while_failing 'Call Trace:' >"$tmp/l2"
"$trouble" "$tmp/l1" "$tmp/l2"
result $? 'allocations that fail on purpose'

while_failing 'BUG: KASAN: slab-use-after-free in f+0x10/0x20' >"$tmp/l1"
! "$trouble" "$tmp/l1" >"$tmp/found"
result $? 'trouble because of allocations that fail'

echo 'Call Trace:' >>"$tmp/l2"
! "$trouble" "$tmp/l2" >"$tmp/found"
result $? 'trouble after allocations that failed'

kinds >"$tmp/kinds"
while IFS= read -r line; do
	finds "$line"
	result $? "$line"
done <"$tmp/kinds"
echo "1..$n"
