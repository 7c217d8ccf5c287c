// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the VMM takes away from the window: memslots are deleted, holes are
 * punched, pages unmapped.
 *
 * The latter is heard of in MMU notifiers, that may not sleep and do not tell
 * whether the page really goes: reclaim and compaction ask them first and find
 * the pin later. A program that lost a page which the guest still has would
 * leave half of its work undone. So a notifier only calls the page doubtful,
 * and the work behind it decides: if the VMM still has the page at the same
 * address it stays, otherwise it goes, from the window and for good. Meanwhile
 * the pin makes the access harmless for everybody but the guest.
 *
 * What is in a memslot that is deleted or moved leaves the window at once, and so
 * does memory that is broken.
 */
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>

#include "hyperupcall.h"

/*
 * The longest time between two looks at pages that nobody can decide about, but
 * for what the worker rests.
 */
#define KVM_HYPERUPCALL_MAX_DELAY	HZ

enum kvm_hyperupcall_verdict {
	KVM_HYPERUPCALL_KEPT,	/* the VMM has the page where it was */
	KVM_HYPERUPCALL_LOST,	/* it has not */
	KVM_HYPERUPCALL_BUSY,	/* it is too early to say */
};

/*
 * Shared memory is in its file; the page tables only know what was touched of
 * late. Reclaim takes a page out of them before it finds the pin, and so does
 * who punches a hole, before the page leaves the file.
 */
static bool kvm_hyperupcall_page_in_file(struct mm_struct *mm, unsigned long hva,
					 struct page *page)
{
	struct vm_area_struct *vma = vma_lookup(mm, hva);
	struct folio *folio = page_folio(page);

	return vma && vma->vm_flags & VM_SHARED && vma->vm_file && !is_page_hwpoison(page) &&
	       folio_mapping(folio) == vma->vm_file->f_mapping &&
	       folio->index + folio_page_idx(folio, page) == linear_page_index(vma, hva);
}

static bool kvm_hyperupcall_page_in_tables(struct mm_struct *mm, unsigned long hva,
					   struct page *page)
{
	struct page *now;

	if (get_user_pages_remote(mm, hva, 1, FOLL_NOFAULT, &now, NULL) != 1)
		return false;

	put_page(now);
	return now == page;
}

/*
 * Whoever wants to migrate or reclaim the page takes it out of the page tables
 * for a moment, under its lock, before finding that it is pinned.
 */
static enum kvm_hyperupcall_verdict kvm_hyperupcall_page_look(struct mm_struct *mm,
							      unsigned long hva,
							      struct page *page)
{
	enum kvm_hyperupcall_verdict verdict = KVM_HYPERUPCALL_LOST;
	struct folio *folio = page_folio(page);

	mmap_read_lock(mm);
	if (!folio_trylock(folio)) {
		mmap_read_unlock(mm);
		return KVM_HYPERUPCALL_BUSY;
	}
	if (kvm_hyperupcall_page_in_tables(mm, hva, page))
		verdict = KVM_HYPERUPCALL_KEPT;
	else if (kvm_hyperupcall_page_in_file(mm, hva, page))
		verdict = KVM_HYPERUPCALL_BUSY;
	folio_unlock(folio);
	mmap_read_unlock(mm);
	return verdict;
}

/* Return: false if it is too early to say. */
static bool kvm_hyperupcall_page_decide(struct kvm_hyperupcall *hu, struct mm_struct *mm,
					unsigned long hva, struct kvm_hyperupcall_page *page)
{
	unsigned long seq = kvm_hyperupcall_sample_seq(hu);
	enum kvm_hyperupcall_verdict verdict = kvm_hyperupcall_page_look(mm, hva, page->page);

	if (verdict == KVM_HYPERUPCALL_BUSY)
		return false;

	guard(spinlock)(&hu->map_lock);
	if (page->state != KVM_HYPERUPCALL_PAGE_DOUBTFUL)
		return true;
	if (verdict == KVM_HYPERUPCALL_LOST) {
		WRITE_ONCE(page->state, KVM_HYPERUPCALL_PAGE_GONE);
		return true;
	}
	if (kvm_hyperupcall_was_invalidated(hu, seq))
		return false;

	WRITE_ONCE(page->state, KVM_HYPERUPCALL_PAGE_MAPPED);
	return true;
}

/* Takes the pages of an extent that are gone out of the window. */
static bool kvm_hyperupcall_extent_drop(struct kvm_hyperupcall *hu,
					struct kvm_hyperupcall_extent *extent)
{
	unsigned long i, nr = kvm_hyperupcall_extent_size(extent);
	struct kvm_hyperupcall_region *region = extent->region;
	struct kvm_hyperupcall_page *pages = region->pages + extent->first;
	u64 offset = kvm_hyperupcall_page_offset(region, extent->first);
	bool any = false;

