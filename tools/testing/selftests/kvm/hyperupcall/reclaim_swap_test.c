// SPDX-License-Identifier: GPL-2.0-only
/*
 * The RECLAIM event on a host with swap: whom it takes memory from, and what goes
 * to swap.
 */
#include <linux/sysinfo.h>
#include <sys/sysinfo.h>

#include "kvm_test_harness.h"
#include "reclaim_tenant.h"

FIXTURE(swap) {
};

FIXTURE_VARIANT(swap) {
	const char *lru_gen;
};

FIXTURE_VARIANT_ADD(swap, lru) { .lru_gen = "0" };
FIXTURE_VARIANT_ADD(swap, mglru) { .lru_gen = "7" };

FIXTURE_SETUP(swap)
{
	reclaim_set_lru_gen(variant->lru_gen);
	tenant_make_cgroups();
}

FIXTURE_TEARDOWN(swap)
{
	reclaim_set_lru_gen("0");
}

#define VM_PAGES	(TENANT_SIZE / PAGE_SIZE)
#define KEPT_PAGES	(VM_PAGES / 8)	/* the oldest */

/*
 * A VM with as much memory as the tenant, in a cgroup of its own. The memory may be
 * charged to another one: shared memory is, if somebody there touches it first.
 */
static struct reclaim *
swap_vm_create_charged(enum vm_mem_backing_src_type type, const char *cgroup)
{
	struct reclaim *r;

	tenant_enter(TENANT_VM);
	r = reclaim_create();
	r->mem = hup_add_slot(r->h, type, RECLAIM_SLOT, VM_PAGES, 0);
	TEST_ASSERT(!madvise(r->mem.hva, r->mem.size, MADV_NOHUGEPAGE),
		    "MADV_NOHUGEPAGE");
	tenant_enter(cgroup);
	reclaim_fill(r);
	tenant_enter(TENANT_VM);
	return r;
}

static struct reclaim *swap_vm_create(void)
{
	return swap_vm_create_charged(VM_MEM_SRC_ANONYMOUS, TENANT_VM);
}

/* The same answer for the first pages, and no opinion of the others. */
static void swap_vm_answers(struct reclaim *r, unsigned long nr, int answer)
{
	const struct bpf_insn insns[] = {
		HUP_DATA(BPF_REG_6, BPF_REG_1, 0),
		BPF_MOV64_IMM(BPF_REG_0, HYPERUPCALL_NO_OPINION),
		BPF_ALU64_IMM(BPF_SUB, BPF_REG_6, RECLAIM_GFN),
		BPF_JMP_IMM(BPF_JGE, BPF_REG_6, nr, 1),
		BPF_MOV64_IMM(BPF_REG_0, answer),
		BPF_EXIT_INSN(),
	};
	long prog = hup_load_global(r->h, insns, ARRAY_SIZE(insns));

	TEST_ASSERT(hup_link(r->h, prog, HYPERUPCALL_EVENT_RECLAIM) > 0, "LINK");
	/* Until the counts of pages are right. */
	sleep(5);
}

static long tenant_pages(void)
{
	return reclaim_number(TENANT "/memory.stat", "anon") / PAGE_SIZE;
}

/* How many pages a tenant loses while a VM that gives this answer is there. */
static long tenant_loses(struct reclaim *(*vm_create)(void), int answer,
			 const char *reclaim_file)
{
	struct tenant tenant;
	struct reclaim *r;
	long before, lost;
	int i;

	tenant_start(&tenant);
	r = vm_create();
	tenant_fill(&tenant);
	/* MGLRU prefers whom it has taken something from before. */
	reclaim_cgroup_write(TENANT "/memory.reclaim", "1M");
	reclaim_cgroup_write(TENANT_VM "/memory.reclaim", "1M");
	swap_vm_answers(r, VM_PAGES, answer);
	before = tenant_pages();
	for (i = 0; i < 10; i++)
		reclaim_write(reclaim_file, "4M");
	lost = before - tenant_pages();
	reclaim_free(r);
	tenant_end(&tenant);
	return lost;
}

/* Of 40 MiB that go in all, 4 may be the other's by chance. */
static bool tenant_pays(struct reclaim *(*vm_create)(void),
			const char *reclaim_file)
{
	long without = tenant_loses(vm_create, HYPERUPCALL_NO_OPINION,
				    reclaim_file);

	return tenant_loses(vm_create, HYPERUPCALL_KEEP, reclaim_file) >
	       without + 1024;
}

/* Whoever wants his memory kept does not have others pay for it. */
HUP_TEST(swap, nobody_pays_for_what_is_kept)
{
	EXPECT_FALSE(tenant_pays(swap_vm_create, TENANTS "/memory.reclaim"));
}

static struct reclaim *swap_vm_create_shared(void)
{
	return swap_vm_create_charged(VM_MEM_SRC_SHMEM, TENANT);
}

