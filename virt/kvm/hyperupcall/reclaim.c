// SPDX-License-Identifier: GPL-2.0-only
/*
 * The RECLAIM and AGING events: what the guest knows of a page that the host
 * wants back. mm/ asks for addresses of the VMM, by MMU notifiers; guests know
 * guest frame numbers.
 */
#include <linux/jiffies.h>
#include <linux/math64.h>
#include <linux/mmu_notifier.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/sched.h>
#include <linux/wait_bit.h>

#include "hyperupcall.h"

/*
 * In how many places a guest may have a page that is asked about, once for each
 * of them: the caller may hold a spinlock. RAM is in one, or in few.
 */
#define KVM_HYPERUPCALL_MAX_ALIASES	2

/* Part of a range of the VMM's addresses, and where a guest has it. */
struct kvm_hyperupcall_pages {
	struct kvm_memory_slot *slot;
	gfn_t gfn;
	unsigned long nr_pages;
};

static struct kvm_hyperupcall_pages kvm_hyperupcall_pages(struct kvm_memory_slot *slot,
							  unsigned long start, unsigned long end)
{
	unsigned long slot_end = slot->userspace_addr + (slot->npages << PAGE_SHIFT);

	start = max(start & PAGE_MASK, slot->userspace_addr);
	end = min(PAGE_ALIGN(end), slot_end);
	return (struct kvm_hyperupcall_pages) {
		.slot = slot,
		.gfn = hva_to_gfn_memslot(start, slot),
		.nr_pages = (end - start) >> PAGE_SHIFT,
	};
}

/*
 * Reclaim looks at pages of all VMs, and holds locks for that, so the time that
 * RECLAIM and AGING take of a CPU is limited for all VMs together; a VM may have
 * half of it, so that a slow program does not take the others' queries. Of tasks
 * that take turns on a CPU the last one to write counts.
 */
static DEFINE_PER_CPU(struct kvm_hyperupcall_spent, kvm_hyperupcall_spent);

static unsigned int __read_mostly kvm_hyperupcall_reclaim_percent = 10;

static int kvm_hyperupcall_set_reclaim_percent(const char *val, const struct kernel_param *kp)
{
	return param_set_uint_minmax(val, kp, 1, 100);
}

static const struct kernel_param_ops kvm_hyperupcall_reclaim_percent_ops = {
	.set = kvm_hyperupcall_set_reclaim_percent,
	.get = param_get_uint,
};

module_param_cb(hyperupcall_reclaim_percent, &kvm_hyperupcall_reclaim_percent_ops,
		&kvm_hyperupcall_reclaim_percent, 0644);
MODULE_PARM_DESC(hyperupcall_reclaim_percent,
		 "How much of a CPU's time reclaim may spend on asking guests (default 10)");

/* Nanoseconds of a second that all VMs may have. */
static u64 kvm_hyperupcall_cpu_share(void)
{
	return READ_ONCE(kvm_hyperupcall_reclaim_percent) * (NSEC_PER_SEC / 100);
}

/* The same for one VM. */
static u64 kvm_hyperupcall_vm_share(void)
{
	return kvm_hyperupcall_cpu_share() / 2;
}

/*
 * A dropped page is one that the host need not write out: queries for it are free
 * up to 16 us, an estimate of what swapping a page out takes of a CPU.
 */
#define KVM_HYPERUPCALL_DISCARD_NS	(16 * NSEC_PER_USEC)

/* Reclaim comes in bursts, hence a second's share. */
static bool kvm_hyperupcall_may_spend(struct kvm_hyperupcall_spent *spent, u64 share)
{
	u64 passed = jiffies_to_nsecs(jiffies - spent->last);

	spent->last = jiffies;
	spent->ns -= min(spent->ns, mul_u64_u64_div_u64(passed, share, NSEC_PER_SEC));
	return spent->ns <= share;
}

