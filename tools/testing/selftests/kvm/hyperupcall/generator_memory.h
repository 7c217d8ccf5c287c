/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Random accesses to the window, the stack and the context.
 */
#ifndef SELFTEST_KVM_HYPERUPCALL_GENERATOR_MEMORY_H
#define SELFTEST_KVM_HYPERUPCALL_GENERATOR_MEMORY_H

#include "generator_arithmetic.h"

/* A window pointer: into a region, near its edges, or anywhere. */
static inline int gen_pointer(struct gen *g)
{
	int dst = gen_target(g, KIND_WINDOW), src;
	uint32_t offset;

	if (dst < 0)
		return -1;
	src = gen_find(g, KIND_SCALAR);
	if (src >= 0 && !gen_below(g, 8)) {
		gen_emit(g, HUP_WINDOW(dst, src));
	} else {
		offset = g->offsets[gen_below(g, MODEL_REGIONS)] +
			 gen_below(g, 4096);
		if (!gen_below(g, 4))
			offset = (offset & -4096) + gen_below(g, 32) - 16;
		else if (!gen_below(g, 16))
			offset = gen_below(g, 32) - 16;
		gen_emit(g, BPF_MOV32_IMM(dst, offset));
		gen_emit(g, HUP_WINDOW(dst, dst));
	}
	g->now.regs[dst] = KIND_WINDOW;
	return dst;
}

static inline int gen_some_pointer(struct gen *g)
{
	int reg = gen_find(g, KIND_WINDOW);

	return reg < 0 || !gen_below(g, 3) ? gen_pointer(g) : reg;
}

static inline void gen_pointer_alu(struct gen *g)
{
	int dst = gen_writable(g, KIND_WINDOW), src, n = 3;

	if (dst < 0)
		return;
	src = gen_find(g, KIND_WINDOW);
	if (src == dst)
		n = 2;
	switch (gen_below(g, n)) {
	case 0:
		gen_emit(g, BPF_ALU64_IMM(BPF_ADD, dst, gen_below(g, 64)));
		break;
	case 1:
		gen_operation(g, dst);
		break;
	case 2:
		gen_emit(g, BPF_ALU64_REG(BPF_SUB, dst, src));
	}
}

static inline int gen_offset(struct gen *g)
{
	if (!gen_below(g, 16))
		return (int16_t)fuzz_next(&g->random);
	return gen_below(g, 96) - 32;
}

static inline void gen_window_load(struct gen *g)
{
	int src = gen_some_pointer(g), dst = gen_target(g, KIND_SCALAR);

	if (src < 0 || dst < 0)
		return;
	gen_emit(g, BPF_LDX_MEM(gen_size(g), dst, src, gen_offset(g)));
	g->now.regs[dst] = KIND_SCALAR;
}

static inline void gen_window_store(struct gen *g)
{
	int dst = gen_some_pointer(g), src;

	if (dst < 0)
		return;
	src = gen_find(g, gen_below(g, 8) ? KIND_SCALAR : KIND_WINDOW);
	if (src < 0 || !gen_below(g, 4))
		gen_emit(g, BPF_ST_MEM(gen_size(g), dst, gen_offset(g),
				       gen_imm(g)));
	else
		gen_emit(g, BPF_STX_MEM(gen_size(g), dst, src, gen_offset(g)));
}

static inline void gen_atomic_at(struct gen *g, int dst, int off, int size,
				 bool window)
{
	static const int ops[] = {
		BPF_ADD, BPF_AND, BPF_OR, BPF_XOR,
		BPF_ADD | BPF_FETCH, BPF_XCHG, BPF_CMPXCHG,
		/* not in the window */
		BPF_AND | BPF_FETCH, BPF_OR | BPF_FETCH, BPF_XOR | BPF_FETCH,
	};
	int op = ops[gen_below(g, window ? 7 : 10)];
	bool fetch = op & BPF_FETCH;
	int src = fetch ? gen_writable(g, KIND_SCALAR) :
			  gen_find(g, gen_below(g, 8) ? KIND_SCALAR :
							KIND_WINDOW);

	if (src < 0 || (op == BPF_CMPXCHG && g->now.regs[0] != KIND_SCALAR))
		return;
	/* A comparison of halves that succeeds, with something in the other half. */
	if (op == BPF_CMPXCHG && size == BPF_W && gen_below(g, 2))
		gen_emit(g, BPF_LDX_MEM(BPF_DW, BPF_REG_0, dst, off));
	gen_emit(g, BPF_ATOMIC_OP(size, op, dst, src, off));
}

