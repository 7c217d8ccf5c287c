/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __KVM_X86_HYPERUPCALL_H
#define __KVM_X86_HYPERUPCALL_H

#include <linux/cpufeature.h>
#include <linux/kvm_hyperupcall.h>
#include <linux/percpu.h>
#include <asm/nospec-branch.h>

struct kvm_lapic_irq;

#ifdef CONFIG_KVM_HYPERUPCALL

unsigned long kvm_hyperupcall_emulate(struct kvm_vcpu *vcpu, unsigned long a0, unsigned long a1,
				      unsigned long a2, unsigned long a3, bool op_64_bit);
void kvm_hyperupcall_cr0_changed(struct kvm_vcpu *vcpu, unsigned long old_cr0, unsigned long cr0);
void kvm_hyperupcall_request_reset(struct kvm_vcpu *vcpu, unsigned long cr0);
void kvm_hyperupcall_set_sregs(struct kvm_vcpu *vcpu, const struct kvm_sregs *sregs);
void kvm_hyperupcall_set_tsc(struct kvm_vcpu *vcpu, u64 tsc);
void kvm_hyperupcall_confirm_reset(struct kvm_vcpu *vcpu);
int kvm_hyperupcall_finish_reset(struct kvm_vcpu *vcpu);
int kvm_hyperupcall_check_reset(struct kvm_vcpu *vcpu);
void kvm_hyperupcall_vcpu_load(struct kvm_vcpu *vcpu);
void kvm_hyperupcall_vcpu_put(struct kvm_vcpu *vcpu);
bool kvm_hyperupcall_consumes_ipi(struct kvm_vcpu *sender, struct kvm_vcpu *target,
				  const struct kvm_lapic_irq *irq);
bool kvm_hyperupcall_spares_yield(struct kvm_vcpu *target);

static inline bool kvm_has_hyperupcall(const struct kvm *kvm)
{
	return kvm->hyperupcall;
}

DECLARE_PER_CPU(bool, kvm_hyperupcall_ran_elsewhere);

/* On the way into a guest, with interrupts off: no program runs before that. */
static inline void kvm_hyperupcall_enter_guest(void)
{
	if (!cpu_feature_enabled(X86_FEATURE_USE_IBPB) ||
	    likely(!this_cpu_read(kvm_hyperupcall_ran_elsewhere)))
		return;

	this_cpu_write(kvm_hyperupcall_ran_elsewhere, false);
	indirect_branch_prediction_barrier();
}

/* Whether a CPUID bit tells the guest. */
static inline bool kvm_offers_hyperupcall(const struct kvm *kvm)
{
	return kvm->hyperupcall && !kvm->hyperupcall_refused;
}

/* Programs may take longer than interrupts can be off. */
static inline bool kvm_hyperupcall_wants_ipis(struct kvm *kvm)
{
	return kvm_hyperupcall_linked(kvm, HYPERUPCALL_EVENT_INTERRUPT);
}

#else

static inline unsigned long kvm_hyperupcall_emulate(struct kvm_vcpu *vcpu, unsigned long a0,
						    unsigned long a1, unsigned long a2,
						    unsigned long a3, bool op_64_bit)
{
	return -KVM_ENOSYS;
}

static inline void kvm_hyperupcall_cr0_changed(struct kvm_vcpu *vcpu, unsigned long old_cr0,
					       unsigned long cr0) { }
static inline void kvm_hyperupcall_request_reset(struct kvm_vcpu *vcpu, unsigned long cr0) { }
static inline void kvm_hyperupcall_set_sregs(struct kvm_vcpu *vcpu,
					     const struct kvm_sregs *sregs) { }
static inline void kvm_hyperupcall_set_tsc(struct kvm_vcpu *vcpu, u64 tsc) { }
static inline void kvm_hyperupcall_confirm_reset(struct kvm_vcpu *vcpu) { }
static inline int kvm_hyperupcall_finish_reset(struct kvm_vcpu *vcpu) { return 0; }
static inline int kvm_hyperupcall_check_reset(struct kvm_vcpu *vcpu) { return 0; }
static inline void kvm_hyperupcall_vcpu_load(struct kvm_vcpu *vcpu) { }
static inline void kvm_hyperupcall_vcpu_put(struct kvm_vcpu *vcpu) { }

static inline bool kvm_hyperupcall_consumes_ipi(struct kvm_vcpu *sender, struct kvm_vcpu *target,
						const struct kvm_lapic_irq *irq)
{
	return false;
}

static inline bool kvm_hyperupcall_spares_yield(struct kvm_vcpu *target)
{
	return false;
}

static inline void kvm_hyperupcall_enter_guest(void) { }

static inline bool kvm_has_hyperupcall(const struct kvm *kvm)
{
	return false;
}

static inline bool kvm_offers_hyperupcall(const struct kvm *kvm)
{
	return false;
}

static inline bool kvm_hyperupcall_wants_ipis(struct kvm *kvm)
{
	return false;
}

#endif /* CONFIG_KVM_HYPERUPCALL */

#endif /* __KVM_X86_HYPERUPCALL_H */