	guard(spinlock)(&hu->map_lock);
	for (i = 0; i < nr; i++) {
		if (pages[i].state != KVM_HYPERUPCALL_PAGE_GONE)
			continue;
		pages[i].state = KVM_HYPERUPCALL_PAGE_NONE;
		bpf_window_clear(hu->window, offset + (i << PAGE_SHIFT), 1);
		any = true;
	}

	return any;
}

/* Unpins the pages of an extent that kvm_hyperupcall_extent_drop() took out. */
static void kvm_hyperupcall_extent_unpin(struct kvm_hyperupcall *hu,
					 struct kvm_hyperupcall_extent *extent)
{
	unsigned long i, end = extent->first + kvm_hyperupcall_extent_size(extent);
	struct kvm_hyperupcall_page *pages = extent->region->pages;
	unsigned long unpinned = 0;

	for (i = extent->first; i < end; i++) {
		if (!pages[i].page || pages[i].state != KVM_HYPERUPCALL_PAGE_NONE)
			continue;
		kvm_hyperupcall_page_unpin(extent->region, i);
		unpinned++;
	}
	kvm_hyperupcall_unaccount(hu, unpinned);
}

static void kvm_hyperupcall_unpin_dropped(struct kvm_hyperupcall *hu, struct list_head *dropped)
{
	struct kvm_hyperupcall_extent *extent, *tmp;

	list_for_each_entry_safe(extent, tmp, dropped, dropped) {
		list_del_init(&extent->dropped);
		kvm_hyperupcall_extent_unpin(hu, extent);
		cond_resched();
	}
}

/* Return: false if it has to be looked at again. */
static bool kvm_hyperupcall_extent_decide(struct kvm_hyperupcall *hu, struct mm_struct *mm,
					  struct kvm_hyperupcall_extent *extent,
					  struct list_head *dropped)
{
	unsigned long i, nr = kvm_hyperupcall_extent_size(extent);
	struct kvm_hyperupcall_page *pages = extent->region->pages + extent->first;
	bool done = true;

	for (i = 0; i < nr; i++) {
		if (READ_ONCE(pages[i].state) == KVM_HYPERUPCALL_PAGE_DOUBTFUL)
			done &= kvm_hyperupcall_page_decide(hu, mm,
							    extent->hva.start + (i << PAGE_SHIFT),
							    &pages[i]);
	}

	/* An extent that was taken again meanwhile may come twice. */
	if (kvm_hyperupcall_extent_drop(hu, extent) && list_empty(&extent->dropped))
		list_add_tail(&extent->dropped, dropped);
	return done;
}

/* The one that was not looked at for longest; it stays in the list meanwhile. */
static struct kvm_hyperupcall_extent *kvm_hyperupcall_next_taken(struct kvm_hyperupcall *hu)
{
	struct kvm_hyperupcall_extent *extent;

	guard(spinlock)(&hu->map_lock);
	extent = list_first_entry_or_null(&hu->taken, struct kvm_hyperupcall_extent, taken);
	if (!extent)
		return NULL;

	extent->again = false;
	/* To kvm_hyperupcall_ask() the list must not look empty for a moment. */
	if (!list_is_last(&extent->taken, &hu->taken))
		list_move_tail(&extent->taken, &hu->taken);
	return extent;
}

/**
 * kvm_hyperupcall_decide - let go of what the VMM has taken away
 * @hu: the VM's hyperupcalls, locked
 * @mm: the VMM's, with a reference
 * @waited_ns: for how long it waited for programs, in nanoseconds
 *
 * May sleep. However many pages go, it waits for programs once.
 *
 * Return: false if there are pages that are in doubt after all.
 */
bool kvm_hyperupcall_decide(struct kvm_hyperupcall *hu, struct mm_struct *mm, u64 *waited_ns)
{
	struct kvm_hyperupcall_extent *extent;
	LIST_HEAD(dropped);
	size_t todo;
	u64 start;

	lockdep_assert_held(&hu->lock);

	scoped_guard(spinlock, &hu->map_lock)
		todo = list_count_nodes(&hu->taken);

	/* Extents go under hu->lock only. */
	while (todo-- && (extent = kvm_hyperupcall_next_taken(hu))) {
		bool done = kvm_hyperupcall_extent_decide(hu, mm, extent, &dropped);

		scoped_guard(spinlock, &hu->map_lock) {
			if (done && !extent->again)
				list_del_init(&extent->taken);
		}
		cond_resched();
	}

	start = ktime_get_ns();
	if (!list_empty(&dropped))
		kvm_hyperupcall_wait_for_programs(hu);
	*waited_ns = ktime_get_ns() - start;
	kvm_hyperupcall_unpin_dropped(hu, &dropped);

	guard(spinlock)(&hu->map_lock);
	return list_empty(&hu->taken);
}

