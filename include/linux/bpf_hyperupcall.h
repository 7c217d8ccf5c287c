/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_BPF_HYPERUPCALL_H
#define _LINUX_BPF_HYPERUPCALL_H

#include <linux/bpf.h>
#include <linux/bpf_window.h>
#include <uapi/linux/hyperupcall.h>

/**
 * struct bpf_hyperupcall_ops - what the helpers ask of the hypervisor
 * @vcpu_state: see HYPERUPCALL_HELPER_VCPU_STATE
 * @vcpu_regs: see HYPERUPCALL_HELPER_VCPU_REGS; *@regs is zero on entry and
 *	must be on failure
 * @flush_tlb: see HYPERUPCALL_HELPER_FLUSH_TLB
 *
 * All are called in the context of the hook, which may have interrupts off.
 */
struct bpf_hyperupcall_ops {
	s64 (*vcpu_state)(void *vm, u32 vcpu);
	s64 (*vcpu_regs)(void *vm, u32 vcpu, struct hyperupcall_regs *regs);
	s64 (*flush_tlb)(void *vm, u32 vcpu);
};

/**
 * struct bpf_hyperupcall_run_ctx - one run of a program
 * @run_ctx: how the helpers find the rest
 * @ops: how the helpers are answered
 * @vm: the first argument of @ops
 * @faults: accesses that found no page in the window, counted during the run
 */
struct bpf_hyperupcall_run_ctx {
	struct bpf_run_ctx run_ctx;
	const struct bpf_hyperupcall_ops *ops;
	void *vm;
	u32 faults;
};

/**
 * struct bpf_hyperupcall_load - a program to be verified
 * @insns: its instructions, in kernel memory
 * @insn_cnt: how many
 * @max_verified_insns: how many instructions the verifier may follow
 * @max_may_goto: iterations of may_goto in one run
 * @max_run_insns: instructions that one run may take, where an access to the
 *	window and a call of a helper count for several
 * @vmm_pid: who runs the guest, for those who ask whose program it is
 * @window: the window it runs in
 * @name: its name
 * @log_buf: kernel memory for the verifier's log, or NULL
 * @log_size: size of @log_buf in bytes
 * @log_level: as in bpf(2)
 * @log_true_size: [out] bytes the whole log needs, on failure too
 */
struct bpf_hyperupcall_load {
	const struct bpf_insn *insns;
	u32 insn_cnt;
	u32 max_verified_insns;
	u32 max_may_goto;
	u32 max_run_insns;
	u32 vmm_pid;
	const struct bpf_window *window;
	char name[BPF_OBJ_NAME_LEN];
	char *log_buf;
	u32 log_size;
	u32 log_level;
	u32 log_true_size;
};

struct ratelimit_state;

void bpf_hyperupcall_allow(bool allow);
int bpf_hyperupcall_wait(struct ratelimit_state *turns);
struct bpf_prog *bpf_hyperupcall_load(struct bpf_hyperupcall_load *load);
u32 bpf_hyperupcall_run(const struct bpf_prog *prog, const struct hyperupcall_ctx *ctx,
			struct bpf_hyperupcall_run_ctx *run_ctx);

/* The helpers, for programs only. */
s64 bpf_hyperupcall_vcpu_state(u32 vcpu);
s64 bpf_hyperupcall_vcpu_regs(u32 vcpu, void *regs, u32 regs__sz);
s64 bpf_hyperupcall_flush_tlb(u32 vcpu);

#ifdef CONFIG_BPF_HYPERUPCALL
void bpf_hyperupcall_uncharge(struct bpf_prog_aux *aux);
void __bpf_hyperupcall_fault(unsigned long ip);

/**
 * bpf_hyperupcall_fault - count an access that found no page in the window
 * @ip: the faulting instruction, in any program
 *
 * Called by the JIT's exception handler, for every program.
 */
static inline void bpf_hyperupcall_fault(unsigned long ip)
{
	if (static_branch_unlikely(&bpf_window_key.key))
		__bpf_hyperupcall_fault(ip);
}
#else
static inline void bpf_hyperupcall_uncharge(struct bpf_prog_aux *aux) { }
static inline void bpf_hyperupcall_fault(unsigned long ip) { }
#endif

#endif /* _LINUX_BPF_HYPERUPCALL_H */
