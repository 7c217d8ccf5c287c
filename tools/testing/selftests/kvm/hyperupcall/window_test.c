// SPDX-License-Identifier: GPL-2.0-only
/*
 * The window: what a program reads and writes of the guest's memory, and that
 * it is a fault, counted and without effect, wherever nothing is mapped.
 */
#include "kvm_test_harness.h"
#include "window_programs.h"

#define PATTERN		0x8877665544332211ULL
#define OPERAND		0xf1f2f3f4f5f6f7f8ULL

FIXTURE(window) {
	struct hup *h;
	uint8_t *hva;		/* of the region's two pages */
	long region;
	uint32_t offset;
};

FIXTURE_SETUP(window)
{
	struct hup *h = hup_create(1);

	self->h = h;
	self->hva = h->data.hva;
	self->region = hup_map(h, h->data.gva, 2 * PAGE_SIZE,
			       HYPERUPCALL_MAP_WRITE, &self->offset);
	ASSERT_LT(0, self->region);
}

FIXTURE_TEARDOWN(window)
{
	hup_free(self->h);
}

static const int sizes[] = { BPF_B, BPF_H, BPF_W, BPF_DW };

static unsigned int bytes_of(int size)
{
	return size == BPF_B ? 1 : size == BPF_H ? 2 : size == BPF_W ? 4 : 8;
}

static uint64_t mask_of(int size)
{
	return ~0ULL >> (64 - 8 * bytes_of(size));
}

/* Places in the region where an access of any size is good. */
static const unsigned int good_places[] = { 0, 1, 7, 2048, 4093, 4095, 8184 };

HUP_TEST(window, loads)
{
	uint64_t value = PATTERN, seen, faults;
	long prog;
	int i, j;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		prog = load_loader(self->h, sizes[i], 0);
		ASSERT_LT(0, prog);
		for (j = 0; j < ARRAY_SIZE(good_places); j++) {
			memset(self->hva, 0xee, 2 * PAGE_SIZE);
			memcpy(self->hva + good_places[j], &value, 8);
			seen = run_loader(self->h, prog,
					  self->offset + good_places[j],
					  &faults);
			EXPECT_EQ(PATTERN & mask_of(sizes[i]), seen)
				TH_LOG("size %u at %u", bytes_of(sizes[i]),
				       good_places[j]);
			EXPECT_EQ(0, faults);
		}
	}
}

HUP_TEST(window, stores)
{
	uint8_t want[2 * 4096];
	uint64_t operand = OPERAND, faults;
	long prog;
	int i, j;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		prog = load_storer(self->h, sizes[i], 0);
		ASSERT_LT(0, prog);
		for (j = 0; j < ARRAY_SIZE(good_places); j++) {
			memset(self->hva, 0xee, sizeof(want));
			memset(want, 0xee, sizeof(want));
			memcpy(want + good_places[j], &operand,
			       bytes_of(sizes[i]));
			hup_run(self->h, prog, self->offset + good_places[j],
				operand, &faults);
			EXPECT_EQ(0, memcmp(want, self->hva, sizeof(want)))
				TH_LOG("size %u at %u", bytes_of(sizes[i]),
				       good_places[j]);
			EXPECT_EQ(0, faults);
		}
	}
}

HUP_TEST(window, stores_of_constants)
{
	uint64_t seen, faults;
	long prog;
	int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		prog = load_imm_storer(self->h, sizes[i], -2);
		ASSERT_LT(0, prog);
		memset(self->hva, 0, 16);
		hup_run(self->h, prog, self->offset, 0, &faults);
		memcpy(&seen, self->hva, 8);
		EXPECT_EQ(-2ULL & mask_of(sizes[i]), seen);
		EXPECT_EQ(0, faults);
	}
}

/* Places where nothing is mapped, and how they are reached. */
struct bad_place {
	const char *what;
	uint64_t offset;
	int16_t off;		/* of the instruction */
	bool in_region;		/* the offset counts from the region's start */
};

