// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_SET_HYPERUPCALL_STATE takes a state whole or not at all: whatever is
 * wrong with it, the VM has nothing after, and nothing is pinned or charged.
 */
#include <sys/resource.h>

#include "kvm_test_harness.h"
#include "locked_memory.h"
#include "state_util.h"

FIXTURE(damage) {
	struct hup *h;
	struct good_state s;
	unsigned long locked;
};

FIXTURE_SETUP(damage)
{
	self->h = hup_create(1);
	state_add_slots(self->h);
	self->locked = hup_locked_kb();
	good_state(&self->s);
}

/* A VM that refused a state takes the next one. */
FIXTURE_TEARDOWN(damage)
{
	good_state(&self->s);
	EXPECT_EQ(0, state_set(self->h, &self->s, sizeof(self->s)));
	EXPECT_EQ(self->locked + 4 * PAGE_SIZE / 1024, hup_locked_kb());
	hup_free(self->h);
}

static void expect_refused(struct __test_metadata *_metadata, struct hup *h,
			   unsigned long locked, int err, const void *state,
			   size_t size, const char *what)
{
	EXPECT_EQ(err, state_set(h, state, size)) TH_LOG("%s", what);
	EXPECT_EQ(true, state_nothing(h)) TH_LOG("%s", what);
	EXPECT_EQ(locked, hup_locked_kb()) TH_LOG("%s", what);
}

HUP_TEST(damage, one_bit)
{
	struct kvm_hyperupcall_state_header *header = &self->s.header;
	uint8_t *bytes = (uint8_t *)&self->s;
	size_t i;
	int r;

	for (i = 0; i < sizeof(self->s); i++) {
		bytes[i] ^= 1 << i % 8;
		r = header->version == KVM_HYPERUPCALL_STATE_VERSION ?
		    -EINVAL : -EOPNOTSUPP;
		ASSERT_EQ(r, state_set(self->h, bytes, sizeof(self->s)))
			TH_LOG("byte %lu", i);
		bytes[i] ^= 1 << i % 8;
	}
	EXPECT_EQ(true, state_nothing(self->h));
	EXPECT_EQ(self->locked, hup_locked_kb());
}

/* At every byte: as it was cut, and with a header that says so. */
HUP_TEST(damage, cut)
{
	struct good_state cut;
	size_t size;

	for (size = 0; size < sizeof(self->s); size++) {
		ASSERT_EQ(-EINVAL, state_set(self->h, &self->s, size))
			TH_LOG("%lu bytes", size);
		if (size < sizeof(self->s.header))
			continue;
		cut = self->s;
		state_seal(&cut, size);
		ASSERT_EQ(-EINVAL, state_set(self->h, &cut, size))
			TH_LOG("%lu bytes", size);
		ASSERT_EQ(true, state_nothing(self->h));
	}
	EXPECT_EQ(self->locked, hup_locked_kb());
}

HUP_TEST(damage, too_long)
{
	struct {
		struct good_state good;
		uint8_t tail[64];
	} s = { .good = self->s };
	size_t n;

	for (n = 1; n <= sizeof(s.tail); n *= 2) {
		expect_refused(_metadata, self->h, self->locked, -EINVAL, &s,
			       sizeof(s.good) + n, "tail");
		state_seal(&s, sizeof(s.good) + n);
		expect_refused(_metadata, self->h, self->locked, -EINVAL, &s,
			       sizeof(s.good) + n, "sealed tail");
		s.good = self->s;
	}
}

/* One field of struct good_state and what its value leads to. */
struct field {
	const char *what;
	uint16_t offset;
	uint8_t size;
	int err;
	uint64_t value;
};

#define FIELD(field, value, err)					\
	{ #field " = " #value, offsetof(struct good_state, field),	\
	  sizeof(((struct good_state *)0)->field), err, value }

#define WINDOW_END	BIT_ULL(32)

