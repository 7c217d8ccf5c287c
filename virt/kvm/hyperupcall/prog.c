// SPDX-License-Identifier: GPL-2.0-only
/*
 * A VM's programs: from instructions in guest memory to a verified program
 * with an id.
 */
#include <linux/ctype.h>
#include <linux/slab.h>

#include "hyperupcall.h"
#include "trace.h"

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

static struct bpf_insn *kvm_hyperupcall_copy_insns(struct kvm_vcpu *vcpu,
						   const struct hyperupcall_load *load)
{
	u32 size = load->insn_cnt * sizeof(struct bpf_insn);
	struct bpf_insn *insns;
	int r;

	insns = kvmalloc(size, GFP_KERNEL_ACCOUNT);
	if (!insns)
		return ERR_PTR(-ENOMEM);

	r = kvm_arch_hyperupcall_read(vcpu, load->insns, insns, size);
	if (!r)
		return insns;

	kvfree(insns);
	return ERR_PTR(r);
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
	case -ENOTSUPP:
		/* The JIT is there, but has no room. */
		return -ENOMEM;
	default:
		return -EINVAL;
	}
}

static struct bpf_prog *kvm_hyperupcall_verify(struct kvm_hyperupcall *hu,
					       struct bpf_hyperupcall_load *bpf, bool global)
{
	const struct kvm_hyperupcall_policy *policy = &hu->policy;
	struct bpf_prog *prog;

	bpf->max_verified_insns = global ? policy->max_verified_insns_global :
					   policy->max_verified_insns;
	bpf->max_run_insns = global ? policy->max_run_insns_global : policy->max_run_insns;
	bpf->max_may_goto = policy->max_loops;
	bpf->vmm_pid = hu->kvm->userspace_pid;
	bpf->window = hu->window;

	prog = bpf_hyperupcall_load(bpf);
	return IS_ERR(prog) ? ERR_PTR(kvm_hyperupcall_load_error(PTR_ERR(prog))) : prog;
}

/**
 * kvm_hyperupcall_check_prog - whether a program may be looked at, and has room
 * @hu: the VM's hyperupcalls, locked
 * @name: its name
 * @insn_cnt: how many instructions it has, which nobody has allocated yet
 * @flags: as in struct hyperupcall_load
 *
 * Return: zero, or what HYPERUPCALL_LOAD says.
 */
int kvm_hyperupcall_check_prog(struct kvm_hyperupcall *hu, const char *name, u32 insn_cnt,
			       u32 flags)
{
	const struct kvm_hyperupcall_policy *policy = &hu->policy;

	if (flags & ~HYPERUPCALL_LOAD_GLOBAL || !insn_cnt || !kvm_hyperupcall_name_valid(name))
		return -EINVAL;
	if (!kvm_hyperupcall_on())
		return -EPERM;
	if (insn_cnt > (flags & HYPERUPCALL_LOAD_GLOBAL ? policy->max_insns_global :
							  policy->max_insns))
		return -E2BIG;
	if (hu->nr_progs >= policy->max_progs ||
	    (u64)hu->nr_insns + insn_cnt > policy->max_insns_total)
		return -ENOSPC;

	return 0;
}

/**
 * kvm_hyperupcall_prog_create - a program without an id
 * @hu: the VM's hyperupcalls, locked
 * @bpf: what kvm_hyperupcall_check_prog() has nothing against: its instructions,
 *	kvmalloc()ed, its name and its log; the program owns the instructions on
 *	success
 * @flags: as in struct hyperupcall_load
 *
 * Return: the program, or an ERR_PTR() that HYPERUPCALL_LOAD knows.
 */
