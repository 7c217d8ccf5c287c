/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Somebody who takes pages into use, writes, checks and frees them again, and a
 * host that reclaims them meanwhile.
 */
#ifndef SELFTEST_KVM_HYPERUPCALL_RECLAIM_OWNER_H
#define SELFTEST_KVM_HYPERUPCALL_RECLAIM_OWNER_H

#include "reclaim_fixture.h"

#define OWNER_PAGES	256
#define OWNER_USED	128	/* of them at any time */
#define OWNER_WORDS	(PAGE_SIZE / sizeof(uint64_t))

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
	uint64_t value[OWNER_PAGES];
};

/* Takes a page into use and fills it; false if that got lost on the way. */
typedef bool (*owner_fill_fn)(struct owner *owner, unsigned int i,
			      uint64_t value);

static inline uint64_t *owner_page(struct owner *owner, unsigned int i)
{
	return owner->mem + i * OWNER_WORDS;
}

static inline void owner_set_free(struct owner *owner, unsigned int i,
				  uint8_t free)
{
	WRITE_ONCE(owner->free[i], free);
	WRITE_ONCE(owner->free[i + owner->stride], free);
}

static inline void write_words(uint64_t *page, uint64_t value)
{
	unsigned int i;

	for (i = 0; i < OWNER_WORDS; i++)
		WRITE_ONCE(page[i], value);
}

static inline bool has_words(uint64_t *page, uint64_t value)
{
	unsigned int i;

	for (i = 0; i < OWNER_WORDS; i++) {
		if (READ_ONCE(page[i]) != value)
			return false;
	}

	return true;
}

static inline bool owner_fill(struct owner *owner, unsigned int i,
			      uint64_t value)
{
	owner_set_free(owner, i, 0);
	write_words(owner_page(owner, i), value);
	return true;
}

static inline bool owner_has(struct owner *owner, unsigned int i)
{
	return has_words(owner_page(owner, i), owner->value[i]);
}

/* Round @n: the page that was taken longest ago is checked and freed. */
static inline bool owner_uses(struct owner *owner, owner_fill_fn fill,
			      uint64_t n)
{
	unsigned int i = n % OWNER_PAGES;
	bool same;

	owner->value[i] = n + 1;
	same = fill(owner, i, n + 1);
	if (n < OWNER_USED)
		return same;

	i = (n - OWNER_USED) % OWNER_PAGES;
	same &= owner_has(owner, i);
	owner_set_free(owner, i, HYPERUPCALL_DISCARD);
	return same;
}

static inline void owner_init_vmm(struct owner *owner, struct reclaim *r)
{
	memset(owner, 0, sizeof(*owner));
	owner->free = r->data->first;
	owner->stride = RECLAIM_ANSWERS;
	owner->mem = r->mem.hva;
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
static inline void *reclaimer_run(void *arg)
{
	struct reclaimer *reclaimer = arg;
	unsigned int i;

	kvm_pin_this_task_to_pcpu(1);
	while (!READ_ONCE(reclaimer->stop)) {
		i = reclaimer->pageouts % OWNER_PAGES;
		reclaim_pageout(reclaim_page(reclaimer->r, i), PAGE_SIZE);
		WRITE_ONCE(reclaimer->pageouts, reclaimer->pageouts + 1);
		usleep(1000);
	}
	return NULL;
}

/* A slow program that calls all memory free, and somebody who wants it back. */
static inline void reclaimer_start(struct reclaimer *reclaimer,
				   struct reclaim *r)
{
	int i;

	reclaim_link_slow(r, RECLAIM_MAX_SPINS);
	for (i = 0; i < OWNER_PAGES; i++)
		reclaim_answer(r, i, HYPERUPCALL_DISCARD, HYPERUPCALL_DISCARD);

	memset(reclaimer, 0, sizeof(*reclaimer));
	reclaimer->r = r;
	/* On one CPU nobody has a stale translation. */
	kvm_pin_this_task_to_pcpu(0);
	pthread_create(&reclaimer->thread, NULL, reclaimer_run, reclaimer);
}

static inline void reclaimer_stop(struct reclaimer *reclaimer)
{
	WRITE_ONCE(reclaimer->stop, true);
	pthread_join(reclaimer->thread, NULL);
}

#endif /* SELFTEST_KVM_HYPERUPCALL_RECLAIM_OWNER_H */
