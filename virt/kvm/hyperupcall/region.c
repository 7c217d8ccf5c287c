// SPDX-License-Identifier: GPL-2.0-only
/*
 * Regions: guest memory that a VM's programs see in its window.
 *
 * A page of a region is looked up through the guest's page tables once, pinned
 * for the long term and put into the window. From then on it stays what it is,
 * until the guest unmaps the region or the VMM takes the page away.
 *
 * The latter is heard of in MMU notifiers, that may not sleep and do not tell
 * whether the page really goes: reclaim and compaction ask them first and find
 * the pin later. A program that lost a page which the guest still has would
 * leave half of its work undone. So a notifier only calls the page doubtful,
 * and the work behind it decides: if the VMM still has the page at the same
 * address it stays, otherwise it goes, from the window and for good. Meanwhile
 * the pin makes the access harmless for everybody but the guest.
 *
 * A page is put into the window only if nothing was taken away between looking
 * it up and doing so: the looker samples @invalidate_seq, looks, and compares
 * under @map_lock. A notifier raises the number under the same lock before the
 * page tables change, and an invalidation under way is seen in
 * kvm->mn_active_invalidate_count, as gfn_to_pfn_cache does it.
 */
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "hyperupcall.h"

/* Offset 0 stays empty, so that following a NULL pointer is a fault. */
#define KVM_HYPERUPCALL_FIRST_PAGE	1
#define KVM_HYPERUPCALL_LAST_PAGE	((SZ_4G >> PAGE_SHIFT) - 1)

static u64 kvm_hyperupcall_page_offset(const struct kvm_hyperupcall_region *region,
				       const struct kvm_hyperupcall_page *page)
{
	return region->offset + ((u64)(page - region->pages) << PAGE_SHIFT);
}

static bool kvm_hyperupcall_invalidating(struct kvm_hyperupcall *hu)
{
	bool active;

	spin_lock(&hu->kvm->mn_invalidate_lock);
	active = hu->kvm->mn_active_invalidate_count;
	spin_unlock(&hu->kvm->mn_invalidate_lock);
	return active;
}

static unsigned long kvm_hyperupcall_sample_seq(struct kvm_hyperupcall *hu)
{
	guard(spinlock)(&hu->map_lock);
	return hu->invalidate_seq;
}

/* Puts a page into the window, unless something was taken away since @seq. */
static bool kvm_hyperupcall_page_set(struct kvm_hyperupcall *hu,
				     struct kvm_hyperupcall_region *region,
				     struct kvm_hyperupcall_page *page, unsigned long seq)
{
	guard(spinlock)(&hu->map_lock);

	if (hu->invalidate_seq != seq || kvm_hyperupcall_invalidating(hu))
		return false;

	bpf_window_set(hu->window, kvm_hyperupcall_page_offset(region, page),
		       page->page, region->write);
	page->state = KVM_HYPERUPCALL_PAGE_MAPPED;
	region->hva_start = min(region->hva_start, page->hva);
	region->hva_end = max(region->hva_end, page->hva + PAGE_SIZE);
	return true;
}

static int kvm_hyperupcall_page_lookup(struct kvm_hyperupcall *hu, struct kvm_vcpu *vcpu,
				       gva_t gva, bool write, struct kvm_hyperupcall_page *page)
{
	struct kvm_memory_slot *slot;
	bool writable = false;
	gpa_t gpa;
	int r;

	r = kvm_arch_hyperupcall_translate(vcpu, gva, write, &gpa);
	if (r)
		return r;

	page->gfn = gpa_to_gfn(gpa);
	guard(srcu)(&hu->kvm->srcu);
	slot = gfn_to_memslot(hu->kvm, page->gfn);
	if (!slot || kvm_mem_is_private(hu->kvm, page->gfn))
		return -EFAULT;

	page->hva = gfn_to_hva_memslot_prot(slot, page->gfn, &writable);
	return kvm_is_error_hva(page->hva) || !writable ? -EFAULT : 0;
}

