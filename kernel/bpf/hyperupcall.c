// SPDX-License-Identifier: GPL-2.0-only
/*
 * Programs that a guest gives to its hypervisor: BPF_PROG_TYPE_HYPERUPCALL.
 *
 * The author is the guest, the loader is one of the threads of its VMM. What
 * that thread may do says nothing about what the program may do, therefore
 * every program is verified as an unprivileged one. A program names nothing of
 * the host: it calls helpers by stable numbers, which become kfunc calls here
 * before the verifier sees them, and reaches guest memory through a window.
 */
#include <linux/bpf_hyperupcall.h>
#include <linux/bpf_verifier.h>
#include <linux/bpf_window.h>
#include <linux/btf.h>
#include <linux/btf_ids.h>
#include <linux/filter.h>
#include <linux/nospec.h>
#include <linux/ratelimit.h>
#include <linux/sched/user.h>
#include <asm/extable.h>

#include "user_share.h"

bool bpf_hyperupcall_allowed __read_mostly;

/**
 * bpf_hyperupcall_allow - guests may load programs, or may no longer
 * @allow: whether they may
 *
 * Where unprivileged users should not load programs, because of what the CPU's
 * predictors make of them, neither should guests: the kernel warns and reports in
 * both cases.
 */
void bpf_hyperupcall_allow(bool allow)
{
	WRITE_ONCE(bpf_hyperupcall_allowed, allow);
	if (allow)
		unpriv_ebpf_notify(0);
}
EXPORT_SYMBOL_GPL(bpf_hyperupcall_allow);

static struct bpf_hyperupcall_run_ctx *hyperupcall_run_ctx(void)
{
	return container_of(current->bpf_ctx, struct bpf_hyperupcall_run_ctx, run_ctx);
}

__bpf_kfunc_start_defs();

__bpf_kfunc s64 bpf_hyperupcall_vcpu_state(u32 vcpu)
{
	struct bpf_hyperupcall_run_ctx *run_ctx = hyperupcall_run_ctx();

	return run_ctx->ops->vcpu_state(run_ctx->vm, vcpu);
}

__bpf_kfunc s64 bpf_hyperupcall_vcpu_regs(u32 vcpu, void *regs, u32 regs__sz)
{
	struct bpf_hyperupcall_run_ctx *run_ctx = hyperupcall_run_ctx();
	struct hyperupcall_regs copy = {};
	s64 ret;

	/*
	 * The buffer is on the program's stack, and as large as the verifier
	 * thinks: write all of one size, or nothing. The barrier is for a CPU that
	 * mispredicts a branch, one of the program's or the one here.
	 */
	if (regs__sz != sizeof(copy))
		return -EINVAL;

	ret = run_ctx->ops->vcpu_regs(run_ctx->vm, vcpu, &copy);
	barrier_nospec();
	memcpy(regs, &copy, sizeof(copy));
	/* A load of the program that bypasses these stores would find older ones. */
	barrier_nospec();
	return ret;
}

__bpf_kfunc s64 bpf_hyperupcall_flush_tlb(u32 vcpu)
{
	struct bpf_hyperupcall_run_ctx *run_ctx = hyperupcall_run_ctx();

	return run_ctx->ops->flush_tlb(run_ctx->vm, vcpu);
}

__bpf_kfunc_end_defs();

BTF_KFUNCS_START(hyperupcall_kfunc_ids)
BTF_ID_FLAGS(func, bpf_hyperupcall_vcpu_state)
BTF_ID_FLAGS(func, bpf_hyperupcall_vcpu_regs)
BTF_ID_FLAGS(func, bpf_hyperupcall_flush_tlb)
BTF_KFUNCS_END(hyperupcall_kfunc_ids)

static const struct btf_kfunc_id_set hyperupcall_kfunc_set = {
	.owner	= THIS_MODULE,
	.set	= &hyperupcall_kfunc_ids,
};

/* In the order of enum hyperupcall_helper. */
BTF_ID_LIST(hyperupcall_helper_ids)
BTF_ID_UNUSED
BTF_ID(func, bpf_hyperupcall_vcpu_state)
BTF_ID(func, bpf_hyperupcall_vcpu_regs)
BTF_ID(func, bpf_hyperupcall_flush_tlb)

static bool hyperupcall_is_valid_access(int off, int size, enum bpf_access_type type,
					const struct bpf_prog *prog,
					struct bpf_insn_access_aux *info)
{
	if (type != BPF_READ)
		return false;
	if (off < 0 || off + size > sizeof(struct hyperupcall_ctx))
		return false;

	return off % size == 0;
}

static const struct bpf_func_proto *
hyperupcall_get_func_proto(enum bpf_func_id func_id, const struct bpf_prog *prog)
{
	return NULL;
}

