// SPDX-License-Identifier: GPL-2.0-only
/*
 * The edges of what is mapped: accesses that touch a byte where nothing is are
 * faults, without effect, each counted once; that holds for the edges of
 * regions, of the window, and for what lies beyond those.
 */
#include "kvm_test_harness.h"
#include "whole_window.h"
#include "window_programs.h"

#define SLOT		10
#define NR_PAGES	20
#define SIZE		(NR_PAGES * 4096)
#define OPERAND		0xf1f2f3f4f5f6f7f8ULL

FIXTURE(edges) {
	struct hup *h;
	struct hup_mem mem;
	uint32_t offset;
};

FIXTURE_SETUP(edges)
{
	self->h = hup_create(1);
	self->mem = hup_add_slot(self->h, VM_MEM_SRC_ANONYMOUS, SLOT, NR_PAGES,
				 0);
	ASSERT_LT(0, hup_map(self->h, self->mem.gva, self->mem.size,
			     HYPERUPCALL_MAP_WRITE, &self->offset));
	memset(self->mem.hva, 0xee, self->mem.size);
}

FIXTURE_TEARDOWN(edges)
{
	hup_free(self->h);
}

static bool untouched(struct hup_mem *mem)
{
	size_t i;

	for (i = 0; i < mem->size; i++) {
		if (((uint8_t *)mem->hva)[i] != 0xee)
			return false;
	}
	return true;
}

/* A load, a store and a store of a constant where one byte is missing. */
static void check_fault(struct __test_metadata *_metadata, struct hup *h,
			int size, uint64_t at, int16_t off, const char *what)
{
	struct hup_asm a = {};
	long loader = load_loader(h, size, off);
	long storer = load_storer(h, size, off), imm;
	uint64_t faults;

	ASSERT_LT(0, loader);
	ASSERT_LT(0, storer);
	EXPECT_EQ(0, run_loader(h, loader, at, &faults))
		TH_LOG("%u bytes %s", bytes_of(size), what);
	EXPECT_EQ(1, faults) TH_LOG("%u bytes %s", bytes_of(size), what);
	hup_run(h, storer, at, OPERAND, &faults);
	EXPECT_EQ(1, faults) TH_LOG("%u bytes %s", bytes_of(size), what);

	emit_operands(&a);
	hup_emit(&a, BPF_ST_MEM(size, BPF_REG_2, off, 0x55));
	hup_emit_return(&a, 0);
	imm = hup_load_asm(h, &a);
	ASSERT_LT(0, imm);
	hup_run(h, imm, at, 0, &faults);
	EXPECT_EQ(1, faults) TH_LOG("%u bytes %s", bytes_of(size), what);

	EXPECT_EQ(0, hup_unload(h, loader));
	EXPECT_EQ(0, hup_unload(h, storer));
	EXPECT_EQ(0, hup_unload(h, imm));
}

/* Places where nothing is mapped, and how they are reached. */
static const struct bad_place {
	const char *what;
	uint64_t offset;
	int16_t off;		/* of the instruction */
	bool in_region;		/* the offset counts from the region's start */
} bad_places[] = {
	{ "offset 0", 0, 0 },
	{ "offset 0, up", 0, 4088 },
	{ "last word of the first page", 4088, 0 },
	{ "below the window", 0, -32768 },
	{ "below the window by 8", 0, -8 },
	{ "across the start of the window", 0, -1 },
	{ "last byte", 0xffffffff, 0 },
	{ "last word", 0xfffffff8, 0 },
	{ "last half word", 0xfffffffc, 0 },
	{ "above the window", 0xffffffff, 32767 },
	{ "above the window by 8", 0xfffffff8, 8 },
	{ "above the window, where the region is below", 0xfffff000, 8192 },
	{ "middle", 0x80000000, 0 },
	{ "middle, down", 0x80000000, -32768 },
	{ "middle, up", 0x80000000, 32767 },
	{ "before the region", -8, 0, true },
	{ "before the region, by the instruction", 0, -8, true },
	{ "right after the region", SIZE, 0, true },
	{ "a page after the region", SIZE + 4096, 0, true },
	{ "after the region, by the instruction", SIZE - 4096, 4096, true },
};

