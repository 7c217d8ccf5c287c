/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Helpers do what they say; whatever else the host has is not to be called or
 * named.
 */
#include "verifier_case.h"

/* A word of the stack with a pattern, and what adds it to the result. */
#define WORD(n)		BPF_ST_MEM(BPF_DW, FP, -8 * (n), 0x1111)
#define LOAD_WORD(n)	BPF_LDX_MEM(BPF_DW, R1, FP, -8 * (n))
#define ADD_WORD	BPF_ALU64_REG(BPF_ADD, R0, R1)

static const struct prog_case helpers_cases[] = {
	{
		"vcpu_state of oneself",
		PROG(BPF_MOV64_IMM(R1, 0),
		     HUP_CALL(VCPU_STATE),
		     BPF_EXIT_INSN()),
		__retval(HYPERUPCALL_VCPU_RUNNING)
	},
	{
		"vcpu_state of nobody",
		PROG(BPF_MOV64_IMM(R1, 99),
		     HUP_CALL(VCPU_STATE),
		     BPF_EXIT_INSN()),
		__retval(-ENOENT)
	},
	{
		"vcpu_state of an absurd id",
		PROG(BPF_MOV64_IMM(R1, -1),
		     HUP_CALL(VCPU_STATE),
		     BPF_EXIT_INSN()),
		__retval(-ENOENT)
	},
	{
		"vcpu_state, the upper half of an id does not matter",
		PROG(BPF_LD_IMM64(R1, 0x100000000ULL),
		     HUP_CALL(VCPU_STATE),
		     BPF_EXIT_INSN()),
		__retval(HYPERUPCALL_VCPU_RUNNING)
	},
	{
		"all of a helper's result",
		PROG(BPF_MOV64_IMM(R1, 99),
		     HUP_CALL(VCPU_STATE),
		     BPF_ALU64_IMM(BPF_ARSH, R0, 32),
		     BPF_EXIT_INSN()),
		__retval(0xffffffff)
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
		__retval(-EBUSY)
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
		__retval(-ENOENT)
	},
	{
		"vcpu_regs into a smaller buffer, nothing is written",
		PROG(WORD(1), WORD(2), WORD(3), WORD(4), WORD(5), WORD(6),
		     BPF_MOV64_IMM(R1, 0),
		     BPF_MOV64_REG(R2, FP),
		     BPF_ALU64_IMM(BPF_ADD, R2, -48),
		     BPF_MOV64_IMM(R3, 8),
		     HUP_CALL(VCPU_REGS),
		     LOAD_WORD(1), ADD_WORD, LOAD_WORD(2), ADD_WORD,
		     LOAD_WORD(3), ADD_WORD, LOAD_WORD(4), ADD_WORD,
		     LOAD_WORD(5), ADD_WORD, LOAD_WORD(6), ADD_WORD,
		     BPF_EXIT_INSN()),
		__retval(6 * 0x1111 - EINVAL)
	},
	{
		"vcpu_regs into a larger buffer, nothing is written",
		PROG(WORD(1), WORD(2), WORD(3), WORD(4), WORD(5), WORD(6),
		     BPF_MOV64_IMM(R1, 0),
		     BPF_MOV64_REG(R2, FP),
		     BPF_ALU64_IMM(BPF_ADD, R2, -48),
		     BPF_MOV64_IMM(R3, 48),
		     HUP_CALL(VCPU_REGS),
		     LOAD_WORD(1), ADD_WORD, LOAD_WORD(2), ADD_WORD,
		     LOAD_WORD(3), ADD_WORD, LOAD_WORD(4), ADD_WORD,
		     LOAD_WORD(5), ADD_WORD, LOAD_WORD(6), ADD_WORD,
		     BPF_EXIT_INSN()),
		__retval(6 * 0x1111 - EINVAL)
	},
	{
		"vcpu_regs fails, and writes its struct only",
		PROG(WORD(1), CLEAR(2), CLEAR(3), CLEAR(4), CLEAR(5), CLEAR(6), WORD(7),
		     BPF_MOV64_IMM(R1, 99),
		     BPF_MOV64_REG(R2, FP),
		     BPF_ALU64_IMM(BPF_ADD, R2, -8 - (int)REGS_SIZE),
		     BPF_MOV64_IMM(R3, REGS_SIZE),
		     HUP_CALL(VCPU_REGS),
		     LOAD_WORD(1), ADD_WORD, LOAD_WORD(7), ADD_WORD,
		     BPF_EXIT_INSN()),
		__retval(2 * 0x1111 - ENOENT)
	},
	{
		"vcpu_regs into no buffer",
		PROG(BPF_MOV64_IMM(R1, 0),
		     BPF_MOV64_IMM(R2, 0),
		     BPF_MOV64_IMM(R3, 0),
		     HUP_CALL(VCPU_REGS),
		     BPF_EXIT_INSN()),
		__retval(-EINVAL)
	},
	{
		"flush_tlb of oneself, who has a physical CPU",
		PROG(BPF_MOV64_IMM(R1, 0),
		     HUP_CALL(FLUSH_TLB),
		     BPF_EXIT_INSN()),
		__retval(0)
	},
	{
		"flush_tlb of nobody",
		PROG(BPF_MOV64_IMM(R1, 99),
		     HUP_CALL(FLUSH_TLB),
		     BPF_EXIT_INSN()),
		__retval(-ENOENT)
	},
	{
		"helper in a function",
		PROG(BPF_MOV64_IMM(R1, 0),
		     BPF_CALL_REL(1),
		     BPF_EXIT_INSN(),
		     HUP_CALL(VCPU_STATE),
		     BPF_EXIT_INSN()),
		__retval(HYPERUPCALL_VCPU_RUNNING)
	},
	{
		"registers into memory that is none",
		PROG(BPF_MOV64_IMM(R1, 0),
		     BPF_MOV64_IMM(R2, 0),
		     BPF_MOV64_IMM(R3, REGS_SIZE),
		     HUP_CALL(VCPU_REGS),
		     BPF_EXIT_INSN()),
		__failure(EACCES, "R2 type=scalar expected=fp")
	},
	{
		"registers into the context",
		PROG(BPF_MOV64_REG(R2, R1),
		     BPF_MOV64_IMM(R1, 0),
		     BPF_MOV64_IMM(R3, REGS_SIZE),
		     HUP_CALL(VCPU_REGS),
		     BPF_EXIT_INSN()),
		__failure(EACCES, "invalid bpf_context access off=39 size=1")
	},
	{
		"registers into the window",
		PROG(BPF_MOV64_IMM(R2, 0),
		     HUP_WINDOW(R2, R2),
		     BPF_MOV64_IMM(R1, 0),
		     BPF_MOV64_IMM(R3, REGS_SIZE),
		     HUP_CALL(VCPU_REGS),
		     BPF_EXIT_INSN()),
		__failure(EACCES, "R2 type=arena expected=fp")
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
		__failure(EINVAL,
			  "invalid indirect access to stack R2 off=-8 size=40")
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
		__failure(EACCES,
			  "R3 min value is negative, either use unsigned or")
	},
	{
		"registers into stack never written",
		PROG(BPF_MOV64_IMM(R1, 0),
		     BPF_MOV64_REG(R2, FP),
		     BPF_ALU64_IMM(BPF_ADD, R2, -(int)REGS_SIZE),
		     BPF_MOV64_IMM(R3, REGS_SIZE),
		     HUP_CALL(VCPU_REGS),
		     BPF_EXIT_INSN()),
		__failure(EACCES,
			  "invalid indirect read from stack R2 off -40+0")
	},
	{
		"registers into stack written in part",
		PROG(CLEAR(1), CLEAR(2), CLEAR(4), CLEAR(5),
		     BPF_MOV64_IMM(R1, 0),
		     BPF_MOV64_REG(R2, FP),
		     BPF_ALU64_IMM(BPF_ADD, R2, -(int)REGS_SIZE),
		     BPF_MOV64_IMM(R3, REGS_SIZE),
		     HUP_CALL(VCPU_REGS),
		     BPF_EXIT_INSN()),
		__failure(EACCES,
			  "invalid indirect read from stack R2 off -40+16")
	},
	{
		"registers at a spilled pointer",
		PROG(CLEAR(1), CLEAR(2), CLEAR(3), CLEAR(4), CLEAR(5),
		     BPF_STX_MEM(BPF_DW, FP, R1, -8),
		     BPF_MOV64_IMM(R1, 0),
		     BPF_MOV64_REG(R2, FP),
		     BPF_ALU64_IMM(BPF_ADD, R2, -(int)REGS_SIZE),
		     BPF_MOV64_IMM(R3, REGS_SIZE),
		     HUP_CALL(VCPU_REGS),
		     BPF_LDX_MEM(BPF_DW, R1, FP, -8),
		     BPF_LDX_MEM(BPF_DW, R0, R1, 0),
		     BPF_EXIT_INSN()),
		__failure(EACCES,
			  "invalid indirect read from stack R2 off -40+32")
	},
	{
		"registers into a buffer of a size within bounds",
		PROG(CLEAR(1), CLEAR(2), CLEAR(3), CLEAR(4), CLEAR(5),
		     UNKNOWN(R3),
		     BPF_ALU64_IMM(BPF_AND, R3, 63),
		     BPF_MOV64_IMM(R1, 0),
		     BPF_MOV64_REG(R2, FP),
		     BPF_ALU64_IMM(BPF_ADD, R2, -(int)REGS_SIZE),
		     HUP_CALL(VCPU_REGS),
		     BPF_EXIT_INSN()),
		__failure(EINVAL, "invalid indirect access to stack R2 off=-40")
	},
	{
		"registers into a buffer of negative size",
		PROG(CLEAR(1), CLEAR(2), CLEAR(3), CLEAR(4), CLEAR(5),
		     BPF_MOV64_IMM(R1, 0),
		     BPF_MOV64_REG(R2, FP),
		     BPF_ALU64_IMM(BPF_ADD, R2, -(int)REGS_SIZE),
		     BPF_MOV64_IMM(R3, -1),
		     HUP_CALL(VCPU_REGS),
		     BPF_EXIT_INSN()),
		__failure(EACCES,
			  "R3 min value is negative, either use unsigned or")
	},
	{
		"helper without an argument",
		PROG(BPF_MOV64_REG(R6, R1),
		     BPF_MOV64_IMM(R1, 0),
		     HUP_CALL(FLUSH_TLB),
		     HUP_CALL(FLUSH_TLB),
		     BPF_EXIT_INSN()),
		__failure(EINVAL, "R1 is not a scalar")
	},
	{
		"registers without a size",
		PROG(CLEAR(1), CLEAR(2), CLEAR(3), CLEAR(4), CLEAR(5),
		     BPF_MOV64_IMM(R1, 0),
		     BPF_MOV64_REG(R2, FP),
		     BPF_ALU64_IMM(BPF_ADD, R2, -(int)REGS_SIZE),
		     HUP_CALL(VCPU_REGS),
		     BPF_EXIT_INSN()),
		__failure(EINVAL,
			  "arg#1 pointer type UNKNOWN  must point to scalar")
	},
	{
		"helper 0",
		PROG(CALL_NUMBER(0), BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure(EINVAL, "cannot use helper bpf_unspec#0")
	},
	{
		"helper of the next ABI",
		PROG(CALL_NUMBER(__HYPERUPCALL_HELPER_MAX),
		     BPF_MOV64_IMM(R0, 0),
		     BPF_EXIT_INSN()),
		__failure(EINVAL, "cannot use helper bpf_probe_read#4")
	},
	{
		"helper of BPF: probe_read",
		PROG(CALL_NUMBER(BPF_FUNC_probe_read),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure(EINVAL, "cannot use helper bpf_probe_read#4")
	},
	{
		"helper of BPF: probe_write_user",
		PROG(CALL_NUMBER(BPF_FUNC_probe_write_user),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure(EINVAL, "cannot use helper bpf_probe_write_user#36")
	},
	{
		"helper of BPF: probe_read_kernel",
		PROG(CALL_NUMBER(BPF_FUNC_probe_read_kernel),
		     BPF_MOV64_IMM(R0, 0),
		     BPF_EXIT_INSN()),
		__failure(EINVAL, "cannot use helper bpf_probe_read_kernel#113")
	},
	{
		"helper of BPF: tail_call",
		PROG(CALL_NUMBER(BPF_FUNC_tail_call),
		     BPF_MOV64_IMM(R0, 0),
		     BPF_EXIT_INSN()),
		__failure(EINVAL, "cannot use helper bpf_tail_call#12")
	},
	{
		"helper of BPF: loop",
		PROG(CALL_NUMBER(BPF_FUNC_loop),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure(EINVAL, "cannot use helper bpf_loop#181")
	},
	{
		"helper of BPF: per_cpu_ptr",
		PROG(CALL_NUMBER(BPF_FUNC_per_cpu_ptr),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure(EINVAL, "cannot use helper bpf_per_cpu_ptr#153")
	},
	{
		"helper of BPF: timer_set_callback",
		PROG(CALL_NUMBER(BPF_FUNC_timer_set_callback),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure(EINVAL,
			  "cannot use helper bpf_timer_set_callback#170")
	},
	{
		"helper -1",
		PROG(CALL_NUMBER(-1), BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure(EINVAL, "invalid func unknown#-1")
	},
	{
		"helper of the largest number",
		PROG(CALL_NUMBER(INT32_MAX),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure(EINVAL, "invalid func unknown#2147483647")
	},
	{
		"kfunc",
		PROG(CALL_KFUNC(1), BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure(EINVAL, "calling kernel functions is not allowed")
	},
	{
		"kfunc by the id that a helper has",
		PROG(CALL_KFUNC(HYPERUPCALL_HELPER_VCPU_STATE),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure(EINVAL, "calling kernel functions is not allowed")
	},
	{
		"kfunc in a module",
		PROG(BPF_RAW_INSN(BPF_JMP | BPF_CALL, 0,
				  BPF_PSEUDO_KFUNC_CALL, 1, 1),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure(EINVAL, "calling kernel functions is not allowed")
	},
	{
		"call of an unknown kind",
		PROG(BPF_RAW_INSN(BPF_JMP | BPF_CALL, 0, 3, 0, 1),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure(EINVAL, "calling kernel functions is not allowed")
	},
	{
		"helper in a module",
		PROG(BPF_RAW_INSN(BPF_JMP | BPF_CALL, 0, 0, 1,
				  HYPERUPCALL_HELPER_VCPU_STATE),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure(EINVAL, "calling kernel functions is not allowed")
	},
	{
		"call through a register",
		PROG(BPF_MOV64_IMM(R2, 0),
		     BPF_RAW_INSN(BPF_JMP | BPF_CALL | BPF_X, R2, 0, 0, 0),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure(EINVAL, "unknown opcode 8d")
	},
	{
		"call with a destination",
		PROG(BPF_MOV64_IMM(R1, 0),
		     BPF_RAW_INSN(BPF_JMP | BPF_CALL, R2, 0, 0,
				  HYPERUPCALL_HELPER_VCPU_STATE),
		     BPF_EXIT_INSN()),
		__failure(EINVAL, "BPF_CALL uses reserved fields")
	},
	{
		"call of 32 bits",
		PROG(BPF_MOV64_IMM(R1, 0),
		     BPF_RAW_INSN(BPF_JMP32 | BPF_CALL, 0, 0, 0,
				  HYPERUPCALL_HELPER_VCPU_STATE),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure(EINVAL, "unknown opcode 86")
	},
	{
		"map by descriptor",
		PROG(BPF_LD_MAP_FD(R2, 0),
		     BPF_MOV64_IMM(R0, 0),
		     BPF_EXIT_INSN()),
		__failure(EINVAL, "an object of the kernel is not allowed")
	},
	{
		"map value",
		PROG(BPF_LD_IMM64_RAW_FULL(R2, BPF_PSEUDO_MAP_VALUE, 0, 0, 0,
					   0),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure(EINVAL, "an object of the kernel is not allowed")
	},
	{
		"map by index",
		PROG(BPF_LD_IMM64_RAW_FULL(R2, BPF_PSEUDO_MAP_IDX, 0, 0, 0, 0),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure(EINVAL, "an object of the kernel is not allowed")
	},
	{
		"map value by index",
		PROG(BPF_LD_IMM64_RAW_FULL(R2, BPF_PSEUDO_MAP_IDX_VALUE, 0, 0,
					   0, 0),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure(EINVAL, "an object of the kernel is not allowed")
	},
	{
		"kernel variable",
		PROG(BPF_LD_IMM64_RAW_FULL(R2, BPF_PSEUDO_BTF_ID, 0, 0, 1, 0),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure(EINVAL, "an object of the kernel is not allowed")
	},
	{
		"address of a function",
		PROG(BPF_LD_IMM64_RAW_FULL(R2, BPF_PSEUDO_FUNC, 0, 0, 2, 0),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN(),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure(EINVAL, "an object of the kernel is not allowed")
	},
	{
		"constant of a kind that is none",
		PROG(BPF_LD_IMM64_RAW_FULL(R2, 15, 0, 0, 0, 0),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure(EINVAL, "an object of the kernel is not allowed")
	},
	{
		"packet access",
		PROG(BPF_MOV64_REG(R6, R1),
		     BPF_LD_ABS(BPF_B, 0),
		     BPF_EXIT_INSN()),
		__failure(EINVAL,
			  "BPF_LD_[ABS|IND] instructions not allowed for")
	},
	{
		"packet access at a register",
		PROG(BPF_MOV64_REG(R6, R1),
		     BPF_MOV64_IMM(R2, 0),
		     BPF_LD_IND(BPF_W, R2, 0),
		     BPF_EXIT_INSN()),
		__failure(EINVAL,
			  "BPF_LD_[ABS|IND] instructions not allowed for")
	},
};
