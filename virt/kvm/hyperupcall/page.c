// SPDX-License-Identifier: GPL-2.0-only
/*
 * A page of a region: found in the VMM, pinned for the long term and put into
 * the window.
 *
 * It is put there only if nothing was taken away between looking it up and
 * doing so: the looker samples @invalidate_seq, looks, and compares under
 * @map_lock. A notifier raises the number under the same lock before the page
 * tables change, and an invalidation under way is seen in
 * kvm->mn_active_invalidate_count, as gfn_to_pfn_cache does it.
 *
 * Pages that follow each other in the region, in the guest and in the VMM are
 * an extent; notifiers find extents by their addresses in the VMM.
 */
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "hyperupcall.h"

/* So that no loop over an extent under @map_lock is long. */
#define KVM_HYPERUPCALL_EXTENT_MAX	512

/* A guest may map one page over and over, and a notifier finds all of them. */
#define KVM_HYPERUPCALL_MAX_EXTENTS	16384

static bool kvm_hyperupcall_invalidating(struct kvm_hyperupcall *hu)
{
	bool active;

	spin_lock(&hu->kvm->mn_invalidate_lock);
	active = hu->kvm->mn_active_invalidate_count;
	spin_unlock(&hu->kvm->mn_invalidate_lock);
	return active;
}

/* The number to compare with in kvm_hyperupcall_was_invalidated(). */
unsigned long kvm_hyperupcall_sample_seq(struct kvm_hyperupcall *hu)
{
	guard(spinlock)(&hu->map_lock);
	return hu->invalidate_seq;
}

/* Whether something was or is being taken away since @seq was sampled. */
bool kvm_hyperupcall_was_invalidated(struct kvm_hyperupcall *hu, unsigned long seq)
{
	lockdep_assert_held(&hu->map_lock);

	return hu->invalidate_seq != seq || kvm_hyperupcall_invalidating(hu);
}

static int kvm_hyperupcall_page_hva(struct kvm_hyperupcall *hu, gfn_t gfn, unsigned long *hva)
{
	struct kvm_memory_slot *slot;
	bool writable = false;

	guard(srcu)(&hu->kvm->srcu);
	slot = gfn_to_memslot(hu->kvm, gfn);
	/* KVM's own memslots are none of the guest's memory. */
	if (!kvm_is_visible_memslot(slot) || kvm_mem_is_private(hu->kvm, gfn))
		return -EFAULT;

	*hva = gfn_to_hva_memslot_prot(slot, gfn, &writable);
	return kvm_is_error_hva(*hva) || !writable ? -EFAULT : 0;
}

/*
 * Also what programs only read is pinned for writing, which ends sharing. The
 * VMM may have to bring the page first, and want its thread for that.
 */
static int kvm_hyperupcall_page_pin(unsigned long hva, struct page **page)
{
	long r = pin_user_pages_unlocked(hva, 1, page,
					 FOLL_WRITE | FOLL_LONGTERM | FOLL_INTERRUPTIBLE);

	if (r == 1)
		return 0;
	if (signal_pending(current))
		return -EAGAIN;
	return r == -ENOMEM ? -ENOMEM : -EFAULT;
}

/**
 * kvm_hyperupcall_page_unpin - give back a page that no program reaches
 * @region: a region
 * @i: which of its pages; it has none after
 */
void kvm_hyperupcall_page_unpin(struct kvm_hyperupcall_region *region, unsigned long i)
{
	unpin_user_pages_dirty_lock(&region->pages[i].page, 1, region->write);
	region->pages[i].page = NULL;
}

/*
 * Whether the last extent of @region may have the page, too: it is as far behind
 * the first one everywhere. Pages between them may be missing, after a restore.
 */
static bool kvm_hyperupcall_page_follows(const struct kvm_hyperupcall_region *region,
					 unsigned long i, gfn_t gfn, unsigned long hva)
{
	const struct kvm_hyperupcall_extent *extent;
	unsigned long n;

	if (list_empty(&region->extents))
		return false;

	extent = list_last_entry(&region->extents, struct kvm_hyperupcall_extent, node);
	n = i - extent->first;
	return n < KVM_HYPERUPCALL_EXTENT_MAX && extent->gfn + n == gfn &&
	       extent->hva.start + (n << PAGE_SHIFT) == hva;
}