HUP_TEST(edges, outside)
{
	const struct bad_place *p;
	uint64_t at;
	int i, j;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		for (j = 0; j < ARRAY_SIZE(bad_places); j++) {
			p = &bad_places[j];
			at = (uint32_t)(p->offset +
					(p->in_region ? self->offset : 0));
			check_fault(_metadata, self->h, sizes[i], at, p->off,
				    p->what);
		}
	}
	EXPECT_TRUE(untouched(&self->mem));
}

/* One byte inside, up to all but one, at either end of the region. */
HUP_TEST(edges, across)
{
	int i, in, bytes;

	for (i = 1; i < ARRAY_SIZE(sizes); i++) {
		bytes = bytes_of(sizes[i]);
		for (in = 1; in < bytes; in++) {
			check_fault(_metadata, self->h, sizes[i],
				    self->offset + SIZE - in, 0,
				    "across the end");
			check_fault(_metadata, self->h, sizes[i],
				    self->offset - bytes + in, 0,
				    "across the start");
		}
	}
	EXPECT_TRUE(untouched(&self->mem));
}

/* Just not outside, and as far away as an instruction reaches. */
HUP_TEST(edges, inside)
{
	static const struct {
		uint32_t base, place;	/* in the region */
	} good[] = {
		{ 0, 0 },
		{ SIZE - 8, SIZE - 8 },
		{ 32768, 0 },
		{ 32769, 1 },
		{ 0, 32767 },
		{ SIZE, SIZE - 8 },
		{ SIZE + 32760, SIZE - 8 },
		{ 4096, 4095 },
		{ 4096, 4093 },
	};
	struct hup *h = self->h;
	uint64_t faults, want;
	long loader, storer;
	int i, j;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		for (j = 0; j < ARRAY_SIZE(good); j++) {
			uint64_t *word = self->mem.hva + good[j].place;
			uint32_t at = self->offset + good[j].base;
			int16_t off = good[j].place - good[j].base;

			loader = load_loader(h, sizes[i], off);
			storer = load_storer(h, sizes[i], off);
			hup_run(h, storer, at, OPERAND, &faults);
			EXPECT_EQ(0, faults);
			want = (~0ULL / 0xff * 0xee & ~mask_of(sizes[i])) |
			       (OPERAND & mask_of(sizes[i]));
			EXPECT_EQ(want, *word) TH_LOG("place %d", j);
			EXPECT_EQ(want & mask_of(sizes[i]),
				  run_loader(h, loader, at, &faults));
			EXPECT_EQ(0, faults) TH_LOG("place %d", j);
			memset(word, 0xee, 8);
			EXPECT_EQ(0, hup_unload(h, loader));
			EXPECT_EQ(0, hup_unload(h, storer));
		}
	}
	EXPECT_TRUE(untouched(&self->mem));
}

/*
 * Two regions side by side in the window, and not so in the guest. Between
 * them there is no edge, unless one of them cannot be written.
 */
HUP_TEST(edges, neighbours)
{
	struct hup *h = self->h;
	uint64_t *upper = self->h->data.hva, *lower = upper + 512;
	long loader = load_loader(h, BPF_DW, 0);
	long storer = load_storer(h, BPF_DW, 0);
	uint32_t first, second, third;
	uint64_t faults;
	int i;

	ASSERT_LT(0, hup_map(h, h->data.gva + PAGE_SIZE, PAGE_SIZE,
			     HYPERUPCALL_MAP_WRITE, &first));
	ASSERT_LT(0, hup_map(h, h->data.gva, PAGE_SIZE, HYPERUPCALL_MAP_WRITE,
			     &second));
	ASSERT_LT(0, hup_map(h, h->data.gva, PAGE_SIZE, 0, &third));
	/* It is how the host happens to lay them out that is tested here. */
	ASSERT_EQ(first + PAGE_SIZE, second);
	ASSERT_EQ(second + PAGE_SIZE, third);

	for (i = 1; i < 8; i++) {
		lower[511] = 0x1111111111111111;
		upper[0] = 0x2222222222222222;
		EXPECT_EQ(0x1111111111111111 >> 8 * i |
			  0x2222222222222222 << (64 - 8 * i),
			  run_loader(h, loader, second - 8 + i, &faults));
		EXPECT_EQ(0, faults);
		hup_run(h, storer, second - 8 + i, 0, &faults);
		EXPECT_EQ(0, faults);
		EXPECT_EQ(0x1111111111111111 & ~0ULL >> (64 - 8 * i),
			  lower[511]);
		EXPECT_EQ(0x2222222222222222 & ~0ULL << 8 * i, upper[0]);

		upper[511] = 0x3333333333333333;
		hup_run(h, storer, third - 8 + i, 0, &faults);
		EXPECT_EQ(1, faults);
		EXPECT_EQ(0x3333333333333333, upper[511]);
		EXPECT_EQ(0x2222222222222222 & ~0ULL << 8 * i, upper[0]);
	}
}