static const struct field fields[] = {
	FIELD(header.magic, 0, -EINVAL),
	FIELD(header.version, 0, -EOPNOTSUPP),
	FIELD(header.version, 2, -EOPNOTSUPP),
	FIELD(header.version, ~0, -EOPNOTSUPP),
	FIELD(header.max_loops, 4096, 0),
	FIELD(header.max_loops, 4097, -E2BIG),
	FIELD(header.max_run_insns, 1 << 20, 0),
	FIELD(header.max_run_insns, ~0, -E2BIG),
	FIELD(header.max_run_insns_global, 1 << 17, 0),
	FIELD(header.max_run_insns_global, (1 << 17) + 1, -E2BIG),
	FIELD(header.budget_ns, 250000000, 0),
	FIELD(header.budget_ns, 250000001, -E2BIG),
	FIELD(header.next_prog, 0, 0),
	FIELD(header.next_prog, INT_MAX + 1U, 0),
	FIELD(header.next_prog, INT_MAX + 2U, -EINVAL),
	FIELD(header.next_region, ~0, -EINVAL),
	FIELD(header.next_link, INT_MAX + 2U, -EINVAL),
	/* What comes next has flags that no program has, and no region. */
	FIELD(header.nr_progs, 0, -EOPNOTSUPP),
	FIELD(header.nr_progs, 1, -EOPNOTSUPP),
	FIELD(header.nr_progs, 3, -EOPNOTSUPP),
	FIELD(header.nr_progs, ~0, -EOPNOTSUPP),
	FIELD(header.nr_regions, 1, -EOPNOTSUPP),
	FIELD(header.nr_regions, 3, -EOPNOTSUPP),
	FIELD(header.nr_regions, ~0, -EOPNOTSUPP),
	FIELD(header.nr_links, 0, -EINVAL),
	FIELD(header.nr_links, 1, -EINVAL),
	FIELD(header.nr_links, 3, -EINVAL),
	FIELD(header.nr_links, ~0, -EINVAL),

	FIELD(loader.id, 0, -EINVAL),
	FIELD(loader.id, 1U << 31, -EINVAL),
	FIELD(loader.id, ~0, -EINVAL),
	FIELD(storer.id, GOOD_LOADER, -EINVAL),
	FIELD(loader.insn_cnt, 0, -EINVAL),
	FIELD(loader.insn_cnt, 3, -EINVAL),
	FIELD(loader.insn_cnt, 5, -EINVAL),
	FIELD(loader.insn_cnt, 1U << 29, -EINVAL),
	FIELD(loader.insn_cnt, ~0, -EINVAL),
	FIELD(storer.insn_cnt, 4, -EINVAL),
	FIELD(storer.insn_cnt, 6, -EINVAL),
	FIELD(loader.flags, 2, -EOPNOTSUPP),
	FIELD(loader.flags, ~0, -EOPNOTSUPP),
	FIELD(loader.reserved, 1, -EINVAL),
	FIELD(loader.name[0], ' ', -EINVAL),
	FIELD(loader.name[0], 0x80, -EINVAL),
	FIELD(loader.name[3], '/', -EINVAL),
	FIELD(loader.name[5], '\n', -EINVAL),
	FIELD(storer.name[14], '-', -EINVAL),
	FIELD(storer.name[14], 'x', 0),
	FIELD(loader.name[0], 0, 0),
	/* An unknown instruction, a wild jump, a secret, a wrong helper. */
	FIELD(loader_insns[0].code, 0xff, -EINVAL),
	FIELD(loader_insns[3].code, BPF_JMP | BPF_JA, -EINVAL),
	FIELD(storer_insns[3].code, BPF_ALU64 | BPF_MOV | BPF_X, -EACCES),
	FIELD(storer_insns[3].code, BPF_JMP | BPF_CALL, -EINVAL),

	FIELD(holed.id, 0, -EINVAL),
	FIELD(holed.id, 1U << 31, -EINVAL),
	FIELD(whole.id, GOOD_HOLED, -EINVAL),
	FIELD(holed.flags, 2, -EOPNOTSUPP),
	FIELD(holed.flags, ~0, -EOPNOTSUPP),
	FIELD(holed.offset, 0, -EINVAL),
	FIELD(holed.offset, GOOD_HOLED_AT + 1, -EINVAL),
	FIELD(holed.offset, GOOD_HOLED_AT + 0x800, -EINVAL),
	FIELD(holed.offset, WINDOW_END, -EINVAL),
	FIELD(holed.offset, WINDOW_END - 3 * PAGE_SIZE, -EINVAL),
	FIELD(holed.offset, WINDOW_END - 4 * PAGE_SIZE, 0),
	FIELD(holed.offset, ~0ULL << 12, -EINVAL),
	FIELD(holed.offset, PAGE_SIZE, 0),
	FIELD(whole.offset, GOOD_HOLED_AT, -EINVAL),
	FIELD(whole.offset, GOOD_HOLED_AT + 2 * PAGE_SIZE, -EINVAL),
	FIELD(whole.offset, GOOD_HOLED_AT + 3 * PAGE_SIZE, -EINVAL),
	FIELD(whole.offset, GOOD_HOLED_AT + 4 * PAGE_SIZE, 0),
	FIELD(whole.offset, GOOD_HOLED_AT - PAGE_SIZE, 0),
	FIELD(holed.nr_pages, 0, -EINVAL),
	FIELD(holed.nr_pages, 2, -EINVAL),
	FIELD(holed.nr_pages, 3, -EINVAL),
	FIELD(holed.nr_pages, 7, 0),
	FIELD(holed.nr_pages, 8, -EINVAL),
	FIELD(holed.nr_pages, 1 << 18, -EDQUOT),
	FIELD(holed.nr_pages, 1 << 20, -EINVAL),
	FIELD(holed.nr_pages, 1ULL << 52, -EINVAL),
	FIELD(holed.nr_pages, ~0ULL, -EINVAL),
	FIELD(holed.nr_extents, 0, -EINVAL),
	FIELD(holed.nr_extents, 1, -EINVAL),
	FIELD(holed.nr_extents, 3, -EINVAL),
	FIELD(holed.nr_extents, ~0ULL, -EINVAL),
	FIELD(before.first, 1, 0),
	FIELD(before.first, 2, -EINVAL),
	FIELD(before.first, 3, -EINVAL),
	FIELD(before.first, 4, -EINVAL),
	FIELD(before.first, ~0ULL, -EINVAL),
	FIELD(after.first, 0, -EINVAL),
	FIELD(after.first, 1, -EINVAL),
	FIELD(after.first, 2, 0),
	FIELD(before.nr_pages, 0, -EINVAL),
	FIELD(before.nr_pages, 3, 0),
	FIELD(before.nr_pages, 4, -EINVAL),
	FIELD(before.nr_pages, 5, -EINVAL),
	FIELD(before.nr_pages, ~0ULL, -EINVAL),
	FIELD(before.gfn, STATE_GFN_NONE, -EFAULT),
	FIELD(before.gfn, STATE_GFN + STATE_SLOT_PAGES - 1, -EFAULT),
	FIELD(before.gfn, ~0ULL, -EFAULT),
	FIELD(after.gfn, ~0ULL, -EFAULT),
	FIELD(after.gfn, 1ULL << 52, -EFAULT),
	FIELD(after.gfn, STATE_GFN_NONE, -EFAULT),
	FIELD(after.gfn, STATE_GFN_RO, -EFAULT),
	FIELD(all.gfn, STATE_GFN_RO, -EFAULT),
	FIELD(all.gfn, STATE_GFN, 0),

	FIELD(ipi.id, 0, -EINVAL),
	FIELD(ipi.id, 1U << 31, -EINVAL),
	FIELD(yield.id, GOOD_IPI, -EINVAL),
	FIELD(ipi.event, HYPERUPCALL_EVENT_VCPU_PREEMPT, -EINVAL),
	FIELD(ipi.event, HYPERUPCALL_EVENT_VMEXIT, -EOPNOTSUPP),
	FIELD(ipi.event, __HYPERUPCALL_EVENT_MAX, -EOPNOTSUPP),
	FIELD(ipi.event, ~0, -EOPNOTSUPP),
	FIELD(yield.event, HYPERUPCALL_EVENT_INTERRUPT, 0),
	FIELD(ipi.prog, 0, -EINVAL),
	FIELD(ipi.prog, GOOD_LOADER + 1, -EINVAL),
	FIELD(yield.prog, ~0, -EINVAL),
	FIELD(yield.prog, GOOD_LOADER, 0),
	FIELD(ipi.reserved, 1, -EINVAL),
	FIELD(yield.reserved, 1U << 31, -EINVAL),
	FIELD(ipi.runs, ~0ULL, 0),
};