/* Also what programs only read is pinned for writing, which ends sharing. */
static int kvm_hyperupcall_page_pin(struct kvm_hyperupcall_page *page)
{
	int r = pin_user_pages_fast(page->hva, 1, FOLL_WRITE | FOLL_LONGTERM, &page->page);

	if (r == 1)
		return 0;
	if (fatal_signal_pending(current))
		return -EAGAIN;
	return r == -ENOMEM ? -ENOMEM : -EFAULT;
}

static void kvm_hyperupcall_page_unpin(struct kvm_hyperupcall_region *region,
				       struct kvm_hyperupcall_page *page)
{
	unpin_user_pages_dirty_lock(&page->page, 1, region->write);
	page->page = NULL;
}

static int kvm_hyperupcall_page_map(struct kvm_hyperupcall *hu, struct kvm_vcpu *vcpu,
				    struct kvm_hyperupcall_region *region, gva_t gva,
				    struct kvm_hyperupcall_page *page)
{
	unsigned long seq;
	int r;

	for (;;) {
		seq = kvm_hyperupcall_sample_seq(hu);

		r = kvm_hyperupcall_page_lookup(hu, vcpu, gva, region->write, page);
		r = r ?: kvm_hyperupcall_page_pin(page);
		if (r)
			return r;

		if (kvm_hyperupcall_page_set(hu, region, page, seq))
			return 0;

		kvm_hyperupcall_page_unpin(region, page);
		if (signal_pending(current))
			return -EAGAIN;
		cond_resched();
	}
}

static void kvm_hyperupcall_unaccount(struct kvm_hyperupcall *hu, unsigned long nr_pages)
{
	hu->nr_pages -= nr_pages;
	account_locked_vm(hu->kvm->mm, nr_pages, false);
}

static void kvm_hyperupcall_region_free(struct kvm_hyperupcall *hu,
					struct kvm_hyperupcall_region *region)
{
	unsigned long i, nr_pages = 0;

	scoped_guard(spinlock, &hu->map_lock) {
		list_del(&region->node);
		bpf_window_clear(hu->window, region->offset, region->nr_pages);
		bpf_window_flush(hu->window, region->offset, region->nr_pages);
	}

	for (i = 0; i < region->nr_pages; i++) {
		if (region->pages[i].state == KVM_HYPERUPCALL_PAGE_NONE)
			continue;
		kvm_hyperupcall_page_unpin(region, &region->pages[i]);
		nr_pages++;
	}

	kvm_hyperupcall_unaccount(hu, nr_pages);
	mtree_erase(&hu->offsets, region->offset >> PAGE_SHIFT);
	kvfree(region);
}

static int kvm_hyperupcall_check_map(struct kvm_hyperupcall *hu, struct kvm_vcpu *vcpu,
				     const struct hyperupcall_map *map)
{
	unsigned long nr_pages = map->size >> PAGE_SHIFT, max_pages;
	u64 last = map->gva + map->size - 1;

	if (map->flags & ~HYPERUPCALL_MAP_WRITE || !map->size ||
	    !PAGE_ALIGNED(map->gva) || !PAGE_ALIGNED(map->size) ||
	    last < map->gva || !kvm_arch_hyperupcall_gva_valid(vcpu, map->gva) ||
	    !kvm_arch_hyperupcall_gva_valid(vcpu, last))
		return -EINVAL;
	if (hu->nr_regions == hu->policy.max_regions || nr_pages > KVM_HYPERUPCALL_LAST_PAGE)
		return -ENOSPC;

	max_pages = kvm_hyperupcall_has_global_link(hu) ? kvm_hyperupcall_max_pages_global(hu) :
							   kvm_hyperupcall_max_pages(hu);
	if (hu->nr_pages >= max_pages || nr_pages > max_pages - hu->nr_pages)
		return -EDQUOT;

	return 0;
}

/* An empty region in the list, charged and with an id and a place. */
static struct kvm_hyperupcall_region *kvm_hyperupcall_region_alloc(struct kvm_hyperupcall *hu,
								   struct hyperupcall_map *map)
{
	unsigned long nr_pages = map->size >> PAGE_SHIFT, first;
	struct kvm_hyperupcall_region *region;
	int r;