static inline void gen_window_atomic(struct gen *g)
{
	int dst = gen_some_pointer(g), size = gen_below(g, 2) ? BPF_W : BPF_DW;

	if (dst >= 0)
		gen_atomic_at(g, dst, gen_offset(g) & -gen_bytes(size), size,
			      true);
}

static inline void gen_ctx_load(struct gen *g)
{
	int src = gen_find(g, KIND_CTX), dst = gen_target(g, KIND_SCALAR);
	int size = gen_size(g), mode = BPF_MEM;

	if (src < 0 || dst < 0 || dst == src)
		return;
	if (size != BPF_DW && !gen_below(g, 4))
		mode = BPF_MEMSX;
	gen_emit(g, BPF_RAW_INSN(BPF_LDX | mode | size, dst, src,
				 gen_below(g, 64) & -gen_bytes(size), 0));
	g->now.regs[dst] = KIND_SCALAR;
}

/* The stack: slot n is the word at -8 * (n + 1). */

static inline void gen_spill(struct gen *g)
{
	static const enum model_kind kinds[] = {
		KIND_SCALAR, KIND_SCALAR, KIND_SCALAR, KIND_WINDOW, KIND_CTX,
	};
	enum model_kind kind = kinds[gen_below(g, ARRAY_SIZE(kinds))];
	int slot = gen_below(g, GEN_SLOTS), src = gen_find(g, kind);
	int size = BPF_DW, off = -8 * (slot + 1);

	if (g->locked.slots[slot] != KIND_NONE &&
	    g->locked.slots[slot] != kind)
		return;
	/* Into a number any part may be written. */
	if (kind == KIND_SCALAR && g->now.slots[slot] == KIND_SCALAR) {
		size = gen_size(g);
		off += gen_below(g, 8) & -gen_bytes(size);
	}
	if (src >= 0)
		gen_emit(g, BPF_STX_MEM(size, BPF_REG_FP, src, off));
	else if (kind == KIND_SCALAR)
		gen_emit(g, BPF_ST_MEM(size, BPF_REG_FP, off, gen_imm(g)));
	else
		return;
	g->now.slots[slot] = kind;
}

static inline int gen_find_slot(struct gen *g)
{
	unsigned int i, start = gen_below(g, GEN_SLOTS);

	for (i = 0; i < GEN_SLOTS; i++) {
		if (g->now.slots[(start + i) % GEN_SLOTS] != KIND_NONE)
			return (start + i) % GEN_SLOTS;
	}
	return -1;
}

static inline void gen_fill(struct gen *g)
{
	int slot = gen_find_slot(g), size = BPF_DW, mode = BPF_MEM, off, dst;

	if (slot < 0)
		return;
	dst = gen_target(g, g->now.slots[slot]);
	off = -8 * (slot + 1);
	if (dst < 0)
		return;
	if (g->now.slots[slot] == KIND_SCALAR) {
		size = gen_size(g);
		off += gen_below(g, 8) & -gen_bytes(size);
		if (size != BPF_DW && !gen_below(g, 4))
			mode = BPF_MEMSX;
	}
	gen_emit(g, BPF_RAW_INSN(BPF_LDX | mode | size, dst, BPF_REG_FP, off,
				 0));
	g->now.regs[dst] = g->now.slots[slot];
}

static inline void gen_stack_atomic(struct gen *g)
{
	int slot = gen_find_slot(g), size = gen_below(g, 2) ? BPF_W : BPF_DW;

	if (slot >= 0 && g->now.slots[slot] == KIND_SCALAR)
		gen_atomic_at(g, BPF_REG_FP, -8 * (slot + 1), size, false);
}

/* A pointer to a word of a caller's stack that holds a number. */
static inline void gen_caller_stack(struct gen *g)
{
	int ptr = gen_find(g, KIND_STACK), size = gen_size(g), reg;
	int off = gen_below(g, 8) & -gen_bytes(size);

	if (ptr < 0)
		return;
	switch (gen_below(g, 3)) {
	case 0:
		reg = gen_target(g, KIND_SCALAR);
		if (reg < 0)
			return;
		gen_emit(g, BPF_LDX_MEM(size, reg, ptr, off));
		g->now.regs[reg] = KIND_SCALAR;
		break;
	case 1:
		reg = gen_find(g, KIND_SCALAR);
		if (reg >= 0)
			gen_emit(g, BPF_STX_MEM(size, ptr, reg, off));
		else
			gen_emit(g, BPF_ST_MEM(size, ptr, off, gen_imm(g)));
		break;
	case 2:
		gen_atomic_at(g, ptr, 0, gen_below(g, 2) ? BPF_W : BPF_DW,
			      false);
		break;
	}
}

#endif /* SELFTEST_KVM_HYPERUPCALL_GENERATOR_MEMORY_H */
