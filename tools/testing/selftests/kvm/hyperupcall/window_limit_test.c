// SPDX-License-Identifier: GPL-2.0-only
/*
 * The host has as many windows as an eighth of its memory is page tables for,
 * of 8 MiB each, and one user half of them. Who comes late is told so, and gets the
 * window of a VM that has gone. Who has a window pays for its page tables.
 */
#include <sys/stat.h>

#include "kvm_test_harness.h"
#include "reclaim_cgroup.h"
#include "state_util.h"

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

struct vms {
	struct hup *vms[MAX_VMS];
	unsigned int nr;
};

/* VM after VM gets a window, until there is none. One that goes leaves its own. */
static void take_all(struct __test_metadata *_metadata, struct vms *v,
		     unsigned long max)
{
	long r = 1;

	while (v->nr <= max) {
		v->vms[v->nr] = hup_create(1);
		r = map_page(v->vms[v->nr++]);
		if (r < 0)
			break;
	}
	EXPECT_EQ(-ENOMEM, r);
	EXPECT_EQ(max + 1, v->nr);

	hup_free(v->vms[0]);
	v->vms[0] = v->vms[--v->nr];
	EXPECT_LT(0, map_page(v->vms[0]));
}

FIXTURE(window_limit) {
	struct vms vms;
};

FIXTURE_SETUP(window_limit)
{
}

FIXTURE_TEARDOWN(window_limit)
{
	while (self->vms.nr)
		hup_free(self->vms.vms[--self->vms.nr]);
}

HUP_TEST(window_limit, all_taken)
{
	unsigned long max = max_windows();

	if (max >= MAX_VMS)
		SKIP(return, "a host with too much memory");

	take_all(_metadata, &self->vms, max);
}

/* A VMM that is not root's, and shares the host with others. */
HUP_TEST(window_limit, all_of_one_user)
{
	unsigned long max = (max_windows() + 1) / 2;
	struct hup *mine;

	if (max >= MAX_VMS)
		SKIP(return, "a host with too much memory");
	/* Root's window is none of the user's. */
	mine = hup_create(1);
	ASSERT_LT(0, map_page(mine));
	ASSERT_EQ(0, chmod("/dev/kvm", 0666));
	ASSERT_EQ(0, setresuid(65534, 65534, 65534));

	take_all(_metadata, &self->vms, max);
	hup_free(mine);
}

#define NR_REGIONS	512
#define TABLE_COVERS	(2UL << 20)

/* Regions of a page each, so far from each other. */
static void set_regions(struct hup *h, uint64_t distance)
{
	static struct {
		struct kvm_hyperupcall_state_header header;
		struct {
			struct kvm_hyperupcall_state_region region;
			struct kvm_hyperupcall_state_extent extent;
		} regions[NR_REGIONS];
	} s;
	int i;

	s.header = (struct kvm_hyperupcall_state_header) {
		.magic = KVM_HYPERUPCALL_STATE_MAGIC,
		.version = KVM_HYPERUPCALL_STATE_VERSION,
		.nr_regions = NR_REGIONS,
		.next_region = NR_REGIONS + 1,
	};
	for (i = 0; i < NR_REGIONS; i++) {
		s.regions[i].region = (struct kvm_hyperupcall_state_region) {
			.id = i + 1,
			.offset = PAGE_SIZE + i * distance,
			.nr_pages = 1,
			.nr_extents = 1,
		};
		s.regions[i].extent = (struct kvm_hyperupcall_state_extent) {
			.nr_pages = 1,
			.gfn = STATE_GFN,
		};
	}
	state_seal(&s, sizeof(s));
	TEST_ASSERT(!state_set(h, &s, sizeof(s)), "KVM_SET_HYPERUPCALL_STATE");
}

static int64_t charged(void)
{
	int64_t n = 0;
	FILE *f = fopen(RECLAIM_CGROUP "/memory.current", "r");

	TEST_ASSERT(f && fscanf(f, "%ld", &n) == 1, "memory.current");
	fclose(f);
	return n;
}

/* Regions that share page tables, and then as many that do not. */
HUP_TEST(window_limit, tables_are_charged)
{
	static const struct kvm_hyperupcall_policy policy = {
		.max_regions = 1024,
		.mem_percent = 100,
	};
	int64_t start, dense, sparse;
	struct hup *h;

	reclaim_cgroup_enter();
	h = hup_create_policy(1, &policy);
	state_add_slots(h);
	set_regions(h, PAGE_SIZE);
	state_clear(h);

	start = charged();
	set_regions(h, PAGE_SIZE);
	dense = charged() - start;
	state_clear(h);
	start = charged();
	set_regions(h, TABLE_COVERS);
	sparse = charged() - start;
	/* Each CPU has some pages that it may charge to. */
	EXPECT_LT(dense + NR_REGIONS * PAGE_SIZE / 2, sparse);
	hup_free(h);
}

int main(int argc, char **argv)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_HYPERUPCALL));

	return test_harness_run(argc, argv);
}
