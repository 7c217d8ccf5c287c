// SPDX-License-Identifier: GPL-2.0-only
/*
 * Limits at the edge: as much as QUERY says is possible, one more is not, and
 * after something was removed it is again. QUERY tells what there is.
 */
#include <linux/kvm_para.h>

#include "abi_calls.h"
#include "apic.h"
#include "kvm_test_harness.h"

FIXTURE(limits) {
	struct hup *h;
};

FIXTURE_SETUP(limits)
{
}

FIXTURE_TEARDOWN(limits)
{
	if (self->h)
		hup_free(self->h);
}

static struct hyperupcall_query query(struct hup *h)
{
	struct hyperupcall_query q;

	hup_query(h, &q);
	return q;
}

/* @cnt instructions that the verifier follows once each. */
static long load_long(struct hup *h, uint32_t cnt, uint32_t flags)
{
	struct hyperupcall_load load = {
		.insns = h->insns.gva,
		.insn_cnt = cnt,
		.flags = flags,
	};
	struct bpf_insn *insns = h->insns.hva;
	uint32_t i;
	long r;

	for (i = 0; i < cnt - 1; i++)
		insns[i] = BPF_MOV64_IMM(BPF_REG_0, 0);
	insns[i] = BPF_EXIT_INSN();
	r = hup_op(h, HYPERUPCALL_LOAD, &load, sizeof(load));
	return r ? r : load.prog;
}

static void fill_progs(struct __test_metadata *_metadata, struct hup *h)
{
	struct hyperupcall_query q = query(h);
	long prog = 0;
	uint32_t i;

	for (i = 0; i < q.max_progs; i++) {
		prog = hup_load_return(h, i);
		ASSERT_LT(0, prog);
	}
	EXPECT_EQ(q.max_progs, query(h).nr_progs);
	EXPECT_EQ(-ENOSPC, hup_load_return(h, 0));
	EXPECT_EQ(0, hup_unload(h, prog));
	EXPECT_LT(0, hup_load_return(h, 0));
	EXPECT_EQ(-ENOSPC, hup_load_return(h, 0));
	EXPECT_EQ(q.max_progs, query(h).nr_progs);
}

HUP_TEST(limits, progs)
{
	self->h = hup_create(1);
	fill_progs(_metadata, self->h);
}

HUP_TEST(limits, progs_at_most)
{
	const struct kvm_hyperupcall_policy policy = { .max_progs = 256 };

	self->h = hup_create_policy(1, &policy);
	EXPECT_EQ(256, query(self->h).max_progs);
	fill_progs(_metadata, self->h);
}

HUP_TEST(limits, links)
{
	struct hup *h = self->h = hup_create(1);
	struct hyperupcall_query q = query(h);
	long prog = hup_load_return(h, 0), link = 0;
	uint32_t i;

	for (i = 0; i < q.max_links; i++) {
		link = hup_link(h, prog, HYPERUPCALL_EVENT_INTERRUPT);
		ASSERT_LT(0, link);
	}
	EXPECT_EQ(q.max_links, query(h).nr_links);
	EXPECT_EQ(-ENOSPC, hup_link(h, prog, HYPERUPCALL_EVENT_INTERRUPT));
	EXPECT_EQ(-ENOSPC, hup_link(h, prog, HYPERUPCALL_EVENT_VCPU_PREEMPT));
	/* A replacement is not one more. */
	EXPECT_EQ(link, hup_replace(h, prog, HYPERUPCALL_EVENT_INTERRUPT,
				    link));
	EXPECT_EQ(0, hup_unlink(h, link));
	EXPECT_LT(0, hup_link(h, prog, HYPERUPCALL_EVENT_VCPU_PREEMPT));
	EXPECT_EQ(q.max_links, query(h).nr_links);
}

