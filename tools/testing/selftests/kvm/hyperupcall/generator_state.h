/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the generator of program_generator.h knows at one place of a program.
 */
#ifndef SELFTEST_KVM_HYPERUPCALL_GENERATOR_STATE_H
#define SELFTEST_KVM_HYPERUPCALL_GENERATOR_STATE_H

#include "fuzz_random.h"
#include "program_model.h"

#define GEN_MAX_INSNS	256
#define GEN_SLOTS	8	/* words of stack that a function uses */
#define GEN_FUNCTIONS	3

/* What the generator knows at one place of the program. */
struct gen_state {
	enum model_kind regs[10];
	enum model_kind slots[GEN_SLOTS];
};

struct gen_function {
	unsigned int call;		/* the instruction that calls it */
	enum model_kind args[5];
};

struct gen {
	struct fuzz_random random;
	/* offsets of regions in the window, to aim at */
	uint32_t offsets[MODEL_REGIONS];
	struct bpf_insn insns[GEN_MAX_INSNS];
	unsigned int cnt;
	unsigned int room;		/* instructions that may still follow */
	bool mutated;
	bool may_goto;			/* there is one */
	struct gen_state now;
	struct gen_state locked;	/* what a loop around this needs */
	unsigned int depth;		/* of branches and loops */
	unsigned int counters;		/* loops, hence R9, R8 in use */
	struct gen_function functions[GEN_FUNCTIONS];
	unsigned int nr_functions;
	unsigned int function;		/* 0 is the program itself */
};

static inline uint32_t gen_below(struct gen *g, uint32_t n)
{
	return fuzz_below(&g->random, n);
}

static inline void gen_emit(struct gen *g, struct bpf_insn insn)
{
	TEST_ASSERT(g->cnt < GEN_MAX_INSNS, "generated program too long");
	g->insns[g->cnt++] = insn;
	if (g->room)
		g->room--;
}

/* A register that holds @kind, or -1. */
static inline int gen_find(struct gen *g, enum model_kind kind)
{
	unsigned int i, start = gen_below(g, 10);

	for (i = 0; i < 10; i++) {
		if (g->now.regs[(start + i) % 10] == kind)
			return (start + i) % 10;
	}
	return -1;
}

/* A register that may come to hold @kind, or -1. */
static inline int gen_target(struct gen *g, enum model_kind kind)
{
	unsigned int i, reg, n = 10 - g->counters, start = gen_below(g, n);

	for (i = 0; i < n; i++) {
		reg = (start + i) % n;
		/* The context is worth keeping. */
		if (g->now.regs[reg] == KIND_CTX && gen_below(g, 16))
			continue;
		if (g->locked.regs[reg] == KIND_NONE ||
		    g->locked.regs[reg] == kind)
			return reg;
	}
	return -1;
}

static inline int32_t gen_imm(struct gen *g)
{
	static const int32_t imms[] = {
		0, 1, -1, 7, 8, 64, 255, -128, 0x7fff, -0x8000, 0xffff,
		INT32_MAX, INT32_MIN,
	};

	if (gen_below(g, 2))
		return imms[gen_below(g, ARRAY_SIZE(imms))];
	return fuzz_next(&g->random);
}

static inline int gen_size(struct gen *g)
{
	static const int sizes[] = { BPF_B, BPF_H, BPF_W, BPF_DW };

	return sizes[gen_below(g, 4)];
}

static inline unsigned int gen_bytes(int size)
{
	return size == BPF_B ? 1 : size == BPF_H ? 2 : size == BPF_W ? 4 : 8;
}

#endif /* SELFTEST_KVM_HYPERUPCALL_GENERATOR_STATE_H */
