/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a program does, by the contract: an interpreter that knows of every
 * value what it is, and that says so when a program does what the verifier
 * must not let pass.
 */
#ifndef SELFTEST_KVM_HYPERUPCALL_PROGRAM_MODEL_H
#define SELFTEST_KVM_HYPERUPCALL_PROGRAM_MODEL_H

#include "model_arithmetic.h"
#include "model_memory.h"

/* Jumps and calls. */

static inline bool model_compare(struct model *m, int op, uint64_t x,
				 uint64_t y, unsigned int bits)
{
	int64_t sx = model_sign_extend(x, bits), sy = model_sign_extend(y, bits);

	if (bits == 32) {
		x = (uint32_t)x;
		y = (uint32_t)y;
	}
	switch (op) {
	case BPF_JEQ:
		return x == y;
	case BPF_JNE:
		return x != y;
	case BPF_JGT:
		return x > y;
	case BPF_JGE:
		return x >= y;
	case BPF_JLT:
		return x < y;
	case BPF_JLE:
		return x <= y;
	case BPF_JSET:
		return x & y;
	case BPF_JSGT:
		return sx > sy;
	case BPF_JSGE:
		return sx >= sy;
	case BPF_JSLT:
		return sx < sy;
	case BPF_JSLE:
		return sx <= sy;
	}
	model_wrong(m, "a comparison that is none");
	return false;
}

static inline void model_jump(struct model *m, const struct bpf_insn *insn)
{
	unsigned int bits = BPF_CLASS(insn->code) == BPF_JMP ? 64 : 32;
	int op = BPF_OP(insn->code);
	struct model_value x, y;

	if (op == BPF_JCOND) {
		if (++m->loops > MODEL_LOOPS)
			model_stop(m, MODEL_GAVE_UP, "may_goto");
		return;
	}

	x = model_get(m, insn->dst_reg);
	y = BPF_SRC(insn->code) == BPF_K ? model_scalar((int64_t)insn->imm) :
					   model_get(m, insn->src_reg);
	if (model_secret(x) || model_secret(y)) {
		/* That a pointer is not NULL is known. */
		if ((op != BPF_JEQ && op != BPF_JNE) || bits != 64 ||
		    model_secret(y) || y.v)
			model_wrong(m, "a pointer compared");
		x.v = 1;
	}
	if (model_compare(m, op, x.v, y.v, bits))
		m->pc += insn->off;
}

static inline void model_forget_arguments(struct model *m)
{
	unsigned int i;

	for (i = BPF_REG_1; i <= BPF_REG_5; i++)
		m->regs[i].kind = KIND_NONE;
}

static inline void model_regs_helper(struct model *m, uint32_t vcpu)
{
	struct model_value buf = model_get(m, BPF_REG_2);
	uint32_t i, size = model_number(m, BPF_REG_3).v;
	int64_t err = -EBUSY;

	if (size != sizeof(struct hyperupcall_regs))
		err = -EINVAL;
	else if (vcpu >= m->nr_vcpus)
		err = -ENOENT;
	else if (vcpu)
		model_stop(m, MODEL_GAVE_UP, "another vCPU's registers");
	if (size && buf.kind != KIND_STACK)
		model_wrong(m, "a buffer that is not on the stack");
	for (i = 0; i < size && !m->done; i++) {
		if (!model_stack(m, buf.v + i, 1))
			return;
		if (!m->written[buf.v + i])
			model_wrong(m, "a buffer that was never written");
		if (size == sizeof(struct hyperupcall_regs))
			model_stack_store(m, buf.v + i, 1, model_scalar(0));
	}
	m->regs[BPF_REG_0] = model_scalar(err);
}

