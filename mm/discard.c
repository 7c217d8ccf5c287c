// SPDX-License-Identifier: GPL-2.0-only
/*
 * Discarding: what reclaim does instead of swapping where whoever maps a page
 * by an MMU notifier says that nobody wants its content, a hypervisor of a page
 * that is free in the guest. The page goes at once, and the next access finds
 * zeroes.
 *
 * The opinion is worth something only while nobody can write to the page, or
 * else a write that came after the question is lost. Hence the order, that of
 * MADV_FREE's pages with one more question:
 *
 * 1. A hint is asked for while the page is mapped. Pages whose content is
 *    wanted, most of them, cost no more than this.
 * 2. mmu_notifier_invalidate_range_start() takes the page away from secondary
 *    MMUs, which do not get it back before mmu_notifier_invalidate_range_end().
 * 3. The page table entry is cleared under the page table lock, and the TLBs of
 *    all CPUs are flushed before anything else happens: not in a batch, since
 *    another thread of the process may be writing through a stale entry.
 * 4. Whoever else holds a reference may be writing, too. After a barrier that
 *    pairs with GUP-fast's (it takes its reference, then looks at the entry
 *    again) there must be none but those of the mapping and the isolation.
 * 5. Now no CPU and no device can write to the page, and all that did is
 *    visible. Only an opinion of this moment counts. If it is the same, the
 *    entry stays empty, else it comes back.
 *
 * A write that the owner of the page means to keep is one that it did after it
 * had taken the page into use, which the opinion looks at. If that was before
 * 5, the opinion is different; if it was later, the write faults, waits for the
 * page table lock or the end of the invalidation, and gets a new page. Whoever
 * writes to a page that its owner thinks is free has to see to it that there is
 * no such opinion before, as KVM does for a VMM that has stopped the guest.
 *
 * Only anonymous pages that one entry maps are asked about: what a forked child
 * or KSM maps as well, or what is in swap for another process, belongs to
 * somebody who was not asked.
 *
 * Shared memory is asked about wherever it is mapped. Those who map it by an
 * MMU notifier all have to agree. Others have no say, a vhost-user backend for
 * one: whoever does have one could as well write zeroes. A user needs no mapping
 * there, for it may have the page from the page cache (memfd_pin_folios()). So
 * nobody gets a reference from the last look at those that there are until the
 * folio has left the page cache.
 */
#include <linux/hugetlb.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/pagemap.h>
#include <linux/pgalloc.h>
#include <linux/rmap.h>
#include <linux/sched/clock.h>
#include <linux/swap.h>
#include <linux/userfaultfd_k.h>

#include <asm/tlbflush.h>

#include "internal.h"

/* Whether a page may vanish from the VMA without anybody noticing. */
static bool vma_may_discard(struct vm_area_struct *vma)
{
	return !(vma->vm_flags & (VM_LOCKED | VM_SPECIAL | VM_DROPPABLE)) &&
	       !userfaultfd_armed(vma) && !vma_soft_dirty_enabled(vma);
}

/* The same, and who knows the page by this VMA may say so: he might write zeroes. */
static bool vma_may_discard_anon(struct vm_area_struct *vma)
{
	/* An empty entry of a private file mapping means the file's page. */
	return vma_is_anonymous(vma) && vma->vm_flags & VM_WRITE &&
	       mm_has_notifiers(vma->vm_mm) && vma_may_discard(vma);
}

/* What comes of a folio that cannot go as a whole. */
static enum folio_discard discard_not_whole(struct folio *folio)
{
	return folio_test_large(folio) ? FOLIO_DISCARD_SPLIT : FOLIO_DISCARD_NONE;
}

/*
 * What comes of a folio that was to go, and about which the last opinion is
 * another one: since the hint somebody took a page of it into use, as a rule.
 */
static enum folio_discard discard_changed(struct folio *folio, enum mmu_notifier_opinion opinion)
{
	switch (opinion) {
	case MMU_NOTIFIER_KEEP:
		return FOLIO_DISCARD_KEEP;
	case MMU_NOTIFIER_REFUSE:
		return discard_not_whole(folio);
	default:
		return FOLIO_DISCARD_NONE;
	}
}

