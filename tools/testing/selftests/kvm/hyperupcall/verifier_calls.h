/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Functions of a program.
 */
#include "verifier_case.h"

LOGIC(c_calls_arguments, (a ^ b) + 3 * 4 - 5)
LOGIC(c_calls_kept, a - b)

/* A program and functions that each call the next one and add one. */
static unsigned int build_deep(struct bpf_insn *insns, unsigned int frames)
{
	unsigned int i, n = 0;

	for (i = 1; i < frames; i++) {
		insns[n++] = BPF_CALL_REL(2);
		insns[n++] = BPF_ALU64_IMM(BPF_ADD, R0, 1);
		insns[n++] = BPF_EXIT_INSN();
	}
	insns[n++] = BPF_MOV64_IMM(R0, 1);
	insns[n++] = BPF_EXIT_INSN();
	return n;
}

static unsigned int build_eight_deep(struct bpf_insn *insns,
				     const struct bpf_insn *tested)
{
	return build_deep(insns, 8);
}

static unsigned int build_nine_deep(struct bpf_insn *insns,
				    const struct bpf_insn *tested)
{
	return build_deep(insns, 9);
}

static unsigned int build_many_calls(struct bpf_insn *insns,
				     const struct bpf_insn *tested)
{
	const unsigned int calls = 200, first = 2 * calls + 3;
	unsigned int i, n = 0;

	insns[n++] = BPF_MOV64_IMM(R6, 0);
	for (i = 0; i < calls; i++) {
		insns[n] = BPF_CALL_REL(first + 2 * i - n - 1);
		n++;
		insns[n++] = BPF_ALU64_REG(BPF_ADD, R6, R0);
	}
	insns[n++] = BPF_MOV64_REG(R0, R6);
	insns[n++] = BPF_EXIT_INSN();
	for (i = 0; i < calls; i++) {
		insns[n++] = BPF_MOV64_IMM(R0, 1);
		insns[n++] = BPF_EXIT_INSN();
	}
	return n;
}

/*
 * Seven levels of functions, all of whose calls go to the next level. They are
 * behind a branch that always goes the other way, and only a misprediction gets
 * there: what the verifier follows of them has an end, whatever their number.
 */
static unsigned int build_tree(struct bpf_insn *insns, unsigned int calls)
{
	unsigned int level, i, n = 0;

	insns[n++] = BPF_MOV64_IMM(R0, 0);
	insns[n++] = BPF_JMP_IMM(BPF_JEQ, R0, 0, calls);
	for (level = 0; level < 7; level++) {
		for (i = calls; i; i--)
			insns[n++] = BPF_CALL_REL(i);
		insns[n++] = BPF_EXIT_INSN();
	}
	insns[n++] = BPF_MOV64_IMM(R0, 0);
	insns[n++] = BPF_EXIT_INSN();
	return n;
}

static unsigned int build_small_tree(struct bpf_insn *insns,
				     const struct bpf_insn *tested)
{
	return build_tree(insns, 2);
}

static unsigned int build_large_tree(struct bpf_insn *insns,
				     const struct bpf_insn *tested)
{
	return build_tree(insns, 6);
}

/* A function that stores to its stack and calls the one behind it. */
static unsigned int emit_function(struct bpf_insn *insns, int stack)
{
	insns[0] = BPF_ST_MEM(BPF_DW, FP, -stack, 0);
	insns[1] = BPF_CALL_REL(1);
	insns[2] = BPF_EXIT_INSN();
	return 3;
}

/*
 * The same, but for a call that is never made, and so far from the branch before
 * it that no misprediction is followed to it: only the walk for the depth of the
 * stack sees it.
 */
static unsigned int emit_idle_function(struct bpf_insn *insns, int stack)
{
	const unsigned int distance = 3000;
	unsigned int i, n = 0;

	insns[n++] = BPF_ST_MEM(BPF_DW, FP, -stack, 0);
	insns[n++] = BPF_MOV64_IMM(R0, 0);
	insns[n++] = BPF_JMP_IMM(BPF_JEQ, R0, 0, distance + 1);
	for (i = 0; i < distance; i++)
		insns[n++] = BPF_ALU64_IMM(BPF_ADD, R0, 1);
	insns[n++] = BPF_CALL_REL(1);
	insns[n++] = BPF_EXIT_INSN();
	return n;
}

