// SPDX-License-Identifier: GPL-2.0-only
/*
 * Regions: guest memory that a VM's programs see in its window.
 *
 * A page of a region is looked up through the guest's page tables once, pinned
 * for the long term and put into the window. From then on it stays what it is,
 * until the guest unmaps the region or the VMM takes the page away.
 */
#include <linux/mm.h>
#include <linux/slab.h>

#include "hyperupcall.h"

/* Offset 0 stays empty, so that following a NULL pointer is a fault. */
#define KVM_HYPERUPCALL_FIRST_PAGE	1
#define KVM_HYPERUPCALL_LAST_PAGE	((SZ_4G >> PAGE_SHIFT) - 1)

/**
 * kvm_hyperupcall_unaccount - give back a charge
 * @hu: the VM's hyperupcalls, locked
 * @nr_pages: for so many pages
 */
void kvm_hyperupcall_unaccount(struct kvm_hyperupcall *hu, unsigned long nr_pages)
{
	hu->nr_pages -= nr_pages;
	account_locked_vm(hu->kvm->mm, nr_pages, false);
}

/* Notifiers do not find the extent any more, and programs not its pages. */
static void kvm_hyperupcall_extent_hide(struct kvm_hyperupcall *hu,
					struct kvm_hyperupcall_extent *extent)
{
	scoped_guard(spinlock, &hu->map_lock) {
		interval_tree_remove(&extent->hva, &hu->extents);
		hu->extents_seq++;
		list_del(&extent->taken);
		hu->nr_extents--;
		bpf_window_clear(hu->window,
				 kvm_hyperupcall_page_offset(extent->region, extent->first),
				 kvm_hyperupcall_extent_size(extent));
	}
	cond_resched();
}

/**
 * kvm_hyperupcall_wait_for_programs - wait for runs that began before this
 * @hu: the VM's hyperupcalls, locked
 *
 * After it no program reaches pages that were cleared from the window before, and
 * none takes other pages at their offsets for them. TEST_RUN holds the lock, so
 * that without a link there is nothing to wait for.
 */
void kvm_hyperupcall_wait_for_programs(struct kvm_hyperupcall *hu)
{
	lockdep_assert_held(&hu->lock);

	if (hu->nr_links)
		synchronize_rcu();
}

/**
 * kvm_hyperupcall_region_free - the end of a region without an id
 * @hu: the VM's hyperupcalls, locked
 * @region: the region; each of its pages carries its charge
 */
void kvm_hyperupcall_region_free(struct kvm_hyperupcall *hu, struct kvm_hyperupcall_region *region)
{
	struct kvm_hyperupcall_extent *extent, *tmp;
	bool was_mapped = !list_empty(&region->extents);
	unsigned long i, nr_pages = 0;

	list_for_each_entry(extent, &region->extents, node)
		kvm_hyperupcall_extent_hide(hu, extent);
	if (was_mapped)
		kvm_hyperupcall_wait_for_programs(hu);
	list_for_each_entry_safe(extent, tmp, &region->extents, node) {
		kvm_hyperupcall_extent_mark_dirty(hu, extent);
		kfree(extent);
	}

	for (i = 0; i < region->nr_pages; i++) {
		if (!region->pages[i].page)
			continue;
		kvm_hyperupcall_page_unpin(region, i);
		nr_pages++;
		cond_resched();
	}

	kvm_hyperupcall_unaccount(hu, nr_pages);
	mtree_erase(&hu->offsets, region->offset >> PAGE_SHIFT);
	kvfree(region);
}

/* Whether so many more pages may be mapped. */
static int kvm_hyperupcall_check_quota(struct kvm_hyperupcall *hu, unsigned long nr_pages)
{
	unsigned long max_pages;

	if (hu->nr_regions >= hu->policy.max_regions || nr_pages > KVM_HYPERUPCALL_LAST_PAGE)
		return -ENOSPC;

	max_pages = kvm_hyperupcall_has_global_link(hu) ? kvm_hyperupcall_max_pages_global(hu) :
							   kvm_hyperupcall_max_pages(hu);
	if (hu->nr_pages >= max_pages || nr_pages > max_pages - hu->nr_pages)
		return -EDQUOT;

	return 0;
}

/* A place in the window, in pages: the region's own, or any if it has none. */
static int kvm_hyperupcall_region_place(struct kvm_hyperupcall *hu,
					struct kvm_hyperupcall_region *region)
{
	unsigned long first = region->offset >> PAGE_SHIFT;
	int r;

	if (first)
		return mtree_insert_range(&hu->offsets, first, first + region->nr_pages - 1,
					  region, GFP_KERNEL_ACCOUNT);

	r = mtree_alloc_range(&hu->offsets, &first, region, region->nr_pages,
			      KVM_HYPERUPCALL_FIRST_PAGE, KVM_HYPERUPCALL_LAST_PAGE,
			      GFP_KERNEL_ACCOUNT);
	region->offset = (u64)first << PAGE_SHIFT;
	return r == -EBUSY ? -ENOSPC : r;
}