const struct bpf_verifier_ops hyperupcall_verifier_ops = {
	.get_func_proto		= hyperupcall_get_func_proto,
	.is_valid_access	= hyperupcall_is_valid_access,
};

const struct bpf_prog_ops hyperupcall_prog_ops = {
};

/* What the verifier did not get to see is in its log all the same. */
static int hyperupcall_refuse(struct bpf_hyperupcall_load *load, u32 insn, const char *why)
{
	int n = snprintf(load->log_buf, load->log_size, "%u: %s not allowed\n", insn, why);

	load->log_true_size = n + 1;
	return -EINVAL;
}

static int hyperupcall_resolve_call(struct bpf_hyperupcall_load *load, struct bpf_prog *prog, u32 i)
{
	struct bpf_insn *insn = &prog->insnsi[i];

	if (insn->src_reg == BPF_PSEUDO_CALL)
		return 0;
	if (insn->src_reg || insn->off)
		return hyperupcall_refuse(load, i, "calling kernel functions is");

	/* The verifier has the words for a helper that is none of ours. */
	if (insn->imm <= HYPERUPCALL_HELPER_NONE || insn->imm >= __HYPERUPCALL_HELPER_MAX)
		return 0;

	insn->src_reg = BPF_PSEUDO_KFUNC_CALL;
	insn->imm = hyperupcall_helper_ids[array_index_nospec(insn->imm,
							      __HYPERUPCALL_HELPER_MAX)];
	return 0;
}

/* Turns the guest's instructions into the kernel's. */
static int hyperupcall_resolve(struct bpf_hyperupcall_load *load, struct bpf_prog *prog)
{
	int err = 0;
	u32 i;

	for (i = 0; i < prog->len && !err; i++) {
		struct bpf_insn *insn = &prog->insnsi[i];

		if (insn->code == (BPF_JMP | BPF_CALL)) {
			err = hyperupcall_resolve_call(load, prog, i);
		} else if (insn->code == (BPF_LD | BPF_IMM | BPF_DW)) {
			if (insn->src_reg)
				err = hyperupcall_refuse(load, i, "an object of the kernel is");
			i++;
		}
	}

	return err;
}

static struct bpf_prog *hyperupcall_alloc(const struct bpf_hyperupcall_load *load)
{
	struct bpf_prog *prog;

	prog = bpf_prog_alloc(bpf_prog_size(load->insn_cnt), GFP_USER);
	if (!prog)
		return NULL;

	prog->len = load->insn_cnt;
	memcpy(prog->insnsi, load->insns, bpf_prog_insn_size(prog));
	prog->gpl_compatible = 1;
	prog->blinding_requested = 1;
	prog->aux->strict = true;
	prog->aux->max_verified_insns = load->max_verified_insns;
	prog->aux->max_may_goto = load->max_may_goto;
	prog->aux->max_run_insns = load->max_run_insns;
	prog->aux->window_start = bpf_window_start(load->window);
	prog->aux->vmm_pid = load->vmm_pid;
	prog->aux->user = get_current_user();
	atomic64_set(&prog->aux->refcnt, 1);
	return prog;
}

static int hyperupcall_wait_for(struct ratelimit_state *turns)
{
	ratelimit_set_flags(turns, RATELIMIT_MSG_ON_RELEASE);
	while (!__ratelimit(turns)) {
		if (signal_pending(current))
			return -EAGAIN;
		schedule_timeout_interruptible(1);
	}

	return 0;
}

/**
 * bpf_hyperupcall_wait - wait until a program may be loaded
 * @turns: how often the guest may load one
 *
 * Where the text of a program was another one's, all CPUs flush their branch
 * predictors: all guests together do that 100 times a second at most, and one of
 * them as often as @turns says, so that it leaves some to the others. On CPUs that
 * flush nothing there is nothing to wait for.
 *
 * Sleeps. Return: zero, or -EAGAIN with a signal pending.
 */
int bpf_hyperupcall_wait(struct ratelimit_state *turns)
{
	static DEFINE_RATELIMIT_STATE(all_turns, HZ, 100);
	int err;

	if (!static_branch_unlikely(&bpf_pred_flush_enabled))
		return 0;

	err = hyperupcall_wait_for(turns);
	return err ?: hyperupcall_wait_for(&all_turns);
}
EXPORT_SYMBOL_GPL(bpf_hyperupcall_wait);

/* Bytes of machine code of guests' programs. */
static struct bpf_user_share hyperupcall_text = BPF_USER_SHARE_INIT(hyperupcall_text);

