// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stores of programs in the dirty log. The host's page tables do not tell who
 * stored to a page of the window, and the window stays writable once a page was
 * reported. So each report has all pages that programs may store to; what leaves
 * the window is marked when no program reaches it any more.
 *
 * A dirty ring belongs to a vCPU, and has no room for that. While pages of such a
 * VM are logged, programs do not run.
 */
#include "hyperupcall.h"

/* How many pages are looked at, about, before others may have @map_lock. */
#define KVM_HYPERUPCALL_MARK_BATCH	4096

/**
 * kvm_hyperupcall_mark_dirty - mark pages in the dirty log
 * @slot: their memslot
 * @gfn: the first page
 * @nr_pages: how many
 *
 * Does nothing for a memslot that is not logged. Called in any context. Not
 * mark_page_dirty_in_slot(), for a vCPU of another VM may be running here.
 */
void kvm_hyperupcall_mark_dirty(const struct kvm_memory_slot *slot, gfn_t gfn,
				unsigned long nr_pages)
{
	unsigned long i, first = gfn - slot->base_gfn;

	if (!kvm_slot_dirty_track_enabled(slot) || !slot->dirty_bitmap)
		return;

	for (i = first; i < first + nr_pages; i++)
		set_bit_le(i, slot->dirty_bitmap);
}

/**
 * kvm_hyperupcall_extent_mark_dirty - mark pages that left the window
 * @hu: the VM's hyperupcalls
 * @extent: an extent that no report finds any more, and no program reaches
 *
 * May sleep, without kvm->srcu.
 */
void kvm_hyperupcall_extent_mark_dirty(struct kvm_hyperupcall *hu,
				       const struct kvm_hyperupcall_extent *extent)
{
	unsigned long i, nr = kvm_hyperupcall_extent_size(extent);
	struct kvm_memory_slot *slot;

	if (!extent->region->write || !atomic_read(&hu->kvm->nr_memslots_dirty_logging))
		return;

	guard(srcu)(&hu->kvm->srcu);
	for (i = 0; i < nr; i++) {
		slot = gfn_to_memslot(hu->kvm, extent->gfn + i);
		if (slot)
			kvm_hyperupcall_mark_dirty(slot, extent->gfn + i, 1);
	}
}

/*
 * Marks what programs may store to in the part of a memslot from the VMM's address
 * *@hva on, and moves that address along. Extents come in the order of their
 * addresses, and may overlap: no page is marked twice. Return: false at the end of
 * the memslot.
 */
static bool kvm_hyperupcall_mark_some(struct kvm_hyperupcall *hu,
				      struct kvm_memory_slot *slot, unsigned long *hva)
{
	unsigned long last = slot->userspace_addr + (slot->npages << PAGE_SHIFT) - 1;
	unsigned long nr = 0, first = *hva;
	struct interval_tree_node *node;

	guard(spinlock)(&hu->map_lock);

	for (node = interval_tree_iter_first(&hu->extents, *hva, last);
	     node && (nr < KVM_HYPERUPCALL_MARK_BATCH || *hva == first);
	     node = interval_tree_iter_next(node, *hva, last)) {
		struct kvm_hyperupcall_extent *extent = kvm_hyperupcall_extent(node);
		unsigned long start = max(node->start, *hva);
		unsigned long n = (min(node->last, last) - start + 1) >> PAGE_SHIFT;
		gfn_t gfn = extent->gfn + ((start - node->start) >> PAGE_SHIFT);

		nr += n;
		/* Another memslot may have the same memory. */
		if (!extent->region->write || gfn != hva_to_gfn_memslot(start, slot)) {
			*hva = start;
			continue;
		}

		kvm_hyperupcall_mark_dirty(slot, gfn, n);
		*hva = start + (n << PAGE_SHIFT);
	}

	return node;
}

/**
 * kvm_hyperupcall_sync_dirty_log - the VMM reads the dirty log of a memslot
 * @kvm: the VM, with kvm->slots_lock held
 * @slot: a memslot that has a dirty bitmap
 *
 * When no vCPU is in KVM_RUN no program runs, see kvm_hyperupcall_vcpu_stopped():
 * what the VMM copies after this report is complete. May sleep.
 */
void kvm_hyperupcall_sync_dirty_log(struct kvm *kvm, struct kvm_memory_slot *slot)
{
	/* Pairs with the release in vm.c. */
	struct kvm_hyperupcall *hu = smp_load_acquire(&kvm->hyperupcall);
	unsigned long hva = slot->userspace_addr;

	lockdep_assert_held(&kvm->slots_lock);

	/* SMM has other memslots than those that regions come from. */
	if (!hu || slot->as_id)
		return;

	while (kvm_hyperupcall_mark_some(hu, slot, &hva))
		cond_resched();
}

/**
 * kvm_hyperupcall_logs_no_stores - whether a store would be missing in the log
 * @kvm: the VM
 *
 * Called under RCU by a run that is about to begin.
 */
bool kvm_hyperupcall_logs_no_stores(struct kvm *kvm)
{
	return kvm->dirty_ring_size && atomic_read(&kvm->nr_memslots_dirty_logging);
}

/**
 * kvm_hyperupcall_begin_dirty_log - pages of another memslot are logged
 * @kvm: the VM, with kvm->slots_lock held and the memslot counted
 *
 * What programs stored is in memory when the VMM begins to copy it. May sleep.
 */
void kvm_hyperupcall_begin_dirty_log(struct kvm *kvm)
{
	if (kvm->hyperupcall && kvm_hyperupcall_logs_no_stores(kvm))
		synchronize_rcu();
}
