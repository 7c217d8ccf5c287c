// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every opcode of KVM_HC_HYPERUPCALL: what it does when all is well, and each
 * error that linux/hyperupcall.h documents.
 */
#include "hyperupcall_util.h"
#include "kvm_test_harness.h"

#define NO_ID	0x7ffffff1

FIXTURE(abi) {
	struct hup *h;
};

FIXTURE_SETUP(abi)
{
	self->h = hup_create(1);
}

FIXTURE_TEARDOWN(abi)
{
	hup_free(self->h);
}

/* What holds for every opcode and its struct. */
struct op_case {
	uint64_t op;
	size_t size;
	size_t flags;		/* offset of the struct's flags */
	long zeros;		/* what a struct of zeros gives */
};

#define OP_CASE(OP, type, _zeros) {				\
	.op = HYPERUPCALL_##OP,					\
	.size = sizeof(struct hyperupcall_##type),		\
	.flags = offsetof(struct hyperupcall_##type, flags),	\
	.zeros = _zeros,					\
}

static const struct op_case op_cases[] = {
	OP_CASE(QUERY, query, 0),
	OP_CASE(MAP, map, -EINVAL),
	OP_CASE(UNMAP, unmap, -ENOENT),
	OP_CASE(LOAD, load, -EINVAL),
	OP_CASE(UNLOAD, unload, -ENOENT),
	OP_CASE(LINK, link, -EOPNOTSUPP),
	OP_CASE(UNLINK, unlink, -ENOENT),
	OP_CASE(STATS, stats, -ENOENT),
	OP_CASE(TEST_RUN, test_run, -ENOENT),
};

static void expect_op(struct __test_metadata *_metadata,
		      const struct op_case *c, long expected, long seen)
{
	EXPECT_EQ(expected, seen) TH_LOG("opcode %lu", c->op);
}

HUP_TEST(abi, struct_of_zeros)
{
	const struct op_case *c;
	int op;
	uint8_t buf[512];

	for (op = 0; op < ARRAY_SIZE(op_cases); op++) {
		c = &op_cases[op];
		memset(buf, 0, sizeof(buf));
		expect_op(_metadata, c, c->zeros,
			  hup_op(self->h, c->op, buf, c->size));
	}
}

HUP_TEST(abi, struct_too_short)
{
	const struct op_case *c;
	int op;
	uint8_t buf[512] = {};

	for (op = 0; op < ARRAY_SIZE(op_cases); op++) {
		c = &op_cases[op];
		expect_op(_metadata, c, -EINVAL,
			  hup_op(self->h, c->op, buf, c->size - 1));
		expect_op(_metadata, c, -EINVAL,
			  hup_op(self->h, c->op, buf, 0));
	}
}

HUP_TEST(abi, struct_with_zero_tail)
{
	const struct op_case *c;
	int op;
	uint8_t buf[512];

	for (op = 0; op < ARRAY_SIZE(op_cases); op++) {
		c = &op_cases[op];
		memset(buf, 0, sizeof(buf));
		expect_op(_metadata, c, c->zeros,
			  hup_op(self->h, c->op, buf, c->size + 8));
		memset(buf, 0, sizeof(buf));
		expect_op(_metadata, c, c->zeros,
			  hup_op(self->h, c->op, buf, sizeof(buf)));
	}
}

HUP_TEST(abi, struct_with_nonzero_tail)
{
	const struct op_case *c;
	int op;
	uint8_t buf[512];

	for (op = 0; op < ARRAY_SIZE(op_cases); op++) {
		c = &op_cases[op];
		memset(buf, 0, sizeof(buf));
		buf[c->size] = 1;
		expect_op(_metadata, c, -E2BIG,
			  hup_op(self->h, c->op, buf, c->size + 1));
		memset(buf, 0, sizeof(buf));
		buf[sizeof(buf) - 1] = 1;
		expect_op(_metadata, c, -E2BIG,
			  hup_op(self->h, c->op, buf, sizeof(buf)));
	}
}

/* A size is data from the guest, too. */
HUP_TEST(abi, struct_of_absurd_size)
{
	static const uint64_t sizes[] = {
		1ULL << 20, 1ULL << 31, 1ULL << 32, 1ULL << 63, ~0ULL
	};
	const struct op_case *c;
	int op;
	int i;

	for (op = 0; op < ARRAY_SIZE(op_cases); op++) {
		c = &op_cases[op];
		for (i = 0; i < ARRAY_SIZE(sizes); i++)
			EXPECT_GT(0, hup_raw(self->h, c->op, self->h->data.gva,
					     sizes[i], 0));
	}
}

HUP_TEST(abi, struct_not_mapped)
{
	const struct op_case *c;
	int op;

	for (op = 0; op < ARRAY_SIZE(op_cases); op++) {
		c = &op_cases[op];
		expect_op(_metadata, c, -EFAULT,
			  hup_raw(self->h, c->op, HUP_UNMAPPED_GVA, c->size,
				  0));
		expect_op(_metadata, c, -EFAULT,
			  hup_raw(self->h, c->op, 1ULL << 63, c->size, 0));
		expect_op(_metadata, c, -EFAULT,
			  hup_raw(self->h, c->op, -8ULL, c->size, 0));
		expect_op(_metadata, c, -EFAULT,
			  hup_raw(self->h, c->op, 0, c->size, 0));
	}
}

/* The struct starts on a page that is mapped, and ends on one that is not. */
HUP_TEST(abi, struct_half_mapped)
{
	struct hup_mem *data = &self->h->data;
	const struct op_case *c;
	int op;

	*vm_get_page_table_entry(self->h->vm, data->gva + PAGE_SIZE) = 0;
	for (op = 0; op < ARRAY_SIZE(op_cases); op++) {
		c = &op_cases[op];
		expect_op(_metadata, c, -EFAULT,
			  hup_raw(self->h, c->op, data->gva + PAGE_SIZE - 4,
				  c->size, 0));
	}
}

HUP_TEST(abi, struct_across_pages)
{
	struct hup_mem *data = &self->h->data;
	struct hyperupcall_query *query = data->hva + PAGE_SIZE - 4;

	EXPECT_EQ(0, hup_raw(self->h, HYPERUPCALL_QUERY,
			     data->gva + PAGE_SIZE - 4, sizeof(*query), 0));
	EXPECT_EQ(HYPERUPCALL_ABI, query->abi);
	EXPECT_NE(0, query->max_insns);
}

/* Where there is something to write, the struct has to be writable. */
HUP_TEST(abi, struct_read_only)
{
	struct hup_mem *data = &self->h->data;

	*vm_get_page_table_entry(self->h->vm, data->gva) &= ~PTE_WRITABLE_MASK;
	EXPECT_EQ(-EFAULT, hup_raw(self->h, HYPERUPCALL_QUERY, data->gva,
				   sizeof(struct hyperupcall_query), 0));
}

HUP_TEST(abi, fourth_argument)
{
	const struct op_case *c;
	int op;

	for (op = 0; op < ARRAY_SIZE(op_cases); op++) {
		c = &op_cases[op];
		expect_op(_metadata, c, -EINVAL,
			  hup_raw(self->h, c->op, self->h->data.gva, c->size,
				  1));
		expect_op(_metadata, c, -EINVAL,
			  hup_raw(self->h, c->op, self->h->data.gva, c->size,
				  1ULL << 63));
	}
}

HUP_TEST(abi, unknown_flags)
{
	const struct op_case *c;
	int op;
	uint8_t buf[512];
	int bit;

	for (op = 0; op < ARRAY_SIZE(op_cases); op++) {
		c = &op_cases[op];
		for (bit = 4; bit < 32; bit += 9) {
			memset(buf, 0, sizeof(buf));
			*(uint32_t *)(buf + c->flags) = 1U << bit;
			expect_op(_metadata, c, -EINVAL,
				  hup_op(self->h, c->op, buf, c->size));
		}
	}
}

HUP_TEST(abi, unknown_opcode)
{
	static const uint64_t ops[] = {
		HYPERUPCALL_TEST_RUN + 1, 255, 1ULL << 32, ~0ULL
	};
	uint8_t buf[512] = {};
	int i;

	for (i = 0; i < ARRAY_SIZE(ops); i++)
		EXPECT_EQ(-EOPNOTSUPP, hup_op(self->h, ops[i], buf,
					      sizeof(buf)))
			TH_LOG("opcode %#lx", ops[i]);
}

HUP_TEST(abi, unknown_ids)
{
	struct hyperupcall_stats stats = { .link = NO_ID };
	struct hyperupcall_test_run run = {};
	struct hup *h = self->h;
	uint32_t prog = hup_load_return(h, 0);

	EXPECT_EQ(-ENOENT, hup_unmap(h, NO_ID));
	EXPECT_EQ(-ENOENT, hup_unload(h, NO_ID));
	EXPECT_EQ(-ENOENT, hup_link(h, NO_ID, HYPERUPCALL_EVENT_INTERRUPT));
	EXPECT_EQ(-ENOENT, hup_unlink(h, NO_ID));
	EXPECT_EQ(-ENOENT, hup_op(h, HYPERUPCALL_STATS, &stats, sizeof(stats)));
	EXPECT_EQ(-ENOENT, hup_test_run(h, NO_ID, &run));
	EXPECT_EQ(-ENOENT, hup_replace(h, prog, HYPERUPCALL_EVENT_INTERRUPT,
				       NO_ID));
}

HUP_TEST(abi, ids_die_with_their_objects)
{
	struct hup *h = self->h;
	uint32_t prog = hup_load_return(h, 0);
	uint32_t link = hup_link(h, prog, HYPERUPCALL_EVENT_INTERRUPT);
	uint32_t region = hup_map(h, h->data.gva, PAGE_SIZE, 0, NULL);

	EXPECT_EQ(0, hup_unlink(h, link));
	EXPECT_EQ(-ENOENT, hup_unlink(h, link));
	EXPECT_EQ(0, hup_unload(h, prog));
	EXPECT_EQ(-ENOENT, hup_unload(h, prog));
	EXPECT_EQ(0, hup_unmap(h, region));
	EXPECT_EQ(-ENOENT, hup_unmap(h, region));
}

/* Those that have a hook. */
#define EVENTS	(BIT(HYPERUPCALL_EVENT_INTERRUPT) |	\
		 BIT(HYPERUPCALL_EVENT_RECLAIM) |	\
		 BIT(HYPERUPCALL_EVENT_AGING) |		\
		 BIT(HYPERUPCALL_EVENT_VCPU_PREEMPT))

