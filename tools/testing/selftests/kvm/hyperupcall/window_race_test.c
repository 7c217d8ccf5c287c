// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory comes into the window and leaves it while programs run on other
 * vCPUs: what has left is not written any more, and what came into its place
 * is written only if it was mapped.
 */
#include <sys/wait.h>

#include "apic.h"
#include "kvm_test_harness.h"
#include "taken_memory.h"

#define VECTOR		0xa5

#define NR_UNMAPS	1000
#define NR_TAKES	100
#define NR_SLOT_CHANGES	300
#define NR_DISTURBS	100

/* The vCPU that the test uses, and the one in whose context programs run. */
#define CONTROL		0
#define FIRING		1

/* What the test, the program and the firing vCPUs share. */
struct race {
	uint64_t stop;
	uint64_t count;		/* of runs; what the next one writes */
	uint64_t place;		/* where it writes it, in the window */
	uint64_t seen;		/* what it reads there then */
	struct hyperupcall_test_run run;
};

/* By IPIs, under nothing but RCU, or by TEST_RUN. */
static uint64_t guest_fire_ipis(uint64_t gva, uint64_t a1, uint64_t a2,
				uint64_t a3)
{
	struct race *race = (struct race *)gva;
	uint64_t n = 0;

	x2apic_enable();
	for (; !READ_ONCE(race->stop); n++) {
		x2apic_write_reg(APIC_ICR, (uint64_t)CONTROL << 32 | VECTOR);
		/* Lets the others run where one thread emulates all CPUs. */
		cpu_relax();
	}
	return n;
}

static uint64_t guest_fire_test_runs(uint64_t gva, uint64_t run, uint64_t a2,
				     uint64_t a3)
{
	struct race *race = (struct race *)gva;
	uint64_t n = 0;

	long r;

	for (; !READ_ONCE(race->stop); n++) {
		r = kvm_hypercall(KVM_HC_HYPERUPCALL, HYPERUPCALL_TEST_RUN, run,
				  sizeof(struct hyperupcall_test_run), 0);
		/* The VM's time of a second may be used up. */
		if (r && r != -EAGAIN)
			return 0;
		cpu_relax();
	}
	return n;
}

FIXTURE(race) {
	struct hup *h;
	struct race *race;
	uint32_t shared;	/* the same, in the window */
	long prog;
	long link;
};

FIXTURE_VARIANT(race) {
	hup_guest_fn fire;
};

FIXTURE_VARIANT_ADD(race, ipis) { .fire = guest_fire_ipis };
FIXTURE_VARIANT_ADD(race, test_runs) { .fire = guest_fire_test_runs };

/* *place = ++count; seen = *place */
static long load_racer(struct hup *h, uint32_t shared)
{
	struct hup_asm a = {};

	hup_emit_address(&a, BPF_REG_6, shared);
	hup_emit(&a, BPF_MOV64_IMM(BPF_REG_7, 1));
	hup_emit(&a, BPF_ATOMIC_OP(BPF_DW, BPF_ADD | BPF_FETCH, BPF_REG_6,
				   BPF_REG_7, offsetof(struct race, count)));
	hup_emit(&a, BPF_ALU64_IMM(BPF_ADD, BPF_REG_7, 1));
	hup_emit(&a, BPF_LDX_MEM(BPF_DW, BPF_REG_2, BPF_REG_6,
				 offsetof(struct race, place)));
	hup_emit(&a, HUP_WINDOW(BPF_REG_2, BPF_REG_2));
	hup_emit(&a, BPF_STX_MEM(BPF_DW, BPF_REG_2, BPF_REG_7, 0));
	hup_emit(&a, BPF_LDX_MEM(BPF_DW, BPF_REG_3, BPF_REG_2, 0));
	hup_emit(&a, BPF_STX_MEM(BPF_DW, BPF_REG_6, BPF_REG_3,
				 offsetof(struct race, seen)));
	hup_emit_return(&a, HYPERUPCALL_CONSUMED);
	return hup_load_asm(h, &a);
}

