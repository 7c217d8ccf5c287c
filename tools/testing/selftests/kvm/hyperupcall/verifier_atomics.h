/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Atomic operations in the window.
 */
#include "verifier_case.h"

LOGIC(c_atomics_first, m[0])

static void c_atomics(struct world *w)
{
	uint32_t *half = (uint32_t *)w->mem;

	w->mem[0] += w->a;
	half[2] += w->b;
	w->mem[2] |= w->a;
	half[6] |= w->b;
	w->mem[4] &= w->a;
	half[10] &= w->b;
	w->mem[6] ^= w->a;
	half[14] ^= w->b;
	w->result = folded(w->a);
}

static void c_atomics_fetch(struct world *w)
{
	uint32_t *half = (uint32_t *)w->mem, b = w->b;
	uint64_t first = w->mem[0], third = w->mem[2];
	uint32_t second = half[2], fourth = half[6];

	w->mem[0] += w->a;
	half[2] += b;
	w->mem[2] = first;
	half[6] = second;
	w->result = folded(third + fourth);
}

static void c_atomics_compare(struct world *w)
{
	uint32_t *half = (uint32_t *)w->mem;
	uint64_t sum = w->mem[0];

	if (w->mem[0] == w->a)
		w->mem[0] = w->b;
	sum += w->mem[1];
	w->mem[1] = w->b;
	sum += half[4];
	half[4] = w->b;
	w->result = folded(sum);
}

LOGIC(c_atomics_half, (uint64_t)(uint32_t)a + (uint32_t)b)

static void c_atomics_aligned(struct world *w)
{
	uint32_t *half = (uint32_t *)w->mem;

	w->mem[1] += w->a;
	half[5] += w->a;
	w->result = folded(w->a);
}

