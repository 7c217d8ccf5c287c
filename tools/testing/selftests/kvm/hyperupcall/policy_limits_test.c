// SPDX-License-Identifier: GPL-2.0-only
/*
 * The limits that a VMM sets for hyperupcalls hold, each of them.
 */
#include "hyperupcall_util.h"
#include "kvm_test_harness.h"

FIXTURE(policy_limits) {
};

FIXTURE_SETUP(policy_limits)
{
}

FIXTURE_TEARDOWN(policy_limits)
{
}

HUP_TEST(policy_limits, numbers)
{
	static const struct kvm_hyperupcall_policy policy = {
		.max_progs = 3,
		.max_links = 2,
		.max_regions = 1,
		.max_insns = 8,
		.max_loops = 77,
	};
	struct hup *h = hup_create_policy(1, &policy);
	struct hyperupcall_query q;
	long prog;
	int i;

	hup_query(h, &q);
	EXPECT_EQ(3, q.max_progs);
	EXPECT_EQ(2, q.max_links);
	EXPECT_EQ(1, q.max_regions);
	EXPECT_EQ(8, q.max_insns);
	EXPECT_EQ(77, q.max_loops);

	for (i = 0; i < 3; i++) {
		prog = hup_load_return(h, 0);
		EXPECT_LT(0, prog);
	}
	EXPECT_EQ(-ENOSPC, hup_load_return(h, 0));
	EXPECT_LT(0, hup_link(h, prog, HYPERUPCALL_EVENT_INTERRUPT));
	EXPECT_LT(0, hup_link(h, prog, HYPERUPCALL_EVENT_INTERRUPT));
	EXPECT_EQ(-ENOSPC, hup_link(h, prog, HYPERUPCALL_EVENT_INTERRUPT));
	EXPECT_LT(0, hup_map(h, h->data.gva, PAGE_SIZE, 0, NULL));
	EXPECT_EQ(-ENOSPC, hup_map(h, h->data.gva, PAGE_SIZE, 0, NULL));
	hup_free(h);
}

HUP_TEST(policy_limits, instructions)
{
	static const struct kvm_hyperupcall_policy policy = { .max_insns = 3 };
	struct hup *h = hup_create_policy(1, &policy);

	EXPECT_LT(0, hup_prog(h,
			      BPF_MOV64_IMM(BPF_REG_1, 0),
			      BPF_MOV64_IMM(BPF_REG_0, 0),
			      BPF_EXIT_INSN()));
	EXPECT_EQ(-E2BIG, hup_prog(h,
				   BPF_MOV64_IMM(BPF_REG_1, 0),
				   BPF_MOV64_IMM(BPF_REG_2, 0),
				   BPF_MOV64_IMM(BPF_REG_0, 0),
				   BPF_EXIT_INSN()));
	hup_free(h);
}

/* Five instructions, of which the verifier follows two a hundred times. */
static const struct bpf_insn long_loop[] = {
	BPF_MOV64_IMM(BPF_REG_1, 0),
	BPF_ALU64_IMM(BPF_ADD, BPF_REG_1, 1),
	BPF_JMP_IMM(BPF_JLT, BPF_REG_1, 100, -2),
	BPF_MOV64_IMM(BPF_REG_0, 0),
	BPF_EXIT_INSN(),
};

HUP_TEST(policy_limits, verification)
{
	static const struct kvm_hyperupcall_policy policy = {
		.max_verified_insns = 100,
	};
	struct hup *h = hup_create_policy(1, &policy);

	EXPECT_EQ(-E2BIG, hup_load(h, long_loop, ARRAY_SIZE(long_loop)));
	EXPECT_LT(0, hup_load_return(h, 0));
	hup_free(h);
}

HUP_TEST(policy_limits, verification_global)
{
	static const struct kvm_hyperupcall_policy policy = {
		.max_verified_insns_global = 20,
	};
	struct hup *h = hup_create_policy(1, &policy);
	struct hup_asm a = {};
	long prog;
	int i;

	for (i = 0; i < 30; i++)
		hup_emit(&a, BPF_MOV64_IMM(BPF_REG_0, 0));
	hup_emit(&a, BPF_EXIT_INSN());
	prog = hup_load_asm(h, &a);

	EXPECT_LT(0, prog);
	EXPECT_LT(0, hup_link(h, prog, HYPERUPCALL_EVENT_INTERRUPT));
	EXPECT_EQ(-E2BIG, hup_link(h, prog, HYPERUPCALL_EVENT_VCPU_PREEMPT));
	hup_free(h);
}

