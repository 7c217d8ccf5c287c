/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Jumps and loops: every program ends, and every instruction is one.
 */
#include "verifier_case.h"

static void c_flow_hash(struct world *w)
{
	const uint8_t *p = (const uint8_t *)w->mem;
	uint64_t hash = 0xcbf29ce484222325ULL;
	int i;

	for (i = 0; i < 32; i++)
		hash = (hash ^ p[i]) * 0x100000001b3ULL;
	w->result = folded(hash);
}

static void c_flow_gcd(struct world *w)
{
	uint64_t a = w->a, b = w->b, rest;

	while (b) {
		rest = a % b;
		a = b;
		b = rest;
	}
	w->result = folded(a);
}

LOGIC(c_flow_bits, __builtin_popcountll(a))

static void c_flow_sort(struct world *w)
{
	bool sorted = (int64_t)w->a <= (int64_t)w->b;

	w->mem[0] = sorted ? w->a : w->b;
	w->mem[1] = sorted ? w->b : w->a;
	w->result = folded(w->mem[0]);
}

static unsigned int build_long(struct bpf_insn *insns,
			       const struct bpf_insn *tested)
{
	unsigned int n = 0;

	insns[n++] = BPF_MOV64_IMM(R0, 0);
	while (n <= 4000)
		insns[n++] = BPF_ALU64_IMM(BPF_ADD, R0, 1);
	insns[n++] = BPF_EXIT_INSN();
	return n;
}

/* The comparison at the end makes the verifier keep all ways apart. */
static unsigned int build_branches(struct bpf_insn *insns,
				   const struct bpf_insn *tested)
{
	unsigned int i, n = 0;

	insns[n++] = BPF_MOV64_IMM(R0, 0);
	for (i = 0; i < 64; i++) {
		insns[n++] = UNKNOWN(R2);
		insns[n++] = BPF_ALU64_IMM(BPF_LSH, R0, 1);
		insns[n++] = BPF_JMP_IMM(BPF_JEQ, R2, i, 1);
		insns[n++] = BPF_ALU64_IMM(BPF_ADD, R0, 1);
	}
	insns[n++] = BPF_JMP_IMM(BPF_JEQ, R0, 12345, 1);
	insns[n++] = BPF_MOV64_IMM(R0, 0);
	insns[n++] = BPF_EXIT_INSN();
	return n;
}

/* How many divisions a jump goes across, each of which becomes eleven instructions. */
#define FLOW_FAR	2900

static unsigned int build_divisions(struct bpf_insn *insns, unsigned int divisions)
{
	unsigned int i, n = 0;

	insns[n++] = HUP_DATA(R0, R1, 0);
	insns[n++] = HUP_DATA(R2, R1, 1);
	insns[n++] = BPF_MOV64_IMM(R3, 0);
	insns[n++] = BPF_JMP_IMM(BPF_JEQ, R0, 0, 2 * divisions + 2);
	for (i = 0; i < divisions; i++) {
		insns[n++] = BPF_ALU64_IMM(BPF_ADD, R0, 1000003 * i);
		insns[n++] = BPF_RAW_INSN(BPF_ALU64 | BPF_DIV | BPF_X, R0, R2, 1, 0);
	}
	insns[n++] = BPF_ALU64_IMM(BPF_ADD, R3, 1);
	insns[n++] = BPF_JMP_IMM(BPF_JLT, R3, 2, -(int)(2 * divisions + 3));
	insns[n++] = BPF_MOV64_REG(R1, R0);
	insns[n++] = BPF_ALU64_IMM(BPF_RSH, R1, 32);
	insns[n++] = BPF_ALU64_REG(BPF_XOR, R0, R1);
	insns[n++] = BPF_EXIT_INSN();
	return n;
}

static unsigned int build_far(struct bpf_insn *insns,
			      const struct bpf_insn *tested)
{
	return build_divisions(insns, FLOW_FAR);
}

static unsigned int build_too_far(struct bpf_insn *insns,
				  const struct bpf_insn *tested)
{
	return build_divisions(insns, 3700);
}

static int64_t flow_divide(int64_t a, int64_t b)
{
	if (!b)
		return 0;
	return b == -1 ? (int64_t)-(uint64_t)a : a / b;
}

