// SPDX-License-Identifier: GPL-2.0-only
/*
 * What MAP, UNMAP, LOAD, UNLOAD, a refused state and a memslot that goes cost CPUs
 * that have nothing to do with the VM: no interrupts. And yet no program sees a page that
 * has left the window, on whatever CPU it was seen before.
 */
#include <glob.h>
#include <time.h>

#include "kvm_test_harness.h"
#include "reclaim_fixture.h"
#include "state_util.h"
#include "window_programs.h"

/* The CPU that the tests run on, and one that runs nothing of them. */
#define BUSY_CPU	0
#define QUIET_CPU	1

#define NR_CALLS	1000

/* A host interrupts its CPUs for other reasons now and then. */
#define OTHER_INTERRUPTS	100

/* Function-call interrupts of a CPU: its column of a row in /proc/interrupts. */
static uint64_t function_calls(unsigned int cpu)
{
	FILE *f = fopen("/proc/interrupts", "r");
	char line[1024], *pos, *end;
	uint64_t n = 0;
	bool found = false;
	unsigned int i;

	TEST_ASSERT(f, "cannot read /proc/interrupts");
	while (!found && fgets(line, sizeof(line), f)) {
		pos = line + strspn(line, " ");
		if (strncmp(pos, "CAL:", 4))
			continue;
		for (i = 0, pos += 4; i <= cpu; i++, pos = end)
			n = strtoull(pos, &end, 10);
		found = true;
	}
	fclose(f);
	TEST_ASSERT(found, "no CAL in /proc/interrupts");
	return n;
}

static bool is_rcu(const char *comm)
{
	FILE *f = fopen(comm, "r");
	char name[32] = "";
	bool is;

	if (!f)
		return false;
	is = fgets(name, sizeof(name), f) &&
	     (!strcmp(name, "rcu_sched\n") || !strcmp(name, "rcu_preempt\n"));
	fclose(f);
	return is;
}

/* The thread that drives RCU's grace periods. */
static pid_t rcu_thread(void)
{
	pid_t pid = 0;
	glob_t found;
	size_t i;

	TEST_ASSERT(!glob("/proc/[0-9]*/comm", 0, NULL, &found),
		    "cannot read /proc");
	for (i = 0; i < found.gl_pathc && !pid; i++) {
		if (is_rcu(found.gl_pathv[i]))
			pid = atoi(found.gl_pathv[i] + strlen("/proc/"));
	}
	globfree(&found);
	TEST_ASSERT(pid, "RCU has no thread");
	return pid;
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return timespec_to_ns(ts);
}

/* The calls that a guest makes over and over. */
struct calls {
	struct hyperupcall_map map;
	struct hyperupcall_unmap unmap;
};

static uint64_t guest_fail_to_map(uint64_t gva, uint64_t n, uint64_t a2,
				  uint64_t a3)
{
	struct calls *c = (struct calls *)gva;
	uint64_t i;

	for (i = 0; i < n; i++) {
		if (kvm_hypercall(KVM_HC_HYPERUPCALL, HYPERUPCALL_MAP,
				  (uintptr_t)&c->map, sizeof(c->map), 0) !=
		    -EFAULT)
			break;
	}
	return i;
}

static uint64_t guest_map_and_unmap(uint64_t gva, uint64_t n, uint64_t a2,
				    uint64_t a3)
{
	struct calls *c = (struct calls *)gva;
	uint64_t i;

	for (i = 0; i < n; i++) {
		if (kvm_hypercall(KVM_HC_HYPERUPCALL, HYPERUPCALL_MAP,
				  (uintptr_t)&c->map, sizeof(c->map), 0))
			break;
		c->unmap.region = c->map.region;
		if (kvm_hypercall(KVM_HC_HYPERUPCALL, HYPERUPCALL_UNMAP,
				  (uintptr_t)&c->unmap, sizeof(c->unmap), 0))
			break;
	}
	return i;
}

/* RCU's thread, and the CPUs that it may run on without this test. */
struct rcu {
	pid_t pid;
	cpu_set_t cpus;
};

/*
 * Each UNLOAD waits for grace periods, whose thread is woken with an interrupt of
 * the CPU that it ran on last. The test lets that be its own.
 */
static void pin_rcu(struct rcu *rcu)
{
	cpu_set_t busy;

	CPU_ZERO(&busy);
	CPU_SET(BUSY_CPU, &busy);
	rcu->pid = rcu_thread();
	TEST_ASSERT(!sched_getaffinity(rcu->pid, sizeof(rcu->cpus), &rcu->cpus) &&
		    !sched_setaffinity(rcu->pid, sizeof(busy), &busy),
		    "cannot move RCU's thread");
}

