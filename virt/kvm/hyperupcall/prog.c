// SPDX-License-Identifier: GPL-2.0-only
/*
 * A VM's programs: from instructions in guest memory to a verified program
 * with an id.
 */
#include <linux/ctype.h>
#include <linux/slab.h>

#include "hyperupcall.h"

static bool kvm_hyperupcall_name_valid(const char *name)
{
	const char *c;

	if (strnlen(name, HYPERUPCALL_NAME_LEN) == HYPERUPCALL_NAME_LEN)
		return false;

	for (c = name; *c; c++) {
		if (!isalnum(*c) && *c != '_' && *c != '.')
			return false;
	}

	return true;
}

static bool kvm_hyperupcall_log_valid(const struct hyperupcall_load *load)
{
	if (!load->log_buf != !load->log_size || !load->log_buf != !load->log_level)
		return false;
	if (!load->log_buf)
		return true;

	return load->log_level <= 2 && load->log_size >= 128 &&
	       load->log_size <= HYPERUPCALL_LOG_MAX;
}

static int kvm_hyperupcall_copy_insns(struct kvm_vcpu *vcpu, const struct hyperupcall_load *load,
				      struct bpf_hyperupcall_load *bpf)
{
	u32 size = load->insn_cnt * sizeof(struct bpf_insn);

	bpf->insns = kvmalloc(size, GFP_KERNEL_ACCOUNT);
	if (!bpf->insns)
		return -ENOMEM;

	bpf->insn_cnt = load->insn_cnt;
	return kvm_arch_hyperupcall_read(vcpu, load->insns, bpf->insns, size);
}

/* The guest reads why its program was refused, and what a good one cost. */
static int kvm_hyperupcall_copy_log(struct kvm_vcpu *vcpu, struct hyperupcall_load *load,
				    const struct bpf_hyperupcall_load *bpf)
{
	u32 len;

	load->log_true_size = bpf->log_true_size;
	if (!bpf->log_buf)
		return 0;

	len = min(bpf->log_true_size, bpf->log_size);
	if (!len)
		return 0;

	bpf->log_buf[len - 1] = '\0';
	return kvm_arch_hyperupcall_write(vcpu, load->log_buf, bpf->log_buf, len);
}

/* The verifier has more ways to say no than the guest's ABI. */
static int kvm_hyperupcall_load_error(int err)
{
	switch (err) {
	case -EACCES:
	case -EAGAIN:
	case -E2BIG:
	case -ENOMEM:
		return err;
	default:
		return -EINVAL;
	}
}

static struct bpf_prog *kvm_hyperupcall_verify(struct kvm_hyperupcall *hu, struct kvm_vcpu *vcpu,
					       struct hyperupcall_load *load)
{
	struct bpf_hyperupcall_load bpf = {
		.max_verified_insns = hu->policy.max_verified_insns,
		.max_may_goto = hu->policy.max_loops,
		.max_run_insns = hu->policy.max_run_insns,
		.window = hu->window,
		.log_size = load->log_size,
		.log_level = load->log_level,
	};
	struct bpf_prog *prog = NULL;
	int r;

	memcpy(bpf.name, load->name, sizeof(bpf.name));

	r = kvm_hyperupcall_copy_insns(vcpu, load, &bpf);
	if (r)
		goto out;

	if (load->log_size) {
		r = -ENOMEM;
		bpf.log_buf = kvzalloc(load->log_size, GFP_KERNEL_ACCOUNT);
		if (!bpf.log_buf)
			goto out;
	}

	prog = bpf_hyperupcall_load(&bpf);
	r = kvm_hyperupcall_copy_log(vcpu, load, &bpf);
	/* A log that does not fit is cut, and no reason to refuse a program. */
	if (r && !IS_ERR(prog))
		bpf_prog_put(prog);
	else if (IS_ERR(prog))
		r = kvm_hyperupcall_load_error(PTR_ERR(prog));
out:
	kvfree(bpf.log_buf);
	kvfree(bpf.insns);
	return r ? ERR_PTR(r) : prog;
}

/**
 * kvm_hyperupcall_load - HYPERUPCALL_LOAD
 * @hu: the VM's hyperupcalls
 * @vcpu: the calling vCPU
 * @load: in and out, see there for the errors
 */
int kvm_hyperupcall_load(struct kvm_hyperupcall *hu, struct kvm_vcpu *vcpu,
			 struct hyperupcall_load *load)
{
	struct kvm_hyperupcall_prog *prog;
	int r;

	lockdep_assert_held(&hu->lock);

	if (load->flags || !load->insn_cnt || !kvm_hyperupcall_name_valid(load->name) ||
	    !kvm_hyperupcall_log_valid(load))
		return -EINVAL;
	if (load->insn_cnt > hu->policy.max_insns)
		return -E2BIG;
	if (hu->nr_progs == hu->policy.max_progs)
		return -ENOSPC;

	r = kvm_hyperupcall_get_window(hu);
	if (r)
		return r;

	prog = kzalloc(sizeof(*prog), GFP_KERNEL_ACCOUNT);
	if (!prog)
		return -ENOMEM;

	prog->insn_cnt = load->insn_cnt;
	prog->prog = kvm_hyperupcall_verify(hu, vcpu, load);
	if (IS_ERR(prog->prog)) {
		r = PTR_ERR(prog->prog);
		goto free;
	}

	r = xa_alloc_cyclic(&hu->progs, &load->prog, prog, XA_LIMIT(1, INT_MAX),
			    &hu->next_prog, GFP_KERNEL_ACCOUNT);
	if (r < 0)
		goto put;

	hu->nr_progs++;
	return 0;

put:
	bpf_prog_put(prog->prog);
free:
	kfree(prog);
	return r;
}

/**
 * kvm_hyperupcall_unload - HYPERUPCALL_UNLOAD
 * @hu: the VM's hyperupcalls
 * @id: the program's id
 */
int kvm_hyperupcall_unload(struct kvm_hyperupcall *hu, u32 id)
{
	struct kvm_hyperupcall_prog *prog;

	lockdep_assert_held(&hu->lock);

	prog = xa_load(&hu->progs, id);
	if (!prog)
		return -ENOENT;
	if (prog->nr_links)
		return -EBUSY;

	xa_erase(&hu->progs, id);
	hu->nr_progs--;
	bpf_prog_put(prog->prog);
	kfree(prog);
	return 0;
}

/* Nothing is linked any more. */
void kvm_hyperupcall_unload_all(struct kvm_hyperupcall *hu)
{
	struct kvm_hyperupcall_prog *prog;
	unsigned long id;

	xa_for_each(&hu->progs, id, prog)
		WARN_ON_ONCE(kvm_hyperupcall_unload(hu, id));
}
