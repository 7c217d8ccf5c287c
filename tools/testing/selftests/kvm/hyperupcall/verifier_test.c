// SPDX-License-Identifier: GPL-2.0-only
/*
 * Programs that the verifier accepts, with what they return, and programs that
 * it refuses, with what its log says. A new case is one entry in a table.
 */
#include "hyperupcall_util.h"

#define MAX_INSNS	20

struct prog_case {
	const char *name;
	struct bpf_insn insns[MAX_INSNS];
	bool refused;		/* with -EACCES or -EINVAL, or .. */
	long err;		/* .. with this */
	const char *msg;	/* in the log of one that does not */
	uint32_t retval;	/* of one that does */
};

#define PROG(...)		.insns = { __VA_ARGS__ }

#define __success		.refused = false
#define __retval(val)		.retval = (val)
#define __failure		.refused = true
#define __errno(val)		.err = -(val)
#define __msg(text)		.msg = (text)

#define R0	BPF_REG_0
#define R1	BPF_REG_1
#define R2	BPF_REG_2
#define R3	BPF_REG_3
#define R4	BPF_REG_4
#define R6	BPF_REG_6
#define R7	BPF_REG_7
#define R9	BPF_REG_9
#define FP	BPF_REG_10

/* What TEST_RUN gives the programs. */
#define CTX_EVENT	HYPERUPCALL_EVENT_INTERRUPT
#define CTX_VCPU	0x12345678
#define CTX_DATA0	0x8877665544332211ULL

#define REGS_SIZE	sizeof(struct hyperupcall_regs)

#define CALL_KFUNC(imm)	\
	BPF_RAW_INSN(BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_KFUNC_CALL, 0, imm)
#define CALL_NUMBER(imm) BPF_RAW_INSN(BPF_JMP | BPF_CALL, 0, 0, 0, imm)

/* One word of the room for struct hyperupcall_regs below FP. */
#define CLEAR(n)	BPF_ST_MEM(BPF_DW, FP, -8 * (n), 0)

/* Loads a scalar that the verifier knows nothing of. */
#define UNKNOWN(reg)	HUP_DATA(reg, R1, 0)

