/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where the host keeps things is its secret: bad programs that try to learn
 * it.
 */
#include "verifier_case.h"

static const struct prog_case secrets_cases[] = {
	{
		"context returned",
		PROG(BPF_MOV64_REG(R0, R1), BPF_EXIT_INSN()),
		__failure(EACCES, "R0 leaks addr as return value")
	},
	{
		"frame pointer returned",
		PROG(BPF_MOV64_REG(R0, FP), BPF_EXIT_INSN()),
		__failure(EACCES, "R0 leaks addr as return value")
	},
	{
		"pointer or number returned, by a branch",
		PROG(UNKNOWN(R2),
		     BPF_MOV64_IMM(R0, 0),
		     BPF_JMP_IMM(BPF_JEQ, R2, 0, 1),
		     BPF_MOV64_REG(R0, R1),
		     BPF_EXIT_INSN()),
		__failure(EACCES, "R0 leaks addr as return value")
	},
	{
		"frame pointer returned by a function",
		PROG(BPF_CALL_REL(1),
		     BPF_EXIT_INSN(),
		     BPF_MOV64_REG(R0, FP),
		     BPF_EXIT_INSN()),
		__failure(EINVAL, "cannot return stack pointer to the caller")
	},
	{
		"context returned by a function, and then by the program",
		PROG(BPF_CALL_REL(1),
		     BPF_EXIT_INSN(),
		     BPF_MOV64_REG(R0, R1),
		     BPF_EXIT_INSN()),
		__failure(EACCES, "R0 leaks addr as return value")
	},
	{
		"spilled pointer returned",
		PROG(BPF_STX_MEM(BPF_DW, FP, R1, -8),
		     BPF_LDX_MEM(BPF_DW, R0, FP, -8),
		     BPF_EXIT_INSN()),
		__failure(EACCES, "R0 leaks addr as return value")
	},
	{
		"context stored to the window",
		PROG(BPF_MOV64_IMM(R2, 0),
		     HUP_WINDOW(R2, R2),
		     BPF_STX_MEM(BPF_DW, R2, R1, 0),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure(EACCES, "R1 leaks addr into arena")
	},
	{
		"frame pointer stored to the window",
		PROG(BPF_MOV64_IMM(R2, 0),
		     HUP_WINDOW(R2, R2),
		     BPF_STX_MEM(BPF_DW, R2, FP, 0),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure(EACCES, "R10 leaks addr into arena")
	},
	{
		"half of the frame pointer stored to the window",
		PROG(BPF_MOV64_IMM(R2, 0),
		     HUP_WINDOW(R2, R2),
		     BPF_STX_MEM(BPF_W, R2, FP, 0),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure(EACCES, "R10 leaks addr into arena")
	},
	{
		"address on the stack stored to the window",
		PROG(BPF_MOV64_IMM(R2, 0), HUP_WINDOW(R2, R2),
		     BPF_MOV64_REG(R3, FP),
		     BPF_ALU64_IMM(BPF_ADD, R3, -64),
		     BPF_STX_MEM(BPF_DW, R2, R3, 0),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure(EACCES, "R3 leaks addr into arena")
	},
	{
		"byte of the context's address stored to the window",
		PROG(BPF_MOV64_IMM(R2, 0), HUP_WINDOW(R2, R2),
		     BPF_STX_MEM(BPF_B, R2, R1, 7),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure(EACCES, "R1 leaks addr into arena")
	},
	{
		"pointer stored to the window by a function",
		PROG(BPF_MOV64_IMM(R2, 0), HUP_WINDOW(R2, R2),
		     BPF_CALL_REL(2),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN(),
		     BPF_STX_MEM(BPF_DW, R2, R1, 0),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure(EACCES, "R1 leaks addr into arena")
	},
	{
		"filled pointer stored to the window",
		PROG(BPF_MOV64_IMM(R2, 0), HUP_WINDOW(R2, R2),
		     BPF_STX_MEM(BPF_DW, FP, R1, -8),
		     BPF_LDX_MEM(BPF_DW, R3, FP, -8),
		     BPF_STX_MEM(BPF_DW, R2, R3, 0),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure(EACCES, "R3 leaks addr into arena")
	},
	{
		"context exchanged with the window",
		PROG(BPF_MOV64_IMM(R2, 0),
		     HUP_WINDOW(R2, R2),
		     BPF_ATOMIC_OP(BPF_DW, BPF_XCHG, R2, R1, 0),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure(EACCES, "R1 leaks addr into mem")
	},
	{
		"frame pointer added to the window",
		PROG(BPF_MOV64_IMM(R2, 0), HUP_WINDOW(R2, R2),
		     BPF_ATOMIC_OP(BPF_DW, BPF_ADD, R2, FP, 0),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure(EACCES, "R10 leaks addr into mem")
	},
	{
		"half of the context's address added to the window",
		PROG(BPF_MOV64_IMM(R2, 0), HUP_WINDOW(R2, R2),
		     BPF_ATOMIC_OP(BPF_W, BPF_ADD, R2, R1, 0),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure(EACCES, "R1 leaks addr into mem")
	},
	{
		"frame pointer compared with the window's memory",
		PROG(BPF_MOV64_IMM(R2, 0),
		     HUP_WINDOW(R2, R2),
		     BPF_MOV64_IMM(R3, 0),
		     BPF_MOV64_REG(R0, FP),
		     BPF_ATOMIC_OP(BPF_DW, BPF_CMPXCHG, R2, R3, 0),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure(EACCES, "R0 leaks addr into mem")
	},
	{
		"frame pointer made a window pointer",
		PROG(HUP_WINDOW(R0, FP), BPF_EXIT_INSN()),
		__failure(EACCES,
			  "R10 address space cast of pointer prohibited")
	},
	{
		"context made an address of space 1",
		PROG(BPF_RAW_INSN(BPF_ALU64 | BPF_MOV | BPF_X, R0, R1,
				  BPF_ADDR_SPACE_CAST, 1 << 16),
		     BPF_EXIT_INSN()),
		__failure(EACCES, "R1 address space cast of pointer prohibited")
	},
	{
		"window pointer plus frame pointer",
		PROG(BPF_MOV64_IMM(R2, 0),
		     HUP_WINDOW(R2, R2),
		     BPF_ALU64_REG(BPF_ADD, R2, FP),
		     BPF_MOV64_REG(R0, R2),
		     BPF_EXIT_INSN()),
		__failure(EACCES,
			  "arena pointer arithmetic with another pointer")
	},
	{
		"context minus window pointer",
		PROG(BPF_MOV64_IMM(R2, 0),
		     HUP_WINDOW(R2, R2),
		     BPF_ALU64_REG(BPF_SUB, R1, R2),
		     BPF_MOV64_REG(R0, R1),
		     BPF_EXIT_INSN()),
		__failure(EACCES,
			  "arena pointer arithmetic with another pointer")
	},
	{
		"half of window pointer xor frame pointer",
		PROG(BPF_MOV64_IMM(R2, 0),
		     HUP_WINDOW(R2, R2),
		     BPF_ALU32_REG(BPF_XOR, R2, FP),
		     BPF_MOV64_REG(R0, R2),
		     BPF_EXIT_INSN()),
		__failure(EACCES,
			  "arena pointer arithmetic with another pointer")
	},
	{
		"an addition of a window pointer or of a number",
		PROG(UNKNOWN(R2),
		     BPF_MOV64_REG(R3, R2),
		     BPF_JMP_IMM(BPF_JEQ, R2, 0, 1),
		     HUP_WINDOW(R2, R2),
		     BPF_ALU64_REG(BPF_ADD, R2, R3),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure(EACCES,
			  "R2 same insn cannot be used with and without")
	},
	{
		"number plus window pointer or number",
		/* the same addition, with the window pointer on the right */
		PROG(UNKNOWN(R2),
		     BPF_MOV64_IMM(R3, 8),
		     BPF_MOV64_REG(R4, R2),
		     BPF_JMP_IMM(BPF_JEQ, R2, 0, 1),
		     HUP_WINDOW(R4, R2),
		     BPF_ALU64_REG(BPF_ADD, R3, R4),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure(EACCES,
			  "R3 same insn cannot be used with and without")
	},
	{
		"context compared with a number",
		PROG(BPF_MOV64_IMM(R0, 0),
		     BPF_JMP_IMM(BPF_JGT, R1, 1, 1),
		     BPF_MOV64_IMM(R0, 1),
		     BPF_EXIT_INSN()),
		__failure(EACCES, "R1 pointer comparison prohibited")
	},
	{
		"half of the context's address compared",
		PROG(BPF_MOV64_IMM(R0, 0),
		     BPF_JMP32_IMM(BPF_JGT, R1, 1, 1),
		     BPF_MOV64_IMM(R0, 1),
		     BPF_EXIT_INSN()),
		__failure(EACCES, "R1 pointer comparison prohibited")
	},
	{
		"bit of the frame pointer tested",
		PROG(BPF_MOV64_IMM(R0, 0),
		     BPF_JMP_IMM(BPF_JSET, FP, 0x1000, 1),
		     BPF_MOV64_IMM(R0, 1),
		     BPF_EXIT_INSN()),
		__failure(EACCES, "R10 pointer comparison prohibited")
	},
	{
		"context compared with the frame pointer",
		PROG(BPF_MOV64_IMM(R0, 0),
		     BPF_JMP_REG(BPF_JGT, R1, FP, 1),
		     BPF_MOV64_IMM(R0, 1),
		     BPF_EXIT_INSN()),
		__failure(EACCES, "R10 pointer comparison prohibited")
	},
	{
		"number compared with the context",
		PROG(UNKNOWN(R2),
		     BPF_MOV64_IMM(R0, 0),
		     BPF_JMP_REG(BPF_JSLT, R2, R1, 1),
		     BPF_MOV64_IMM(R0, 1),
		     BPF_EXIT_INSN()),
		__failure(EACCES, "R1 pointer comparison prohibited")
	},
	{
		"frame pointer searched for",
		/* equality would do, given some patience */
		PROG(UNKNOWN(R2),
		     BPF_MOV64_IMM(R0, 0),
		     BPF_JMP_REG(BPF_JEQ, FP, R2, 1),
		     BPF_MOV64_IMM(R0, 1),
		     BPF_EXIT_INSN()),
		__failure(EACCES, "R10 pointer comparison prohibited")
	},
	{
		"frame pointer compared with a window pointer",
		PROG(UNKNOWN(R2),
		     HUP_WINDOW(R2, R2),
		     BPF_MOV64_IMM(R0, 0),
		     BPF_MOV64_REG(R3, FP),
		     BPF_JMP_REG(BPF_JGT, R3, R2, 1),
		     BPF_MOV64_IMM(R0, 1),
		     BPF_EXIT_INSN()),
		__failure(EACCES, "R3 pointer comparison prohibited")
	},
	{
		"window pointer compared with the frame pointer",
		PROG(UNKNOWN(R2),
		     HUP_WINDOW(R2, R2),
		     BPF_MOV64_IMM(R0, 0),
		     BPF_JMP_REG(BPF_JGT, R2, FP, 1),
		     BPF_MOV64_IMM(R0, 1),
		     BPF_EXIT_INSN()),
		__failure(EACCES, "R10 pointer comparison prohibited")
	},
	{
		"half of a pointer",
		PROG(BPF_MOV32_REG(R0, R1), BPF_EXIT_INSN()),
		__failure(EACCES, "R1 partial copy of pointer")
	},
	{
		"byte of a pointer, extended",
		PROG(BPF_RAW_INSN(BPF_ALU64 | BPF_MOV | BPF_X, R0, R1, 8, 0),
		     BPF_EXIT_INSN()),
		__failure(EACCES, "R1 sign-extension part of pointer")
	},
	{
		"half word of a pointer, extended to a word",
		PROG(BPF_RAW_INSN(BPF_ALU | BPF_MOV | BPF_X, R0, R1, 16, 0),
		     BPF_EXIT_INSN()),
		__failure(EACCES, "R1 partial copy of pointer")
	},
	{
		"pointer negated",
		PROG(BPF_MOV64_REG(R0, FP),
		     BPF_ALU64_IMM(BPF_NEG, R0, 0),
		     BPF_EXIT_INSN()),
		__failure(EACCES, "R0 pointer arithmetic prohibited")
	},
	{
		"pointer shifted",
		PROG(BPF_MOV64_REG(R0, FP),
		     BPF_ALU64_IMM(BPF_RSH, R0, 8),
		     BPF_EXIT_INSN()),
		__failure(EACCES,
			  "R0 pointer arithmetic with >>= operator prohibited")
	},
	{
		"pointer swapped",
		PROG(BPF_MOV64_REG(R0, R1),
		     BPF_ENDIAN(BPF_TO_BE, R0, 64),
		     BPF_EXIT_INSN()),
		__failure(EACCES, "R0 pointer arithmetic prohibited")
	},
	{
		"pointer xor itself",
		PROG(BPF_MOV64_REG(R0, FP),
		     BPF_ALU64_REG(BPF_XOR, R0, R0),
		     BPF_EXIT_INSN()),
		__failure(EACCES, "R0 pointer ^= pointer prohibited")
	},
	{
		"pointer and a mask",
		PROG(BPF_MOV64_REG(R0, FP),
		     BPF_ALU64_IMM(BPF_AND, R0, 0xfff),
		     BPF_EXIT_INSN()),
		__failure(EACCES,
			  "R0 bitwise operator &= on pointer prohibited")
	},
	{
		"pointer or a mask",
		PROG(BPF_ALU64_IMM(BPF_OR, R1, 1),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure(EACCES,
			  "R1 bitwise operator |= on pointer prohibited")
	},
	{
		"pointer times two",
		PROG(BPF_ALU64_IMM(BPF_MUL, R1, 2),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure(EACCES,
			  "R1 pointer arithmetic with *= operator prohibited")
	},
	{
		"pointer divided",
		PROG(BPF_MOV64_REG(R0, FP),
		     BPF_ALU64_IMM(BPF_DIV, R0, 4096),
		     BPF_EXIT_INSN()),
		__failure(EACCES,
			  "R0 pointer arithmetic with /= operator prohibited")
	},
	{
		"number divided by a pointer",
		PROG(BPF_MOV64_IMM(R0, -1),
		     BPF_ALU64_REG(BPF_DIV, R0, R1),
		     BPF_EXIT_INSN()),
		__failure(EACCES,
			  "R0 pointer arithmetic with /= operator prohibited")
	},
	{
		"number shifted by a pointer",
		PROG(BPF_MOV64_IMM(R0, 1),
		     BPF_ALU64_REG(BPF_LSH, R0, FP),
		     BPF_EXIT_INSN()),
		__failure(EACCES,
			  "R0 pointer arithmetic with <<= operator prohibited")
	},
	{
		"number minus a pointer",
		PROG(BPF_MOV64_IMM(R0, 0),
		     BPF_ALU64_REG(BPF_SUB, R0, FP),
		     BPF_EXIT_INSN()),
		__failure(EACCES, "R0 tried to subtract pointer from scalar")
	},
	{
		"number plus a pointer, returned",
		PROG(BPF_MOV64_IMM(R0, 0),
		     BPF_ALU64_REG(BPF_ADD, R0, FP),
		     BPF_EXIT_INSN()),
		__failure(EACCES,
			  "R0 stack pointer arithmetic goes out of range")
	},
	{
		"32 bits of a pointer plus a constant",
		PROG(BPF_MOV64_REG(R0, FP),
		     BPF_ALU32_IMM(BPF_ADD, R0, 8),
		     BPF_EXIT_INSN()),
		__failure(EACCES, "R0 32-bit pointer arithmetic prohibited")
	},
	{
		"sum of two pointers",
		PROG(BPF_MOV64_REG(R0, FP),
		     BPF_ALU64_REG(BPF_ADD, R0, R1),
		     BPF_EXIT_INSN()),
		__failure(EACCES, "R0 pointer += pointer prohibited")
	},
	{
		"difference of pointers",
		PROG(BPF_MOV64_REG(R0, FP),
		     BPF_ALU64_REG(BPF_SUB, R0, R1),
		     BPF_EXIT_INSN()),
		__failure(EACCES, "R0 pointer -= pointer prohibited")
	},
	{
		"difference of a pointer and itself",
		PROG(BPF_MOV64_REG(R0, FP),
		     BPF_ALU64_REG(BPF_SUB, R0, R0),
		     BPF_EXIT_INSN()),
		__failure(EACCES, "R0 pointer -= pointer prohibited")
	},
	{
		"pointer to the context moved by nothing known",
		PROG(UNKNOWN(R2),
		     BPF_ALU64_REG(BPF_ADD, R1, R2),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure(EINVAL, "math between ctx pointer and register with")
	},
	{
		"spilled pointer read in part",
		PROG(BPF_STX_MEM(BPF_DW, FP, R1, -8),
		     BPF_LDX_MEM(BPF_W, R0, FP, -8),
		     BPF_EXIT_INSN()),
		__failure(EACCES, "invalid size of register fill")
	},
	{
		"spilled pointer read with its sign",
		PROG(BPF_STX_MEM(BPF_DW, FP, R1, -8),
		     LDX_SX(BPF_W, R0, FP, -8),
		     BPF_EXIT_INSN()),
		__failure(EACCES, "invalid size of register fill")
	},
	{
		"spilled pointer read by a function",
		PROG(BPF_STX_MEM(BPF_DW, FP, R1, -8),
		     BPF_MOV64_REG(R1, FP),
		     BPF_CALL_REL(1),
		     BPF_EXIT_INSN(),
		     BPF_LDX_MEM(BPF_W, R0, R1, -8),
		     BPF_EXIT_INSN()),
		__failure(EACCES, "invalid size of register fill")
	},
	{
		"spilled pointer overwritten in part",
		PROG(BPF_STX_MEM(BPF_DW, FP, R1, -8),
		     BPF_ST_MEM(BPF_B, FP, -8, 0),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure(EACCES, "attempt to corrupt spilled pointer on stack")
	},
	{
		"spilled pointer added to",
		PROG(BPF_STX_MEM(BPF_DW, FP, R1, -8),
		     BPF_MOV64_IMM(R0, 0),
		     BPF_ATOMIC_OP(BPF_DW, BPF_ADD | BPF_FETCH, FP, R0, -8),
		     BPF_EXIT_INSN()),
		__failure(EACCES, "leaking pointer from stack off -8")
	},
	{
		"pointer added to a word of the stack",
		PROG(CLEAR(1),
		     BPF_ATOMIC_OP(BPF_DW, BPF_ADD, FP, R1, -8),
		     BPF_LDX_MEM(BPF_DW, R0, FP, -8),
		     BPF_EXIT_INSN()),
		__failure(EACCES, "R1 leaks addr into mem")
	},
	{
		"half a pointer stored to the stack",
		PROG(BPF_STX_MEM(BPF_W, FP, R1, -8),
		     BPF_LDX_MEM(BPF_W, R0, FP, -8),
		     BPF_EXIT_INSN()),
		__failure(EACCES, "invalid size of register spill")
	},
	{
		"number used as a pointer",
		PROG(BPF_MOV64_IMM(R2, 0x1000),
		     BPF_LDX_MEM(BPF_DW, R0, R2, 0),
		     BPF_EXIT_INSN()),
		__failure(EACCES, "R2 invalid mem access 'scalar'")
	},
	{
		"pointer's copy in guest memory used",
		PROG(UNKNOWN(R2),
		     HUP_WINDOW(R2, R2),
		     BPF_LDX_MEM(BPF_DW, R2, R2, 0),
		     BPF_LDX_MEM(BPF_DW, R0, R2, 0),
		     BPF_EXIT_INSN()),
		__failure(EACCES, "R2 invalid mem access 'scalar'")
	},
	{
		"number from the context used as a pointer",
		PROG(UNKNOWN(R2),
		     BPF_ST_MEM(BPF_DW, R2, 0, 0),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure(EACCES, "R2 invalid mem access 'scalar'")
	},
	{
		"window pointer given to a helper",
		PROG(UNKNOWN(R2),
		     HUP_WINDOW(R1, R2),
		     HUP_CALL(VCPU_STATE),
		     BPF_EXIT_INSN()),
		__failure(EINVAL, "R1 is not a scalar")
	},
	{
		"pointer given to a helper",
		PROG(HUP_CALL(VCPU_STATE), BPF_EXIT_INSN()),
		__failure(EINVAL, "R1 is not a scalar")
	},
	{
		"frame pointer given to flush_tlb",
		/* another vCPU's answer would tell */
		PROG(BPF_MOV64_REG(R1, FP),
		     HUP_CALL(FLUSH_TLB),
		     BPF_EXIT_INSN()),
		__failure(EINVAL, "R1 is not a scalar")
	},
	{
		"pointer as the size of a buffer",
		PROG(CLEAR(1), CLEAR(2), CLEAR(3), CLEAR(4), CLEAR(5),
		     BPF_MOV64_REG(R3, R1),
		     BPF_MOV64_IMM(R1, 0),
		     BPF_MOV64_REG(R2, FP),
		     BPF_ALU64_IMM(BPF_ADD, R2, -(int)REGS_SIZE),
		     HUP_CALL(VCPU_REGS),
		     BPF_EXIT_INSN()),
		__failure(EINVAL,
			  "arg#1 pointer type UNKNOWN  must point to scalar")
	},
};
