// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory that the VMM takes away disappears from the window, however it does
 * so, and what was charged for a region is given back.
 */
#include <sys/wait.h>

#include "kvm_test_harness.h"
#include "window_programs.h"

#define SLOT		10
#define NR_PAGES	8
#define TAKEN		3	/* of these pages */

static void *taken_page(struct hup_mem *mem)
{
	return mem->hva + TAKEN * PAGE_SIZE;
}

static void punch_hole(struct hup *h, struct hup_mem *mem)
{
	int fd = memslot2region(h->vm, SLOT)->fd;

	TEST_ASSERT(!fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			       TAKEN * PAGE_SIZE, PAGE_SIZE), "fallocate");
}

static void dontneed(struct hup *h, struct hup_mem *mem)
{
	TEST_ASSERT(!madvise(taken_page(mem), PAGE_SIZE, MADV_DONTNEED),
		    "madvise");
}

static void unmap(struct hup *h, struct hup_mem *mem)
{
	TEST_ASSERT(!munmap(taken_page(mem), PAGE_SIZE), "munmap");
}

static void map_over(struct hup *h, struct hup_mem *mem)
{
	void *p = mmap(taken_page(mem), PAGE_SIZE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	TEST_ASSERT(p != MAP_FAILED, "mmap");
}

static void delete_slot(struct hup *h, struct hup_mem *mem)
{
	struct userspace_mem_region *region = memslot2region(h->vm, SLOT);

	vm_set_user_memory_region(h->vm, SLOT, 0,
				  region->region.guest_phys_addr, 0, mem->hva);
}

static void move_slot(struct hup *h, struct hup_mem *mem)
{
	struct userspace_mem_region *region = memslot2region(h->vm, SLOT);

	vm_set_user_memory_region(h->vm, SLOT, 0,
				  region->region.guest_phys_addr + (1 << 28),
				  mem->size, mem->hva);
}

/* A way to take memory away; each is a test of its own. */
FIXTURE(taken) {
	struct hup *h;
	struct hup_mem mem;
	long region;
	uint32_t offset;
	unsigned long locked;
};

FIXTURE_VARIANT(taken) {
	enum vm_mem_backing_src_type type;
	bool whole_slot;
	void (*take)(struct hup *h, struct hup_mem *mem);
};

FIXTURE_VARIANT_ADD(taken, punch_hole) {
	.type = VM_MEM_SRC_SHMEM,
	.whole_slot = false,
	.take = punch_hole,
};

FIXTURE_VARIANT_ADD(taken, dontneed) {
	.type = VM_MEM_SRC_ANONYMOUS,
	.whole_slot = false,
	.take = dontneed,
};

FIXTURE_VARIANT_ADD(taken, unmap) {
	.type = VM_MEM_SRC_ANONYMOUS,
	.whole_slot = false,
	.take = unmap,
};

FIXTURE_VARIANT_ADD(taken, map_over) {
	.type = VM_MEM_SRC_ANONYMOUS,
	.whole_slot = false,
	.take = map_over,
};

FIXTURE_VARIANT_ADD(taken, delete_slot) {
	.type = VM_MEM_SRC_ANONYMOUS,
	.whole_slot = true,
	.take = delete_slot,
};

FIXTURE_VARIANT_ADD(taken, move_slot) {
	.type = VM_MEM_SRC_ANONYMOUS,
	.whole_slot = true,
	.take = move_slot,
};

FIXTURE_SETUP(taken)
{
	self->h = hup_create(1);
	self->mem = hup_add_slot(self->h, variant->type, SLOT, NR_PAGES, 0);
	self->locked = hup_locked_kb();
	self->region = hup_map(self->h, self->mem.gva, self->mem.size,
			       HYPERUPCALL_MAP_WRITE, &self->offset);
	ASSERT_LT(0, self->region);
}

FIXTURE_TEARDOWN(taken)
{
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

	variant->take(h, &self->mem);
	wait_until_gone(h, loader, self->offset + TAKEN * PAGE_SIZE);
	if (variant->whole_slot)
		wait_until_gone(h, loader, self->offset + (NR_PAGES - 1) * PAGE_SIZE);

	for (i = 0; i < NR_PAGES; i++) {
		at = self->offset + i * PAGE_SIZE;
		want = variant->whole_slot || i == TAKEN ? 0 : i + 1;
		EXPECT_EQ(want, hup_run(h, loader, at, 0, &faults))
			TH_LOG("page %d", i);
		EXPECT_EQ(!want, faults) TH_LOG("page %d", i);
		hup_run(h, storer, at, 77, &faults);
		EXPECT_EQ(!want, faults) TH_LOG("page %d", i);
	}

	EXPECT_EQ(0, hup_unmap(h, self->region));
	EXPECT_EQ(self->locked, hup_locked_kb());
}

/* What was charged comes back, without UNMAP, too. */
HUP_TEST(taken, charge_after_vm)
{
	struct hup *h = self->h;

	EXPECT_EQ(self->locked + self->mem.size / 1024, hup_locked_kb());
	variant->take(h, &self->mem);
	hup_release(h);
	EXPECT_EQ(self->locked, hup_locked_kb());
}

/* Programs run on another vCPU while memory comes and goes. */
static uint64_t guest_hammer(uint64_t gva, uint64_t stop_gva, uint64_t a2,
			     uint64_t a3)
{
	uint64_t *stop = (uint64_t *)stop_gva, n = 0;

	while (!READ_ONCE(*stop)) {
		if (kvm_hypercall(KVM_HC_HYPERUPCALL, HYPERUPCALL_TEST_RUN, gva,
				  sizeof(struct hyperupcall_test_run), 0))
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
	variant->take(h, &self->mem);
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
