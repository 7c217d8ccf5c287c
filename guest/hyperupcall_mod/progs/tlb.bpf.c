// SPDX-License-Identifier: GPL-2.0
/*
 * TLB shootdowns to vCPUs that do not run.
 *
 * smp_call_function_many_cond() puts a call on the target CPU's
 * call_single_queue and sends an IPI if the queue was empty. This program is
 * asked before that IPI is delivered. If the target's vCPU has no physical CPU,
 * could take an interrupt where it stopped, and all that the queued calls would
 * do there is to flush the TLB or to be a barrier, then the program has the
 * hypervisor flush that vCPU's TLB before its next instruction, takes the calls
 * off the queue and tells their senders that they are done. The target is not
 * disturbed; an idle one sleeps on.
 *
 * Why no call is lost, and no flush:
 *
 * The queue. Calls are pushed with cmpxchg, and taken all at once by whoever
 * empties the queue; whoever pushes to an empty queue sends the IPI. A program
 * that walks a queue and then takes it with cmpxchg(first, NULL) could be
 * fooled: the target wakes up and runs the calls, their senders push others,
 * and the same call is first again. So the program pushes a call of its own,
 * the guard of that target, which no one else pushes (target::lock). While the
 * guard is first, nothing was taken since it was pushed (what takes the queue
 * takes the guard) and nothing was added. The walk comes after the push, and
 * cmpxchg(guard, NULL) after the walk takes exactly the calls that were seen,
 * or nothing:
 *
 *   - The target woke up and took the queue: the guard is not first any more.
 *     The target runs the calls, and the guard, which does nothing.
 *   - Another sender pushed a call: it is first now. It saw a queue that was
 *     not empty and sent no IPI: it relies on this IPI, which is delivered.
 *   - The IPI of another sender runs this program for the same target: it does
 *     not get the lock, or finds the guard in use, and that IPI is delivered.
 *
 * Whatever happens, calls leave the queue only when they are about to be
 * completed. There is no path on which they have to be put back, and the
 * target never finds less in its queue than it has to run. If the guard cannot
 * be taken back it stays where it is until the target has run it, and the
 * program has no opinion for that target until then. Wherever the program has
 * no opinion the IPI is delivered, as if there were no program.
 *
 * The moment. A sender learns more from an answer than that a function has run:
 * the target had interrupts enabled, it has left each exception handler that it
 * was in when the call was queued, and each walk of page tables with interrupts
 * off. What the callers of these functions rely on, in 6.1 to 7.3:
 *
 *	flush_tlb_func()	the flush; where tables are freed, also that a
 *				walker with interrupts off is done (GUP-fast)
 *	do_flush_tlb_all()	the flush, and such walkers of the kernel's
 *	do_kernel_range_flush()	tables: pmd_free_pte_page() frees one next
 *				(perf_get_page_size(), spurious_kernel_fault())
 *	tlb_remove_table_smp_sync()	walkers only
 *	ipi_mb()		a barrier
 *	ipi_sync_core()		that user mode goes on with new instructions
 *	do_sync_core()		that no old instruction is executed, and that no
 *				CPU is in a breakpoint handler for an int3 that
 *				was there (text_poke_bp_batch(), kprobes, static
 *				keys, static calls, ftrace)
 *
 * None of them waits for RCU by an IPI. All of it holds if the program acts as if
 * the target took the IPI where it stopped, and so that is the condition for
 * each call: vcpu_regs() says HYPERUPCALL_REGS_INTERRUPTIBLE after the guard was
 * pushed. Interrupts are on then, and no exception is about to be delivered; a
 * breakpoint that waits for its delivery has interrupts on, and its handler is
 * yet to come. The target may run and stop again between that and the flush:
 * what it is in the middle of then, it began after the calls were queued.
 *
 * The flush. All calls behind the guard were queued before it was pushed, and
 * flush_tlb() is called after: the page tables were changed before the request
 * is made. It returns 1 only if the target's vCPU had no physical CPU after
 * that and the hypervisor was not emulating an instruction for it. Then the vCPU
 * executes nothing before the flush, which covers every address space, every
 * PCID, global pages and paging-structure caches, so it is at least what any of
 * the calls would do. It does not matter if the target has entered the guest by
 * the time the calls are taken. The target does not learn of the tlb_gen that it
 * has caught up to: it will flush once more than needed when it switches, as
 * after KVM's paravirtual flush. A target in lazy TLB mode stays there:
 * flush_tlb_func() would switch to init_mm, only to make sure that nothing of
 * the freed tables is cached. A target that is about to switch to the mm, and
 * has read the old tlb_gen, is like one that switched before: the flush empties
 * the PCID that it is going to load.
 *
 * Barriers. ipi_mb() is a full barrier. ipi_sync_core() and do_sync_core() make
 * sure that the target executes no instruction that it had fetched before. What
 * the target did before its VM exit is visible to a sender that sees it without
 * a physical CPU, and the VM entry after the request serializes.
 *
 * Completion. As in __flush_smp_call_function_queue(), u_flags becomes zero,
 * by a store after everything else: x86 keeps stores in order. From then on
 * the sender may use the call again, so ->next is read before. For a call that
 * no one waits for, the order of function and unlock does not matter.
 *
 * Lost pages. If the VMM takes a page of the guest away, accesses to it read
 * zero, atomics as well, which is no queue, no free lock and no guard: there is
 * no opinion. Should that happen between the taking of the queue and the
 * completion of a call, then with that page went the call itself.
 *
 * CPU hotplug. Whoever sends a call-function IPI has preemption disabled from
 * before it looks for the target in cpu_online_mask until the IPI is sent, and
 * this program runs in the middle of that. stop_machine() takes no CPU down
 * meanwhile, so smpcfd_dying_cpu() runs before or after, never between, and
 * after it there is no sender. It finds a guard that was left, too. A CPU that
 * is offline has no entry in hyperupcall_cpus.
 */
