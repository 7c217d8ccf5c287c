/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The model of what programs do with memory: the window, their stack and the
 * context.
 */
#ifndef SELFTEST_KVM_HYPERUPCALL_MODEL_MEMORY_H
#define SELFTEST_KVM_HYPERUPCALL_MODEL_MEMORY_H

#include "model_state.h"

/* The window. */

static inline uint8_t *model_byte(struct model *m, int64_t at, bool write)
{
	struct model_region *r;

	for (r = m->regions; r < m->regions + MODEL_REGIONS; r++) {
		if (at >= r->offset && at < r->offset + r->size)
			return write && !r->writable ? NULL :
			       &r->bytes[at - r->offset];
	}
	return NULL;
}

/* An access is done as a whole, or is a fault as a whole. */
static inline bool model_window(struct model *m, int64_t at, unsigned int size,
				bool write)
{
	unsigned int i;

	for (i = 0; i < size; i++) {
		if (!model_byte(m, at + i, write)) {
			m->faults++;
			return false;
		}
	}
	return true;
}

static inline uint64_t model_window_load(struct model *m, int64_t at,
					 unsigned int size)
{
	uint64_t v = 0;
	unsigned int i;

	for (i = 0; i < size; i++)
		v |= (uint64_t)*model_byte(m, at + i, false) << (8 * i);
	return v;
}

static inline void model_window_store(struct model *m, int64_t at,
				      unsigned int size, uint64_t v)
{
	unsigned int i;

	for (i = 0; i < size; i++)
		*model_byte(m, at + i, true) = v >> (8 * i);
}

/* The stack. */

static inline bool model_stack(struct model *m, uint64_t at, unsigned int size)
{
	if (at < (m->frame + 1) * MODEL_FRAME &&
	    at % MODEL_FRAME + size <= MODEL_FRAME)
		return true;
	model_wrong(m, "an access outside of the stack");
	return false;
}

static inline struct model_value model_stack_load(struct model *m, uint64_t at,
						  unsigned int size)
{
	struct model_value x = model_scalar(0);
	unsigned int i;

	if (!model_stack(m, at, size))
		return x;
	for (i = 0; i < size; i++) {
		if (!m->written[at + i])
			model_wrong(m, "stack that was never written");
		x.v |= (uint64_t)m->stack[at + i] << (8 * i);
	}
	x.kind = m->spilled[at / 8];
	if (x.kind != KIND_SCALAR && size != 8)
		model_wrong(m, "a part of a spilled pointer");
	return x;
}

static inline void model_stack_store(struct model *m, uint64_t at,
				     unsigned int size, struct model_value x)
{
	unsigned int i;

	if (!model_stack(m, at, size))
		return;
	if (at % size)
		model_wrong(m, "a misaligned store to the stack");
	if (x.kind != KIND_SCALAR && size != 8) {
		if (model_secret(x))
			model_wrong(m, "a part of a pointer stored");
		x.kind = KIND_SCALAR;
	}
	for (i = 0; i < size; i++) {
		m->stack[at + i] = x.v >> (8 * i);
		m->written[at + i] = true;
	}
	m->spilled[at / 8] = x.kind;
}

static inline void model_new_frame(struct model *m)
{
	unsigned int i, start = m->frame * MODEL_FRAME;

	memset(&m->written[start], 0, MODEL_FRAME);
	for (i = 0; i < MODEL_FRAME / 8; i++)
		m->spilled[start / 8 + i] = KIND_SCALAR;
	m->regs[10] = (struct model_value){ start + MODEL_FRAME, KIND_STACK };
}

/* Loads, stores and atomic operations. */

static inline unsigned int model_size(const struct bpf_insn *insn)
{
	switch (BPF_SIZE(insn->code)) {
	case BPF_B:
		return 1;
	case BPF_H:
		return 2;
	case BPF_W:
		return 4;
	}
	return 8;
}

