// SPDX-License-Identifier: GPL-2.0
/*
 * Tells the module which vCPUs an IPI goes from and to, of IPIs that only the
 * module sends: see vcpus.c. It has no opinion on them.
 */
#include "hyperupcall.bpf.h"

struct hyperupcall_ipi __guest hyperupcall_ipi __used;

SEC("hyperupcall/interrupt")
u64 vcpus(struct hyperupcall_ctx *ctx)
{
	if (ctx->interrupt.vector != X86_PLATFORM_IPI_VECTOR)
		return HYPERUPCALL_NO_OPINION;

	WRITE_ONCE(hyperupcall_ipi.sender, ctx->vcpu);
	WRITE_ONCE(hyperupcall_ipi.target, ctx->interrupt.target);
	atomic_add64(&hyperupcall_ipi.seen, 1);
	return HYPERUPCALL_NO_OPINION;
}