static bool kvm_hyperupcall_may_ask(struct kvm_hyperupcall *hu)
{
	struct kvm_hyperupcall_spent *all = this_cpu_ptr(&kvm_hyperupcall_spent);
	struct kvm_hyperupcall_spent *own = this_cpu_ptr(hu->spent);
	bool may = kvm_hyperupcall_may_spend(all, kvm_hyperupcall_cpu_share());

	return kvm_hyperupcall_may_spend(own, kvm_hyperupcall_vm_share()) && may;
}

static void kvm_hyperupcall_spend_one(struct kvm_hyperupcall_spent *spent, u64 ns, u64 credit)
{
	spent->ns += ns;
	spent->ns -= min(spent->ns, credit);
}

/* What a VM takes beyond its share it has to wait for, and others do not. */
static void kvm_hyperupcall_spend(struct kvm_hyperupcall *hu, u64 ns, u64 credit)
{
	struct kvm_hyperupcall_spent *own = this_cpu_ptr(hu->spent);
	u64 left = kvm_hyperupcall_vm_share();

	left -= min(left, own->ns);
	kvm_hyperupcall_spend_one(this_cpu_ptr(&kvm_hyperupcall_spent), min(ns, left), credit);
	kvm_hyperupcall_spend_one(own, ns, credit);
}

static u32 kvm_hyperupcall_ask(struct kvm *kvm, enum hyperupcall_event event,
			       const struct kvm_hyperupcall_pages *pages)
{
	struct kvm_hyperupcall *hu = kvm->hyperupcall;
	struct hyperupcall_ctx ctx;
	unsigned long seq;
	u32 answer;

	/* What the program reads has to be what the guest has, until it is over. */
	seq = READ_ONCE(hu->taken_seq);
	/* Pairs with kvm_hyperupcall_extent_take(). */
	smp_rmb();
	if (!list_empty(&hu->taken))
		return HYPERUPCALL_NO_OPINION;

	/* All of it, for the guest sees all of it. */
	memset(&ctx, 0, sizeof(ctx));
	ctx.event = event;
	ctx.vcpu = ~0u;
	ctx.page.gfn = pages->gfn;
	ctx.page.nr_pages = pages->nr_pages;
	answer = kvm_hyperupcall_run(kvm, &ctx);

	/* As above. */
	smp_rmb();
	return READ_ONCE(hu->taken_seq) == seq ? answer : HYPERUPCALL_NO_OPINION;
}

/*
 * A VMM that has stopped all vCPUs may be filling memory for what it will start
 * next: after a reset, or from a snapshot. The guest that gave the program knows
 * nothing of that. What the VMM writes once it has stopped them is either seen
 * here to be later than that, or it finds the page unmapped and waits.
 */
static bool kvm_hyperupcall_guest_runs(struct kvm *kvm)
{
	return atomic_read(&kvm->hyperupcall->nr_running);
}

/**
 * kvm_hyperupcall_begin_vcpu_run - a vCPU is in KVM_RUN and will enter the guest
 * @vcpu: the vCPU
 */
void kvm_hyperupcall_begin_vcpu_run(struct kvm_vcpu *vcpu)
{
	struct kvm_hyperupcall *hu = vcpu->kvm->hyperupcall;

	if (hu && vcpu->wants_to_run)
		atomic_inc(&hu->nr_running);
}

/**
 * kvm_hyperupcall_end_vcpu_run - a vCPU goes back to the VMM
 * @vcpu: the vCPU, of which kvm_hyperupcall_begin_vcpu_run() was told
 */
void kvm_hyperupcall_end_vcpu_run(struct kvm_vcpu *vcpu)
{
	struct kvm_hyperupcall *hu = vcpu->kvm->hyperupcall;

	if (hu && vcpu->wants_to_run)
		atomic_dec(&hu->nr_running);
}

static void kvm_hyperupcall_end_query(struct kvm *kvm)
{
	/* A full barrier: what the program stored comes first. */
	if (atomic_dec_and_test(&kvm->hyperupcall->nr_queries))
		wake_up_var(&kvm->hyperupcall->nr_queries);
}

