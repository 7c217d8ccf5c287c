// SPDX-License-Identifier: GPL-2.0-only
/*
 * The RECLAIM event and huge pages: one that is free goes whole, one that is
 * not goes in parts.
 */
#include "kvm_test_harness.h"
#include "reclaim_cgroup.h"
#include "reclaim_fixture.h"

#define NR_PAGES	RECLAIM_PAGES
#define DISCARD		HYPERUPCALL_DISCARD

FIXTURE(huge) {
	struct reclaim *r;
	unsigned long discarded;
	unsigned long split;
};

FIXTURE_SETUP(huge)
{
	struct reclaim *r = reclaim_create();

	reclaim_cgroup_enter();
	r->mem = hup_add_slot(r->h, VM_MEM_SRC_ANONYMOUS_THP, RECLAIM_SLOT,
			      NR_PAGES, 0);
	reclaim_fill(r);
	reclaim_link(r);
	self->r = r;
	self->discarded = reclaim_vmstat("pgdiscard");
	self->split = reclaim_vmstat("thp_split_page");
}

FIXTURE_TEARDOWN(huge)
{
	reclaim_free(self->r);
}

/* Whether a free page was not asked about as often as it takes to discard it. */
static bool had_no_time(struct reclaim *r)
{
	int i;

	for (i = 0; i < NR_PAGES; i++) {
		if (r->data->later[i] == DISCARD && r->data->asked[i] < 2)
			return true;
	}

	return false;
}

/*
 * Questions may take so much time and no more, which on a slow host is not enough
 * for as many pages as these: what is left is asked about later. How many went.
 */
static unsigned long pageout_discards(struct reclaim *r)
{
	unsigned long before = reclaim_vmstat("pgdiscard");
	int i;

	for (i = 0; i < 10; i++) {
		reclaim_pageout(r->mem.hva, r->mem.size);
		if (!had_no_time(r))
			break;
		usleep(100000);
	}

	return reclaim_vmstat("pgdiscard") - before;
}

HUP_TEST(huge, whole)
{
	struct reclaim *r = self->r;
	int i;

	reclaim_answer(r, RECLAIM_MANY, DISCARD, DISCARD);
	reclaim_pageout(r->mem.hva, r->mem.size);
	EXPECT_EQ(2, r->data->asked[RECLAIM_MANY]);
	EXPECT_EQ(NR_PAGES, r->data->ctx.page.nr_pages);
	EXPECT_EQ(RECLAIM_GFN, r->data->ctx.page.gfn);
	for (i = 0; i < NR_PAGES; i++) {
		EXPECT_EQ(0, r->data->asked[i]);
		EXPECT_EQ(0, *reclaim_page(r, i));
	}
	EXPECT_EQ(self->split, reclaim_vmstat("thp_split_page"));
	EXPECT_EQ(self->discarded + NR_PAGES, reclaim_vmstat("pgdiscard"));
}

HUP_TEST(huge, part)
{
	const int nr_free = DIV_ROUND_UP(NR_PAGES, 3);
	struct reclaim *r = self->r;
	int i;

	for (i = 0; i < NR_PAGES; i += 3)
		reclaim_answer(r, i, DISCARD, DISCARD);
	EXPECT_EQ(nr_free, pageout_discards(r));
	EXPECT_EQ(self->split + 1, reclaim_vmstat("thp_split_page"));
	for (i = 0; i < NR_PAGES; i++)
		EXPECT_EQ(i % 3 ? i + 1 : 0, *reclaim_page(r, i));
}

/* Where the others cannot go to swap they are worth more than a few pages. */
HUP_TEST(huge, little)
{
	const int enough = NR_PAGES / 8;
	struct reclaim *r = self->r;
	int i;

	for (i = 0; i < enough - 1; i++)
		reclaim_answer(r, i, DISCARD, DISCARD);
	reclaim_cgroup(4);
	EXPECT_LT(0, r->data->asked[i]);
	EXPECT_EQ(self->split, reclaim_vmstat("thp_split_page"));
	EXPECT_EQ(self->discarded, reclaim_vmstat("pgdiscard"));

	reclaim_answer(r, i, DISCARD, DISCARD);
	reclaim_cgroup(4);
	EXPECT_EQ(self->split + 1, reclaim_vmstat("thp_split_page"));
	EXPECT_EQ(self->discarded + enough, reclaim_vmstat("pgdiscard"));
}