#include "hyperupcall.bpf.h"

extern struct llist_head call_single_queue __ksym;

/* Calls whose work is a flush. */
extern void flush_tlb_func(void *info) __ksym;
extern void do_flush_tlb_all(void *info) __ksym;
extern void do_kernel_range_flush(void *info) __ksym;

/* Calls whose work is a barrier, or to serialize. */
extern void ipi_mb(void *info) __ksym __weak;
extern void ipi_sync_core(void *info) __ksym __weak;
extern void do_sync_core(void *info) __ksym __weak;

/* A call whose work is that it was answered. */
extern void tlb_remove_table_smp_sync(void *info) __ksym __weak;

/* The guard's work: none. */
extern void hyperupcall_nop(void *info) __ksym;

struct target {
	call_single_data_t guard;
	u32 lock;
};

/* By vCPU id. */
struct target __guest targets[HYPERUPCALL_MAX_CPUS] = {
	[0 ... HYPERUPCALL_MAX_CPUS - 1] = { .lock = GUEST_LOCK_FREE },
};

u64 __guest count_consumed;	/* IPIs */
u64 __guest count_completed;	/* calls */
u64 __guest count_running;	/* IPIs whose target ran */
u64 __guest count_foreign;	/* IPIs with another call in the queue */
u64 __guest count_unseen;	/* IPIs with a call outside of the window */
u64 __guest count_irqs_off;	/* IPIs that the target could not take yet */
u64 __guest count_contended;	/* IPIs that met another sender or the target */

/* A longer queue is left to the target. */
#define MAX_CALLS	16

/* Is all of this call's work to be answered, after a flush and a barrier? */
static __always_inline bool is_flush_or_barrier(call_single_data_t __guest *csd)
{
	u32 flags = READ_ONCE(csd->node.u_flags);
	u64 func = (u64)READ_ONCE(csd->func);

	if (flags != (CSD_FLAG_LOCK | CSD_TYPE_SYNC) &&
	    flags != (CSD_FLAG_LOCK | CSD_TYPE_ASYNC))
		return false;

	return func == (u64)flush_tlb_func ||
	       func == (u64)do_flush_tlb_all ||
	       func == (u64)do_kernel_range_flush ||
	       func == (u64)ipi_mb ||
	       func == (u64)ipi_sync_core ||
	       func == (u64)do_sync_core ||
	       func == (u64)tlb_remove_table_smp_sync;
}

enum calls {
	CALLS_FOREIGN,	/* one of them is another call */
	CALLS_UNSEEN,	/* one of them is outside of the window, or there are too many */
	CALLS_KNOWN,	/* all of them are such */
};

/*
 * What are the calls from @node to the end of the queue? Those of
 * smp_call_function_many_cond() are in the target's per-CPU area; a call on a
 * stack, an irq_work, or a task to be woken up may be elsewhere, and so may the
 * calls of a CPU that came back after the first chunk of per-CPU memory was full.
 * The target may be running them meanwhile, and then the answer means nothing; the
 * caller will notice.
 */
static __noinline u64
look_at_calls(u64 node, const struct hyperupcall_cpu *target)
{
	call_single_data_t __guest *csd;
	u64 known = 1;
	int i;

	unrolled for (i = 0; i < MAX_CALLS; i++) {
		csd = guest_llist_next_entry(call_single_data_t, node, target,
					     node.llist);
		if (!csd)
			continue;
		known = forget(known & is_flush_or_barrier(csd));
	}
	if (!known)
		return CALLS_FOREIGN;
	return node ? CALLS_UNSEEN : CALLS_KNOWN;
}

/*
 * Tell the senders of all calls from @node on that they are done. These are
 * the calls that look_at_calls() has seen, which are at most MAX_CALLS.
 */
static __noinline void
complete_calls(u64 node, const struct hyperupcall_cpu *target)
{
	call_single_data_t __guest *csd;
	int i;

	unrolled for (i = 0; i < MAX_CALLS; i++) {
		csd = guest_llist_next_entry(call_single_data_t, node, target,
					     node.llist);
		if (!csd)
			continue;
		/* Pairs with csd_lock_wait(), as csd_unlock() does. */
		smp_store_release(&csd->node.u_flags, 0);
		atomic_add64(&count_completed, 1);
	}
}

