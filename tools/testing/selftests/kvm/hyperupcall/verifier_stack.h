/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Good programs and bad ones: the stack, and what is in it.
 */
#include "verifier_case.h"

static uint64_t stack_word(uint64_t a, uint64_t b)
{
	a = (a & ~0xffffULL) | (uint16_t)b;
	return (a & ~(0xffULL << 56)) | 0x5aULL << 56;
}

static void c_stack_bytes(struct world *w)
{
	uint64_t word = stack_word(w->a, w->b);

	w->result = folded(word + (word >> 32));
}

LOGIC(c_spill_half, (uint32_t)a)
LOGIC(c_stack_sx, (int64_t)(int8_t)a + (int16_t)(a >> 16) + (int32_t)(a >> 32))

static void c_stack_atomics(struct world *w)
{
	uint32_t half[2], old;
	uint64_t word = w->a + w->b;

	/* Each operand is what the operation before has fetched. */
	old = word;
	word ^= w->a;
	memcpy(half, &word, sizeof(half));
	w->b = half[1];
	half[1] |= old;
	old = half[0];
	half[0] &= w->b;
	memcpy(&word, half, sizeof(half));
	w->result = folded(word + old);
}

static const struct prog_case stack_cases[] = {
	{
		"all of the stack",
		PROG(BPF_ST_MEM(BPF_DW, FP, -512, 7),
		     BPF_ST_MEM(BPF_DW, FP, -8, 8),
		     BPF_LDX_MEM(BPF_DW, R0, FP, -512),
		     BPF_LDX_MEM(BPF_DW, R1, FP, -8),
		     BPF_ALU64_REG(BPF_ADD, R0, R1),
		     BPF_EXIT_INSN()),
		__retval(15)
	},
	{
		"subprogram that writes its caller's stack",
		PROG(BPF_ST_MEM(BPF_DW, FP, -8, 1),
		     BPF_MOV64_REG(R1, FP),
		     BPF_ALU64_IMM(BPF_ADD, R1, -8),
		     BPF_CALL_REL(2),
		     BPF_LDX_MEM(BPF_DW, R0, FP, -8),
		     BPF_EXIT_INSN(),
		     BPF_ST_MEM(BPF_DW, R1, 0, 33),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__retval(33)
	},
	{
		"bytes and words of the stack",
		PROG_FOLDED(BPF_STX_MEM(BPF_DW, FP, R0, -8),
			    BPF_STX_MEM(BPF_H, FP, R2, -8),
			    BPF_ST_MEM(BPF_B, FP, -1, 0x5a),
			    BPF_LDX_MEM(BPF_W, R3, FP, -4),
			    BPF_LDX_MEM(BPF_DW, R0, FP, -8),
			    BPF_ALU64_REG(BPF_ADD, R0, R3)),
		__same(c_stack_bytes)
	},
	{
		"half a word spilled and filled",
		PROG_FOLDED(BPF_STX_MEM(BPF_W, FP, R0, -4),
			    BPF_LDX_MEM(BPF_W, R0, FP, -4)),
		__same(c_spill_half)
	},
	{
		"constants stored with their sign",
		PROG(BPF_ST_MEM(BPF_DW, FP, -8, -1),
		     BPF_LDX_MEM(BPF_W, R0, FP, -4),
		     BPF_EXIT_INSN()),
		__retval(0xffffffff)
	},
	{
		"sign-extending loads from the stack",
		PROG_FOLDED(BPF_STX_MEM(BPF_DW, FP, R0, -8),
			    LDX_SX(BPF_B, R0, FP, -8),
			    LDX_SX(BPF_H, R2, FP, -6),
			    LDX_SX(BPF_W, R3, FP, -4),
			    BPF_ALU64_REG(BPF_ADD, R0, R2),
			    BPF_ALU64_REG(BPF_ADD, R0, R3)),
		__same(c_stack_sx)
	},
	{
		"atomic operations on the stack",
		PROG_FOLDED(BPF_STX_MEM(BPF_DW, FP, R0, -8),
			    BPF_ATOMIC_OP(BPF_DW, BPF_ADD | BPF_FETCH, FP, R2,
					  -8),
			    BPF_ATOMIC_OP(BPF_DW, BPF_XOR | BPF_FETCH, FP, R2,
					  -8),
			    BPF_ATOMIC_OP(BPF_W, BPF_OR | BPF_FETCH, FP, R2,
					  -4),
			    BPF_ATOMIC_OP(BPF_W, BPF_AND | BPF_FETCH, FP, R2,
					  -8),
			    BPF_LDX_MEM(BPF_DW, R0, FP, -8),
			    BPF_ALU64_REG(BPF_ADD, R0, R2)),
		__same(c_stack_atomics)
	},
	{
		"two frames that fill the stack",
		PROG(BPF_ST_MEM(BPF_DW, FP, -256, 1),
		     BPF_CALL_REL(3),
		     BPF_LDX_MEM(BPF_DW, R1, FP, -256),
		     BPF_ALU64_REG(BPF_ADD, R0, R1),
		     BPF_EXIT_INSN(),
		     BPF_ST_MEM(BPF_DW, FP, -256, 2),
		     BPF_LDX_MEM(BPF_DW, R0, FP, -256),
		     BPF_EXIT_INSN()),
		__retval(3)
	},
	{
		"register never written",
		PROG(BPF_MOV64_REG(R0, R9), BPF_EXIT_INSN()),
		__failure(EACCES, "R9 !read_ok")
	},
	{
		"nothing returned",
		PROG(BPF_EXIT_INSN()),
		__failure(EACCES, "R0 !read_ok")
	},
	{
		"stack never written",
		PROG(BPF_LDX_MEM(BPF_DW, R0, FP, -8), BPF_EXIT_INSN()),
		__failure(EACCES, "invalid read from stack R10 off=-8 size=8")
	},
	{
		"stack written in part",
		PROG(BPF_ST_MEM(BPF_W, FP, -8, 0),
		     BPF_LDX_MEM(BPF_DW, R0, FP, -8),
		     BPF_EXIT_INSN()),
		__failure(EACCES, "invalid read from stack off -8+4 size 8")
	},
	{
		"below the stack",
		PROG(BPF_ST_MEM(BPF_DW, FP, -520, 0),
		     BPF_MOV64_IMM(R0, 0),
		     BPF_EXIT_INSN()),
		__failure(EACCES, "invalid write to stack R10 off=-520 size=8")
	},
	{
		"above the stack",
		PROG(BPF_ST_MEM(BPF_DW, FP, 8, 0),
		     BPF_MOV64_IMM(R0, 0),
		     BPF_EXIT_INSN()),
		__failure(EACCES, "invalid write to stack R10 off=8 size=8")
	},
	{
		"stack at an unknown offset",
		PROG(CLEAR(1), CLEAR(2), CLEAR(3), CLEAR(4), CLEAR(5),
		     UNKNOWN(R2),
		     BPF_ALU64_REG(BPF_ADD, R2, FP),
		     BPF_LDX_MEM(BPF_B, R0, R2, 0),
		     BPF_EXIT_INSN()),
		__failure(EINVAL, "math between fp pointer and register with")
	},
	{
		"stack written on one path only",
		PROG(UNKNOWN(R2),
		     BPF_JMP_IMM(BPF_JEQ, R2, 0, 1),
		     BPF_ST_MEM(BPF_DW, FP, -8, 1),
		     BPF_LDX_MEM(BPF_DW, R0, FP, -8),
		     BPF_EXIT_INSN()),
		__failure(EACCES, "invalid read from stack R10 off=-8 size=8")
	},
	{
		"register written on one path only",
		PROG(UNKNOWN(R2),
		     BPF_JMP_IMM(BPF_JEQ, R2, 0, 1),
		     BPF_MOV64_IMM(R0, 1),
		     BPF_EXIT_INSN()),
		__failure(EACCES, "R0 !read_ok")
	},
	{
		"frame of a function that has returned",
		PROG(BPF_CALL_REL(3),
		     BPF_CALL_REL(5),
		     BPF_MOV64_IMM(R0, 0),
		     BPF_EXIT_INSN(),
		     BPF_ST_MEM(BPF_DW, FP, -8, 7),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN(),
		     BPF_LDX_MEM(BPF_DW, R0, FP, -8),
		     BPF_EXIT_INSN()),
		__failure(EACCES, "invalid read from stack R10 off=-8 size=8")
	},
	{
		"caller's stack, never written",
		PROG(BPF_MOV64_REG(R1, FP),
		     BPF_ALU64_IMM(BPF_ADD, R1, -8),
		     BPF_CALL_REL(1),
		     BPF_EXIT_INSN(),
		     BPF_LDX_MEM(BPF_DW, R0, R1, 0),
		     BPF_EXIT_INSN()),
		__failure(EACCES, "invalid read from stack R1 off=-8 size=8")
	},
	{
		"above the caller's stack",
		PROG(BPF_MOV64_REG(R1, FP),
		     BPF_CALL_REL(1),
		     BPF_EXIT_INSN(),
		     BPF_ST_MEM(BPF_DW, R1, 0, 0),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure(EACCES, "invalid write to stack R1 off=0 size=8")
	},
	{
		"atomic operation on stack never written",
		PROG(BPF_MOV64_IMM(R0, 1),
		     BPF_ATOMIC_OP(BPF_DW, BPF_ADD, FP, R0, -8),
		     BPF_EXIT_INSN()),
		__failure(EACCES, "invalid read from stack R10 off=-8 size=8")
	},
	{
		"misaligned load from the stack",
		PROG(CLEAR(1), CLEAR(2),
		     BPF_LDX_MEM(BPF_DW, R0, FP, -12),
		     BPF_EXIT_INSN()),
		__failure(EACCES, "misaligned stack access off 0+0+-12 size 8")
	},
	{
		"misaligned store to the stack",
		PROG(BPF_ST_MEM(BPF_H, FP, -7, 0),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure(EACCES, "misaligned stack access off 0+0+-7 size 2")
	},
	{
		"misaligned atomic operation on the stack",
		PROG(CLEAR(1), CLEAR(2),
		     BPF_MOV64_IMM(R0, 1),
		     BPF_ATOMIC_OP(BPF_DW, BPF_ADD, FP, R0, -12),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure(EACCES, "misaligned stack access off 0+0+-12 size 8")
	},
	{
		"register of the caller in a function",
		PROG(BPF_MOV64_IMM(R6, 1),
		     BPF_CALL_REL(1),
		     BPF_EXIT_INSN(),
		     BPF_MOV64_REG(R0, R6),
		     BPF_EXIT_INSN()),
		__failure(EACCES, "R6 !read_ok")
	},
	{
		"argument register after a function",
		PROG(BPF_MOV64_IMM(R2, 1),
		     BPF_CALL_REL(2),
		     BPF_MOV64_REG(R0, R2),
		     BPF_EXIT_INSN(),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure(EACCES, "R2 !read_ok")
	},
	{
		"registers after a call",
		PROG(BPF_MOV64_IMM(R1, 0),
		     HUP_CALL(VCPU_STATE),
		     BPF_MOV64_REG(R0, R1),
		     BPF_EXIT_INSN()),
		__failure(EACCES, "R1 !read_ok")
	},
	{
		"two frames too large for the stack",
		PROG(BPF_ST_MEM(BPF_DW, FP, -512, 0),
		     BPF_CALL_REL(1),
		     BPF_EXIT_INSN(),
		     BPF_ST_MEM(BPF_DW, FP, -512, 0),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure(EACCES,
			  "combined stack size of 2 calls is")
	},
	{
		"three frames too large for the stack",
		PROG(BPF_ST_MEM(BPF_DW, FP, -192, 0),
		     BPF_CALL_REL(1),
		     BPF_EXIT_INSN(),
		     BPF_ST_MEM(BPF_DW, FP, -192, 0),
		     BPF_CALL_REL(1),
		     BPF_EXIT_INSN(),
		     BPF_ST_MEM(BPF_DW, FP, -192, 0),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure(EACCES,
			  "combined stack size of 3 calls is")
	},
	{
		"one byte of a frame too many for the stack",
		PROG(BPF_ST_MEM(BPF_DW, FP, -512, 0),
		     BPF_CALL_REL(1),
		     BPF_EXIT_INSN(),
		     BPF_ST_MEM(BPF_B, FP, -1, 0),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure(EACCES,
			  "combined stack size of 2 calls is")
	},
};