static const struct bad_place bad_places[] = {
	{ "offset 0", 0, 0 },
	{ "offset 0, up", 0, 32767 },
	{ "below the window", 0, -32768 },
	{ "below the window by 8", 0, -8 },
	{ "last byte", 0xffffffff, 0 },
	{ "last word", 0xfffffff8, 0 },
	{ "above the window", 0xffffffff, 32767 },
	{ "above the window by 8", 0xfffffff8, 8 },
	{ "middle", 0x80000000, 0 },
	{ "middle, down", 0x80000000, -32768 },
	{ "a page after the region", 3 * 4096, 0, true },
	{ "right after the region", 2 * 4096, 0, true },
	{ "before the region", -8, 0, true },
	{ "a page after the region, by the instruction", 0, 3 * 4096, true },
};

static uint64_t offset_of(const struct bad_place *p, uint32_t region)
{
	return (uint32_t)(p->offset + (p->in_region ? region : 0));
}

HUP_TEST(window, faulting_loads)
{
	const struct bad_place *p;
	uint64_t seen, faults;
	long prog;
	int i, j;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		for (j = 0; j < ARRAY_SIZE(bad_places); j++) {
			p = &bad_places[j];
			prog = load_loader(self->h, sizes[i], p->off);
			ASSERT_LT(0, prog);
			seen = run_loader(self->h, prog,
					  offset_of(p, self->offset), &faults);
			EXPECT_EQ(0, seen) TH_LOG("%s", p->what);
			EXPECT_EQ(1, faults) TH_LOG("%s", p->what);
			EXPECT_EQ(0, hup_unload(self->h, prog));
		}
	}
}

HUP_TEST(window, faulting_stores)
{
	const struct bad_place *p;
	uint64_t faults;
	long prog;
	int i, j;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		for (j = 0; j < ARRAY_SIZE(bad_places); j++) {
			p = &bad_places[j];
			prog = load_storer(self->h, sizes[i], p->off);
			ASSERT_LT(0, prog);
			hup_run(self->h, prog, offset_of(p, self->offset),
				OPERAND, &faults);
			EXPECT_EQ(1, faults) TH_LOG("%s", p->what);
			EXPECT_EQ(0, hup_unload(self->h, prog));
		}
	}
}

/* Only the low half of a register names a place in the window. */
HUP_TEST(window, high_half_is_ignored)
{
	long loader = load_loader(self->h, BPF_DW, 0);
	uint64_t value = PATTERN, faults;

	memcpy(self->hva, &value, 8);
	EXPECT_EQ(PATTERN, run_loader(self->h, loader,
				      0xffffffff00000000ULL | self->offset,
				      &faults));
	EXPECT_EQ(0, faults);
}

/* The last bytes of the region: an access that leaves it has no effect. */
HUP_TEST(window, across_the_end)
{
	long loader = load_loader(self->h, BPF_DW, 0);
	long storer = load_storer(self->h, BPF_DW, 0);
	uint32_t end = self->offset + 2 * PAGE_SIZE;
	uint64_t faults;

	memset(self->hva, 0xee, 2 * PAGE_SIZE);
	EXPECT_EQ(0, run_loader(self->h, loader, end - 4, &faults));
	EXPECT_EQ(1, faults);
	hup_run(self->h, storer, end - 4, 0, &faults);
	EXPECT_EQ(1, faults);
	EXPECT_EQ(0xee, self->hva[2 * PAGE_SIZE - 1]);
	EXPECT_EQ(0xee, self->hva[2 * PAGE_SIZE - 4]);
	EXPECT_EQ(0xeeeeeeeeeeeeeeeeULL,
		  run_loader(self->h, loader, end - 8, &faults));
	EXPECT_EQ(0, faults);
}

/* Neighbours in the window need not be neighbours in the guest. */
HUP_TEST(window, regions_do_not_touch)
{
	struct hup *h = self->h;
	uint32_t first, second;

	ASSERT_LT(0, hup_map(h, h->data.gva, PAGE_SIZE, 0, &first));
	ASSERT_LT(0, hup_map(h, h->data.gva + PAGE_SIZE, PAGE_SIZE, 0,
			     &second));
	EXPECT_NE(first, second);
	EXPECT_NE(self->offset, first);
	EXPECT_NE(self->offset, second);
}

/* An atomic: the memory before, the operand, the memory and operand after. */
struct atomic_case {
	const char *what;
	int op;
	uint64_t before, operand, after, result;
};

#define BOTH	0x0ff0f00f12345678ULL
#define WITH	0x00ffff00ff00ff00ULL

