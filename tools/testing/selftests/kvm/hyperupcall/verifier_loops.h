/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Loops of may_goto whose turns differ: what the verifier saw in one turn is
 * not what happens in another. Eight instructions in a row are enough for it to
 * remember the place behind them.
 */
#include "verifier_case.h"

/* Words of the event's data, in programs that keep the context in R8. */
#define LOOPS_DATA(dst, n)	HUP_DATA(dst, BPF_REG_8, n)

/*
 * The start of a loop that ends by itself after as many turns as the word at the
 * offset in the seventh word says, which the verifier does not know. The loop
 * begins at the seventh instruction, and ends @end behind the tenth.
 */
static unsigned int emit_counted_loop(struct bpf_insn *insns, int end)
{
	const struct bpf_insn start[] = {
		BPF_MOV64_REG(BPF_REG_8, BPF_REG_1),
		LOOPS_DATA(BPF_REG_7, 6),
		HUP_WINDOW(BPF_REG_7, BPF_REG_7),
		BPF_MOV64_IMM(BPF_REG_6, 0),
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_MOV64_IMM(BPF_REG_9, 0),
		HUP_MAY_GOTO(1),
		BPF_JMP_A(-2),
		BPF_LDX_MEM(BPF_DW, BPF_REG_9, BPF_REG_7, 0),
		BPF_JMP_IMM(BPF_JEQ, BPF_REG_9, 0, end),
		BPF_ALU64_IMM(BPF_SUB, BPF_REG_9, 1),
		BPF_STX_MEM(BPF_DW, BPF_REG_7, BPF_REG_9, 0),
		BPF_MOV64_IMM(BPF_REG_9, 0),
	};

	memcpy(insns, start, sizeof(start));
	return ARRAY_SIZE(start);
}

/*
 * Two ways to the same place: one goes through may_goto, which ends the program
 * @end behind it, the other does not.
 */
static unsigned int emit_two_ways(struct bpf_insn *insns, int end)
{
	unsigned int i, n = 0;

	insns[n++] = LOOPS_DATA(BPF_REG_6, 0);
	insns[n++] = BPF_JMP_IMM(BPF_JNE, BPF_REG_6, 0, 11);
	insns[n++] = BPF_MOV64_IMM(BPF_REG_6, 0);
	insns[n++] = HUP_MAY_GOTO(end);
	for (i = 0; i < 8; i++)
		insns[n++] = BPF_MOV64_IMM(BPF_REG_0, 0);
	insns[n++] = BPF_JMP_A(1);
	insns[n++] = BPF_MOV64_IMM(BPF_REG_6, 0);
	return n;
}

/* 6, 8, 14, 26, 27, 6 */
static unsigned int build_unused(struct bpf_insn *insns,
				 const struct bpf_insn *tested)
{
	unsigned int n = emit_counted_loop(insns, 18);

	n += emit_two_ways(insns + n, 11);
	insns[n++] = BPF_JMP_A(-22);
	insns[n++] = BPF_EXIT_INSN();
	return n;
}

/* 28 and 29 are a loop of their own: 6, 8, 14, 26, 27, 28, 30, 6 */
static unsigned int build_unused_around(struct bpf_insn *insns,
					const struct bpf_insn *tested)
{
	unsigned int n = emit_counted_loop(insns, 21);

	n += emit_two_ways(insns + n, 14);
	insns[n++] = BPF_MOV64_IMM(BPF_REG_0, 0);
	insns[n++] = HUP_MAY_GOTO(1);
	insns[n++] = BPF_JMP_A(-2);
	insns[n++] = BPF_JMP_A(-25);
	insns[n++] = BPF_EXIT_INSN();
	return n;
}

/* Each may be left out: what is behind is reached with any number of them used. */
static unsigned int build_no_loop(struct bpf_insn *insns,
				  const struct bpf_insn *tested)
{
	const unsigned int times = 600;
	unsigned int i, n = 0;

	insns[n++] = BPF_MOV64_REG(BPF_REG_8, BPF_REG_1);
	insns[n++] = BPF_MOV64_IMM(BPF_REG_0, 7);
	for (i = 0; i < times; i++) {
		insns[n++] = LOOPS_DATA(BPF_REG_6, 0);
		insns[n++] = BPF_JMP_IMM(BPF_JSET, BPF_REG_6, 1, 1);
		insns[n++] = HUP_MAY_GOTO(3 * (times - i - 1) + 1);
	}
	insns[n++] = BPF_MOV64_IMM(BPF_REG_6, 0);
	insns[n++] = BPF_EXIT_INSN();
	return n;
}