static void c_flow_far(struct world *w)
{
	uint64_t x = w->a;
	int turn, i;

	for (turn = 0; turn < 2 && x; turn++) {
		for (i = 0; i < FLOW_FAR; i++)
			x = flow_divide(x + (int)(1000003U * i), w->b);
	}
	w->result = folded(x);
}

static const struct prog_case flow_cases[] = {
	{
		"constant",
		PROG(BPF_MOV64_IMM(R0, 42), BPF_EXIT_INSN()),
		__retval(42)
	},
	{
		"bounded loop",
		PROG(BPF_MOV64_IMM(R0, 0),
		     BPF_MOV64_IMM(R1, 0),
		     BPF_ALU64_REG(BPF_ADD, R0, R1),
		     BPF_ALU64_IMM(BPF_ADD, R1, 1),
		     BPF_JMP_IMM(BPF_JLT, R1, 10, -3),
		     BPF_EXIT_INSN()),
		__retval(45)
	},
	{
		"may_goto, left early",
		PROG(BPF_MOV64_IMM(R0, 0),
		     HUP_MAY_GOTO(3),
		     BPF_ALU64_IMM(BPF_ADD, R0, 1),
		     BPF_JMP_IMM(BPF_JEQ, R0, 50, 1),
		     BPF_JMP_A(-4),
		     BPF_EXIT_INSN()),
		__retval(50)
	},
	{
		"endless loop that may_goto ends",
		PROG(BPF_MOV64_IMM(R0, 7),
		     HUP_MAY_GOTO(1),
		     BPF_JMP_A(-2),
		     BPF_EXIT_INSN()),
		__retval(7)
	},
	{
		"jump of 32 bits",
		PROG(UNKNOWN(R2),
		     BPF_MOV64_IMM(R0, 5),
		     BPF_JMP_IMM(BPF_JEQ, R2, 0, 1),
		     GOTOL(1),
		     BPF_MOV64_IMM(R0, 6),
		     BPF_EXIT_INSN()),
		__retval(5)
	},
	{
		"loop over memory",
		PROG(HUP_DATA(R2, R1, 6), HUP_WINDOW(R2, R2),
		     BPF_MOV64_IMM(R3, 0),
		     BPF_LD_IMM64(R0, 0xcbf29ce484222325ULL),
		     BPF_LD_IMM64(R5, 0x100000001b3ULL),
		     BPF_LDX_MEM(BPF_B, R4, R2, 0),
		     BPF_ALU64_REG(BPF_XOR, R0, R4),
		     BPF_ALU64_REG(BPF_MUL, R0, R5),
		     BPF_ALU64_IMM(BPF_ADD, R2, 1),
		     BPF_ALU64_IMM(BPF_ADD, R3, 1),
		     BPF_JMP_IMM(BPF_JLT, R3, 32, -6),
		     BPF_MOV64_REG(R1, R0),
		     BPF_ALU64_IMM(BPF_RSH, R1, 32),
		     BPF_ALU64_REG(BPF_XOR, R0, R1),
		     BPF_EXIT_INSN()),
		__same(c_flow_hash)
	},
	{
		"greatest common divisor",
		/* how many rounds that takes depends on the input, and may_goto bounds it */
		PROG_FOLDED(HUP_MAY_GOTO(6),
			    BPF_JMP_IMM(BPF_JEQ, R2, 0, 5),
			    BPF_MOV64_REG(R3, R0),
			    BPF_ALU64_REG(BPF_MOD, R3, R2),
			    BPF_MOV64_REG(R0, R2),
			    BPF_MOV64_REG(R2, R3),
			    BPF_JMP_A(-7)),
		__same(c_flow_gcd)
	},
	{
		"bits counted",
		PROG_FOLDED(BPF_MOV64_IMM(R3, 0),
			    BPF_MOV64_IMM(R4, 0),
			    BPF_MOV64_REG(R5, R0),
			    BPF_ALU64_REG(BPF_RSH, R5, R3),
			    BPF_ALU64_IMM(BPF_AND, R5, 1),
			    BPF_ALU64_REG(BPF_ADD, R4, R5),
			    BPF_ALU64_IMM(BPF_ADD, R3, 1),
			    BPF_JMP_IMM(BPF_JLT, R3, 64, -6),
			    BPF_MOV64_REG(R0, R4)),
		__same(c_flow_bits)
	},
	{
		"smaller and larger, with their sign",
		PROG_FOLDED(HUP_DATA(R3, R1, 6), HUP_WINDOW(R3, R3),
			    BPF_JMP_REG(BPF_JSLE, R0, R2, 3),
			    BPF_MOV64_REG(R4, R0),
			    BPF_MOV64_REG(R0, R2),
			    BPF_MOV64_REG(R2, R4),
			    BPF_STX_MEM(BPF_DW, R3, R0, 0),
			    BPF_STX_MEM(BPF_DW, R3, R2, 8)),
		__same(c_flow_sort)
	},
	{
		"4000 instructions",
		__built(build_long),
		__retval(4000)
	},
	{
		"endless loop",
		PROG(BPF_MOV64_IMM(R0, 0),
		     BPF_JMP_A(-1),
		     BPF_EXIT_INSN()),
		__failure(EINVAL, "unreachable insn 2")
	},
	{
		"endless loop with a condition",
		PROG(UNKNOWN(R2),
		     BPF_MOV64_IMM(R0, 0),
		     BPF_JMP_IMM(BPF_JNE, R2, 5, -1),
		     BPF_EXIT_INSN()),
		__failure(EINVAL, "infinite loop detected")
	},
	{
		"two loops that keep each other going",
		PROG(UNKNOWN(R2),
		     BPF_MOV64_IMM(R0, 0),
		     BPF_ALU64_IMM(BPF_XOR, R0, 1),
		     BPF_JMP_IMM(BPF_JEQ, R2, 1, -2),
		     BPF_JMP_IMM(BPF_JNE, R2, 2, -3),
		     BPF_EXIT_INSN()),
		__failure(EINVAL, "infinite loop detected")
	},
	{
		"jumps there and back across thousands of divisions",
		__built(build_far),
		__same(c_flow_far)
	},
	{
		"jump across too many divisions",
		__built(build_too_far),
		__failure(EINVAL, "insn 3 cannot be patched due to 16-bit range")
	},
	{
		"loop that counts by nothing",
		PROG(BPF_MOV64_IMM(R0, 0),
		     BPF_ALU64_IMM(BPF_ADD, R0, 0),
		     BPF_JMP_IMM(BPF_JLT, R0, 10, -2),
		     BPF_EXIT_INSN()),
		__failure(EINVAL, "infinite loop detected")
	},
	{
		"loop over memory without an end",
		PROG(UNKNOWN(R2),
		     HUP_WINDOW(R2, R2),
		     BPF_LDX_MEM(BPF_DW, R2, R2, 0),
		     BPF_JMP_IMM(BPF_JNE, R2, 0, -3),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure(EINVAL, "infinite loop detected")
	},
	{
		"loop of two million rounds",
		PROG(BPF_MOV64_IMM(R0, 0),
		     BPF_ALU64_IMM(BPF_ADD, R0, 1),
		     BPF_JMP_IMM(BPF_JLT, R0, 2000000, -2),
		     BPF_EXIT_INSN()),
		__failure(E2BIG, "The sequence of 8193 jumps is too complex.")
	},
	{
		"as many ways through as grains on a chessboard",
		__built(build_branches),
		__failure(E2BIG, "BPF program is too large.")
	},
	{
		"may_goto to the next instruction",
		PROG(BPF_MOV64_IMM(R0, 0),
		     HUP_MAY_GOTO(0),
		     BPF_EXIT_INSN()),
		__failure(EINVAL, "invalid may_goto off 0 imm 0")
	},
	{
		"may_goto out of the program",
		PROG(BPF_MOV64_IMM(R0, 0),
		     HUP_MAY_GOTO(8),
		     BPF_EXIT_INSN()),
		__failure(EINVAL, "jump out of range from insn 1 to 10")
	},
	{
		"may_goto with a constant",
		PROG(BPF_MOV64_IMM(R0, 0),
		     BPF_RAW_INSN(BPF_JMP | BPF_JCOND, 0, 0, 1, 1),
		     BPF_MOV64_IMM(R0, 0),
		     BPF_EXIT_INSN()),
		__failure(EINVAL, "invalid may_goto off 1 imm 1")
	},
	{
		"may_goto with a register",
		PROG(BPF_MOV64_IMM(R0, 0),
		     BPF_RAW_INSN(BPF_JMP | BPF_JCOND, R1, 0, 1, 0),
		     BPF_MOV64_IMM(R0, 0),
		     BPF_EXIT_INSN()),
		__failure(EINVAL, "invalid may_goto off 1 imm 0")
	},
	{
		"conditional jump of the next kind",
		PROG(BPF_MOV64_IMM(R0, 0),
		     BPF_RAW_INSN(BPF_JMP | BPF_JCOND, 0, 1, 1, 0),
		     BPF_MOV64_IMM(R0, 0),
		     BPF_EXIT_INSN()),
		__failure(EINVAL, "invalid may_goto off 1 imm 0")
	},
	{
		"may_goto of 32 bits",
		PROG(BPF_MOV64_IMM(R0, 0),
		     BPF_RAW_INSN(BPF_JMP32 | BPF_JCOND, 0, 0, 1, 0),
		     BPF_MOV64_IMM(R0, 0),
		     BPF_EXIT_INSN()),
		__failure(EINVAL, "unknown opcode e6")
	},
	{
		"jump out of the program",
		PROG(BPF_JMP_A(5), BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure(EINVAL, "jump out of range from insn 0 to 6")
	},
	{
		"jump right behind the program",
		PROG(BPF_MOV64_IMM(R0, 0),
		     BPF_JMP_IMM(BPF_JEQ, R0, 1, 1),
		     BPF_EXIT_INSN()),
		__failure(EINVAL, "jump out of range from insn 1 to 3")
	},
	{
		"jump of 32 bits out of the program",
		PROG(BPF_MOV64_IMM(R0, 0),
		     GOTOL(0x10000),
		     BPF_EXIT_INSN()),
		__failure(EINVAL, "jump out of range from insn 1 to 65538")
	},
	{
		"jump before the program",
		PROG(BPF_MOV64_IMM(R0, 0),
		     BPF_JMP_IMM(BPF_JEQ, R0, 0, -3),
		     BPF_EXIT_INSN()),
		__failure(EINVAL, "jump out of range from insn 1 to -1")
	},
	{
		"jump into an instruction",
		PROG(BPF_JMP_A(1),
		     BPF_LD_IMM64(R0, 0),
		     BPF_EXIT_INSN()),
		__failure(EINVAL, "unreachable insn 1")
	},
	{
		"conditional jump into an instruction",
		PROG(UNKNOWN(R0),
		     BPF_JMP_IMM(BPF_JEQ, R0, 0, 1),
		     BPF_LD_IMM64(R0, 0),
		     BPF_EXIT_INSN()),
		__failure(EINVAL, "jump into the middle of ldimm64 insn 2")
	},
	{
		"jump into another function",
		PROG(BPF_MOV64_IMM(R0, 0),
		     BPF_JMP_IMM(BPF_JEQ, R0, 1, 2),
		     BPF_CALL_REL(1),
		     BPF_EXIT_INSN(),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure(EINVAL, "jump out of range from insn 1 to 4")
	},
	{
		"end without exit",
		PROG(BPF_MOV64_IMM(R0, 0)),
		__failure(EINVAL, "last insn is not an exit or jmp")
	},
	{
		"half an instruction at the end",
		PROG(BPF_MOV64_IMM(R0, 0),
		     BPF_RAW_INSN(BPF_LD | BPF_IMM | BPF_DW, R0, 0, 0, 0)),
		__failure(EINVAL, "last insn is not an exit or jmp")
	},
	{
		"never reached",
		PROG(BPF_MOV64_IMM(R0, 0),
		     BPF_EXIT_INSN(),
		     BPF_MOV64_IMM(R0, 1),
		     BPF_EXIT_INSN()),
		__failure(EINVAL, "unreachable insn 2")
	},
};
