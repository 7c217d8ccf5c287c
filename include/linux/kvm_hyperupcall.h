/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Hyperupcalls, as the rest of KVM sees them: a few calls at the points where a
 * VM changes, a hook where an event happens, and what an architecture gives.
 */
#ifndef _LINUX_KVM_HYPERUPCALL_H
#define _LINUX_KVM_HYPERUPCALL_H

#include <linux/jump_label_ratelimit.h>
#include <linux/kvm_host.h>
#include <uapi/linux/hyperupcall.h>

struct mmu_notifier_range;

#ifdef CONFIG_KVM_HYPERUPCALL

/* One key an event; true while any VM has a link to it. */
extern struct static_key_false_deferred kvm_hyperupcall_keys[__HYPERUPCALL_EVENT_MAX];

int kvm_hyperupcall_create_vm(struct kvm *kvm);
void kvm_hyperupcall_destroy_vm(struct kvm *kvm);
int kvm_hyperupcall_available(void);
int kvm_hyperupcall_enable(struct kvm *kvm, struct kvm_enable_cap *cap);
void kvm_hyperupcall_add_vcpu(struct kvm_vcpu *vcpu);
int kvm_hyperupcall_refuse(struct kvm *kvm);
void kvm_hyperupcall_want_reset(struct kvm *kvm);
bool kvm_hyperupcall_wants_reset(struct kvm *kvm);
int kvm_hyperupcall_reset(struct kvm *kvm);
void kvm_hyperupcall_drop_all(struct kvm *kvm);
void kvm_hyperupcall_create_debugfs(struct kvm *kvm);
long kvm_hyperupcall_save(struct kvm *kvm, struct kvm_hyperupcall_state __user *user);
long kvm_hyperupcall_restore(struct kvm *kvm, const struct kvm_hyperupcall_state __user *user);
void kvm_hyperupcall_init(void);
void kvm_hyperupcall_exit(void);

void kvm_hyperupcall_invalidate_start(struct kvm *kvm, const struct mmu_notifier_range *range);
void kvm_hyperupcall_invalidate_memslot(struct kvm *kvm, struct kvm_memory_slot *slot);
void kvm_hyperupcall_begin_dirty_log(struct kvm *kvm);
void kvm_hyperupcall_sync_dirty_log(struct kvm *kvm, struct kvm_memory_slot *slot);

int kvm_hyperupcall_hypercall(struct kvm_vcpu *vcpu, u64 op, gva_t gva, u64 size, u64 zero);

bool kvm_hyperupcall_has_link(struct kvm *kvm, enum hyperupcall_event event);
u32 kvm_hyperupcall_run(struct kvm *kvm, const struct hyperupcall_ctx *ctx);

/**
 * kvm_hyperupcall_linked - whether an event of a VM has to be offered
 * @kvm: the VM
 * @event: the event, a constant
 *
 * The test in front of every hook: a NOP where no VM has a link.
 */
static __always_inline bool kvm_hyperupcall_linked(struct kvm *kvm,
						   const enum hyperupcall_event event)
{
	return static_branch_unlikely(&kvm_hyperupcall_keys[event].key) &&
	       kvm_hyperupcall_has_link(kvm, event);
}

bool kvm_hyperupcall_vcpu_critical(struct kvm_vcpu *me, struct kvm_vcpu *vcpu);
void kvm_hyperupcall_begin_vcpu_run(struct kvm_vcpu *vcpu);
void kvm_hyperupcall_end_vcpu_run(struct kvm_vcpu *vcpu);
enum mmu_notifier_opinion kvm_hyperupcall_test_discard(struct kvm *kvm, unsigned long start,
						       unsigned long end, bool final);
int kvm_hyperupcall_age(struct kvm *kvm, unsigned long start, unsigned long end, int young);
void kvm_hyperupcall_vcpu_stopped(struct kvm *kvm);

/* What an architecture provides. */
bool kvm_arch_hyperupcall_safe(void);
int kvm_arch_hyperupcall_finish_reset(struct kvm *kvm);
int kvm_arch_hyperupcall_may_restore(struct kvm *kvm);
void kvm_arch_hyperupcall_restored(struct kvm *kvm);
bool kvm_arch_hyperupcall_reset_pending(struct kvm *kvm);
void kvm_arch_hyperupcall_mark_cpu(struct kvm *kvm);

/*
 * These take guest-virtual addresses, act as a supervisor of the calling vCPU,
 * may sleep and return zero or -EFAULT, the last one -EINVAL for an address that
 * is not valid.
 */
bool kvm_arch_hyperupcall_gva_valid(struct kvm_vcpu *vcpu, gva_t gva);
int kvm_arch_hyperupcall_read(struct kvm_vcpu *vcpu, gva_t gva, void *data, u32 len);
int kvm_arch_hyperupcall_write(struct kvm_vcpu *vcpu, gva_t gva, const void *data, u32 len);
int kvm_arch_hyperupcall_translate(struct kvm_vcpu *vcpu, gva_t gva, bool write, gpa_t *gpa);

/* These are called by programs' helpers, in any context. */
enum hyperupcall_vcpu_state kvm_arch_hyperupcall_vcpu_state(struct kvm_vcpu *vcpu);
int kvm_arch_hyperupcall_vcpu_regs(struct kvm_vcpu *vcpu, struct hyperupcall_regs *regs);
bool kvm_arch_hyperupcall_flush_tlb(struct kvm_vcpu *vcpu);

#else

static inline int kvm_hyperupcall_create_vm(struct kvm *kvm) { return 0; }
static inline void kvm_hyperupcall_destroy_vm(struct kvm *kvm) { }
static inline void kvm_hyperupcall_add_vcpu(struct kvm_vcpu *vcpu) { }
static inline void kvm_hyperupcall_begin_vcpu_run(struct kvm_vcpu *vcpu) { }
static inline void kvm_hyperupcall_end_vcpu_run(struct kvm_vcpu *vcpu) { }
static inline int kvm_hyperupcall_refuse(struct kvm *kvm) { return 0; }
static inline void kvm_hyperupcall_drop_all(struct kvm *kvm) { }
static inline void kvm_hyperupcall_create_debugfs(struct kvm *kvm) { }
static inline void kvm_hyperupcall_init(void) { }
static inline void kvm_hyperupcall_exit(void) { }
static inline void kvm_hyperupcall_invalidate_start(struct kvm *kvm,
						    const struct mmu_notifier_range *range) { }
static inline void kvm_hyperupcall_invalidate_memslot(struct kvm *kvm,
						      struct kvm_memory_slot *slot) { }
static inline void kvm_hyperupcall_begin_dirty_log(struct kvm *kvm) { }
static inline void kvm_hyperupcall_sync_dirty_log(struct kvm *kvm,
						  struct kvm_memory_slot *slot) { }
static inline bool kvm_hyperupcall_vcpu_critical(struct kvm_vcpu *me, struct kvm_vcpu *vcpu)
{
	return false;
}

static inline void kvm_hyperupcall_vcpu_stopped(struct kvm *kvm) { }

static inline int kvm_hyperupcall_age(struct kvm *kvm, unsigned long start, unsigned long end,
				      int young)
{
	return young;
}

#endif /* CONFIG_KVM_HYPERUPCALL */

#endif /* _LINUX_KVM_HYPERUPCALL_H */