/* For notifiers, a no-op while the work is on its way. */
static void kvm_hyperupcall_look_again(struct kvm_hyperupcall *hu)
{
	queue_delayed_work(system_unbound_wq, &hu->revalidate, READ_ONCE(hu->revalidate_delay));
}

/*
 * The worker's time is the host's: it rests ten times as long as it worked. What
 * it could not decide is looked at less and less often.
 */
static void kvm_hyperupcall_rest(struct kvm_hyperupcall *hu, u64 worked_ns, bool done)
{
	unsigned long delay = done ? 1 : 2 * READ_ONCE(hu->revalidate_delay);

	delay = clamp(delay, 1UL, (unsigned long)KVM_HYPERUPCALL_MAX_DELAY);
	delay = max(delay, nsecs_to_jiffies(10 * worked_ns) + 1);
	WRITE_ONCE(hu->revalidate_delay, delay);
	/* Notifiers did not know yet. */
	if (!done || delayed_work_pending(&hu->revalidate))
		mod_delayed_work(system_unbound_wq, &hu->revalidate, delay);
}

/* The work behind the notifiers. */
void kvm_hyperupcall_revalidate(struct work_struct *work)
{
	struct kvm_hyperupcall *hu = container_of(to_delayed_work(work), struct kvm_hyperupcall,
						  revalidate);
	struct mm_struct *mm = hu->kvm->mm;
	u64 start = ktime_get_ns(), waited_ns;

	/* When the mm goes, kvm_mmu_notifier_release() drops all regions. */
	if (!mmget_not_zero(mm))
		return;

	/* A hypercall may hold the lock for long, and others want the worker. */
	if (!mutex_trylock(&hu->lock)) {
		kvm_hyperupcall_rest(hu, 0, false);
	} else {
		bool done = kvm_hyperupcall_decide(hu, mm, &waited_ns);

		kvm_hyperupcall_rest(hu, ktime_get_ns() - start - waited_ns, done);
		mutex_unlock(&hu->lock);
	}
	mmput_async(mm);
}

/* Takes @nr pages of an extent, from its page @i on. */
static bool kvm_hyperupcall_extent_take(struct kvm_hyperupcall *hu,
					struct kvm_hyperupcall_extent *extent,
					unsigned long i, unsigned long nr,
					enum kvm_hyperupcall_page_state state)
{
	struct kvm_hyperupcall_page *page = &extent->region->pages[extent->first + i];
	struct kvm_hyperupcall_page *end = page + nr;
	bool any = false;

	for (; page < end; page++) {
		if (page->state == KVM_HYPERUPCALL_PAGE_NONE || page->state > state)
			continue;
		WRITE_ONCE(page->state, state);
		any = true;
	}
	if (!any)
		return false;

	extent->again = true;
	if (list_empty(&extent->taken))
		list_add_tail(&extent->taken, &hu->taken);
	/* Pairs with kvm_hyperupcall_ask(). */
	smp_wmb();
	WRITE_ONCE(hu->taken_seq, hu->taken_seq + 1);
	return true;
}

/* The same for good, also of pages whose removal is on its way. */
static bool kvm_hyperupcall_extent_remove(struct kvm_hyperupcall *hu,
					  struct kvm_hyperupcall_extent *extent,
					  unsigned long i, unsigned long nr)
{
	if (!kvm_hyperupcall_extent_take(hu, extent, i, nr, KVM_HYPERUPCALL_PAGE_GONE))
		return false;

	bpf_window_clear(hu->window, kvm_hyperupcall_page_offset(extent->region, extent->first + i),
			 nr);
	return true;
}

/*
 * Takes @nr pages of an extent until the worker has decided, and those for good whose
 * memory is broken: memory_failure() says so before it unmaps them.
 */
static bool kvm_hyperupcall_extent_doubt(struct kvm_hyperupcall *hu,
					 struct kvm_hyperupcall_extent *extent,
					 unsigned long i, unsigned long nr)
{
	const struct kvm_hyperupcall_page *pages = extent->region->pages + extent->first;
	bool any = kvm_hyperupcall_extent_take(hu, extent, i, nr, KVM_HYPERUPCALL_PAGE_DOUBTFUL);
	unsigned long end = i + nr;

	for (; i < end; i++) {
		if (pages[i].state != KVM_HYPERUPCALL_PAGE_NONE && is_page_hwpoison(pages[i].page))
			any |= kvm_hyperupcall_extent_remove(hu, extent, i, 1);
	}
	return any;
}

/* How often a loop over extents starts anew before it keeps @map_lock. */
#define KVM_HYPERUPCALL_MAX_RESTARTS	2