/* The same if they do already, for they are charged for his memory. */
HUP_TEST(swap, nobody_pays_twice)
{
	EXPECT_FALSE(tenant_pays(swap_vm_create_shared,
				 TENANT "/memory.reclaim"));
}

static unsigned long pages_gone(struct reclaim *r, unsigned long first,
				unsigned long nr)
{
	static unsigned char vec[VM_PAGES];
	unsigned long i, gone = 0;

	TEST_ASSERT(!mincore(r->mem.hva, r->mem.size, vec), "mincore");
	for (i = first; i < first + nr; i++)
		gone += !(vec[i] & 1);
	return gone;
}

/* The host wants a little of the VM's own cgroup, and that often. */
static void reclaim_little(void)
{
	int i;

	for (i = 0; i < 64; i++)
		reclaim_write(TENANT_VM "/memory.reclaim", "128K");
}

/* The oldest pages go first, unless the guest would rather keep them. */
HUP_TEST(swap, kept_is_last_of_its_own)
{
	const unsigned long wanted = 64 * (128 << 10) / PAGE_SIZE;
	struct reclaim *r = swap_vm_create();

	swap_vm_answers(r, KEPT_PAGES, HYPERUPCALL_NO_OPINION);
	reclaim_little();
	EXPECT_GE(pages_gone(r, 0, KEPT_PAGES), wanted / 2);
	reclaim_free(r);

	r = swap_vm_create();
	swap_vm_answers(r, KEPT_PAGES, HYPERUPCALL_KEEP);
	reclaim_little();
	EXPECT_LE(pages_gone(r, 0, KEPT_PAGES), wanted / 8);
	EXPECT_GE(pages_gone(r, KEPT_PAGES, KEPT_PAGES), wanted / 2);

	/* As much as there is: a host in need takes what it gets. */
	reclaim_cgroup_write(TENANT_VM "/memory.reclaim", "64M");
	EXPECT_GE(pages_gone(r, 0, KEPT_PAGES), KEPT_PAGES / 2);
	reclaim_free(r);
}

/*
 * The host gets what it asks for, though most of what it looks at is to be kept,
 * and not much more: MGLRU takes 64 pages for 32.
 */
HUP_TEST(swap, kept_is_not_in_the_way)
{
	struct reclaim *r = swap_vm_create();

	swap_vm_answers(r, VM_PAGES - KEPT_PAGES, HYPERUPCALL_KEEP);
	reclaim_little();
	EXPECT_GE(VM_PAGES / 2, pages_gone(r, 0, VM_PAGES));
	reclaim_free(r);
}

/* A limit that leaves room for half of what the guest wants to keep. */
HUP_TEST(swap, nothing_ends_for_what_is_kept)
{
	struct reclaim *r = swap_vm_create();
	unsigned long oom;

	swap_vm_answers(r, VM_PAGES, HYPERUPCALL_KEEP);
	oom = reclaim_number(TENANT_VM "/memory.events", "oom");
	reclaim_write(TENANT_VM "/memory.max", "32M");
	reclaim_write(TENANT_VM "/memory.max", "max");
	EXPECT_EQ(oom, reclaim_number(TENANT_VM "/memory.events", "oom"));
	EXPECT_LE(VM_PAGES / 2, pages_gone(r, 0, VM_PAGES));
	reclaim_free(r);
}

/* A huge page would go to swap as a whole: one free page is worth the split. */
HUP_TEST(swap, huge_with_a_free_page)
{
	unsigned long discarded, split, out;
	struct reclaim *r = reclaim_create();
	int i;

	r->mem = hup_add_slot(r->h, VM_MEM_SRC_ANONYMOUS_THP, RECLAIM_SLOT,
			      RECLAIM_PAGES, 0);
	reclaim_fill(r);
	reclaim_link(r);
	reclaim_answer(r, 7, HYPERUPCALL_DISCARD, HYPERUPCALL_DISCARD);
	discarded = reclaim_vmstat("pgdiscard");
	split = reclaim_vmstat("thp_split_page");
	out = reclaim_vmstat("pswpout");
	reclaim_pageout(r->mem.hva, r->mem.size);
	EXPECT_EQ(split + 1, reclaim_vmstat("thp_split_page"));
	EXPECT_EQ(discarded + 1, reclaim_vmstat("pgdiscard"));
	EXPECT_EQ(out + RECLAIM_PAGES - 1, reclaim_vmstat("pswpout"));
	for (i = 0; i < RECLAIM_PAGES; i++)
		EXPECT_EQ(i == 7 ? 0 : i + 1, *reclaim_page(r, i));
	reclaim_free(r);
}

int main(int argc, char **argv)
{
	struct sysinfo info;

	TEST_REQUIRE(kvm_has_cap(KVM_CAP_HYPERUPCALL));
	TEST_REQUIRE(!sysinfo(&info) && info.totalswap);

	return test_harness_run(argc, argv);
}
