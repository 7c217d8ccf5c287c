// SPDX-License-Identifier: GPL-2.0-only
/*
 * HYPERUPCALL_MAP: which guest memory can be mapped, and which cannot.
 */
#include <sys/resource.h>

#include "hyperupcall_util.h"
#include "kvm_test_harness.h"
#include "locked_memory.h"

FIXTURE(abi_map) {
	struct hup *h;
};

FIXTURE_SETUP(abi_map)
{
	self->h = hup_create(1);
}

FIXTURE_TEARDOWN(abi_map)
{
	hup_free(self->h);
}

/* What MAP is given, relative to two mapped pages. */
struct map_case {
	const char *what;
	int64_t gva;
	uint64_t size;
	uint32_t flags;
	long r;
};

static const struct map_case map_cases[] = {
	{ "one page", 0, 4096, 0, 1 },
	{ "two pages, writable", 0, 8192, HYPERUPCALL_MAP_WRITE, 1 },
	{ "the same page again", 0, 4096, HYPERUPCALL_MAP_WRITE, 1 },
	{ "no size", 0, 0, 0, -EINVAL },
	{ "address not aligned", 8, 4096, 0, -EINVAL },
	{ "size not aligned", 0, 4097, 0, -EINVAL },
	{ "half a page", 0, 2048, 0, -EINVAL },
	{ "wraps", 0, -4096ULL, 0, -EINVAL },
	{ "leaves the canonical range", 0, 1ULL << 47, 0, -EINVAL },
	{ "unknown flag", 0, 4096, 2, -EINVAL },
	{ "next page not mapped", 4096, 8192, 0, -EFAULT },
	{ "not mapped", 8192, 4096, 0, -EFAULT },
};

HUP_TEST(abi_map, parameters)
{
	struct hup *h = self->h;
	vm_vaddr_t gva = h->data.gva;
	int i;

	*vm_get_page_table_entry(h->vm, gva + 8192) = 0;
	for (i = 0; i < ARRAY_SIZE(map_cases); i++) {
		const struct map_case *c = &map_cases[i];
		long r = hup_map(h, gva + c->gva, c->size, c->flags, NULL);

		if (r > 0)
			r = 1;
		EXPECT_EQ(c->r, r) TH_LOG("%s", c->what);
	}
}

HUP_TEST(abi_map, addresses)
{
	struct hup *h = self->h;

	EXPECT_EQ(-EFAULT, hup_map(h, HUP_UNMAPPED_GVA, PAGE_SIZE, 0, NULL));
	EXPECT_EQ(-EINVAL, hup_map(h, 1ULL << 63, PAGE_SIZE, 0, NULL));
	EXPECT_EQ(-EINVAL, hup_map(h, -4096ULL, 8192, 0, NULL));
}

HUP_TEST(abi_map, guest_read_only_page)
{
	struct hup *h = self->h;

	*vm_get_page_table_entry(h->vm, h->data.gva) &= ~PTE_WRITABLE_MASK;
	EXPECT_EQ(-EFAULT, hup_map(h, h->data.gva, PAGE_SIZE,
				   HYPERUPCALL_MAP_WRITE, NULL));
	EXPECT_LT(0, hup_map(h, h->data.gva, PAGE_SIZE, 0, NULL));
}

HUP_TEST(abi_map, read_only_memslot)
{
	struct hup *h = self->h;
	struct hup_mem rom = hup_add_slot(h, VM_MEM_SRC_ANONYMOUS, 10, 1,
					  KVM_MEM_READONLY);

	EXPECT_EQ(-EFAULT, hup_map(h, rom.gva, PAGE_SIZE, 0, NULL));
	EXPECT_EQ(-EFAULT, hup_map(h, rom.gva, PAGE_SIZE,
				   HYPERUPCALL_MAP_WRITE, NULL));
}

HUP_TEST(abi_map, mmio)
{
	struct hup *h = self->h;

	virt_pg_map(h->vm, HUP_UNMAPPED_GVA, 0xd0000000);
	EXPECT_EQ(-EFAULT, hup_map(h, HUP_UNMAPPED_GVA, PAGE_SIZE, 0, NULL));
}

HUP_TEST(abi_map, over_rlimit)
{
	struct rlimit none = {}, two_pages = {
		.rlim_cur = 2 * getpagesize(),
		.rlim_max = 2 * getpagesize(),
	};
	struct hup *h = self->h;
	uint32_t region;

	drop_ipc_lock();
	ASSERT_EQ(0, setrlimit(RLIMIT_MEMLOCK, &two_pages));
	region = hup_map(h, h->data.gva, PAGE_SIZE, 0, NULL);
	EXPECT_EQ(-EDQUOT, hup_map(h, h->data.gva, 2 * PAGE_SIZE, 0, NULL));
	EXPECT_LT(0, hup_map(h, h->data.gva, PAGE_SIZE, 0, NULL));
	EXPECT_EQ(0, hup_unmap(h, region));
	EXPECT_LT(0, hup_map(h, h->data.gva, PAGE_SIZE, 0, NULL));

	ASSERT_EQ(0, setrlimit(RLIMIT_MEMLOCK, &none));
	EXPECT_EQ(-EDQUOT, hup_map(h, h->data.gva, PAGE_SIZE, 0, NULL));
}

int main(int argc, char **argv)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_HYPERUPCALL));

	return test_harness_run(argc, argv);
}
