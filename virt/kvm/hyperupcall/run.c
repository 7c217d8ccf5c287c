// SPDX-License-Identifier: GPL-2.0-only
/*
 * The hot path: from an event to the programs that are linked to it, and back
 * with an answer.
 */
#include <linux/nospec.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/clock.h>

#include "hyperupcall.h"
#include "trace.h"

/* How much time an event may have taken when it starts a further program. */
#define KVM_HYPERUPCALL_CHAIN_NS	(NSEC_PER_MSEC)

/**
 * kvm_hyperupcall_clock - the time on this CPU, in nanoseconds
 *
 * It stands still while the task waits for the CPU, which is not the programs'
 * time. Where the TSC is not stable local_clock() moves in ticks, too coarse for
 * a program.
 */
u64 kvm_hyperupcall_clock(void)
{
	return sched_clock() - current->sched_info.run_delay;
}

/**
 * kvm_hyperupcall_elapsed - what has passed of the time on this CPU
 * @start: what kvm_hyperupcall_clock() said, since when the task has not migrated
 *
 * Return: nanoseconds.
 */
u64 kvm_hyperupcall_elapsed(u64 start)
{
	/* The clock that the wait is measured with is another one. */
	return max_t(s64, kvm_hyperupcall_clock() - start, 0);
}

/* As kvm_get_vcpu_by_id(), which may look at all vCPUs: a program may ask often. */
static struct kvm_vcpu *kvm_hyperupcall_vcpu(struct kvm *kvm, u32 id)
{
	struct kvm_vcpu *vcpu;

	if (id >= KVM_MAX_VCPU_IDS)
		return NULL;

	id = array_index_nospec(id, KVM_MAX_VCPU_IDS);
	vcpu = kvm_get_vcpu(kvm, READ_ONCE(kvm->hyperupcall->vcpu_idx[id]));
	return vcpu && vcpu->vcpu_id == id ? vcpu : NULL;
}

static s64 kvm_hyperupcall_vcpu_state(void *vm, u32 id)
{
	struct kvm_vcpu *vcpu = kvm_hyperupcall_vcpu(vm, id);

	/* Not ?: for an enum is unsigned. */
	if (!vcpu)
		return -ENOENT;
	return kvm_arch_hyperupcall_vcpu_state(vcpu);
}

static s64 kvm_hyperupcall_vcpu_regs(void *vm, u32 id, struct hyperupcall_regs *regs)
{
	struct kvm_vcpu *vcpu = kvm_hyperupcall_vcpu(vm, id);

	return vcpu ? kvm_arch_hyperupcall_vcpu_regs(vcpu, regs) : -ENOENT;
}

static s64 kvm_hyperupcall_flush_tlb(void *vm, u32 id)
{
	struct kvm_vcpu *vcpu = kvm_hyperupcall_vcpu(vm, id);

	return vcpu ? kvm_arch_hyperupcall_flush_tlb(vcpu) : -ENOENT;
}

static const struct bpf_hyperupcall_ops kvm_hyperupcall_ops = {
	.vcpu_state	= kvm_hyperupcall_vcpu_state,
	.vcpu_regs	= kvm_hyperupcall_vcpu_regs,
	.flush_tlb	= kvm_hyperupcall_flush_tlb,
};

/*
 * Whether the VM used up its time; a new second starts with all of it. AGING
 * happens for every page now and then, and leaves half of it to the others.
 */
static bool kvm_hyperupcall_over_budget(struct kvm_hyperupcall *hu, enum hyperupcall_event event)
{
	s64 budget = hu->policy.budget_ns >> (event == HYPERUPCALL_EVENT_AGING);
	s64 period = atomic64_read(&hu->period_ns);
	u64 now = local_clock();

	/* Clocks of CPUs differ a little, hence the sign. */
	if ((s64)(now - period) >= NSEC_PER_SEC &&
	    atomic64_cmpxchg(&hu->period_ns, period, now) == period)
		atomic64_set(&hu->used_ns, 0);

	return atomic64_read(&hu->used_ns) >= budget;
}

/**
 * kvm_hyperupcall_budget_left - the time that a VM's links may run for
 * @hu: the VM's hyperupcalls
 *
 * Return: nanoseconds in this second.
 */
u64 kvm_hyperupcall_budget_left(struct kvm_hyperupcall *hu)
{
	s64 budget = hu->policy.budget_ns;

	if (kvm_hyperupcall_over_budget(hu, __HYPERUPCALL_EVENT_MAX))
		return 0;

	return budget - clamp_t(s64, atomic64_read(&hu->used_ns), 0, budget);
}

