// SPDX-License-Identifier: GPL-2.0-only
/*
 * The hypercall: copies an opcode's struct in once, calls the opcode and
 * copies the struct out. What it finds in guest memory is the guest's word; it
 * is never looked at a second time.
 */
#include <linux/align.h>
#include <linux/mutex.h>
#include <linux/sizes.h>
#include <linux/string.h>

#include "hyperupcall.h"

union kvm_hyperupcall_args {
	struct hyperupcall_query query;
	struct hyperupcall_map map;
	struct hyperupcall_unmap unmap;
	struct hyperupcall_load load;
	struct hyperupcall_unload unload;
	struct hyperupcall_link link;
	struct hyperupcall_unlink unlink;
	struct hyperupcall_stats stats;
	struct hyperupcall_test_run test_run;
};

/**
 * struct kvm_hyperupcall_op - an opcode
 * @size: of its struct in its first version
 * @wait: waits for the guest's turn, without the VM's lock; NULL if it has no turns
 * @call: does it, with the VM's lock held
 * @undo: undoes it where the guest could not be told; NULL if it needs not
 * @out: whether the struct has [out] fields
 * @out_on_error: whether some of them are written in any case
 */
struct kvm_hyperupcall_op {
	size_t size;
	int (*wait)(struct kvm_hyperupcall *hu);
	int (*call)(struct kvm_hyperupcall *hu, struct kvm_vcpu *vcpu,
		    union kvm_hyperupcall_args *args);
	void (*undo)(struct kvm_hyperupcall *hu, const union kvm_hyperupcall_args *args);
	bool out;
	bool out_on_error;
};

static int kvm_hyperupcall_op_query(struct kvm_hyperupcall *hu, struct kvm_vcpu *vcpu,
				    union kvm_hyperupcall_args *args)
{
	const struct kvm_hyperupcall_policy *policy = &hu->policy;

	if (args->query.flags)
		return -EINVAL;

	args->query = (struct hyperupcall_query) {
		.abi = HYPERUPCALL_ABI,
		.events = policy->events,
		.helpers = GENMASK_ULL(__HYPERUPCALL_HELPER_MAX - 1, 1),
		.max_progs = policy->max_progs,
		.nr_progs = hu->nr_progs,
		.max_links = policy->max_links,
		.nr_links = hu->nr_links,
		.max_regions = policy->max_regions,
		.nr_regions = hu->nr_regions,
		.max_insns = policy->max_insns,
		.max_insns_global = policy->max_insns_global,
		.max_verified_insns = policy->max_verified_insns,
		.max_verified_insns_global = policy->max_verified_insns_global,
		.max_loops = policy->max_loops,
		.max_mem = (u64)kvm_hyperupcall_max_pages(hu) << PAGE_SHIFT,
		.max_mem_global = (u64)kvm_hyperupcall_max_pages_global(hu) << PAGE_SHIFT,
		.mem = (u64)hu->nr_pages << PAGE_SHIFT,
		.max_insns_total = policy->max_insns_total,
		.max_run_insns = policy->max_run_insns,
		.max_run_insns_global = policy->max_run_insns_global,
		.nr_insns = hu->nr_insns,
		.budget_ns = policy->budget_ns,
		.budget_left_ns = kvm_hyperupcall_budget_left(hu),
	};
	return 0;
}

static int kvm_hyperupcall_op_map(struct kvm_hyperupcall *hu, struct kvm_vcpu *vcpu,
				  union kvm_hyperupcall_args *args)
{
	return kvm_hyperupcall_map(hu, vcpu, &args->map);
}

static void kvm_hyperupcall_undo_map(struct kvm_hyperupcall *hu,
				     const union kvm_hyperupcall_args *args)
{
	kvm_hyperupcall_unmap(hu, args->map.region);
}

static int kvm_hyperupcall_op_unmap(struct kvm_hyperupcall *hu, struct kvm_vcpu *vcpu,
				    union kvm_hyperupcall_args *args)
{
	return args->unmap.flags ? -EINVAL : kvm_hyperupcall_unmap(hu, args->unmap.region);
}

