/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The state of the model of program_model.h: values that know what they are.
 */
#ifndef SELFTEST_KVM_HYPERUPCALL_MODEL_STATE_H
#define SELFTEST_KVM_HYPERUPCALL_MODEL_STATE_H

#include "hyperupcall_util.h"

#define MODEL_REGIONS	3
#define MODEL_FRAMES	8
#define MODEL_FRAME	512
#define MODEL_STACK	(MODEL_FRAMES * MODEL_FRAME)

/* Iterations of may_goto and instructions, until the model gives up. */
#define MODEL_LOOPS	40
#define MODEL_STEPS	20000

enum model_kind {
	KIND_NONE,		/* never written */
	KIND_SCALAR,
	KIND_WINDOW,		/* a window pointer: 32 bits, not a secret */
	KIND_CTX,		/* secrets: an offset in the context, .. */
	KIND_STACK,		/* .. and one in all frames */
};

struct model_value {
	uint64_t v;
	enum model_kind kind;
};

struct model_region {
	uint64_t offset;
	uint64_t size;
	bool writable;
	uint8_t *bytes;
};

enum model_outcome {
	MODEL_RETURNED,
	MODEL_GAVE_UP,		/* too long, or depends on more than its input */
	MODEL_WRONG,		/* the verifier should have refused it */
};

struct model {
	/* in */
	const struct bpf_insn *insns;
	unsigned int cnt;
	struct hyperupcall_ctx ctx;
	struct model_region regions[MODEL_REGIONS];
	unsigned int nr_vcpus;		/* 0 runs it, the others are stopped */
	/* out */
	uint32_t retval;
	uint64_t faults;
	const char *why;
	unsigned int pc;
	/* between */
	enum model_outcome outcome;
	bool done;
	unsigned int frame;
	unsigned int loops;
	struct model_value regs[11];
	struct {
		unsigned int pc;
		struct model_value regs[4];
	} callers[MODEL_FRAMES];
	uint8_t stack[MODEL_STACK];
	/* of each byte, and of the pointer that is spilled to its word */
	bool written[MODEL_STACK];
	enum model_kind spilled[MODEL_STACK / 8];
};

static inline void model_stop(struct model *m, enum model_outcome outcome,
			      const char *why)
{
	m->done = true;
	m->outcome = outcome;
	m->why = why;
}

static inline void model_wrong(struct model *m, const char *why)
{
	model_stop(m, MODEL_WRONG, why);
}

static inline bool model_secret(struct model_value x)
{
	return x.kind == KIND_CTX || x.kind == KIND_STACK;
}

static inline struct model_value model_scalar(uint64_t v)
{
	return (struct model_value){ v, KIND_SCALAR };
}

static inline struct model_value model_get(struct model *m, unsigned int reg)
{
	if (reg > 10 || m->regs[reg].kind == KIND_NONE) {
		model_wrong(m, "a register that was never written");
		return model_scalar(0);
	}
	return m->regs[reg];
}

/* A value that is to be used as a number. */
static inline struct model_value model_number(struct model *m, unsigned int reg)
{
	struct model_value x = model_get(m, reg);

	if (model_secret(x))
		model_wrong(m, "a pointer used as a number");
	return x;
}

static inline void model_set(struct model *m, unsigned int reg,
			     struct model_value x)
{
	if (reg > 9)
		model_wrong(m, "a write of the frame pointer");
	else
		m->regs[reg] = x;
}

static inline uint64_t model_sign_extend(uint64_t v, unsigned int bits)
{
	return (int64_t)(v << (64 - bits)) >> (64 - bits);
}

#endif /* SELFTEST_KVM_HYPERUPCALL_MODEL_STATE_H */
