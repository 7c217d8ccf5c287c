/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a mispredicting CPU would do: gadgets of Spectre v1 and v4. The good
 * ones are those that become good by a barrier.
 */
#include "verifier_case.h"

LOGIC(c_speculation_slot, a)
LOGIC(c_speculation_pointer, b)

static void c_speculation_window(struct world *w)
{
	if (w->a >= sizeof(w->mem))
		w->result = 1;
	else
		w->result = ((uint8_t *)w->mem)[w->a];
}

static unsigned int build_nothing(struct bpf_insn *insns, unsigned int n,
				  unsigned int count)
{
	while (count--)
		insns[n++] = BPF_MOV64_IMM(R3, 0);
	return n;
}

/* The CPU may get there before it knows that R0 is zero. */
static unsigned int build_far_gadget(struct bpf_insn *insns,
				     const struct bpf_insn *tested)
{
	const unsigned int far = 1000;
	unsigned int n = 0;

	insns[n++] = BPF_MOV64_IMM(R0, 0);
	insns[n++] = BPF_JMP_IMM(BPF_JEQ, R0, 0, far + 1);
	n = build_nothing(insns, n, far);
	insns[n++] = BPF_LDX_MEM(BPF_DW, R0, R0, 0);
	insns[n++] = BPF_EXIT_INSN();
	return n;
}

/*
 * The verifier takes the long way first and may end it before the gadget; it
 * must not think then that it has seen what is behind.
 */
static unsigned int build_near_gadget(struct bpf_insn *insns,
				      const struct bpf_insn *tested)
{
	const unsigned int far = 1270, near = 40;
	unsigned int n = 0;

	insns[n++] = BPF_MOV64_IMM(R0, 0);
	insns[n++] = BPF_MOV64_IMM(R3, 0);
	insns[n++] = BPF_JMP_IMM(BPF_JEQ, R0, 0, 1);
	insns[n++] = BPF_JMP_A(far + 4);
	insns[n++] = BPF_JMP_IMM(BPF_JEQ, R0, 0, far + near + 4);
	n = build_nothing(insns, n, far);
	/* Jumps make the verifier remember the place. */
	insns[n++] = BPF_JMP_A(0);
	insns[n++] = BPF_JMP_A(0);
	insns[n++] = BPF_JMP_A(0);
	n = build_nothing(insns, n, near);
	insns[n++] = BPF_LDX_MEM(BPF_DW, R0, R0, 0);
	insns[n++] = BPF_EXIT_INSN();
	return n;
}

