// SPDX-License-Identifier: GPL-2.0
/*
 * Says discard for pages in use, to test the test: a checker for lost pages has
 * to fail with it. It takes huge pages of processes only, so that the guest
 * lives to tell. Built with HYPERUPCALL_TEST=1 only.
 */
#include "hyperupcall.bpf.h"

GUEST_MEMORY;

u64 __guest count_pages;

SEC("hyperupcall/reclaim")
u64 reclaim_broken(struct hyperupcall_ctx *ctx)
{
	u64 gfn = ctx->page.gfn, head = gfn & -(u64)PTRS_PER_PTE;
	struct hyperupcall_memory memory;
	struct page __guest *page;

	if (!guest_memory(hyperupcall_memory, gfn, &memory) || head < memory.start)
		return HYPERUPCALL_NO_OPINION;
	if (!(READ_ONCE(guest_page(head + 1, &memory)->compound_head) & 1))
		return HYPERUPCALL_NO_OPINION;
	page = guest_page(head, &memory);
	if (!((u64)READ_ONCE(page->mapping) & PAGE_MAPPING_ANON))
		return HYPERUPCALL_NO_OPINION;

	atomic_add64(&count_pages, ctx->page.nr_pages);
	return HYPERUPCALL_DISCARD;
}
