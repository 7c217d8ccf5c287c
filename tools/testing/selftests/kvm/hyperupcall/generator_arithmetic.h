/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Random arithmetic.
 */
#ifndef SELFTEST_KVM_HYPERUPCALL_GENERATOR_ARITHMETIC_H
#define SELFTEST_KVM_HYPERUPCALL_GENERATOR_ARITHMETIC_H

#include "generator_state.h"

static inline void gen_constant(struct gen *g)
{
	int reg = gen_target(g, KIND_SCALAR);

	if (reg < 0)
		return;
	if (!gen_below(g, 4)) {
		uint64_t v = fuzz_next(&g->random);
		const struct bpf_insn insns[] = { BPF_LD_IMM64(reg, v) };

		gen_emit(g, insns[0]);
		gen_emit(g, insns[1]);
	} else if (gen_below(g, 2)) {
		gen_emit(g, BPF_MOV64_IMM(reg, gen_imm(g)));
	} else {
		gen_emit(g, BPF_MOV32_IMM(reg, gen_imm(g)));
	}
	g->now.regs[reg] = KIND_SCALAR;
}

static inline void gen_mov(struct gen *g)
{
	static const int widths[] = { 0, 8, 16, 32 };
	int src = gen_find(g, KIND_SCALAR), dst = gen_target(g, KIND_SCALAR);
	bool alu64 = gen_below(g, 2);

	if (src < 0 || dst < 0)
		return;
	gen_emit(g, BPF_RAW_INSN((alu64 ? BPF_ALU64 : BPF_ALU) | BPF_MOV |
				 BPF_X, dst, src,
				 widths[gen_below(g, alu64 ? 4 : 3)], 0));
	g->now.regs[dst] = KIND_SCALAR;
}

/* One operation on @dst, whatever it is, with a number. */
static inline void gen_operation(struct gen *g, int dst)
{
	static const int ops[] = {
		BPF_ADD, BPF_SUB, BPF_MUL, BPF_OR, BPF_AND, BPF_XOR,
		BPF_LSH, BPF_RSH, BPF_ARSH, BPF_DIV, BPF_MOD,
	};
	int op = ops[gen_below(g, ARRAY_SIZE(ops))];
	int class = gen_below(g, 2) ? BPF_ALU64 : BPF_ALU;
	bool shift = op == BPF_LSH || op == BPF_RSH || op == BPF_ARSH;
	int off = (op == BPF_DIV || op == BPF_MOD) && gen_below(g, 2);
	int src = gen_find(g, KIND_SCALAR), imm;

	if (src >= 0 && gen_below(g, 2)) {
		gen_emit(g, BPF_RAW_INSN(class | op | BPF_X, dst, src, off, 0));
		return;
	}
	imm = gen_imm(g);
	if (shift)
		imm &= class == BPF_ALU64 ? 63 : 31;
	if (!imm && (op == BPF_DIV || op == BPF_MOD))
		imm = 3;
	gen_emit(g, BPF_RAW_INSN(class | op | BPF_K, dst, 0, off, imm));
}

static inline int gen_writable(struct gen *g, enum model_kind kind)
{
	int reg = gen_find(g, kind);

	return reg >= 10 - (int)g->counters ? -1 : reg;
}

static inline void gen_alu(struct gen *g)
{
	static const int swaps[] = { 16, 32, 64 };
	int dst = gen_writable(g, KIND_SCALAR);

	if (dst < 0) {
		gen_constant(g);
		return;
	}
	switch (gen_below(g, 10)) {
	case 0:
		gen_emit(g, BPF_RAW_INSN((gen_below(g, 2) ? BPF_ALU64 : BPF_ALU)
					 | BPF_NEG, dst, 0, 0, 0));
		break;
	case 1:
		gen_emit(g, BPF_RAW_INSN(BPF_ALU | BPF_END |
					 (gen_below(g, 2) ? BPF_TO_BE :
							    BPF_TO_LE),
					 dst, 0, 0, swaps[gen_below(g, 3)]));
		break;
	case 2:
		gen_emit(g, BPF_RAW_INSN(BPF_ALU64 | BPF_END, dst, 0, 0,
					 swaps[gen_below(g, 3)]));
		break;
	default:
		gen_operation(g, dst);
	}
}

#endif /* SELFTEST_KVM_HYPERUPCALL_GENERATOR_ARITHMETIC_H */
