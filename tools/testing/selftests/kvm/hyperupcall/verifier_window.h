/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Guest memory: what programs may do with the window, and what they find
 * there.
 */
#include "verifier_case.h"

static uint64_t load(const void *from, size_t size)
{
	uint64_t value = 0;

	memcpy(&value, from, size);
	return value;
}

static void c_window_loads(struct world *w)
{
	const char *p = (const char *)w->mem;

	w->result = folded(w->a + load(p + 3, 1) + load(p + 5, 2) + load(p + 9, 4) +
		      load(p + 21, 8));
}

static void c_window_stores(struct world *w)
{
	char *p = (char *)w->mem;

	memcpy(p + 3, &w->a, 1);
	memcpy(p + 5, &w->a, 2);
	memcpy(p + 9, &w->b, 4);
	memcpy(p + 21, &w->b, 8);
	memcpy(p + 30, &(int8_t){ -1 }, 1);
	memcpy(p + 31, &(int16_t){ -2 }, 2);
	memcpy(p + 41, &(int32_t){ -3 }, 4);
	memcpy(p + 55, &(int64_t){ -4 }, 8);
	w->result = folded(w->a);
}

LOGIC(c_window_arithmetic, m[(a & 56) / 8])
LOGIC(c_window_first, m[0])
LOGIC(c_zero, 0)

static void c_window_list(struct world *w)
{
	uint64_t next = w->a, sum = 0;
	int i;

	for (i = 0; i < 20; i++) {
		next = w->mem[next & 15];
		sum += next;
	}
	w->result = folded(sum);
}