static const struct prog_case atomics_cases[] = {
	{
		"window pointer exchanged with the stack",
		PROG_FOLDED(HUP_DATA(R3, R1, 6), HUP_WINDOW(R3, R3),
			    BPF_ST_MEM(BPF_DW, FP, -8, 0),
			    BPF_ATOMIC_OP(BPF_DW, BPF_XCHG, FP, R3, -8),
			    BPF_LDX_MEM(BPF_DW, R4, FP, -8),
			    HUP_WINDOW(R4, R4),
			    BPF_LDX_MEM(BPF_DW, R0, R4, 0),
			    BPF_ALU64_REG(BPF_ADD, R0, R3)),
		__same(c_atomics_first)
	},
	{
		"atomic add, or, and, xor",
		PROG_FOLDED(HUP_DATA(R3, R1, 6), HUP_WINDOW(R3, R3),
			    BPF_ATOMIC_OP(BPF_DW, BPF_ADD, R3, R0, 0),
			    BPF_ATOMIC_OP(BPF_W, BPF_ADD, R3, R2, 8),
			    BPF_ATOMIC_OP(BPF_DW, BPF_OR, R3, R0, 16),
			    BPF_ATOMIC_OP(BPF_W, BPF_OR, R3, R2, 24),
			    BPF_ATOMIC_OP(BPF_DW, BPF_AND, R3, R0, 32),
			    BPF_ATOMIC_OP(BPF_W, BPF_AND, R3, R2, 40),
			    BPF_ATOMIC_OP(BPF_DW, BPF_XOR, R3, R0, 48),
			    BPF_ATOMIC_OP(BPF_W, BPF_XOR, R3, R2, 56)),
		__same(c_atomics)
	},
	{
		"atomic operations that fetch",
		PROG_FOLDED(HUP_DATA(R3, R1, 6), HUP_WINDOW(R3, R3),
			    BPF_ATOMIC_OP(BPF_DW, BPF_ADD | BPF_FETCH, R3, R0,
					  0),
			    BPF_ATOMIC_OP(BPF_W, BPF_ADD | BPF_FETCH, R3, R2,
					  8),
			    BPF_ATOMIC_OP(BPF_DW, BPF_XCHG, R3, R0, 16),
			    BPF_ATOMIC_OP(BPF_W, BPF_XCHG, R3, R2, 24),
			    BPF_ALU64_REG(BPF_ADD, R0, R2)),
		__same(c_atomics_fetch)
	},
	{
		"compare and exchange",
		PROG_FOLDED(HUP_DATA(R3, R1, 6), HUP_WINDOW(R3, R3),
			    BPF_ATOMIC_OP(BPF_DW, BPF_CMPXCHG, R3, R2, 0),
			    BPF_MOV64_REG(R4, R0),
			    BPF_LDX_MEM(BPF_DW, R0, R3, 8),
			    BPF_ATOMIC_OP(BPF_DW, BPF_CMPXCHG, R3, R2, 8),
			    BPF_ALU64_REG(BPF_ADD, R4, R0),
			    BPF_LDX_MEM(BPF_DW, R0, R3, 16),
			    BPF_ATOMIC_OP(BPF_W, BPF_CMPXCHG, R3, R2, 16),
			    BPF_ALU64_REG(BPF_ADD, R0, R4)),
		__same(c_atomics_compare)
	},
	{
		/* x86 leaves the upper half of the register alone */
		"compare and exchange of half a slot, where both are equal",
		PROG_FOLDED(BPF_STX_MEM(BPF_W, FP, R0, -8),
			    BPF_ATOMIC_OP(BPF_W, BPF_CMPXCHG, FP, R2, -8),
			    BPF_LDX_MEM(BPF_W, R4, FP, -8),
			    BPF_ALU64_REG(BPF_ADD, R0, R4)),
		__same(c_atomics_half)
	},
	{
		"atomic operation on the aligned word",
		PROG_FOLDED(HUP_DATA(R3, R1, 6), HUP_WINDOW(R3, R3),
			    BPF_ALU64_IMM(BPF_ADD, R3, 13),
			    BPF_ATOMIC_OP(BPF_DW, BPF_ADD, R3, R0, 0),
			    BPF_ATOMIC_OP(BPF_W, BPF_ADD, R3, R0, 8)),
		__same(c_atomics_aligned)
	},
	{
		"atomic at an odd distance",
		PROG(BPF_MOV64_IMM(R2, 0),
		     HUP_WINDOW(R2, R2),
		     BPF_MOV64_IMM(R3, 1),
		     BPF_ATOMIC_OP(BPF_DW, BPF_ADD, R2, R3, 4),
		     BPF_MOV64_IMM(R0, 0),
		     BPF_EXIT_INSN()),
		__failure(EACCES, "misaligned offset 4 of atomic")
	},
	{
		"atomic that the JIT does not have",
		PROG(BPF_MOV64_IMM(R2, 0),
		     HUP_WINDOW(R2, R2),
		     BPF_MOV64_IMM(R3, 1),
		     BPF_ATOMIC_OP(BPF_DW, BPF_AND | BPF_FETCH, R2, R3, 0),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure(EACCES,
			  "BPF_ATOMIC stores into R2 arena is not allowed")
	},
	{
		"fetching or in the window",
		PROG(BPF_MOV64_IMM(R2, 0), HUP_WINDOW(R2, R2),
		     BPF_MOV64_IMM(R3, 1),
		     BPF_ATOMIC_OP(BPF_W, BPF_OR | BPF_FETCH, R2, R3, 0),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure(EACCES,
			  "BPF_ATOMIC stores into R2 arena is not allowed")
	},
	{
		"fetching xor in the window",
		PROG(BPF_MOV64_IMM(R2, 0), HUP_WINDOW(R2, R2),
		     BPF_MOV64_IMM(R3, 1),
		     BPF_ATOMIC_OP(BPF_DW, BPF_XOR | BPF_FETCH, R2, R3, 0),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure(EACCES,
			  "BPF_ATOMIC stores into R2 arena is not allowed")
	},
	{
		"atomic on a byte",
		PROG(BPF_MOV64_IMM(R2, 0),
		     HUP_WINDOW(R2, R2),
		     BPF_MOV64_IMM(R3, 1),
		     BPF_ATOMIC_OP(BPF_B, BPF_ADD, R2, R3, 0),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure(EINVAL, "unknown opcode d3")
	},
	{
		"atomic on half a word",
		PROG(BPF_MOV64_IMM(R2, 0), HUP_WINDOW(R2, R2),
		     BPF_MOV64_IMM(R3, 1),
		     BPF_ATOMIC_OP(BPF_H, BPF_ADD, R2, R3, 0),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure(EINVAL, "unknown opcode cb")
	},
	{
		"atomic subtraction",
		PROG(BPF_MOV64_IMM(R2, 0), HUP_WINDOW(R2, R2),
		     BPF_MOV64_IMM(R3, 1),
		     BPF_ATOMIC_OP(BPF_DW, BPF_SUB, R2, R3, 0),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure(EINVAL, "BPF_ATOMIC uses invalid atomic opcode 10")
	},
	{
		"exchange without a fetch",
		PROG(BPF_MOV64_IMM(R2, 0), HUP_WINDOW(R2, R2),
		     BPF_MOV64_IMM(R3, 1),
		     BPF_ATOMIC_OP(BPF_DW, BPF_XCHG & ~BPF_FETCH, R2, R3, 0),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure(EINVAL, "BPF_ATOMIC uses invalid atomic opcode e0")
	},
	{
		"atomic operation with a register never written",
		PROG(BPF_MOV64_IMM(R2, 0), HUP_WINDOW(R2, R2),
		     BPF_ATOMIC_OP(BPF_DW, BPF_ADD, R2, R7, 0),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure(EACCES, "R7 !read_ok")
	},
	{
		"compare and exchange with nothing to compare with",
		PROG(BPF_MOV64_IMM(R2, 0), HUP_WINDOW(R2, R2),
		     BPF_MOV64_IMM(R3, 1),
		     BPF_ATOMIC_OP(BPF_DW, BPF_CMPXCHG, R2, R3, 0),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure(EACCES, "R0 !read_ok")
	},
	{
		"atomic operation on a number",
		PROG(BPF_MOV64_IMM(R2, 64),
		     BPF_ATOMIC_OP(BPF_DW, BPF_ADD, R2, R2, 0),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure(EACCES, "R2 invalid mem access 'scalar'")
	},
	{
		"compare and exchange of the frame pointer",
		PROG(BPF_MOV64_IMM(R2, 0), HUP_WINDOW(R2, R2),
		     BPF_MOV64_IMM(R0, 0),
		     BPF_ATOMIC_OP(BPF_DW, BPF_CMPXCHG, R2, FP, 0),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure(EACCES, "R10 leaks addr into mem")
	},
	{
		"spilled window pointer in an atomic operation",
		PROG(UNKNOWN(R2),
		     HUP_WINDOW(R2, R2),
		     BPF_STX_MEM(BPF_DW, FP, R2, -8),
		     BPF_MOV64_IMM(R0, 1),
		     BPF_ATOMIC_OP(BPF_DW, BPF_ADD | BPF_FETCH, FP, R0, -8),
		     BPF_EXIT_INSN()),
		__failure(EACCES, "leaking pointer from stack off -8")
	},
};