#ifndef TLB_BROKEN
static __always_inline bool may_consume(struct hyperupcall_ctx *ctx)
{
	return ctx->interrupt.target_state == HYPERUPCALL_VCPU_PREEMPTED ||
	       ctx->interrupt.target_state == HYPERUPCALL_VCPU_HALTED;
}

static __always_inline bool is_interruptible(u32 vcpu)
{
	struct hyperupcall_regs regs = {};

	return !hyperupcall_vcpu_regs(vcpu, &regs, sizeof(regs)) &&
	       regs.flags & HYPERUPCALL_REGS_INTERRUPTIBLE;
}

/* Is it as if @vcpu had taken the IPI? See "The moment" and "The flush". */
static __always_inline bool act_for(u32 vcpu)
{
	if (!is_interruptible(vcpu)) {
		atomic_add64(&count_irqs_off, 1);
		return false;
	}
	if (hyperupcall_flush_tlb(vcpu) != 1) {
		atomic_add64(&count_running, 1);
		return false;
	}
	return true;
}
#else
/* For tests: consume in every state, flush never. */
static __always_inline bool may_consume(struct hyperupcall_ctx *ctx)
{
	return true;
}

static __always_inline bool act_for(u32 vcpu)
{
	return true;
}
#endif

/*
 * Make the guard a call whose successor is @first. The target will follow what
 * is written here, so make sure that it was: a write to a page that the VMM
 * took away is lost.
 */
static __always_inline bool prepare_guard(call_single_data_t __guest *guard,
					  u64 first)
{
	WRITE_ONCE(guard->func, (smp_call_func_t)hyperupcall_nop);
	WRITE_ONCE(guard->info, NULL);
	WRITE_ONCE(guard->node.llist.next, (struct llist_node *)first);
	WRITE_ONCE(guard->node.u_flags, CSD_FLAG_LOCK | CSD_TYPE_SYNC);

	if ((u64)READ_ONCE(guard->func) == (u64)hyperupcall_nop &&
	    (u64)READ_ONCE(guard->node.llist.next) == first &&
	    READ_ONCE(guard->node.u_flags) == (CSD_FLAG_LOCK | CSD_TYPE_SYNC))
		return true;
	WRITE_ONCE(guard->node.u_flags, 0);
	return false;
}

/* With the lock of @t held, and its guard not in use. */
static __always_inline u64
consume_calls(struct target __guest *t, u32 vcpu,
	      const struct hyperupcall_cpu *target)
{
	struct llist_head __guest *queue;
	u64 guard = guest_gva(&t->guard);
	u64 calls, first;

	queue = guest_per_cpu_ptr(&call_single_queue, target);
	first = (u64)READ_ONCE(queue->first);
	if (!first)
		return HYPERUPCALL_NO_OPINION;

	if (!prepare_guard(&t->guard, first))
		return HYPERUPCALL_NO_OPINION;
	if (cmpxchg64(&queue->first, first, guard) != first) {
		WRITE_ONCE(t->guard.node.u_flags, 0);
		goto contended;
	}

	calls = look_at_calls(first, target);
	if (calls == CALLS_FOREIGN)
		atomic_add64(&count_foreign, 1);
	else if (calls == CALLS_UNSEEN)
		atomic_add64(&count_unseen, 1);
	if (calls != CALLS_KNOWN || !act_for(vcpu)) {
		if (cmpxchg64(&queue->first, guard, first) == guard)
			WRITE_ONCE(t->guard.node.u_flags, 0);
		return HYPERUPCALL_NO_OPINION;
	}

	if (cmpxchg64(&queue->first, guard, 0) != guard)
		goto contended;

	WRITE_ONCE(t->guard.node.u_flags, 0);
	complete_calls(first, target);
	atomic_add64(&count_consumed, 1);
	return HYPERUPCALL_CONSUMED;

contended:
	atomic_add64(&count_contended, 1);
	return HYPERUPCALL_NO_OPINION;
}

SEC("hyperupcall/interrupt")
u64 tlb(struct hyperupcall_ctx *ctx)
{
	struct hyperupcall_cpu target;
	u32 vcpu = ctx->interrupt.target;
	u64 ret = HYPERUPCALL_NO_OPINION;
	struct target __guest *t;

	if (ctx->interrupt.vector != CALL_FUNCTION_VECTOR &&
	    ctx->interrupt.vector != CALL_FUNCTION_SINGLE_VECTOR)
		return HYPERUPCALL_NO_OPINION;
	if (!may_consume(ctx)) {
		atomic_add64(&count_running, 1);
		return HYPERUPCALL_NO_OPINION;
	}
	if (!guest_cpu(vcpu, &target))
		return HYPERUPCALL_NO_OPINION;

	t = &targets[vcpu];
	if (!guest_trylock(&t->lock)) {
		atomic_add64(&count_contended, 1);
		return HYPERUPCALL_NO_OPINION;
	}
	if (!READ_ONCE(t->guard.node.u_flags))
		ret = consume_calls(t, vcpu, &target);
	guest_unlock(&t->lock);
	return ret;
}