HUP_TEST(limits, regions)
{
	const struct kvm_hyperupcall_policy policy = { .max_regions = 100 };
	struct hup *h = self->h = hup_create_policy(1, &policy);
	long region = 0;
	int i;

	for (i = 0; i < 100; i++) {
		region = hup_map(h, h->data.gva, PAGE_SIZE, 0, NULL);
		ASSERT_LT(0, region);
	}
	EXPECT_EQ(100, query(h).nr_regions);
	EXPECT_EQ(-ENOSPC, hup_map(h, h->data.gva, PAGE_SIZE, 0, NULL));
	EXPECT_EQ(0, hup_unmap(h, region));
	EXPECT_LT(0, hup_map(h, h->data.gva, PAGE_SIZE, 0, NULL));
	EXPECT_EQ(100 * PAGE_SIZE, query(h).mem);
}

HUP_TEST(limits, insns)
{
	const struct kvm_hyperupcall_policy policy = { .max_insns = 5000 };
	struct hup *h = self->h = hup_create_policy(1, &policy);

	EXPECT_LT(0, load_long(h, 5000, 0));
	EXPECT_EQ(-E2BIG, load_long(h, 5001, 0));
}

HUP_TEST(limits, insns_global)
{
	struct hup *h = self->h = hup_create(1);
	uint32_t max = query(h).max_insns_global;
	long prog = load_long(h, max, HYPERUPCALL_LOAD_GLOBAL);

	EXPECT_LT(0, prog);
	EXPECT_LT(0, hup_link(h, prog, HYPERUPCALL_EVENT_VCPU_PREEMPT));
	EXPECT_LT(0, hup_link(h, prog, HYPERUPCALL_EVENT_INTERRUPT));
	EXPECT_EQ(-E2BIG, load_long(h, max + 1, HYPERUPCALL_LOAD_GLOBAL));
	EXPECT_LT(0, load_long(h, max + 1, 0));
}

HUP_TEST(limits, insns_of_all_programs)
{
	const struct kvm_hyperupcall_policy policy = {
		.max_insns = 1000,
		.max_insns_total = 1500,
	};
	struct hup *h = self->h = hup_create_policy(1, &policy);
	long prog = load_long(h, 1000, 0);

	EXPECT_LT(0, prog);
	EXPECT_EQ(1500, query(h).max_insns_total);
	EXPECT_EQ(1000, query(h).nr_insns);
	EXPECT_EQ(-ENOSPC, load_long(h, 501, 0));
	EXPECT_LT(0, load_long(h, 500, 0));
	EXPECT_EQ(1500, query(h).nr_insns);
	EXPECT_EQ(-ENOSPC, load_long(h, 2, 0));
	EXPECT_EQ(0, hup_unload(h, prog));
	EXPECT_EQ(500, query(h).nr_insns);
	EXPECT_LT(0, load_long(h, 1000, 0));
}

/* 300 for a program, and 200 for one that is linked to a global event. */
static void expect_limits(struct __test_metadata *_metadata, struct hup *h)
{
	long prog;

	EXPECT_LT(0, load_long(h, 300, 0));
	EXPECT_EQ(-E2BIG, load_long(h, 301, 0));
	EXPECT_LT(0, load_long(h, 200, HYPERUPCALL_LOAD_GLOBAL));
	EXPECT_EQ(-E2BIG, load_long(h, 201, HYPERUPCALL_LOAD_GLOBAL));

	prog = load_long(h, 201, 0);
	EXPECT_EQ(-E2BIG, hup_link(h, prog, HYPERUPCALL_EVENT_VCPU_PREEMPT));
	prog = load_long(h, 200, 0);
	EXPECT_LT(0, hup_link(h, prog, HYPERUPCALL_EVENT_VCPU_PREEMPT));
}

HUP_TEST(limits, verified_insns)
{
	const struct kvm_hyperupcall_policy policy = {
		.max_verified_insns = 300,
		.max_verified_insns_global = 200,
	};

	self->h = hup_create_policy(1, &policy);
	expect_limits(_metadata, self->h);
}

HUP_TEST(limits, insns_of_a_run)
{
	const struct kvm_hyperupcall_policy policy = {
		.max_run_insns = 300,
		.max_run_insns_global = 200,
	};

	self->h = hup_create_policy(1, &policy);
	expect_limits(_metadata, self->h);
}

