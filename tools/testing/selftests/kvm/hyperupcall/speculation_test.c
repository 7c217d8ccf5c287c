// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the verifier and the JIT put into programs for CPUs that mispredict, and for
 * the case that the verifier is wrong.
 */
#include "kvm_test_harness.h"
#include "loaded_prog.h"

FIXTURE(speculation) {
	struct hup *h;
};

FIXTURE_SETUP(speculation)
{
	self->h = hup_create(1);
}

FIXTURE_TEARDOWN(speculation)
{
	hup_free(self->h);
}

#define R0	BPF_REG_0
#define R1	BPF_REG_1
#define R2	BPF_REG_2
#define R3	BPF_REG_3
#define R4	BPF_REG_4
#define R5	BPF_REG_5
#define FP	BPF_REG_10

#define GADGET	BPF_LDX_MEM(BPF_B, R0, R2, 0)

/* Where the last instruction of this kind is, or -1. */
static int find_last(const struct loaded_prog *p, struct bpf_insn insn)
{
	int i;

	for (i = p->cnt - 1; i >= 0; i--) {
		if (!memcmp(&p->insns[i], &insn, sizeof(insn)))
			break;
	}
	return i;
}

/* More than the verifier follows a misprediction for. */
#define FAR	6000

struct filler {
	const char *name;
	struct bpf_insn insn;
};

/* The JIT makes nothing of most of these, so that they take a CPU no time. */
static const struct filler fillers[] = {
	{ "jump never taken", BPF_JMP_IMM(BPF_JNE, R5, 0, 0) },
	{ "jump to the next", BPF_JMP_A(0) },
	{ "move to itself", BPF_MOV64_REG(R4, R4) },
	{ "move of 32 bits to itself", BPF_MOV32_REG(R4, R4) },
	{ "move", BPF_MOV64_REG(R3, R4) },
	{ "constant", BPF_MOV64_IMM(R4, 0) },
	{ "addition", BPF_ALU64_IMM(BPF_ADD, R4, 1) },
	{ "shift by nothing", BPF_ALU64_IMM(BPF_LSH, R4, 0) },
	{ "bytes in the order of the CPU", BPF_ENDIAN(BPF_TO_LE, R4, 64) },
	{ "load", HUP_DATA(R4, R1, 0) },
};

/*
 * Reads where the first word of the event's data points to, if a CPU takes the
 * second branch for the wrong one.
 */
static unsigned int build_gadget(struct bpf_insn *insns, unsigned int far,
				 const struct filler *filler)
{
	bool jumps = filler->insn.code == (BPF_JMP | BPF_JNE | BPF_K);
	unsigned int n = 0;

	insns[n++] = HUP_DATA(R2, R1, 0);
	insns[n++] = HUP_DATA(R0, R1, 1);
	insns[n++] = BPF_MOV64_IMM(R5, 0);
	insns[n++] = BPF_MOV64_IMM(R4, 0);
	insns[n++] = BPF_ALU64_IMM(BPF_AND, R0, 1);
	insns[n++] = BPF_JMP_IMM(BPF_JEQ, R0, 0, 1);
	insns[n++] = BPF_MOV64_REG(R2, R1);
	insns[n++] = BPF_JMP_IMM(BPF_JEQ, R0, 0, far + 2);
	while (far--) {
		insns[n] = filler->insn;
		if (jumps)
			insns[n].off = far + 4;
		n++;
	}
	insns[n++] = GADGET;
	insns[n++] = BPF_EXIT_INSN();
	insns[n++] = BPF_MOV64_IMM(R0, 0);
	insns[n++] = BPF_EXIT_INSN();
	/* Where no jump goes. */
	if (jumps) {
		insns[n++] = BPF_MOV64_IMM(R0, 1);
		insns[n++] = BPF_EXIT_INSN();
	}
	return n;
}

/* Whether the gadget is refused, or no CPU gets there by way of @start. */
static bool harmless(struct hup *h, const struct bpf_insn *insns, unsigned int n,
		     struct bpf_insn start, bool may_load)
{
	long r = hup_load(h, insns, n);
	struct loaded_prog *p;
	int first, last;

	if (r == -EACCES)
		return strstr(h->log.hva, "R2 invalid mem access 'scalar'");
	TEST_ASSERT(r > 0, "LOAD returned %ld: %s", r, (char *)h->log.hva);
	p = loaded_prog();
	first = find_last(p, start);
	last = find_last(p, GADGET);
	TEST_ASSERT(first >= 0 && first < last, "from %d to %d", first, last);
	TEST_ASSERT(!hup_unload(h, r), "UNLOAD");
	return may_load && loaded_barriers(p, first, last);
}

HUP_TEST(speculation, gadget_behind_nothing)
{
	static const unsigned int fars[] = { 1, FAR / 2, FAR };
	struct bpf_insn insns[FAR + 16];
	int i, j;

	for (i = 0; i < ARRAY_SIZE(fillers); i++) {
		for (j = 0; j < ARRAY_SIZE(fars); j++) {
			unsigned int n = build_gadget(insns, fars[j], &fillers[i]);

			EXPECT_EQ(true, harmless(self->h, insns, n,
						 BPF_MOV64_REG(R2, R1), fars[j] > 1))
				TH_LOG("%u of '%s'", fars[j], fillers[i].name);
		}
	}
}