HUP_TEST(policy_limits, event)
{
	static const struct kvm_hyperupcall_policy policy = {
		.events = BIT(HYPERUPCALL_EVENT_VCPU_PREEMPT),
	};
	struct hup *h = hup_create_policy(1, &policy);
	long prog = hup_load_return(h, 0);
	struct hyperupcall_query q;

	hup_query(h, &q);
	EXPECT_EQ(BIT(HYPERUPCALL_EVENT_VCPU_PREEMPT), q.events);
	EXPECT_EQ(-EACCES, hup_link(h, prog, HYPERUPCALL_EVENT_INTERRUPT));
	EXPECT_LT(0, hup_link(h, prog, HYPERUPCALL_EVENT_VCPU_PREEMPT));
	hup_free(h);
}

/* Maps page after page until the policy says no. */
static uint64_t map_all(struct hup *h, struct hup_mem *mem, long *r)
{
	uint64_t size;

	*r = 0;
	for (size = 0; size < mem->size; size += PAGE_SIZE) {
		*r = hup_map(h, mem->gva + size, PAGE_SIZE, 0, NULL);
		if (*r < 0)
			break;
	}
	return size;
}

HUP_TEST(policy_limits, memory)
{
	static const struct kvm_hyperupcall_policy policy = {
		.mem_percent = 1,
		.mem_percent_global = 1,
	};
	struct hup *h = hup_create_policy(1, &policy);
	struct hup_mem mem = hup_add_slot(h, VM_MEM_SRC_ANONYMOUS, 10, 512, 0);
	struct hyperupcall_query q;
	long r;

	hup_query(h, &q);
	EXPECT_LT(0, q.max_mem);
	EXPECT_GT(mem.size, q.max_mem);
	EXPECT_EQ(q.max_mem / PAGE_SIZE * PAGE_SIZE, map_all(h, &mem, &r));
	EXPECT_EQ(-EDQUOT, r);
	EXPECT_EQ(-EDQUOT, hup_map(h, mem.gva, mem.size, 0, NULL));
	hup_free(h);
}

/* The global limit holds as soon as, and as long as, such a link is there. */
HUP_TEST(policy_limits, memory_global)
{
	static const struct kvm_hyperupcall_policy policy = {
		.mem_percent = 50,
		.mem_percent_global = 1,
	};
	struct hup *h = hup_create_policy(1, &policy);
	struct hup_mem mem = hup_add_slot(h, VM_MEM_SRC_ANONYMOUS, 10, 512, 0);
	long prog = hup_load_return(h, 0);
	struct hyperupcall_query q;
	long region, link;
	uint64_t more;

	hup_query(h, &q);
	EXPECT_GT(q.max_mem, q.max_mem_global);
	more = align_up(q.max_mem_global + 1, PAGE_SIZE);

	region = hup_map(h, mem.gva, more, 0, NULL);
	EXPECT_LT(0, region);
	EXPECT_EQ(-EDQUOT, hup_link(h, prog, HYPERUPCALL_EVENT_VCPU_PREEMPT));
	EXPECT_EQ(0, hup_unmap(h, region));

	link = hup_link(h, prog, HYPERUPCALL_EVENT_VCPU_PREEMPT);
	EXPECT_LT(0, link);
	EXPECT_EQ(-EDQUOT, hup_map(h, mem.gva, more, 0, NULL));
	EXPECT_EQ(0, hup_unlink(h, link));
	EXPECT_LT(0, hup_map(h, mem.gva, more, 0, NULL));
	hup_free(h);
}

/* A may_goto loop ends by itself: a run takes the policy's iterations. */
HUP_TEST(policy_limits, loops)
{
	static const struct kvm_hyperupcall_policy policy = { .max_loops = 100 };
	struct hup *h = hup_create_policy(1, &policy);
	long prog = hup_prog(h,
			     BPF_MOV64_IMM(BPF_REG_0, 0),
			     HUP_MAY_GOTO(2),
			     BPF_ALU64_IMM(BPF_ADD, BPF_REG_0, 1),
			     BPF_JMP_A(-3),
			     BPF_EXIT_INSN());

	ASSERT_LT(0, prog);
	EXPECT_EQ(100, hup_run(h, prog, 0, 0, NULL));
	hup_free(h);
}

int main(int argc, char **argv)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_HYPERUPCALL));

	return test_harness_run(argc, argv);
}
