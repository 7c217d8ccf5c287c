// SPDX-License-Identifier: GPL-2.0-only
/*
 * The VCPU_PREEMPT event: a vCPU spins and KVM looks for another one that
 * should run instead. The guest knows which of them holds a lock.
 */
#include "hyperupcall.h"

/**
 * kvm_hyperupcall_vcpu_critical - ask whether a vCPU may be yielded to in any case
 * @me: the vCPU that spins
 * @vcpu: a vCPU that KVM may pass over
 *
 * Return: true if the guest says so; false too if @vcpu was not preempted or
 * nothing is known of it.
 */
bool kvm_hyperupcall_vcpu_critical(struct kvm_vcpu *me, struct kvm_vcpu *vcpu)
{
	struct hyperupcall_regs regs = {};
	struct hyperupcall_ctx ctx;

	if (!kvm_hyperupcall_linked(me->kvm, HYPERUPCALL_EVENT_VCPU_PREEMPT))
		return false;
	if (!READ_ONCE(vcpu->preempted) || kvm_arch_hyperupcall_vcpu_regs(vcpu, &regs))
		return false;

	/* All of it, for the guest sees all of it. */
	memset(&ctx, 0, sizeof(ctx));
	ctx.event = HYPERUPCALL_EVENT_VCPU_PREEMPT;
	ctx.vcpu = me->vcpu_id;
	ctx.preempt.rip = regs.rip;
	ctx.preempt.target = vcpu->vcpu_id;
	ctx.preempt.cpl = regs.cpl;
	return kvm_hyperupcall_run(me->kvm, &ctx) == HYPERUPCALL_CRITICAL;
}