/**
 * kvm_hyperupcall_region_alloc - a region without pages and without an id
 * @hu: the VM's hyperupcalls, locked
 * @offset: where in the window, page aligned, or zero for anywhere
 * @nr_pages: its size
 * @nr_charged: how many pages it will have, each of which is charged
 * @write: whether programs may store to it
 *
 * May sleep. Return: the region or an ERR_PTR(): -ENOSPC, -EDQUOT, -ENOMEM, or
 * -EEXIST if @offset is taken.
 */
struct kvm_hyperupcall_region *kvm_hyperupcall_region_alloc(struct kvm_hyperupcall *hu, u64 offset,
							    unsigned long nr_pages,
							    unsigned long nr_charged, bool write)
{
	struct kvm_hyperupcall_region *region;
	int r;

	r = kvm_hyperupcall_check_quota(hu, nr_pages);
	r = r ?: kvm_hyperupcall_get_window(hu);
	if (r)
		return ERR_PTR(r);

	if (account_locked_vm(hu->kvm->mm, nr_charged, true))
		return ERR_PTR(-EDQUOT);
	hu->nr_pages += nr_charged;

	r = -ENOMEM;
	region = kvzalloc(struct_size(region, pages, nr_pages), GFP_KERNEL_ACCOUNT);
	if (!region)
		goto unaccount;

	INIT_LIST_HEAD(&region->extents);
	region->offset = offset;
	region->nr_pages = nr_pages;
	region->write = write;

	r = kvm_hyperupcall_region_place(hu, region);
	if (r)
		goto free;

	r = bpf_window_populate(hu->window, region->offset, nr_pages);
	if (!r)
		return region;

	mtree_erase(&hu->offsets, region->offset >> PAGE_SHIFT);
free:
	kvfree(region);
unaccount:
	kvm_hyperupcall_unaccount(hu, nr_charged);
	return ERR_PTR(r);
}

/**
 * kvm_hyperupcall_region_add - give a region an id
 * @hu: the VM's hyperupcalls, locked
 * @region: the region
 * @id: the id
 *
 * Return: zero, or a negative errno.
 */
int kvm_hyperupcall_region_add(struct kvm_hyperupcall *hu, struct kvm_hyperupcall_region *region,
			       u32 *id)
{
	int r;

	r = xa_alloc_cyclic(&hu->regions, id, region, XA_LIMIT(1, INT_MAX), &hu->next_region,
			    GFP_KERNEL_ACCOUNT);
	if (r < 0)
		return r;

	hu->nr_regions++;
	return 0;
}

static bool kvm_hyperupcall_map_valid(struct kvm_vcpu *vcpu, const struct hyperupcall_map *map)
{
	u64 last = map->gva + map->size - 1;

	return !(map->flags & ~HYPERUPCALL_MAP_WRITE) && map->size &&
	       PAGE_ALIGNED(map->gva) && PAGE_ALIGNED(map->size) && last >= map->gva &&
	       (s64)(map->gva ^ last) >= 0 &&
	       kvm_arch_hyperupcall_gva_valid(vcpu, map->gva) &&
	       kvm_arch_hyperupcall_gva_valid(vcpu, last);
}

static int kvm_hyperupcall_region_fill(struct kvm_hyperupcall *hu, struct kvm_vcpu *vcpu,
				       struct kvm_hyperupcall_region *region, gva_t gva)
{
	unsigned long i;
	gpa_t gpa;
	int r;

	for (i = 0; i < region->nr_pages; i++) {
		r = kvm_arch_hyperupcall_translate(vcpu, gva + (i << PAGE_SHIFT), region->write,
						   &gpa);
		r = r ?: kvm_hyperupcall_page_map(hu, region, i, gpa_to_gfn(gpa));
		if (r) {
			/* What is there takes its part of the charge along. */
			kvm_hyperupcall_unaccount(hu, region->nr_pages - i);
			return r;
		}
		cond_resched();
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
	unsigned long nr_pages = map->size >> PAGE_SHIFT;
	struct kvm_hyperupcall_region *region;
	int r;

	lockdep_assert_held(&hu->lock);

	if (!kvm_hyperupcall_map_valid(vcpu, map))
		return -EINVAL;

	region = kvm_hyperupcall_region_alloc(hu, 0, nr_pages, nr_pages,
					      map->flags & HYPERUPCALL_MAP_WRITE);
	if (IS_ERR(region))
		return PTR_ERR(region);

	r = kvm_hyperupcall_region_fill(hu, vcpu, region, map->gva);
	r = r ?: kvm_hyperupcall_region_add(hu, region, &map->region);
	if (r) {
		kvm_hyperupcall_region_free(hu, region);
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
