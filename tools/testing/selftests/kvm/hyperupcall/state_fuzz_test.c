// SPDX-License-Identifier: GPL-2.0-only
/*
 * Damaged states whose checksum is right. Each is refused, and then the VM has
 * nothing, or it is taken, and then the VM is in a state that can be saved and
 * restored like any other.
 *
 *	state_fuzz_test [COUNT [SEED]]
 *
 * or HUP_FUZZ_COUNT and HUP_FUZZ_SEED. The same seed makes the same states.
 */
#include <stdlib.h>

#include "fuzz_random.h"
#include "kselftest.h"
#include "state_util.h"

#define DEFAULT_COUNT	3000
#define FUZZ_MAX	(4 * sizeof(struct good_state))

/* The state that is changed, and what became of it. */
struct fuzz {
	struct hup *h;
	struct fuzz_random random;
	unsigned long locked;
	union {
		struct good_state good;
		uint64_t quads[FUZZ_MAX / 8];
		uint32_t words[FUZZ_MAX / 4];
		uint8_t bytes[FUZZ_MAX];
	};
	size_t size;
	uint64_t nr_taken;
	uint64_t nr_refused[4096];	/* by errno */
};

static uint64_t interesting(struct fuzz *f)
{
	static const uint64_t values[] = {
		0, 1, 2, 3, 4, 5, 7, 8, 9, 16, 0x7f, 0xff, 0x7fffffff,
		0x80000000, 0xffffffff, 0x100000000, ~0ULL, 1ULL << 52,
		1ULL << 63, GOOD_HOLED_AT, GOOD_WHOLE_AT, PAGE_SIZE,
		STATE_GFN, STATE_GFN + 1, STATE_GFN + STATE_SLOT_PAGES - 1,
		STATE_GFN_RO, STATE_GFN_NONE,
	};

	return fuzz_one_in(&f->random, 4) ? fuzz_next(&f->random) :
	       values[fuzz_below(&f->random, ARRAY_SIZE(values))];
}

/* Doubles or drops some of what is there. */
static void mutate_length(struct fuzz *f)
{
	uint32_t nr = f->size / 8, at = fuzz_below(&f->random, nr);
	uint32_t n = 1 + fuzz_below(&f->random, 12);

	if (n > nr - at)
		n = nr - at;
	if (fuzz_one_in(&f->random, 2)) {
		memmove(&f->quads[at], &f->quads[at + n], (nr - at - n) * 8);
		f->size -= n * 8;
	} else if (f->size + n * 8 <= FUZZ_MAX) {
		memmove(&f->quads[at + n], &f->quads[at], (nr - at) * 8);
		f->size += n * 8;
	}
	if (f->size < sizeof(f->good.header))
		f->size = sizeof(f->good.header);
}

static void mutate(struct fuzz *f)
{
	uint32_t at = fuzz_below(&f->random, f->size);

	switch (fuzz_below(&f->random, 6)) {
	case 0:
		f->bytes[at] ^= 1 << fuzz_below(&f->random, 8);
		break;
	case 1:
		f->quads[at / 8] = interesting(f);
		break;
	case 2:
		f->words[at / 4] = interesting(f);
		break;
	case 3:
		f->words[at / 4] += fuzz_below(&f->random, 9) - 4;
		break;
	case 4:
		f->quads[at / 8] =
			f->quads[fuzz_below(&f->random, f->size) / 8];
		break;
	case 5:
		mutate_length(f);
		break;
	}
}

/*
 * Magic, version and limits stay, mostly: there is little to find behind them.
 */
