/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Good programs: every arithmetic instruction and every comparison, in both
 * widths, with a register and with a constant, against C.
 */
#include "model_arithmetic.h"
#include "program_model.h"
#include "verifier_case.h"

#define IMM	(-7)
#define SHIFT	13

static unsigned int build_folded(struct bpf_insn *insns, unsigned int n)
{
	insns[n++] = BPF_MOV64_REG(R1, R0);
	insns[n++] = BPF_ALU64_IMM(BPF_RSH, R1, 32);
	insns[n++] = BPF_ALU64_REG(BPF_XOR, R0, R1);
	insns[n++] = BPF_EXIT_INSN();
	return n;
}

/* a op b, and a op constant; the sum of the one and three times the other. */
static unsigned int build_binary(struct bpf_insn *insns,
				 const struct bpf_insn *tested)
{
	unsigned int n = 0;

	insns[n++] = HUP_DATA(R0, R1, 0);
	insns[n++] = HUP_DATA(R2, R1, 1);
	insns[n++] = BPF_MOV64_REG(R3, R0);
	insns[n++] = BPF_RAW_INSN(tested->code | BPF_X, R0, R2, tested->off, 0);
	insns[n++] = BPF_RAW_INSN(tested->code | BPF_K, R3, 0, tested->off,
				  tested->imm);
	insns[n++] = BPF_ALU64_IMM(BPF_MUL, R3, 3);
	insns[n++] = BPF_ALU64_REG(BPF_ADD, R0, R3);
	return build_folded(insns, n);
}

static void same_binary(struct world *w)
{
	const struct bpf_insn *t = w->tested;
	unsigned int bits = BPF_CLASS(t->code) == BPF_ALU64 ? 64 : 32;
	static struct model m;

	w->result = folded(model_op(&m, t, w->a, w->b, bits) +
			   3 * model_op(&m, t, w->a, (int64_t)t->imm, bits));
}

/* op a */
static unsigned int build_unary(struct bpf_insn *insns,
				const struct bpf_insn *tested)
{
	insns[0] = HUP_DATA(R0, R1, 0);
	insns[1] = *tested;
	return build_folded(insns, 2);
}

static void same_unary(struct world *w)
{
	static struct model m;

	m.regs[R0] = model_scalar(w->a);
	model_alu(&m, w->tested);
	w->result = folded(m.regs[R0].v);
}

/* One bit each: in 64 bits and in 32, with a register and a constant. */
static unsigned int build_comparison(struct bpf_insn *insns,
				     const struct bpf_insn *tested)
{
	const int codes[] = {
		BPF_JMP | BPF_X, BPF_JMP32 | BPF_X,
		BPF_JMP | BPF_K, BPF_JMP32 | BPF_K,
	};
	unsigned int i, n = 0;

	insns[n++] = HUP_DATA(R6, R1, 0);
	insns[n++] = HUP_DATA(R2, R1, 1);
	insns[n++] = BPF_MOV64_IMM(R0, 0);
	for (i = 0; i < ARRAY_SIZE(codes); i++) {
		bool reg = BPF_SRC(codes[i]) == BPF_X;

		insns[n++] = BPF_RAW_INSN(codes[i] | tested->code, R6,
					  reg ? R2 : 0, 1, reg ? 0 : IMM);
		insns[n++] = BPF_ALU64_IMM(BPF_OR, R0, 1 << i);
	}
	insns[n++] = BPF_EXIT_INSN();
	return n;
}

static void same_comparison(struct world *w)
{
	int op = w->tested->code;
	static struct model m;

	w->result = (model_compare(&m, op, w->a, w->b, 64) ? 0 : 1) |
		    (model_compare(&m, op, w->a, w->b, 32) ? 0 : 2) |
		    (model_compare(&m, op, w->a, IMM, 64) ? 0 : 4) |
		    (model_compare(&m, op, w->a, IMM, 32) ? 0 : 8);
}

#define __tested(code, off, imm)	\
	.tested = BPF_RAW_INSN(code, 0, 0, off, imm)
#define __binary(code, off, imm)	\
	.build = build_binary, .same = same_binary, __tested(code, off, imm)
#define __unary(code, off, imm)		\
	.build = build_unary, .same = same_unary, __tested(code, off, imm)
#define __comparison(op)		\
	.build = build_comparison, .same = same_comparison, __tested(op, 0, 0)

