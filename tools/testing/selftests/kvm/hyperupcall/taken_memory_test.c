// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory that the VMM takes away disappears from the window, however it does
 * so, and what was charged for a region is given back.
 */
#include <sys/wait.h>

#include "kvm_test_harness.h"
#include "taken_memory.h"
#include "window_programs.h"

FIXTURE(taken) {
	struct hup *h;
	struct hup_mem mem;
	long region;
	uint32_t offset;
	unsigned long locked;
	int huge_pages;
};

FIXTURE_VARIANT(taken) {
	const struct way *way;
};

FIXTURE_VARIANT_ADD(taken, punch_hole) { .way = &way_punch_hole };
FIXTURE_VARIANT_ADD(taken, remove) { .way = &way_remove };
FIXTURE_VARIANT_ADD(taken, truncate) { .way = &way_truncate };
FIXTURE_VARIANT_ADD(taken, punch_huge) { .way = &way_punch_huge };
FIXTURE_VARIANT_ADD(taken, dontneed) { .way = &way_dontneed };
FIXTURE_VARIANT_ADD(taken, dontneed_huge) { .way = &way_dontneed_huge };
FIXTURE_VARIANT_ADD(taken, unmap) { .way = &way_unmap };
FIXTURE_VARIANT_ADD(taken, map_over) { .way = &way_map_over };
FIXTURE_VARIANT_ADD(taken, move_away) { .way = &way_move_away };
FIXTURE_VARIANT_ADD(taken, delete_slot) { .way = &way_delete_slot };
FIXTURE_VARIANT_ADD(taken, move_slot) { .way = &way_move_slot };

#define NR_HUGEPAGES	"/proc/sys/vm/nr_hugepages"

/* Returns how many huge pages there were. */
static int set_huge_pages(int n)
{
	FILE *f = fopen(NR_HUGEPAGES, "r+");
	int old;

	TEST_ASSERT(f && fscanf(f, "%d", &old) == 1 && !fseek(f, 0, SEEK_SET) &&
		    fprintf(f, "%d\n", n) > 0 && !fclose(f),
		    "cannot set " NR_HUGEPAGES);
	return old;
}

FIXTURE_SETUP(taken)
{
	static const struct kvm_hyperupcall_policy policy = {
		.mem_percent = 100,
	};

	if (variant->way->type == VM_MEM_SRC_SHARED_HUGETLB)
		self->huge_pages = set_huge_pages(2);
	self->h = hup_create_policy(1, &policy);
	self->mem = add_slot_for(self->h, variant->way);
	memset(self->mem.hva, 0, self->mem.size);
	self->locked = hup_locked_kb();
	self->region = hup_map(self->h, self->mem.gva, self->mem.size,
			       HYPERUPCALL_MAP_WRITE, &self->offset);
	ASSERT_LT(0, self->region);
}

FIXTURE_TEARDOWN(taken)
{
	if (variant->way->type == VM_MEM_SRC_SHARED_HUGETLB)
		set_huge_pages(self->huge_pages);
	/* The library would unmap what is gone: leave that to exit(). */
}

/* KVM takes some jiffies to find out that the VMM does not have it any more. */
static void wait_until_gone(struct hup *h, uint32_t loader, uint32_t at)
{
	uint64_t faults;
	int i;

	for (i = 0; i < 2000; i++) {
		hup_run(h, loader, at, 0, &faults);
		if (faults)
			return;
		usleep(1000);
	}
}

HUP_TEST(taken, page_by_page)
{
	struct hup *h = self->h;
	long loader = load_loader(h, BPF_DW, 0);
	long storer = load_storer(h, BPF_DW, 0);
	uint64_t faults, want;
	uint32_t at;
	int i;

	for (i = 0; i < NR_PAGES; i++)
		hup_run(h, storer, self->offset + i * PAGE_SIZE, i + 1, NULL);

	variant->way->take(h, &self->mem);
	wait_until_gone(h, loader, self->offset + TAKEN * PAGE_SIZE);
	if (variant->way->whole_slot)
		wait_until_gone(h, loader, self->offset + (NR_PAGES - 1) * PAGE_SIZE);

	for (i = 0; i < NR_PAGES; i++) {
		at = self->offset + i * PAGE_SIZE;
		want = variant->way->whole_slot || i == TAKEN ? 0 : i + 1;
		EXPECT_EQ(want, hup_run(h, loader, at, 0, &faults))
			TH_LOG("page %d", i);
		EXPECT_EQ(!want, faults) TH_LOG("page %d", i);
		hup_run(h, storer, at, 77, &faults);
		EXPECT_EQ(!want, faults) TH_LOG("page %d", i);
	}

	EXPECT_EQ(0, hup_unmap(h, self->region));
	EXPECT_EQ(self->locked, hup_locked_kb());
}