HUP_TEST(abi, query)
{
	struct hyperupcall_query q;

	hup_query(self->h, &q);
	EXPECT_EQ(HYPERUPCALL_ABI, q.abi);
	EXPECT_EQ(0, q.flags);
	EXPECT_EQ(0, q.reserved);
	EXPECT_EQ(EVENTS, q.events);
	EXPECT_EQ(BIT(HYPERUPCALL_HELPER_VCPU_STATE) |
		  BIT(HYPERUPCALL_HELPER_VCPU_REGS) |
		  BIT(HYPERUPCALL_HELPER_FLUSH_TLB), q.helpers);
	EXPECT_EQ(0, q.nr_progs);
	EXPECT_EQ(0, q.nr_links);
	EXPECT_EQ(0, q.nr_regions);
	EXPECT_EQ(0, q.mem);
	EXPECT_NE(0, q.max_progs);
	EXPECT_NE(0, q.max_links);
	EXPECT_NE(0, q.max_regions);
	EXPECT_NE(0, q.max_loops);
	EXPECT_GE(q.max_mem, q.max_mem_global);
	EXPECT_GE(q.max_insns, q.max_insns_global);
	EXPECT_GE(q.max_verified_insns, q.max_verified_insns_global);
	EXPECT_EQ(4096, q.max_insns_global);
}

