/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Programs that make one access to the window: at the offset in the first
 * word of the event's data, with the operand in the second. Those that look at
 * more take more words.
 */
#ifndef SELFTEST_KVM_HYPERUPCALL_WINDOW_PROGRAMS_H
#define SELFTEST_KVM_HYPERUPCALL_WINDOW_PROGRAMS_H

#include "hyperupcall_util.h"

#define WINDOW_SIZE	0x100000000ULL

static const int sizes[] = { BPF_B, BPF_H, BPF_W, BPF_DW };

static inline unsigned int bytes_of(int size)
{
	return size == BPF_B ? 1 : size == BPF_H ? 2 : size == BPF_W ? 4 : 8;
}

static inline uint64_t mask_of(int size)
{
	return ~0ULL >> (64 - 8 * bytes_of(size));
}

/* r2 = address of the access, r3 = operand, r0 = what a load must change */
static inline void emit_operands(struct hup_asm *a)
{
	hup_emit(a, HUP_DATA(BPF_REG_2, BPF_REG_1, 0));
	hup_emit(a, HUP_DATA(BPF_REG_3, BPF_REG_1, 1));
	hup_emit(a, HUP_WINDOW(BPF_REG_2, BPF_REG_2));
	hup_emit(a, BPF_MOV64_IMM(BPF_REG_0, -1));
}

/*
 * Returns what it loaded, shifted right by the operand; @size is BPF_B, BPF_H,
 * BPF_W or BPF_DW.
 */
static inline long load_loader(struct hup *h, int size, int16_t off)
{
	struct hup_asm a = {};

	emit_operands(&a);
	hup_emit(&a, BPF_LDX_MEM(size, BPF_REG_0, BPF_REG_2, off));
	hup_emit(&a, BPF_ALU64_REG(BPF_RSH, BPF_REG_0, BPF_REG_3));
	hup_emit(&a, BPF_EXIT_INSN());
	return hup_load_asm(h, &a);
}

/* Runs a loader for all 64 bits, of which a program can return 32 at once. */
static inline uint64_t run_loader(struct hup *h, uint32_t prog,
				  uint64_t offset, uint64_t *faults)
{
	uint64_t high = (uint32_t)hup_run(h, prog, offset, 32, NULL);

	return high << 32 | (uint32_t)hup_run(h, prog, offset, 0, faults);
}

static inline long load_storer(struct hup *h, int size, int16_t off)
{
	struct hup_asm a = {};

	emit_operands(&a);
	hup_emit(&a, BPF_STX_MEM(size, BPF_REG_2, BPF_REG_3, off));
	hup_emit_return(&a, 0);
	return hup_load_asm(h, &a);
}

static inline long load_imm_storer(struct hup *h, int size, int32_t imm)
{
	struct hup_asm a = {};

	emit_operands(&a);
	hup_emit(&a, BPF_ST_MEM(size, BPF_REG_2, 0, imm));
	hup_emit_return(&a, 0);
	return hup_load_asm(h, &a);
}

/* Stores what the operand register holds then to the next word. */
static inline long load_atomic(struct hup *h, int size, int op)
{
	struct hup_asm a = {};

	emit_operands(&a);
	hup_emit(&a, BPF_ATOMIC_OP(size, op, BPF_REG_2, BPF_REG_3, 0));
	hup_emit(&a, BPF_STX_MEM(BPF_DW, BPF_REG_2, BPF_REG_3, 8));
	hup_emit_return(&a, 0);
	return hup_load_asm(h, &a);
}

/* What a program of load_whole_atomic() is told, and what it tells. */
struct whole_atomic {
	uint64_t at;		/* offset of the access */
	uint64_t operand;	/* source register before */
	uint64_t r0;		/* r0 before */
	uint64_t after;		/* offset where both go, in this order */
};

/* An atomic operation of which both registers can be seen. */
static inline long load_whole_atomic(struct hup *h, int size, int op,
				     int16_t off)
{
	struct hup_asm a = {};

	hup_emit(&a, HUP_DATA(BPF_REG_2, BPF_REG_1, 0));
	hup_emit(&a, HUP_DATA(BPF_REG_3, BPF_REG_1, 1));
	hup_emit(&a, HUP_DATA(BPF_REG_0, BPF_REG_1, 2));
	hup_emit(&a, HUP_DATA(BPF_REG_4, BPF_REG_1, 3));
	hup_emit(&a, HUP_WINDOW(BPF_REG_2, BPF_REG_2));
	hup_emit(&a, HUP_WINDOW(BPF_REG_4, BPF_REG_4));
	hup_emit(&a, BPF_ATOMIC_OP(size, op, BPF_REG_2, BPF_REG_3, off));
	hup_emit(&a, BPF_STX_MEM(BPF_DW, BPF_REG_4, BPF_REG_3, 0));
	hup_emit(&a, BPF_STX_MEM(BPF_DW, BPF_REG_4, BPF_REG_0, 8));
	hup_emit_return(&a, 0);
	return hup_load_asm(h, &a);
}

static inline uint64_t run_whole_atomic(struct hup *h, uint32_t prog,
					const struct whole_atomic *args)
{
	struct hyperupcall_test_run run = {
		.ctx.data = {
			args->at, args->operand, args->r0, args->after
		},
	};
	long r = hup_test_run(h, prog, &run);

	TEST_ASSERT(!r, "TEST_RUN of program %u returned %ld", prog, r);
	return run.faults;
}

#endif /* SELFTEST_KVM_HYPERUPCALL_WINDOW_PROGRAMS_H */