	if (account_locked_vm(hu->kvm->mm, nr_pages, true))
		return ERR_PTR(-EDQUOT);
	hu->nr_pages += nr_pages;

	r = -ENOMEM;
	region = kvzalloc(struct_size(region, pages, nr_pages), GFP_KERNEL_ACCOUNT);
	if (!region)
		goto unaccount;

	region->nr_pages = nr_pages;
	region->hva_start = ULONG_MAX;
	region->write = map->flags & HYPERUPCALL_MAP_WRITE;

	r = mtree_alloc_range(&hu->offsets, &first, region, nr_pages, KVM_HYPERUPCALL_FIRST_PAGE,
			      KVM_HYPERUPCALL_LAST_PAGE, GFP_KERNEL_ACCOUNT);
	if (r) {
		r = r == -EBUSY ? -ENOSPC : r;
		goto free;
	}
	region->offset = (u64)first << PAGE_SHIFT;

	r = bpf_window_populate(hu->window, region->offset, nr_pages);
	if (r)
		goto erase;

	r = xa_alloc_cyclic(&hu->regions, &map->region, region, XA_LIMIT(1, INT_MAX),
			    &hu->next_region, GFP_KERNEL_ACCOUNT);
	if (r < 0)
		goto erase;

	scoped_guard(spinlock, &hu->map_lock)
		list_add_tail(&region->node, &hu->region_list);
	hu->nr_regions++;
	return region;

erase:
	mtree_erase(&hu->offsets, first);
free:
	kvfree(region);
unaccount:
	kvm_hyperupcall_unaccount(hu, nr_pages);
	return ERR_PTR(r);
}

static int kvm_hyperupcall_region_fill(struct kvm_hyperupcall *hu, struct kvm_vcpu *vcpu,
				       struct kvm_hyperupcall_region *region, gva_t gva)
{
	unsigned long i;
	int r;

	for (i = 0; i < region->nr_pages; i++) {
		r = kvm_hyperupcall_page_map(hu, vcpu, region, gva + (i << PAGE_SHIFT),
					     &region->pages[i]);
		if (r) {
			/* What is there takes its part of the charge along. */
			kvm_hyperupcall_unaccount(hu, region->nr_pages - i);
			return r;
		}
	}

	return 0;
}

/**
 * kvm_hyperupcall_map - HYPERUPCALL_MAP
 * @hu: the VM's hyperupcalls
 * @vcpu: the calling vCPU, whose page tables name the memory
 * @map: in and out, see there for the errors
 */
int kvm_hyperupcall_map(struct kvm_hyperupcall *hu, struct kvm_vcpu *vcpu,
			struct hyperupcall_map *map)
{
	struct kvm_hyperupcall_region *region;
	int r;

	lockdep_assert_held(&hu->lock);

	r = kvm_hyperupcall_check_map(hu, vcpu, map);
	r = r ?: kvm_hyperupcall_get_window(hu);
	if (r)
		return r;

	region = kvm_hyperupcall_region_alloc(hu, map);
	if (IS_ERR(region))
		return PTR_ERR(region);

	r = kvm_hyperupcall_region_fill(hu, vcpu, region, map->gva);
	if (r) {
		kvm_hyperupcall_unmap(hu, map->region);
		return r;
	}

	map->offset = region->offset;
	return 0;
}

/**
 * kvm_hyperupcall_unmap - HYPERUPCALL_UNMAP
 * @hu: the VM's hyperupcalls
 * @id: the region's id
 */
int kvm_hyperupcall_unmap(struct kvm_hyperupcall *hu, u32 id)
{
	struct kvm_hyperupcall_region *region;

	lockdep_assert_held(&hu->lock);

	region = xa_erase(&hu->regions, id);
	if (!region)
		return -ENOENT;

	hu->nr_regions--;
	kvm_hyperupcall_region_free(hu, region);
	return 0;
}

