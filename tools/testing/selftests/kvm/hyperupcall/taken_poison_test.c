// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory that breaks leaves the window at once: a program that loaded from it
 * would take a machine check in the host's kernel.
 */
#include <signal.h>
#include <sys/mman.h>

#include "interrupt_util.h"
#include "kvm_test_harness.h"
#include "missing_memory.h"
#include "window_programs.h"

#define SLOT		10
#define NR_PAGES	8
#define BROKEN		3	/* of these pages */

FIXTURE(poison) {
	struct hup *h;
	struct ipi_data *data;
	struct hup_mem mem;
	uint32_t data_offset;
	uint32_t offset;
	long region;
	unsigned long locked;
};

static void ignore_signal(int sig)
{
}

/*
 * The content is lost, which a signal says, and another signal comes to a thread
 * that touches the page. The kernel gives up a page that is pinned as broken, too,
 * and calls it busy.
 */
static bool break_page(void *page)
{
	sighandler_t handler = signal(SIGBUS, ignore_signal);
	int r = madvise(page, PAGE_SIZE, MADV_HWPOISON);

	r = r ? errno : 0;
	signal(SIGBUS, handler);
	errno = r;
	return !r || r == EBUSY;
}

static bool can_break_pages(void)
{
	void *page = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bool can;

	TEST_ASSERT(page != MAP_FAILED, "mmap");
	/* Not the page of zeroes that all have. */
	memset(page, 1, PAGE_SIZE);
	can = break_page(page) || errno != EINVAL;
	munmap(page, PAGE_SIZE);
	return can;
}

FIXTURE_SETUP(poison)
{
	static const struct kvm_hyperupcall_policy policy = {
		.mem_percent = 100,
	};
	struct hup *h;
	int i;

	if (!can_break_pages())
		SKIP(return, "no CONFIG_MEMORY_FAILURE");
	h = hup_create_policy(2, &policy);
	self->h = h;
	self->data = ipi_prepare(h, X2APIC, &self->data_offset);
	self->mem = hup_add_slot(h, VM_MEM_SRC_ANONYMOUS, SLOT, NR_PAGES, 0);
	for (i = 0; i < NR_PAGES; i++)
		*(uint64_t *)(self->mem.hva + i * PAGE_SIZE) = i + 1;
	self->locked = hup_locked_kb();
	self->region = hup_map(h, self->mem.gva, self->mem.size,
			       HYPERUPCALL_MAP_WRITE, &self->offset);
	ASSERT_LT(0, self->region);
}

/* The library would unmap what is broken: leave that to exit(). */
FIXTURE_TEARDOWN(poison)
{
}

static void *broken_page(struct hup_mem *mem)
{
	return mem->hva + BROKEN * PAGE_SIZE;
}

HUP_TEST(poison, at_once)
{
	struct hup *h = self->h;
	long loader = load_loader(h, BPF_DW, 0);
	long storer = load_storer(h, BPF_DW, 0);
	uint64_t faults;
	uint32_t at;
	int i;

	ASSERT_EQ(true, break_page(broken_page(&self->mem)));
	for (i = 0; i < NR_PAGES; i++) {
		at = self->offset + i * PAGE_SIZE;
		EXPECT_EQ(i == BROKEN ? 0 : i + 1,
			  hup_run(h, loader, at, 0, &faults));
		EXPECT_EQ(i == BROKEN, faults) TH_LOG("page %d", i);
		hup_run(h, storer, at, 77, &faults);
		EXPECT_EQ(i == BROKEN, faults) TH_LOG("page %d", i);
	}
	EXPECT_EQ(0, hup_unmap(h, self->region));
	EXPECT_EQ(self->locked, hup_locked_kb());
}

/* A page that was mapped over the broken one is another page. */
HUP_TEST(poison, given_back)
{
	struct hup *h = self->h;
	long loader = load_loader(h, BPF_DW, 0);
	uint64_t *word = broken_page(&self->mem), faults;
	uint32_t offset;

	ASSERT_EQ(true, break_page(word));
	ASSERT_EQ(word, mmap(word, PAGE_SIZE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
	*word = 5;
	EXPECT_EQ(0, hup_run(h, loader, self->offset + BROKEN * PAGE_SIZE, 0,
			     &faults));
	EXPECT_EQ(1, faults);
	ASSERT_LT(0, hup_map(h, self->mem.gva + BROKEN * PAGE_SIZE, PAGE_SIZE, 0,
			     &offset));
	EXPECT_EQ(5, hup_run(h, loader, offset, 0, &faults));
	EXPECT_EQ(0, faults);
}

static uint64_t guest_map(uint64_t map, uint64_t a1, uint64_t a2, uint64_t a3)
{
	return kvm_hypercall(KVM_HC_HYPERUPCALL, HYPERUPCALL_MAP, map,
			     sizeof(struct hyperupcall_map), 0);
}

/*
 * A hypercall waits for memory that the VMM has to provide, and holds the lock
 * that is needed to find out whether a page is gone.
 */
HUP_TEST(poison, while_a_hypercall_waits)
{
	struct hup *h = self->h;
	struct hyperupcall_map *map = h->data.hva + IPI_DATA_SIZE;
	static const uint64_t zeroes[PAGE_SIZE / 8];
	uint64_t *count = self->data->count;
	struct hup_asm a = {};
	struct hup_mem missing;
	void *page;
	int uffd;

	/* count[0] = what is in the page, count[1]++ */
	hup_emit_address(&a, BPF_REG_2, self->offset + BROKEN * PAGE_SIZE);
	hup_emit(&a, BPF_LDX_MEM(BPF_DW, BPF_REG_4, BPF_REG_2, 0));
	hup_emit_address(&a, BPF_REG_2, IPI_AT(self->data_offset, count));
	hup_emit(&a, BPF_STX_MEM(BPF_DW, BPF_REG_2, BPF_REG_4, 0));
	hup_emit_count(&a, IPI_AT(self->data_offset, count[1]));
	hup_emit_return(&a, HYPERUPCALL_CONSUMED);
	ASSERT_LT(0, hup_link(h, hup_load_asm(h, &a),
			      HYPERUPCALL_EVENT_INTERRUPT));
	ipi_send(h, TARGET, VECTOR);
	EXPECT_EQ(BROKEN + 1, count[0]);
	EXPECT_EQ(1, count[1]);

	uffd = missing_add_slot(h, 1, &missing);
	*map = (struct hyperupcall_map) {
		.gva = missing.gva,
		.size = PAGE_SIZE,
	};
	hup_start(h, TARGET, guest_map, h->data.gva + IPI_DATA_SIZE, 0, 0, 0);
	page = missing_wait(uffd);

	ASSERT_EQ(true, break_page(broken_page(&self->mem)));
	ipi_send(h, TARGET, VECTOR);
	EXPECT_EQ(0, count[0]);
	EXPECT_EQ(2, count[1]);

	missing_provide(uffd, page, zeroes);
	EXPECT_EQ(0, hup_join(h, TARGET));
}

int main(int argc, char **argv)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_HYPERUPCALL));

	return test_harness_run(argc, argv);
}
