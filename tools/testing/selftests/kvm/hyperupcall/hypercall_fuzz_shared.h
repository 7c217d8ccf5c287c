/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the halves of the hypercall fuzzer share: the guest, that makes calls,
 * and the VMM, that prepares it and looks at the end.
 */
#ifndef SELFTEST_KVM_HYPERUPCALL_HYPERCALL_FUZZ_SHARED_H
#define SELFTEST_KVM_HYPERUPCALL_HYPERCALL_FUZZ_SHARED_H

#include "fuzz_random.h"
#include "hyperupcall_util.h"
#include "opcodes.h"

#define FUZZ_VCPUS	4

/* IPIs that the vCPUs send to each other. */
#define FUZZ_VECTOR	0xa0
#define FUZZ_VECTORS	16

/*
 * The arena, guest memory in pages: first what programs may write, then each
 * vCPU's own pages. Nothing else of the guest is above FUZZ_ARENA_MIN.
 */
#define FUZZ_ARENA_MIN	BIT_ULL(30)
#define FUZZ_DATA_PAGES	16

/* Data pages that the guest's page tables make a read-only one and a hole. */
#define FUZZ_DATA_READ_ONLY	14
#define FUZZ_DATA_HOLE		15

/* A vCPU's own pages: its structs are in the first four. */
enum fuzz_own_page {
	FUZZ_STRUCT,
	FUZZ_STRUCT_2,
	FUZZ_STRUCT_READ_ONLY,
	FUZZ_STRUCT_LAST,
	FUZZ_STRUCT_HOLE,
	FUZZ_INSNS,
	FUZZ_LOG,
	FUZZ_LOG_HOLE = FUZZ_LOG + 4,
	FUZZ_OWN_PAGES = 16,
};

#define FUZZ_LOG_SIZE	((FUZZ_LOG_HOLE - FUZZ_LOG) * 4096)
#define FUZZ_ARENA_PAGES (FUZZ_DATA_PAGES + FUZZ_VCPUS * FUZZ_OWN_PAGES)

/* Results are counted by opcode, unknown ones in the last row, and errno. */
#define FUZZ_MAX_ERRNO	133

/* Ids that calls returned; some are gone by now. */
#define FUZZ_IDS	64

struct fuzz_ids {
	uint32_t ids[FUZZ_IDS];
	uint32_t max;
};

struct fuzz_call {
	uint64_t op;
	uint64_t gva;
	uint64_t size;
	uint64_t a3;
	int64_t r;
};

/* What is wrong with a call's outcome. */
enum fuzz_finding {
	FUZZ_NO_FINDING,
	FUZZ_BAD_ERROR,
	FUZZ_BAD_OUTPUT,
	FUZZ_OUTPUT_ON_ERROR,
	FUZZ_LEAK_IN_STRUCT,
	FUZZ_LEAK_IN_LOG,
	FUZZ_NOT_REMOVED,
};

struct fuzz_vcpu {
	struct fuzz_random random;
	uint64_t base;
	uint64_t irqs;
	struct fuzz_call call;
	union hup_args args;	/* what the call is given */
	union hup_args after;	/* what it leaves there */
	bool readable;		/* whether the guest can see that */
	bool writable;		/* whether the host can write all of it */
	enum fuzz_finding finding;
	uint64_t value;
	uint32_t results[HUP_NR_OPS + 1][FUZZ_MAX_ERRNO + 1];
};

/* The guest has its own copy of this. */
struct fuzz_guest {
	uint64_t arena;
	struct fuzz_ids progs;
	struct fuzz_ids links;
	struct fuzz_ids regions;
	uint32_t offsets[FUZZ_IDS];
	struct fuzz_vcpu vcpus[FUZZ_VCPUS];
};

static struct fuzz_guest fuzz_guest;

#endif /* SELFTEST_KVM_HYPERUPCALL_HYPERCALL_FUZZ_SHARED_H */
