// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stores of programs are in the dirty log: a VMM that copies what the log says,
 * and knows nothing of hyperupcalls, has all of the guest's memory.
 */
#include "interrupt_util.h"
#include "kvm_test_harness.h"
#include "window_programs.h"

#define SLOT		10
#define NR_PAGES	100
#define WORDS		DIV_ROUND_UP(NR_PAGES, 64)

FIXTURE(dirty) {
	struct hup *h;
	struct hup_mem mem;
	uint8_t *copy;
	uint64_t log[WORDS];
	uint32_t offset;
	long region;
	long storer;
};

FIXTURE_VARIANT(dirty) {
	uint64_t protect;	/* KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2 */
};

FIXTURE_VARIANT_ADD(dirty, get) { .protect = 0 };
FIXTURE_VARIANT_ADD(dirty, get_and_clear) {
	.protect = KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE
};

static void log_slot(struct hup *h, bool on)
{
	vm_mem_region_set_flags(h->vm, SLOT, on ? KVM_MEM_LOG_DIRTY_PAGES : 0);
}

FIXTURE_SETUP(dirty)
{
	static const struct kvm_hyperupcall_policy policy = {
		.mem_percent = 100,
	};
	struct hup *h = hup_create_policy(2, &policy);

	if (variant->protect)
		vm_enable_cap(h->vm, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2,
			      variant->protect);
	self->h = h;
	self->mem = hup_add_slot(h, VM_MEM_SRC_ANONYMOUS, SLOT, NR_PAGES, 0);
	memset(self->mem.hva, 0, self->mem.size);
	self->region = hup_map(h, self->mem.gva, self->mem.size,
			       HYPERUPCALL_MAP_WRITE, &self->offset);
	self->storer = load_storer(h, BPF_DW, 0);
	ASSERT_LT(0, self->region);
	ASSERT_LT(0, self->storer);
	log_slot(h, true);
	self->copy = malloc(self->mem.size);
	memcpy(self->copy, self->mem.hva, self->mem.size);
}

FIXTURE_TEARDOWN(dirty)
{
	free(self->copy);
	hup_free(self->h);
}

static bool is_dirty(const uint64_t *log, unsigned int page)
{
	return log[page / 64] & BIT_ULL(page % 64);
}

static unsigned int nr_dirty(const uint64_t *log)
{
	unsigned int i, n = 0;

	for (i = 0; i < NR_PAGES; i++)
		n += is_dirty(log, i);
	return n;
}

/* What is dirty, and will be so again when it was written to again. */
static void get_log(struct hup *h, bool protect, uint64_t *log)
{
	memset(log, 0, WORDS * sizeof(*log));
	kvm_vm_get_dirty_log(h->vm, SLOT, log);
	if (protect)
		kvm_vm_clear_dirty_log(h->vm, SLOT, log, 0, NR_PAGES);
}

/* A round of a VMM that migrates: pages that are not in the log stay behind. */
static void copy_dirty(struct hup *h, struct hup_mem *mem, bool protect,
		       uint8_t *copy)
{
	uint64_t log[WORDS];
	unsigned int i;

	get_log(h, protect, log);
	for (i = 0; i < NR_PAGES; i++) {
		if (is_dirty(log, i))
			memcpy(copy + i * PAGE_SIZE, mem->hva + i * PAGE_SIZE,
			       PAGE_SIZE);
	}
}

#define COPY()								\
	copy_dirty(self->h, &self->mem, variant->protect, self->copy)

#define EXPECT_COPIED()							\
	EXPECT_EQ(0, memcmp(self->copy, self->mem.hva, self->mem.size))

static void store(struct hup *h, long storer, uint32_t offset,
		  unsigned int page, uint64_t value)
{
	uint64_t faults;

	hup_run(h, storer, offset + page * PAGE_SIZE, value, &faults);
	TEST_ASSERT(!faults, "page %u is not in the window", page);
}

HUP_TEST(dirty, one_store_a_round)
{
	unsigned int i;

	for (i = 0; i < NR_PAGES; i += 7) {
		store(self->h, self->storer, self->offset, i, i + 1);
		COPY();
		EXPECT_COPIED() TH_LOG("page %u", i);
	}
}

/* The window stays writable where the guest's own mapping is protected again. */
HUP_TEST(dirty, the_same_page)
{
	unsigned int i;

	for (i = 1; i < 10; i++) {
		store(self->h, self->storer, self->offset, 3, i);
		COPY();
		EXPECT_COPIED() TH_LOG("round %u", i);
	}
}

