// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the RECLAIM link of a guest costs those who have no VM, and no swap: they
 * have nothing that could be discarded, and are not looked through for it.
 */
#include "kvm_test_harness.h"
#include "reclaim_tenant.h"

FIXTURE(others) {
	struct reclaim *r;
	struct tenant tenant;
};

FIXTURE_VARIANT(others) {
	const char *lru_gen;
};

FIXTURE_VARIANT_ADD(others, lru) { .lru_gen = "0" };
FIXTURE_VARIANT_ADD(others, mglru) { .lru_gen = "7" };

FIXTURE_SETUP(others)
{
	reclaim_set_lru_gen(variant->lru_gen);
	tenant_make_cgroups();
	tenant_start(&self->tenant);
	tenant_fill(&self->tenant);
	self->r = reclaim_create();
}

FIXTURE_TEARDOWN(others)
{
	reclaim_free(self->r);
	tenant_end(&self->tenant);
	reclaim_set_lru_gen("0");
}

static unsigned long scanned(void)
{
	return reclaim_number(TENANT "/memory.stat", "pgscan");
}

/* Reclaim tries again and again before it gives up. */
HUP_TEST(others, are_left_alone)
{
	long prog = hup_load_return(self->r->h, HYPERUPCALL_NO_OPINION);
	unsigned long before;

	ASSERT_LT(0, hup_link(self->r->h, prog, HYPERUPCALL_EVENT_RECLAIM));
	before = scanned();
	EXPECT_GT(0, reclaim_cgroup_write(TENANT "/memory.reclaim", "1G"));
	EXPECT_GE(4 * TENANT_SIZE / PAGE_SIZE, scanned() - before);
}

int main(int argc, char **argv)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_HYPERUPCALL));

	return test_harness_run(argc, argv);
}
