/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Loops of may_goto whose turns differ: what the verifier saw in one turn is
 * not what happens in another. Eight instructions in a row are enough for it to
 * remember the place behind them.
 */
#include "verifier_case.h"

/* Words of the event's data, in programs that keep the context in R8. */
#define LOOPS_DATA(dst, n)	HUP_DATA(dst, BPF_REG_8, n)

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
		/* 3, 5, 6, 18, 19, 3: may_goto always jumps at its end. */
		"loop that uses nothing of may_goto's budget",
		PROG(BPF_MOV64_REG(BPF_REG_8, BPF_REG_1),
		     BPF_MOV64_IMM(BPF_REG_6, 0),
		     BPF_MOV64_IMM(BPF_REG_0, 0),
		     HUP_MAY_GOTO(1),
		     BPF_JMP_A(-2),
		     LOOPS_DATA(BPF_REG_6, 0),
		     BPF_JMP_IMM(BPF_JNE, BPF_REG_6, 0, 11),
		     BPF_MOV64_IMM(BPF_REG_6, 0),
		     HUP_MAY_GOTO(11),
		     BPF_MOV64_IMM(BPF_REG_0, 0), BPF_MOV64_IMM(BPF_REG_0, 0),
		     BPF_MOV64_IMM(BPF_REG_0, 0), BPF_MOV64_IMM(BPF_REG_0, 0),
		     BPF_MOV64_IMM(BPF_REG_0, 0), BPF_MOV64_IMM(BPF_REG_0, 0),
		     BPF_MOV64_IMM(BPF_REG_0, 0), BPF_MOV64_IMM(BPF_REG_0, 0),
		     BPF_JMP_A(1),
		     BPF_MOV64_IMM(BPF_REG_6, 0),
		     BPF_JMP_A(-17),
		     BPF_EXIT_INSN()),
		__failure(EINVAL, "infinite loop detected at insn 3")
	},
};