/* Whether nobody has a reference but mappings, caches, and the isolation. */
static bool discard_unused(struct folio *folio)
{
	return folio_ref_count(folio) == folio_expected_ref_count(folio) + 1;
}

/* KEEP only where the process would itself be the one to pay for it. */
static enum mmu_notifier_opinion discard_ask(struct folio *folio, struct mm_struct *mm,
					     unsigned long start, unsigned long end, bool final)
{
	enum mmu_notifier_opinion opinion = mmu_notifier_test_discard(mm, start, end, final);
	struct mem_cgroup *memcg = folio_memcg(folio);

	if (opinion == MMU_NOTIFIER_KEEP && memcg && !mm_match_cgroup(mm, memcg))
		opinion = MMU_NOTIFIER_REFUSE_ALL;
	return opinion;
}

/*
 * Steps 4 and 5: what comes of a folio whose entries were cleared and flushed.
 * Called with the page table lock.
 */
static enum folio_discard discard_final(struct folio *folio, struct mm_struct *mm,
					unsigned long start, unsigned long end)
{
	enum mmu_notifier_opinion opinion;

	/* Pairs with that between GUP-fast's reference and its second look. */
	smp_mb();
	if (!discard_unused(folio))
		return FOLIO_DISCARD_BUSY;
	/* Whoever dropped a reference wrote before that. */
	smp_rmb();

	opinion = discard_ask(folio, mm, start, end, true);
	return opinion == MMU_NOTIFIER_DISCARD ? FOLIO_DISCARD_DONE :
						 discard_changed(folio, opinion);
}

/* Whether these entries map this folio, alike and for nobody else. */
static bool ptes_exclusive(struct folio *folio, pte_t *ptep, int nr)
{
	pte_t expected = pte_mkold(pte_mkclean(ptep_get(ptep)));
	int i;

	if (!pte_present(expected) || pte_pfn(expected) != folio_pfn(folio))
		return false;

	for (i = 0; i < nr; i++) {
		if (!pte_same(pte_mkold(pte_mkclean(ptep_get(ptep + i))), expected) ||
		    !PageAnonExclusive(folio_page(folio, i)))
			return false;
		expected = pte_next_pfn(expected);
	}

	return true;
}

static enum folio_discard discard_ptes(struct folio *folio, struct vm_area_struct *vma,
				       unsigned long start, pte_t *ptep)
{
	unsigned long end = start + folio_size(folio);
	struct mm_struct *mm = vma->vm_mm;
	int nr = folio_nr_pages(folio);
	enum folio_discard r;
	pte_t pte;

	if (((end - 1) ^ start) & PMD_MASK || !ptes_exclusive(folio, ptep, nr))
		return discard_not_whole(folio);

	flush_cache_range(vma, start, end);
	pte = get_and_clear_full_ptes(mm, start, ptep, nr, 0);
	flush_tlb_range(vma, start, end);

	r = discard_final(folio, mm, start, end);
	if (r != FOLIO_DISCARD_DONE) {
		set_ptes(mm, start, ptep, pte, nr);
		return r;
	}

	update_hiwater_rss(mm);
	add_mm_counter(mm, MM_ANONPAGES, -nr);
	folio_remove_rmap_ptes(folio, folio_page(folio, 0), nr, vma);
	folio_put_refs(folio, nr);
	return r;
}

