/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The context is to be read, and that within its bounds.
 */
#include "verifier_case.h"

static const struct prog_case context_cases[] = {
	{
		"spill and fill of the context",
		PROG(BPF_STX_MEM(BPF_DW, FP, R1, -8),
		     BPF_MOV64_IMM(R1, 0),
		     BPF_LDX_MEM(BPF_DW, R1, FP, -8),
		     BPF_LDX_MEM(BPF_W, R0, R1, 0),
		     BPF_EXIT_INSN()),
		__retval(CTX_EVENT)
	},
	{
		"context, byte by byte",
		PROG(BPF_LDX_MEM(BPF_B, R0, R1, 7), BPF_EXIT_INSN()),
		__retval(CTX_VCPU >> 24)
	},
	{
		"context, half word",
		PROG(BPF_LDX_MEM(BPF_H, R0, R1, 4), BPF_EXIT_INSN()),
		__retval(CTX_VCPU & 0xffff)
	},
	{
		"context, word",
		PROG(BPF_LDX_MEM(BPF_W, R0, R1, 12), BPF_EXIT_INSN()),
		__retval(CTX_DATA0 >> 32)
	},
	{
		"context, double word",
		PROG(BPF_LDX_MEM(BPF_DW, R0, R1, 8), BPF_EXIT_INSN()),
		__retval((uint32_t)CTX_DATA0)
	},
	{
		"context, last word",
		PROG(BPF_LDX_MEM(BPF_DW, R0, R1, 56), BPF_EXIT_INSN()),
		__retval(0)
	},
	{
		"context in a function",
		PROG(BPF_CALL_REL(1),
		     BPF_EXIT_INSN(),
		     BPF_LDX_MEM(BPF_W, R0, R1, 4),
		     BPF_EXIT_INSN()),
		__retval(CTX_VCPU)
	},
	{
		"sign-extending load from the context",
		PROG(LDX_SX(BPF_H, R0, R1, 14),
		     BPF_EXIT_INSN()),
		__retval(0xffff8877)
	},
	{
		"context on both sides of a branch",
		PROG(BPF_MOV64_REG(R2, R1),
		     UNKNOWN(R3),
		     BPF_JMP_IMM(BPF_JEQ, R3, 0, 1),
		     BPF_MOV64_REG(R2, R1),
		     BPF_LDX_MEM(BPF_W, R0, R2, 4),
		     BPF_EXIT_INSN()),
		__retval(CTX_VCPU)
	},
	{
		"context written",
		PROG(BPF_ST_MEM(BPF_W, R1, 0, 0),
		     BPF_MOV64_IMM(R0, 0),
		     BPF_EXIT_INSN()),
		__failure(EACCES, "invalid bpf_context access off=0 size=4")
	},
	{
		"context written from a register",
		PROG(BPF_MOV64_IMM(R0, 0),
		     BPF_STX_MEM(BPF_B, R1, R0, 63),
		     BPF_EXIT_INSN()),
		__failure(EACCES, "invalid bpf_context access off=63 size=1")
	},
	{
		"context written in a function",
		PROG(BPF_CALL_REL(1),
		     BPF_EXIT_INSN(),
		     BPF_ST_MEM(BPF_DW, R1, 8, 1),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure(EACCES, "invalid bpf_context access off=8 size=8")
	},
	{
		"context written by an atomic",
		PROG(BPF_MOV64_IMM(R2, 1),
		     BPF_ATOMIC_OP(BPF_DW, BPF_ADD, R1, R2, 8),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure(EACCES,
			  "BPF_ATOMIC stores into R1 ctx is not allowed")
	},
	{
		"behind the context",
		PROG(BPF_LDX_MEM(BPF_DW, R0, R1, 64), BPF_EXIT_INSN()),
		__failure(EACCES, "invalid bpf_context access off=64 size=8")
	},
	{
		"one byte behind the context",
		PROG(BPF_LDX_MEM(BPF_B, R0, R1, 64),
		     BPF_EXIT_INSN()),
		__failure(EACCES, "invalid bpf_context access off=64 size=1")
	},
	{
		"far behind the context",
		PROG(BPF_LDX_MEM(BPF_W, R0, R1, 32764),
		     BPF_EXIT_INSN()),
		__failure(EACCES, "invalid bpf_context access off=32764 size=4")
	},
	{
		"half behind the context",
		PROG(BPF_LDX_MEM(BPF_DW, R0, R1, 60), BPF_EXIT_INSN()),
		__failure(EACCES, "invalid bpf_context access off=60 size=8")
	},
	{
		"before the context",
		PROG(BPF_LDX_MEM(BPF_DW, R0, R1, -8), BPF_EXIT_INSN()),
		__failure(EACCES, "invalid bpf_context access off=-8 size=8")
	},
	{
		"half a word of the context at an odd offset",
		PROG(BPF_LDX_MEM(BPF_H, R0, R1, 5),
		     BPF_EXIT_INSN()),
		__failure(EACCES, "invalid bpf_context access off=5 size=2")
	},
	{
		"word of the context across two words",
		PROG(BPF_LDX_MEM(BPF_W, R0, R1, 6),
		     BPF_EXIT_INSN()),
		__failure(EACCES, "invalid bpf_context access off=6 size=4")
	},
	{
		"double word of the context across two double words",
		PROG(BPF_LDX_MEM(BPF_DW, R0, R1, 4),
		     BPF_EXIT_INSN()),
		__failure(EACCES, "invalid bpf_context access off=4 size=8")
	},
	{
		"context at an unknown offset",
		PROG(UNKNOWN(R2),
		     BPF_ALU64_IMM(BPF_AND, R2, 7),
		     BPF_ALU64_REG(BPF_ADD, R1, R2),
		     BPF_LDX_MEM(BPF_B, R0, R1, 0),
		     BPF_EXIT_INSN()),
		__failure(EACCES,
			  "R1 has pointer with unsupported alu operation")
	},
	{
		"context plus a constant",
		PROG(BPF_ALU64_IMM(BPF_ADD, R1, 8),
		     BPF_LDX_MEM(BPF_DW, R0, R1, 0),
		     BPF_EXIT_INSN()),
		__failure(EACCES, "dereference of modified ctx ptr R1 off=8")
	},
	{
		"context minus a constant",
		PROG(BPF_ALU64_IMM(BPF_SUB, R1, 64),
		     BPF_LDX_MEM(BPF_DW, R0, R1, 64),
		     BPF_EXIT_INSN()),
		__failure(EACCES,
			  "negative offset ctx ptr R1 off=-64 disallowed")
	},
	{
		"context or stack, by a branch",
		PROG(BPF_MOV64_REG(R2, R1),
		     UNKNOWN(R3),
		     CLEAR(1),
		     BPF_JMP_IMM(BPF_JEQ, R3, 0, 2),
		     BPF_MOV64_REG(R2, FP),
		     BPF_ALU64_IMM(BPF_ADD, R2, -8),
		     BPF_LDX_MEM(BPF_DW, R0, R2, 0),
		     BPF_EXIT_INSN()),
		__failure(EINVAL,
			  "same insn cannot be used with different pointers")
	},
};
