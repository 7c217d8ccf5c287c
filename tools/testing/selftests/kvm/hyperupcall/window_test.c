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

/* A function has code of its own, and its faults count all the same. */
HUP_TEST(window, faults_of_functions)
{
	long prog = hup_prog(self->h,
			     HUP_DATA(BPF_REG_6, BPF_REG_1, 0),
			     BPF_MOV64_REG(BPF_REG_1, BPF_REG_6),
			     BPF_RAW_INSN(BPF_JMP | BPF_CALL, 0,
					  BPF_PSEUDO_CALL, 0, 4),
			     BPF_MOV64_REG(BPF_REG_1, BPF_REG_6),
			     BPF_RAW_INSN(BPF_JMP | BPF_CALL, 0,
					  BPF_PSEUDO_CALL, 0, 2),
			     BPF_MOV64_IMM(BPF_REG_0, 1),
			     BPF_EXIT_INSN(),
			     HUP_WINDOW(BPF_REG_1, BPF_REG_1),
			     BPF_MOV64_IMM(BPF_REG_0, 5),
			     BPF_STX_MEM(BPF_DW, BPF_REG_1, BPF_REG_0, 0),
			     BPF_LDX_MEM(BPF_DW, BPF_REG_0, BPF_REG_1, 0),
			     BPF_EXIT_INSN());
	uint64_t faults;

	ASSERT_LT(0, prog) TH_LOG("%s", (char *)self->h->log.hva);
	EXPECT_EQ(1, hup_run(self->h, prog, 0, 0, &faults));
	EXPECT_EQ(4, faults);
	EXPECT_EQ(1, hup_run(self->h, prog, self->offset, 0, &faults));
	EXPECT_EQ(0, faults);
}

/* The JIT has no such loads from a window: no program gets a wrong value. */
HUP_TEST(window, sign_extending_loads)
{
	int i;

	for (i = 0; i < 3; i++) {
		struct hup_asm a = {};

		emit_operands(&a);
		hup_emit(&a, BPF_RAW_INSN(BPF_LDX | BPF_MEMSX | sizes[i],
					  BPF_REG_0, BPF_REG_2, 0, 0));
		hup_emit(&a, BPF_EXIT_INSN());
		EXPECT_EQ(-EINVAL, hup_load_asm(self->h, &a));
		EXPECT_NE(NULL, strstr(self->h->log.hva,
				       "sign extending loads"))
			TH_LOG("%s", (char *)self->h->log.hva);
	}
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

/* The same pages as a region that can be written, and one that cannot. */
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
	memcpy(&seen, self->hva, 8);
	EXPECT_EQ(PATTERN, seen);

	/* Neither is the other, and either may go. */
	EXPECT_EQ(0, hup_unmap(h, self->region));
	EXPECT_EQ(PATTERN, run_loader(h, load_loader(h, BPF_DW, 0), offset,
				      &faults));
	EXPECT_EQ(0, faults);
	hup_run(h, load_storer(h, BPF_DW, 0), self->offset, OPERAND, &faults);
	EXPECT_EQ(1, faults);
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