static const struct atomic_case atomic_cases[] = {
	{ "add", BPF_ADD, 5, 7, 12, 7 },
	{ "add, negative", BPF_ADD, 5, -7, -2, -7 },
	{ "and", BPF_AND, BOTH, WITH, BOTH & WITH, WITH },
	{ "or", BPF_OR, BOTH, WITH, BOTH | WITH, WITH },
	{ "xor", BPF_XOR, BOTH, WITH, BOTH ^ WITH, WITH },
	{ "fetch and add", BPF_ADD | BPF_FETCH, 5, 7, 12, 5 },
	{ "exchange", BPF_XCHG, BOTH, WITH, WITH, BOTH },
};

static void check_atomic(struct __test_metadata *_metadata, struct hup *h,
			 uint8_t *hva, uint32_t offset,
			 const struct atomic_case *c, int size)
{
	uint64_t mask = mask_of(size), keep = PATTERN & ~mask;
	uint64_t seen, result, faults;
	long prog = load_atomic(h, size, c->op);

	ASSERT_LT(0, prog) TH_LOG("%s: %s", c->what, (char *)h->log.hva);
	seen = (c->before & mask) | keep;
	memcpy(hva, &seen, 8);
	hup_run(h, prog, offset, c->operand, &faults);
	memcpy(&seen, hva, 8);
	memcpy(&result, hva + 8, 8);
	EXPECT_EQ((c->after & mask) | keep, seen) TH_LOG("%s", c->what);
	/* A 32-bit fetch clears the high half, no fetch leaves the operand. */
	EXPECT_EQ(c->op & BPF_FETCH ? c->result & mask : c->operand, result)
		TH_LOG("%s", c->what);
	EXPECT_EQ(0, faults) TH_LOG("%s", c->what);

	/* Where there is nothing, it is a fault, as is the store after it. */
	hup_run(h, prog, 0, c->operand, &faults);
	EXPECT_EQ(2, faults) TH_LOG("%s", c->what);
}

HUP_TEST(window, atomics_of_8_bytes)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(atomic_cases); i++)
		check_atomic(_metadata, self->h, self->hva, self->offset,
			     &atomic_cases[i], BPF_DW);
}

/* No atomic crosses a cache line: it acts on the aligned word. */
HUP_TEST(window, misaligned_atomics)
{
	long prog = load_atomic(self->h, BPF_DW, BPF_ADD);
	uint64_t *words = self->hva;
	uint64_t faults;
	int i;

	/* The program stores its operand 8 bytes further on. */
	for (i = 56; i < 64; i++) {
		words[7] = 0;
		hup_run(self->h, prog, self->offset + i, 0x1234, &faults);
		EXPECT_EQ(0, faults);
		EXPECT_EQ(0x1234, words[7]) TH_LOG("at %d", i);
	}
}

HUP_TEST(window, atomics_of_4_bytes)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(atomic_cases); i++)
		check_atomic(_metadata, self->h, self->hva, self->offset,
			     &atomic_cases[i], BPF_W);
}

HUP_TEST(window, compare_and_exchange)
{
	long wide = load_cmpxchg(self->h, BPF_DW, 17);
	long narrow = load_cmpxchg(self->h, BPF_W, 17);
	uint64_t value = 17, faults;

	ASSERT_LT(0, wide);
	ASSERT_LT(0, narrow);
	memcpy(self->hva, &value, 8);
	EXPECT_EQ(17, hup_run(self->h, wide, self->offset, 18, &faults));
	EXPECT_EQ(0, faults);
	EXPECT_EQ(18, *self->hva);
	EXPECT_EQ(18, hup_run(self->h, wide, self->offset, 19, &faults));
	EXPECT_EQ(18, *self->hva);

	*self->hva = 17;
	EXPECT_EQ(17, hup_run(self->h, narrow, self->offset, 18, &faults));
	EXPECT_EQ(18, *self->hva);
	hup_run(self->h, wide, 0, 18, &faults);
	EXPECT_EQ(1, faults);
}