static void set_field(struct good_state *s, const struct field *field)
{
	memcpy((void *)s + field->offset, &field->value, field->size);
	state_seal(s, sizeof(*s));
}

HUP_TEST(damage, fields)
{
	const struct field *field;

	for (field = fields; field < fields + ARRAY_SIZE(fields); field++) {
		good_state(&self->s);
		set_field(&self->s, field);
		if (field->err) {
			expect_refused(_metadata, self->h, self->locked,
				       field->err, &self->s, sizeof(self->s),
				       field->what);
			continue;
		}
		EXPECT_EQ(0, state_set(self->h, &self->s, sizeof(self->s)))
			TH_LOG("%s", field->what);
		state_clear(self->h);
	}
	EXPECT_EQ(self->locked, hup_locked_kb());
}

/* A state of a newer host's: what is unknown here may be of any size. */
HUP_TEST(damage, other_version)
{
	struct good_state *s = &self->s;

	s->header.version++;
	s->header.size = sizeof(*s) + 8;
	s->header.next_prog = ~0;
	expect_refused(_metadata, self->h, self->locked, -EOPNOTSUPP, s,
		       sizeof(*s), "version");
}

HUP_TEST(damage, helper_of_a_newer_host)
{
	struct good_state *s = &self->s;

	s->storer_insns[3] = HUP_CALL(NONE);
	s->storer_insns[3].imm = __HYPERUPCALL_HELPER_MAX;
	state_seal(s, sizeof(*s));
	expect_refused(_metadata, self->h, self->locked, -EOPNOTSUPP, s,
		       sizeof(*s), "helper");
}