/* Functions that lead to each other, from the one at @middle and from the first. */
static unsigned int emit_two_paths(struct bpf_insn *insns, unsigned int middle,
				   unsigned int n)
{
	insns[0] = BPF_CALL_REL(middle - 1);
	insns[1] = BPF_CALL_REL(1);
	insns[2] = BPF_EXIT_INSN();
	insns[n++] = BPF_ST_MEM(BPF_DW, FP, -32, 0);
	insns[n++] = BPF_MOV64_IMM(R0, 0);
	insns[n++] = BPF_EXIT_INSN();
	return n;
}

/* The last function has 256 bytes below it, and then 512. */
static unsigned int build_deep_second_path(struct bpf_insn *insns,
					   const struct bpf_insn *tested)
{
	unsigned int n = 3, middle;

	n += emit_idle_function(insns + n, 256);
	middle = n;
	n += emit_function(insns + n, 256);
	return emit_two_paths(insns, middle, n);
}

/* The last function is in the sixth frame, and then in the ninth. */
static unsigned int build_long_second_path(struct bpf_insn *insns,
					   const struct bpf_insn *tested)
{
	unsigned int i, n = 3, middle;

	n += emit_function(insns + n, 8);
	n += emit_function(insns + n, 8);
	n += emit_idle_function(insns + n, 8);
	middle = n;
	for (i = 0; i < 4; i++)
		n += emit_function(insns + n, 8);
	return emit_two_paths(insns, middle, n);
}