HUP_TEST(window, every_fault_counts)
{
	struct hup *h = self->h;
	struct hup_asm a = {};
	uint64_t faults;
	long prog;

	emit_operands(&a);
	hup_emit(&a, BPF_LDX_MEM(BPF_B, BPF_REG_0, BPF_REG_2, 0));
	hup_emit(&a, BPF_STX_MEM(BPF_W, BPF_REG_2, BPF_REG_3, 64));
	hup_emit(&a, BPF_ST_MEM(BPF_DW, BPF_REG_2, 128, 1));
	hup_emit(&a, BPF_LDX_MEM(BPF_DW, BPF_REG_0, BPF_REG_2, 8));
	hup_emit(&a, BPF_EXIT_INSN());
	prog = hup_load_asm(h, &a);
	ASSERT_LT(0, prog);
	hup_run(h, prog, 0x70000000, 0, &faults);
	EXPECT_EQ(4, faults);
	hup_run(h, prog, self->offset, 0, &faults);
	EXPECT_EQ(0, faults);
}

/* A window pointer after arithmetic is one still. */
HUP_TEST(window, arithmetic)
{
	struct hup_asm a = {};
	uint64_t faults;
	long prog;

	emit_operands(&a);
	hup_emit(&a, BPF_ALU64_REG(BPF_ADD, BPF_REG_2, BPF_REG_3));
	hup_emit(&a, BPF_ALU64_IMM(BPF_SUB, BPF_REG_2, 0x10000));
	hup_emit(&a, BPF_ALU64_IMM(BPF_ADD, BPF_REG_2, 0x10000));
	hup_emit(&a, BPF_LDX_MEM(BPF_B, BPF_REG_0, BPF_REG_2, 0));
	hup_emit(&a, BPF_EXIT_INSN());
	prog = hup_load_asm(self->h, &a);
	ASSERT_LT(0, prog) TH_LOG("%s", (char *)self->h->log.hva);
	self->hva[100] = 77;
	EXPECT_EQ(77, hup_run(self->h, prog, self->offset, 100, &faults));
	EXPECT_EQ(77, hup_run(self->h, prog, self->offset + 200, -100,
			      &faults));
	EXPECT_EQ(0, faults);
	EXPECT_EQ(0, hup_run(self->h, prog, self->offset, 1 << 20, &faults));
	EXPECT_EQ(1, faults);
}

HUP_TEST(window, read_only_region)
{
	struct hup *h = self->h;
	uint64_t value = PATTERN, seen, faults;
	uint32_t offset;

	ASSERT_LT(0, hup_map(h, h->data.gva, PAGE_SIZE, 0, &offset));
	memcpy(self->hva, &value, 8);
	EXPECT_EQ(PATTERN, run_loader(h, load_loader(h, BPF_DW, 0), offset,
				      &faults));
	EXPECT_EQ(0, faults);
	hup_run(h, load_storer(h, BPF_DW, 0), offset, OPERAND, &faults);
	EXPECT_EQ(1, faults);
	hup_run(h, load_atomic(h, BPF_DW, BPF_ADD), offset, OPERAND, &faults);
	EXPECT_EQ(2, faults);
	memcpy(&seen, self->hva, 8);
	EXPECT_EQ(PATTERN, seen);
}

HUP_TEST(window, unmap)
{
	struct hup *h = self->h;
	long loader = load_loader(h, BPF_DW, 0);
	long storer = load_storer(h, BPF_DW, 0);
	uint64_t faults;

	memset(self->hva, 0xee, 2 * PAGE_SIZE);
	EXPECT_EQ(0, hup_unmap(h, self->region));
	EXPECT_EQ(0, hup_run(h, loader, self->offset, 0, &faults));
	EXPECT_EQ(1, faults);
	EXPECT_EQ(0, hup_run(h, loader, self->offset + PAGE_SIZE, 0, &faults));
	EXPECT_EQ(1, faults);
	hup_run(h, storer, self->offset, 0, &faults);
	EXPECT_EQ(1, faults);
	EXPECT_EQ(0xee, self->hva[0]);
}

/* The guest's page tables count when the region is mapped, not later. */
HUP_TEST(window, guest_page_tables_change)
{
	struct hup *h = self->h;
	uint64_t value = PATTERN, faults;

	memcpy(self->hva, &value, 8);
	*vm_get_page_table_entry(h->vm, h->data.gva) = 0;
	EXPECT_EQ(PATTERN, run_loader(h, load_loader(h, BPF_DW, 0),
				      self->offset, &faults));
	EXPECT_EQ(0, faults);
}

int main(int argc, char **argv)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_HYPERUPCALL));

	return test_harness_run(argc, argv);
}
