// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages are taken into use, written, checked and freed again while the host
 * reclaims them as fast as it can. Nothing that was written may be lost,
 * whoever writes: the guest, the VMM, or the kernel for the VMM.
 */
#include <fcntl.h>

#include "kvm_test_harness.h"
#include "reclaim_fixture.h"

#define NR_PAGES	256
#define NR_USED		128	/* of them at any time */
#define NR_WORDS	(PAGE_SIZE / sizeof(uint64_t))
#define ROUNDS		2000
#define NR_PAGEOUTS	1000	/* by the host meanwhile */

#define DISCARD		HYPERUPCALL_DISCARD

/* Writes @value to a page that was just taken into use. */
typedef void (*write_fn)(uint64_t *page, uint64_t value);

/**
 * struct owner - who takes pages into use
 * @free: for each page, where the program looks
 * @stride: from the answer to the first question to that to the others
 * @mem: the pages
 * @value: what was written to each page
 */
struct owner {
	uint8_t *free;
	unsigned long stride;
	uint64_t *mem;
	uint64_t value[NR_PAGES];
};

static uint64_t *page_of(struct owner *owner, unsigned int i)
{
	return owner->mem + i * NR_WORDS;
}

static void set_free(struct owner *owner, unsigned int i, uint8_t free)
{
	WRITE_ONCE(owner->free[i], free);
	WRITE_ONCE(owner->free[i + owner->stride], free);
}

static void write_words(uint64_t *page, uint64_t value)
{
	unsigned int i;

	for (i = 0; i < NR_WORDS; i++)
		WRITE_ONCE(page[i], value);
}

static bool has_words(uint64_t *page, uint64_t value)
{
	unsigned int i;

	for (i = 0; i < NR_WORDS; i++) {
		if (READ_ONCE(page[i]) != value)
			return false;
	}

	return true;
}

/* Page after page, the one that was taken longest ago is checked and freed. */
static uint64_t use_pages(struct owner *owner, write_fn write, uint64_t rounds)
{
	uint64_t lost = 0, n;
	unsigned int i;

	for (n = 0; n < rounds; n++) {
		i = n % NR_PAGES;
		set_free(owner, i, 0);
		owner->value[i] = n + 1;
		write(page_of(owner, i), n + 1);

		if (n < NR_USED)
			continue;
		i = (n - NR_USED) % NR_PAGES;
		lost += !has_words(page_of(owner, i), owner->value[i]);
		set_free(owner, i, DISCARD);
	}

	return lost;
}

static uint64_t guest_use_pages(uint64_t free, uint64_t mem, uint64_t rounds,
				uint64_t owner_gva)
{
	struct owner *owner = (struct owner *)owner_gva;

	owner->free = (uint8_t *)free;
	owner->stride = RECLAIM_ANSWERS;
	owner->mem = (uint64_t *)mem;
	return use_pages(owner, write_words, rounds);
}

static uint64_t in_guest(struct reclaim *r)
{
	return hup_guest(r->h, 0, guest_use_pages,
			 r->h->data.gva + offsetof(struct reclaim_data, first),
			 r->mem.gva, ROUNDS,
			 r->h->data.gva + 3 * PAGE_SIZE);
}

static uint64_t in_vmm_by(struct reclaim *r, write_fn write)
{
	struct owner owner = {
		.free = r->data->first,
		.stride = RECLAIM_ANSWERS,
		.mem = r->mem.hva,
	};

	return use_pages(&owner, write, ROUNDS);
}

static uint64_t in_vmm(struct reclaim *r)
{
	return in_vmm_by(r, write_words);
}

static int pipe_fds[2];

/* The kernel copies, as it does for a device's file. */
static void read_words(uint64_t *page, uint64_t value)
{
	uint64_t words[NR_WORDS];

	write_words(words, value);
	TEST_ASSERT(write(pipe_fds[1], words, PAGE_SIZE) == PAGE_SIZE &&
		    read(pipe_fds[0], page, PAGE_SIZE) == PAGE_SIZE, "pipe");
}

static uint64_t in_kernel(struct reclaim *r)
{
	uint64_t lost;

	TEST_ASSERT(!pipe(pipe_fds), "pipe");
	lost = in_vmm_by(r, read_words);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	return lost;
}