static const struct prog_case speculation_cases[] = {
	{
		"slot that held a pointer and holds a number",
		/* a load that bypasses the store would see the pointer (Spectre v4) */
		PROG_FOLDED(BPF_STX_MEM(BPF_DW, FP, R1, -8),
			    BPF_STX_MEM(BPF_DW, FP, R0, -8),
			    BPF_LDX_MEM(BPF_DW, R0, FP, -8)),
		__same(c_speculation_slot)
	},
	{
		"slot that held a number and holds a pointer",
		PROG_FOLDED(BPF_STX_MEM(BPF_DW, FP, R0, -8),
			    BPF_STX_MEM(BPF_DW, FP, R1, -8),
			    BPF_LDX_MEM(BPF_DW, R1, FP, -8),
			    HUP_DATA(R0, R1, 1)),
		__same(c_speculation_pointer)
	},
	{
		"any offset in the window, under any condition",
		/* no offset leaves the window, so no barrier is needed */
		PROG_FOLDED(HUP_DATA(R3, R1, 6), HUP_WINDOW(R3, R3),
			    BPF_JMP_IMM(BPF_JGE, R0, WORLD_WORDS * 8, 3),
			    BPF_ALU64_REG(BPF_ADD, R3, R0),
			    BPF_LDX_MEM(BPF_B, R0, R3, 0),
			    BPF_JMP_A(1),
			    BPF_MOV64_IMM(R0, 1)),
		__same(c_speculation_window)
	},
	{
		"way that is never taken, and harmless",
		PROG(BPF_MOV64_IMM(R2, 0),
		     BPF_MOV64_IMM(R0, 3),
		     BPF_JMP_IMM(BPF_JEQ, R2, 0, 1),
		     BPF_MOV64_IMM(R0, 4),
		     BPF_EXIT_INSN()),
		__retval(3)
	},
	{
		"stack at a bounded offset",
		/* the bound is a comparison, and may be mispredicted */
		PROG(CLEAR(1), CLEAR(2),
		     UNKNOWN(R2),
		     BPF_JMP_IMM(BPF_JGT, R2, 8, 4),
		     BPF_MOV64_REG(R3, FP),
		     BPF_ALU64_IMM(BPF_ADD, R3, -16),
		     BPF_ALU64_REG(BPF_ADD, R3, R2),
		     BPF_LDX_MEM(BPF_B, R0, R3, 0),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure(EACCES,
			  "R3 variable stack access prohibited for !root")
	},
	{
		"stack at a masked offset",
		PROG(CLEAR(1),
		     UNKNOWN(R2),
		     BPF_ALU64_IMM(BPF_AND, R2, 7),
		     BPF_MOV64_REG(R3, FP),
		     BPF_ALU64_IMM(BPF_ADD, R3, -8),
		     BPF_ALU64_REG(BPF_ADD, R3, R2),
		     BPF_LDX_MEM(BPF_B, R0, R3, 0),
		     BPF_EXIT_INSN()),
		__failure(EACCES,
			  "R3 variable stack access prohibited for !root")
	},
	{
		"stack written at a masked offset",
		PROG(CLEAR(1),
		     UNKNOWN(R2),
		     BPF_ALU64_IMM(BPF_AND, R2, 7),
		     BPF_MOV64_REG(R3, FP),
		     BPF_ALU64_IMM(BPF_ADD, R3, -8),
		     BPF_ALU64_REG(BPF_ADD, R3, R2),
		     BPF_ST_MEM(BPF_B, R3, 0, 0),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure(EACCES,
			  "R3 variable stack access prohibited for !root")
	},
	{
		"stack at an offset that depends on a branch",
		PROG(CLEAR(1), CLEAR(2),
		     UNKNOWN(R2),
		     BPF_MOV64_IMM(R3, 8),
		     BPF_JMP_IMM(BPF_JEQ, R2, 0, 1),
		     BPF_MOV64_IMM(R3, 16),
		     BPF_MOV64_REG(R4, FP),
		     BPF_ALU64_REG(BPF_SUB, R4, R3),
		     BPF_LDX_MEM(BPF_DW, R0, R4, 0),
		     BPF_EXIT_INSN()),
		__failure(EACCES,
			  "R4 subtraction from stack pointer prohibited")
	},
	{
		"number used as a pointer on a way never taken",
		PROG(BPF_MOV64_IMM(R0, 0),
		     BPF_JMP_IMM(BPF_JEQ, R0, 0, 1),
		     BPF_LDX_MEM(BPF_DW, R0, R0, 0),
		     BPF_EXIT_INSN()),
		__failure(EACCES, "R0 invalid mem access 'scalar'")
	},
	{
		"pointer returned on a way never taken",
		PROG(BPF_MOV64_IMM(R0, 0),
		     BPF_JMP_IMM(BPF_JEQ, R0, 0, 1),
		     BPF_MOV64_REG(R0, R1),
		     BPF_EXIT_INSN()),
		__failure(EACCES, "R0 leaks addr as return value")
	},
	{
		"pointer and number confused by two branches",
		/* both branches have one condition, but may be predicted apart */
		PROG(CLEAR(1),
		     UNKNOWN(R2),
		     HUP_DATA(R3, R1, 1),
		     BPF_JMP_IMM(BPF_JEQ, R2, 0, 2),
		     BPF_MOV64_REG(R3, FP),
		     BPF_ALU64_IMM(BPF_ADD, R3, -8),
		     BPF_JMP_IMM(BPF_JEQ, R2, 0, 1),
		     BPF_LDX_MEM(BPF_DW, R4, R3, 0),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure(EACCES, "R3 invalid mem access 'scalar'")
	},
	{
		"pointer as a number by two branches",
		/* the same the other way round: a secret in an offset */
		PROG(UNKNOWN(R2),
		     BPF_MOV64_IMM(R4, 0), HUP_WINDOW(R4, R4),
		     BPF_MOV64_IMM(R3, 0),
		     BPF_JMP_IMM(BPF_JEQ, R2, 0, 1),
		     BPF_MOV64_REG(R3, R1),
		     BPF_JMP_IMM(BPF_JNE, R2, 0, 1),
		     BPF_STX_MEM(BPF_DW, R4, R3, 0),
		     BPF_MOV64_IMM(R0, 0), BPF_EXIT_INSN()),
		__failure(EACCES, "R3 leaks addr into arena")
	},
	{
		"stack below its end on a way never taken",
		PROG(BPF_MOV64_IMM(R2, 1),
		     BPF_MOV64_IMM(R0, 0),
		     BPF_JMP_IMM(BPF_JEQ, R2, 1, 1),
		     BPF_LDX_MEM(BPF_DW, R0, FP, -520),
		     BPF_EXIT_INSN()),
		__failure(EACCES, "invalid read from stack R10 off=-520 size=8")
	},
	{
		"stack never written, read on a way never taken",
		PROG(BPF_MOV64_IMM(R2, 1),
		     BPF_MOV64_IMM(R0, 0),
		     BPF_JMP_IMM(BPF_JEQ, R2, 1, 1),
		     BPF_LDX_MEM(BPF_DW, R0, FP, -8),
		     BPF_EXIT_INSN()),
		__failure(EACCES, "invalid read from stack R10 off=-8 size=8")
	},
	{
		"number used as a pointer, far along a way never taken",
		__built(build_far_gadget),
		__failure(EACCES, "R0 invalid mem access 'scalar'")
	},
	{
		"the same place by a long way never taken and by a short one",
		__built(build_near_gadget),
		__failure(EACCES, "R0 invalid mem access 'scalar'")
	},
};
