/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Random programs that are valid by construction, but for some that get one
 * random fault at the end.
 *
 * The generator writes structured code from the start to the end and knows at
 * each place what every register and every word of the stack holds. After a
 * branch it knows what both ways have in common. Within a loop, what is there
 * at the start stays what it is.
 */
#ifndef SELFTEST_KVM_HYPERUPCALL_PROGRAM_GENERATOR_H
#define SELFTEST_KVM_HYPERUPCALL_PROGRAM_GENERATOR_H

#include "generator_memory.h"

/* Calls. */

static inline bool gen_may_call(struct gen *g)
{
	int i;

	for (i = 0; i <= 5; i++) {
		if (g->locked.regs[i] != KIND_NONE)
			return false;
	}
	return true;
}

static inline void gen_after_call(struct gen *g)
{
	int i;

	g->now.regs[0] = KIND_SCALAR;
	for (i = 1; i <= 5; i++)
		g->now.regs[i] = KIND_NONE;
}

static inline void gen_vcpu_regs(struct gen *g)
{
	const int words = sizeof(struct hyperupcall_regs) / 8;
	int i;

	for (i = 0; i < words; i++) {
		if (g->locked.slots[i] != KIND_NONE &&
		    g->locked.slots[i] != KIND_SCALAR)
			return;
	}
	for (i = 0; i < words; i++) {
		if (g->now.slots[i] != KIND_SCALAR)
			gen_emit(g, BPF_ST_MEM(BPF_DW, BPF_REG_FP, -8 * (i + 1),
					       gen_imm(g)));
		g->now.slots[i] = KIND_SCALAR;
	}
	gen_emit(g, BPF_MOV64_REG(BPF_REG_2, BPF_REG_FP));
	gen_emit(g, BPF_ALU64_IMM(BPF_ADD, BPF_REG_2, -8 * words));
	gen_emit(g, BPF_MOV64_IMM(BPF_REG_3, 8 * (gen_below(g, 4) ? words :
						  1 + gen_below(g, words))));
	gen_emit(g, HUP_CALL(VCPU_REGS));
	gen_after_call(g);
}

static inline void gen_helper(struct gen *g)
{
	int src = gen_find(g, KIND_SCALAR);

	if (!gen_may_call(g))
		return;
	if (src >= 0 && gen_below(g, 2))
		gen_emit(g, BPF_MOV64_REG(BPF_REG_1, src));
	else
		gen_emit(g, BPF_MOV64_IMM(BPF_REG_1, gen_below(g, 4)));
	switch (gen_below(g, 3)) {
	case 0:
		gen_emit(g, HUP_CALL(VCPU_STATE));
		break;
	case 1:
		gen_emit(g, HUP_CALL(FLUSH_TLB));
		break;
	case 2:
		g->now.regs[1] = KIND_SCALAR;
		gen_vcpu_regs(g);
		return;
	}
	gen_after_call(g);
}

/* Each function is called from one place, and written later. */
static inline void gen_call(struct gen *g)
{
	struct gen_function *f = &g->functions[g->nr_functions];
	int i, slot;

	if (!gen_may_call(g) || g->nr_functions == GEN_FUNCTIONS)
		return;
	g->nr_functions++;
	slot = gen_find_slot(g);
	if (slot >= 0 && g->now.slots[slot] == KIND_SCALAR && gen_below(g, 2)) {
		gen_emit(g, BPF_MOV64_REG(BPF_REG_5, BPF_REG_FP));
		gen_emit(g, BPF_ALU64_IMM(BPF_ADD, BPF_REG_5, -8 * (slot + 1)));
		g->now.regs[BPF_REG_5] = KIND_STACK;
	}
	f->call = g->cnt;
	for (i = 0; i < 5; i++)
		f->args[i] = g->now.regs[BPF_REG_1 + i];
	gen_emit(g, BPF_CALL_REL(0));
	gen_after_call(g);
}

/* Branches and loops. */

static inline void gen_meet(struct gen_state *a, const struct gen_state *b)
{
	int i;

	for (i = 0; i < 10; i++) {
		if (a->regs[i] != b->regs[i])
			a->regs[i] = KIND_NONE;
	}
	for (i = 0; i < GEN_SLOTS; i++) {
		if (a->slots[i] != b->slots[i])
			a->slots[i] = KIND_NONE;
	}
}