static const struct prog_case calls_cases[] = {
	{
		"subprogram",
		PROG(BPF_MOV64_IMM(R1, 20),
		     BPF_CALL_REL(2),
		     BPF_ALU64_IMM(BPF_ADD, R0, 2),
		     BPF_EXIT_INSN(),
		     BPF_MOV64_REG(R0, R1),
		     BPF_ALU64_IMM(BPF_MUL, R0, 2),
		     BPF_EXIT_INSN()),
		__retval(42)
	},
	{
		"function with five arguments",
		PROG(HUP_DATA(R0, R1, 0), HUP_DATA(R2, R1, 1),
		     BPF_MOV64_REG(R1, R0),
		     BPF_MOV64_IMM(R3, 3),
		     BPF_MOV64_IMM(R4, 4),
		     BPF_MOV64_IMM(R5, 5),
		     BPF_CALL_REL(4),
		     BPF_MOV64_REG(R1, R0),
		     BPF_ALU64_IMM(BPF_RSH, R1, 32),
		     BPF_ALU64_REG(BPF_XOR, R0, R1),
		     BPF_EXIT_INSN(),
		     BPF_ALU64_REG(BPF_XOR, R1, R2),
		     BPF_ALU64_REG(BPF_MUL, R3, R4),
		     BPF_ALU64_REG(BPF_ADD, R1, R3),
		     BPF_ALU64_REG(BPF_SUB, R1, R5),
		     BPF_MOV64_REG(R0, R1),
		     BPF_EXIT_INSN()),
		__same(c_calls_arguments)
	},
	{
		"registers that a function keeps",
		PROG(HUP_DATA(R0, R1, 0), HUP_DATA(R2, R1, 1),
		     BPF_MOV64_REG(R6, R0),
		     BPF_MOV64_REG(R7, R2),
		     BPF_CALL_REL(6),
		     BPF_MOV64_REG(R0, R6),
		     BPF_ALU64_REG(BPF_SUB, R0, R7),
		     BPF_MOV64_REG(R1, R0),
		     BPF_ALU64_IMM(BPF_RSH, R1, 32),
		     BPF_ALU64_REG(BPF_XOR, R0, R1),
		     BPF_EXIT_INSN(),
		     BPF_MOV64_IMM(R6, 1),
		     BPF_MOV64_IMM(R7, 2),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__same(c_calls_kept)
	},
	{
		"eight functions deep",
		__built(build_eight_deep),
		__retval(8)
	},
	{
		"200 functions",
		__built(build_many_calls),
		__retval(200)
	},
	{
		"tree of functions",
		__built(build_small_tree),
		__retval(0)
	},
	{
		/*
		 * 280,000 paths of two million instructions, and nothing to be
		 * found on any of them.
		 */
		"tree of functions that call the next six times",
		__built(build_large_tree),
		__retval(0)
	},
	{
		"function reached with little and with much of the stack",
		__built(build_deep_second_path),
		__failure(EACCES, "combined stack size of 4 calls is 544")
	},
	{
		"function reached in few and in many frames",
		__built(build_long_second_path),
		__failure(E2BIG, "the call stack of 8 frames is too deep !")
	},
	{
		"may_goto in a function",
		PROG(BPF_CALL_REL(1),
		     BPF_EXIT_INSN(),
		     BPF_MOV64_IMM(R0, 0),
		     HUP_MAY_GOTO(1),
		     BPF_JMP_A(-2),
		     BPF_EXIT_INSN()),
		__failure(EINVAL,
			  "may_goto is allowed in the entry function only")
	},
	{
		"recursion",
		PROG(BPF_CALL_REL(1),
		     BPF_EXIT_INSN(),
		     BPF_CALL_REL(-1),
		     BPF_EXIT_INSN()),
		__failure(E2BIG, "the call stack of 9 frames is too deep")
	},
	{
		"function that calls itself",
		PROG(BPF_CALL_REL(1),
		     BPF_EXIT_INSN(),
		     BPF_CALL_REL(-1),
		     BPF_EXIT_INSN()),
		__failure(E2BIG, "the call stack of 9 frames is too deep")
	},
	{
		"program that calls itself",
		PROG(BPF_CALL_REL(-1),
		     BPF_EXIT_INSN()),
		__failure(E2BIG, "the call stack of 9 frames is too deep")
	},
	{
		"nine functions deep",
		__built(build_nine_deep),
		__failure(E2BIG, "the call stack of 9 frames is too deep")
	},
	{
		"call out of the program",
		PROG(BPF_CALL_REL(7),
		     BPF_EXIT_INSN()),
		__failure(EINVAL, "call to invalid destination")
	},
	{
		"call before the program",
		PROG(BPF_CALL_REL(-7),
		     BPF_EXIT_INSN()),
		__failure(EINVAL, "call to invalid destination")
	},
	{
		"call into an instruction",
		PROG(BPF_CALL_REL(3),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN(),
		     BPF_LD_IMM64(R0, 0),
		     BPF_EXIT_INSN()),
		__failure(EINVAL, "last insn is not an exit or jmp")
	},
	{
		"function that goes on into the next",
		PROG(BPF_CALL_REL(2),
		     BPF_CALL_REL(2),
		     BPF_EXIT_INSN(),
		     BPF_MOV64_IMM(R0, 0),
		     BPF_MOV64_IMM(R0, 1),
		     BPF_EXIT_INSN()),
		__failure(EINVAL, "last insn is not an exit or jmp")
	},
	{
		"call with an offset",
		PROG(BPF_RAW_INSN(BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_CALL, 1,
				  1),
		     BPF_EXIT_INSN(),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure(EINVAL, "BPF_CALL uses reserved fields")
	},
	{
		"function that jumps into its caller",
		PROG(BPF_MOV64_IMM(R0, 0),
		     BPF_CALL_REL(1),
		     BPF_EXIT_INSN(),
		     BPF_JMP_A(-2)),
		__failure(EINVAL, "jump out of range from insn 3 to 2")
	},
	{
		"call at the end",
		PROG(BPF_CALL_REL(1),
		     BPF_EXIT_INSN(),
		     BPF_MOV64_IMM(R0, 0),
		     BPF_CALL_REL(-2)),
		__failure(EINVAL, "last insn is not an exit or jmp")
	},
	{
		"function that nobody calls",
		PROG(BPF_MOV64_IMM(R0, 0),
		     BPF_EXIT_INSN(),
		     BPF_CALL_REL(-3),
		     BPF_EXIT_INSN()),
		__failure(EINVAL, "unreachable insn 2")
	},
};