/*
 * The next extent of a range, for a loop that may meet every extent of the VM: in
 * between others get @map_lock. If the tree has changed meanwhile @node may be
 * gone, and the loop starts anew: what is taken may be taken twice.
 */
static struct interval_tree_node *
kvm_hyperupcall_next_extent(struct kvm_hyperupcall *hu, struct interval_tree_node *node,
			    unsigned long start, unsigned long last, int *restarts)
{
	unsigned long seq = hu->extents_seq;

	lockdep_assert_held(&hu->map_lock);

	if (*restarts < KVM_HYPERUPCALL_MAX_RESTARTS &&
	    (need_resched() || spin_is_contended(&hu->map_lock))) {
		spin_unlock(&hu->map_lock);
		cpu_relax();
		spin_lock(&hu->map_lock);
	}

	if (hu->extents_seq == seq)
		return interval_tree_iter_next(node, start, last);

	++*restarts;
	return interval_tree_iter_first(&hu->extents, start, last);
}

/**
 * kvm_hyperupcall_invalidate_start - the VMM's mappings of a range change
 * @kvm: the VM
 * @range: the range, in the VMM's addresses
 *
 * Called in the MMU notifier after mn_active_invalidate_count went up. May not
 * sleep.
 */
void kvm_hyperupcall_invalidate_start(struct kvm *kvm, const struct mmu_notifier_range *range)
{
	/* Pairs with the release in vm.c. */
	struct kvm_hyperupcall *hu = smp_load_acquire(&kvm->hyperupcall);
	unsigned long last_hva = range->end - 1;
	struct interval_tree_node *node;
	bool any = false;
	int restarts = 0;

	if (!hu)
		return;

	switch (range->event) {
	case MMU_NOTIFY_PROTECTION_VMA:
	case MMU_NOTIFY_PROTECTION_PAGE:
	case MMU_NOTIFY_SOFT_DIRTY:
		/* The page stays, and a pin is stronger than a protection. */
		return;
	default:
		break;
	}

	scoped_guard(spinlock, &hu->map_lock) {
		hu->invalidate_seq++;
		for (node = interval_tree_iter_first(&hu->extents, range->start, last_hva);
		     node;
		     node = kvm_hyperupcall_next_extent(hu, node, range->start, last_hva,
							&restarts)) {
			struct kvm_hyperupcall_extent *extent = kvm_hyperupcall_extent(node);
			unsigned long start = max(node->start, range->start);
			unsigned long last = min(node->last, last_hva);
			unsigned long i = (start - node->start) >> PAGE_SHIFT;
			unsigned long nr = ((last - start) >> PAGE_SHIFT) + 1;

			any |= kvm_hyperupcall_extent_doubt(hu, extent, i, nr);
		}
	}

	if (any)
		kvm_hyperupcall_look_again(hu);
}

/**
 * kvm_hyperupcall_invalidate_memslot - a memslot is deleted or moved
 * @kvm: the VM
 * @slot: the memslot, which no lookup finds any more
 *
 * When it returns, programs do not reach the memslot's pages, and what they stored is
 * in its dirty log. May sleep; kvm->slots_lock is held.
 */
void kvm_hyperupcall_invalidate_memslot(struct kvm *kvm, struct kvm_memory_slot *slot)
{
	/* Pairs with the release in vm.c. */
	struct kvm_hyperupcall *hu = smp_load_acquire(&kvm->hyperupcall);
	unsigned long hva = slot->userspace_addr;
	unsigned long last = hva + (slot->npages << PAGE_SHIFT) - 1;
	struct interval_tree_node *node;
	bool any = false;
	int restarts = 0;

	if (!hu || slot->as_id)
		return;

	scoped_guard(spinlock, &hu->map_lock) {
		hu->invalidate_seq++;
		for (node = interval_tree_iter_first(&hu->extents, hva, last); node;
		     node = kvm_hyperupcall_next_extent(hu, node, hva, last, &restarts)) {
			struct kvm_hyperupcall_extent *extent = kvm_hyperupcall_extent(node);
			gfn_t start = max(extent->gfn, slot->base_gfn);
			gfn_t end = min(extent->gfn + kvm_hyperupcall_extent_size(extent),
					slot->base_gfn + slot->npages);

			/* Another memslot may have the same memory. */
			if (start < end)
				any |= kvm_hyperupcall_extent_remove(hu, extent,
								     start - extent->gfn,
								     end - start);
		}
	}

	if (any) {
		/* Not kvm_hyperupcall_wait_for_programs(): there may be links any time. */
		synchronize_rcu();
		kvm_hyperupcall_look_again(hu);
	}
	/* A memslot that moves takes its bitmap along, and reports look at other pages. */
	kvm_hyperupcall_sync_dirty_log(kvm, slot);
}
