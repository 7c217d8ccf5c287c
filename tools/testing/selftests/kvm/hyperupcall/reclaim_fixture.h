/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A VM whose guest has a word for each page of a memslot that says what it
 * would answer if the host wanted the page, and a program that looks there.
 */
#ifndef SELFTEST_KVM_HYPERUPCALL_RECLAIM_FIXTURE_H
#define SELFTEST_KVM_HYPERUPCALL_RECLAIM_FIXTURE_H

#include <sys/mman.h>

#include "hyperupcall_util.h"

/* The vCPU that keeps the guest running, as far as the host can tell. */
#define RECLAIM_SLEEPER	1

#define RECLAIM_SLOT	10
#define RECLAIM_GFN	(((1ULL << 30) + (RECLAIM_SLOT << 24)) >> PAGE_SHIFT)
#define RECLAIM_PAGES	512

/* Answers: one for each page, and one for several pages at once. */
#define RECLAIM_MANY	RECLAIM_PAGES
#define RECLAIM_ANSWERS	(RECLAIM_PAGES + 1)

/**
 * struct reclaim_data - what guest and program share
 * @asked: how often the program was asked
 * @first: the answer to the first question
 * @later: the answer to the others
 * @ctx: the last event
 */
struct reclaim_data {
	uint64_t asked[RECLAIM_ANSWERS];
	uint8_t first[RECLAIM_ANSWERS];
	uint8_t later[RECLAIM_ANSWERS];
	struct hyperupcall_ctx ctx __aligned(8);
};

#define RECLAIM_AT(offset, field) \
	((offset) + offsetof(struct reclaim_data, field))

#define RECLAIM_IDLE	BPF_MOV64_IMM(BPF_REG_2, 0)

/* The verifier follows so many jumps and no more. */
#define RECLAIM_MAX_SPINS	8000

struct reclaim {
	struct hup *h;
	struct reclaim_data *data;
	uint32_t offset;
	struct hup_mem mem;
	long prog;
	long link;
};

/*
 * Answers as struct reclaim_data says, after a while that others may use to make
 * the answer wrong.
 */
static inline long reclaim_load(struct hup *h, uint32_t offset, int spins)
{
	const struct bpf_insn insns[] = {
		/* r6 = the first page, r7 = how many */
		HUP_DATA(BPF_REG_6, BPF_REG_1, 0),
		HUP_DATA(BPF_REG_7, BPF_REG_1, 1),
		BPF_MOV32_IMM(BPF_REG_2, RECLAIM_AT(offset, ctx)),
		HUP_WINDOW(BPF_REG_2, BPF_REG_2),
		BPF_LDX_MEM(BPF_DW, BPF_REG_3, BPF_REG_1, 0),
		BPF_STX_MEM(BPF_DW, BPF_REG_2, BPF_REG_3, 0),
		BPF_STX_MEM(BPF_DW, BPF_REG_2, BPF_REG_6, 8),
		BPF_STX_MEM(BPF_DW, BPF_REG_2, BPF_REG_7, 16),
		/* r0 = no opinion, unless the page is of the slot */
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_ALU64_IMM(BPF_SUB, BPF_REG_6, RECLAIM_GFN),
		BPF_JMP_IMM(BPF_JGE, BPF_REG_6, RECLAIM_PAGES, 30),
		/* r6 = which answer */
		BPF_JMP_IMM(BPF_JEQ, BPF_REG_7, 1, 1),
		BPF_MOV64_IMM(BPF_REG_6, RECLAIM_MANY),
		/* r3 = how often it was asked for */
		BPF_MOV64_REG(BPF_REG_2, BPF_REG_6),
		BPF_ALU64_IMM(BPF_LSH, BPF_REG_2, 3),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_2, RECLAIM_AT(offset, asked)),
		BPF_MOV32_REG(BPF_REG_2, BPF_REG_2),
		HUP_WINDOW(BPF_REG_2, BPF_REG_2),
		BPF_MOV64_IMM(BPF_REG_3, 1),
		BPF_ATOMIC_OP(BPF_DW, BPF_ADD | BPF_FETCH, BPF_REG_2,
			      BPF_REG_3, 0),
		BPF_JMP_IMM(BPF_JEQ, BPF_REG_3, 0, 1),
		/* @later lies behind @first */
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_6, RECLAIM_ANSWERS),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_6, RECLAIM_AT(offset, first)),
		BPF_MOV32_REG(BPF_REG_2, BPF_REG_6),
		HUP_WINDOW(BPF_REG_2, BPF_REG_2),
		BPF_LDX_MEM(BPF_B, BPF_REG_0, BPF_REG_2, 0),
		BPF_MOV64_IMM(BPF_REG_3, spins),
		RECLAIM_IDLE, RECLAIM_IDLE, RECLAIM_IDLE, RECLAIM_IDLE,
		RECLAIM_IDLE, RECLAIM_IDLE, RECLAIM_IDLE, RECLAIM_IDLE,
		RECLAIM_IDLE, RECLAIM_IDLE, RECLAIM_IDLE, RECLAIM_IDLE,
		BPF_ALU64_IMM(BPF_SUB, BPF_REG_3, 1),
		BPF_JMP_IMM(BPF_JNE, BPF_REG_3, 0, -14),
		BPF_EXIT_INSN(),
	};

	static_assert(offsetof(struct reclaim_data, later) ==
		      offsetof(struct reclaim_data, first) + RECLAIM_ANSWERS);
	return hup_load_global(h, insns, ARRAY_SIZE(insns));
}