#ifdef CONFIG_TRANSPARENT_HUGEPAGE
static enum folio_discard discard_pmd(struct folio *folio, struct vm_area_struct *vma,
				      unsigned long start, pmd_t *pmdp)
{
	unsigned long end = start + HPAGE_PMD_SIZE;
	struct mm_struct *mm = vma->vm_mm;
	pmd_t pmd = pmdp_get(pmdp);
	enum folio_discard r;
	pgtable_t pgtable;

	if (!pmd_trans_huge(pmd) || !folio_test_pmd_mappable(folio) ||
	    !PageAnonExclusive(folio_page(folio, 0)))
		return discard_not_whole(folio);

	flush_cache_range(vma, start, end);
	/* Not present, but not empty: whoever sees that does not wait for the lock. */
	pmd = pmdp_invalidate(vma, start, pmdp);

	r = discard_final(folio, mm, start, end);
	if (r != FOLIO_DISCARD_DONE) {
		set_pmd_at(mm, start, pmdp, pmd);
		return r;
	}

	pmdp_huge_get_and_clear(mm, start, pmdp);
	update_hiwater_rss(mm);
	add_mm_counter(mm, MM_ANONPAGES, -HPAGE_PMD_NR);
	pgtable = pgtable_trans_huge_withdraw(mm, pmdp);
	pte_free(mm, pgtable);
	mm_dec_nr_ptes(mm);
	folio_remove_rmap_pmd(folio, folio_page(folio, 0), vma);
	folio_put(folio);
	return r;
}
#else
static enum folio_discard discard_pmd(struct folio *folio, struct vm_area_struct *vma,
				      unsigned long start, pmd_t *pmdp)
{
	return FOLIO_DISCARD_NONE;
}
#endif

/* Steps 3 to 5, between the start and the end of an invalidation. */
static enum folio_discard discard_mapped(struct folio *folio, struct vm_area_struct *vma,
					 unsigned long start)
{
	DEFINE_FOLIO_VMA_WALK(pvmw, folio, vma, start, PVMW_SYNC);
	enum folio_discard r = FOLIO_DISCARD_NONE;

	if (!page_vma_mapped_walk(&pvmw))
		return r;

	if (pvmw.address != start)
		r = discard_not_whole(folio);
	else if (pvmw.pte)
		r = discard_ptes(folio, vma, start, pvmw.pte);
	else
		r = discard_pmd(folio, vma, start, pvmw.pmd);
	page_vma_mapped_walk_done(&pvmw);
	return r;
}

/* Steps 2 to 5. */
static enum folio_discard discard_invalidate(struct folio *folio, struct vm_area_struct *vma,
					     unsigned long start, unsigned long end)
{
	enum folio_discard r = FOLIO_DISCARD_NONE;
	struct mmu_notifier_range range;

	/* It would be in vain. */
	if (!discard_unused(folio))
		return FOLIO_DISCARD_BUSY;

	/*
	 * mlock() and userfaultfd do not wait for the rmap's locks, but for
	 * this. It comes before them elsewhere, and whoever has it may be waiting
	 * for memory; but this does not wait.
	 */
	if (!vma_start_read(vma))
		return r;

	if (vma_may_discard_anon(vma)) {
		mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, 0, vma->vm_mm, start, end);
		mmu_notifier_invalidate_range_start(&range);
		r = discard_mapped(folio, vma, start);
		mmu_notifier_invalidate_range_end(&range);
	}

	vma_end_read(vma);
	return r;
}

/*
 * How many pages of a large folio are worth that it is split. Where the others
 * go to swap one is, for it would go as well. Where they stay they are worth more
 * as a large folio.
 */
static unsigned long discard_worth_split(struct folio *folio)
{
	return mem_cgroup_get_nr_swap_pages(folio_memcg(folio)) > 0 ?
	       1 : max(folio_nr_pages(folio) / 8, 1);
}

/* How long it goes on asking which of them may go: there may be many to ask. */
#define DISCARD_SPLIT_NS	(8 * NSEC_PER_MSEC)

/* Whether enough of them may be discarded. */
static bool may_discard_some(struct folio *folio, struct mm_struct *mm,
			     unsigned long start, unsigned long end)
{
	unsigned long wanted = discard_worth_split(folio);
	u64 until = local_clock() + DISCARD_SPLIT_NS;

	for (; wanted && start < end && time_before64(local_clock(), until); start += PAGE_SIZE) {
		switch (mmu_notifier_test_discard(mm, start, start + PAGE_SIZE, false)) {
		case MMU_NOTIFIER_DISCARD:
			wanted--;
			break;
		case MMU_NOTIFIER_REFUSE_ALL:
			return false;
		default:
			break;
		}
		cond_resched();
	}

	return !wanted;
}