FIXTURE(quiet) {
	struct hup *h;
	struct hup_mem mem;
	struct calls *calls;
	struct rcu rcu;
	uint64_t start_ns;
	uint64_t before;
};

FIXTURE_SETUP(quiet)
{
	struct hup *h;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		SKIP(return, "the host has one CPU");
	kvm_pin_this_task_to_pcpu(BUSY_CPU);
	pin_rcu(&self->rcu);
	h = hup_create(1);
	self->h = h;
	self->mem = hup_add_slot(h, VM_MEM_SRC_ANONYMOUS, STATE_SLOT,
				 STATE_SLOT_PAGES, 0);
	memset(self->mem.hva, 1, self->mem.size);
	self->calls = h->data.hva;
	self->calls->map = (struct hyperupcall_map) {
		.gva = self->mem.gva,
		.size = PAGE_SIZE,
	};
	/* What happens the first time only has happened. */
	ASSERT_EQ(1, hup_guest(h, 0, guest_map_and_unmap, h->data.gva, 1, 0, 0));
	self->start_ns = now_ns();
	self->before = function_calls(QUIET_CPU);
}

/* At most ten a second for the VM. */
FIXTURE_TEARDOWN(quiet)
{
	uint64_t seconds = (now_ns() - self->start_ns) / 1000000000;
	uint64_t n = function_calls(QUIET_CPU) - self->before;

	EXPECT_GT(OTHER_INTERRUPTS + 10 * seconds, n);
	TH_LOG("%lu function-call interrupts in %lu s", n, seconds);
	hup_free(self->h);
	sched_setaffinity(self->rcu.pid, sizeof(self->rcu.cpus), &self->rcu.cpus);
}

HUP_TEST(quiet, map_that_fails)
{
	struct hup *h = self->h;

	self->calls->map.gva = HUP_UNMAPPED_GVA;
	EXPECT_EQ(NR_CALLS, hup_guest(h, 0, guest_fail_to_map, h->data.gva,
				      NR_CALLS, 0, 0));
}

/* The second page is missing. */
HUP_TEST(quiet, map_that_fails_late)
{
	struct hup *h = self->h;

	self->calls->map.size = 2 * PAGE_SIZE;
	*vm_get_page_table_entry(h->vm, self->mem.gva + PAGE_SIZE) = 0;
	EXPECT_EQ(NR_CALLS, hup_guest(h, 0, guest_fail_to_map, h->data.gva,
				      NR_CALLS, 0, 0));
}

HUP_TEST(quiet, map_and_unmap)
{
	struct hup *h = self->h;

	EXPECT_EQ(NR_CALLS, hup_guest(h, 0, guest_map_and_unmap, h->data.gva,
				      NR_CALLS, 0, 0));
}

#define NR_LOADS	200

/*
 * A program that comes and goes. Its memory is given back after a grace period:
 * the next one comes when that is over, and finds no other program in the host,
 * since the tests' host has none of its own.
 */
HUP_TEST(quiet, load_and_unload)
{
	struct hup *h = self->h;
	int i;

	for (i = 0; i < NR_LOADS; i++) {
		ASSERT_EQ(0, hup_unload(h, hup_load_return(h, 0)));
		usleep(30000);
	}
}

/* A state of many regions, of which the last is none. */
#define NR_REGIONS	64

struct regions_state {
	struct kvm_hyperupcall_state_header header;
	struct {
		struct kvm_hyperupcall_state_region region;
		struct kvm_hyperupcall_state_extent extent;
	} regions[NR_REGIONS];
};

HUP_TEST(quiet, state_with_a_bad_end)
{
	struct regions_state s = {
		.header = {
			.magic = KVM_HYPERUPCALL_STATE_MAGIC,
			.version = KVM_HYPERUPCALL_STATE_VERSION,
			.nr_regions = NR_REGIONS,
			.next_region = NR_REGIONS + 1,
		},
	};
	int i;

	for (i = 0; i < NR_REGIONS; i++) {
		s.regions[i].region = (struct kvm_hyperupcall_state_region) {
			.id = i + 1,
			.offset = (i + 1) * PAGE_SIZE,
			.nr_pages = 1,
			.nr_extents = 1,
		};
		s.regions[i].extent = (struct kvm_hyperupcall_state_extent) {
			.nr_pages = 1,
			.gfn = STATE_GFN + i % STATE_SLOT_PAGES,
		};
	}
	s.regions[NR_REGIONS - 1].extent.gfn = STATE_GFN_NONE;
	state_seal(&s, sizeof(s));
	for (i = 0; i < NR_CALLS / NR_REGIONS; i++)
		EXPECT_EQ(-EFAULT, state_set(self->h, &s, sizeof(s)));
	EXPECT_EQ(true, state_nothing(self->h));
}