static const struct prog_case loops_cases[] = {
	{
		/*
		 * The place before the loop's end is left by a way that comes
		 * back before it is known that R6 is stored through.
		 */
		"number used as a pointer in a later turn",
		PROG(BPF_MOV64_REG(BPF_REG_8, BPF_REG_1),
		     BPF_ST_MEM(BPF_DW, BPF_REG_10, -8, 7),
		     BPF_MOV64_REG(BPF_REG_6, BPF_REG_10),
		     LOOPS_DATA(BPF_REG_7, 0),
		     BPF_JMP_IMM(BPF_JNE, BPF_REG_7, 0, 14),
		     HUP_MAY_GOTO(15),
		     LOOPS_DATA(BPF_REG_7, 1),
		     BPF_JMP_IMM(BPF_JNE, BPF_REG_7, 0, 9),
		     BPF_MOV64_IMM(BPF_REG_0, 0), BPF_MOV64_IMM(BPF_REG_0, 0),
		     BPF_MOV64_IMM(BPF_REG_0, 0), BPF_MOV64_IMM(BPF_REG_0, 0),
		     BPF_MOV64_IMM(BPF_REG_0, 0), BPF_MOV64_IMM(BPF_REG_0, 0),
		     BPF_MOV64_IMM(BPF_REG_0, 0), BPF_MOV64_IMM(BPF_REG_0, 0),
		     BPF_JMP_A(3),
		     BPF_ST_MEM(BPF_DW, BPF_REG_6, -8, 7),
		     BPF_JMP_A(-14),
		     LOOPS_DATA(BPF_REG_6, 2),
		     BPF_JMP_A(-16),
		     BPF_MOV64_IMM(BPF_REG_0, 0),
		     BPF_EXIT_INSN()),
		__failure(EACCES, "R6 invalid mem access 'scalar'")
	},
	{
		"loop that uses nothing of may_goto's budget",
		__built(build_unused),
		__failure(EINVAL, "infinite loop detected at insn 6")
	},
	{
		"loop around a loop that uses nothing of may_goto's budget",
		__built(build_unused_around),
		__failure(EINVAL, "infinite loop detected at insn 6")
	},
	{
		"600 times may_goto, and no loop",
		__built(build_no_loop),
		__retval(7)
	},
	{
		/*
		 * The way that compares comes back to may_goto before it is known
		 * that all of R0 is read in the next turn. The comparison succeeds,
		 * and x86 leaves the upper half of the register alone.
		 */
		"32-bit comparison, its result read in a later turn",
		PROG(BPF_MOV64_REG(R8, R1),
		     LOOPS_DATA(R0, 0),
		     LOOPS_DATA(R6, 1),
		     BPF_MOV64_IMM(R7, 1),
		     BPF_STX_MEM(BPF_W, FP, R0, -8),
		     BPF_STX_MEM(BPF_W, FP, R0, -4),
		     HUP_MAY_GOTO(6),
		     BPF_JMP_IMM(BPF_JNE, R6, 0, 3),
		     BPF_ATOMIC_OP(BPF_W, BPF_CMPXCHG, FP, R7, -8),
		     LOOPS_DATA(R6, 0),
		     BPF_JMP_A(-5),
		     BPF_ALU64_IMM(BPF_RSH, R0, 32),
		     BPF_EXIT_INSN(),
		     BPF_MOV64_IMM(R0, 2),
		     BPF_EXIT_INSN()),
		__retval(0)
	},
	{
		/*
		 * The way that compares joins another one that has come back before,
		 * at a place that is complete and does not know what is read.
		 */
		"32-bit comparison on a way into a loop's turn",
		PROG(BPF_MOV64_REG(R8, R1),
		     LOOPS_DATA(R0, 0),
		     LOOPS_DATA(R6, 1),
		     LOOPS_DATA(R9, 0),
		     BPF_MOV64_IMM(R7, 1),
		     BPF_MOV64_IMM(R3, 0),
		     BPF_STX_MEM(BPF_W, FP, R0, -8),
		     BPF_STX_MEM(BPF_W, FP, R0, -4),
		     HUP_MAY_GOTO(18),
		     BPF_JMP_IMM(BPF_JNE, R6, 0, 15),
		     BPF_JMP_IMM(BPF_JNE, R9, 0, 11),
		     BPF_MOV64_IMM(R3, 0), BPF_MOV64_IMM(R3, 0),
		     BPF_MOV64_IMM(R3, 0), BPF_MOV64_IMM(R3, 0),
		     BPF_MOV64_IMM(R3, 0), BPF_MOV64_IMM(R3, 0),
		     BPF_MOV64_IMM(R3, 0), BPF_MOV64_IMM(R3, 0),
		     LOOPS_DATA(R9, 1),
		     LOOPS_DATA(R6, 0),
		     BPF_JMP_A(-14),
		     BPF_ATOMIC_OP(BPF_W, BPF_CMPXCHG, FP, R7, -8),
		     LOOPS_DATA(R9, 1),
		     BPF_JMP_A(-5),
		     BPF_ALU64_IMM(BPF_RSH, R0, 32),
		     BPF_EXIT_INSN(),
		     BPF_MOV64_IMM(R0, 2),
		     BPF_EXIT_INSN()),
		__retval(0)
	},
	{
		"32-bit comparison in a function",
		PROG(BPF_MOV64_REG(R8, R1),
		     LOOPS_DATA(R1, 0),
		     BPF_CALL_REL(12),
		     LOOPS_DATA(R0, 0),
		     LOOPS_DATA(R6, 1),
		     HUP_MAY_GOTO(7),
		     BPF_JMP_IMM(BPF_JNE, R6, 0, 4),
		     LOOPS_DATA(R1, 0),
		     BPF_CALL_REL(6),
		     LOOPS_DATA(R6, 0),
		     BPF_JMP_A(-6),
		     BPF_ALU64_IMM(BPF_RSH, R0, 32),
		     BPF_EXIT_INSN(),
		     BPF_MOV64_IMM(R0, 2),
		     BPF_EXIT_INSN(),
		     BPF_STX_MEM(BPF_DW, FP, R1, -8),
		     BPF_MOV64_REG(R0, R1),
		     BPF_MOV64_IMM(R2, 1),
		     BPF_ATOMIC_OP(BPF_W, BPF_CMPXCHG, FP, R2, -8),
		     BPF_EXIT_INSN()),
		__retval(0)
	},
};