HUP_TEST(abi, query_counts)
{
	struct hup *h = self->h;
	uint32_t prog, region;
	struct hyperupcall_query q;
	long link;

	prog = hup_load_return(h, 0);
	region = hup_map(h, h->data.gva, 2 * PAGE_SIZE, 0, NULL);
	link = hup_link(h, prog, HYPERUPCALL_EVENT_INTERRUPT);
	hup_query(h, &q);
	EXPECT_EQ(1, q.nr_progs);
	EXPECT_EQ(1, q.nr_links);
	EXPECT_EQ(1, q.nr_regions);
	EXPECT_EQ(2 * PAGE_SIZE, q.mem);

	EXPECT_EQ(0, hup_unlink(h, link));
	EXPECT_EQ(0, hup_unload(h, prog));
	EXPECT_EQ(0, hup_unmap(h, region));
	hup_query(h, &q);
	EXPECT_EQ(0, q.nr_progs);
	EXPECT_EQ(0, q.nr_links);
	EXPECT_EQ(0, q.nr_regions);
	EXPECT_EQ(0, q.mem);
}

HUP_TEST(abi, load_and_test_run)
{
	struct hyperupcall_test_run run = { .retval = 1, .faults = 1 };
	struct hup *h = self->h;
	long prog = hup_load_return(h, 42);

	ASSERT_LT(0, prog);
	EXPECT_EQ(0, hup_test_run(h, prog, &run));
	EXPECT_EQ(42, run.retval);
	EXPECT_EQ(0, run.faults);
	EXPECT_EQ(0, hup_unload(h, prog));
	EXPECT_EQ(-ENOENT, hup_test_run(h, prog, &run));
}

HUP_TEST(abi, link_twice)
{
	struct hup *h = self->h;
	uint32_t prog = hup_load_return(h, 0);
	long first = hup_link(h, prog, HYPERUPCALL_EVENT_INTERRUPT);
	long second = hup_link(h, prog, HYPERUPCALL_EVENT_INTERRUPT);

	ASSERT_LT(0, first);
	ASSERT_LT(0, second);
	EXPECT_NE(first, second);
	EXPECT_EQ(0, hup_unlink(h, first));
	EXPECT_EQ(-EBUSY, hup_unload(h, prog));
	EXPECT_EQ(0, hup_unlink(h, second));
	EXPECT_EQ(0, hup_unload(h, prog));
}