HUP_TEST(damage, name_without_end)
{
	memset(self->s.loader.name, 'x', sizeof(self->s.loader.name));
	state_seal(&self->s, sizeof(self->s));
	expect_refused(_metadata, self->h, self->locked, -EINVAL, &self->s,
		       sizeof(self->s), "name");
}

/* Policies that the good state does not fit. */
static const struct {
	const char *what;
	struct kvm_hyperupcall_policy policy;
	int err;
} policies[] = {
	{ "max_progs", { .max_progs = 1 }, -ENOSPC },
	{ "max_links", { .max_links = 1 }, -ENOSPC },
	{ "max_regions", { .max_regions = 1 }, -ENOSPC },
	{ "max_insns", { .max_insns = 3 }, -E2BIG },
	{ "max_insns_global", { .max_insns_global = 4 }, -E2BIG },
	{ "max_insns_total", { .max_insns_total = 8 }, -ENOSPC },
	{ "max_verified_insns", { .max_verified_insns = 3 }, -E2BIG },
	{ "max_verified_insns_global", { .max_verified_insns_global = 3 },
	  -E2BIG },
	{ "max_run_insns", { .max_run_insns = 16 }, -E2BIG },
	{ "max_run_insns_global", { .max_run_insns_global = 16 }, -E2BIG },
	{ "no INTERRUPT", { .events = BIT(HYPERUPCALL_EVENT_VCPU_PREEMPT) },
	  -EACCES },
	{ "no VCPU_PREEMPT", { .events = BIT(HYPERUPCALL_EVENT_INTERRUPT) },
	  -EACCES },
	{ "edge", { .max_progs = 2, .max_links = 2, .max_regions = 2,
		    .max_insns = 5, .max_insns_global = 5,
		    .max_insns_total = 9, .max_verified_insns = 5,
		    .max_verified_insns_global = 5 }, 0 },
	{ "max_insns of a global program", { .max_insns = 4 }, -E2BIG },
};