static const struct prog_case window_cases[] = {
	{
		"window, nothing mapped",
		PROG(UNKNOWN(R2),
		     HUP_WINDOW(R2, R2),
		     BPF_LDX_MEM(BPF_DW, R0, R2, 0),
		     BPF_EXIT_INSN()),
		__retval(0)
	},
	{
		"window pointer returned",
		PROG(BPF_MOV64_IMM(R0, 0x1000),
		     HUP_WINDOW(R0, R0),
		     BPF_EXIT_INSN()),
		__retval(0x1000)
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
		__retval(1)
	},
	{
		"window pointer compared with a number",
		PROG(UNKNOWN(R2),
		     HUP_WINDOW(R2, R2),
		     BPF_MOV64_IMM(R0, 1),
		     BPF_JMP_IMM(BPF_JNE, R2, 0, 1),
		     BPF_MOV64_IMM(R0, 2),
		     BPF_EXIT_INSN()),
		__retval(1)
	},
	{
		"window pointer stored to the window",
		PROG(UNKNOWN(R2),
		     HUP_WINDOW(R2, R2),
		     BPF_STX_MEM(BPF_DW, R2, R2, 0),
		     BPF_MOV64_IMM(R0, 1), BPF_EXIT_INSN()),
		__retval(1)
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
		__retval(0)
	},
	{
		"all sizes loaded",
		PROG_FOLDED(HUP_DATA(R3, R1, 6), HUP_WINDOW(R3, R3),
			    BPF_LDX_MEM(BPF_B, R4, R3, 3),
			    BPF_ALU64_REG(BPF_ADD, R0, R4),
			    BPF_LDX_MEM(BPF_H, R4, R3, 5),
			    BPF_ALU64_REG(BPF_ADD, R0, R4),
			    BPF_LDX_MEM(BPF_W, R4, R3, 9),
			    BPF_ALU64_REG(BPF_ADD, R0, R4),
			    BPF_LDX_MEM(BPF_DW, R4, R3, 21),
			    BPF_ALU64_REG(BPF_ADD, R0, R4)),
		__same(c_window_loads)
	},
	{
		"all sizes stored",
		PROG_FOLDED(HUP_DATA(R3, R1, 6), HUP_WINDOW(R3, R3),
			    BPF_STX_MEM(BPF_B, R3, R0, 3),
			    BPF_STX_MEM(BPF_H, R3, R0, 5),
			    BPF_STX_MEM(BPF_W, R3, R2, 9),
			    BPF_STX_MEM(BPF_DW, R3, R2, 21),
			    BPF_ST_MEM(BPF_B, R3, 30, -1),
			    BPF_ST_MEM(BPF_H, R3, 31, -2),
			    BPF_ST_MEM(BPF_W, R3, 41, -3),
			    BPF_ST_MEM(BPF_DW, R3, 55, -4)),
		__same(c_window_stores)
	},
	{
		"pointer arithmetic has 32 bits",
		PROG_FOLDED(HUP_DATA(R3, R1, 6), HUP_WINDOW(R3, R3),
			    BPF_ALU64_IMM(BPF_SUB, R3, 8),
			    BPF_MOV64_REG(R4, R0),
			    BPF_ALU64_IMM(BPF_AND, R4, 56),
			    BPF_ALU64_REG(BPF_ADD, R3, R4),
			    BPF_LD_IMM64(R4, 0x5500000000ULL),
			    BPF_ALU64_REG(BPF_ADD, R3, R4),
			    BPF_LDX_MEM(BPF_DW, R0, R3, 8)),
		__same(c_window_arithmetic)
	},
	{
		"window pointer from a function",
		PROG(HUP_DATA(R0, R1, 0), HUP_DATA(R2, R1, 1),
		     HUP_DATA(R1, R1, 6),
		     BPF_CALL_REL(5),
		     BPF_LDX_MEM(BPF_DW, R0, R0, 0),
		     BPF_MOV64_REG(R1, R0),
		     BPF_ALU64_IMM(BPF_RSH, R1, 32),
		     BPF_ALU64_REG(BPF_XOR, R0, R1),
		     BPF_EXIT_INSN(),
		     HUP_WINDOW(R0, R1),
		     BPF_EXIT_INSN()),
		__same(c_window_first)
	},
	{
		"upper half of an offset does not matter",
		PROG_FOLDED(HUP_DATA(R3, R1, 6),
			    BPF_LD_IMM64(R4, 0xdeadbeef00000000ULL),
			    BPF_ALU64_REG(BPF_OR, R3, R4),
			    HUP_WINDOW(R3, R3),
			    BPF_LDX_MEM(BPF_DW, R0, R3, 0)),
		__same(c_window_first)
	},
	{
		"cast back to a number",
		PROG(HUP_DATA(R3, R1, 6),
		     HUP_WINDOW(R2, R3),
		     BPF_RAW_INSN(BPF_ALU64 | BPF_MOV | BPF_X, R0, R2,
				  BPF_ADDR_SPACE_CAST, 1 << 16),
		     BPF_ALU64_REG(BPF_SUB, R0, R3),
		     BPF_MOV64_REG(R1, R0),
		     BPF_ALU64_IMM(BPF_RSH, R1, 32),
		     BPF_ALU64_REG(BPF_XOR, R0, R1),
		     BPF_EXIT_INSN()),
		__same(c_zero)
	},
	{
		"list in guest memory",
		/* chases a list of indices through the words of memory */
		PROG_FOLDED(HUP_DATA(R3, R1, 6), HUP_WINDOW(R3, R3),
			    BPF_MOV64_IMM(R4, 0),
			    BPF_MOV64_IMM(R5, 0),
			    BPF_ALU64_IMM(BPF_AND, R0, 15),
			    BPF_ALU64_IMM(BPF_LSH, R0, 3),
			    BPF_MOV64_REG(R6, R3),
			    BPF_ALU64_REG(BPF_ADD, R6, R0),
			    BPF_LDX_MEM(BPF_DW, R0, R6, 0),
			    BPF_ALU64_REG(BPF_ADD, R5, R0),
			    BPF_ALU64_IMM(BPF_ADD, R4, 1),
			    BPF_JMP_IMM(BPF_JLT, R4, 20, -8),
			    BPF_MOV64_REG(R0, R5)),
		__same(c_window_list)
	},
	{
		"sign-extending load",
		PROG(BPF_MOV64_IMM(R2, 0),
		     HUP_WINDOW(R2, R2),
		     BPF_RAW_INSN(BPF_LDX | BPF_MEMSX | BPF_B, R0, R2, 0, 0),
		     BPF_EXIT_INSN()),
		__failure(EINVAL,
			  "sign extending loads from arena are not supported")
	},
	{
		"number cast to address space 0 and used",
		PROG(BPF_MOV64_IMM(R2, 64),
		     BPF_RAW_INSN(BPF_ALU64 | BPF_MOV | BPF_X, R2, R2,
				  BPF_ADDR_SPACE_CAST, 1 << 16),
		     BPF_LDX_MEM(BPF_DW, R0, R2, 0),
		     BPF_EXIT_INSN()),
		__failure(EACCES, "R2 invalid mem access 'scalar'")
	},
	{
		"window pointer halved and used",
		PROG(UNKNOWN(R2),
		     HUP_WINDOW(R2, R2),
		     BPF_MOV32_REG(R2, R2),
		     BPF_LDX_MEM(BPF_DW, R0, R2, 0),
		     BPF_EXIT_INSN()),
		__failure(EACCES, "R2 invalid mem access 'scalar'")
	},
	{
		"window pointer negated and used",
		PROG(UNKNOWN(R2),
		     HUP_WINDOW(R2, R2),
		     BPF_ALU64_IMM(BPF_NEG, R2, 0),
		     BPF_LDX_MEM(BPF_DW, R0, R2, 0),
		     BPF_EXIT_INSN()),
		__failure(EACCES, "R2 invalid mem access 'scalar'")
	},
	{
		"window pointer or number, by a branch",
		PROG(UNKNOWN(R2),
		     HUP_WINDOW(R3, R2),
		     BPF_JMP_IMM(BPF_JEQ, R2, 0, 1),
		     BPF_MOV64_IMM(R3, 0),
		     BPF_LDX_MEM(BPF_DW, R0, R3, 0),
		     BPF_EXIT_INSN()),
		__failure(EACCES, "R3 invalid mem access 'scalar'")
	},
	{
		"window pointer or stack, by a branch",
		PROG(UNKNOWN(R2),
		     CLEAR(1),
		     HUP_WINDOW(R3, R2),
		     BPF_JMP_IMM(BPF_JEQ, R2, 0, 2),
		     BPF_MOV64_REG(R3, FP),
		     BPF_ALU64_IMM(BPF_ADD, R3, -8),
		     BPF_LDX_MEM(BPF_DW, R0, R3, 0),
		     BPF_EXIT_INSN()),
		__failure(EINVAL,
			  "same insn cannot be used with different pointers")
	},
	{
		"spilled window pointer read in part",
		PROG(UNKNOWN(R2),
		     HUP_WINDOW(R2, R2),
		     BPF_STX_MEM(BPF_DW, FP, R2, -8),
		     BPF_LDX_MEM(BPF_W, R0, FP, -8),
		     BPF_EXIT_INSN()),
		__failure(EACCES, "invalid size of register fill")
	},
	{
		"half a window pointer stored to the stack",
		PROG(UNKNOWN(R2),
		     HUP_WINDOW(R2, R2),
		     BPF_STX_MEM(BPF_W, FP, R2, -8),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure(EACCES, "invalid size of register spill")
	},
	{
		"spilled window pointer overwritten in part",
		PROG(UNKNOWN(R2),
		     HUP_WINDOW(R2, R2),
		     BPF_STX_MEM(BPF_DW, FP, R2, -8),
		     BPF_ST_MEM(BPF_B, FP, -8, 0),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure(EACCES, "attempt to corrupt spilled pointer on stack")
	},
	{
		"address space 2",
		PROG(BPF_MOV64_IMM(R2, 0),
		     BPF_RAW_INSN(BPF_ALU64 | BPF_MOV | BPF_X, R2, R2,
				  BPF_ADDR_SPACE_CAST, 2),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure(EINVAL,
			  "addr_space_cast insn can only convert between")
	},
	{
		"cast from and to address space 1",
		PROG(UNKNOWN(R2),
		     BPF_RAW_INSN(BPF_ALU64 | BPF_MOV | BPF_X, R2, R2,
				  BPF_ADDR_SPACE_CAST, 1 << 16 | 1),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure(EINVAL,
			  "addr_space_cast insn can only convert between")
	},
	{
		"cast to no address space",
		PROG(UNKNOWN(R2),
		     BPF_RAW_INSN(BPF_ALU64 | BPF_MOV | BPF_X, R2, R2,
				  BPF_ADDR_SPACE_CAST, 0),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure(EINVAL,
			  "addr_space_cast insn can only convert between")
	},
	{
		"cast of 32 bits",
		PROG(UNKNOWN(R2),
		     BPF_RAW_INSN(BPF_ALU | BPF_MOV | BPF_X, R2, R2,
				  BPF_ADDR_SPACE_CAST, 1),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure(EINVAL, "BPF_MOV uses reserved fields")
	},
	{
		"cast of a constant",
		PROG(BPF_RAW_INSN(BPF_ALU64 | BPF_MOV | BPF_K, R2, 0,
				  BPF_ADDR_SPACE_CAST, 1),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure(EINVAL, "BPF_MOV uses reserved fields")
	},
	{
		"cast of a register never written",
		PROG(HUP_WINDOW(R2, R7),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure(EACCES, "R7 !read_ok")
	},
};