static const struct prog_case progs[] = {
	{
		"constant",
		PROG(BPF_MOV64_IMM(R0, 42), BPF_EXIT_INSN()),
		__success, __retval(42)
	},
	{
		"bounded loop",
		PROG(BPF_MOV64_IMM(R0, 0),
		     BPF_MOV64_IMM(R1, 0),
		     BPF_ALU64_REG(BPF_ADD, R0, R1),
		     BPF_ALU64_IMM(BPF_ADD, R1, 1),
		     BPF_JMP_IMM(BPF_JLT, R1, 10, -3),
		     BPF_EXIT_INSN()),
		__success, __retval(45)
	},
	{
		"may_goto, left early",
		PROG(BPF_MOV64_IMM(R0, 0),
		     HUP_MAY_GOTO(3),
		     BPF_ALU64_IMM(BPF_ADD, R0, 1),
		     BPF_JMP_IMM(BPF_JEQ, R0, 50, 1),
		     BPF_JMP_A(-4),
		     BPF_EXIT_INSN()),
		__success, __retval(50)
	},
	{
		"subprogram",
		PROG(BPF_MOV64_IMM(R1, 20),
		     BPF_CALL_REL(2),
		     BPF_ALU64_IMM(BPF_ADD, R0, 2),
		     BPF_EXIT_INSN(),
		     BPF_MOV64_REG(R0, R1),
		     BPF_ALU64_IMM(BPF_MUL, R0, 2),
		     BPF_EXIT_INSN()),
		__success, __retval(42)
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
		__success, __retval(33)
	},
	{
		"all of the stack",
		PROG(BPF_ST_MEM(BPF_DW, FP, -512, 7),
		     BPF_ST_MEM(BPF_DW, FP, -8, 8),
		     BPF_LDX_MEM(BPF_DW, R0, FP, -512),
		     BPF_LDX_MEM(BPF_DW, R1, FP, -8),
		     BPF_ALU64_REG(BPF_ADD, R0, R1),
		     BPF_EXIT_INSN()),
		__success, __retval(15)
	},
	{
		"spill and fill of the context",
		PROG(BPF_STX_MEM(BPF_DW, FP, R1, -8),
		     BPF_MOV64_IMM(R1, 0),
		     BPF_LDX_MEM(BPF_DW, R1, FP, -8),
		     BPF_LDX_MEM(BPF_W, R0, R1, 0),
		     BPF_EXIT_INSN()),
		__success, __retval(CTX_EVENT)
	},
	{
		"context, byte by byte",
		PROG(BPF_LDX_MEM(BPF_B, R0, R1, 7), BPF_EXIT_INSN()),
		__success, __retval(CTX_VCPU >> 24)
	},
	{
		"context, half word",
		PROG(BPF_LDX_MEM(BPF_H, R0, R1, 4), BPF_EXIT_INSN()),
		__success, __retval(CTX_VCPU & 0xffff)
	},
	{
		"context, word",
		PROG(BPF_LDX_MEM(BPF_W, R0, R1, 12), BPF_EXIT_INSN()),
		__success, __retval(CTX_DATA0 >> 32)
	},
	{
		"context, double word",
		PROG(BPF_LDX_MEM(BPF_DW, R0, R1, 8), BPF_EXIT_INSN()),
		__success, __retval((uint32_t)CTX_DATA0)
	},
	{
		"context, last word",
		PROG(BPF_LDX_MEM(BPF_DW, R0, R1, 56), BPF_EXIT_INSN()),
		__success, __retval(0)
	},
	{
		"64-bit constant",
		PROG(BPF_LD_IMM64(R0, 0x1234567800000000ULL),
		     BPF_ALU64_IMM(BPF_RSH, R0, 32),
		     BPF_EXIT_INSN()),
		__success, __retval(0x12345678)
	},
	{
		"division by zero",
		PROG(UNKNOWN(R0),
		     BPF_MOV64_IMM(R2, 0),
		     BPF_ALU64_REG(BPF_DIV, R0, R2),
		     BPF_EXIT_INSN()),
		__success, __retval(0)
	},
	{
		"byte swap",
		PROG(BPF_MOV64_IMM(R0, 0x11223344),
		     BPF_ENDIAN(BPF_TO_BE, R0, 32),
		     BPF_EXIT_INSN()),
		__success, __retval(0x44332211)
	},
	{
		"window, nothing mapped",
		PROG(UNKNOWN(R2),
		     HUP_WINDOW(R2, R2),
		     BPF_LDX_MEM(BPF_DW, R0, R2, 0),
		     BPF_EXIT_INSN()),
		__success, __retval(0)
	},
	{
		"window pointer returned",
		PROG(BPF_MOV64_IMM(R0, 0x1000),
		     HUP_WINDOW(R0, R0),
		     BPF_EXIT_INSN()),
		__success, __retval(0x1000)
	},
	{
		"window pointers compared",
		PROG(BPF_MOV64_IMM(R2, 0x1000),
		     HUP_WINDOW(R2, R2),
		     BPF_MOV64_IMM(R3, 0x2000),
		     HUP_WINDOW(R3, R3),
		     BPF_MOV64_IMM(R0, 1),
		     BPF_JMP_REG(BPF_JLT, R2, R3, 1),
		     BPF_MOV64_IMM(R0, 2),
		     BPF_EXIT_INSN()),
		__success, __retval(1)
	},
	{
		"window pointer compared with a number",
		PROG(UNKNOWN(R2),
		     HUP_WINDOW(R2, R2),
		     BPF_MOV64_IMM(R0, 1),
		     BPF_JMP_IMM(BPF_JNE, R2, 0, 1),
		     BPF_MOV64_IMM(R0, 2),
		     BPF_EXIT_INSN()),
		__success, __retval(1)
	},
	{
		"window pointer stored to the window",
		PROG(UNKNOWN(R2),
		     HUP_WINDOW(R2, R2),
		     BPF_STX_MEM(BPF_DW, R2, R2, 0),
		     BPF_MOV64_IMM(R0, 1), BPF_EXIT_INSN()),
		__success, __retval(1)
	},
	{
		"window pointer from memory, chased",
		PROG(UNKNOWN(R2),
		     HUP_WINDOW(R2, R2),
		     BPF_LDX_MEM(BPF_DW, R2, R2, 8),
		     HUP_WINDOW(R2, R2),
		     BPF_LDX_MEM(BPF_DW, R2, R2, 16),
		     HUP_WINDOW(R2, R2),
		     BPF_LDX_MEM(BPF_W, R0, R2, 24),
		     BPF_EXIT_INSN()),
		__success, __retval(0)
	},
	{
		"vcpu_state of oneself",
		PROG(BPF_MOV64_IMM(R1, 0),
		     HUP_CALL(VCPU_STATE),
		     BPF_EXIT_INSN()),
		__success, __retval(HYPERUPCALL_VCPU_RUNNING)
	},
	{
		"vcpu_state of nobody",
		PROG(BPF_MOV64_IMM(R1, 99),
		     HUP_CALL(VCPU_STATE),
		     BPF_EXIT_INSN()),
		__success, __retval(-ENOENT)
	},
	{
		"vcpu_state of an absurd id",
		PROG(BPF_MOV64_IMM(R1, -1),
		     HUP_CALL(VCPU_STATE),
		     BPF_EXIT_INSN()),
		__success, __retval(-ENOENT)
	},
	{
		"vcpu_regs of oneself",
		PROG(CLEAR(1), CLEAR(2), CLEAR(3), CLEAR(4), CLEAR(5),
		     BPF_MOV64_IMM(R1, 0),
		     BPF_MOV64_REG(R2, FP),
		     BPF_ALU64_IMM(BPF_ADD, R2, -(int)REGS_SIZE),
		     BPF_MOV64_IMM(R3, REGS_SIZE),
		     HUP_CALL(VCPU_REGS),
		     BPF_EXIT_INSN()),
		__success, __retval(-EBUSY)
	},
	{
		"vcpu_regs of nobody, and the buffer is cleared",
		PROG(BPF_ST_MEM(BPF_DW, FP, -8, 1),
		     CLEAR(2), CLEAR(3), CLEAR(4), CLEAR(5),
		     BPF_MOV64_IMM(R1, 99),
		     BPF_MOV64_REG(R2, FP),
		     BPF_ALU64_IMM(BPF_ADD, R2, -(int)REGS_SIZE),
		     BPF_MOV64_IMM(R3, REGS_SIZE),
		     HUP_CALL(VCPU_REGS),
		     BPF_LDX_MEM(BPF_DW, R1, FP, -8),
		     BPF_ALU64_REG(BPF_ADD, R0, R1),
		     BPF_EXIT_INSN()),
		__success, __retval(-ENOENT)
	},
	{
		"vcpu_regs into a buffer of another size",
		PROG(CLEAR(1), CLEAR(2), CLEAR(3), CLEAR(4), CLEAR(5),
		     BPF_MOV64_IMM(R1, 0),
		     BPF_MOV64_REG(R2, FP),
		     BPF_ALU64_IMM(BPF_ADD, R2, -8),
		     BPF_MOV64_IMM(R3, 8),
		     HUP_CALL(VCPU_REGS),
		     BPF_EXIT_INSN()),
		__success, __retval(-EINVAL)
	},
	{
		"flush_tlb of oneself",
		PROG(BPF_MOV64_IMM(R1, 0),
		     HUP_CALL(FLUSH_TLB),
		     BPF_EXIT_INSN()),
		__success, __retval(1)
	},
	{
		"flush_tlb of nobody",
		PROG(BPF_MOV64_IMM(R1, 99),
		     HUP_CALL(FLUSH_TLB),
		     BPF_EXIT_INSN()),
		__success, __retval(-ENOENT)
	},

	/* What is not there. */
	{
		"register never written",
		PROG(BPF_MOV64_REG(R0, R9), BPF_EXIT_INSN()),
		__failure, __msg("R9 !read_ok")
	},
	{
		"nothing returned",
		PROG(BPF_EXIT_INSN()),
		__failure, __msg("R0 !read_ok")
	},
	{
		"stack never written",
		PROG(BPF_LDX_MEM(BPF_DW, R0, FP, -8), BPF_EXIT_INSN()),
		__failure, __msg("invalid read from stack")
	},
	{
		"stack written in part",
		PROG(BPF_ST_MEM(BPF_W, FP, -8, 0),
		     BPF_LDX_MEM(BPF_DW, R0, FP, -8),
		     BPF_EXIT_INSN()),
		__failure, __msg("invalid read from stack")
	},
	{
		"below the stack",
		PROG(BPF_ST_MEM(BPF_DW, FP, -520, 0),
		     BPF_MOV64_IMM(R0, 0),
		     BPF_EXIT_INSN()),
		__failure, __msg("invalid write to stack")
	},
	{
		"above the stack",
		PROG(BPF_ST_MEM(BPF_DW, FP, 8, 0),
		     BPF_MOV64_IMM(R0, 0),
		     BPF_EXIT_INSN()),
		__failure, __msg("invalid write to stack")
	},
	{
		"registers after a call",
		PROG(BPF_MOV64_IMM(R1, 0),
		     HUP_CALL(VCPU_STATE),
		     BPF_MOV64_REG(R0, R1),
		     BPF_EXIT_INSN()),
		__failure, __msg("R1 !read_ok")
	},
	{
		"stack at an unknown offset",
		PROG(CLEAR(1), CLEAR(2), CLEAR(3), CLEAR(4), CLEAR(5),
		     UNKNOWN(R2),
		     BPF_ALU64_REG(BPF_ADD, R2, FP),
		     BPF_LDX_MEM(BPF_B, R0, R2, 0),
		     BPF_EXIT_INSN()),
		__failure,
	},

	/* What is the host's. */
	{
		"helper 0",
		PROG(CALL_NUMBER(0), BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure, __msg("cannot use helper")
	},
	{
		"helper of the next ABI",
		PROG(CALL_NUMBER(__HYPERUPCALL_HELPER_MAX),
		     BPF_MOV64_IMM(R0, 0),
		     BPF_EXIT_INSN()),
		__failure,
	},
	{
		"helper of BPF: probe_read_kernel",
		PROG(CALL_NUMBER(BPF_FUNC_probe_read_kernel),
		     BPF_MOV64_IMM(R0, 0),
		     BPF_EXIT_INSN()),
		__failure,
	},
	{
		"helper of BPF: tail_call",
		PROG(CALL_NUMBER(BPF_FUNC_tail_call),
		     BPF_MOV64_IMM(R0, 0),
		     BPF_EXIT_INSN()),
		__failure,
	},
	{
		"helper -1",
		PROG(CALL_NUMBER(-1), BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure, __msg("invalid func")
	},
	{
		"kfunc",
		PROG(CALL_KFUNC(1), BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure, __msg("calling kernel functions is not allowed")
	},
	{
		"call of an unknown kind",
		PROG(BPF_RAW_INSN(BPF_JMP | BPF_CALL, 0, 3, 0, 1),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure,
	},
	{
		"helper in a module",
		PROG(BPF_RAW_INSN(BPF_JMP | BPF_CALL, 0, 0, 1,
				  HYPERUPCALL_HELPER_VCPU_STATE),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure,
	},
	{
		"call through a register",
		PROG(BPF_MOV64_IMM(R2, 0),
		     BPF_RAW_INSN(BPF_JMP | BPF_CALL | BPF_X, R2, 0, 0, 0),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure,
	},
	{
		"map by descriptor",
		PROG(BPF_LD_MAP_FD(R2, 0),
		     BPF_MOV64_IMM(R0, 0),
		     BPF_EXIT_INSN()),
		__failure,
		__msg("an object of the kernel is not allowed")
	},
	{
		"map value",
		PROG(BPF_LD_IMM64_RAW_FULL(R2, BPF_PSEUDO_MAP_VALUE, 0, 0, 0,
					   0),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure, __msg("not allowed")
	},
	{
		"map by index",
		PROG(BPF_LD_IMM64_RAW_FULL(R2, BPF_PSEUDO_MAP_IDX, 0, 0, 0, 0),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure, __msg("not allowed")
	},
	{
		"kernel variable",
		PROG(BPF_LD_IMM64_RAW_FULL(R2, BPF_PSEUDO_BTF_ID, 0, 0, 1, 0),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure, __msg("not allowed")
	},
	{
		"address of a function",
		PROG(BPF_LD_IMM64_RAW_FULL(R2, BPF_PSEUDO_FUNC, 0, 0, 2, 0),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN(),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure, __msg("not allowed")
	},
	{
		"packet access",
		PROG(BPF_MOV64_REG(R6, R1),
		     BPF_LD_ABS(BPF_B, 0),
		     BPF_EXIT_INSN()),
		__failure,
		__msg("not allowed for this program type")
	},

	/* Pointers are secrets. */
	{
		"context returned",
		PROG(BPF_MOV64_REG(R0, R1), BPF_EXIT_INSN()),
		__failure, __msg("R0 leaks addr as return value")
	},
	{
		"frame pointer returned",
		PROG(BPF_MOV64_REG(R0, FP), BPF_EXIT_INSN()),
		__failure, __msg("R0 leaks addr as return value")
	},
	{
		"context stored to the window",
		PROG(BPF_MOV64_IMM(R2, 0),
		     HUP_WINDOW(R2, R2),
		     BPF_STX_MEM(BPF_DW, R2, R1, 0),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure, __msg("R1 leaks addr into arena")
	},
	{
		"frame pointer stored to the window",
		PROG(BPF_MOV64_IMM(R2, 0),
		     HUP_WINDOW(R2, R2),
		     BPF_STX_MEM(BPF_DW, R2, FP, 0),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure, __msg("R10 leaks addr into arena")
	},
	{
		"half of the frame pointer stored to the window",
		PROG(BPF_MOV64_IMM(R2, 0),
		     HUP_WINDOW(R2, R2),
		     BPF_STX_MEM(BPF_W, R2, FP, 0),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure, __msg("R10 leaks addr into arena")
	},
	{
		"context exchanged with the window",
		PROG(BPF_MOV64_IMM(R2, 0),
		     HUP_WINDOW(R2, R2),
		     BPF_ATOMIC_OP(BPF_DW, BPF_XCHG, R2, R1, 0),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure, __msg("R1 leaks addr into mem")
	},
	{
		"frame pointer compared with the window's memory",
		PROG(BPF_MOV64_IMM(R2, 0),
		     HUP_WINDOW(R2, R2),
		     BPF_MOV64_IMM(R3, 0),
		     BPF_MOV64_REG(R0, FP),
		     BPF_ATOMIC_OP(BPF_DW, BPF_CMPXCHG, R2, R3, 0),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure, __msg("R0 leaks addr into mem")
	},
	{
		"frame pointer made a window pointer",
		PROG(HUP_WINDOW(R0, FP), BPF_EXIT_INSN()),
		__failure, __msg("address space cast of pointer prohibited")
	},
	{
		"context made an address of space 1",
		PROG(BPF_RAW_INSN(BPF_ALU64 | BPF_MOV | BPF_X, R0, R1,
				  BPF_ADDR_SPACE_CAST, 1 << 16),
		     BPF_EXIT_INSN()),
		__failure, __msg("address space cast of pointer prohibited")
	},
	{
		"window pointer plus frame pointer",
		PROG(BPF_MOV64_IMM(R2, 0),
		     HUP_WINDOW(R2, R2),
		     BPF_ALU64_REG(BPF_ADD, R2, FP),
		     BPF_MOV64_REG(R0, R2),
		     BPF_EXIT_INSN()),
		__failure, __msg("arithmetic with another pointer prohibited")
	},
	{
		"context minus window pointer",
		PROG(BPF_MOV64_IMM(R2, 0),
		     HUP_WINDOW(R2, R2),
		     BPF_ALU64_REG(BPF_SUB, R1, R2),
		     BPF_MOV64_REG(R0, R1),
		     BPF_EXIT_INSN()),
		__failure, __msg("arithmetic with another pointer prohibited")
	},
	{
		"half of window pointer xor frame pointer",
		PROG(BPF_MOV64_IMM(R2, 0),
		     HUP_WINDOW(R2, R2),
		     BPF_ALU32_REG(BPF_XOR, R2, FP),
		     BPF_MOV64_REG(R0, R2),
		     BPF_EXIT_INSN()),
		__failure, __msg("arithmetic with another pointer prohibited")
	},
	{
		"an addition of a window pointer or of a number",
		PROG(UNKNOWN(R2),
		     BPF_MOV64_REG(R3, R2),
		     BPF_JMP_IMM(BPF_JEQ, R2, 0, 1),
		     HUP_WINDOW(R2, R2),
		     BPF_ALU64_REG(BPF_ADD, R2, R3),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure,
		__msg("same insn cannot be used with and without arena")
	},
	{
		"context compared with a number",
		PROG(BPF_MOV64_IMM(R0, 0),
		     BPF_JMP_IMM(BPF_JGT, R1, 1, 1),
		     BPF_MOV64_IMM(R0, 1),
		     BPF_EXIT_INSN()),
		__failure, __msg("R1 pointer comparison prohibited")
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
		__failure, __msg("pointer comparison prohibited")
	},
	{
		"window pointer compared with the frame pointer",
		PROG(UNKNOWN(R2),
		     HUP_WINDOW(R2, R2),
		     BPF_MOV64_IMM(R0, 0),
		     BPF_JMP_REG(BPF_JGT, R2, FP, 1),
		     BPF_MOV64_IMM(R0, 1),
		     BPF_EXIT_INSN()),
		__failure, __msg("pointer comparison prohibited")
	},
	{
		"half of a pointer",
		PROG(BPF_MOV32_REG(R0, R1), BPF_EXIT_INSN()),
		__failure, __msg("R1 partial copy of pointer")
	},
	{
		"pointer negated",
		PROG(BPF_MOV64_REG(R0, FP),
		     BPF_ALU64_IMM(BPF_NEG, R0, 0),
		     BPF_EXIT_INSN()),
		__failure, __msg("R0 pointer arithmetic prohibited")
	},
	{
		"pointer shifted",
		PROG(BPF_MOV64_REG(R0, FP),
		     BPF_ALU64_IMM(BPF_RSH, R0, 8),
		     BPF_EXIT_INSN()),
		__failure, __msg("R0 pointer arithmetic")
	},
	{
		"difference of pointers",
		PROG(BPF_MOV64_REG(R0, FP),
		     BPF_ALU64_REG(BPF_SUB, R0, R1),
		     BPF_EXIT_INSN()),
		__failure, __msg("R0 pointer -= pointer prohibited")
	},
	{
		"spilled pointer read in part",
		PROG(BPF_STX_MEM(BPF_DW, FP, R1, -8),
		     BPF_LDX_MEM(BPF_W, R0, FP, -8),
		     BPF_EXIT_INSN()),
		__failure,
	},
	{
		"spilled pointer overwritten in part",
		PROG(BPF_STX_MEM(BPF_DW, FP, R1, -8),
		     BPF_ST_MEM(BPF_B, FP, -8, 0),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure, __msg("attempt to corrupt spilled pointer")
	},
	{
		"number used as a pointer",
		PROG(BPF_MOV64_IMM(R2, 0x1000),
		     BPF_LDX_MEM(BPF_DW, R0, R2, 0),
		     BPF_EXIT_INSN()),
		__failure, __msg("R2 invalid mem access 'scalar'")
	},
	{
		"pointer given to a helper",
		PROG(HUP_CALL(VCPU_STATE), BPF_EXIT_INSN()),
		__failure, __msg("R1 is not a scalar")
	},

	/* The context is to be read, and that within its bounds. */
	{
		"context written",
		PROG(BPF_ST_MEM(BPF_W, R1, 0, 0),
		     BPF_MOV64_IMM(R0, 0),
		     BPF_EXIT_INSN()),
		__failure, __msg("invalid bpf_context access")
	},
	{
		"context written by an atomic",
		PROG(BPF_MOV64_IMM(R2, 1),
		     BPF_ATOMIC_OP(BPF_DW, BPF_ADD, R1, R2, 8),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure,
	},
	{
		"behind the context",
		PROG(BPF_LDX_MEM(BPF_DW, R0, R1, 64), BPF_EXIT_INSN()),
		__failure, __msg("invalid bpf_context access")
	},
	{
		"half behind the context",
		PROG(BPF_LDX_MEM(BPF_DW, R0, R1, 60), BPF_EXIT_INSN()),
		__failure, __msg("invalid bpf_context access")
	},
	{
		"before the context",
		PROG(BPF_LDX_MEM(BPF_DW, R0, R1, -8), BPF_EXIT_INSN()),
		__failure,
	},
	{
		"context at an unknown offset",
		PROG(UNKNOWN(R2),
		     BPF_ALU64_IMM(BPF_AND, R2, 7),
		     BPF_ALU64_REG(BPF_ADD, R1, R2),
		     BPF_LDX_MEM(BPF_B, R0, R1, 0),
		     BPF_EXIT_INSN()),
		__failure,
	},

	/* Helpers write where they may. */
	{
		"registers into memory that is none",
		PROG(BPF_MOV64_IMM(R1, 0),
		     BPF_MOV64_IMM(R2, 0),
		     BPF_MOV64_IMM(R3, REGS_SIZE),
		     HUP_CALL(VCPU_REGS),
		     BPF_EXIT_INSN()),
		__failure,
	},
	{
		"registers into the context",
		PROG(BPF_MOV64_REG(R2, R1),
		     BPF_MOV64_IMM(R1, 0),
		     BPF_MOV64_IMM(R3, REGS_SIZE),
		     HUP_CALL(VCPU_REGS),
		     BPF_EXIT_INSN()),
		__failure,
	},
	{
		"registers into the window",
		PROG(BPF_MOV64_IMM(R2, 0),
		     HUP_WINDOW(R2, R2),
		     BPF_MOV64_IMM(R1, 0),
		     BPF_MOV64_IMM(R3, REGS_SIZE),
		     HUP_CALL(VCPU_REGS),
		     BPF_EXIT_INSN()),
		__failure,
	},
	{
		"registers beyond the stack",
		PROG(CLEAR(1), CLEAR(2), CLEAR(3), CLEAR(4), CLEAR(5),
		     BPF_MOV64_IMM(R1, 0),
		     BPF_MOV64_REG(R2, FP),
		     BPF_ALU64_IMM(BPF_ADD, R2, -8),
		     BPF_MOV64_IMM(R3, REGS_SIZE),
		     HUP_CALL(VCPU_REGS),
		     BPF_EXIT_INSN()),
		__failure,
	},
	{
		"registers into a buffer of unknown size",
		PROG(CLEAR(1), CLEAR(2), CLEAR(3), CLEAR(4), CLEAR(5),
		     UNKNOWN(R3),
		     BPF_MOV64_IMM(R1, 0),
		     BPF_MOV64_REG(R2, FP),
		     BPF_ALU64_IMM(BPF_ADD, R2, -(int)REGS_SIZE),
		     HUP_CALL(VCPU_REGS),
		     BPF_EXIT_INSN()),
		__failure,
	},

	/* The window. */
	{
		"sign-extending load",
		PROG(BPF_MOV64_IMM(R2, 0),
		     HUP_WINDOW(R2, R2),
		     BPF_RAW_INSN(BPF_LDX | BPF_MEMSX | BPF_B, R0, R2, 0, 0),
		     BPF_EXIT_INSN()),
		__failure, __errno(EINVAL)
	},
	{
		"atomic at an odd distance",
		PROG(BPF_MOV64_IMM(R2, 0),
		     HUP_WINDOW(R2, R2),
		     BPF_MOV64_IMM(R3, 1),
		     BPF_ATOMIC_OP(BPF_DW, BPF_ADD, R2, R3, 4),
		     BPF_MOV64_IMM(R0, 0),
		     BPF_EXIT_INSN()),
		__failure, __msg("misaligned offset 4 of atomic")
	},
	{
		"atomic that the JIT does not have",
		PROG(BPF_MOV64_IMM(R2, 0),
		     HUP_WINDOW(R2, R2),
		     BPF_MOV64_IMM(R3, 1),
		     BPF_ATOMIC_OP(BPF_DW, BPF_AND | BPF_FETCH, R2, R3, 0),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure, __msg("BPF_ATOMIC stores into R2 arena is not")
	},
	{
		"atomic on a byte",
		PROG(BPF_MOV64_IMM(R2, 0),
		     HUP_WINDOW(R2, R2),
		     BPF_MOV64_IMM(R3, 1),
		     BPF_ATOMIC_OP(BPF_B, BPF_ADD, R2, R3, 0),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure,
	},
	{
		"address space 2",
		PROG(BPF_MOV64_IMM(R2, 0),
		     BPF_RAW_INSN(BPF_ALU64 | BPF_MOV | BPF_X, R2, R2,
				  BPF_ADDR_SPACE_CAST, 2),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure, __msg("addr_space_cast insn")
	},

	/* Every program ends, and every instruction is one. */
	{
		"endless loop",
		PROG(BPF_MOV64_IMM(R0, 0),
		     BPF_JMP_A(-1),
		     BPF_EXIT_INSN()),
		__failure,
	},
	{
		"endless loop with a condition",
		PROG(UNKNOWN(R2),
		     BPF_MOV64_IMM(R0, 0),
		     BPF_JMP_IMM(BPF_JNE, R2, 5, -1),
		     BPF_EXIT_INSN()),
		__failure, __msg("infinite loop detected")
	},
	{
		"recursion",
		PROG(BPF_CALL_REL(1),
		     BPF_EXIT_INSN(),
		     BPF_CALL_REL(-1),
		     BPF_EXIT_INSN()),
		__failure, __errno(E2BIG), __msg("too deep")
	},
	{
		"jump out of the program",
		PROG(BPF_JMP_A(5), BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure, __msg("jump out of range from insn 0 to 6")
	},
	{
		"jump before the program",
		PROG(BPF_MOV64_IMM(R0, 0),
		     BPF_JMP_IMM(BPF_JEQ, R0, 0, -3),
		     BPF_EXIT_INSN()),
		__failure, __msg("jump out of range from insn 1 to -1")
	},
	{
		"jump into an instruction",
		PROG(BPF_JMP_A(1),
		     BPF_LD_IMM64(R0, 0),
		     BPF_EXIT_INSN()),
		__failure,
	},
	{
		"jump into another function",
		PROG(BPF_MOV64_IMM(R0, 0),
		     BPF_JMP_IMM(BPF_JEQ, R0, 1, 2),
		     BPF_CALL_REL(1),
		     BPF_EXIT_INSN(),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure, __msg("jump out of range")
	},
	{
		"end without exit",
		PROG(BPF_MOV64_IMM(R0, 0)),
		__failure, __msg("last insn is not an exit or jmp")
	},
	{
		"half an instruction at the end",
		PROG(BPF_MOV64_IMM(R0, 0),
		     BPF_RAW_INSN(BPF_LD | BPF_IMM | BPF_DW, R0, 0, 0, 0)),
		__failure,
	},
	{
		"never reached",
		PROG(BPF_MOV64_IMM(R0, 0),
		     BPF_EXIT_INSN(),
		     BPF_MOV64_IMM(R0, 1),
		     BPF_EXIT_INSN()),
		__failure, __msg("unreachable insn 2")
	},
	{
		"reserved fields of exit",
		PROG(BPF_MOV64_IMM(R0, 0),
		     BPF_RAW_INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 1)),
		__failure, __msg("BPF_EXIT uses reserved fields")
	},
	{
		"reserved fields of mov",
		PROG(BPF_RAW_INSN(BPF_ALU64 | BPF_MOV | BPF_K, R0, R1, 0, 0),
		     BPF_EXIT_INSN()),
		__failure, __msg("BPF_MOV uses reserved fields")
	},
	{
		"unknown instruction",
		PROG(BPF_RAW_INSN(0xff, 0, 0, 0, 0),
		     BPF_MOV64_IMM(R0, 0),
		     BPF_EXIT_INSN()),
		__failure, __msg("unknown opcode ff")
	},
	{
		"register 11",
		PROG(BPF_MOV64_IMM(11, 0),
		     BPF_MOV64_IMM(R0, 0),
		     BPF_EXIT_INSN()),
		__failure, __msg("R11 is invalid")
	},
	{
		"frame pointer written",
		PROG(BPF_MOV64_IMM(FP, 0),
		     BPF_MOV64_IMM(R0, 0),
		     BPF_EXIT_INSN()),
		__failure, __msg("frame pointer is read only")
	},
	{
		"division by a constant zero",
		PROG(BPF_MOV64_IMM(R0, 1),
		     BPF_ALU64_IMM(BPF_DIV, R0, 0),
		     BPF_EXIT_INSN()),
		__failure, __msg("div by zero")
	},
	{
		"two frames too large for the stack",
		PROG(BPF_ST_MEM(BPF_DW, FP, -512, 0),
		     BPF_CALL_REL(1),
		     BPF_EXIT_INSN(),
		     BPF_ST_MEM(BPF_DW, FP, -512, 0),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure, __msg("combined stack size of 2 calls")
	},
};

/* No program here ends with an instruction that is all zeros. */
static unsigned int insn_cnt(const struct prog_case *c)
{
	static const struct bpf_insn zero;
	unsigned int n = MAX_INSNS;

	while (!memcmp(&c->insns[n - 1], &zero, sizeof(zero)))
		n--;
	return n;
}

static bool check_good(struct hup *h, const struct prog_case *c)
{
	struct hyperupcall_test_run run = {
		.ctx.event = CTX_EVENT,
		.ctx.vcpu = CTX_VCPU,
		.ctx.data = { CTX_DATA0 },
	};
	long prog = hup_load(h, c->insns, insn_cnt(c)), r;

	if (prog < 0) {
		ksft_print_msg("LOAD returned %ld: %s\n", prog,
			       (char *)h->log.hva);
		return false;
	}
	r = hup_test_run(h, prog, &run);
	TEST_ASSERT(!r, "TEST_RUN returned %ld", r);
	TEST_ASSERT(!hup_unload(h, prog), "UNLOAD failed");
	if ((uint32_t)run.retval == c->retval)
		return true;
	ksft_print_msg("returned %#llx, not %#x\n", run.retval, c->retval);
	return false;
}

static bool is_refusal(const struct prog_case *c, long r)
{
	if (c->err)
		return r == c->err;
	return r == -EACCES || r == -EINVAL;
}

static bool check_bad(struct hup *h, const struct prog_case *c)
{
	const char *log = h->log.hva;
	long r = hup_load(h, c->insns, insn_cnt(c));

	if (is_refusal(c, r) && (!c->msg || strstr(log, c->msg)))
		return true;
	ksft_print_msg("LOAD returned %ld, '%s' is not in: %s\n", r,
		       c->msg ?: "", log);
	if (r > 0)
		hup_unload(h, r);
	return false;
}

static bool check(struct hup *h, const struct prog_case *c)
{
	return c->refused ? check_bad(h, c) : check_good(h, c);
}

int main(void)
{
	struct hup *h;
	int i;

	TEST_REQUIRE(kvm_has_cap(KVM_CAP_HYPERUPCALL));

	ksft_print_header();
	ksft_set_plan(ARRAY_SIZE(progs));

	h = hup_create(1);
	for (i = 0; i < ARRAY_SIZE(progs); i++)
		ksft_test_result(check(h, &progs[i]), "%s: %s\n",
				 progs[i].refused ? "bad" : "good",
				 progs[i].name);
	hup_free(h);

	ksft_finished();
}