FIXTURE_SETUP(race)
{
	static const struct kvm_hyperupcall_policy policy = {
		.budget_ns = 500000000,
	};
	struct hup *h = hup_create_policy(2, &policy);

	kvm_static_assert(sizeof(struct race) <= 4096);

	self->h = h;
	self->race = h->data.hva;
	/* It fires nothing, but has its APIC on. */
	self->race->stop = 1;
	hup_guest(h, CONTROL, guest_fire_ipis, h->data.gva, 0, 0, 0);
	self->race->stop = 0;
	ASSERT_LT(0, hup_map(h, h->data.gva, PAGE_SIZE, HYPERUPCALL_MAP_WRITE,
			     &self->shared));
	self->prog = load_racer(h, self->shared);
	ASSERT_LT(0, self->prog) TH_LOG("%s", (char *)h->log.hva);
	self->link = hup_link(h, self->prog, HYPERUPCALL_EVENT_INTERRUPT);
	ASSERT_LT(0, self->link);
	self->race->run.prog = self->prog;
	hup_start(h, FIRING, variant->fire, h->data.gva,
		  h->data.gva + offsetof(struct race, run), 0, 0);
}

FIXTURE_TEARDOWN(race)
{
	WRITE_ONCE(self->race->stop, 1);
	EXPECT_LT(0, hup_join(self->h, FIRING));
	/* Some tests leave memory that the library cannot free. */
	hup_release(self->h);
}

