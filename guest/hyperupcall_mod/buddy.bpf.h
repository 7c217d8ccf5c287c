/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Is a page free? Which is to say: is it in the buddy allocator.
 *
 * A free block is known by its first page, the only one of it that changes
 * when the block comes and goes: its type says buddy while the block is free,
 * and its private word then has the block's order. The order is written before
 * the type when a block becomes free, and changed after it when a block is
 * taken or split. What an owner of the page kept in the private word is not
 * taken for the order unless the block is taken and freed twice meanwhile, with
 * the same small number kept in it both times: it is read twice, between three
 * looks that find a free block.
 *
 * And the page itself has to look as each page of a free block does. Nearly
 * every page in use has a reference, so what was just said is to be believed
 * only of the few that have none: the inner pages of blocks that the allocator
 * gave away in one piece.
 *
 * Pages that wait in a per-CPU list for the next allocation are not known to
 * be free: they look like pages in use.
 *
 * It is the guest's compiler that leaves the order where the kernel writes it,
 * before the type: x86 keeps stores in order.
 */
#ifndef _BUDDY_BPF_H
#define _BUDDY_BPF_H

#include "hyperupcall.bpf.h"

GUEST_MEMORY;

static __always_inline bool is_buddy(struct page __guest *page)
{
	return READ_ONCE(page->page_type) >> 24 == PGTY_buddy;
}

/* The order of the free block that starts with @head, or NR_PAGE_ORDERS. */
static __always_inline u64 block_order(struct page __guest *head)
{
	u64 order, again;

	if (!is_buddy(head))
		return NR_PAGE_ORDERS;
	order = READ_ONCE(head->private);
	if (!is_buddy(head))
		return NR_PAGE_ORDERS;
	again = READ_ONCE(head->private);
	if (!is_buddy(head) || order != again)
		return NR_PAGE_ORDERS;
	return order;
}

/* What is true of each page of a free block, and of few others. */
static __always_inline bool looks_free(struct page __guest *page)
{
	u32 type = READ_ONCE(page->page_type);

	return !READ_ONCE(page->_refcount.counter) &&
	       !(READ_ONCE(page->compound_head) & 1) &&
	       (type >> 24 == PGTY_buddy || type == (u32)-1);
}

/* Where the free block ends that page @gfn is in, or zero if it is in none. */
static __always_inline u64
free_block_end(u64 gfn, const struct hyperupcall_memory *memory)
{
	u64 order, first;
	int i;

	if (!looks_free(guest_page(gfn, memory)))
		return 0;

	unrolled
	for (i = 0; i < NR_PAGE_ORDERS; i++) {
		first = gfn & ~((1UL << i) - 1);
		if (first < memory->start)
			return 0;
		order = block_order(guest_page(first, memory));
		if (order >= i && order < NR_PAGE_ORDERS)
			return first + (1UL << order);
	}
	return 0;
}

/*
 * Are these pages free? Free blocks that could be one are, so if it is not one
 * block it is not a block of pages that the allocator would make.
 */
static __always_inline bool pages_free(u64 gfn, u64 nr_pages)
{
	struct hyperupcall_memory memory;
	u64 end;

	if (!READ_ONCE(hyperupcall_guest.alive) ||
	    !guest_memory(hyperupcall_memory, gfn, &memory))
		return false;

	end = free_block_end(gfn, &memory);
	/* What was read were struct pages only if they still are. */
	return READ_ONCE(hyperupcall_guest.alive) && gfn + nr_pages <= min(end, memory.end);
}

#endif /* _BUDDY_BPF_H */