static void next_state(struct fuzz *f)
{
	int n = 1 + fuzz_below(&f->random, 3);

	memset(f->bytes, 0, FUZZ_MAX);
	good_state(&f->good);
	f->size = sizeof(f->good);
	while (n--)
		mutate(f);
	if (!fuzz_one_in(&f->random, 50)) {
		f->good.header.magic = KVM_HYPERUPCALL_STATE_MAGIC;
		f->good.header.version = KVM_HYPERUPCALL_STATE_VERSION;
		f->good.header.max_loops = 0;
		f->good.header.max_run_insns = 0;
		f->good.header.max_run_insns_global = 0;
		f->good.header.budget_ns = 0;
	}
	state_seal(f->bytes, f->size);
}

/* What was taken is saved, restored, saved again, and runs. */
static void check_taken(struct fuzz *f, uint64_t i)
{
	static union state first, second;
	uint64_t size = state_save(f->h, &first);
	struct hyperupcall_test_run run = {};
	struct hyperupcall_query q;
	long r;

	hup_query(f->h, &q);
	TEST_ASSERT(q.nr_progs == first.header.nr_progs &&
		    q.nr_regions == first.header.nr_regions &&
		    q.nr_links == first.header.nr_links, "%lu: QUERY", i);
	TEST_ASSERT(hup_locked_kb() == f->locked + q.mem / 1024,
		    "%lu: %lu kB locked, %llu bytes mapped", i,
		    hup_locked_kb() - f->locked, q.mem);
	if (q.nr_progs) {
		r = hup_test_run(f->h, *(uint32_t *)(&first.header + 1), &run);
		TEST_ASSERT(!r, "%lu: TEST_RUN returned %ld", i, r);
	}

	state_clear(f->h);
	r = state_set(f->h, &first, size);
	TEST_ASSERT(!r, "%lu: what was saved is refused with %ld", i, r);
	TEST_ASSERT(state_save(f->h, &second) == size &&
		    !memcmp(&first, &second, size), "%lu: another state", i);
	state_clear(f->h);
}

static void check_state(struct fuzz *f, uint64_t i)
{
	long r;

	next_state(f);
	r = state_set(f->h, f->bytes, f->size);
	if (r) {
		TEST_ASSERT(r != -ENOMEM && r != -EINTR && r != -EIO,
			    "%lu: error %ld", i, r);
		f->nr_refused[-r]++;
	} else {
		f->nr_taken++;
		check_taken(f, i);
	}
	TEST_ASSERT(state_nothing(f->h), "%lu: something is left", i);
	TEST_ASSERT(hup_locked_kb() == f->locked, "%lu: %lu kB are locked", i,
		    hup_locked_kb() - f->locked);
}

static uint64_t parameter(const char *arg, const char *name, uint64_t value)
{
	arg = arg ?: getenv(name);
	return arg ? strtoull(arg, NULL, 0) : value;
}

int main(int argc, char **argv)
{
	static struct fuzz f;
	uint64_t count, seed, i;

	TEST_REQUIRE(kvm_has_cap(KVM_CAP_HYPERUPCALL));

	count = parameter(argc > 1 ? argv[1] : NULL, "HUP_FUZZ_COUNT",
			  DEFAULT_COUNT);
	seed = parameter(argc > 2 ? argv[2] : NULL, "HUP_FUZZ_SEED", 1);
	ksft_print_header();
	ksft_set_plan(1);
	ksft_print_msg("%lu states, seed %lu\n", count, seed);

	f.h = hup_create(1);
	state_add_slots(f.h);
	f.locked = hup_locked_kb();
	fuzz_seed(&f.random, seed);
	for (i = 0; i < count; i++)
		check_state(&f, i);

	ksft_print_msg("%lu taken\n", f.nr_taken);
	for (i = 0; i < ARRAY_SIZE(f.nr_refused); i++) {
		if (f.nr_refused[i])
			ksft_print_msg("%lu refused: %s\n", f.nr_refused[i],
				       strerror(i));
	}
	/* A fuzzer that is always refused, or never, tests nothing. */
	ksft_test_result(f.nr_taken > count / 50 &&
			 f.nr_refused[EINVAL] > count / 50, "states\n");
	hup_free(f.h);
	ksft_finished();
}