void kvm_hyperupcall_unmap_all(struct kvm_hyperupcall *hu)
{
	struct kvm_hyperupcall_region *region;
	unsigned long id;

	xa_for_each(&hu->regions, id, region)
		kvm_hyperupcall_unmap(hu, id);
}

/*
 * How often a page is looked for, with a jiffy between. It may be missing
 * because somebody tries to migrate it, who will find the pin soon.
 */
#define KVM_HYPERUPCALL_MAX_LOOKS	5

/* Whether the VMM has this page at this address now, and no other. */
static bool kvm_hyperupcall_page_kept(struct mm_struct *mm, struct kvm_hyperupcall_page *page)
{
	struct page *now;
	long r;

	mmap_read_lock(mm);
	r = get_user_pages_remote(mm, page->hva, 1, FOLL_NOFAULT, &now, NULL);
	mmap_read_unlock(mm);
	if (r != 1)
		return false;

	put_page(now);
	return now == page->page;
}

static void kvm_hyperupcall_page_remove(struct kvm_hyperupcall *hu,
					struct kvm_hyperupcall_region *region,
					struct kvm_hyperupcall_page *page)
{
	u64 offset = kvm_hyperupcall_page_offset(region, page);

	/* From here on no notifier calls it doubtful or gone again. */
	scoped_guard(spinlock, &hu->map_lock) {
		page->state = KVM_HYPERUPCALL_PAGE_NONE;
		bpf_window_clear(hu->window, offset, 1);
		bpf_window_flush(hu->window, offset, 1);
	}

	kvm_hyperupcall_page_unpin(region, page);
	kvm_hyperupcall_unaccount(hu, 1);
}

static bool kvm_hyperupcall_page_keep(struct kvm_hyperupcall *hu,
				      struct kvm_hyperupcall_page *page, unsigned long seq)
{
	guard(spinlock)(&hu->map_lock);

	if (hu->invalidate_seq != seq || kvm_hyperupcall_invalidating(hu))
		return false;

	page->state = KVM_HYPERUPCALL_PAGE_MAPPED;
	page->looks = 0;
	return true;
}

/* Return: false if it is too early to say. */
static bool kvm_hyperupcall_page_decide(struct kvm_hyperupcall *hu, struct mm_struct *mm,
					struct kvm_hyperupcall_region *region,
					struct kvm_hyperupcall_page *page)
{
	unsigned long seq = kvm_hyperupcall_sample_seq(hu);

	if (page->state == KVM_HYPERUPCALL_PAGE_DOUBTFUL) {
		if (kvm_hyperupcall_page_kept(mm, page))
			return kvm_hyperupcall_page_keep(hu, page, seq);
		if (++page->looks < KVM_HYPERUPCALL_MAX_LOOKS)
			return false;
	}

	kvm_hyperupcall_page_remove(hu, region, page);
	return true;
}

/* Decides about all pages that are in doubt; false if it has to be called again. */
static bool kvm_hyperupcall_decide(struct kvm_hyperupcall *hu, struct mm_struct *mm)
{
	struct kvm_hyperupcall_region *region;
	bool done = true;
	unsigned long i;

	/* Regions come and go under hu->lock, the list is read without the other. */
	list_for_each_entry(region, &hu->region_list, node) {
		for (i = 0; i < region->nr_pages; i++) {
			struct kvm_hyperupcall_page *page = &region->pages[i];

			if (READ_ONCE(page->state) >= KVM_HYPERUPCALL_PAGE_DOUBTFUL)
				done &= kvm_hyperupcall_page_decide(hu, mm, region, page);
		}
		cond_resched();
	}

	return done;
}

/* The work behind the notifiers. */
void kvm_hyperupcall_revalidate(struct work_struct *work)
{
	struct kvm_hyperupcall *hu = container_of(to_delayed_work(work), struct kvm_hyperupcall,
						  revalidate);
	struct mm_struct *mm = hu->kvm->mm;

	/* When the mm goes, kvm_mmu_notifier_release() drops all regions. */
	if (!mmget_not_zero(mm))
		return;

	/* A hypercall may hold the lock for long, and others want the worker. */
	if (!mutex_trylock(&hu->lock)) {
		schedule_delayed_work(&hu->revalidate, 1);
	} else {
		if (!kvm_hyperupcall_decide(hu, mm))
			schedule_delayed_work(&hu->revalidate, 1);
		mutex_unlock(&hu->lock);
	}
	mmput_async(mm);
}

