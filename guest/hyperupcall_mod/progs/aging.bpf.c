// SPDX-License-Identifier: GPL-2.0
/*
 * A page that is free is old, whatever the accessed bits say: the guest used it
 * a moment ago and has done with it.
 */
#include "buddy.bpf.h"

SEC("hyperupcall/aging")
u64 aging(struct hyperupcall_ctx *ctx)
{
	return pages_free(ctx->page.gfn, ctx->page.nr_pages) ?
	       HYPERUPCALL_OLD : HYPERUPCALL_NO_OPINION;
}