static bool kvm_hyperupcall_may_query(struct kvm *kvm)
{
	return kvm_hyperupcall_guest_runs(kvm) && !kvm_arch_hyperupcall_reset_pending(kvm);
}

/*
 * Queries come in any thread. Either a query sees here that all vCPUs have stopped,
 * or kvm_hyperupcall_vcpu_stopped() sees the query. Later queries are not counted, so
 * that the wait there is for those that run. Return: false if no program may be asked;
 * there is nothing to end then.
 */
static bool kvm_hyperupcall_begin_query(struct kvm *kvm)
{
	if (!kvm_hyperupcall_may_query(kvm))
		return false;

	atomic_inc(&kvm->hyperupcall->nr_queries);
	/* Pairs with the barrier in kvm_hyperupcall_vcpu_stopped(). */
	smp_mb__after_atomic();
	if (kvm_hyperupcall_may_query(kvm))
		return true;

	kvm_hyperupcall_end_query(kvm);
	return false;
}

/**
 * kvm_hyperupcall_vcpu_stopped - a vCPU leaves KVM_RUN
 * @kvm: the VM
 *
 * When the last vCPU has left, no program runs, and what programs stored is in
 * memory: a VMM that has stopped its vCPUs expects that memory stands still. A
 * query takes less than a tenth of a second, and none begins meanwhile.
 */
void kvm_hyperupcall_vcpu_stopped(struct kvm *kvm)
{
	/* Pairs with the release in vm.c. */
	struct kvm_hyperupcall *hu = smp_load_acquire(&kvm->hyperupcall);

	if (!hu)
		return;

	/* Pairs with the barrier in kvm_hyperupcall_begin_query(). */
	smp_mb();
	/* Another vCPU that enters KVM_RUN does not wake this one. */
	while (atomic_read(&hu->nr_queries) && !kvm_hyperupcall_guest_runs(kvm))
		wait_var_event_timeout(&hu->nr_queries, !atomic_read(&hu->nr_queries), 1);
}

/* Whether the guest may write to the memory, and the VMM would see that it did. */
static bool kvm_hyperupcall_may_discard(struct kvm *kvm, struct kvm_memory_slot *slot)
{
	/* KVM's own, which guests know nothing of. */
	if (slot->id >= KVM_USER_MEM_SLOTS)
		return false;
	if (slot->flags & (KVM_MEMSLOT_INVALID | KVM_MEM_READONLY | KVM_MEM_GUEST_MEMFD))
		return false;

	/* Entries of a dirty ring are vCPUs', and none of them wrote. */
	return !kvm_slot_dirty_track_enabled(slot) ||
	       (slot->dirty_bitmap && !kvm->dirty_ring_size);
}

static enum mmu_notifier_opinion
kvm_hyperupcall_test_pages(struct kvm *kvm, const struct kvm_hyperupcall_pages *pages, bool final)
{
	if (!kvm_hyperupcall_may_discard(kvm, pages->slot))
		return MMU_NOTIFIER_REFUSE_ALL;

	switch (kvm_hyperupcall_ask(kvm, HYPERUPCALL_EVENT_RECLAIM, pages)) {
	case HYPERUPCALL_DISCARD:
		break;
	case HYPERUPCALL_KEEP:
		return MMU_NOTIFIER_KEEP;
	default:
		return MMU_NOTIFIER_REFUSE;
	}

	/*
	 * Before the VMM can map the page again: that needs a lock which reclaim
	 * holds here. If it keeps the page after all, one page too many is dirty.
	 */
	if (final)
		kvm_hyperupcall_mark_dirty(pages->slot, pages->gfn, pages->nr_pages);
	return MMU_NOTIFIER_DISCARD;
}

