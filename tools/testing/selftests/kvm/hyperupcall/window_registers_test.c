// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every register as the address and as the operand of an access to the window:
 * the JIT encodes each in its own way, and finds it again when one faults.
 */
#include "kvm_test_harness.h"
#include "window_programs.h"

#define NR_REGS		10
#define NR_PAIRS	(NR_REGS * NR_REGS)
#define OPERAND		0x8192a3b4c5d6e7f8ULL

FIXTURE(registers) {
	struct hup *h;
	uint32_t offset;	/* of four pages */
	struct bpf_insn insns[16 * NR_PAIRS];
};

/* The pairs' words, and in the second half of the page what came back. */
#define RESULT		2048

FIXTURE_SETUP(registers)
{
	self->h = hup_create(1);
	ASSERT_LT(0, hup_map(self->h, self->h->data.gva, 4 * PAGE_SIZE,
			     HYPERUPCALL_MAP_WRITE, &self->offset));
}

FIXTURE_TEARDOWN(registers)
{
	hup_free(self->h);
}

/* What an access is made of, and what comes back in its register. */
struct access {
	const char *what;
	struct bpf_insn (*insn)(int size, int addr, int reg, int16_t off);
	bool comes_back;	/* a register holds what was in memory */
};

static struct bpf_insn insn_load(int size, int addr, int reg, int16_t off)
{
	return BPF_LDX_MEM(size, reg, addr, off);
}

static struct bpf_insn insn_store(int size, int addr, int reg, int16_t off)
{
	return BPF_STX_MEM(size, addr, reg, off);
}

static struct bpf_insn insn_xchg(int size, int addr, int reg, int16_t off)
{
	return BPF_ATOMIC_OP(size, BPF_XCHG, addr, reg, off);
}

static struct bpf_insn insn_fetch_add(int size, int addr, int reg, int16_t off)
{
	return BPF_ATOMIC_OP(size, BPF_ADD | BPF_FETCH, addr, reg, off);
}

static const struct access load = { "load", insn_load, true };
static const struct access store = { "store", insn_store, false };
static const struct access xchg = { "exchange", insn_xchg, true };
static const struct access fetch_add = { "fetch and add", insn_fetch_add, true };

/*
 * For every pair of registers: the access, at base + 8 * pair, and a store of
 * its register to the results, whose address takes the place of the first.
 * The event's data are spilled, since every register is in use.
 */
static long load_all(struct hup *h, struct bpf_insn *insns,
		     const struct access *access, int size)
{
	int addr, reg, n = 0;

	insns[n++] = HUP_DATA(BPF_REG_2, BPF_REG_1, 0);
	insns[n++] = HUP_DATA(BPF_REG_3, BPF_REG_1, 1);
	insns[n++] = HUP_DATA(BPF_REG_4, BPF_REG_1, 2);
	insns[n++] = BPF_STX_MEM(BPF_DW, BPF_REG_10, BPF_REG_2, -8);
	insns[n++] = BPF_STX_MEM(BPF_DW, BPF_REG_10, BPF_REG_3, -16);
	insns[n++] = BPF_STX_MEM(BPF_DW, BPF_REG_10, BPF_REG_4, -24);
	for (addr = 0; addr < NR_REGS; addr++) {
		for (reg = 0; reg < NR_REGS; reg++) {
			int off = 8 * (addr * NR_REGS + reg);

			if (addr == reg)
				continue;
			insns[n++] = BPF_LDX_MEM(BPF_DW, addr, BPF_REG_10, -8);
			insns[n++] = HUP_WINDOW(addr, addr);
			insns[n++] = BPF_LDX_MEM(BPF_DW, reg, BPF_REG_10, -16);
			insns[n++] = access->insn(size, addr, reg, off);
			insns[n++] = BPF_LDX_MEM(BPF_DW, addr, BPF_REG_10, -24);
			insns[n++] = HUP_WINDOW(addr, addr);
			insns[n++] = BPF_STX_MEM(BPF_DW, addr, reg, off);
		}
	}
	insns[n++] = BPF_MOV64_IMM(BPF_REG_0, 0);
	insns[n++] = BPF_EXIT_INSN();
	return hup_load(h, insns, n);
}

static uint64_t run_all(struct hup *h, uint32_t prog, uint64_t base,
			uint64_t operand, uint64_t result)
{
	struct hyperupcall_test_run run = {
		.ctx.data = { base, operand, result },
	};
	long r = hup_test_run(h, prog, &run);

	TEST_ASSERT(!r, "TEST_RUN returned %ld", r);
	return run.faults;
}

static uint64_t before(int pair)
{
	return 0x0101010101010101ULL * pair;
}

static uint64_t memory_after(const struct access *access, int size, int pair)
{
	uint64_t mask = mask_of(size), old = before(pair);

	if (access == &load)
		return old;
	if (access == &fetch_add)
		return (old & ~mask) | ((old + OPERAND) & mask);
	return (old & ~mask) | (OPERAND & mask);
}

static void check(struct __test_metadata *_metadata, struct hup *h,
		  struct bpf_insn *insns, uint32_t offset,
		  const struct access *access, int size)
{
	uint64_t *memory = h->data.hva, *result = h->data.hva + RESULT;
	long prog = load_all(h, insns, access, size);
	int i;

	ASSERT_LT(0, prog) TH_LOG("%s", (char *)h->log.hva);
	for (i = 0; i < NR_PAIRS; i++)
		memory[i] = before(i);
	EXPECT_EQ(0, run_all(h, prog, offset, OPERAND, offset + RESULT));
	for (i = 0; i < NR_PAIRS; i++) {
		if (i / NR_REGS == i % NR_REGS)
			continue;
		EXPECT_EQ(memory_after(access, size, i), memory[i])
			TH_LOG("%s of %u bytes, pair %d", access->what,
			       bytes_of(size), i);
		EXPECT_EQ(access->comes_back ? before(i) & mask_of(size) :
					       OPERAND, result[i])
			TH_LOG("%s of %u bytes, pair %d", access->what,
			       bytes_of(size), i);
	}

	/* And where nothing is mapped: zero, or the register as it was. */
	EXPECT_EQ(NR_PAIRS - NR_REGS,
		  run_all(h, prog, 0x70000000, OPERAND, offset + RESULT));
	for (i = 0; i < NR_PAIRS; i++) {
		if (i / NR_REGS == i % NR_REGS)
			continue;
		EXPECT_EQ(access->comes_back ? 0 : OPERAND, result[i])
			TH_LOG("%s of %u bytes that faults, pair %d",
			       access->what, bytes_of(size), i);
	}
	EXPECT_EQ(0, hup_unload(h, prog));
}

HUP_TEST(registers, loads)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		check(_metadata, self->h, self->insns, self->offset, &load,
		      sizes[i]);
}

HUP_TEST(registers, stores)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		check(_metadata, self->h, self->insns, self->offset, &store,
		      sizes[i]);
}

HUP_TEST(registers, exchanges)
{
	check(_metadata, self->h, self->insns, self->offset, &xchg, BPF_W);
	check(_metadata, self->h, self->insns, self->offset, &xchg, BPF_DW);
}

HUP_TEST(registers, fetching_adds)
{
	check(_metadata, self->h, self->insns, self->offset, &fetch_add, BPF_W);
	check(_metadata, self->h, self->insns, self->offset, &fetch_add,
	      BPF_DW);
}

int main(int argc, char **argv)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_HYPERUPCALL));

	return test_harness_run(argc, argv);
}