#define NEAR	64

/*
 * Two branches may be mispredicted, with a number in R2. The verifier takes the way of
 * the second first, which has @far instructions before the last NEAR. The first one's
 * has the NEAR only, and must not be taken for seen.
 */
static unsigned int build_two_ways(struct bpf_insn *insns, unsigned int far)
{
	unsigned int i, n = 0;

	insns[n++] = HUP_DATA(R2, R1, 0);
	insns[n++] = HUP_DATA(R0, R1, 1);
	insns[n++] = HUP_DATA(R5, R1, 2);
	insns[n++] = BPF_MOV64_IMM(R3, 0);
	insns[n++] = BPF_ALU64_IMM(BPF_AND, R0, 1);
	insns[n++] = BPF_JMP_IMM(BPF_JEQ, R0, 0, 1);
	insns[n++] = BPF_MOV64_REG(R2, R1);
	insns[n++] = BPF_JMP_IMM(BPF_JEQ, R0, 0, 2);
	insns[n++] = BPF_JMP_IMM(BPF_JNE, R5, 0, 4);
	insns[n++] = BPF_JMP_A(far + 3);
	insns[n++] = BPF_JMP_IMM(BPF_JNE, R0, 0, 2);
	insns[n++] = BPF_MOV64_IMM(R0, 0);
	insns[n++] = BPF_EXIT_INSN();
	for (i = 0; i < far; i++)
		insns[n++] = BPF_MOV64_IMM(R3, 0);
	/* Jumps make the verifier remember the place. */
	for (i = 0; i < 4; i++)
		insns[n++] = BPF_JMP_A(0);
	for (i = 0; i < NEAR; i++)
		insns[n++] = BPF_MOV64_IMM(R3, 0);
	insns[n++] = GADGET;
	insns[n++] = BPF_EXIT_INSN();
	return n;
}

HUP_TEST(speculation, short_way_behind_a_long_one)
{
	struct bpf_insn insns[3200];
	unsigned int far;

	for (far = 1; far < 3000; far += NEAR - 3) {
		unsigned int n = build_two_ways(insns, far);

		EXPECT_EQ(true, harmless(self->h, insns, n, BPF_JMP_A(0), true))
			TH_LOG("%u", far);
	}
}

/*
 * Stores a number over what one way left in the slot, a pointer, and another way, a
 * number. A load behind it that bypasses the store sees the pointer (Spectre v4).
 */
static unsigned int build_ways(struct bpf_insn *insns, bool pointer_first)
{
	unsigned int way, i, n = 0;

	insns[n++] = HUP_DATA(R0, R1, 0);
	insns[n++] = HUP_DATA(R2, R1, 1);
	insns[n++] = BPF_MOV64_IMM(R4, 0);
	insns[n++] = BPF_JMP_IMM(BPF_JNE, R2, 0, 11);
	for (way = 0; way < 2; way++) {
		if (way == !pointer_first) {
			insns[n++] = BPF_STX_MEM(BPF_DW, FP, R1, -8);
			insns[n++] = BPF_STX_MEM(BPF_DW, FP, R1, -8);
		} else {
			insns[n++] = BPF_STX_MEM(BPF_W, FP, R0, -8);
			insns[n++] = BPF_STX_MEM(BPF_W, FP, R0, -4);
		}
		for (i = 0; i < 8; i++)
			insns[n++] = BPF_MOV64_IMM(R4, 0);
		if (!way)
			insns[n++] = BPF_JMP_A(10);
	}
	insns[n++] = BPF_STX_MEM(BPF_DW, FP, R0, -8);
	insns[n++] = BPF_LDX_MEM(BPF_DW, R0, FP, -8);
	insns[n++] = BPF_EXIT_INSN();
	return n;
}

HUP_TEST(speculation, barriers_behind_stores)
{
	struct bpf_insn insns[64];
	struct loaded_prog *p;
	int i;

	for (i = 0; i < 2; i++) {
		ASSERT_LT(0, hup_load(self->h, insns, build_ways(insns, i)));
		p = loaded_prog();
		EXPECT_EQ(5, loaded_barriers(p, 0, p->cnt)) TH_LOG("%d", i);
	}
}

struct access {
	struct bpf_insn insn;
	uint8_t code[8];
};

/* mov r11d, esi; then with [r11 + r12 + 0] */
static const struct access accesses[] = {
	/* mov rax, [] */
	{ BPF_LDX_MEM(BPF_DW, R0, R2, 0), { 0x41, 0x89, 0xf3, 0x4b, 0x8b, 0x44, 0x23, 0x00 } },
	/* mov [], rax */
	{ BPF_STX_MEM(BPF_DW, R2, R0, 0), { 0x41, 0x89, 0xf3, 0x4b, 0x89, 0x44, 0x23, 0x00 } },
	/* mov [], r10, which has the constant */
	{ BPF_ST_MEM(BPF_DW, R2, 0, 7), { 0x41, 0x89, 0xf3, 0x4f, 0x89, 0x54, 0x23, 0x00 } },
};