HUP_TEST(abi, link_events)
{
	struct hup *h = self->h;
	uint32_t prog = hup_load_return(h, 0);
	int event;

	for (event = 0; event < __HYPERUPCALL_EVENT_MAX; event++) {
		if (EVENTS & BIT(event)) {
			EXPECT_LT(0, hup_link(h, prog, event));
		} else {
			EXPECT_EQ(-EOPNOTSUPP, hup_link(h, prog, event))
				TH_LOG("event %d", event);
		}
	}
	EXPECT_EQ(-EINVAL, hup_link(h, prog, __HYPERUPCALL_EVENT_MAX));
	EXPECT_EQ(-EINVAL, hup_link(h, prog, 64));
	EXPECT_EQ(-EINVAL, hup_link(h, prog, ~0U));
}

HUP_TEST(abi, link_replace)
{
	struct hup *h = self->h;
	uint32_t old = hup_load_return(h, 0), new = hup_load_return(h, 0);
	long link = hup_link(h, old, HYPERUPCALL_EVENT_INTERRUPT);
	struct hyperupcall_query q;

	EXPECT_EQ(-EINVAL, hup_replace(h, new, HYPERUPCALL_EVENT_VCPU_PREEMPT,
				       link));
	EXPECT_EQ(-ENOENT, hup_replace(h, NO_ID, HYPERUPCALL_EVENT_INTERRUPT,
				       link));
	EXPECT_EQ(link, hup_replace(h, new, HYPERUPCALL_EVENT_INTERRUPT, link));
	EXPECT_EQ(0, hup_unload(h, old));
	EXPECT_EQ(-EBUSY, hup_unload(h, new));
	/* A program may take its own place. */
	EXPECT_EQ(link, hup_replace(h, new, HYPERUPCALL_EVENT_INTERRUPT, link));
	hup_query(h, &q);
	EXPECT_EQ(1, q.nr_links);
	EXPECT_EQ(0, hup_unlink(h, link));
	EXPECT_EQ(0, hup_unload(h, new));
}

HUP_TEST(abi, stats_of_a_new_link)
{
	struct hup *h = self->h;
	struct hyperupcall_stats stats;

	hup_stats(h, hup_link(h, hup_load_return(h, 0),
			      HYPERUPCALL_EVENT_INTERRUPT), &stats);
	EXPECT_EQ(0, stats.runs);
	EXPECT_EQ(0, stats.opinions);
	EXPECT_EQ(0, stats.faults);
	EXPECT_EQ(0, stats.throttled);
	EXPECT_EQ(0, stats.run_ns);
}

HUP_TEST(abi, user_mode)
{
	struct hup *h = self->h;
	struct hyperupcall_query q = {};

	hup_set_cpl(h, 3);
	EXPECT_EQ(-EPERM, hup_op(h, HYPERUPCALL_QUERY, &q, sizeof(q)));
	EXPECT_EQ(-EPERM, hup_raw(h, ~0ULL, 0, 0, 0));
	hup_set_cpl(h, 0);
	EXPECT_EQ(0, hup_op(h, HYPERUPCALL_QUERY, &q, sizeof(q)));
}

/* A hypercall from 32-bit code of a 64-bit guest, at CPL 0. */
HUP_TEST(abi, compatibility_mode)
{
	struct kvm_vcpu *vcpu = self->h->vcpus[0].vcpu;
	struct kvm_sregs old_sregs, sregs;
	struct kvm_regs old_regs, regs = {
		.rip = (uintptr_t)(host_cpu_is_amd ? hup_vmmcall : hup_vmcall),
		.rflags = X86_EFLAGS_FIXED,
		.rax = KVM_HC_HYPERUPCALL,
		.rbx = HYPERUPCALL_QUERY,
		.rcx = self->h->data.gva,
		.rdx = sizeof(struct hyperupcall_query),
	};

	vcpu_sregs_get(vcpu, &old_sregs);
	vcpu_regs_get(vcpu, &old_regs);
	sregs = old_sregs;
	sregs.cs.l = 0;
	sregs.cs.db = 1;
	vcpu_sregs_set(vcpu, &sregs);
	vcpu_regs_set(vcpu, &regs);
	vcpu_run(vcpu);
	TEST_ASSERT_KVM_EXIT_REASON(vcpu, KVM_EXIT_IO);
	vcpu_regs_get(vcpu, &regs);
	EXPECT_EQ(-EPERM, (int32_t)regs.rax);

	vcpu_run_complete_io(vcpu);
	vcpu_sregs_set(vcpu, &old_sregs);
	vcpu_regs_set(vcpu, &old_regs);
	EXPECT_EQ(0, hup_raw(self->h, HYPERUPCALL_QUERY, self->h->data.gva,
			     sizeof(struct hyperupcall_query), 0));
}

int main(int argc, char **argv)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_HYPERUPCALL));

	return test_harness_run(argc, argv);
}
