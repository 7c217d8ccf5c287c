/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A VM's hyperupcalls as the VMM takes them along: KVM_GET_HYPERUPCALL_STATE
 * and KVM_SET_HYPERUPCALL_STATE, and a small state of which every byte is
 * known.
 */
#ifndef SELFTEST_KVM_HYPERUPCALL_STATE_UTIL_H
#define SELFTEST_KVM_HYPERUPCALL_STATE_UTIL_H

#include <linux/kvm_hyperupcall.h>

#include "hyperupcall_util.h"

#define STATE_MAX	(64 * 1024)

union state {
	struct kvm_hyperupcall_state_header header;
	uint8_t bytes[STATE_MAX];
};

/* @size is the room at @data before, and what the state takes after. */
static inline long state_get(struct hup *h, void *data, uint64_t *size)
{
	struct kvm_hyperupcall_state args = {
		.size = *size,
		.data = (uintptr_t)data,
	};
	int r = __vm_ioctl(h->vm, KVM_GET_HYPERUPCALL_STATE, &args);

	*size = args.size;
	return r ? -errno : 0;
}

static inline long state_set(struct hup *h, const void *data, uint64_t size)
{
	struct kvm_hyperupcall_state args = {
		.size = size,
		.data = (uintptr_t)data,
	};

	return __vm_ioctl(h->vm, KVM_SET_HYPERUPCALL_STATE, &args) ? -errno : 0;
}

/* The state of a VM that has one that fits; returns its size. */
static inline uint64_t state_save(struct hup *h, union state *state)
{
	uint64_t size = sizeof(*state);
	long r = state_get(h, state, &size);

	TEST_ASSERT(!r, "KVM_GET_HYPERUPCALL_STATE: %s", strerror(-r));
	TEST_ASSERT(size == state->header.size, "size %lu, in the header %llu",
		    size, state->header.size);
	return size;
}