/* Whether SMM has what it has where the guest's kernel knows it, too. */
static bool kvm_hyperupcall_same_everywhere(struct kvm *kvm,
					    const struct kvm_hyperupcall_pages *pages)
{
	struct kvm_memory_slot *slot = __gfn_to_memslot(__kvm_memslots(kvm, 0), pages->gfn);

	return slot && gfn_to_hva_memslot(slot, pages->gfn) ==
		       gfn_to_hva_memslot(pages->slot, pages->gfn);
}

static enum mmu_notifier_opinion
kvm_hyperupcall_test_memslots(struct kvm *kvm, int as_id, unsigned long start, unsigned long end,
			      bool final)
{
	enum mmu_notifier_opinion opinion = MMU_NOTIFIER_NO_OPINION;
	struct kvm_memslots *slots = __kvm_memslots(kvm, as_id);
	struct kvm_hyperupcall_pages pages;
	struct interval_tree_node *node;
	int n = 0;

	kvm_for_each_memslot_in_hva_range(node, slots, start, end - 1) {
		pages = kvm_hyperupcall_pages(container_of(node, struct kvm_memory_slot,
							   hva_node[slots->node_idx]),
					      start, end);
		/* Nobody can speak for the rest. */
		if (pages.nr_pages != (end - start) >> PAGE_SHIFT ||
		    ++n > KVM_HYPERUPCALL_MAX_ALIASES)
			return MMU_NOTIFIER_REFUSE;

		if (!as_id)
			opinion = max(opinion, kvm_hyperupcall_test_pages(kvm, &pages, final));
		else if (!kvm_hyperupcall_same_everywhere(kvm, &pages))
			opinion = MMU_NOTIFIER_REFUSE_ALL;
		if (opinion >= MMU_NOTIFIER_REFUSE)
			break;
	}

	return opinion;
}

static enum mmu_notifier_opinion kvm_hyperupcall_test_all(struct kvm *kvm, unsigned long start,
							  unsigned long end, bool final)
{
	enum mmu_notifier_opinion opinion = MMU_NOTIFIER_NO_OPINION;
	int i;

	guard(srcu)(&kvm->srcu);

	for (i = 0; i < kvm_arch_nr_memslot_as_ids(kvm); i++) {
		opinion = max(opinion, kvm_hyperupcall_test_memslots(kvm, i, start, end, final));
		if (opinion >= MMU_NOTIFIER_REFUSE)
			break;
	}

	return opinion;
}

/* Whoever has the memory and cannot say anything has a veto. */
static enum mmu_notifier_opinion kvm_hyperupcall_veto(struct kvm *kvm, unsigned long start,
						      unsigned long end)
{
	struct kvm_memslots *slots;
	int i;

	guard(srcu)(&kvm->srcu);

	for (i = 0; i < kvm_arch_nr_memslot_as_ids(kvm); i++) {
		slots = __kvm_memslots(kvm, i);
		if (interval_tree_iter_first(&slots->hva_tree, start, end - 1))
			return MMU_NOTIFIER_REFUSE_ALL;
	}

	return MMU_NOTIFIER_NO_OPINION;
}

static enum mmu_notifier_opinion kvm_hyperupcall_query(struct kvm *kvm, unsigned long start,
						       unsigned long end, bool final)
{
	enum mmu_notifier_opinion opinion;

	if (!kvm_hyperupcall_begin_query(kvm))
		return kvm_hyperupcall_veto(kvm, start, end);

	opinion = kvm_hyperupcall_test_all(kvm, start, end, final);
	kvm_hyperupcall_end_query(kvm);
	return opinion;
}

/**
 * kvm_hyperupcall_test_discard - ask whether the guest wants what is in its pages
 * @kvm: the VM
 * @start: the first of them, an address of the VMM
 * @end: behind the last of them
 * @final: see struct mmu_notifier_ops
 *
 * Memory that the guest has in several places is discarded if it says so for
 * each. Called in any context that may take kvm->srcu, does not sleep.
 */