/**
 * struct kvm_hyperupcall_taken - what the VMM takes away
 * @start: first address or frame number
 * @end: behind the last one
 * @gfns: whether they are the guest's frame numbers; addresses in the VMM if not
 * @state: what the pages become
 */
struct kvm_hyperupcall_taken {
	u64 start;
	u64 end;
	bool gfns;
	enum kvm_hyperupcall_page_state state;
};

static bool kvm_hyperupcall_page_taken(const struct kvm_hyperupcall_taken *taken,
				       const struct kvm_hyperupcall_page *page)
{
	u64 where = taken->gfns ? page->gfn : page->hva;

	return page->state != KVM_HYPERUPCALL_PAGE_NONE && page->state < taken->state &&
	       where >= taken->start && where < taken->end;
}

/*
 * Return: whether the region has such pages. What is gone leaves the window
 * now, what is doubtful stays.
 */
static bool kvm_hyperupcall_region_take(struct kvm_hyperupcall *hu,
					struct kvm_hyperupcall_region *region,
					const struct kvm_hyperupcall_taken *taken)
{
	bool any = false;
	unsigned long i;

	if (!taken->gfns &&
	    (region->hva_end <= taken->start || region->hva_start >= taken->end))
		return false;

	for (i = 0; i < region->nr_pages; i++) {
		struct kvm_hyperupcall_page *page = &region->pages[i];

		if (!kvm_hyperupcall_page_taken(taken, page))
			continue;

		WRITE_ONCE(page->state, taken->state);
		if (taken->state == KVM_HYPERUPCALL_PAGE_GONE)
			bpf_window_clear(hu->window, kvm_hyperupcall_page_offset(region, page), 1);
		any = true;
	}

	if (any && taken->state == KVM_HYPERUPCALL_PAGE_GONE)
		bpf_window_flush(hu->window, region->offset, region->nr_pages);
	return any;
}

static void kvm_hyperupcall_take(struct kvm_hyperupcall *hu,
				 const struct kvm_hyperupcall_taken *taken)
{
	struct kvm_hyperupcall_region *region;
	bool any = false;

	scoped_guard(spinlock, &hu->map_lock) {
		hu->invalidate_seq++;
		list_for_each_entry(region, &hu->region_list, node)
			any |= kvm_hyperupcall_region_take(hu, region, taken);
	}

	if (any)
		schedule_delayed_work(&hu->revalidate, 0);
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
	if (!kvm->hyperupcall)
		return;

	switch (range->event) {
	case MMU_NOTIFY_PROTECTION_VMA:
	case MMU_NOTIFY_PROTECTION_PAGE:
	case MMU_NOTIFY_SOFT_DIRTY:
		/* The page stays, and a pin is stronger than a protection. */
		return;
	default:
		kvm_hyperupcall_take(kvm->hyperupcall, &(struct kvm_hyperupcall_taken) {
			.start = range->start,
			.end = range->end,
			.state = KVM_HYPERUPCALL_PAGE_DOUBTFUL,
		});
	}
}

/**
 * kvm_hyperupcall_invalidate_memslot - a memslot is deleted or moved
 * @kvm: the VM
 * @slot: the memslot, which no lookup finds any more
 *
 * When it returns, programs do not reach the memslot's pages.
 */
void kvm_hyperupcall_invalidate_memslot(struct kvm *kvm, const struct kvm_memory_slot *slot)
{
	if (!kvm->hyperupcall || slot->as_id)
		return;

	kvm_hyperupcall_take(kvm->hyperupcall, &(struct kvm_hyperupcall_taken) {
		.start = slot->base_gfn,
		.end = slot->base_gfn + slot->npages,
		.gfns = true,
		.state = KVM_HYPERUPCALL_PAGE_GONE,
	});
}