/* Step 1, for the part of the folio that the VMA has; "done" is what it may come to. */
static enum folio_discard discard_hint(struct folio *folio, struct mm_struct *mm,
				       unsigned long start, unsigned long end)
{
	/* Nobody can speak for a part that is not mapped. */
	enum mmu_notifier_opinion opinion = MMU_NOTIFIER_REFUSE;

	if (end - start == folio_size(folio))
		opinion = discard_ask(folio, mm, start, end, false);

	switch (opinion) {
	case MMU_NOTIFIER_DISCARD:
		return FOLIO_DISCARD_DONE;
	case MMU_NOTIFIER_KEEP:
		return FOLIO_DISCARD_KEEP;
	case MMU_NOTIFIER_REFUSE:
		if (folio_test_large(folio) && may_discard_some(folio, mm, start, end))
			return FOLIO_DISCARD_SPLIT;
		fallthrough;
	default:
		return FOLIO_DISCARD_NONE;
	}
}

/* Whether the VMA has the folio at @start; sets @end. */
static bool discard_find(struct folio *folio, struct vm_area_struct *vma,
			 unsigned long start, unsigned long *end)
{
	DEFINE_FOLIO_VMA_WALK(pvmw, folio, vma, start, 0);

	*end = vma_address_end(&pvmw);
	if (!page_vma_mapped_walk(&pvmw))
		return false;

	page_vma_mapped_walk_done(&pvmw);
	return true;
}

/* As a struct rmap_walk_control wants it: false ends the walk. */
static bool discard_anon_one(struct folio *folio, struct vm_area_struct *vma,
			     unsigned long start, void *arg)
{
	enum folio_discard *r = arg;
	unsigned long end;

	if (!vma_may_discard_anon(vma) || !discard_find(folio, vma, start, &end))
		return true;

	*r = discard_hint(folio, vma->vm_mm, start, end);
	if (*r != FOLIO_DISCARD_DONE)
		return false;

	*r = discard_invalidate(folio, vma, start, end);

	/* If not now, it goes when somebody wants the swap back. */
	if (*r == FOLIO_DISCARD_DONE && folio_test_swapcache(folio) && !folio_free_swap(folio))
		*r = FOLIO_DISCARD_BUSY;
	return false;
}

static enum folio_discard discard_anon(struct folio *folio)
{
	enum folio_discard r = FOLIO_DISCARD_NONE;
	struct rmap_walk_control rwc = {
		.rmap_one = discard_anon_one,
		.arg = &r,
		.anon_lock = folio_lock_anon_vma_read,
		.try_lock = true,
	};

	if (folio_test_ksm(folio) || !folio_mapped(folio))
		return FOLIO_DISCARD_NONE;
	/* What a child maps as well cannot go, be it split or not. */
	if (folio_likely_mapped_shared(folio) ||
	    (!folio_test_large(folio) && !PageAnonExclusive(folio_page(folio, 0))))
		return FOLIO_DISCARD_NONE;

	rmap_walk(folio, &rwc);
	return r;
}

/*
 * How many places it may have: in the end all have to be locked while each of
 * them agrees. A file that many processes map costs no longer walk than this.
 */
#define MAX_SHARED_VMAS		16

/* One of them, which is locked; the part of the folio that it has. */
struct discard_place {
	struct vm_area_struct *vma;
	unsigned long start;
	unsigned long end;
};

struct discard_shared {
	enum mmu_notifier_opinion opinion;
	struct discard_place places[MAX_SHARED_VMAS];
	int nr;
};

/* See vma_may_discard_anon(). Those who cannot say anything do not matter here. */
static bool vma_may_discard_shared(struct vm_area_struct *vma)
{
	const unsigned long flags = VM_SHARED | VM_WRITE;

	return vma_may_discard(vma) &&
	       (!mm_has_notifiers(vma->vm_mm) || (vma->vm_flags & flags) == flags);
}

