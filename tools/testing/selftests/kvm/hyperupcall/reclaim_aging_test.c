// SPDX-License-Identifier: GPL-2.0-only
/*
 * The AGING event: what a program says of the age of pages counts where the host
 * only looks, as idle page tracking does, and must not keep them from reclaim.
 * All that is reclaimed here is discarded, and so counted.
 */
#include "kvm_test_harness.h"
#include "reclaim_cgroup.h"
#include "reclaim_fixture.h"

#define NR_PAGES	64
#define TIMES		4

FIXTURE(aging) {
	struct reclaim *r;
	unsigned long discarded;
};

FIXTURE_VARIANT(aging) {
	const char *lru_gen;
};

FIXTURE_VARIANT_ADD(aging, lru) { .lru_gen = "0" };
FIXTURE_VARIANT_ADD(aging, mglru) { .lru_gen = "7" };

FIXTURE_SETUP(aging)
{
	struct reclaim *r;
	int i;

	reclaim_set_lru_gen(variant->lru_gen);
	reclaim_cgroup_enter();
	r = reclaim_create();
	r->mem = hup_add_slot(r->h, VM_MEM_SRC_ANONYMOUS, RECLAIM_SLOT,
			      NR_PAGES, 0);
	reclaim_fill(r);
	reclaim_link(r);
	for (i = 0; i < NR_PAGES; i++)
		reclaim_answer(r, i, HYPERUPCALL_DISCARD, HYPERUPCALL_DISCARD);
	self->r = r;
	self->discarded = reclaim_vmstat("pgdiscard");
}

FIXTURE_TEARDOWN(aging)
{
	reclaim_free(self->r);
	reclaim_set_lru_gen("0");
}

/* Where idle page tracking's bitmap has a page. */
struct idle_word {
	off_t pos;
	uint64_t bit;
};

static struct idle_word idle_word(void *page)
{
	uint64_t entry;
	int fd = open("/proc/self/pagemap", O_RDONLY);

	TEST_ASSERT(fd >= 0 &&
		    pread(fd, &entry, sizeof(entry),
			  (uintptr_t)page / PAGE_SIZE * sizeof(entry)) ==
		    sizeof(entry), "/proc/self/pagemap");
	close(fd);
	entry &= GENMASK_ULL(54, 0);
	TEST_ASSERT(entry, "the page has a frame");
	return (struct idle_word) {
		.pos = entry / 64 * sizeof(entry),
		.bit = BIT_ULL(entry % 64),
	};
}

static int open_idle_bitmap(void)
{
	int fd = open("/sys/kernel/mm/page_idle/bitmap", O_RDWR);

	TEST_ASSERT(fd >= 0, "idle page tracking");
	return fd;
}

static void set_idle(void *page)
{
	struct idle_word word = idle_word(page);
	int fd = open_idle_bitmap();

	TEST_ASSERT(pwrite(fd, &word.bit, sizeof(word.bit), word.pos) ==
		    sizeof(word.bit), "setting a page idle");
	close(fd);
}

static bool is_idle(void *page)
{
	struct idle_word word = idle_word(page);
	int fd = open_idle_bitmap();
	uint64_t bits;

	TEST_ASSERT(pread(fd, &bits, sizeof(bits), word.pos) == sizeof(bits),
		    "reading whether a page is idle");
	close(fd);
	return bits & word.bit;
}

static uint64_t guest_read_pages(uint64_t gva, uint64_t nr, uint64_t a2,
				 uint64_t a3)
{
	uint64_t i, sum = 0;

	for (i = 0; i < nr; i++)
		sum += READ_ONCE(*(uint64_t *)(gva + i * PAGE_SIZE));
	return sum;
}

/* The pages that the guest reads, of @NR_IDLE. */
#define NR_READ		4
#define NR_IDLE		8

/* How many of the pages that were read are idle then, and of the others. */
static void count_idle(struct reclaim *r, int *read, int *others)
{
	int i;

	/* The host looks at pages that are on a list; some are on their way. */
	kvm_pin_this_task_to_pcpu(0);
	reclaim_fill(r);
	TEST_ASSERT(!madvise(r->data, PAGE_SIZE, MADV_COLD), "MADV_COLD");
	/* So that the next time it has nothing to fault in. */
	hup_guest(r->h, 0, guest_read_pages, r->mem.gva, NR_IDLE, 0, 0);

	for (i = 0; i < NR_IDLE; i++)
		set_idle(reclaim_page(r, i));
	hup_guest(r->h, 0, guest_read_pages, r->mem.gva, NR_READ, 0, 0);

	*read = 0;
	*others = 0;
	for (i = 0; i < NR_READ; i++)
		*read += is_idle(reclaim_page(r, i));
	for (; i < NR_IDLE; i++)
		*others += is_idle(reclaim_page(r, i));
}

static void link_aging(struct reclaim *r, int answer)
{
	TEST_ASSERT(hup_link(r->h, hup_load_return(r->h, answer),
			     HYPERUPCALL_EVENT_AGING) > 0, "LINK");
}

HUP_TEST(aging, without_a_program)
{
	int read, others;

	count_idle(self->r, &read, &others);
	EXPECT_EQ(0, read);
	EXPECT_EQ(NR_IDLE - NR_READ, others);
}