static inline void gen_block(struct gen *g, unsigned int ops);

static inline struct bpf_insn gen_condition(struct gen *g, int x)
{
	static const int ops[] = {
		BPF_JEQ, BPF_JNE, BPF_JGT, BPF_JGE, BPF_JLT, BPF_JLE, BPF_JSET,
		BPF_JSGT, BPF_JSGE, BPF_JSLT, BPF_JSLE,
	};
	int class = gen_below(g, 2) ? BPF_JMP : BPF_JMP32;
	int op = ops[gen_below(g, ARRAY_SIZE(ops))];
	int y = gen_find(g, gen_below(g, 8) ? KIND_SCALAR : KIND_WINDOW);

	if (y < 0 || gen_below(g, 2))
		return BPF_RAW_INSN(class | op | BPF_K, x, 0, 0, gen_imm(g));
	return BPF_RAW_INSN(class | op | BPF_X, x, y, 0, 0);
}

/* if (..) { .. } or if (..) { .. } else { .. } */
static inline void gen_branch(struct gen *g)
{
	int x = gen_find(g, gen_below(g, 8) ? KIND_SCALAR : KIND_WINDOW);
	struct gen_state before, after;
	unsigned int jump, skip;

	if (x < 0)
		return;
	jump = g->cnt;
	gen_emit(g, gen_condition(g, x));
	before = g->now;
	gen_block(g, 1 + gen_below(g, 4));
	after = g->now;
	if (gen_below(g, 2)) {
		skip = g->cnt;
		gen_emit(g, BPF_JMP_A(0));
		g->insns[jump].off = g->cnt - jump - 1;
		g->now = before;
		gen_block(g, 1 + gen_below(g, 4));
		if (gen_below(g, 2)) {
			g->insns[skip].code = BPF_JMP32 | BPF_JA;
			g->insns[skip].imm = g->cnt - skip - 1;
		} else {
			g->insns[skip].off = g->cnt - skip - 1;
		}
		gen_meet(&g->now, &after);
	} else {
		g->insns[jump].off = g->cnt - jump - 1;
		gen_meet(&g->now, &before);
	}
}

/* for (r = 0; r < n; r++) { .. }, r is R9 or R8 */
static inline void gen_loop(struct gen *g)
{
	int reg = 9 - g->counters, i;
	bool may_goto = !g->function && gen_below(g, 3);
	struct gen_state locked = g->locked, before;
	unsigned int head;

	if (g->counters == 2 || g->locked.regs[reg] != KIND_NONE)
		return;
	/* With calls inside, nothing is kept in the registers they use. */
	if (gen_may_call(g) && gen_below(g, 2)) {
		for (i = 0; i <= 5; i++)
			g->now.regs[i] = KIND_NONE;
	}
	gen_emit(g, BPF_MOV64_IMM(reg, 0));
	g->now.regs[reg] = KIND_SCALAR;
	g->counters++;
	g->locked = g->now;
	before = g->now;
	head = g->cnt;
	if (may_goto)
		gen_emit(g, HUP_MAY_GOTO(0));
	g->may_goto |= may_goto;
	gen_block(g, 1 + gen_below(g, 5));
	gen_emit(g, BPF_ALU64_IMM(BPF_ADD, reg, 1));
	gen_emit(g, BPF_JMP_IMM(BPF_JLT, reg, 1 + gen_below(g, 5), 0));
	g->insns[g->cnt - 1].off = (int)head - (int)g->cnt;
	if (may_goto)
		g->insns[head].off = g->cnt - head - 1;
	gen_meet(&g->now, &before);
	g->locked = locked;
	g->counters--;
}