static inline void model_ldx(struct model *m, const struct bpf_insn *insn)
{
	struct model_value base = model_get(m, insn->src_reg);
	struct model_value x = model_scalar(0);
	unsigned int size = model_size(insn);
	uint64_t at = base.v + insn->off;

	switch (base.kind) {
	case KIND_CTX:
		if (at > sizeof(m->ctx) - size)
			model_wrong(m, "a load outside of the context");
		else
			memcpy(&x.v, (char *)&m->ctx + at, size);
		break;
	case KIND_STACK:
		x = model_stack_load(m, at, size);
		break;
	case KIND_WINDOW:
		if (model_window(m, at, size, false))
			x.v = model_window_load(m, at, size);
		break;
	default:
		model_wrong(m, "a load from a number");
	}
	if (BPF_MODE(insn->code) == BPF_MEMSX)
		x.v = model_sign_extend(x.v, 8 * size);
	model_set(m, insn->dst_reg, x);
}

static inline void model_store(struct model *m, const struct bpf_insn *insn)
{
	struct model_value base = model_get(m, insn->dst_reg), x;
	unsigned int size = model_size(insn);
	uint64_t at = base.v + insn->off;

	x = BPF_CLASS(insn->code) == BPF_ST ? model_scalar((int64_t)insn->imm) :
					      model_get(m, insn->src_reg);
	if (base.kind == KIND_STACK) {
		model_stack_store(m, at, size, x);
	} else if (base.kind != KIND_WINDOW) {
		model_wrong(m, "a store to what is neither stack nor window");
	} else {
		if (model_secret(x))
			model_wrong(m, "a pointer stored to the window");
		if (model_window(m, at, size, true))
			model_window_store(m, at, size, x.v);
	}
}

static inline uint64_t model_rmw(struct model *m, int op, uint64_t old,
				 uint64_t x, uint64_t expected)
{
	switch (op) {
	case BPF_ADD:
	case BPF_ADD | BPF_FETCH:
		return old + x;
	case BPF_AND:
	case BPF_AND | BPF_FETCH:
		return old & x;
	case BPF_OR:
	case BPF_OR | BPF_FETCH:
		return old | x;
	case BPF_XOR:
	case BPF_XOR | BPF_FETCH:
		return old ^ x;
	case BPF_XCHG:
		return x;
	case BPF_CMPXCHG:
		return old == expected ? x : old;
	}
	model_wrong(m, "an atomic operation that is none");
	return 0;
}

static inline void model_atomic(struct model *m, const struct bpf_insn *insn)
{
	struct model_value base = model_get(m, insn->dst_reg);
	uint64_t x = model_number(m, insn->src_reg).v, expected = 0, old = 0;
	unsigned int size = model_size(insn);
	uint64_t at = base.v + insn->off;

	if (insn->imm == BPF_CMPXCHG)
		expected = model_number(m, BPF_REG_0).v;
	if (size == 4)
		expected = (uint32_t)expected;

	if (base.kind == KIND_STACK) {
		struct model_value word = model_stack_load(m, at, size);

		if (model_secret(word))
			model_wrong(m, "an atomic operation on a pointer");
		old = word.v;
		x = model_rmw(m, insn->imm, old, x, expected);
		model_stack_store(m, at, size, model_scalar(x));
	} else if (base.kind == KIND_WINDOW) {
		/* On the aligned word, or not at all. */
		at = (base.v & -(uint64_t)size) + insn->off;
		if (model_window(m, at, size, true)) {
			old = model_window_load(m, at, size);
			x = model_rmw(m, insn->imm, old, x, expected);
			model_window_store(m, at, size, x);
		}
	} else {
		model_wrong(m, "an atomic operation on neither stack nor window");
	}

	if (insn->imm & BPF_FETCH)
		model_set(m, insn->imm == BPF_CMPXCHG ? BPF_REG_0 :
			     insn->src_reg, model_scalar(old));
}

#endif /* SELFTEST_KVM_HYPERUPCALL_MODEL_MEMORY_H */