static inline void model_helper(struct model *m, int helper)
{
	uint32_t vcpu = model_number(m, BPF_REG_1).v;
	int64_t ret;

	switch (helper) {
	case HYPERUPCALL_HELPER_VCPU_STATE:
		ret = vcpu ? HYPERUPCALL_VCPU_STOPPED :
			     HYPERUPCALL_VCPU_RUNNING;
		break;
	case HYPERUPCALL_HELPER_FLUSH_TLB:
		/* The other vCPU has no physical CPU, and is between instructions. */
		ret = !!vcpu;
		break;
	case HYPERUPCALL_HELPER_VCPU_REGS:
		model_regs_helper(m, vcpu);
		model_forget_arguments(m);
		return;
	default:
		model_wrong(m, "a helper that is none");
		return;
	}
	m->regs[BPF_REG_0] = model_scalar(vcpu < m->nr_vcpus ? ret : -ENOENT);
	model_forget_arguments(m);
}

static inline void model_call(struct model *m, const struct bpf_insn *insn)
{
	unsigned int i;

	if (insn->src_reg != BPF_PSEUDO_CALL) {
		model_helper(m, insn->imm);
		return;
	}
	if (m->frame + 1 == MODEL_FRAMES) {
		model_wrong(m, "too many frames");
		return;
	}
	m->callers[m->frame].pc = m->pc;
	memcpy(m->callers[m->frame].regs, &m->regs[BPF_REG_6],
	       sizeof(m->callers[m->frame].regs));
	for (i = BPF_REG_6; i <= BPF_REG_9; i++)
		m->regs[i].kind = KIND_NONE;
	m->regs[BPF_REG_0].kind = KIND_NONE;
	m->frame++;
	model_new_frame(m);
	m->pc += insn->imm;
}

static inline void model_exit(struct model *m)
{
	if (!m->frame) {
		m->retval = model_number(m, BPF_REG_0).v;
		if (!m->done)
			model_stop(m, MODEL_RETURNED, "");
		return;
	}
	if (model_get(m, BPF_REG_0).kind == KIND_STACK)
		model_wrong(m, "a function that returns its stack");
	m->frame--;
	m->pc = m->callers[m->frame].pc;
	memcpy(&m->regs[BPF_REG_6], m->callers[m->frame].regs,
	       sizeof(m->callers[m->frame].regs));
	m->regs[BPF_REG_10].v = (m->frame + 1) * MODEL_FRAME;
	model_forget_arguments(m);
}

/* One instruction; the program counter is at the next one already. */
static inline void model_step(struct model *m, const struct bpf_insn *insn)
{
	switch (BPF_CLASS(insn->code)) {
	case BPF_ALU:
	case BPF_ALU64:
		model_alu(m, insn);
		break;
	case BPF_LD:
		model_set(m, insn->dst_reg,
			  model_scalar((uint32_t)insn[0].imm |
				       (uint64_t)insn[1].imm << 32));
		m->pc++;
		break;
	case BPF_LDX:
		model_ldx(m, insn);
		break;
	case BPF_ST:
		model_store(m, insn);
		break;
	case BPF_STX:
		if (BPF_MODE(insn->code) == BPF_ATOMIC)
			model_atomic(m, insn);
		else
			model_store(m, insn);
		break;
	default:
		if (BPF_OP(insn->code) == BPF_JA)
			m->pc += BPF_CLASS(insn->code) == BPF_JMP ? insn->off :
								    insn->imm;
		else if (BPF_OP(insn->code) == BPF_CALL)
			model_call(m, insn);
		else if (BPF_OP(insn->code) == BPF_EXIT)
			model_exit(m);
		else
			model_jump(m, insn);
	}
}

static inline enum model_outcome model_run(struct model *m)
{
	unsigned int steps;

	m->retval = 0;
	m->faults = 0;
	m->pc = 0;
	m->done = false;
	m->frame = 0;
	m->loops = 0;
	memset(m->regs, 0, sizeof(m->regs));
	m->regs[BPF_REG_1] = (struct model_value){ 0, KIND_CTX };
	model_new_frame(m);

	for (steps = 0; !m->done; steps++) {
		if (m->pc >= m->cnt)
			model_wrong(m, "a jump out of the program");
		else if (steps == MODEL_STEPS)
			model_stop(m, MODEL_GAVE_UP, "too long");
		else
			model_step(m, &m->insns[m->pc++]);
	}
	return m->outcome;
}

#endif /* SELFTEST_KVM_HYPERUPCALL_PROGRAM_MODEL_H */