/* Makes a page known to notifiers, in the last extent or in @new, which is used up then. */
static void kvm_hyperupcall_extent_add(struct kvm_hyperupcall *hu,
				       struct kvm_hyperupcall_region *region,
				       unsigned long i, gfn_t gfn, unsigned long hva,
				       struct kvm_hyperupcall_extent **new)
{
	struct kvm_hyperupcall_extent *extent;

	lockdep_assert_held(&hu->map_lock);

	if (kvm_hyperupcall_page_follows(region, i, gfn, hva)) {
		extent = list_last_entry(&region->extents, struct kvm_hyperupcall_extent, node);
		interval_tree_remove(&extent->hva, &hu->extents);
	} else {
		extent = *new;
		*new = NULL;
		*extent = (struct kvm_hyperupcall_extent) {
			.region = region,
			.first = i,
			.gfn = gfn,
			.hva.start = hva,
		};
		INIT_LIST_HEAD(&extent->taken);
		INIT_LIST_HEAD(&extent->dropped);
		list_add_tail(&extent->node, &region->extents);
		hu->nr_extents++;
	}

	extent->hva.last = hva + PAGE_SIZE - 1;
	interval_tree_insert(&extent->hva, &hu->extents);
	hu->extents_seq++;
}

/* Puts a page into the window, unless something was taken away since @seq. */
static bool kvm_hyperupcall_page_set(struct kvm_hyperupcall *hu,
				     struct kvm_hyperupcall_region *region,
				     unsigned long i, gfn_t gfn, unsigned long hva,
				     unsigned long seq, struct kvm_hyperupcall_extent **new)
{
	guard(spinlock)(&hu->map_lock);

	if (kvm_hyperupcall_was_invalidated(hu, seq))
		return false;

	bpf_window_set(hu->window, kvm_hyperupcall_page_offset(region, i),
		       region->pages[i].page, region->write);
	region->pages[i].state = KVM_HYPERUPCALL_PAGE_MAPPED;
	kvm_hyperupcall_extent_add(hu, region, i, gfn, hva, new);
	return true;
}

static int kvm_hyperupcall_page_try(struct kvm_hyperupcall *hu,
				    struct kvm_hyperupcall_region *region,
				    unsigned long i, gfn_t gfn, bool *done,
				    struct kvm_hyperupcall_extent **new)
{
	unsigned long seq = kvm_hyperupcall_sample_seq(hu);
	unsigned long hva;
	int r;

	r = kvm_hyperupcall_page_hva(hu, gfn, &hva);
	if (r)
		return r;
	if (hu->nr_extents == KVM_HYPERUPCALL_MAX_EXTENTS &&
	    !kvm_hyperupcall_page_follows(region, i, gfn, hva))
		return -ENOSPC;
	r = kvm_hyperupcall_page_pin(hva, &region->pages[i].page);
	if (r)
		return r;

	*done = kvm_hyperupcall_page_set(hu, region, i, gfn, hva, seq, new);
	if (!*done)
		kvm_hyperupcall_page_unpin(region, i);
	return 0;
}

/**
 * kvm_hyperupcall_page_map - put a page of the guest into a region
 * @hu: the VM's hyperupcalls
 * @region: a region, whose pages before this one were mapped
 * @i: which of its pages
 * @gfn: the guest's page
 *
 * May sleep; hu->lock is held. Return: zero, -EFAULT if it is not memory that
 * can be pinned, -EAGAIN if a signal is pending, -ENOSPC for memory that is too
 * scattered, or -ENOMEM.
 */
int kvm_hyperupcall_page_map(struct kvm_hyperupcall *hu, struct kvm_hyperupcall_region *region,
			     unsigned long i, gfn_t gfn)
{
	struct kvm_hyperupcall_extent *new;
	bool done = false;
	int r;

	lockdep_assert_held(&hu->lock);

	if (signal_pending(current))
		return -EAGAIN;

	new = kmalloc(sizeof(*new), GFP_KERNEL_ACCOUNT);
	if (!new)
		return -ENOMEM;

	for (;;) {
		r = kvm_hyperupcall_page_try(hu, region, i, gfn, &done, &new);
		if (r || done)
			break;

		r = -EAGAIN;
		if (signal_pending(current))
			break;
		cond_resched();
	}

	kfree(new);
	return r;
}