static u32 hyperupcall_func_size(const struct bpf_prog *func)
{
	u32 extable = func->aux->num_exentries * sizeof(struct exception_table_entry);

	/* The JIT allocates in chunks of 64 bytes. */
	return round_up(sizeof(struct bpf_binary_header) + func->jited_len + extable, 64);
}

/*
 * Takes a program's machine code from guests' part of the limit, which is a half:
 * the other one is for the host's filters, which must be compiled or fail.
 */
static bool hyperupcall_charge(struct bpf_prog *prog)
{
	u32 i, size = hyperupcall_func_size(prog);

	for (i = 1; i < prog->aux->real_func_cnt; i++)
		size += hyperupcall_func_size(prog->aux->func[i]);
	if (!bpf_user_share_charge(&hyperupcall_text, prog->aux->user->uid, size,
				   READ_ONCE(bpf_jit_limit) / 2))
		return false;

	prog->aux->guest_text = size;
	return true;
}

/**
 * bpf_hyperupcall_uncharge - a program is freed
 * @aux: of any program
 */
void bpf_hyperupcall_uncharge(struct bpf_prog_aux *aux)
{
	if (aux->guest_text)
		bpf_user_share_uncharge(&hyperupcall_text, aux->user->uid, aux->guest_text);
}

/**
 * bpf_hyperupcall_load - verify and compile a guest's program
 * @load: the program
 *
 * May sleep. The window must outlive the program's last run. The caller has been to
 * bpf_hyperupcall_wait().
 *
 * Return: the program with one reference for bpf_prog_put(), or an ERR_PTR(),
 * among them -EOPNOTSUPP without a JIT and the verifier's own.
 */
struct bpf_prog *bpf_hyperupcall_load(struct bpf_hyperupcall_load *load)
{
	struct bpf_prog *prog;
	union bpf_attr attr;
	int err;

	load->log_true_size = 0;
	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_HYPERUPCALL;
	attr.insn_cnt = load->insn_cnt;
	attr.log_level = load->log_level;
	attr.log_buf = (unsigned long)load->log_buf;
	attr.log_size = load->log_size;
	memcpy(attr.prog_name, load->name, sizeof(attr.prog_name));

	prog = hyperupcall_alloc(load);
	if (!prog)
		return ERR_PTR(-ENOMEM);

	err = prog->jit_requested ? hyperupcall_resolve(load, prog) : -EOPNOTSUPP;
	if (err) {
		free_uid(prog->aux->user);
		bpf_prog_free(prog);
		return ERR_PTR(err);
	}

	prog = bpf_prog_load_finish(prog, BPF_PROG_TYPE_HYPERUPCALL, &attr,
				    KERNEL_BPFPTR(&attr), sizeof(attr));
	load->log_true_size = attr.log_true_size;
	if (!IS_ERR(prog) &&
	    (!prog->jited || !hyperupcall_charge(prog) || bpf_jit_over_limit())) {
		/* The JIT is there, but has no room, or none for a guest. */
		bpf_prog_put(prog);
		return ERR_PTR(-ENOMEM);
	}

	return prog;
}
EXPORT_SYMBOL_GPL(bpf_hyperupcall_load);

/**
 * bpf_hyperupcall_run - run a guest's program
 * @prog: the program
 * @ctx: what it is called with
 * @run_ctx: what its helpers see
 *
 * The caller holds the RCU read lock and has migration disabled.
 *
 * Return: what the program returned.
 */
u32 bpf_hyperupcall_run(const struct bpf_prog *prog, const struct hyperupcall_ctx *ctx,
			struct bpf_hyperupcall_run_ctx *run_ctx)
{
	struct bpf_run_ctx *old = bpf_set_run_ctx(&run_ctx->run_ctx);
	u32 ret = bpf_prog_run(prog, ctx);

	bpf_reset_run_ctx(old);
	return ret;
}
EXPORT_SYMBOL_GPL(bpf_hyperupcall_run);

/**
 * __bpf_hyperupcall_fault - the second half of bpf_hyperupcall_fault()
 * @ip: the faulting instruction, in any program
 */
void __bpf_hyperupcall_fault(unsigned long ip)
{
	struct bpf_prog *prog;

	guard(rcu)();
	prog = bpf_prog_ksym_find(ip);
	if (prog && prog->type == BPF_PROG_TYPE_HYPERUPCALL)
		hyperupcall_run_ctx()->faults++;
}

static int __init bpf_hyperupcall_init(void)
{
	BUILD_BUG_ON(sizeof(struct hyperupcall_ctx) != 64);
	return register_btf_kfunc_id_set(BPF_PROG_TYPE_HYPERUPCALL, &hyperupcall_kfunc_set);
}
late_initcall(bpf_hyperupcall_init);
