// SPDX-License-Identifier: GPL-2.0-only
/*
 * How long HYPERUPCALL_LOAD takes, by the length of the program. No test: prints a
 * line for each kind and length, with the nanoseconds from the hypercall to its
 * return.
 */
#include "hyperupcall_util.h"

/* The first LOAD of all has the kernel allocate what it keeps. */
#define RUNS	2

static const unsigned int lengths[] = { 16, 256, 512, 1024, 2048, 4096, 8000 };

/* Constants, which are blinded. */
static struct bpf_insn constants(unsigned int i)
{
	return BPF_ALU64_IMM(BPF_ADD, BPF_REG_0, i + 1);
}

/* What a program that looks at guest memory is made of. */
static struct bpf_insn mixed(unsigned int i)
{
	switch (i % 8) {
	case 0: return HUP_DATA(BPF_REG_2, BPF_REG_6, i / 8 % 7);
	case 1: return HUP_WINDOW(BPF_REG_3, BPF_REG_2);
	case 2: return BPF_LDX_MEM(BPF_DW, BPF_REG_4, BPF_REG_3, i);
	case 3: return BPF_JMP_IMM(BPF_JGT, BPF_REG_4, i, 1);
	case 4: return BPF_ALU64_REG(BPF_ADD, BPF_REG_0, BPF_REG_4);
	case 5: return BPF_ALU64_REG(BPF_DIV, BPF_REG_0, BPF_REG_2);
	case 6: return BPF_STX_MEM(BPF_DW, BPF_REG_10, BPF_REG_0, -8);
	default: return BPF_ATOMIC_OP(BPF_DW, BPF_ADD, BPF_REG_3, BPF_REG_0, 0);
	}
}

/* What the verifier replaces by four instructions each. */
static struct bpf_insn divisions(unsigned int i)
{
	return BPF_ALU64_REG(BPF_DIV, BPF_REG_0, BPF_REG_2);
}

static const struct {
	const char *name;
	struct bpf_insn (*insn)(unsigned int i);
} kinds[] = {
	{ "constants", constants },
	{ "divisions", divisions },
	{ "mixed", mixed },
};

static void build(struct bpf_insn *insns, unsigned int len,
		  struct bpf_insn (*insn)(unsigned int i))
{
	unsigned int n = 0;

	insns[n++] = BPF_MOV64_REG(BPF_REG_6, BPF_REG_1);
	insns[n++] = BPF_MOV64_IMM(BPF_REG_0, 0);
	insns[n++] = BPF_MOV64_IMM(BPF_REG_2, 1);
	insns[n++] = HUP_WINDOW(BPF_REG_3, BPF_REG_2);
	insns[n++] = BPF_MOV64_IMM(BPF_REG_4, 0);
	for (; n < len - 1; n++)
		insns[n] = insn(n - 5);
	/* A jump must not go across the end. */
	insns[n - 1] = BPF_MOV64_IMM(BPF_REG_0, 0);
	insns[n++] = BPF_EXIT_INSN();
}

/* Nanoseconds of one LOAD, or an error. */
static long measure(struct hup *h, unsigned int len)
{
	struct hyperupcall_load load = {
		.insns = h->insns.gva,
		.insn_cnt = len,
		.name = "bench",
	};
	struct timespec start, d;
	long r;

	clock_gettime(CLOCK_MONOTONIC, &start);
	r = hup_op(h, HYPERUPCALL_LOAD, &load, sizeof(load));
	d = timespec_elapsed(start);
	if (r)
		return r;
	hup_unload(h, load.prog);
	return d.tv_sec * 1000000000 + d.tv_nsec;
}

static long best(struct hup *h, unsigned int len)
{
	long ns, min = 0;
	int i;

	for (i = 0; i < RUNS; i++) {
		ns = measure(h, len);
		if (ns < 0)
			return ns;
		if (!min || ns < min)
			min = ns;
	}
	return min;
}

int main(void)
{
	unsigned int i, j;
	struct hup *h;

	TEST_REQUIRE(kvm_has_cap(KVM_CAP_HYPERUPCALL));

	h = hup_create(1);
	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		for (j = 0; j < ARRAY_SIZE(lengths); j++) {
			build(h->insns.hva, lengths[j], kinds[i].insn);
			printf("%s %u %ld\n", kinds[i].name, lengths[j],
			       best(h, lengths[j]));
			fflush(stdout);
		}
	}
	hup_free(h);
	return 0;
}