/* The VMM takes a memslot away, and each page of it is a region. */
HUP_TEST(quiet, memslot_deleted)
{
	long region[STATE_SLOT_PAGES];
	struct hup *h = self->h;
	int i, round;

	for (round = 0; round < 4; round++) {
		for (i = 0; i < STATE_SLOT_PAGES; i++) {
			region[i] = hup_map(h, self->mem.gva + i * PAGE_SIZE,
					    PAGE_SIZE, 0, NULL);
			ASSERT_LT(0, region[i]);
		}
		vm_mem_region_delete(h->vm, STATE_SLOT);
		for (i = 0; i < STATE_SLOT_PAGES; i++)
			ASSERT_EQ(0, hup_unmap(h, region[i]));
		self->mem = hup_add_slot(h, VM_MEM_SRC_ANONYMOUS, STATE_SLOT,
					 STATE_SLOT_PAGES, 0);
	}
}

/* Two pages of a VM that reclaim asks about one after the other. */
struct pageout {
	struct reclaim *r;
	int step;
};

/* A program that loads from one page, asked by reclaim, and its CPU. */
FIXTURE(stale) {
	struct pageout pageout;
	struct hup_mem mem;
	long region;
	long link;
};

FIXTURE_SETUP(stale)
{
	struct hup_asm a = {};
	struct reclaim *r;
	uint32_t offset;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		SKIP(return, "the host has one CPU");
	kvm_pin_this_task_to_pcpu(BUSY_CPU);
	r = reclaim_create();
	self->pageout.r = r;
	r->mem = hup_add_slot(r->h, VM_MEM_SRC_ANONYMOUS, RECLAIM_SLOT, 2, 0);
	self->mem = hup_add_slot(r->h, VM_MEM_SRC_ANONYMOUS, RECLAIM_SLOT + 1,
				 1, 0);
	reclaim_fill(r);
	self->region = hup_map(r->h, self->mem.gva, PAGE_SIZE, 0, &offset);
	ASSERT_LT(0, self->region);
	hup_emit_address(&a, BPF_REG_2, offset);
	hup_emit(&a, BPF_LDX_MEM(BPF_DW, BPF_REG_3, BPF_REG_2, 0));
	hup_emit_return(&a, HYPERUPCALL_NO_OPINION);
	self->link = hup_link(r->h, hup_load_global(r->h, a.insns, a.cnt),
			      HYPERUPCALL_EVENT_RECLAIM);
	ASSERT_LT(0, self->link);
}

FIXTURE_TEARDOWN(stale)
{
	reclaim_free(self->pageout.r);
}

/*
 * The CPU does nothing else between the two runs, so that its TLB keeps what it
 * has: the thread spins.
 */
static void *pageout_twice(void *arg)
{
	struct pageout *p = arg;

	kvm_pin_this_task_to_pcpu(QUIET_CPU);
	reclaim_pageout(reclaim_page(p->r, 0), PAGE_SIZE);
	WRITE_ONCE(p->step, 1);
	while (READ_ONCE(p->step) != 2)
		cpu_relax();
	reclaim_pageout(reclaim_page(p->r, 1), PAGE_SIZE);
	return NULL;
}

HUP_TEST(stale, unmap)
{
	struct hyperupcall_stats before, after;
	struct pageout *p = &self->pageout;
	struct hup *h = p->r->h;
	pthread_t thread;

	ASSERT_EQ(0, pthread_create(&thread, NULL, pageout_twice, p));
	while (READ_ONCE(p->step) != 1)
		usleep(1000);
	hup_stats(h, self->link, &before);
	EXPECT_LT(0, before.runs);
	EXPECT_EQ(0, before.faults);
	EXPECT_EQ(0, hup_unmap(h, self->region));
	WRITE_ONCE(p->step, 2);
	pthread_join(thread, NULL);
	hup_stats(h, self->link, &after);
	EXPECT_LT(before.runs, after.runs);
	EXPECT_EQ(after.runs - before.runs, after.faults);
}

int main(int argc, char **argv)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_HYPERUPCALL));

	return test_harness_run(argc, argv);
}