struct reclaimer {
	struct reclaim *r;
	pthread_t thread;
	unsigned int pageouts;
	bool stop;
};

/*
 * One page at a time: whoever has to wait for another page cannot take this one
 * into use just when the program is asked for it.
 */
static void *reclaimer_run(void *arg)
{
	struct reclaimer *reclaimer = arg;
	unsigned int i;

	kvm_pin_this_task_to_pcpu(1);
	while (!READ_ONCE(reclaimer->stop)) {
		i = reclaimer->pageouts % NR_PAGES;
		reclaim_pageout(reclaim_page(reclaimer->r, i), PAGE_SIZE);
		WRITE_ONCE(reclaimer->pageouts, reclaimer->pageouts + 1);
		usleep(1000);
	}
	return NULL;
}

FIXTURE(race) {
	struct reclaim *r;
	struct reclaimer reclaimer;
	unsigned long discarded;
};

FIXTURE_VARIANT(race) {
	enum vm_mem_backing_src_type type;
	uint64_t (*use)(struct reclaim *r);
};

FIXTURE_VARIANT_ADD(race, anonymous_guest) {
	.type = VM_MEM_SRC_ANONYMOUS, .use = in_guest,
};

FIXTURE_VARIANT_ADD(race, anonymous_vmm) {
	.type = VM_MEM_SRC_ANONYMOUS, .use = in_vmm,
};

FIXTURE_VARIANT_ADD(race, anonymous_kernel) {
	.type = VM_MEM_SRC_ANONYMOUS, .use = in_kernel,
};

FIXTURE_VARIANT_ADD(race, memfd_guest) {
	.type = VM_MEM_SRC_SHMEM, .use = in_guest,
};

FIXTURE_VARIANT_ADD(race, memfd_vmm) {
	.type = VM_MEM_SRC_SHMEM, .use = in_vmm,
};

FIXTURE_VARIANT_ADD(race, memfd_kernel) {
	.type = VM_MEM_SRC_SHMEM, .use = in_kernel,
};

FIXTURE_SETUP(race)
{
	struct reclaim *r = reclaim_create();
	int i;

	static_assert(sizeof(struct reclaim_data) <= 3 * PAGE_SIZE);
	static_assert(sizeof(struct owner) <= PAGE_SIZE);
	r->mem = hup_add_slot(r->h, variant->type, RECLAIM_SLOT, NR_PAGES, 0);
	reclaim_link_slow(r, RECLAIM_MAX_SPINS);
	for (i = 0; i < NR_PAGES; i++)
		reclaim_answer(r, i, DISCARD, DISCARD);
	self->r = r;
	self->reclaimer.r = r;
	self->discarded = reclaim_vmstat("pgdiscard");
	/* On one CPU nobody has a stale translation. */
	kvm_pin_this_task_to_pcpu(0);
	pthread_create(&self->reclaimer.thread, NULL, reclaimer_run,
		       &self->reclaimer);
}

FIXTURE_TEARDOWN(race)
{
	WRITE_ONCE(self->reclaimer.stop, true);
	pthread_join(self->reclaimer.thread, NULL);
	reclaim_free(self->r);
}

/* Whether anything is lost while the host takes so many pages. */
static bool loses(struct reclaimer *reclaimer,
		  uint64_t (*use)(struct reclaim *r))
{
	while (READ_ONCE(reclaimer->pageouts) < NR_PAGEOUTS) {
		if (use(reclaimer->r))
			return true;
	}

	return false;
}

HUP_TEST(race, nothing_is_lost)
{
	EXPECT_FALSE(loses(&self->reclaimer, variant->use));
	EXPECT_LT(self->discarded, reclaim_vmstat("pgdiscard"));
}

/* The test of the test: a guest that gives away what it uses. */
HUP_TEST(race, what_is_given_away_is_lost)
{
	struct reclaim *r = self->r;
	long prog = hup_load_return(r->h, DISCARD);

	ASSERT_EQ(r->link, hup_replace(r->h, prog, HYPERUPCALL_EVENT_RECLAIM,
				       r->link));
	EXPECT_TRUE(loses(&self->reclaimer, variant->use));
}

int main(int argc, char **argv)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_HYPERUPCALL));

	return test_harness_run(argc, argv);
}