enum mmu_notifier_opinion kvm_hyperupcall_test_discard(struct kvm *kvm, unsigned long start,
						       unsigned long end, bool final)
{
	enum mmu_notifier_opinion opinion;
	struct kvm_hyperupcall *hu;
	u64 begin, credit = 0;

	if (!kvm_hyperupcall_linked(kvm, HYPERUPCALL_EVENT_RECLAIM))
		return kvm_hyperupcall_veto(kvm, start, end);

	hu = kvm->hyperupcall;
	migrate_disable();
	begin = kvm_hyperupcall_clock();
	/* There is one final question for a hint, and it must not be in vain. */
	if (kvm_hyperupcall_may_ask(hu) || final) {
		opinion = kvm_hyperupcall_query(kvm, start, end, final);
		if (final && opinion == MMU_NOTIFIER_DISCARD)
			credit = (end - start) / PAGE_SIZE * KVM_HYPERUPCALL_DISCARD_NS;
		kvm_hyperupcall_spend(hu, kvm_hyperupcall_elapsed(begin), credit);
	} else {
		/* The memory may be that of another VM of the process. */
		opinion = kvm_hyperupcall_veto(kvm, start, end);
	}
	migrate_enable();

	return opinion;
}

/* The answer that is the same for all places where the guest has the pages. */
static u32 kvm_hyperupcall_ask_age(struct kvm *kvm, unsigned long start, unsigned long end)
{
	struct kvm_memslots *slots = __kvm_memslots(kvm, 0);
	u32 answer, last = HYPERUPCALL_NO_OPINION;
	struct kvm_hyperupcall_pages pages;
	struct interval_tree_node *node;
	int n = 0;

	kvm_for_each_memslot_in_hva_range(node, slots, start, end - 1) {
		if (++n > KVM_HYPERUPCALL_MAX_ALIASES)
			return HYPERUPCALL_NO_OPINION;

		pages = kvm_hyperupcall_pages(container_of(node, struct kvm_memory_slot,
							   hva_node[slots->node_idx]),
					      start, end);
		answer = kvm_hyperupcall_ask(kvm, HYPERUPCALL_EVENT_AGING, &pages);
		if (!answer || (last && answer != last))
			return HYPERUPCALL_NO_OPINION;
		last = answer;
	}

	return last;
}

static u32 kvm_hyperupcall_try_ask_age(struct kvm *kvm, unsigned long start, unsigned long end)
{
	u32 answer = HYPERUPCALL_NO_OPINION;
	u64 begin;

	migrate_disable();
	begin = kvm_hyperupcall_clock();
	if (kvm_hyperupcall_may_ask(kvm->hyperupcall)) {
		if (kvm_hyperupcall_begin_query(kvm)) {
			answer = kvm_hyperupcall_ask_age(kvm, start, end);
			kvm_hyperupcall_end_query(kvm);
		}
		kvm_hyperupcall_spend(kvm->hyperupcall, kvm_hyperupcall_elapsed(begin), 0);
	}
	migrate_enable();

	return answer;
}

/**
 * kvm_hyperupcall_age - let the guest say whether its pages were used lately
 * @kvm: the VM
 * @start: the first of them, an address of the VMM
 * @end: behind the last of them
 * @young: what the accessed bits say
 *
 * An accessed bit is gone once it was seen, and YOUNG is not. So it must not keep
 * a page from reclaim: it counts for those who only look, idle page tracking for
 * one.
 *
 * Context as of kvm_hyperupcall_test_discard().
 *
 * Return: what reclaim is told.
 */
int kvm_hyperupcall_age(struct kvm *kvm, unsigned long start, unsigned long end, int young)
{
	if (!kvm_hyperupcall_linked(kvm, HYPERUPCALL_EVENT_AGING))
		return young;
	guard(srcu)(&kvm->srcu);

	switch (kvm_hyperupcall_try_ask_age(kvm, start, end)) {
	case HYPERUPCALL_YOUNG:
		return young || !(current->flags & PF_MEMALLOC);
	case HYPERUPCALL_OLD:
		return false;
	default:
		return young;
	}
}