static enum mmu_notifier_opinion discard_ask_place(struct folio *folio, struct mm_struct *mm,
						   unsigned long start, unsigned long end,
						   bool final)
{
	enum mmu_notifier_opinion opinion = discard_ask(folio, mm, start, end, final);

	/* Nobody can speak for a part that is not mapped. */
	if (opinion == MMU_NOTIFIER_DISCARD && end - start != folio_size(folio))
		opinion = MMU_NOTIFIER_REFUSE;
	return opinion;
}

/*
 * As a struct rmap_walk_control wants it: false ends the walk. Asks for a VMA
 * whether it maps the folio or not: it may again.
 */
static bool discard_hint_one(struct folio *folio, struct vm_area_struct *vma,
			     unsigned long start, void *arg)
{
	DEFINE_FOLIO_VMA_WALK(pvmw, folio, vma, start, 0);
	unsigned long end = vma_address_end(&pvmw);
	enum mmu_notifier_opinion opinion;
	struct discard_shared *d = arg;

	if (++d->nr > MAX_SHARED_VMAS || !vma_may_discard_shared(vma)) {
		d->opinion = MMU_NOTIFIER_REFUSE_ALL;
		return false;
	}

	opinion = discard_ask_place(folio, vma->vm_mm, start, end, false);
	/* If others refuse as well, they say so when its pages come. */
	if (opinion == MMU_NOTIFIER_REFUSE &&
	    (!folio_test_large(folio) || !may_discard_some(folio, vma->vm_mm, start, end)))
		opinion = MMU_NOTIFIER_REFUSE_ALL;

	d->opinion = max(d->opinion, opinion);
	return d->opinion < MMU_NOTIFIER_REFUSE;
}

static enum folio_discard discard_shared_hint(struct folio *folio)
{
	struct discard_shared d = { };
	struct rmap_walk_control rwc = { .rmap_one = discard_hint_one, .arg = &d };

	rmap_walk_locked(folio, &rwc);

	switch (d.opinion) {
	case MMU_NOTIFIER_DISCARD:
		return FOLIO_DISCARD_DONE;
	case MMU_NOTIFIER_KEEP:
		return FOLIO_DISCARD_KEEP;
	case MMU_NOTIFIER_REFUSE:
		return FOLIO_DISCARD_SPLIT;
	default:
		return FOLIO_DISCARD_NONE;
	}
}

/* As above. Locks the VMA, see discard_invalidate(). */
static bool discard_lock_one(struct folio *folio, struct vm_area_struct *vma,
			     unsigned long start, void *arg)
{
	DEFINE_FOLIO_VMA_WALK(pvmw, folio, vma, start, 0);
	struct discard_shared *d = arg;

	if (d->nr < MAX_SHARED_VMAS && vma_start_read(vma)) {
		d->places[d->nr++] = (struct discard_place) {
			.vma = vma,
			.start = start,
			.end = vma_address_end(&pvmw),
		};
		if (vma_may_discard_shared(vma))
			return true;
	}

	d->opinion = MMU_NOTIFIER_REFUSE_ALL;
	return false;
}

static void discard_unlock_all(struct discard_shared *d)
{
	while (d->nr)
		vma_end_read(d->places[--d->nr].vma);
}

/* How long it goes on asking, for the folio is frozen meanwhile. */
#define DISCARD_FROZEN_NS	NSEC_PER_MSEC

static enum mmu_notifier_opinion discard_ask_all(struct folio *folio, struct discard_shared *d)
{
	enum mmu_notifier_opinion opinion = MMU_NOTIFIER_NO_OPINION;
	u64 until = local_clock() + DISCARD_FROZEN_NS;
	struct discard_place *place;

	for (place = d->places; place < d->places + d->nr; place++) {
		if (place != d->places && time_after64(local_clock(), until))
			return MMU_NOTIFIER_REFUSE_ALL;

		opinion = max(opinion, discard_ask_place(folio, place->vma->vm_mm, place->start,
							 place->end, true));
		if (opinion >= MMU_NOTIFIER_REFUSE)
			break;
	}

	return opinion;
}

/*
 * Steps 4 and 5. Whoever looks the folio up meanwhile spins, hence a spinlock,
 * which is the one that its removal takes anyway.
 */