/* A memslot that moves keeps its bitmap, and the region loses its pages. */
HUP_TEST(dirty, moved_memslot)
{
	uint64_t log[WORDS];
	uint64_t gpa = addr_gva2gpa(self->h->vm, self->mem.gva);

	COPY();
	store(self->h, self->storer, self->offset, 3, 33);
	vm_mem_region_move(self->h->vm, SLOT, gpa + BIT_ULL(32));
	get_log(self->h, variant->protect, log);
	EXPECT_EQ(true, is_dirty(log, 3));
}

static uint64_t guest_store_ipis(uint64_t n, uint64_t a1, uint64_t a2,
				 uint64_t a3)
{
	x2apic_enable();
	while (n--)
		x2apic_write_reg(APIC_ICR, (uint64_t)TARGET << 32 | VECTOR);
	return 0;
}

/*
 * Each IPI stores to another word of the region. The VMM copies meanwhile, and
 * for the last time when the vCPU has stopped.
 */
HUP_TEST(dirty, while_programs_run)
{
	struct hup *h = self->h;
	struct hup_asm a = {};
	unsigned int round;
	uint64_t *count = self->mem.hva;

	/* r3 = how many there were, r2 = a word of page r3 % 64 + 1 */
	hup_emit_address(&a, BPF_REG_2, self->offset);
	hup_emit(&a, BPF_MOV64_IMM(BPF_REG_3, 1));
	hup_emit(&a, BPF_ATOMIC_OP(BPF_DW, BPF_ADD | BPF_FETCH, BPF_REG_2,
				   BPF_REG_3, 0));
	hup_emit(&a, BPF_MOV32_REG(BPF_REG_2, BPF_REG_3));
	hup_emit(&a, BPF_ALU32_IMM(BPF_AND, BPF_REG_2, 63));
	hup_emit(&a, BPF_ALU32_IMM(BPF_ADD, BPF_REG_2, 1));
	hup_emit(&a, BPF_ALU32_IMM(BPF_LSH, BPF_REG_2, 12));
	hup_emit(&a, BPF_ALU32_IMM(BPF_ADD, BPF_REG_2, self->offset));
	hup_emit(&a, HUP_WINDOW(BPF_REG_2, BPF_REG_2));
	hup_emit(&a, BPF_STX_MEM(BPF_DW, BPF_REG_2, BPF_REG_3, 8));
	hup_emit_return(&a, HYPERUPCALL_CONSUMED);
	hup_guest(h, TARGET, guest_store_ipis, 0, 0, 0, 0);
	ASSERT_LT(0, hup_link(h, hup_load_asm(h, &a),
			      HYPERUPCALL_EVENT_INTERRUPT));

	for (round = 0; round < 5; round++) {
		hup_start(h, SENDER, guest_store_ipis, 300, 0, 0, 0);
		COPY();
		usleep(1000);
		COPY();
		hup_join(h, SENDER);
		COPY();
		EXPECT_COPIED() TH_LOG("round %u", round);
	}
	EXPECT_EQ(1500, *count);
}

/* What programs only read is not copied over and over. */
HUP_TEST(dirty, read_only_region)
{
	struct hup *h = self->h;
	long loader = load_loader(h, BPF_DW, 0);
	uint32_t offset;

	ASSERT_EQ(0, hup_unmap(h, self->region));
	ASSERT_LT(0, hup_map(h, self->mem.gva, self->mem.size, 0, &offset));
	get_log(h, variant->protect, self->log);
	hup_run(h, loader, offset, 0, NULL);
	get_log(h, variant->protect, self->log);
	EXPECT_EQ(0, nr_dirty(self->log));
}