/**
 * struct kvm_hyperupcall_charge - what a run is charged until its time is known
 * @period_ns: when the second began that it is charged to
 * @ns: the charge
 */
struct kvm_hyperupcall_charge {
	s64 period_ns;
	s64 ns;
};

/*
 * Runs that begin at the same time see each other's charge: a nanosecond for each
 * instruction that a run may take.
 */
static struct kvm_hyperupcall_charge kvm_hyperupcall_charge_begin(struct kvm_hyperupcall *hu,
								  const struct bpf_prog *prog)
{
	struct kvm_hyperupcall_charge charge = {
		.period_ns = atomic64_read(&hu->period_ns),
		.ns = prog->aux->run_insns,
	};

	atomic64_add(charge.ns, &hu->used_ns);
	return charge;
}

static void kvm_hyperupcall_charge_end(struct kvm_hyperupcall *hu,
				       const struct kvm_hyperupcall_charge *charge, u64 ns)
{
	/* The charge went with its second. */
	if (atomic64_read(&hu->period_ns) != charge->period_ns)
		atomic64_add(ns, &hu->used_ns);
	else
		atomic64_add(ns - charge->ns, &hu->used_ns);
}

/* Called under RCU by a run that is about to begin: a writer waits for a grace period. */
static bool kvm_hyperupcall_may_run(struct kvm *kvm)
{
	return kvm_hyperupcall_on() && !kvm_hyperupcall_logs_no_stores(kvm);
}

static void kvm_hyperupcall_throttle(struct kvm *kvm, struct kvm_hyperupcall_link *link)
{
	this_cpu_inc(link->stats->throttled);
	atomic64_inc(&kvm->stat.hyperupcall_throttled);
	trace_kvm_hyperupcall_throttle(kvm, link->id);
}

static void kvm_hyperupcall_account(struct kvm *kvm, struct kvm_hyperupcall_link *link,
				    u32 answer, u32 faults, u64 ns)
{
	atomic64_inc(&kvm->stat.hyperupcall_runs);
	atomic64_add(ns, &kvm->stat.hyperupcall_ns);
	this_cpu_inc(link->stats->runs);
	this_cpu_add(link->stats->run_ns, ns);
	if (answer)
		this_cpu_inc(link->stats->opinions);
	trace_kvm_hyperupcall_run(kvm, link->id, kvm_hyperupcall_events[link->event].name,
				  answer, ns);

	if (!faults)
		return;
	this_cpu_add(link->stats->faults, faults);
	atomic64_add(faults, &kvm->stat.hyperupcall_faults);
	trace_kvm_hyperupcall_fault(kvm, link->id, faults);
}

/*
 * The program leaves traces in the CPU's branch predictors. Mark the CPU first, for
 * tasks that preempt the program, and once more for what it did after that.
 */
static u32 kvm_hyperupcall_run_prog(const struct bpf_prog *prog, const struct hyperupcall_ctx *ctx,
				    struct bpf_hyperupcall_run_ctx *run_ctx)
{
	u32 ret;

	kvm_arch_hyperupcall_mark_cpu(run_ctx->vm);
	ret = bpf_hyperupcall_run(prog, ctx, run_ctx);
	kvm_arch_hyperupcall_mark_cpu(run_ctx->vm);
	return ret;
}

static u32 kvm_hyperupcall_run_link(struct kvm_hyperupcall *hu, struct kvm_hyperupcall_link *link,
				    const struct hyperupcall_ctx *ctx)
{
	const struct kvm_hyperupcall_event *event = &kvm_hyperupcall_events[link->event];
	struct bpf_hyperupcall_run_ctx run_ctx = { .ops = &kvm_hyperupcall_ops, .vm = hu->kvm };
	struct bpf_prog *prog = rcu_dereference(link->prog);
	struct kvm_hyperupcall_charge charge;
	u64 start, ns;
	u32 answer;

	if (kvm_hyperupcall_over_budget(hu, link->event)) {
		kvm_hyperupcall_throttle(hu->kvm, link);
		return HYPERUPCALL_NO_OPINION;
	}

	charge = kvm_hyperupcall_charge_begin(hu, prog);
	start = kvm_hyperupcall_clock();
	answer = kvm_hyperupcall_run_prog(prog, ctx, &run_ctx);
	ns = kvm_hyperupcall_elapsed(start);
	kvm_hyperupcall_charge_end(hu, &charge, ns);
	if (answer > event->nr_answers)
		answer = HYPERUPCALL_NO_OPINION;
	/* The host does not act on zeroes that were read where there is no page. */
	if (event->global && run_ctx.faults)
		answer = HYPERUPCALL_NO_OPINION;

	kvm_hyperupcall_account(hu->kvm, link, answer, run_ctx.faults, ns);
	return answer;
}