static enum folio_discard discard_shared_frozen(struct folio *folio, struct discard_shared *d)
{
	struct inode *inode = folio->mapping->host;
	int refs = folio_nr_pages(folio) + 1;
	enum mmu_notifier_opinion opinion;

	spin_lock(&inode->i_lock);
	/* Whoever dropped a reference wrote before that: this is a full barrier. */
	if (!folio_ref_freeze(folio, refs)) {
		spin_unlock(&inode->i_lock);
		return FOLIO_DISCARD_BUSY;
	}

	opinion = discard_ask_all(folio, d);
	if (opinion == MMU_NOTIFIER_DISCARD) {
		xa_lock_irq(&inode->i_mapping->i_pages);
		__filemap_remove_folio(folio, NULL);
		xa_unlock_irq(&inode->i_mapping->i_pages);
		refs = 1;
	}
	folio_ref_unfreeze(folio, refs);
	spin_unlock(&inode->i_lock);

	if (opinion != MMU_NOTIFIER_DISCARD)
		return discard_changed(folio, opinion);

	folio_clear_dirty(folio);
	shmem_discarded(inode);
	return FOLIO_DISCARD_DONE;
}

static enum folio_discard discard_shared_final(struct folio *folio)
{
	struct discard_shared d = { };
	struct rmap_walk_control rwc = { .rmap_one = discard_lock_one, .arg = &d };
	enum folio_discard r = FOLIO_DISCARD_NONE;

	rmap_walk_locked(folio, &rwc);
	if (d.opinion != MMU_NOTIFIER_REFUSE_ALL)
		r = discard_shared_frozen(folio, &d);
	discard_unlock_all(&d);
	return r;
}

/* Unmaps it everywhere, if nobody has a reference besides: that would be in vain. */
static bool discard_unmap_shared(struct folio *folio)
{
	enum ttu_flags flags = TTU_RMAP_LOCKED | TTU_SYNC;

	if (!discard_unused(folio))
		return false;
	if (!folio_mapped(folio))
		return true;

	if (folio_test_large(folio))
		flags |= TTU_SPLIT_HUGE_PMD;
	/* Flushes TLBs at once, for it is not told to put that off. */
	try_to_unmap(folio, flags);
	return !folio_mapped(folio);
}

/*
 * The lock of the folio does here what the page table lock does for anonymous
 * folios: whoever wants to map it waits for it. If the folio stays, it stays
 * in the page cache, and whoever touches it maps it again.
 */
static enum folio_discard discard_shared_locked(struct folio *folio)
{
	enum folio_discard r = discard_shared_hint(folio);

	if (r != FOLIO_DISCARD_DONE)
		return r;
	if (!discard_unmap_shared(folio))
		return FOLIO_DISCARD_BUSY;
	return discard_shared_final(folio);
}

static enum folio_discard discard_shared(struct folio *folio)
{
	struct address_space *mapping = folio->mapping;
	enum folio_discard r;

	if (folio_test_swapcache(folio) || !mapping || !shmem_may_discard_folio(folio))
		return FOLIO_DISCARD_NONE;

	/*
	 * What has the file mapped keeps the inode for as long as this is held,
	 * without the folio, too; and if nothing has, nothing has an opinion.
	 */
	if (!i_mmap_trylock_read(mapping))
		return FOLIO_DISCARD_NONE;

	r = discard_shared_locked(folio);

	/* The inode may be gone as soon as somebody else can have the lock. */
	rcu_read_lock();
	i_mmap_unlock_read(mapping);
	rcu_read_unlock();
	return r;
}

/**
 * __folio_discard - drop a folio if nobody wants its content
 * @folio: isolated and locked by the caller, who has one reference
 *
 * May sleep.
 *
 * Return: what the caller does with it, see enum folio_discard.
 */
enum folio_discard __folio_discard(struct folio *folio)
{
	VM_WARN_ON_ONCE_FOLIO(!folio_test_locked(folio), folio);

	if (!folio_test_swapbacked(folio) || folio_maybe_dma_pinned(folio))
		return FOLIO_DISCARD_NONE;

	return folio_test_anon(folio) ? discard_anon(folio) : discard_shared(folio);
}
