/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Random numbers for the fuzzers, in the guest and in the VMM alike: the same
 * seed gives the same numbers everywhere.
 */
#ifndef SELFTEST_KVM_HYPERUPCALL_FUZZ_RANDOM_H
#define SELFTEST_KVM_HYPERUPCALL_FUZZ_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

struct fuzz_random {
	uint64_t state;
};

/* splitmix64, so that seeds that differ in one bit give unlike sequences. */
static inline void fuzz_seed(struct fuzz_random *r, uint64_t seed)
{
	uint64_t z = seed + 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	z ^= z >> 31;
	/* The one state that xorshift never leaves. */
	r->state = z ? z : 1;
}

/* xorshift64* */
static inline uint64_t fuzz_next(struct fuzz_random *r)
{
	r->state ^= r->state >> 12;
	r->state ^= r->state << 25;
	r->state ^= r->state >> 27;
	return r->state * 0x2545f4914f6cdd1dULL;
}

/* Less than @n, which is not zero; the high bits are the better ones. */
static inline uint32_t fuzz_below(struct fuzz_random *r, uint32_t n)
{
	return (fuzz_next(r) >> 32) % n;
}

static inline bool fuzz_one_in(struct fuzz_random *r, uint32_t n)
{
	return !fuzz_below(r, n);
}

#endif /* SELFTEST_KVM_HYPERUPCALL_FUZZ_RANDOM_H */