/* What comes into its place is not in the window before it is mapped. */
HUP_TEST(taken, given_back)
{
	struct hup *h = self->h;
	long loader = load_loader(h, BPF_DW, 0);
	long storer = load_storer(h, BPF_DW, 0);
	uint32_t at = self->offset + TAKEN * PAGE_SIZE, offset;
	uint64_t *word = taken_page(&self->mem), faults;

	variant->way->take(h, &self->mem);
	wait_until_gone(h, loader, at);
	if (variant->way->give_back)
		variant->way->give_back(h, &self->mem);

	*word = 5;
	EXPECT_EQ(0, hup_run(h, loader, at, 0, &faults));
	EXPECT_EQ(1, faults);
	hup_run(h, storer, at, 77, &faults);
	EXPECT_EQ(1, faults);
	EXPECT_EQ(5, *word);

	ASSERT_LT(0, hup_map(h, self->mem.gva + TAKEN * PAGE_SIZE, PAGE_SIZE,
			     HYPERUPCALL_MAP_WRITE, &offset));
	EXPECT_EQ(5, hup_run(h, loader, offset, 0, &faults));
	EXPECT_EQ(0, faults);
	hup_run(h, storer, offset, 77, &faults);
	EXPECT_EQ(77, *word);
	EXPECT_EQ(0, hup_run(h, loader, at, 0, &faults));
	EXPECT_EQ(1, faults);

	EXPECT_EQ(0, hup_unmap(h, self->region));
	EXPECT_EQ(self->locked + 4, hup_locked_kb());
	EXPECT_EQ(77, hup_run(h, loader, offset, 0, &faults));
	EXPECT_EQ(0, faults);
}

/* What was charged comes back, without UNMAP, too. */
HUP_TEST(taken, charge_after_vm)
{
	struct hup *h = self->h;

	EXPECT_EQ(self->locked + self->mem.size / 1024, hup_locked_kb());
	variant->way->take(h, &self->mem);
	hup_release(h);
	EXPECT_EQ(self->locked, hup_locked_kb());
}

/* Programs run on another vCPU while memory comes and goes. */
static uint64_t guest_hammer(uint64_t gva, uint64_t stop_gva, uint64_t a2,
			     uint64_t a3)
{
	uint64_t *stop = (uint64_t *)stop_gva, n = 0;
	long r;

	while (!READ_ONCE(*stop)) {
		r = kvm_hypercall(KVM_HC_HYPERUPCALL, HYPERUPCALL_TEST_RUN, gva,
				  sizeof(struct hyperupcall_test_run), 0);
		/* The VM's time of a second may be used up. */
		if (r && r != -EAGAIN)
			return 0;
		n++;
	}
	return n;
}

HUP_TEST(taken, while_programs_run)
{
	struct hup *h = self->h;
	struct hyperupcall_test_run run = {
		.prog = load_storer(h, BPF_DW, 0),
		.ctx.data = { self->offset + TAKEN * PAGE_SIZE, 77 },
	};
	struct hyperupcall_test_run *last = h->data.hva;
	uint64_t *stop = h->data.hva + PAGE_SIZE;
	int i;

	memcpy(last, &run, sizeof(run));
	*stop = 0;
	hup_start(h, 0, guest_hammer, h->data.gva, h->data.gva + PAGE_SIZE, 0,
		  0);
	usleep(100000);
	variant->way->take(h, &self->mem);
	for (i = 0; i < 2000 && !READ_ONCE(last->faults); i++)
		usleep(1000);
	WRITE_ONCE(*stop, 1);
	EXPECT_LT(0, hup_join(h, 0));
	EXPECT_EQ(1, last->faults);
}

/* Things that a VMM does to memory that it keeps. */
static void protect(struct hup *h, struct hup_mem *mem)
{
	TEST_ASSERT(!mprotect(mem->hva, mem->size, PROT_READ), "mprotect");
	TEST_ASSERT(!mprotect(mem->hva, mem->size, PROT_READ | PROT_WRITE),
		    "mprotect");
}

static void mark_free(struct hup *h, struct hup_mem *mem)
{
	TEST_ASSERT(!madvise(mem->hva, mem->size, MADV_FREE), "madvise");
}

static void page_out(struct hup *h, struct hup_mem *mem)
{
	TEST_ASSERT(!madvise(mem->hva, mem->size, MADV_PAGEOUT), "madvise");
}

static void have_a_child(struct hup *h, struct hup_mem *mem)
{
	pid_t pid = fork();

	TEST_ASSERT(pid >= 0, "fork");
	if (!pid)
		_exit(0);
	TEST_ASSERT(waitpid(pid, NULL, 0) == pid, "waitpid");
}

static void compact(struct hup *h, struct hup_mem *mem)
{
	FILE *f = fopen("/proc/sys/vm/compact_memory", "w");

	TEST_ASSERT(f && fprintf(f, "1\n") > 0 && !fclose(f),
		    "no defragmentation");
}