static int kvm_hyperupcall_wait_to_load(struct kvm_hyperupcall *hu)
{
	return bpf_hyperupcall_wait(&hu->turns);
}

static int kvm_hyperupcall_op_load(struct kvm_hyperupcall *hu, struct kvm_vcpu *vcpu,
				   union kvm_hyperupcall_args *args)
{
	return kvm_hyperupcall_load(hu, vcpu, &args->load);
}

static void kvm_hyperupcall_undo_load(struct kvm_hyperupcall *hu,
				      const union kvm_hyperupcall_args *args)
{
	kvm_hyperupcall_unload(hu, args->load.prog);
}

static int kvm_hyperupcall_op_unload(struct kvm_hyperupcall *hu, struct kvm_vcpu *vcpu,
				     union kvm_hyperupcall_args *args)
{
	return args->unload.flags ? -EINVAL : kvm_hyperupcall_unload(hu, args->unload.prog);
}

static int kvm_hyperupcall_op_link(struct kvm_hyperupcall *hu, struct kvm_vcpu *vcpu,
				   union kvm_hyperupcall_args *args)
{
	return kvm_hyperupcall_link(hu, &args->link);
}

static void kvm_hyperupcall_undo_link(struct kvm_hyperupcall *hu,
				      const union kvm_hyperupcall_args *args)
{
	/* After a replacement the guest knows the id, and the old program is gone. */
	if (!(args->link.flags & HYPERUPCALL_LINK_REPLACE))
		kvm_hyperupcall_unlink(hu, args->link.link);
}

static int kvm_hyperupcall_op_unlink(struct kvm_hyperupcall *hu, struct kvm_vcpu *vcpu,
				     union kvm_hyperupcall_args *args)
{
	return args->unlink.flags ? -EINVAL : kvm_hyperupcall_unlink(hu, args->unlink.link);
}

static int kvm_hyperupcall_op_stats(struct kvm_hyperupcall *hu, struct kvm_vcpu *vcpu,
				    union kvm_hyperupcall_args *args)
{
	return kvm_hyperupcall_link_stats(hu, &args->stats);
}

static int kvm_hyperupcall_op_test_run(struct kvm_hyperupcall *hu, struct kvm_vcpu *vcpu,
				       union kvm_hyperupcall_args *args)
{
	struct kvm_hyperupcall_prog *prog;

	if (args->test_run.flags)
		return -EINVAL;
	if (!kvm_hyperupcall_on())
		return -EPERM;
	prog = xa_load(&hu->progs, args->test_run.prog);
	if (!prog)
		return -ENOENT;

	return kvm_hyperupcall_test_run(hu, prog->prog, &args->test_run);
}

static const struct kvm_hyperupcall_op kvm_hyperupcall_ops[] = {
	[HYPERUPCALL_QUERY] = {
		.size = sizeof(struct hyperupcall_query),
		.call = kvm_hyperupcall_op_query,
		.out = true,
	},
	[HYPERUPCALL_MAP] = {
		.size = sizeof(struct hyperupcall_map),
		.call = kvm_hyperupcall_op_map,
		.undo = kvm_hyperupcall_undo_map,
		.out = true,
	},
	[HYPERUPCALL_UNMAP] = {
		.size = sizeof(struct hyperupcall_unmap),
		.call = kvm_hyperupcall_op_unmap,
	},
	[HYPERUPCALL_LOAD] = {
		.size = sizeof(struct hyperupcall_load),
		.wait = kvm_hyperupcall_wait_to_load,
		.call = kvm_hyperupcall_op_load,
		.undo = kvm_hyperupcall_undo_load,
		.out = true,
		.out_on_error = true,
	},
	[HYPERUPCALL_UNLOAD] = {
		.size = sizeof(struct hyperupcall_unload),
		.call = kvm_hyperupcall_op_unload,
	},
	[HYPERUPCALL_LINK] = {
		.size = sizeof(struct hyperupcall_link),
		.call = kvm_hyperupcall_op_link,
		.undo = kvm_hyperupcall_undo_link,
		.out = true,
	},
	[HYPERUPCALL_UNLINK] = {
		.size = sizeof(struct hyperupcall_unlink),
		.call = kvm_hyperupcall_op_unlink,
	},
	[HYPERUPCALL_STATS] = {
		.size = sizeof(struct hyperupcall_stats),
		.call = kvm_hyperupcall_op_stats,
		.out = true,
	},
	[HYPERUPCALL_TEST_RUN] = {
		.size = sizeof(struct hyperupcall_test_run),
		.call = kvm_hyperupcall_op_test_run,
		.out = true,
	},
};