static inline void gen_one(struct gen *g)
{
	static const struct {
		unsigned int weight;
		void (*emit)(struct gen *g);
	} kinds[] = {
		{ 10, gen_alu },
		{ 4, gen_constant },
		{ 4, gen_mov },
		{ 3, gen_pointer_alu },
		{ 8, gen_window_load },
		{ 8, gen_window_store },
		{ 6, gen_window_atomic },
		{ 6, gen_ctx_load },
		{ 5, gen_spill },
		{ 5, gen_fill },
		{ 2, gen_stack_atomic },
		{ 4, gen_caller_stack },
		{ 2, gen_helper },
		{ 2, gen_call },
		{ 5, gen_branch },
		{ 2, gen_loop },
	};
	const unsigned int nested = 7;	/* branches and loops */
	unsigned int i, sum = 0, pick;

	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		sum += kinds[i].weight;
	if (g->depth > 3)
		sum -= nested;
	pick = gen_below(g, sum);
	for (i = 0; pick >= kinds[i].weight; i++)
		pick -= kinds[i].weight;
	kinds[i].emit(g);
}

static inline void gen_block(struct gen *g, unsigned int ops)
{
	g->depth++;
	while (ops-- && g->room)
		gen_one(g);
	g->depth--;
}

/* Returns something that depends on all that is known. */
static inline void gen_return(struct gen *g)
{
	int i;

	if (g->now.regs[0] != KIND_SCALAR) {
		gen_emit(g, BPF_MOV64_IMM(BPF_REG_0, 0));
		g->now.regs[0] = KIND_SCALAR;
	}
	for (i = 1; i < 10; i++) {
		if (g->now.regs[i] != KIND_SCALAR)
			continue;
		gen_emit(g, BPF_ALU64_IMM(BPF_MUL, BPF_REG_0, 31));
		gen_emit(g, BPF_ALU64_REG(BPF_ADD, BPF_REG_0, i));
	}
	gen_emit(g, BPF_MOV64_REG(BPF_REG_1, BPF_REG_0));
	gen_emit(g, BPF_ALU64_IMM(BPF_RSH, BPF_REG_1, 32));
	gen_emit(g, BPF_ALU64_REG(BPF_XOR, BPF_REG_0, BPF_REG_1));
	gen_emit(g, BPF_EXIT_INSN());
}

static inline void gen_functions(struct gen *g)
{
	struct gen_function *f;

	while (g->function < g->nr_functions) {
		f = &g->functions[g->function++];
		g->insns[f->call].imm = g->cnt - f->call - 1;
		memset(&g->now, 0, sizeof(g->now));
		memcpy(&g->now.regs[BPF_REG_1], f->args, sizeof(f->args));
		g->room = 20;
		gen_block(g, 2 + gen_below(g, 8));
		gen_return(g);
	}
}

/* One thing wrong, perhaps; the verifier and the model will see. */
static inline void gen_mutate(struct gen *g)
{
	unsigned int at = gen_below(g, g->cnt), other = gen_below(g, g->cnt);
	struct bpf_insn *insn = &g->insns[at];
	struct bpf_insn swap = *insn;

	g->mutated = true;
	switch (gen_below(g, 8)) {
	case 0:
		insn->code ^= 1 << gen_below(g, 8);
		break;
	case 1:
		insn->dst_reg = gen_below(g, 12);
		break;
	case 2:
		insn->src_reg = gen_below(g, 12);
		break;
	case 3:
		insn->off += gen_below(g, 17) - 8;
		break;
	case 4:
		insn->imm = gen_imm(g);
		break;
	case 5:
		*insn = g->insns[other];
		g->insns[other] = swap;
		break;
	case 6:
		*insn = BPF_JMP_A(0);
		break;
	case 7:
		*insn = g->insns[other];
		break;
	}
}

/* Program @index of @seed. */
static inline void gen_program(struct gen *g, uint64_t seed, uint64_t index,
			       const uint32_t *offsets)
{
	memset(g, 0, sizeof(*g));
	fuzz_seed(&g->random, seed + index * 0x9e3779b97f4a7c15ULL);
	memcpy(g->offsets, offsets, sizeof(g->offsets));

	g->room = 10 + gen_below(g, 50);
	g->now.regs[BPF_REG_1] = KIND_CTX;
	gen_emit(g, BPF_MOV64_REG(BPF_REG_6, BPF_REG_1));
	g->now.regs[BPF_REG_6] = KIND_CTX;
	while (g->room)
		gen_one(g);
	gen_return(g);
	gen_functions(g);
	if (!gen_below(g, 6))
		gen_mutate(g);
}

#endif /* SELFTEST_KVM_HYPERUPCALL_PROGRAM_GENERATOR_H */