/* A child that writes gets copies, whoever writes first. */
static void have_a_busy_child(struct hup *h, struct hup_mem *mem)
{
	pid_t pid = fork();

	TEST_ASSERT(pid >= 0, "fork");
	if (!pid) {
		memset(mem->hva, 0x55, mem->size);
		_exit(0);
	}
	TEST_ASSERT(waitpid(pid, NULL, 0) == pid, "waitpid");
}

static void set_flags(struct hup *h, struct hup_mem *mem)
{
	vm_mem_region_set_flags(h->vm, SLOT, KVM_MEM_LOG_DIRTY_PAGES);
}

FIXTURE(kept) {
	struct hup *h;
};

FIXTURE_VARIANT(kept) {
	void (*disturb)(struct hup *h, struct hup_mem *mem);
};

FIXTURE_VARIANT_ADD(kept, protect) { .disturb = protect };
FIXTURE_VARIANT_ADD(kept, mark_free) { .disturb = mark_free };
FIXTURE_VARIANT_ADD(kept, page_out) { .disturb = page_out };
FIXTURE_VARIANT_ADD(kept, have_a_child) { .disturb = have_a_child };
FIXTURE_VARIANT_ADD(kept, have_a_busy_child) { .disturb = have_a_busy_child };
FIXTURE_VARIANT_ADD(kept, compact) { .disturb = compact };
FIXTURE_VARIANT_ADD(kept, set_flags) { .disturb = set_flags };

FIXTURE_SETUP(kept)
{
	self->h = hup_create(1);
}

FIXTURE_TEARDOWN(kept)
{
	hup_free(self->h);
}

HUP_TEST(kept, page_by_page)
{
	struct hup *h = self->h;
	struct hup_mem mem = hup_add_slot(h, VM_MEM_SRC_ANONYMOUS, SLOT,
					  NR_PAGES, 0);
	long loader = load_loader(h, BPF_DW, 0);
	long storer = load_storer(h, BPF_DW, 0);
	uint64_t faults;
	uint32_t offset;
	int i;

	ASSERT_LT(0, hup_map(h, mem.gva, mem.size, HYPERUPCALL_MAP_WRITE,
			     &offset));
	for (i = 0; i < NR_PAGES; i++)
		hup_run(h, storer, offset + i * PAGE_SIZE, i + 1, NULL);

	variant->disturb(h, &mem);
	/* More than KVM needs to decide that a page is gone. */
	usleep(100000);

	for (i = 0; i < NR_PAGES; i++) {
		EXPECT_EQ(i + 1, hup_run(h, loader, offset + i * PAGE_SIZE, 0,
					 &faults));
		EXPECT_EQ(0, faults) TH_LOG("page %d", i);
		hup_run(h, storer, offset + i * PAGE_SIZE, i + 77, &faults);
		EXPECT_EQ(0, faults) TH_LOG("page %d", i);
		EXPECT_EQ(i + 77, *(uint64_t *)(mem.hva + i * PAGE_SIZE));
	}
}

/* Regions and their charge, where nothing is taken away. */
FIXTURE(charge) {
	struct hup *h;
	unsigned long locked;
};

FIXTURE_SETUP(charge)
{
	self->h = hup_create(1);
	self->locked = hup_locked_kb();
}

FIXTURE_TEARDOWN(charge)
{
}

HUP_TEST(charge, unmap)
{
	struct hup *h = self->h;
	uint32_t one, two;

	one = hup_map(h, h->data.gva, 2 * PAGE_SIZE, 0, NULL);
	EXPECT_EQ(self->locked + 8, hup_locked_kb());
	two = hup_map(h, h->data.gva, 4 * PAGE_SIZE, 0, NULL);
	EXPECT_EQ(self->locked + 24, hup_locked_kb());
	EXPECT_EQ(0, hup_unmap(h, one));
	EXPECT_EQ(self->locked + 16, hup_locked_kb());
	EXPECT_EQ(0, hup_unmap(h, two));
	EXPECT_EQ(self->locked, hup_locked_kb());
}

HUP_TEST(charge, vm_destroyed)
{
	struct hup *h = self->h;
	uint32_t prog = load_loader(h, BPF_DW, 0);

	EXPECT_LT(0, hup_map(h, h->data.gva, 4 * PAGE_SIZE, 0, NULL));
	EXPECT_LT(0, hup_link(h, prog, HYPERUPCALL_EVENT_INTERRUPT));
	EXPECT_EQ(self->locked + 16, hup_locked_kb());
	hup_free(h);
	EXPECT_EQ(self->locked, hup_locked_kb());
}

HUP_TEST(charge, map_that_fails)
{
	struct hup *h = self->h;

	*vm_get_page_table_entry(h->vm, h->data.gva + 3 * PAGE_SIZE) = 0;
	EXPECT_EQ(-EFAULT, hup_map(h, h->data.gva, 4 * PAGE_SIZE, 0, NULL));
	EXPECT_EQ(self->locked, hup_locked_kb());
}

int main(int argc, char **argv)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_HYPERUPCALL));

	return test_harness_run(argc, argv);
}
