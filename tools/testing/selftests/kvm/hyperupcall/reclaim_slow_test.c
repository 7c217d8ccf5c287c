// SPDX-License-Identifier: GPL-2.0-only
/*
 * The RECLAIM event and programs that take long: the host, which may hold locks
 * of others meanwhile, spends a part of its time on asking, and takes pages that
 * it has no time to ask about for wanted ones.
 */
#include "kvm_test_harness.h"
#include "reclaim_fixture.h"

#define NR_PAGES	RECLAIM_PAGES

FIXTURE(slow) {
	struct reclaim *r;
};

FIXTURE_SETUP(slow)
{
	struct reclaim *r = reclaim_create();
	int i;

	r->mem = hup_add_slot(r->h, VM_MEM_SRC_ANONYMOUS, RECLAIM_SLOT,
			      NR_PAGES, 0);
	reclaim_fill(r);
	for (i = 0; i < NR_PAGES; i++)
		reclaim_answer(r, i, HYPERUPCALL_DISCARD, HYPERUPCALL_DISCARD);
	self->r = r;
}

FIXTURE_TEARDOWN(slow)
{
	reclaim_free(self->r);
}

/* Reclaims all pages at once. Returns how many are gone; the others are whole. */
static int count_discarded(struct reclaim *r)
{
	uint64_t value;
	int i, n = 0;

	reclaim_pageout(r->mem.hva, r->mem.size);
	for (i = 0; i < NR_PAGES; i++) {
		value = *reclaim_page(r, i);
		if (!value)
			n++;
		else
			TEST_ASSERT(value == i + 1, "page %d", i);
	}
	return n;
}

HUP_TEST(slow, is_asked_less)
{
	struct hyperupcall_stats stats;
	struct reclaim *r = self->r;
	int n;

	reclaim_link_slow(r, RECLAIM_MAX_SPINS);
	n = count_discarded(r);
	EXPECT_LT(0, n);
	EXPECT_GT(NR_PAGES / 2, n);
	hup_stats(r->h, r->link, &stats);
	EXPECT_LE(2 * n, stats.runs);
	EXPECT_GT(NR_PAGES, stats.runs);
	/* It was not the VM's time that was up. */
	EXPECT_EQ(0, stats.throttled);
}

int main(int argc, char **argv)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_HYPERUPCALL));

	return test_harness_run(argc, argv);
}
