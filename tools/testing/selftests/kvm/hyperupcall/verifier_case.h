/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a case of the verifier suite is: a program, and what is to come of it.
 *
 * A good program has an __retval(), or the __same() logic in C, which is then
 * compared with it on many inputs, in the value and in what is left in memory.
 * A bad one has an errno and words that have to be in the verifier's log.
 */
#ifndef SELFTEST_KVM_VERIFIER_CASE_H
#define SELFTEST_KVM_VERIFIER_CASE_H

#include "hyperupcall_util.h"

#define MAX_INSNS	48
#define MAX_BUILT_INSNS	8192
#define WORLD_WORDS	16

/* What a program sees and what the C code sees that is compared with it. */
struct world {
	const struct bpf_insn *tested;	/* of the case */
	uint64_t a;			/* first word of the event's data */
	uint64_t b;			/* second word */
	uint64_t mem[WORLD_WORDS];	/* at the offset in the seventh word */
	uint32_t result;		/* [out] */
};

struct prog_case {
	const char *name;
	struct bpf_insn insns[MAX_INSNS];
	/* writes a program that is no table, returns its length */
	unsigned int (*build)(struct bpf_insn *insns,
			      const struct bpf_insn *tested);
	struct bpf_insn tested;		/* for build() and same() */
	long err;			/* of LOAD, 0 for a good one */
	const char *msg;		/* in the log of a bad one */
	uint32_t retval;		/* of a good one, unless there is .. */
	void (*same)(struct world *w);
};

#define PROG(...)		.insns = { __VA_ARGS__ }

/*
 * A program that finds a in R0 and b in R2, of struct world, and the context
 * in R1. It returns all 64 bits of R0 in 32.
 */
#define PROG_FOLDED(...)						\
	.insns = {							\
		HUP_DATA(R0, R1, 0),					\
		HUP_DATA(R2, R1, 1),					\
		__VA_ARGS__,						\
		BPF_MOV64_REG(R1, R0),					\
		BPF_ALU64_IMM(BPF_RSH, R1, 32),				\
		BPF_ALU64_REG(BPF_XOR, R0, R1),				\
		BPF_EXIT_INSN(),					\
	}

#define __built(fn)		.build = fn

#define __retval(val)		.retval = (val)
#define __same(fn)		.same = fn
#define __failure(errno, text)	.err = -(errno), .msg = (text)

#define R0	BPF_REG_0
#define R1	BPF_REG_1
#define R2	BPF_REG_2
#define R3	BPF_REG_3
#define R4	BPF_REG_4
#define R5	BPF_REG_5
#define R6	BPF_REG_6
#define R7	BPF_REG_7
#define R8	BPF_REG_8
#define R9	BPF_REG_9
#define FP	BPF_REG_10

/* What TEST_RUN gives a program that has one return value. */
#define CTX_EVENT	HYPERUPCALL_EVENT_INTERRUPT
#define CTX_VCPU	0x12345678
#define CTX_DATA0	0x8877665544332211ULL

#define REGS_SIZE	sizeof(struct hyperupcall_regs)

#define CALL_KFUNC(imm)	\
	BPF_RAW_INSN(BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_KFUNC_CALL, 0, imm)
#define CALL_NUMBER(imm) BPF_RAW_INSN(BPF_JMP | BPF_CALL, 0, 0, 0, imm)
#define LDX_SX(size, dst, src, off)	\
	BPF_RAW_INSN(BPF_LDX | BPF_MEMSX | (size), dst, src, off, 0)
#define GOTOL(off)	BPF_RAW_INSN(BPF_JMP32 | BPF_JA, 0, 0, 0, off)

/* One word of the room for struct hyperupcall_regs below FP. */
#define CLEAR(n)	BPF_ST_MEM(BPF_DW, FP, -8 * (n), 0)

/* Loads a scalar that the verifier knows nothing of. */
#define UNKNOWN(reg)	HUP_DATA(reg, R1, 0)

/* What PROG_FOLDED() returns. */
static inline uint32_t folded(uint64_t x)
{
	return x ^ x >> 32;
}

/* The logic of a program that has no effect but its result. */
#define LOGIC(fn, expr)							\
static void fn(struct world *w)						\
{									\
	uint64_t a __maybe_unused = w->a;				\
	uint64_t b __maybe_unused = w->b;				\
	uint64_t *m __maybe_unused = w->mem;				\
									\
	w->result = folded(expr);					\
}

#endif /* SELFTEST_KVM_VERIFIER_CASE_H */