static inline void reclaim_handle_nmi(struct ex_regs *regs)
{
}

/* Until an NMI, which wakes it whatever the state of its APIC is. */
static inline uint64_t reclaim_sleep(uint64_t a0, uint64_t a1, uint64_t a2,
				     uint64_t a3)
{
	asm volatile("cli; hlt");
	return 0;
}

/* A VM whose vCPUs are all stopped is asked nothing. */
static inline void reclaim_run(struct reclaim *r)
{
	hup_find_apic(r->h, RECLAIM_SLEEPER);
	hup_start(r->h, RECLAIM_SLEEPER, reclaim_sleep, 0, 0, 0, 0);
	hup_wait_blocking(r->h, RECLAIM_SLEEPER);
}

static inline void reclaim_stop(struct reclaim *r)
{
	hup_send_nmi(r->h, RECLAIM_SLEEPER);
	hup_join(r->h, RECLAIM_SLEEPER);
}

/* A VM without the slot. */
static inline struct reclaim *reclaim_create(void)
{
	static const struct kvm_hyperupcall_policy policy = {
		.mem_percent = 100,
		.mem_percent_global = 100,
		.max_verified_insns_global = 262144,
		.budget_ns = 500000000,
	};
	struct reclaim *r = calloc(1, sizeof(*r));

	static_assert(sizeof(*r->data) <= 4 * PAGE_SIZE);
	r->h = hup_create_policy(2, &policy);
	vm_install_exception_handler(r->h->vm, NMI_VECTOR, reclaim_handle_nmi);
	r->data = r->h->data.hva;
	memset(r->data, 0, sizeof(*r->data));
	TEST_ASSERT(hup_map(r->h, r->h->data.gva, 4 * PAGE_SIZE,
			    HYPERUPCALL_MAP_WRITE, &r->offset) > 0, "MAP");
	reclaim_run(r);
	return r;
}

static inline void reclaim_link_slow(struct reclaim *r, int spins)
{
	r->prog = reclaim_load(r->h, r->offset, spins);
	TEST_ASSERT(r->prog > 0, "LOAD");
	r->link = hup_link(r->h, r->prog, HYPERUPCALL_EVENT_RECLAIM);
	TEST_ASSERT(r->link > 0, "LINK");
}

static inline void reclaim_link(struct reclaim *r)
{
	reclaim_link_slow(r, 1);
}

static inline void reclaim_free(struct reclaim *r)
{
	reclaim_stop(r);
	hup_free(r->h);
	free(r);
}

static inline uint64_t *reclaim_page(struct reclaim *r, unsigned int i)
{
	return r->mem.hva + i * PAGE_SIZE;
}

/* Each page says which it is. */
static inline void reclaim_fill(struct reclaim *r)
{
	unsigned int i;

	for (i = 0; i < r->mem.size / PAGE_SIZE; i++)
		*reclaim_page(r, i) = i + 1;
}

static inline void reclaim_answer(struct reclaim *r, unsigned int i,
				  uint8_t first, uint8_t later)
{
	r->data->first[i] = first;
	r->data->later[i] = later;
}

/* What the host does when it wants the memory of just this process. */
static inline void reclaim_pageout(void *start, size_t len)
{
	TEST_ASSERT(!madvise(start, len, MADV_PAGEOUT), "MADV_PAGEOUT");
}

/* The number behind a name, in a file of such lines. */
static inline unsigned long reclaim_number(const char *file, const char *name)
{
	unsigned long value;
	char line[64];
	FILE *f = fopen(file, "r");

	TEST_ASSERT(f, "%s", file);
	while (fscanf(f, "%63s %lu", line, &value) == 2) {
		if (!strcmp(line, name)) {
			fclose(f);
			return value;
		}
	}
	TEST_FAIL("no %s in %s", name, file);
	return 0;
}

static inline unsigned long reclaim_vmstat(const char *name)
{
	return reclaim_number("/proc/vmstat", name);
}

#endif /* SELFTEST_KVM_HYPERUPCALL_RECLAIM_FIXTURE_H */
