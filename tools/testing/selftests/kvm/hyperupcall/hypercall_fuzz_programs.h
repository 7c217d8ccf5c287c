/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The programs that the hypercall fuzzer starts from: small ones of every
 * kind, and some that the verifier refuses. An instruction whose imm is
 * FUZZ_OFFSET gets the offset of a region when the program is used.
 */
#ifndef SELFTEST_KVM_HYPERUPCALL_HYPERCALL_FUZZ_PROGRAMS_H
#define SELFTEST_KVM_HYPERUPCALL_HYPERCALL_FUZZ_PROGRAMS_H

#include "hyperupcall_util.h"

#define FUZZ_OFFSET	0x0ff5e700

#define FUZZ_MAX_INSNS	24

/* It ends where only zeros follow. */
struct fuzz_program {
	struct bpf_insn insns[FUZZ_MAX_INSNS];
};

#define FUZZ_CTX(dst, field)						\
	BPF_LDX_MEM(BPF_W, dst, BPF_REG_1,				\
		    offsetof(struct hyperupcall_ctx, field))

/* reg = the offset of a region; HUP_WINDOW makes it an address */
#define FUZZ_REGION(reg)	BPF_MOV32_IMM(reg, FUZZ_OFFSET)

static const struct fuzz_program fuzz_programs[] = {
	/* Every answer. */
	{ .insns = { BPF_MOV64_IMM(BPF_REG_0, 0), BPF_EXIT_INSN() } },
	{ .insns = { BPF_MOV64_IMM(BPF_REG_0, 1), BPF_EXIT_INSN() } },
	{ .insns = { BPF_MOV64_IMM(BPF_REG_0, 2), BPF_EXIT_INSN() } },
	{ .insns = { BPF_MOV64_IMM(BPF_REG_0, -1), BPF_EXIT_INSN() } },

	/* The event. */
	{ .insns = { FUZZ_CTX(BPF_REG_0, interrupt.vector), BPF_EXIT_INSN() } },
	{ .insns = {
		FUZZ_CTX(BPF_REG_2, interrupt.target_state),
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_JMP_IMM(BPF_JNE, BPF_REG_2, HYPERUPCALL_VCPU_RUNNING, 1),
		BPF_MOV64_IMM(BPF_REG_0, HYPERUPCALL_CONSUMED),
		BPF_EXIT_INSN(),
	} },

	/* Memory, mapped and not. */
	{ .insns = {
		FUZZ_REGION(BPF_REG_2),
		HUP_WINDOW(BPF_REG_2, BPF_REG_2),
		BPF_MOV64_IMM(BPF_REG_3, 1),
		BPF_ATOMIC_OP(BPF_DW, BPF_ADD, BPF_REG_2, BPF_REG_3, 8),
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(),
	} },
	{ .insns = {
		FUZZ_REGION(BPF_REG_2),
		HUP_WINDOW(BPF_REG_2, BPF_REG_2),
		BPF_LDX_MEM(BPF_W, BPF_REG_0, BPF_REG_2, 16),
		BPF_STX_MEM(BPF_H, BPF_REG_2, BPF_REG_0, 32),
		BPF_EXIT_INSN(),
	} },
	{ .insns = {
		FUZZ_REGION(BPF_REG_2),
		HUP_WINDOW(BPF_REG_2, BPF_REG_2),
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_MOV64_IMM(BPF_REG_3, 7),
		BPF_ATOMIC_OP(BPF_DW, BPF_CMPXCHG, BPF_REG_2, BPF_REG_3, 64),
		BPF_ATOMIC_OP(BPF_W, BPF_XCHG, BPF_REG_2, BPF_REG_3, 72),
		BPF_ATOMIC_OP(BPF_DW, BPF_OR | BPF_FETCH, BPF_REG_2, BPF_REG_3,
			      80),
		BPF_EXIT_INSN(),
	} },
	{ .insns = {
		HUP_DATA(BPF_REG_2, BPF_REG_1, 0),
		HUP_WINDOW(BPF_REG_2, BPF_REG_2),
		BPF_LDX_MEM(BPF_DW, BPF_REG_0, BPF_REG_2, 0),
		BPF_EXIT_INSN(),
	} },
	{ .insns = {
		HUP_DATA(BPF_REG_2, BPF_REG_1, 0),
		HUP_DATA(BPF_REG_3, BPF_REG_1, 1),
		HUP_WINDOW(BPF_REG_2, BPF_REG_2),
		BPF_STX_MEM(BPF_B, BPF_REG_2, BPF_REG_3, -1),
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(),
	} },
	/* Through a pointer that is in guest memory. */
	{ .insns = {
		FUZZ_REGION(BPF_REG_2),
		HUP_WINDOW(BPF_REG_2, BPF_REG_2),
		BPF_LDX_MEM(BPF_W, BPF_REG_2, BPF_REG_2, 0),
		HUP_WINDOW(BPF_REG_2, BPF_REG_2),
		BPF_LDX_MEM(BPF_DW, BPF_REG_0, BPF_REG_2, 0),
		BPF_EXIT_INSN(),
	} },

	/* Helpers. */
	{ .insns = {
		FUZZ_CTX(BPF_REG_1, interrupt.target),
		HUP_CALL(VCPU_STATE),
		BPF_EXIT_INSN(),
	} },
	{ .insns = {
		FUZZ_CTX(BPF_REG_1, interrupt.target),
		HUP_CALL(FLUSH_TLB),
		BPF_MOV64_REG(BPF_REG_2, BPF_REG_0),
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_JMP_IMM(BPF_JNE, BPF_REG_2, 1, 1),
		BPF_MOV64_IMM(BPF_REG_0, HYPERUPCALL_CONSUMED),
		BPF_EXIT_INSN(),
	} },
	{ .insns = {
		FUZZ_CTX(BPF_REG_1, interrupt.target),
		BPF_MOV64_REG(BPF_REG_2, BPF_REG_10),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_2, -40),
		BPF_ST_MEM(BPF_DW, BPF_REG_10, -40, 0),
		BPF_ST_MEM(BPF_DW, BPF_REG_10, -32, 0),
		BPF_ST_MEM(BPF_DW, BPF_REG_10, -24, 0),
		BPF_ST_MEM(BPF_DW, BPF_REG_10, -16, 0),
		BPF_ST_MEM(BPF_DW, BPF_REG_10, -8, 0),
		BPF_MOV64_IMM(BPF_REG_3, 40),
		HUP_CALL(VCPU_REGS),
		BPF_LDX_MEM(BPF_DW, BPF_REG_3, BPF_REG_10, -40),
		FUZZ_REGION(BPF_REG_2),
		HUP_WINDOW(BPF_REG_2, BPF_REG_2),
		BPF_STX_MEM(BPF_DW, BPF_REG_2, BPF_REG_3, 128),
		BPF_EXIT_INSN(),
	} },

	/* Loops and functions. */
	{ .insns = {
		BPF_MOV64_IMM(BPF_REG_0, 0),
		HUP_MAY_GOTO(2),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_0, 1),
		BPF_JMP_A(-3),
		BPF_EXIT_INSN(),
	} },
	{ .insns = {
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_0, 1),
		BPF_JMP_IMM(BPF_JLT, BPF_REG_0, 16, -2),
		BPF_EXIT_INSN(),
	} },
	{ .insns = {
		FUZZ_CTX(BPF_REG_1, vcpu),
		BPF_RAW_INSN(BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_CALL, 0, 1),
		BPF_EXIT_INSN(),
		BPF_MOV64_REG(BPF_REG_0, BPF_REG_1),
		BPF_ALU64_IMM(BPF_AND, BPF_REG_0, 3),
		BPF_EXIT_INSN(),
	} },

	/* Refused: */
	/* no exit */
	{ .insns = { BPF_MOV64_IMM(BPF_REG_0, 0) } },
	/* a register that nobody wrote */
	{ .insns = { BPF_MOV64_REG(BPF_REG_0, BPF_REG_7), BPF_EXIT_INSN() } },
	/* pointers as results */
	{ .insns = { BPF_MOV64_REG(BPF_REG_0, BPF_REG_10), BPF_EXIT_INSN() } },
	{ .insns = { BPF_MOV64_REG(BPF_REG_0, BPF_REG_1), BPF_EXIT_INSN() } },
	/* a pointer in guest memory */
	{ .insns = {
		FUZZ_REGION(BPF_REG_2),
		HUP_WINDOW(BPF_REG_2, BPF_REG_2),
		BPF_STX_MEM(BPF_DW, BPF_REG_2, BPF_REG_10, 0),
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(),
	} },
	/* endless */
	{ .insns = {
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_JMP_A(-1),
		BPF_EXIT_INSN(),
	} },
	/* beyond the stack, and stack that nobody wrote */
	{ .insns = {
		BPF_ST_MEM(BPF_DW, BPF_REG_10, -520, 0),
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(),
	} },
	{ .insns = {
		BPF_LDX_MEM(BPF_DW, BPF_REG_0, BPF_REG_10, -8),
		BPF_EXIT_INSN(),
	} },
	/* the event is read-only, and ends somewhere */
	{ .insns = {
		BPF_ST_MEM(BPF_W, BPF_REG_1, 0, 0),
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(),
	} },
	{ .insns = {
		BPF_LDX_MEM(BPF_W, BPF_REG_0, BPF_REG_1, 64),
		BPF_EXIT_INSN(),
	} },
	/* objects of the kernel: a map, a function, a helper of others */
	{ .insns = {
		BPF_RAW_INSN(BPF_LD | BPF_IMM | BPF_DW, BPF_REG_1,
			     BPF_PSEUDO_MAP_FD, 0, 3),
		BPF_RAW_INSN(0, 0, 0, 0, 0),
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(),
	} },
	{ .insns = {
		BPF_RAW_INSN(BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_KFUNC_CALL, 0,
			     1000),
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(),
	} },
	{ .insns = {
		BPF_RAW_INSN(BPF_JMP | BPF_CALL, 0, 0, 0, 14),
		BPF_EXIT_INSN(),
	} },
};

static inline uint32_t fuzz_program_len(const struct fuzz_program *p)
{
	uint32_t n = FUZZ_MAX_INSNS;

	while (!p->insns[n - 1].code)
		n--;
	return n;
}

#endif /* SELFTEST_KVM_HYPERUPCALL_HYPERCALL_FUZZ_PROGRAMS_H */
