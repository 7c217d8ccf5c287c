// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages are used while the host reclaims them, and meanwhile something changes
 * that the question hangs on: the VMM forks, the program is unlinked or replaced,
 * the memslot goes and comes back. Nothing that was written may be lost.
 */
#include <sys/wait.h>

#include "kvm_test_harness.h"
#include "reclaim_owner.h"

#define NR_CHANGES	50
#define NR_PAGEOUTS	10	/* by the host, between two of them */

static struct owner owner;

static bool in_use(unsigned int i)
{
	return owner.value[i] && !owner.free[i];
}

/* The child has what the parent had, whatever becomes of the parent's pages. */
static void fork_and_look(struct reclaim *r)
{
	pid_t pid = fork();
	unsigned int i;
	int status;

	TEST_ASSERT(pid >= 0, "fork");
	if (!pid) {
		for (i = 0; i < OWNER_PAGES; i++) {
			if (in_use(i) && !owner_has(&owner, i))
				_exit(1);
		}
		_exit(0);
	}
	TEST_ASSERT(waitpid(pid, &status, 0) == pid, "waitpid");
	TEST_ASSERT(!status, "The child ended with %#x", status);
}

static void unlink_and_link(struct reclaim *r)
{
	TEST_ASSERT(!hup_unlink(r->h, r->link), "UNLINK");
	r->link = hup_link(r->h, r->prog, HYPERUPCALL_EVENT_RECLAIM);
	TEST_ASSERT(r->link > 0, "LINK");
}

/* Says the same as the one that is linked. */
static long other_prog;

static void replace(struct reclaim *r)
{
	long old = r->prog;

	r->prog = other_prog;
	other_prog = old;
	TEST_ASSERT(hup_replace(r->h, r->prog, HYPERUPCALL_EVENT_RECLAIM,
				r->link) == r->link, "LINK");
}

static void set_slot(struct reclaim *r, uint64_t size)
{
	vm_set_user_memory_region(r->h->vm, RECLAIM_SLOT, 0,
				  RECLAIM_GFN << PAGE_SHIFT, size, r->mem.hva);
}

static void delete_and_add_memslot(struct reclaim *r)
{
	set_slot(r, 0);
	set_slot(r, r->mem.size);
}

FIXTURE(change) {
	struct reclaim *r;
	struct reclaimer reclaimer;
	unsigned long discarded;
};

FIXTURE_VARIANT(change) {
	enum vm_mem_backing_src_type type;
	void (*change)(struct reclaim *r);
};

FIXTURE_VARIANT_ADD(change, anonymous_fork) {
	.type = VM_MEM_SRC_ANONYMOUS, .change = fork_and_look,
};

FIXTURE_VARIANT_ADD(change, anonymous_unlink) {
	.type = VM_MEM_SRC_ANONYMOUS, .change = unlink_and_link,
};

FIXTURE_VARIANT_ADD(change, anonymous_replace) {
	.type = VM_MEM_SRC_ANONYMOUS, .change = replace,
};

FIXTURE_VARIANT_ADD(change, anonymous_memslot) {
	.type = VM_MEM_SRC_ANONYMOUS, .change = delete_and_add_memslot,
};

FIXTURE_VARIANT_ADD(change, memfd_fork) {
	.type = VM_MEM_SRC_SHMEM, .change = fork_and_look,
};

FIXTURE_VARIANT_ADD(change, memfd_unlink) {
	.type = VM_MEM_SRC_SHMEM, .change = unlink_and_link,
};

FIXTURE_VARIANT_ADD(change, memfd_replace) {
	.type = VM_MEM_SRC_SHMEM, .change = replace,
};

FIXTURE_VARIANT_ADD(change, memfd_memslot) {
	.type = VM_MEM_SRC_SHMEM, .change = delete_and_add_memslot,
};

FIXTURE_SETUP(change)
{
	self->r = reclaim_create();
	self->r->mem = hup_add_slot(self->r->h, variant->type, RECLAIM_SLOT,
				    OWNER_PAGES, 0);
	other_prog = reclaim_load(self->r->h, self->r->offset,
				  RECLAIM_MAX_SPINS);
	ASSERT_LT(0, other_prog);
	self->discarded = reclaim_vmstat("pgdiscard");
	reclaimer_start(&self->reclaimer, self->r);
	owner_init_vmm(&owner, self->r);
}

FIXTURE_TEARDOWN(change)
{
	reclaimer_stop(&self->reclaimer);
	reclaim_free(self->r);
}

/* Until the host has tried to take some more pages. */
static uint64_t use_pages(struct reclaimer *reclaimer, uint64_t *n)
{
	unsigned int until = READ_ONCE(reclaimer->pageouts) + NR_PAGEOUTS;
	uint64_t lost = 0;

	while (READ_ONCE(reclaimer->pageouts) < until)
		lost += !owner_uses(&owner, owner_fill, (*n)++);

	return lost;
}

HUP_TEST(change, nothing_is_lost)
{
	uint64_t lost = 0, n = 0;
	int i;

	for (i = 0; i < NR_CHANGES; i++) {
		lost += use_pages(&self->reclaimer, &n);
		variant->change(self->r);
	}

	EXPECT_EQ(0, lost);
	EXPECT_LT(self->discarded, reclaim_vmstat("pgdiscard"));
}

int main(int argc, char **argv)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_HYPERUPCALL));

	return test_harness_run(argc, argv);
}
