// SPDX-License-Identifier: GPL-2.0-only
/*
 * The RECLAIM event and programs that take long: the host, which may hold locks
 * of others meanwhile, spends a part of its time on asking, and takes pages that
 * it has no time to ask about for wanted ones.
 */
#include "kvm_test_harness.h"
#include "reclaim_fixture.h"

#define NR_PAGES	RECLAIM_PAGES

/* Of a VM whose program is fast. */
#define NR_OTHER_PAGES	64

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

/* The time of one VM's slow program is not another VM's. */
HUP_TEST(slow, others_are_asked)
{
	struct reclaim *r = self->r, *other = reclaim_create();
	int i;

	kvm_pin_this_task_to_pcpu(0);
	other->mem = hup_add_slot(other->h, VM_MEM_SRC_ANONYMOUS, RECLAIM_SLOT,
				  NR_OTHER_PAGES, 0);
	reclaim_fill(other);
	for (i = 0; i < NR_OTHER_PAGES; i++)
		reclaim_answer(other, i, HYPERUPCALL_DISCARD,
			       HYPERUPCALL_DISCARD);
	reclaim_link(other);

	reclaim_link_slow(r, RECLAIM_MAX_SPINS);
	EXPECT_GT(NR_PAGES / 2, count_discarded(r));
	reclaim_pageout(other->mem.hva, other->mem.size);
	for (i = 0; i < NR_OTHER_PAGES; i++)
		EXPECT_EQ(0, *reclaim_page(other, i)) TH_LOG("page %d", i);
	reclaim_free(other);
}

int main(int argc, char **argv)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_HYPERUPCALL));

	return test_harness_run(argc, argv);
}