/* A window in which everything is mapped that can be has edges still. */
HUP_TEST(edges, whole_window)
{
	unsigned long locked = hup_locked_kb();
	struct hup_mem real;
	struct hup *h = whole_window_create(&real);
	/* The window's last page is not the last of the real ones. */
	uint8_t *last = real.hva + (WHOLE_WINDOW_PAGES - 1) %
				   WHOLE_WINDOW_REAL * PAGE_SIZE;
	uint64_t *word = (void *)last + PAGE_SIZE - 8, faults;
	struct hyperupcall_query q;
	uint32_t offset;
	long region;
	int i, in, at;

	region = hup_map(h, WHOLE_WINDOW_GVA, WHOLE_WINDOW_SIZE,
			 HYPERUPCALL_MAP_WRITE, &offset);
	ASSERT_LT(0, region);
	ASSERT_EQ(PAGE_SIZE, offset);
	hup_query(h, &q);
	EXPECT_EQ(WHOLE_WINDOW_SIZE, q.mem);
	EXPECT_LT(q.mem + 4 * PAGE_SIZE, q.max_mem);
	EXPECT_EQ(-ENOSPC, hup_map(h, h->data.gva, PAGE_SIZE, 0, NULL));
	memset(real.hva, 0xee, real.size);

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		int bytes = bytes_of(sizes[i]);
		long loader = load_loader(h, sizes[i], 0);
		long storer = load_storer(h, sizes[i], 0);

		at = 8 - bytes;
		hup_run(h, storer, WINDOW_SIZE - bytes, OPERAND, &faults);
		EXPECT_EQ(0, faults);
		EXPECT_EQ(OPERAND & mask_of(sizes[i]), *word >> 8 * at);
		EXPECT_EQ(OPERAND & mask_of(sizes[i]),
			  run_loader(h, loader, WINDOW_SIZE - bytes, &faults));
		EXPECT_EQ(0, faults);
		memset(word, 0xee, 8);

		for (in = 1; in < bytes; in++)
			check_fault(_metadata, h, sizes[i], WINDOW_SIZE - in, 0,
				    "across the end of the window");
		check_fault(_metadata, h, sizes[i], 0xffffffff, 1,
			    "behind the window");
		check_fault(_metadata, h, sizes[i], 0xfffff000, 8192,
			    "behind the window by a page");
		check_fault(_metadata, h, sizes[i], 0xffffffff, 32767,
			    "at the end of the guard");
		check_fault(_metadata, h, sizes[i], 4096, -8200,
			    "before the window");
		check_fault(_metadata, h, sizes[i], 0, -32768,
			    "at the start of the guard");
		check_fault(_metadata, h, sizes[i], 4096, -1,
			    "across the empty page's end");
	}
	EXPECT_TRUE(untouched(&real));

	/* An atomic at the last byte acts on the word that holds it. */
	*word = 5;
	hup_run(h, load_atomic(h, BPF_DW, BPF_ADD), 0xffffffff, 7, &faults);
	EXPECT_EQ(1, faults);	/* of the store behind it */
	EXPECT_EQ(12, *word);

	EXPECT_EQ(0, hup_unmap(h, region));
	EXPECT_EQ(locked, hup_locked_kb());
	EXPECT_EQ(0, run_loader(h, load_loader(h, BPF_B, 0), 0xffffffff,
				&faults));
	EXPECT_EQ(1, faults);
	hup_free(h);
}

int main(int argc, char **argv)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_HYPERUPCALL));

	return test_harness_run(argc, argv);
}
