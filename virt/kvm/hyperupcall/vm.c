// SPDX-License-Identifier: GPL-2.0-only
/*
 * A VM's hyperupcalls come with the VMM's word, empty when the guest's kernel
 * goes, and end with the VM.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/ratelimit.h>
#include <linux/slab.h>

#include "hyperupcall.h"

/* A fifth of what all guests may load: more than a guest's kernel has programs. */
#define KVM_HYPERUPCALL_LOADS_PER_SECOND	20

/* The guest stands still until all of its programs are there. */
#define KVM_HYPERUPCALL_RESTORES_PER_SECOND	50

static struct kvm_hyperupcall *kvm_hyperupcall_alloc(struct kvm *kvm)
{
	struct kvm_hyperupcall *hu;

	hu = kvzalloc(sizeof(*hu), GFP_KERNEL_ACCOUNT);
	if (!hu)
		return NULL;

	hu->spent = alloc_percpu_gfp(struct kvm_hyperupcall_spent, GFP_KERNEL_ACCOUNT);
	if (!hu->spent) {
		kvfree(hu);
		return NULL;
	}

	hu->kvm = kvm;
	kvm_hyperupcall_default_policy(&hu->policy);
	ratelimit_state_init(&hu->turns, HZ, KVM_HYPERUPCALL_LOADS_PER_SECOND);
	ratelimit_state_init(&hu->restore_turns, HZ, KVM_HYPERUPCALL_RESTORES_PER_SECOND);
	mutex_init(&hu->lock);
	xa_init_flags(&hu->progs, XA_FLAGS_ALLOC1);
	xa_init_flags(&hu->links, XA_FLAGS_ALLOC1);
	xa_init_flags(&hu->regions, XA_FLAGS_ALLOC1);
	mt_init_flags(&hu->offsets, MT_FLAGS_ALLOC_RANGE);
	spin_lock_init(&hu->map_lock);
	hu->extents = RB_ROOT_CACHED;
	INIT_LIST_HEAD(&hu->taken);
	INIT_DELAYED_WORK(&hu->revalidate, kvm_hyperupcall_revalidate);
	return hu;
}

static void kvm_hyperupcall_free(struct kvm_hyperupcall *hu)
{
	free_percpu(hu->spent);
	kvfree(hu);
}

/**
 * kvm_hyperupcall_refuse - a VM gets no hyperupcalls, and loses those it has
 * @kvm: a VM whose memory KVM will not be able to read, with kvm->lock held
 *
 * Return: zero, or -EINTR with a signal pending, and the VM is as before.
 */
int kvm_hyperupcall_refuse(struct kvm *kvm)
{
	int r;

	lockdep_assert_held(&kvm->lock);

	WRITE_ONCE(kvm->hyperupcall_refused, true);
	r = kvm_hyperupcall_reset(kvm);
	if (r)
		WRITE_ONCE(kvm->hyperupcall_refused, false);
	return r;
}
EXPORT_SYMBOL_GPL(kvm_hyperupcall_refuse);

/**
 * kvm_hyperupcall_refused - whether a VM gets no hyperupcalls
 * @kvm: the VM
 *
 * Says why once in a while: nothing that this VM does will change it.
 */
bool kvm_hyperupcall_refused(struct kvm *kvm)
{
	if (!kvm->hyperupcall_refused && !kvm_arch_has_private_mem(kvm))
		return false;

	pr_info_ratelimited("VM of process %d gets no hyperupcalls: its memory is private\n",
			    task_tgid_nr(current));
	return true;
}

/**
 * kvm_hyperupcall_create_vm - what a new VM has without asking
 * @kvm: a VM that is being created, whose MMU notifier may be called already
 *
 * Return: zero, or -ENOMEM.
 */
int kvm_hyperupcall_create_vm(struct kvm *kvm)
{
	struct kvm_hyperupcall *hu;

	if (!kvm_hyperupcall_enabled_for_all() || kvm_arch_has_private_mem(kvm))
		return 0;

	hu = kvm_hyperupcall_alloc(kvm);
	if (!hu)
		return -ENOMEM;

	/* MMU notifiers follow the pointer, and find it initialised. */
	smp_store_release(&kvm->hyperupcall, hu);
	return 0;
}

/**
 * kvm_hyperupcall_add_vcpu - a VM has another vCPU
 * @vcpu: the vCPU, which is not online yet, with kvm->lock held
 */
void kvm_hyperupcall_add_vcpu(struct kvm_vcpu *vcpu)
{
	struct kvm_hyperupcall *hu = vcpu->kvm->hyperupcall;

	BUILD_BUG_ON(KVM_MAX_VCPUS > U16_MAX);
	lockdep_assert_held(&vcpu->kvm->lock);

	if (hu)
		WRITE_ONCE(hu->vcpu_idx[vcpu->vcpu_id], vcpu->vcpu_idx);
}

/**
 * kvm_hyperupcall_enable - KVM_ENABLE_CAP(KVM_CAP_HYPERUPCALL)
 * @kvm: the VM
 * @cap: args[0] and args[1] are the address and the size of a struct
 *	kvm_hyperupcall_policy, or zero for the host's defaults
 *
 * Return: zero, -EPERM if the administrator did not allow it, -EINVAL, -E2BIG,
 * -EFAULT, -EOPNOTSUPP for a confidential VM, -EBUSY if there are vCPUs already, or
 * -ENOMEM.
 */
