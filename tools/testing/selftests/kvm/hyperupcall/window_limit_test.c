// SPDX-License-Identifier: GPL-2.0-only
/*
 * The host has as many windows as an eighth of its memory is page tables for,
 * of 8 MiB each. Who comes late is told so, and gets the window of a VM that has
 * gone.
 */
#include "hyperupcall_util.h"
#include "kvm_test_harness.h"

#define TABLES_SIZE	(8UL << 20)
#define MAX_VMS		1024

static unsigned long max_windows(void)
{
	return sysconf(_SC_PHYS_PAGES) / 8 / (TABLES_SIZE / PAGE_SIZE);
}

static long map_page(struct hup *h)
{
	return hup_map(h, h->data.gva, PAGE_SIZE, 0, NULL);
}

FIXTURE(window_limit) {
	struct hup *vms[MAX_VMS];
	unsigned int nr;
};

FIXTURE_SETUP(window_limit)
{
}

FIXTURE_TEARDOWN(window_limit)
{
	while (self->nr)
		hup_free(self->vms[--self->nr]);
}

HUP_TEST(window_limit, all_taken)
{
	unsigned long max = max_windows();
	long r = 1;

	if (max >= MAX_VMS)
		SKIP(return, "a host with too much memory");

	while (self->nr <= max) {
		self->vms[self->nr] = hup_create(1);
		r = map_page(self->vms[self->nr++]);
		if (r < 0)
			break;
	}
	EXPECT_EQ(-ENOMEM, r);
	EXPECT_EQ(max + 1, self->nr);

	hup_free(self->vms[0]);
	self->vms[0] = self->vms[--self->nr];
	EXPECT_LT(0, map_page(self->vms[0]));
}

int main(int argc, char **argv)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_HYPERUPCALL));

	return test_harness_run(argc, argv);
}