/* Whatever the verifier knows, and however far away the cast is. */
HUP_TEST(speculation, access_extends_its_offset)
{
	struct loaded_prog *p;
	int i;

	for (i = 0; i < ARRAY_SIZE(accesses); i++) {
		ASSERT_LT(0, hup_prog(self->h, HUP_DATA(R2, R1, 0), HUP_WINDOW(R2, R2),
				      BPF_MOV64_IMM(R0, 0), BPF_JMP_A(0), accesses[i].insn,
				      BPF_EXIT_INSN()));
		p = loaded_prog();
		EXPECT_NE(NULL, memmem(p->code, p->code_len, accesses[i].code,
				       sizeof(accesses[i].code))) TH_LOG("%d", i);
	}
}

#define COMPARE		BPF_ATOMIC_OP(BPF_W, BPF_CMPXCHG, FP, R3, -8)
#define EXTEND		BPF_RAW_INSN(BPF_ALU | BPF_MOV | BPF_X, R0, R0, 0, 1)

static void emit_comparison(struct hup_asm *a)
{
	hup_emit(a, BPF_MOV64_IMM(R0, 0));
	hup_emit(a, BPF_MOV64_IMM(R3, 1));
	hup_emit(a, BPF_STX_MEM(BPF_DW, FP, R0, -8));
	hup_emit(a, COMPARE);
}

static bool comparison_is_extended(void)
{
	const struct bpf_insn compare = COMPARE, extend = EXTEND;
	const struct loaded_prog *p = loaded_prog();
	int at = find_last(p, compare);

	TEST_ASSERT(at >= 0 && at + 1 < p->cnt, "no comparison");
	return !memcmp(&p->insns[at + 1], &extend, sizeof(extend));
}

/*
 * A comparison of 32 bits that succeeds leaves the upper half of R0 alone on x86,
 * where the verifier knows zeroes. The move that clears it must not depend on what
 * the verifier knows of those who read that half: no program here reads it.
 */
HUP_TEST(speculation, comparison_extends_its_result)
{
	struct hup_asm overwritten = {}, halved = {}, in_function = {};

	emit_comparison(&overwritten);
	hup_emit_return(&overwritten, 0);
	ASSERT_LT(0, hup_load_asm(self->h, &overwritten));
	EXPECT_EQ(true, comparison_is_extended());

	emit_comparison(&halved);
	hup_emit(&halved, BPF_MOV32_REG(R0, R0));
	hup_emit(&halved, BPF_EXIT_INSN());
	ASSERT_LT(0, hup_load_asm(self->h, &halved));
	EXPECT_EQ(true, comparison_is_extended());

	hup_emit(&in_function, BPF_CALL_REL(2));
	hup_emit_return(&in_function, 0);
	emit_comparison(&in_function);
	hup_emit_return(&in_function, 0);
	ASSERT_LT(0, hup_load_asm(self->h, &in_function));
	EXPECT_EQ(true, comparison_is_extended());
}

/* ud2, of which the host makes the program's end, and not a jump to itself. */
static const uint8_t dead[] = { 0x0f, 0x0b, 0x0f, 0x0b };
static const uint8_t forever[] = { 0xeb, 0xfe };

static bool dead_code_ends(void)
{
	const struct loaded_prog *p = loaded_prog();

	return memmem(p->code, p->code_len, dead, sizeof(dead)) &&
	       !memmem(p->code, p->code_len, forever, sizeof(forever));
}

/* No constant is in the code but zero, which is not blinded. */
HUP_TEST(speculation, dead_code_ends_the_program)
{
	long prog;

	prog = hup_prog(self->h, BPF_MOV64_IMM(R0, 0), BPF_MOV64_IMM(R2, 0),
			BPF_JMP_REG(BPF_JEQ, R0, R2, 2),
			BPF_MOV64_REG(R0, R2), BPF_MOV64_REG(R0, R2), BPF_EXIT_INSN());
	ASSERT_LT(0, prog);
	EXPECT_EQ(true, dead_code_ends());
	EXPECT_EQ(0, hup_run(self->h, prog, 0, 0, NULL));

	prog = hup_prog(self->h, BPF_CALL_REL(1), BPF_EXIT_INSN(),
			BPF_MOV64_IMM(R0, 0), BPF_MOV64_IMM(R2, 0),
			BPF_JMP_REG(BPF_JEQ, R0, R2, 2),
			BPF_MOV64_REG(R0, R2), BPF_MOV64_REG(R0, R2), BPF_EXIT_INSN());
	ASSERT_LT(0, prog);
	EXPECT_EQ(true, dead_code_ends());
	EXPECT_EQ(0, hup_run(self->h, prog, 0, 0, NULL));
}

int main(int argc, char **argv)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_HYPERUPCALL));

	return test_harness_run(argc, argv);
}