#define WAIT_UNTIL(condition)						\
({									\
	int __i;							\
									\
	for (__i = 100000; __i && !(condition); __i--)			\
		usleep(20);						\
	TEST_ASSERT(__i, "nothing happens: " #condition);		\
})

/* Until runs that began after the call are over. */
static void wait_for_runs(struct race *race)
{
	uint64_t want = READ_ONCE(race->count) + 3;

	WAIT_UNTIL(READ_ONCE(race->count) >= want);
}

/* Two pages take turns. */
HUP_TEST(race, unmap)
{
	struct hup *h = self->h;
	struct race *race = self->race;
	uint64_t was[2], *word[2] = {
		h->data.hva + PAGE_SIZE, h->data.hva + 2 * PAGE_SIZE
	};
	uint32_t place;
	long region;
	int i, now;

	for (i = 0; i < NR_UNMAPS; i++) {
		now = i % 2;
		region = hup_map(h, h->data.gva + (1 + now) * PAGE_SIZE,
				 PAGE_SIZE, HYPERUPCALL_MAP_WRITE, &place);
		ASSERT_LT(0, region);
		was[!now] = READ_ONCE(*word[!now]);
		was[now] = READ_ONCE(*word[now]);
		WRITE_ONCE(race->place, place);
		WAIT_UNTIL(READ_ONCE(*word[now]) != was[now]);

		ASSERT_EQ(0, hup_unmap(h, region));
		was[now] = READ_ONCE(*word[now]);
		wait_for_runs(race);
		ASSERT_EQ(was[now], READ_ONCE(*word[now])) TH_LOG("%d", i);
		ASSERT_EQ(was[!now], READ_ONCE(*word[!now])) TH_LOG("%d", i);
	}
}

/* A region goes and another comes at once: nothing of the first is written. */
HUP_TEST(race, unmap_and_map)
{
	struct hup *h = self->h;
	struct race *race = self->race;
	uint64_t was, *word[2] = {
		h->data.hva + PAGE_SIZE, h->data.hva + 2 * PAGE_SIZE
	};
	long region = 0;
	uint32_t place;
	int i, now;

	for (i = 0; i < NR_UNMAPS; i++) {
		now = i % 2;
		if (region)
			ASSERT_EQ(0, hup_unmap(h, region));
		was = READ_ONCE(*word[!now]);
		region = hup_map(h, h->data.gva + (1 + now) * PAGE_SIZE,
				 PAGE_SIZE, HYPERUPCALL_MAP_WRITE, &place);
		ASSERT_LT(0, region);
		WRITE_ONCE(race->place, place);
		wait_for_runs(race);
		ASSERT_EQ(was, READ_ONCE(*word[!now])) TH_LOG("%d", i);
		ASSERT_LT(was, READ_ONCE(*word[now])) TH_LOG("%d", i);
	}
}

/*
 * The VMM takes the page away. If it is a page of its own that goes, another
 * one comes, which is never written; a memslot that goes leaves the page as it
 * is from then on.
 */
static void check_way(struct __test_metadata *_metadata, struct hup *h,
		      struct race *race, const struct way *way)
{
	struct hup_mem mem = add_slot_for(h, way);
	uint64_t was, *word = taken_page(&mem);
	uint32_t offset;
	long region;
	int i;

	memset(mem.hva, 0, mem.size);
	for (i = 0; i < (way->sync ? NR_SLOT_CHANGES : NR_TAKES); i++) {
		region = hup_map(h, mem.gva, mem.size, HYPERUPCALL_MAP_WRITE,
				 &offset);
		ASSERT_LT(0, region);
		was = READ_ONCE(*word);
		WRITE_ONCE(race->place, offset + TAKEN * PAGE_SIZE);
		WAIT_UNTIL(READ_ONCE(*word) != was);

		way->take(h, &mem);
		if (!way->sync) {
			/* What the VMM finds there now, or will find. */
			was = 0;
			if (i % 2 && !way->give_back)
				ASSERT_EQ(was, READ_ONCE(*word));
			WAIT_UNTIL(!READ_ONCE(race->seen));
			if (way->give_back)
				way->give_back(h, &mem);
			wait_for_runs(race);
		} else {
			was = READ_ONCE(*word);
			wait_for_runs(race);
			ASSERT_EQ(0, READ_ONCE(race->seen));
			ASSERT_EQ(was, READ_ONCE(*word)) TH_LOG("%d", i);
			way->give_back(h, &mem);
			wait_for_runs(race);
		}
		ASSERT_EQ(was, READ_ONCE(*word)) TH_LOG("%d", i);
		ASSERT_EQ(0, READ_ONCE(race->seen));
		ASSERT_EQ(0, hup_unmap(h, region));
	}
}

HUP_TEST(race, punch_hole)
{
	check_way(_metadata, self->h, self->race, &way_punch_hole);
}

HUP_TEST(race, dontneed)
{
	check_way(_metadata, self->h, self->race, &way_dontneed);
}

HUP_TEST(race, unmap_by_the_vmm)
{
	check_way(_metadata, self->h, self->race, &way_unmap);
}

HUP_TEST(race, delete_slot)
{
	check_way(_metadata, self->h, self->race, &way_delete_slot);
}

HUP_TEST(race, move_slot)
{
	check_way(_metadata, self->h, self->race, &way_move_slot);
}

/* What the VMM keeps stays in the window, without a gap. */
HUP_TEST(race, disturbed)
{
	struct hup *h = self->h;
	struct hup_mem mem = hup_add_slot(h, VM_MEM_SRC_ANONYMOUS, SLOT,
					  NR_PAGES, 0);
	struct hyperupcall_stats before, after;
	uint32_t offset;
	pid_t pid;
	int i;

	ASSERT_LT(0, hup_map(h, mem.gva, mem.size, HYPERUPCALL_MAP_WRITE,
			     &offset));
	WRITE_ONCE(self->race->place, offset + TAKEN * PAGE_SIZE);
	WAIT_UNTIL(READ_ONCE(*(uint64_t *)taken_page(&mem)));
	wait_for_runs(self->race);
	hup_stats(h, self->link, &before);

	for (i = 0; i < NR_DISTURBS; i++) {
		vm_mem_region_set_flags(h->vm, SLOT,
					i % 2 ? 0 : KVM_MEM_LOG_DIRTY_PAGES);
		ASSERT_EQ(0, mprotect(mem.hva, mem.size, PROT_READ));
		ASSERT_EQ(0, mprotect(mem.hva, mem.size,
				      PROT_READ | PROT_WRITE));
		ASSERT_EQ(0, madvise(mem.hva, mem.size, MADV_PAGEOUT));
		if (i % 10 == 0) {
			pid = fork();
			if (!pid)
				_exit(0);
			ASSERT_EQ(pid, waitpid(pid, NULL, 0));
		}
		wait_for_runs(self->race);
		ASSERT_NE(0, READ_ONCE(self->race->seen)) TH_LOG("%d", i);
	}
	hup_stats(h, self->link, &after);
	EXPECT_EQ(before.faults, after.faults);
	EXPECT_EQ(0, READ_ONCE(self->race->run.faults));
}

int main(int argc, char **argv)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_HYPERUPCALL));

	return test_harness_run(argc, argv);
}