/* The VMM has dropped a page: nobody can speak for that. */
HUP_TEST(huge, without_its_first_page)
{
	struct reclaim *r = self->r;
	int i;

	ASSERT_EQ(0, madvise(r->mem.hva, PAGE_SIZE, MADV_DONTNEED));
	for (i = 1; i < NR_PAGES; i++)
		reclaim_answer(r, i, DISCARD, DISCARD);
	reclaim_answer(r, RECLAIM_MANY, DISCARD, DISCARD);
	EXPECT_EQ(NR_PAGES - 1, pageout_discards(r));
	EXPECT_EQ(self->split + 1, reclaim_vmstat("thp_split_page"));
	for (i = 1; i < NR_PAGES; i++)
		EXPECT_EQ(0, *reclaim_page(r, i));
}

/* The guest took a page of it into use between the two questions. */
HUP_TEST(huge, no_longer_whole)
{
	struct reclaim *r = self->r;
	int i;

	reclaim_answer(r, RECLAIM_MANY, DISCARD, 0);
	for (i = 0; i < NR_PAGES; i++)
		reclaim_answer(r, i, i == 5 ? 0 : DISCARD, i == 5 ? 0 : DISCARD);
	EXPECT_EQ(NR_PAGES - 1, pageout_discards(r));
	for (i = 0; i < NR_PAGES; i++)
		EXPECT_EQ(i == 5 ? i + 1 : 0, *reclaim_page(r, i));
}

HUP_TEST(huge, nothing)
{
	struct reclaim *r = self->r;
	int i;

	reclaim_pageout(r->mem.hva, r->mem.size);
	for (i = 0; i < NR_PAGES; i++)
		EXPECT_EQ(i + 1, *reclaim_page(r, i));
	EXPECT_EQ(self->discarded, reclaim_vmstat("pgdiscard"));
}

#define NR_OTHERS	300

/*
 * To ask all VMs of a VMM takes long, and nobody does it again for each page. A
 * slow host gives up before it comes to the one that has something to say.
 */
HUP_TEST(huge, among_many_vms)
{
	struct kvm_vm *others[NR_OTHERS];
	struct reclaim *r = self->r;
	uint64_t asked = 0;
	int i;

	reclaim_cgroup(4);
	EXPECT_LT(0, r->data->asked[0]);
	memset(r->data->asked, 0, sizeof(r->data->asked));

	for (i = 0; i < NR_OTHERS; i++)
		others[i] = vm_create_barebones();
	reclaim_cgroup(4);
	for (i = 0; i < NR_OTHERS; i++)
		kvm_vm_free(others[i]);
	for (i = 0; i < NR_PAGES; i++)
		asked += r->data->asked[i];
	EXPECT_GE(r->data->asked[RECLAIM_MANY] * NR_PAGES / 2, asked);
}

/* Pages of a huge one that is mapped piece by piece. */
HUP_TEST(huge, mapped_by_pages)
{
	struct reclaim *r = self->r;
	int i;

	/* Two protections in one huge page: its mapping is split. */
	ASSERT_EQ(0, mprotect(r->mem.hva, PAGE_SIZE, PROT_READ));
	ASSERT_EQ(0, mprotect(r->mem.hva, PAGE_SIZE, PROT_READ | PROT_WRITE));
	reclaim_answer(r, RECLAIM_MANY, DISCARD, DISCARD);
	for (i = 0; i < NR_PAGES; i++)
		reclaim_answer(r, i, DISCARD, DISCARD);
	EXPECT_EQ(NR_PAGES, pageout_discards(r));
	for (i = 0; i < NR_PAGES; i++)
		EXPECT_EQ(0, *reclaim_page(r, i));
}

int main(int argc, char **argv)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_HYPERUPCALL));

	return test_harness_run(argc, argv);
}