/* The part of a struct that this kernel does not know has to be zero. */
static int kvm_hyperupcall_check_tail(struct kvm_vcpu *vcpu, gva_t gva, u32 len)
{
	u8 buf[64];
	u32 n;
	int r;

	for (; len; gva += n, len -= n) {
		n = min_t(u32, len, sizeof(buf));
		r = kvm_arch_hyperupcall_read(vcpu, gva, buf, n);
		if (r)
			return r;
		if (memchr_inv(buf, 0, n))
			return -E2BIG;
	}

	return 0;
}

static int kvm_hyperupcall_copy_in(struct kvm_vcpu *vcpu, const struct kvm_hyperupcall_op *op,
				   union kvm_hyperupcall_args *args, gva_t gva, u64 size)
{
	int r;

	if (size < op->size)
		return -EINVAL;
	if (size > PAGE_SIZE)
		return -E2BIG;

	r = kvm_hyperupcall_check_tail(vcpu, gva + op->size, size - op->size);
	return r ?: kvm_arch_hyperupcall_read(vcpu, gva, args, op->size);
}

static int kvm_hyperupcall_call(struct kvm_hyperupcall *hu, struct kvm_vcpu *vcpu,
				const struct kvm_hyperupcall_op *op, gva_t gva,
				union kvm_hyperupcall_args *args)
{
	int r;

	if (mutex_lock_killable(&hu->lock))
		return -EAGAIN;

	/* A late reset would take what a new kernel registers. */
	kvm_hyperupcall_finish_resets(hu);
	r = op->call(hu, vcpu, args);
	if (op->out && (!r || op->out_on_error) &&
	    kvm_arch_hyperupcall_write(vcpu, gva, args, op->size)) {
		if (!r && op->undo)
			op->undo(hu, args);
		r = r ?: -EFAULT;
	}

	mutex_unlock(&hu->lock);
	return r;
}

/**
 * kvm_hyperupcall_hypercall - KVM_HC_HYPERUPCALL
 * @vcpu: the calling vCPU, which is at CPL 0 in 64-bit mode and not nested
 * @opcode: enum hyperupcall_op
 * @gva: guest-virtual address of the opcode's struct
 * @size: its size in bytes
 * @zero: reserved
 *
 * May sleep; kvm->srcu is not held. Return: zero, or a negative errno for the
 * guest.
 */
int kvm_hyperupcall_hypercall(struct kvm_vcpu *vcpu, u64 opcode, gva_t gva, u64 size, u64 zero)
{
	struct kvm_hyperupcall *hu = vcpu->kvm->hyperupcall;
	union kvm_hyperupcall_args args = {};
	const struct kvm_hyperupcall_op *op;
	int r;

	if (opcode >= ARRAY_SIZE(kvm_hyperupcall_ops))
		return -EOPNOTSUPP;
	if (zero)
		return -EINVAL;

	op = &kvm_hyperupcall_ops[array_index_nospec(opcode, ARRAY_SIZE(kvm_hyperupcall_ops))];
	r = kvm_hyperupcall_copy_in(vcpu, op, &args, gva, size);
	if (!r && op->wait)
		r = op->wait(hu);
	return r ?: kvm_hyperupcall_call(hu, vcpu, op, gva, &args);
}