HUP_TEST(damage, policies)
{
	struct hup *h;
	int i;

	for (i = 0; i < ARRAY_SIZE(policies); i++) {
		h = hup_create_policy(1, &policies[i].policy);
		state_add_slots(h);
		if (policies[i].err)
			expect_refused(_metadata, h, self->locked,
				       policies[i].err, &self->s,
				       sizeof(self->s), policies[i].what);
		else
			EXPECT_EQ(0, state_set(h, &self->s, sizeof(self->s)))
				TH_LOG("%s", policies[i].what);
		hup_free(h);
	}
}

/* Sixty pages, with a global link, and one per cent of the guest's memory. */
HUP_TEST(damage, memory_of_the_policy)
{
	static const struct kvm_hyperupcall_policy all = { .mem_percent = 1 };
	static const struct kvm_hyperupcall_policy global = {
		.mem_percent_global = 1,
	};
	struct good_state *s = &self->s;
	struct hup *h;

	s->whole.nr_pages = 60;
	s->all = (struct kvm_hyperupcall_state_extent) { 0, 60, STATE_GFN + 4 };
	state_seal(s, sizeof(*s));

	h = hup_create_policy(1, &all);
	state_add_slots(h);
	expect_refused(_metadata, h, self->locked, -EDQUOT, s, sizeof(*s),
		       "mem_percent");
	hup_free(h);

	h = hup_create_policy(1, &global);
	state_add_slots(h);
	expect_refused(_metadata, h, self->locked, -EDQUOT, s, sizeof(*s),
		       "mem_percent_global");
	s->yield.event = HYPERUPCALL_EVENT_INTERRUPT;
	state_seal(s, sizeof(*s));
	EXPECT_EQ(0, state_set(h, s, sizeof(*s)));
	hup_free(h);
}

/* The VMM may lock three pages; the good state has four, and a hole. */
HUP_TEST(damage, locked_memory)
{
	struct rlimit limit = { 3 * PAGE_SIZE, 6 * PAGE_SIZE };

	drop_ipc_lock();
	ASSERT_EQ(0, setrlimit(RLIMIT_MEMLOCK, &limit));
	expect_refused(_metadata, self->h, self->locked, -EDQUOT, &self->s,
		       sizeof(self->s), "RLIMIT_MEMLOCK");
	limit.rlim_cur = limit.rlim_max;
	ASSERT_EQ(0, setrlimit(RLIMIT_MEMLOCK, &limit));
}

/* Holes need no room, not even for a moment. */
HUP_TEST(damage, locked_memory_of_holes)
{
	struct rlimit limit = { 4 * PAGE_SIZE, 6 * PAGE_SIZE };

	self->s.whole.nr_pages = 2;
	state_seal(&self->s, sizeof(self->s));
	drop_ipc_lock();
	ASSERT_EQ(0, setrlimit(RLIMIT_MEMLOCK, &limit));
	EXPECT_EQ(0, state_set(self->h, &self->s, sizeof(self->s)));
	EXPECT_EQ(self->locked + 4 * PAGE_SIZE / 1024, hup_locked_kb());
	state_clear(self->h);
	EXPECT_EQ(self->locked, hup_locked_kb());
}

HUP_TEST(damage, memslot_gone)
{
	struct hup *h = hup_create(1);

	expect_refused(_metadata, h, self->locked, -EFAULT, &self->s,
		       sizeof(self->s), "no memslots");
	state_add_slots(h);
	EXPECT_EQ(0, state_set(h, &self->s, sizeof(self->s)));
	hup_free(h);
}

int main(int argc, char **argv)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_HYPERUPCALL));

	return test_harness_run(argc, argv);
}