static long load_counting_loop(struct hup *h, uint32_t flags)
{
	const struct bpf_insn insns[] = {
		BPF_MOV64_IMM(BPF_REG_0, 0),
		HUP_MAY_GOTO(2),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_0, 1),
		BPF_JMP_A(-3),
		BPF_EXIT_INSN(),
	};
	struct hyperupcall_load load = {
		.insns = h->insns.gva,
		.insn_cnt = ARRAY_SIZE(insns),
		.flags = flags,
	};
	long r;

	memcpy(h->insns.hva, insns, sizeof(insns));
	r = hup_op(h, HYPERUPCALL_LOAD, &load, sizeof(load));
	return r ? r : load.prog;
}

/* may_goto gets what fits: fewer iterations where less time is allowed. */
HUP_TEST(limits, loops)
{
	const struct kvm_hyperupcall_policy policy = {
		.max_loops = 1000,
		.max_run_insns = 1 << 20,
		.max_run_insns_global = 500,
	};
	struct hup *h = self->h = hup_create_policy(1, &policy);
	long local = load_counting_loop(h, 0);
	long global = load_counting_loop(h, HYPERUPCALL_LOAD_GLOBAL);
	uint64_t loops;

	ASSERT_LT(0, local);
	ASSERT_LT(0, global);
	EXPECT_EQ(1000, query(h).max_loops);
	EXPECT_EQ(1000, hup_run(h, local, 0, 0, NULL));
	loops = hup_run(h, global, 0, 0, NULL);
	EXPECT_LT(0, loops);
	EXPECT_GT(500, loops);
	EXPECT_EQ(-E2BIG, hup_link(h, local, HYPERUPCALL_EVENT_VCPU_PREEMPT));
	EXPECT_LT(0, hup_link(h, global, HYPERUPCALL_EVENT_VCPU_PREEMPT));
}

HUP_TEST(limits, memory)
{
	struct hup *h = self->h = hup_create(1);
	struct hup_mem mem = hup_add_slot(h, VM_MEM_SRC_ANONYMOUS, 10, 1024, 0);
	uint64_t max = align_down(query(h).max_mem, PAGE_SIZE);
	long all, one;

	ASSERT_GT(mem.size, max);
	EXPECT_EQ(-EDQUOT, hup_map(h, mem.gva, max + PAGE_SIZE, 0, NULL));
	all = hup_map(h, mem.gva, max, 0, NULL);
	EXPECT_LT(0, all);
	EXPECT_EQ(max, query(h).mem);
	EXPECT_EQ(-EDQUOT, hup_map(h, mem.gva, PAGE_SIZE, 0, NULL));
	EXPECT_EQ(0, hup_unmap(h, all));
	one = hup_map(h, mem.gva, PAGE_SIZE, 0, NULL);
	EXPECT_LT(0, one);
	EXPECT_EQ(-EDQUOT, hup_map(h, mem.gva, max, 0, NULL));
	EXPECT_LT(0, hup_map(h, mem.gva, max - PAGE_SIZE, 0, NULL));
}

HUP_TEST(limits, memory_global)
{
	struct hup *h = self->h = hup_create(1);
	struct hup_mem mem = hup_add_slot(h, VM_MEM_SRC_ANONYMOUS, 10, 1024, 0);
	uint64_t max = align_down(query(h).max_mem_global, PAGE_SIZE);
	long prog = hup_load_return(h, 0), region, link;

	ASSERT_LT(0, max);
	region = hup_map(h, mem.gva, max + PAGE_SIZE, 0, NULL);
	EXPECT_LT(0, region);
	EXPECT_EQ(-EDQUOT, hup_link(h, prog, HYPERUPCALL_EVENT_VCPU_PREEMPT));
	EXPECT_EQ(0, hup_unmap(h, region));
	EXPECT_LT(0, hup_map(h, mem.gva, max, 0, NULL));
	link = hup_link(h, prog, HYPERUPCALL_EVENT_VCPU_PREEMPT);
	EXPECT_LT(0, link);
	EXPECT_EQ(-EDQUOT, hup_map(h, mem.gva, PAGE_SIZE, 0, NULL));
	EXPECT_EQ(0, hup_unlink(h, link));
	EXPECT_LT(0, hup_map(h, mem.gva, PAGE_SIZE, 0, NULL));
}