/* crc32_le() of the kernel, started with ~0. */
static inline uint32_t state_crc(const void *data, size_t size)
{
	const uint8_t *p = data;
	uint32_t crc = ~0U;
	int bit;

	for (; size; size--) {
		crc ^= *p++;
		for (bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	}
	return crc;
}

/* Makes the header fit what follows. */
static inline void state_seal(void *state, size_t size)
{
	struct kvm_hyperupcall_state_header *header = state;
	size_t start = offsetof(struct kvm_hyperupcall_state_header, nr_progs);

	header->size = size;
	header->crc = state_crc(state + start, size - start);
}

/* The boot vCPU leaves paged mode: everything goes. */
static inline void state_clear(struct hup *h)
{
	hup_reset_vcpu(h, 0);
}

/* Whether a VM has nothing, by what its guest and its VMM are told. */
static inline bool state_nothing(struct hup *h)
{
	struct hyperupcall_query q;
	uint64_t size = 0;

	hup_query(h, &q);
	return !q.nr_progs && !q.nr_links && !q.nr_regions && !q.mem &&
	       !q.nr_insns && state_get(h, NULL, &size) == -E2BIG &&
	       size == sizeof(struct kvm_hyperupcall_state_header);
}

/*
 * Two memslots that a good state takes memory from and may not take it from,
 * in a VM of hup_create(): the first has 64 pages, the other is read-only.
 */
#define STATE_SLOT		10
#define STATE_SLOT_RO		11
#define STATE_SLOT_PAGES	64
#define STATE_GFN		((1ULL << 18) + (STATE_SLOT << 12))
#define STATE_GFN_RO		((1ULL << 18) + (STATE_SLOT_RO << 12))
#define STATE_GFN_NONE		0x7000000ULL

static inline struct hup_mem state_add_slots(struct hup *h)
{
	hup_add_slot(h, VM_MEM_SRC_ANONYMOUS, STATE_SLOT_RO, 1,
		     KVM_MEM_READONLY);
	return hup_add_slot(h, VM_MEM_SRC_ANONYMOUS, STATE_SLOT,
			    STATE_SLOT_PAGES, 0);
}

/*
 * Two programs, one of them for global events, two regions, one of them with a
 * hole, and two links. All ids and their successors have gaps.
 */
struct good_state {
	struct kvm_hyperupcall_state_header header;
	struct kvm_hyperupcall_state_prog loader;
	struct bpf_insn loader_insns[4];
	struct kvm_hyperupcall_state_prog storer;
	struct bpf_insn storer_insns[5];
	struct kvm_hyperupcall_state_region holed;
	struct kvm_hyperupcall_state_extent before, after;
	struct kvm_hyperupcall_state_region whole;
	struct kvm_hyperupcall_state_extent all;
	struct kvm_hyperupcall_state_link ipi;
	struct kvm_hyperupcall_state_link yield;
};

#define GOOD_LOADER	3
#define GOOD_STORER	5
#define GOOD_HOLED	2
#define GOOD_WHOLE	4
#define GOOD_IPI	7
#define GOOD_YIELD	9
#define GOOD_NEXT_PROG		16
#define GOOD_NEXT_REGION	26
#define GOOD_NEXT_LINK		36

#define GOOD_HOLED_AT	0x2000
#define GOOD_WHOLE_AT	0x9000

static inline void good_state(struct good_state *s)
{
	*s = (struct good_state) {
		.header = {
			.magic = KVM_HYPERUPCALL_STATE_MAGIC,
			.version = KVM_HYPERUPCALL_STATE_VERSION,
			.nr_progs = 2,
			.nr_regions = 2,
			.nr_links = 2,
			.next_prog = GOOD_NEXT_PROG,
			.next_region = GOOD_NEXT_REGION,
			.next_link = GOOD_NEXT_LINK,
		},
		.loader = {
			.id = GOOD_LOADER,
			.insn_cnt = ARRAY_SIZE(s->loader_insns),
			.name = "loader",
		},
		.loader_insns = {
			HUP_DATA(BPF_REG_2, BPF_REG_1, 0),
			HUP_WINDOW(BPF_REG_2, BPF_REG_2),
			BPF_LDX_MEM(BPF_DW, BPF_REG_0, BPF_REG_2, 0),
			BPF_EXIT_INSN(),
		},
		.storer = {
			.id = GOOD_STORER,
			.insn_cnt = ARRAY_SIZE(s->storer_insns),
			.flags = HYPERUPCALL_LOAD_GLOBAL,
			.name = "store.r_15char",
		},
		.storer_insns = {
			HUP_DATA(BPF_REG_2, BPF_REG_1, 0),
			HUP_WINDOW(BPF_REG_2, BPF_REG_2),
			BPF_ST_MEM(BPF_DW, BPF_REG_2, 0, 77),
			BPF_MOV64_IMM(BPF_REG_0, 0),
			BPF_EXIT_INSN(),
		},
		.holed = {
			.id = GOOD_HOLED,
			.flags = HYPERUPCALL_MAP_WRITE,
			.offset = GOOD_HOLED_AT,
			.nr_pages = 4,
			.nr_extents = 2,
		},
		.before = { .first = 0, .nr_pages = 2, .gfn = STATE_GFN },
		.after = { .first = 3, .nr_pages = 1, .gfn = STATE_GFN + 3 },
		.whole = {
			.id = GOOD_WHOLE,
			.offset = GOOD_WHOLE_AT,
			.nr_pages = 1,
			.nr_extents = 1,
		},
		.all = { .first = 0, .nr_pages = 1, .gfn = STATE_GFN + 7 },
		.ipi = {
			.id = GOOD_IPI,
			.event = HYPERUPCALL_EVENT_INTERRUPT,
			.prog = GOOD_LOADER,
			.runs = 1000,
			.opinions = 200,
			.faults = 30,
			.throttled = 4,
			.run_ns = 1ULL << 40,
		},
		.yield = {
			.id = GOOD_YIELD,
			.event = HYPERUPCALL_EVENT_VCPU_PREEMPT,
			.prog = GOOD_STORER,
		},
	};
	state_seal(s, sizeof(*s));
}

#endif /* SELFTEST_KVM_HYPERUPCALL_STATE_UTIL_H */