static const struct prog_case arithmetic_cases[] = {
	{ "add, 64 bits", __binary(BPF_ALU64 | BPF_ADD, 0, IMM) },
	{ "add, 32 bits", __binary(BPF_ALU | BPF_ADD, 0, IMM) },
	{ "sub, 64 bits", __binary(BPF_ALU64 | BPF_SUB, 0, IMM) },
	{ "sub, 32 bits", __binary(BPF_ALU | BPF_SUB, 0, IMM) },
	{ "mul, 64 bits", __binary(BPF_ALU64 | BPF_MUL, 0, IMM) },
	{ "mul, 32 bits", __binary(BPF_ALU | BPF_MUL, 0, IMM) },
	{ "or, 64 bits", __binary(BPF_ALU64 | BPF_OR, 0, IMM) },
	{ "or, 32 bits", __binary(BPF_ALU | BPF_OR, 0, IMM) },
	{ "and, 64 bits", __binary(BPF_ALU64 | BPF_AND, 0, IMM) },
	{ "and, 32 bits", __binary(BPF_ALU | BPF_AND, 0, IMM) },
	{ "xor, 64 bits", __binary(BPF_ALU64 | BPF_XOR, 0, IMM) },
	{ "xor, 32 bits", __binary(BPF_ALU | BPF_XOR, 0, IMM) },
	{ "lsh, 64 bits", __binary(BPF_ALU64 | BPF_LSH, 0, SHIFT) },
	{ "lsh, 32 bits", __binary(BPF_ALU | BPF_LSH, 0, SHIFT) },
	{ "rsh, 64 bits", __binary(BPF_ALU64 | BPF_RSH, 0, SHIFT) },
	{ "rsh, 32 bits", __binary(BPF_ALU | BPF_RSH, 0, SHIFT) },
	{ "arsh, 64 bits", __binary(BPF_ALU64 | BPF_ARSH, 0, SHIFT) },
	{ "arsh, 32 bits", __binary(BPF_ALU | BPF_ARSH, 0, SHIFT) },
	{ "div, 64 bits", __binary(BPF_ALU64 | BPF_DIV, 0, IMM) },
	{ "div, 32 bits", __binary(BPF_ALU | BPF_DIV, 0, IMM) },
	{ "mod, 64 bits", __binary(BPF_ALU64 | BPF_MOD, 0, IMM) },
	{ "mod, 32 bits", __binary(BPF_ALU | BPF_MOD, 0, IMM) },
	{ "sdiv, 64 bits", __binary(BPF_ALU64 | BPF_DIV, 1, IMM) },
	{ "sdiv, 32 bits", __binary(BPF_ALU | BPF_DIV, 1, IMM) },
	{ "smod, 64 bits", __binary(BPF_ALU64 | BPF_MOD, 1, IMM) },
	{ "smod, 32 bits", __binary(BPF_ALU | BPF_MOD, 1, IMM) },

	{ "neg, 64 bits", __unary(BPF_ALU64 | BPF_NEG, 0, 0) },
	{ "neg, 32 bits", __unary(BPF_ALU | BPF_NEG, 0, 0) },
	{ "mov clears the upper half",
	  __unary(BPF_ALU | BPF_MOV | BPF_X, 0, 0) },
	{ "sign extension of 8 bits to 64",
	  __unary(BPF_ALU64 | BPF_MOV | BPF_X, 8, 0) },
	{ "sign extension of 16 bits to 64",
	  __unary(BPF_ALU64 | BPF_MOV | BPF_X, 16, 0) },
	{ "sign extension of 32 bits to 64",
	  __unary(BPF_ALU64 | BPF_MOV | BPF_X, 32, 0) },
	{ "sign extension of 8 bits to 32",
	  __unary(BPF_ALU | BPF_MOV | BPF_X, 8, 0) },
	{ "sign extension of 16 bits to 32",
	  __unary(BPF_ALU | BPF_MOV | BPF_X, 16, 0) },
	{ "to big endian, 16 bits",
	  __unary(BPF_ALU | BPF_END | BPF_TO_BE, 0, 16) },
	{ "to big endian, 32 bits",
	  __unary(BPF_ALU | BPF_END | BPF_TO_BE, 0, 32) },
	{ "to big endian, 64 bits",
	  __unary(BPF_ALU | BPF_END | BPF_TO_BE, 0, 64) },
	{ "to little endian, 16 bits",
	  __unary(BPF_ALU | BPF_END | BPF_TO_LE, 0, 16) },
	{ "to little endian, 32 bits",
	  __unary(BPF_ALU | BPF_END | BPF_TO_LE, 0, 32) },
	{ "to little endian, 64 bits",
	  __unary(BPF_ALU | BPF_END | BPF_TO_LE, 0, 64) },
	{ "byte swap, 16 bits", __unary(BPF_ALU64 | BPF_END, 0, 16) },
	{ "byte swap, 32 bits", __unary(BPF_ALU64 | BPF_END, 0, 32) },
	{ "byte swap, 64 bits", __unary(BPF_ALU64 | BPF_END, 0, 64) },

	{ "jeq", __comparison(BPF_JEQ) },
	{ "jne", __comparison(BPF_JNE) },
	{ "jgt", __comparison(BPF_JGT) },
	{ "jge", __comparison(BPF_JGE) },
	{ "jlt", __comparison(BPF_JLT) },
	{ "jle", __comparison(BPF_JLE) },
	{ "jset", __comparison(BPF_JSET) },
	{ "jsgt", __comparison(BPF_JSGT) },
	{ "jsge", __comparison(BPF_JSGE) },
	{ "jslt", __comparison(BPF_JSLT) },
	{ "jsle", __comparison(BPF_JSLE) },

	{
		"64-bit constant",
		PROG(BPF_LD_IMM64(R0, 0x1234567800000000ULL),
		     BPF_ALU64_IMM(BPF_RSH, R0, 32),
		     BPF_EXIT_INSN()),
		__retval(0x12345678)
	},
	{
		"division of nothing known by zero",
		PROG(UNKNOWN(R0),
		     BPF_MOV64_IMM(R2, 0),
		     BPF_ALU64_REG(BPF_DIV, R0, R2),
		     BPF_EXIT_INSN()),
		__retval(0)
	},
	{
		"byte swap of a constant",
		PROG(BPF_MOV64_IMM(R0, 0x11223344),
		     BPF_ENDIAN(BPF_TO_BE, R0, 32),
		     BPF_EXIT_INSN()),
		__retval(0x44332211)
	},
};