/* Run time. IPIs from vCPU 0 to vCPU 1, which are consumed. */

#define VECTOR	0xa5

static uint64_t guest_x2apic(uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3)
{
	x2apic_enable();
	return 0;
}

/*
 * Sends @n IPIs, returns after how many of them less time was left than before.
 * The struct is the caller's.
 */
static uint64_t guest_send(uint64_t n, uint64_t query_gva, uint64_t a2,
			   uint64_t a3)
{
	struct hyperupcall_query *q = (void *)query_gva;
	uint64_t before, less = 0;

	while (n--) {
		kvm_hypercall(KVM_HC_HYPERUPCALL, HYPERUPCALL_QUERY, query_gva,
			      sizeof(*q), 0);
		before = q->budget_left_ns;
		kvm_hypercall(KVM_HC_SEND_IPI, 1 << 1, 0, 0, VECTOR);
		kvm_hypercall(KVM_HC_HYPERUPCALL, HYPERUPCALL_QUERY, query_gva,
			      sizeof(*q), 0);
		less += q->budget_left_ns < before;
	}
	return less;
}

static struct hup *create_with_budget(uint64_t budget_ns)
{
	const struct kvm_hyperupcall_policy policy = { .budget_ns = budget_ns };
	struct hup *h = hup_create_policy(2, &policy);

	hup_guest(h, 1, guest_x2apic, 0, 0, 0, 0);
	return h;
}

static uint64_t send(struct hup *h, uint64_t n)
{
	return hup_guest(h, 0, guest_send, n, h->data.gva, 0, 0);
}

HUP_TEST(limits, budget)
{
	struct hup *h = self->h = create_with_budget(0);
	struct hyperupcall_query q = query(h);
	struct hyperupcall_stats stats;
	long link;

	EXPECT_EQ(250000000, q.budget_ns);
	EXPECT_EQ(q.budget_ns, q.budget_left_ns);
	link = hup_link(h, hup_load_return(h, HYPERUPCALL_CONSUMED),
			HYPERUPCALL_EVENT_INTERRUPT);
	ASSERT_LT(0, link);

	/* A second may begin now and then, and all of it is there again. */
	EXPECT_LE(95, send(h, 100));
	hup_stats(h, link, &stats);
	EXPECT_EQ(100, stats.runs);
	EXPECT_EQ(0, stats.throttled);
	EXPECT_LE(q.budget_ns - stats.run_ns, query(h).budget_left_ns);
}

HUP_TEST(limits, budget_of_the_policy)
{
	struct hyperupcall_query q;

	self->h = create_with_budget(500000000);
	q = query(self->h);
	EXPECT_EQ(500000000, q.budget_ns);
	EXPECT_EQ(500000000, q.budget_left_ns);
}

/* One nanosecond is gone after a run, and is there again a second later. */
HUP_TEST(limits, budget_used_up)
{
	struct hup *h = self->h = create_with_budget(1);
	struct hyperupcall_stats stats;
	long link;

	link = hup_link(h, hup_load_return(h, HYPERUPCALL_CONSUMED),
			HYPERUPCALL_EVENT_INTERRUPT);
	ASSERT_LT(0, link);
	EXPECT_EQ(1, send(h, 1));
	EXPECT_EQ(0, query(h).budget_left_ns);
	send(h, 1);
	hup_stats(h, link, &stats);
	EXPECT_EQ(1, stats.runs);
	EXPECT_EQ(1, stats.throttled);

	usleep(1100000);
	EXPECT_EQ(1, query(h).budget_left_ns);
	EXPECT_EQ(1, send(h, 1));
	hup_stats(h, link, &stats);
	EXPECT_EQ(2, stats.runs);
	EXPECT_EQ(1, stats.throttled);
}

int main(int argc, char **argv)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_HYPERUPCALL));

	return test_harness_run(argc, argv);
}
