// SPDX-License-Identifier: GPL-2.0
/*
 * Counts the IPIs of this guest and has no opinion on them: an example, and a
 * way to see what asking costs.
 */
#include "hyperupcall.bpf.h"

u64 __guest count_calls;
u64 __guest count_others;

SEC("hyperupcall/interrupt")
u64 count(struct hyperupcall_ctx *ctx)
{
	if (ctx->interrupt.vector == CALL_FUNCTION_VECTOR ||
	    ctx->interrupt.vector == CALL_FUNCTION_SINGLE_VECTOR)
		atomic_add64(&count_calls, 1);
	else
		atomic_add64(&count_others, 1);
	return HYPERUPCALL_NO_OPINION;
}
