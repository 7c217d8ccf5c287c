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
 * The start of a loop that ends by itself: it counts a byte of the stack down,
 * which nothing else writes and whose value the verifier does not know. The loop
 * begins at the seventh instruction, and ends @end behind the tenth.
 */
static unsigned int emit_counted_loop(struct bpf_insn *insns, int end)
{
	const struct bpf_insn start[] = {
		BPF_MOV64_REG(BPF_REG_8, BPF_REG_1),
		LOOPS_DATA(BPF_REG_7, 1),
		BPF_STX_MEM(BPF_B, BPF_REG_10, BPF_REG_7, -7),
		BPF_MOV64_IMM(BPF_REG_6, 0),
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_MOV64_IMM(BPF_REG_9, 0),
		HUP_MAY_GOTO(1),
		BPF_JMP_A(-2),
		BPF_LDX_MEM(BPF_B, BPF_REG_9, BPF_REG_10, -7),
		BPF_JMP_IMM(BPF_JEQ, BPF_REG_9, 0, end),
		BPF_ALU64_IMM(BPF_SUB, BPF_REG_9, 1),
		BPF_STX_MEM(BPF_B, BPF_REG_10, BPF_REG_9, -7),
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
		 * back before it is known that R6 is stored through. Both of the
		 * pointers that R6 may be lead to the stack of the program.
		 */
		"misaligned pointer used in a later turn",
		PROG(BPF_MOV64_REG(BPF_REG_8, BPF_REG_1),
		     BPF_ST_MEM(BPF_DW, BPF_REG_10, -8, 7),
		     BPF_ST_MEM(BPF_DW, BPF_REG_10, -16, 7),
		     BPF_MOV64_REG(BPF_REG_6, BPF_REG_10),
		     BPF_MOV64_REG(BPF_REG_9, BPF_REG_10),
		     BPF_ALU64_IMM(BPF_ADD, BPF_REG_9, -4),
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
		     BPF_MOV64_REG(BPF_REG_6, BPF_REG_9),
		     BPF_JMP_A(-16),
		     BPF_MOV64_IMM(BPF_REG_0, 0),
		     BPF_EXIT_INSN()),
		__failure(EACCES, "misaligned stack access off 0+-4+-8 size 8")
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
};