struct kvm_hyperupcall_prog *kvm_hyperupcall_prog_create(struct kvm_hyperupcall *hu,
							 struct bpf_hyperupcall_load *bpf,
							 u32 flags)
{
	struct kvm_hyperupcall_prog *prog;
	int r;

	r = kvm_hyperupcall_get_window(hu);
	if (r)
		return ERR_PTR(r);

	prog = kzalloc(sizeof(*prog), GFP_KERNEL_ACCOUNT);
	if (!prog)
		return ERR_PTR(-ENOMEM);

	prog->prog = kvm_hyperupcall_verify(hu, bpf, flags & HYPERUPCALL_LOAD_GLOBAL);
	if (IS_ERR(prog->prog)) {
		r = PTR_ERR(prog->prog);
		kfree(prog);
		return ERR_PTR(r);
	}

	prog->insns = (struct bpf_insn *)bpf->insns;
	prog->insn_cnt = bpf->insn_cnt;
	prog->flags = flags;
	return prog;
}

/* The end of a program without an id. */
void kvm_hyperupcall_prog_free(struct kvm_hyperupcall_prog *prog)
{
	bpf_prog_put(prog->prog);
	kvfree(prog->insns);
	kfree(prog);
}

/**
 * kvm_hyperupcall_prog_add - give a program an id
 * @hu: the VM's hyperupcalls, locked
 * @prog: the program
 *
 * Return: zero, or a negative errno.
 */
int kvm_hyperupcall_prog_add(struct kvm_hyperupcall *hu, struct kvm_hyperupcall_prog *prog)
{
	int r;

	r = xa_alloc_cyclic(&hu->progs, &prog->id, prog, XA_LIMIT(1, INT_MAX), &hu->next_prog,
			    GFP_KERNEL_ACCOUNT);
	if (r < 0)
		return r;

	hu->nr_progs++;
	hu->nr_insns += prog->insn_cnt;
	return 0;
}

/* Verifies what @bpf holds, and tells the guest what the verifier says. */
static int kvm_hyperupcall_load_insns(struct kvm_hyperupcall *hu, struct kvm_vcpu *vcpu,
				      struct hyperupcall_load *load,
				      struct bpf_hyperupcall_load *bpf)
{
	struct kvm_hyperupcall_prog *prog;
	int r, err;

	prog = kvm_hyperupcall_prog_create(hu, bpf, load->flags);
	r = PTR_ERR_OR_ZERO(prog);
	/* A log that does not fit is cut, and no reason to refuse a program. */
	err = kvm_hyperupcall_copy_log(vcpu, load, bpf);
	if (r)
		return r;

	r = err ?: kvm_hyperupcall_prog_add(hu, prog);
	if (r) {
		/* The caller has them, as after any failure. */
		prog->insns = NULL;
		kvm_hyperupcall_prog_free(prog);
		return r;
	}

	load->prog = prog->id;
	return 0;
}

static int kvm_hyperupcall_load_prog(struct kvm_hyperupcall *hu, struct kvm_vcpu *vcpu,
				     struct hyperupcall_load *load)
{
	struct bpf_hyperupcall_load bpf = {
		.insn_cnt = load->insn_cnt,
		.log_size = load->log_size,
		.log_level = load->log_level,
	};
	int r;

	if (!kvm_hyperupcall_log_valid(load))
		return -EINVAL;
	r = kvm_hyperupcall_check_prog(hu, load->name, load->insn_cnt, load->flags);
	if (r)
		return r;
	memcpy(bpf.name, load->name, sizeof(bpf.name));

	if (load->log_size) {
		bpf.log_buf = kvzalloc(load->log_size, GFP_KERNEL_ACCOUNT);
		if (!bpf.log_buf)
			return -ENOMEM;
	}

	bpf.insns = kvm_hyperupcall_copy_insns(vcpu, load);
	r = PTR_ERR_OR_ZERO(bpf.insns);
	if (!r) {
		r = kvm_hyperupcall_load_insns(hu, vcpu, load, &bpf);
		if (r)
			kvfree(bpf.insns);
	}

	kvfree(bpf.log_buf);
	return r;
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
	int r;

	lockdep_assert_held(&hu->lock);

	r = kvm_hyperupcall_load_prog(hu, vcpu, load);
	trace_kvm_hyperupcall_load(hu->kvm,
				   kvm_hyperupcall_name_valid(load->name) ? load->name : "",
				   load->insn_cnt, r ? 0 : load->prog, r);
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
	hu->nr_insns -= prog->insn_cnt;
	kvm_hyperupcall_prog_free(prog);
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