/* Only the pages of the region, also where other regions have some of them. */
HUP_TEST(dirty, part_of_the_slot)
{
	struct hup *h = self->h;
	unsigned int i;
	uint32_t offset;

	ASSERT_EQ(0, hup_unmap(h, self->region));
	ASSERT_LT(0, hup_map(h, self->mem.gva, self->mem.size, 0, NULL));
	ASSERT_LT(0, hup_map(h, self->mem.gva + 60 * PAGE_SIZE, 10 * PAGE_SIZE,
			     HYPERUPCALL_MAP_WRITE, &offset));
	ASSERT_LT(0, hup_map(h, self->mem.gva + 65 * PAGE_SIZE, 10 * PAGE_SIZE,
			     HYPERUPCALL_MAP_WRITE, NULL));
	ASSERT_LT(0, hup_map(h, self->mem.gva + 62 * PAGE_SIZE, 2 * PAGE_SIZE,
			     HYPERUPCALL_MAP_WRITE, NULL));
	get_log(h, variant->protect, self->log);
	for (i = 0; i < 2; i++) {
		get_log(h, variant->protect, self->log);
		EXPECT_EQ(15, nr_dirty(self->log));
		EXPECT_EQ(true, is_dirty(self->log, 60));
		EXPECT_EQ(true, is_dirty(self->log, 74));
	}
}

/* The last stores to what is not in the window any more. */
HUP_TEST(dirty, unmapped)
{
	struct hup *h = self->h;

	COPY();
	store(h, self->storer, self->offset, 5, 55);
	EXPECT_EQ(0, hup_unmap(h, self->region));
	COPY();
	EXPECT_COPIED();
	get_log(h, variant->protect, self->log);
	EXPECT_EQ(0, nr_dirty(self->log));
}

HUP_TEST(dirty, reset)
{
	struct hup *h = self->h;

	COPY();
	store(h, self->storer, self->offset, 5, 55);
	hup_reset_vcpu(h, 0);
	COPY();
	EXPECT_COPIED();
}

/* Logging that is off, or was, makes no difference for programs. */
HUP_TEST(dirty, off_and_on)
{
	struct hup *h = self->h;

	log_slot(h, false);
	store(h, self->storer, self->offset, 5, 55);
	log_slot(h, true);
	memcpy(self->copy, self->mem.hva, self->mem.size);
	store(h, self->storer, self->offset, 6, 66);
	COPY();
	EXPECT_COPIED();
}

/* A VM with dirty rings. */
FIXTURE(ring) {
	struct hup *h;
	struct hup_mem mem;
	struct ipi_data *data;
	uint32_t offset;
	long prog;
};

#define RING_SIZE	(64 * 1024)

FIXTURE_SETUP(ring)
{
	struct hup *h;

	TEST_REQUIRE(kvm_has_cap(KVM_CAP_DIRTY_LOG_RING));
	h = hup_create_vm(2);
	ASSERT_EQ(0, hup_enable(h->vm, NULL, 0));
	vm_enable_dirty_ring(h->vm, RING_SIZE);
	hup_add_vcpus(h);
	hup_boot(h);
	self->h = h;
	self->mem = hup_add_slot(h, VM_MEM_SRC_ANONYMOUS, SLOT, NR_PAGES, 0);
	self->data = ipi_prepare(h, X2APIC, &self->offset);
	self->prog = ipi_load_counter(h, self->offset, 0, HYPERUPCALL_CONSUMED);
	ASSERT_LT(0, hup_link(h, self->prog, HYPERUPCALL_EVENT_INTERRUPT));
}

FIXTURE_TEARDOWN(ring)
{
	hup_free(self->h);
}

/* Its vCPUs do not store, so that no program may: IPIs arrive meanwhile. */
HUP_TEST(ring, programs_wait)
{
	struct hyperupcall_test_run run = { .prog = self->prog };
	struct hup *h = self->h;

	ipi_send(h, TARGET, VECTOR);
	EXPECT_EQ(1, self->data->count[0]);

	log_slot(h, true);
	ipi_send(h, TARGET, VECTOR);
	EXPECT_EQ(1, self->data->count[0]);
	EXPECT_EQ(-EBUSY, hup_test_run(h, self->prog, &run));
	EXPECT_EQ(1, self->data->count[0]);
	hup_guest(h, TARGET, guest_take_irqs, 0, 0, 0, 0);
	EXPECT_EQ(1, self->data->received[TARGET][VECTOR]);

	log_slot(h, false);
	ipi_send(h, TARGET, VECTOR);
	EXPECT_EQ(2, self->data->count[0]);
	EXPECT_EQ(0, hup_test_run(h, self->prog, &run));
	EXPECT_EQ(3, self->data->count[0]);
	hup_guest(h, TARGET, guest_take_irqs, 0, 0, 0, 0);
	EXPECT_EQ(1, self->data->received[TARGET][VECTOR]);
}

int main(int argc, char **argv)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_HYPERUPCALL));

	return test_harness_run(argc, argv);
}
