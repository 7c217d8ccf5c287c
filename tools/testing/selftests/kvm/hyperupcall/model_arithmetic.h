/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The model of arithmetic.
 */
#ifndef SELFTEST_KVM_HYPERUPCALL_MODEL_ARITHMETIC_H
#define SELFTEST_KVM_HYPERUPCALL_MODEL_ARITHMETIC_H

#include "model_state.h"

static inline uint64_t model_div(uint64_t x, uint64_t y, bool sign, bool mod,
				 unsigned int bits)
{
	int64_t sx = model_sign_extend(x, bits), sy = model_sign_extend(y, bits);

	if (!y)
		return mod ? x : 0;
	if (!sign)
		return mod ? x % y : x / y;
	if (sy == -1)
		return mod ? 0 : -(uint64_t)sx;
	return mod ? sx % sy : sx / sy;
}

static inline uint64_t model_op(struct model *m, const struct bpf_insn *insn,
				uint64_t x, uint64_t y, unsigned int bits)
{
	uint64_t mask = bits == 64 ? -1ULL : UINT32_MAX;

	x &= mask;
	y &= mask;
	switch (BPF_OP(insn->code)) {
	case BPF_ADD:
		return (x + y) & mask;
	case BPF_SUB:
		return (x - y) & mask;
	case BPF_MUL:
		return (x * y) & mask;
	case BPF_OR:
		return x | y;
	case BPF_AND:
		return x & y;
	case BPF_XOR:
		return x ^ y;
	case BPF_LSH:
		return (x << (y & (bits - 1))) & mask;
	case BPF_RSH:
		return x >> (y & (bits - 1));
	case BPF_ARSH:
		return (int64_t)model_sign_extend(x, bits) >>
		       (y & (bits - 1)) & mask;
	case BPF_DIV:
	case BPF_MOD:
		return model_div(x, y, insn->off == 1,
				 BPF_OP(insn->code) == BPF_MOD, bits) & mask;
	}
	model_wrong(m, "an arithmetic operation that is none");
	return 0;
}

static inline void model_swap(struct model *m, const struct bpf_insn *insn)
{
	uint64_t x = model_number(m, insn->dst_reg).v;
	bool swap = BPF_CLASS(insn->code) == BPF_ALU64 ||
		    BPF_SRC(insn->code) == BPF_TO_BE;

	if (insn->imm == 16)
		x = swap ? __builtin_bswap16(x) : (uint16_t)x;
	else if (insn->imm == 32)
		x = swap ? __builtin_bswap32(x) : (uint32_t)x;
	else
		x = swap ? __builtin_bswap64(x) : x;
	model_set(m, insn->dst_reg, model_scalar(x));
}

static inline void model_mov(struct model *m, const struct bpf_insn *insn)
{
	bool alu64 = BPF_CLASS(insn->code) == BPF_ALU64;
	struct model_value x;

	if (BPF_SRC(insn->code) == BPF_K) {
		x = model_scalar(alu64 ? (uint64_t)(int64_t)insn->imm :
					 (uint32_t)insn->imm);
	} else if (alu64 && !insn->off) {
		x = model_get(m, insn->src_reg);
	} else {
		x = model_scalar(model_number(m, insn->src_reg).v);
		if (insn->off == BPF_ADDR_SPACE_CAST) {
			x.v = (uint32_t)x.v;
			if (insn->imm == 1)
				x.kind = KIND_WINDOW;
		} else if (insn->off) {
			x.v = model_sign_extend(x.v, insn->off);
		}
		if (!alu64)
			x.v = (uint32_t)x.v;
	}
	model_set(m, insn->dst_reg, x);
}

/* A secret plus or minus a number is a secret. */
static inline void model_move_secret(struct model *m,
				     const struct bpf_insn *insn,
				     struct model_value x, struct model_value y)
{
	bool add = BPF_OP(insn->code) == BPF_ADD;

	if (BPF_CLASS(insn->code) != BPF_ALU64 ||
	    (!add && BPF_OP(insn->code) != BPF_SUB) ||
	    (!add && model_secret(y)) || x.kind == KIND_WINDOW ||
	    y.kind == KIND_WINDOW || (model_secret(x) && model_secret(y))) {
		model_wrong(m, "arithmetic with a pointer");
		return;
	}
	if (model_secret(y))
		x.kind = y.kind;
	x.v = add ? x.v + y.v : x.v - y.v;
	model_set(m, insn->dst_reg, x);
}

static inline void model_alu(struct model *m, const struct bpf_insn *insn)
{
	unsigned int bits = BPF_CLASS(insn->code) == BPF_ALU64 ? 64 : 32;
	struct model_value x, y;

	if (BPF_OP(insn->code) == BPF_MOV) {
		model_mov(m, insn);
		return;
	}
	if (BPF_OP(insn->code) == BPF_END) {
		model_swap(m, insn);
		return;
	}
	if (BPF_OP(insn->code) == BPF_NEG) {
		x = model_scalar(-model_number(m, insn->dst_reg).v);
		if (bits == 32)
			x.v = (uint32_t)x.v;
		model_set(m, insn->dst_reg, x);
		return;
	}

	x = model_get(m, insn->dst_reg);
	y = BPF_SRC(insn->code) == BPF_K ? model_scalar((int64_t)insn->imm) :
					   model_get(m, insn->src_reg);
	if (model_secret(x) || model_secret(y)) {
		model_move_secret(m, insn, x, y);
		return;
	}
	/* Whatever touches a window pointer has 32 bits. */
	if (x.kind == KIND_WINDOW || y.kind == KIND_WINDOW) {
		x.kind = KIND_WINDOW;
		bits = 32;
	}
	x.v = model_op(m, insn, x.v, y.v, bits);
	model_set(m, insn->dst_reg, x);
}

#endif /* SELFTEST_KVM_HYPERUPCALL_MODEL_ARITHMETIC_H */