/**
 * kvm_hyperupcall_has_link - the second half of kvm_hyperupcall_linked()
 * @kvm: the VM
 * @event: the event
 */
bool kvm_hyperupcall_has_link(struct kvm *kvm, enum hyperupcall_event event)
{
	/* Pairs with the publication of a VM's hyperupcalls: this may be any task. */
	struct kvm_hyperupcall *hu = smp_load_acquire(&kvm->hyperupcall);

	return hu && rcu_access_pointer(hu->chains[event]) && kvm_hyperupcall_on();
}

/**
 * kvm_hyperupcall_run - offer an event to the VM's programs
 * @kvm: a VM for which kvm_hyperupcall_linked() said yes
 * @ctx: the event
 *
 * Runs the links in their order until one has an opinion. Does not sleep; any
 * context that is not an NMI, with interrupts on.
 *
 * Return: one of the event's answers, or HYPERUPCALL_NO_OPINION.
 */
u32 kvm_hyperupcall_run(struct kvm *kvm, const struct hyperupcall_ctx *ctx)
{
	u32 i, answer = HYPERUPCALL_NO_OPINION;
	struct kvm_hyperupcall_chain *chain;
	bool first = true;
	u64 start;

	rcu_read_lock();
	/* Other vCPUs may be in a new kernel before the boot vCPU drops what the old one had. */
	if (!kvm_hyperupcall_may_run(kvm) || kvm_arch_hyperupcall_reset_pending(kvm)) {
		rcu_read_unlock();
		return HYPERUPCALL_NO_OPINION;
	}

	migrate_disable();
	start = kvm_hyperupcall_clock();
	chain = rcu_dereference(kvm->hyperupcall->chains[ctx->event]);
	if (chain)
		bpf_window_enter(kvm->hyperupcall->window);
	for (i = 0; chain && i < chain->nr_links && !answer; i++) {
		struct kvm_hyperupcall_link *link = READ_ONCE(chain->links[i]);

		if (!link)
			continue;
		/* A slow program has the event for itself. */
		if (!first && kvm_hyperupcall_elapsed(start) > KVM_HYPERUPCALL_CHAIN_NS)
			kvm_hyperupcall_throttle(kvm, link);
		else
			answer = kvm_hyperupcall_run_link(kvm->hyperupcall, link, ctx);
		first = false;
	}
	migrate_enable();
	rcu_read_unlock();

	return answer;
}

/**
 * kvm_hyperupcall_test_run - the run of HYPERUPCALL_TEST_RUN
 * @hu: the VM's hyperupcalls
 * @prog: one of its programs
 * @run: in and out
 *
 * Return: zero, -EDQUOT when the VM's time of this second is used up, -EBUSY while a
 * dirty ring misses what programs store, or -EPERM while the administrator lets none
 * run.
 */
int kvm_hyperupcall_test_run(struct kvm_hyperupcall *hu, struct bpf_prog *prog,
			     struct hyperupcall_test_run *run)
{
	struct bpf_hyperupcall_run_ctx run_ctx = { .ops = &kvm_hyperupcall_ops, .vm = hu->kvm };
	struct kvm_hyperupcall_charge charge;
	u64 start;

	if (kvm_hyperupcall_over_budget(hu, __HYPERUPCALL_EVENT_MAX))
		return -EDQUOT;

	rcu_read_lock();
	if (!kvm_hyperupcall_may_run(hu->kvm)) {
		rcu_read_unlock();
		return kvm_hyperupcall_on() ? -EBUSY : -EPERM;
	}

	migrate_disable();
	bpf_window_enter(hu->window);
	charge = kvm_hyperupcall_charge_begin(hu, prog);
	start = kvm_hyperupcall_clock();
	run->retval = kvm_hyperupcall_run_prog(prog, &run->ctx, &run_ctx);
	run->run_ns = kvm_hyperupcall_elapsed(start);
	kvm_hyperupcall_charge_end(hu, &charge, run->run_ns);
	migrate_enable();
	rcu_read_unlock();
	run->faults = run_ctx.faults;
	return 0;
}
