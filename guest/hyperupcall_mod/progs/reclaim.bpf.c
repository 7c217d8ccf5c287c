// SPDX-License-Identifier: GPL-2.0
/*
 * Pages that are free need not be swapped. Who takes one into use afterwards
 * finds zeroes in it; the module sees to it that nobody in this guest minds.
 *
 * The hypervisor has unmapped the page when the answer counts: see DESIGN in
 * Documentation/virt/hyperupcall.rst for why nothing that is written to it
 * later is lost.
 */
#include "buddy.bpf.h"

u64 __guest count_pages;	/* that were free, asked once or twice */

SEC("hyperupcall/reclaim")
u64 reclaim(struct hyperupcall_ctx *ctx)
{
	if (!pages_free(ctx->page.gfn, ctx->page.nr_pages))
		return HYPERUPCALL_NO_OPINION;

	atomic_add64(&count_pages, ctx->page.nr_pages);
	return HYPERUPCALL_DISCARD;
}