HUP_TEST(aging, no_opinion)
{
	int read, others;

	link_aging(self->r, HYPERUPCALL_NO_OPINION);
	count_idle(self->r, &read, &others);
	EXPECT_EQ(0, read);
	EXPECT_EQ(NR_IDLE - NR_READ, others);
}

HUP_TEST(aging, old)
{
	int read, others;

	link_aging(self->r, HYPERUPCALL_OLD);
	count_idle(self->r, &read, &others);
	EXPECT_EQ(NR_READ, read);
	EXPECT_EQ(NR_IDLE - NR_READ, others);
}

HUP_TEST(aging, young)
{
	int read, others;

	link_aging(self->r, HYPERUPCALL_YOUNG);
	count_idle(self->r, &read, &others);
	EXPECT_EQ(0, read);
	EXPECT_EQ(0, others);
}

HUP_TEST(aging, unused)
{
	reclaim_cgroup(TIMES);
	EXPECT_LT(self->discarded, reclaim_vmstat("pgdiscard"));
}

/* A guest cannot keep all of its memory by saying so. */
HUP_TEST(aging, young_is_no_lock)
{
	struct hyperupcall_stats stats;
	struct hup *h = self->r->h;
	long link = hup_link(h, hup_load_return(h, HYPERUPCALL_YOUNG),
			     HYPERUPCALL_EVENT_AGING);

	ASSERT_LT(0, link);
	reclaim_cgroup(TIMES);
	EXPECT_LT(self->discarded, reclaim_vmstat("pgdiscard"));
	hup_stats(h, link, &stats);
	EXPECT_LT(0, stats.opinions);
}

/* Where a slow program counts its beginnings and its ends. */
#define BEGUN		(2 * PAGE_SIZE)
#define ENDED		(BEGUN + sizeof(uint64_t))

static long link_slow_counter(struct reclaim *r)
{
	struct hup_asm a = {};
	long prog;
	int i;

	hup_emit_count(&a, r->offset + BEGUN);
	/* The verifier follows the end of the loop after each turn: there are few. */
	hup_emit(&a, BPF_MOV64_IMM(BPF_REG_4, 400));
	for (i = 0; i < 40; i++)
		hup_emit(&a, BPF_MOV64_IMM(BPF_REG_5, 0));
	hup_emit(&a, BPF_ALU64_IMM(BPF_SUB, BPF_REG_4, 1));
	hup_emit(&a, BPF_JMP_IMM(BPF_JNE, BPF_REG_4, 0, -42));
	hup_emit_count(&a, r->offset + ENDED);
	hup_emit_return(&a, HYPERUPCALL_YOUNG);
	prog = hup_load_global(r->h, a.insns, a.cnt);
	TEST_ASSERT(prog > 0, "LOAD returned %ld", prog);
	return hup_link(r->h, prog, HYPERUPCALL_EVENT_AGING);
}

/* A host that looks at the age of a page over and over. */
struct ager {
	struct reclaim *r;
	pthread_t thread;
	uint64_t rounds;
	bool stop;
};

static void *ager_run(void *arg)
{
	struct ager *ager = arg;

	kvm_pin_this_task_to_pcpu(1);
	while (!READ_ONCE(ager->stop)) {
		set_idle(reclaim_page(ager->r, 0));
		is_idle(reclaim_page(ager->r, 0));
		WRITE_ONCE(ager->rounds, ager->rounds + 1);
	}
	return NULL;
}

static void ager_wait(struct ager *ager, uint64_t rounds)
{
	uint64_t end = READ_ONCE(ager->rounds) + rounds;

	while (READ_ONCE(ager->rounds) < end)
		usleep(1000);
}

/*
 * Nothing runs when the last vCPU has left KVM_RUN, nothing begins, and what
 * had begun has ended, stores and all.
 */
HUP_TEST(aging, stopped_vcpus)
{
	uint64_t *begun = (void *)self->r->data + BEGUN, *ended = begun + 1;
	struct ager ager = { .r = self->r };
	uint64_t before;
	int i, ms;

	static_assert(sizeof(struct reclaim_data) <= BEGUN);
	ASSERT_LT(0, link_slow_counter(self->r));
	kvm_pin_this_task_to_pcpu(0);
	reclaim_fill(self->r);
	ASSERT_EQ(0, madvise(self->r->data, PAGE_SIZE, MADV_COLD));
	ASSERT_EQ(0, pthread_create(&ager.thread, NULL, ager_run, &ager));
	for (i = 0; i < 20; i++) {
		/* Its time of a second may be used up. */
		before = READ_ONCE(*begun);
		for (ms = 0; ms < 10000 && READ_ONCE(*begun) == before; ms++)
			usleep(1000);
		ASSERT_LT(before, READ_ONCE(*begun)) TH_LOG("round %d", i);

		reclaim_stop(self->r);
		before = READ_ONCE(*begun);
		EXPECT_EQ(before, READ_ONCE(*ended)) TH_LOG("round %d", i);
		ager_wait(&ager, 2);
		EXPECT_EQ(before, READ_ONCE(*begun)) TH_LOG("round %d", i);
		reclaim_run(self->r);
	}
	WRITE_ONCE(ager.stop, true);
	pthread_join(ager.thread, NULL);
}

int main(int argc, char **argv)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_HYPERUPCALL));

	return test_harness_run(argc, argv);
}
