/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Instructions that are none: reserved fields of every class, and opcodes
 * that nobody defined.
 */
#include "verifier_case.h"

static const struct prog_case malformed_cases[] = {
	{
		"reserved fields of exit",
		PROG(BPF_MOV64_IMM(R0, 0),
		     BPF_RAW_INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 1)),
		__failure(EINVAL, "BPF_EXIT uses reserved fields")
	},
	{
		"exit with a register",
		PROG(BPF_MOV64_IMM(R0, 0),
		     BPF_RAW_INSN(BPF_JMP | BPF_EXIT, R1, 0, 0, 0)),
		__failure(EINVAL, "BPF_EXIT uses reserved fields")
	},
	{
		"exit of 32 bits",
		PROG(BPF_MOV64_IMM(R0, 0),
		     BPF_RAW_INSN(BPF_JMP32 | BPF_EXIT, 0, 0, 0, 0),
		     BPF_EXIT_INSN()),
		__failure(EINVAL, "unknown opcode 96")
	},
	{
		"reserved fields of mov",
		PROG(BPF_RAW_INSN(BPF_ALU64 | BPF_MOV | BPF_K, R0, R1, 0, 0),
		     BPF_EXIT_INSN()),
		__failure(EINVAL, "BPF_MOV uses reserved fields")
	},
	{
		"mov with a sign extension of seven bits",
		PROG(BPF_RAW_INSN(BPF_ALU64 | BPF_MOV | BPF_X, R0, R1, 7, 0),
		     BPF_EXIT_INSN()),
		__failure(EINVAL, "BPF_MOV uses reserved fields")
	},
	{
		"mov of 32 bits with a sign extension of 32",
		PROG(BPF_MOV64_IMM(R0, 0),
		     BPF_RAW_INSN(BPF_ALU | BPF_MOV | BPF_X, R0, R0, 32, 0),
		     BPF_EXIT_INSN()),
		__failure(EINVAL, "BPF_MOV uses reserved fields")
	},
	{
		"mov of a register and a constant",
		PROG(BPF_MOV64_IMM(R2, 0),
		     BPF_RAW_INSN(BPF_ALU64 | BPF_MOV | BPF_X, R0, R2, 0, 1),
		     BPF_EXIT_INSN()),
		__failure(EINVAL, "BPF_MOV uses reserved fields")
	},
	{
		"addition of a constant with a register",
		PROG(BPF_MOV64_IMM(R0, 0),
		     BPF_RAW_INSN(BPF_ALU64 | BPF_ADD | BPF_K, R0, R1, 0, 1),
		     BPF_EXIT_INSN()),
		__failure(EINVAL, "BPF_ALU uses reserved fields")
	},
	{
		"addition of a register with a constant",
		PROG(BPF_MOV64_IMM(R0, 0),
		     BPF_RAW_INSN(BPF_ALU | BPF_ADD | BPF_X, R0, R0, 0, 1),
		     BPF_EXIT_INSN()),
		__failure(EINVAL, "BPF_ALU uses reserved fields")
	},
	{
		"addition with a sign",
		PROG(BPF_MOV64_IMM(R0, 0),
		     BPF_RAW_INSN(BPF_ALU64 | BPF_ADD | BPF_K, R0, 0, 1, 1),
		     BPF_EXIT_INSN()),
		__failure(EINVAL, "BPF_ALU uses reserved fields")
	},
	{
		"division with two signs",
		PROG(BPF_MOV64_IMM(R0, 0),
		     BPF_RAW_INSN(BPF_ALU64 | BPF_DIV | BPF_K, R0, 0, 2, 1),
		     BPF_EXIT_INSN()),
		__failure(EINVAL, "BPF_ALU uses reserved fields")
	},
	{
		"division by a constant zero",
		PROG(BPF_MOV64_IMM(R0, 1),
		     BPF_ALU64_IMM(BPF_DIV, R0, 0),
		     BPF_EXIT_INSN()),
		__failure(EINVAL, "div by zero")
	},
	{
		"remainder of a division by a constant zero",
		PROG(BPF_MOV64_IMM(R0, 1),
		     BPF_ALU32_IMM(BPF_MOD, R0, 0),
		     BPF_EXIT_INSN()),
		__failure(EINVAL, "div by zero")
	},
	{
		"shift by 64",
		PROG(BPF_MOV64_IMM(R0, 1),
		     BPF_ALU64_IMM(BPF_LSH, R0, 64),
		     BPF_EXIT_INSN()),
		__failure(EINVAL, "invalid shift 64")
	},
	{
		"shift of 32 bits by 32",
		PROG(BPF_MOV64_IMM(R0, 1),
		     BPF_ALU32_IMM(BPF_ARSH, R0, 32),
		     BPF_EXIT_INSN()),
		__failure(EINVAL, "invalid shift 32")
	},
	{
		"shift by less than nothing",
		PROG(BPF_MOV64_IMM(R0, 1),
		     BPF_ALU64_IMM(BPF_RSH, R0, -1),
		     BPF_EXIT_INSN()),
		__failure(EINVAL, "invalid shift -1")
	},
	{
		"negation of a register by a register",
		PROG(BPF_MOV64_IMM(R0, 1),
		     BPF_RAW_INSN(BPF_ALU64 | BPF_NEG | BPF_X, R0, R0, 0, 0),
		     BPF_EXIT_INSN()),
		__failure(EINVAL, "unknown opcode 8f")
	},
	{
		"negation with a constant",
		PROG(BPF_MOV64_IMM(R0, 1),
		     BPF_RAW_INSN(BPF_ALU | BPF_NEG, R0, 0, 0, 4),
		     BPF_EXIT_INSN()),
		__failure(EINVAL, "BPF_NEG uses reserved fields")
	},
	{
		"byte swap of 8 bits",
		PROG(BPF_MOV64_IMM(R0, 1),
		     BPF_ENDIAN(BPF_TO_BE, R0, 8),
		     BPF_EXIT_INSN()),
		__failure(EINVAL, "BPF_END uses reserved fields")
	},
	{
		"byte swap with an offset",
		PROG(BPF_MOV64_IMM(R0, 1),
		     BPF_RAW_INSN(BPF_ALU | BPF_END | BPF_TO_LE, R0, 0, 1, 16),
		     BPF_EXIT_INSN()),
		__failure(EINVAL, "BPF_END uses reserved fields")
	},
	{
		"unconditional byte swap to big endian",
		PROG(BPF_MOV64_IMM(R0, 1),
		     BPF_RAW_INSN(BPF_ALU64 | BPF_END | BPF_TO_BE, R0, 0, 0,
				  16),
		     BPF_EXIT_INSN()),
		__failure(EINVAL, "unknown opcode df")
	},
	{
		"arithmetic operation e",
		PROG(BPF_MOV64_IMM(R0, 1),
		     BPF_RAW_INSN(BPF_ALU64 | 0xe0, R0, 0, 0, 1),
		     BPF_EXIT_INSN()),
		__failure(EINVAL, "unknown opcode e7")
	},
	{
		"jump with a register",
		PROG(BPF_MOV64_IMM(R0, 1),
		     BPF_RAW_INSN(BPF_JMP | BPF_JA, R1, 0, 0, 0),
		     BPF_EXIT_INSN()),
		__failure(EINVAL, "BPF_JA uses reserved fields")
	},
	{
		"jump with a constant",
		PROG(BPF_MOV64_IMM(R0, 1),
		     BPF_RAW_INSN(BPF_JMP | BPF_JA, 0, 0, 0, 1),
		     BPF_EXIT_INSN()),
		__failure(EINVAL, "BPF_JA uses reserved fields")
	},
	{
		"jump of 32 bits with an offset",
		PROG(BPF_MOV64_IMM(R0, 1),
		     BPF_RAW_INSN(BPF_JMP32 | BPF_JA, 0, 0, 1, 0),
		     BPF_EXIT_INSN()),
		__failure(EINVAL, "BPF_JA uses reserved fields")
	},
	{
		"comparison of a register with a constant",
		PROG(BPF_MOV64_IMM(R0, 1),
		     BPF_RAW_INSN(BPF_JMP | BPF_JEQ | BPF_X, R0, R0, 0, 1),
		     BPF_EXIT_INSN()),
		__failure(EINVAL, "BPF_JMP/JMP32 uses reserved fields")
	},
	{
		"comparison of a constant with a register",
		PROG(BPF_MOV64_IMM(R0, 1),
		     BPF_RAW_INSN(BPF_JMP32 | BPF_JEQ | BPF_K, R0, R1, 0, 1),
		     BPF_EXIT_INSN()),
		__failure(EINVAL, "BPF_JMP/JMP32 uses reserved fields")
	},
	{
		"comparison f",
		PROG(BPF_MOV64_IMM(R0, 1),
		     BPF_RAW_INSN(BPF_JMP | 0xf0, R0, 0, 0, 1),
		     BPF_EXIT_INSN()),
		__failure(EINVAL, "unknown opcode f5")
	},
	{
		"load with a constant",
		PROG(BPF_RAW_INSN(BPF_LDX | BPF_MEM | BPF_W, R0, R1, 0, 1),
		     BPF_EXIT_INSN()),
		__failure(EINVAL, "BPF_LDX uses reserved fields")
	},
	{
		"sign-extending load of a double word",
		PROG(BPF_RAW_INSN(BPF_LDX | BPF_MEMSX | BPF_DW, R0, R1, 0, 0),
		     BPF_EXIT_INSN()),
		__failure(EINVAL, "unknown opcode 99")
	},
	{
		"load that is atomic",
		PROG(BPF_RAW_INSN(BPF_LDX | BPF_ATOMIC | BPF_W, R0, R1, 0, 0),
		     BPF_EXIT_INSN()),
		__failure(EINVAL, "BPF_LDX uses reserved fields")
	},
	{
		"load of the JIT's own kind",
		PROG(BPF_RAW_INSN(BPF_LDX | 0x20 | BPF_DW, R0, R1, 0, 0),
		     BPF_EXIT_INSN()),
		__failure(EINVAL, "BPF_LDX uses reserved fields")
	},
	{
		"store of a register with a constant",
		PROG(BPF_MOV64_IMM(R0, 0),
		     BPF_RAW_INSN(BPF_STX | BPF_MEM | BPF_DW, FP, R0, -8, 1),
		     BPF_EXIT_INSN()),
		__failure(EINVAL, "BPF_STX uses reserved fields")
	},
	{
		"store of a constant with a register",
		PROG(BPF_MOV64_IMM(R0, 0),
		     BPF_RAW_INSN(BPF_ST | BPF_MEM | BPF_DW, FP, R1, -8, 1),
		     BPF_EXIT_INSN()),
		__failure(EINVAL, "BPF_ST uses reserved fields")
	},
	{
		"sign-extending store",
		PROG(BPF_MOV64_IMM(R0, 0),
		     BPF_RAW_INSN(BPF_STX | BPF_MEMSX | BPF_B, FP, R0, -8, 0),
		     BPF_EXIT_INSN()),
		__failure(EINVAL, "unknown opcode 93")
	},
	{
		"store of the JIT's own kind",
		PROG(BPF_MOV64_IMM(R0, 0),
		     BPF_RAW_INSN(BPF_STX | 0xe0 | BPF_DW, FP, R0, -8,
				  BPF_ADD),
		     BPF_EXIT_INSN()),
		__failure(EINVAL, "unknown opcode fb")
	},
	{
		"atomic operation with a bit too many",
		PROG(CLEAR(1),
		     BPF_MOV64_IMM(R0, 0),
		     BPF_ATOMIC_OP(BPF_DW, BPF_ADD | 0x100, FP, R0, -8),
		     BPF_EXIT_INSN()),
		__failure(EINVAL, "BPF_ATOMIC uses invalid atomic opcode 100")
	},
	{
		"constant of 64 bits with an offset",
		PROG(BPF_LD_IMM64_RAW_FULL(R0, 0, 1, 0, 0, 0),
		     BPF_EXIT_INSN()),
		__failure(EINVAL, "BPF_LD_IMM64 uses reserved fields")
	},
	{
		"second half of a constant with a register",
		PROG(BPF_RAW_INSN(BPF_LD | BPF_IMM | BPF_DW, R0, 0, 0, 0),
		     BPF_RAW_INSN(0, R1, 0, 0, 0),
		     BPF_EXIT_INSN()),
		__failure(EINVAL, "invalid bpf_ld_imm64 insn")
	},
	{
		"second half of a constant that is an instruction",
		PROG(BPF_RAW_INSN(BPF_LD | BPF_IMM | BPF_DW, R0, 0, 0, 0),
		     BPF_MOV64_IMM(R0, 0),
		     BPF_EXIT_INSN()),
		__failure(EINVAL, "invalid bpf_ld_imm64 insn")
	},
	{
		"second half of a constant alone",
		PROG(BPF_MOV64_IMM(R0, 0),
		     BPF_RAW_INSN(0, 0, 0, 0, 1),
		     BPF_EXIT_INSN()),
		__failure(EINVAL, "unknown opcode 00")
	},
	{
		"constant of 32 bits, as one of 64",
		PROG(BPF_RAW_INSN(BPF_LD | BPF_IMM | BPF_W, R0, 0, 0, 0),
		     BPF_MOV64_IMM(R0, 0),
		     BPF_EXIT_INSN()),
		__failure(EINVAL, "unknown opcode 00")
	},
	{
		"unknown instruction",
		PROG(BPF_RAW_INSN(0xff, 0, 0, 0, 0),
		     BPF_MOV64_IMM(R0, 0),
		     BPF_EXIT_INSN()),
		__failure(EINVAL, "unknown opcode ff")
	},
	{
		"instruction of all zeros",
		PROG(BPF_RAW_INSN(0, 0, 0, 0, 0),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure(EINVAL, "unknown opcode 00")
	},
	{
		"register 11",
		PROG(BPF_MOV64_IMM(11, 0),
		     BPF_MOV64_IMM(R0, 0),
		     BPF_EXIT_INSN()),
		__failure(EINVAL, "R11 is invalid")
	},
	{
		"register 11 read",
		PROG(BPF_MOV64_REG(R0, 11),
		     BPF_EXIT_INSN()),
		__failure(EINVAL, "R11 is invalid")
	},
	{
		"register 15 as an address",
		PROG(BPF_LDX_MEM(BPF_DW, R0, 15, 0),
		     BPF_EXIT_INSN()),
		__failure(EINVAL, "R15 is invalid")
	},
	{
		"frame pointer written",
		PROG(BPF_MOV64_IMM(FP, 0),
		     BPF_MOV64_IMM(R0, 0),
		     BPF_EXIT_INSN()),
		__failure(EACCES, "frame pointer is read only")
	},
	{
		"frame pointer loaded",
		PROG(BPF_LDX_MEM(BPF_DW, FP, R1, 8),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure(EACCES, "frame pointer is read only")
	},
	{
		"frame pointer moved",
		PROG(BPF_ALU64_IMM(BPF_ADD, FP, 8),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure(EACCES, "frame pointer is read only")
	},
	{
		"frame pointer fetched into",
		PROG(BPF_MOV64_IMM(R2, 0), HUP_WINDOW(R2, R2),
		     BPF_ATOMIC_OP(BPF_DW, BPF_XCHG, R2, FP, 0),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure(EACCES, "R10 leaks addr into mem")
	},
	{
		"frame pointer as a constant of 64 bits",
		PROG(BPF_LD_IMM64(FP, 0),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure(EACCES, "frame pointer is read only")
	},
};