int kvm_hyperupcall_enable(struct kvm *kvm, struct kvm_enable_cap *cap)
{
	struct kvm_hyperupcall_policy policy;
	struct kvm_hyperupcall *hu;
	int r;

	if (!kvm_hyperupcall_available())
		return -EPERM;
	if (cap->flags || cap->args[2] || cap->args[3])
		return -EINVAL;
	r = kvm_hyperupcall_read_policy(&policy, cap->args[0], cap->args[1]);
	if (r)
		return r;

	guard(mutex)(&kvm->lock);
	if (kvm_hyperupcall_refused(kvm))
		return -EOPNOTSUPP;
	if (kvm->created_vcpus)
		return -EBUSY;

	hu = kvm->hyperupcall ?: kvm_hyperupcall_alloc(kvm);
	if (!hu)
		return -ENOMEM;

	/* Nothing is registered without a vCPU. */
	scoped_guard(mutex, &hu->lock)
		hu->policy = policy;

	/* MMU notifiers follow the pointer, and find it initialised. */
	smp_store_release(&kvm->hyperupcall, hu);
	return 0;
}

/**
 * kvm_hyperupcall_get_window - make sure that a VM has a window
 * @hu: the VM's hyperupcalls
 *
 * Return: zero, or -ENOMEM.
 */
int kvm_hyperupcall_get_window(struct kvm_hyperupcall *hu)
{
	lockdep_assert_held(&hu->lock);

	if (!hu->window)
		hu->window = bpf_window_alloc();

	return hu->window ? 0 : -ENOMEM;
}

/* Drops everything that the guest registered; hu->lock is held. */
void kvm_hyperupcall_clear(struct kvm_hyperupcall *hu)
{
	kvm_hyperupcall_unlink_all(hu);
	kvm_hyperupcall_unload_all(hu);
	kvm_hyperupcall_unmap_all(hu);
}

/**
 * kvm_hyperupcall_want_reset - the guest's kernel may be gone
 * @kvm: the VM
 *
 * No program runs at an event, and the VM's state is not saved, before the next
 * kvm_hyperupcall_reset(). Called in any context.
 */
void kvm_hyperupcall_want_reset(struct kvm *kvm)
{
	if (kvm->hyperupcall)
		atomic_inc(&kvm->hyperupcall->resets);
}

/**
 * kvm_hyperupcall_wants_reset - whether a reset is still to be done
 * @kvm: the VM
 *
 * Called in any context.
 */
bool kvm_hyperupcall_wants_reset(struct kvm *kvm)
{
	struct kvm_hyperupcall *hu = kvm->hyperupcall;

	return hu && atomic_read(&hu->resets) != READ_ONCE(hu->resets_done);
}

/* A reset that is wanted meanwhile is another one; hu->lock is held. */
static void kvm_hyperupcall_reset_locked(struct kvm_hyperupcall *hu)
{
	int resets = atomic_read(&hu->resets);

	kvm_hyperupcall_clear(hu);
	WRITE_ONCE(hu->resets_done, resets);
}

/* What a vCPU has left to be dropped when a signal came; hu->lock is held. */
void kvm_hyperupcall_finish_resets(struct kvm_hyperupcall *hu)
{
	if (kvm_hyperupcall_wants_reset(hu->kvm))
		kvm_hyperupcall_reset_locked(hu);
}

/**
 * kvm_hyperupcall_reset - the guest's kernel is gone
 * @kvm: the VM
 *
 * May sleep, for as long as another vCPU's hypercall waits for a page that the VMM
 * has to bring. When it returns zero, nothing of what the guest registered runs, is
 * read or is pinned. The guest may register anew.
 *
 * Return: zero, or -EINTR with a signal pending; the caller tries again then.
 */
int kvm_hyperupcall_reset(struct kvm *kvm)
{
	struct kvm_hyperupcall *hu = kvm->hyperupcall;

	if (!hu)
		return 0;

	if (mutex_lock_interruptible(&hu->lock))
		return -EINTR;
	kvm_hyperupcall_reset_locked(hu);
	mutex_unlock(&hu->lock);
	return 0;
}

/**
 * kvm_hyperupcall_drop_all - the VMM's memory goes
 * @kvm: the VM, whose vCPUs do not run any more
 *
 * May sleep. No hypercall holds the lock: it would have the VMM's mm.
 */
void kvm_hyperupcall_drop_all(struct kvm *kvm)
{
	struct kvm_hyperupcall *hu = kvm->hyperupcall;

	if (!hu)
		return;

	guard(mutex)(&hu->lock);
	kvm_hyperupcall_clear(hu);
}

/**
 * kvm_hyperupcall_destroy_vm - the end
 * @kvm: a VM without users, whose MMU notifier is gone
 */
void kvm_hyperupcall_destroy_vm(struct kvm *kvm)
{
	struct kvm_hyperupcall *hu = kvm->hyperupcall;

	if (!hu)
		return;

	kvm_hyperupcall_drop_all(kvm);
	cancel_delayed_work_sync(&hu->revalidate);
	/*
	 * The programs' memory is freed after a grace period. Nothing runs
	 * them, so that the window need not wait for it.
	 */
	bpf_window_free(hu->window);
	mtree_destroy(&hu->offsets);
	kvm->hyperupcall = NULL;
	kvm_hyperupcall_free(hu);
}

/* Called when the module comes. */
void kvm_hyperupcall_init(void)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(kvm_hyperupcall_keys); i++)
		INIT_DELAYED_WORK(&kvm_hyperupcall_keys[i].work, jump_label_update_timeout);
}

/* Called when the module goes. */
void kvm_hyperupcall_exit(void)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(kvm_hyperupcall_keys); i++)
		static_key_deferred_flush(&kvm_hyperupcall_keys[i]);
	bpf_hyperupcall_allow(false);
}
