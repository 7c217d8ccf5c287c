// SPDX-License-Identifier: GPL-2.0-only
/*
 * How long a run may take, and how much all programs may be together:
 * HYPERUPCALL_LOAD_GLOBAL, the instructions of a run, and max_insns_total.
 */
#include <sys/mman.h>
#include <time.h>

#include "kvm_test_harness.h"
#include "observe_util.h"

#define GLOBAL_EVENT	HYPERUPCALL_EVENT_VCPU_PREEMPT
#define LOCAL_EVENT	HYPERUPCALL_EVENT_INTERRUPT

/* Instructions of the loop. */
#define BODY		40

/* What an access to the window and a helper count for beyond themselves. */
#define ACCESS_COST	32
#define HELPER_COST	256

/* r0 = how often a loop goes on, in BODY instructions each time. */
static long load_loop(struct hup *h, uint32_t flags)
{
	struct hup_asm a = {};
	int i;

	hup_emit(&a, BPF_MOV64_IMM(BPF_REG_0, 0));
	hup_emit(&a, HUP_MAY_GOTO(BODY - 2));
	hup_emit(&a, BPF_ALU64_IMM(BPF_ADD, BPF_REG_0, 1));
	for (i = 0; i < BODY - 4; i++)
		hup_emit(&a, BPF_MOV64_IMM(BPF_REG_1, 0));
	hup_emit(&a, BPF_JMP_A(-(BODY - 1)));
	hup_emit(&a, BPF_EXIT_INSN());
	return observe_load(h, "loop", flags, a.insns, a.cnt);
}

/* Makes @n accesses, one after the other, and nothing @more times. */
static long load_accesses(struct hup *h, uint32_t flags, int n, int more,
			  struct bpf_insn access)
{
	const struct bpf_insn head[] = {
		BPF_MOV32_IMM(BPF_REG_2, 0x1000),
		HUP_WINDOW(BPF_REG_2, BPF_REG_2),
		BPF_MOV64_IMM(BPF_REG_0, 0),
	};
	const struct bpf_insn nothing = BPF_MOV64_IMM(BPF_REG_0, 0);
	const struct bpf_insn exit = BPF_EXIT_INSN();
	struct bpf_insn insns[512];
	int cnt = ARRAY_SIZE(head);

	TEST_ASSERT(cnt + n + more < ARRAY_SIZE(insns), "program too long");
	memcpy(insns, head, sizeof(head));
	while (n--)
		insns[cnt++] = access;
	while (more--)
		insns[cnt++] = nothing;
	insns[cnt++] = exit;
	return observe_load(h, "accesses", flags, insns, cnt);
}

#define COST_OF_ACCESSES(n)	(4 + (n) * (1 + ACCESS_COST))

/* Calls a helper @n times, and does nothing @more times. */
static long load_calls(struct hup *h, int n, int more)
{
	const struct bpf_insn nothing = BPF_MOV64_IMM(BPF_REG_0, 0);
	struct hup_asm a = {};

	while (n--) {
		hup_emit(&a, BPF_MOV64_IMM(BPF_REG_1, 0));
		hup_emit(&a, HUP_CALL(VCPU_STATE));
	}
	while (more--)
		hup_emit(&a, nothing);
	hup_emit_return(&a, 0);
	return observe_load(h, "calls", 0, a.insns, a.cnt);
}

#define COST_OF_CALLS(n)	(2 + (n) * (2 + HELPER_COST))

FIXTURE(limits) {
};

FIXTURE_SETUP(limits)
{
}

FIXTURE_TEARDOWN(limits)
{
}

/* With the flag a program gets the iterations that fit a global event. */
HUP_TEST(limits, loops_of_global_programs)
{
	struct hup *h = hup_create(1);
	long local = load_loop(h, 0);
	long global = load_loop(h, HYPERUPCALL_LOAD_GLOBAL);
	struct hyperupcall_query q;
	uint64_t n;

	ASSERT_LT(0, local);
	ASSERT_LT(0, global);
	hup_query(h, &q);
	EXPECT_EQ(q.max_loops, hup_run(h, local, 0, 0, NULL));
	n = hup_run(h, global, 0, 0, NULL);
	/* 131072 by default; the verifier follows the loop more than once. */
	EXPECT_GT(131072 / BODY, n);
	EXPECT_LT(131072 / (8 * BODY), n);

	EXPECT_EQ(-E2BIG, hup_link(h, local, GLOBAL_EVENT));
	EXPECT_LT(0, hup_link(h, local, LOCAL_EVENT));
	EXPECT_LT(0, hup_link(h, global, LOCAL_EVENT));
	EXPECT_LT(0, hup_link(h, global, GLOBAL_EVENT));
	hup_free(h);
}

/* What is short enough needs no flag, and a link may be replaced by it only. */
HUP_TEST(limits, short_programs)
{
	struct hup *h = hup_create(1);
	long local = load_loop(h, 0), brief = hup_load_return(h, 0);
	long link = hup_link(h, brief, GLOBAL_EVENT);

	ASSERT_LT(0, link);
	EXPECT_EQ(-E2BIG, hup_replace(h, local, GLOBAL_EVENT, link));
	EXPECT_EQ(link, hup_replace(h, load_loop(h, HYPERUPCALL_LOAD_GLOBAL),
				    GLOBAL_EVENT, link));
	hup_free(h);
}

/*
 * An access is 32 instructions, and an atomic operation that fetches nothing
 * two accesses. Instructions that do nothing make up for the difference.
 */
static const struct {
	struct bpf_insn insn;
	int accesses;
} kinds[] = {
	{ BPF_LDX_MEM(BPF_B, BPF_REG_3, BPF_REG_2, 0), 1 },
	{ BPF_STX_MEM(BPF_DW, BPF_REG_2, BPF_REG_0, 8), 1 },
	{ BPF_ST_MEM(BPF_W, BPF_REG_2, 4, 1), 1 },
	{ BPF_ATOMIC_OP(BPF_DW, BPF_ADD, BPF_REG_2, BPF_REG_0, 0), 2 },
};

static long load_kind(struct hup *h, uint32_t flags, int kind, int accesses,
		      int more)
{
	int n = accesses / kinds[kind].accesses;

	return load_accesses(h, flags, n, accesses - n + more,
			     kinds[kind].insn);
}

HUP_TEST(limits, cost_of_accesses)
{
	static const struct kvm_hyperupcall_policy policy = {
		.max_run_insns = COST_OF_ACCESSES(100),
		.max_run_insns_global = COST_OF_ACCESSES(50),
	};
	const uint32_t global = HYPERUPCALL_LOAD_GLOBAL;
	struct hup *h = hup_create_policy(1, &policy);
	long prog, link;
	int i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		EXPECT_LT(0, load_kind(h, 0, i, 100, 0)) TH_LOG("kind %d", i);
		EXPECT_EQ(-E2BIG, load_kind(h, 0, i, 100, 1))
			TH_LOG("kind %d", i);
		EXPECT_LT(0, load_kind(h, global, i, 50, 0));
		EXPECT_EQ(-E2BIG, load_kind(h, global, i, 50, 1));

		/* Without the flag it is found out at LINK. */
		prog = load_kind(h, 0, i, 50, 0);
		link = hup_link(h, prog, GLOBAL_EVENT);
		EXPECT_LT(0, link) TH_LOG("kind %d", i);
		EXPECT_EQ(0, hup_unlink(h, link));
		prog = load_kind(h, 0, i, 50, 1);
		EXPECT_EQ(-E2BIG, hup_link(h, prog, GLOBAL_EVENT));
		EXPECT_LT(0, hup_link(h, prog, LOCAL_EVENT));
	}
	hup_free(h);
}

/* And a helper is 256. */
HUP_TEST(limits, cost_of_calls)
{
	static const struct kvm_hyperupcall_policy policy = {
		.max_run_insns = COST_OF_CALLS(20),
	};
	struct hup *h = hup_create_policy(1, &policy);

	EXPECT_LT(0, load_calls(h, 20, 0));
	EXPECT_EQ(-E2BIG, load_calls(h, 20, 1));
	EXPECT_LT(0, load_calls(h, 19, 20));
	hup_free(h);
}

HUP_TEST(limits, flag)
{
	const struct bpf_insn insns[] = {
		BPF_MOV64_IMM(BPF_REG_0, 0), BPF_EXIT_INSN(),
	};
	static const struct kvm_hyperupcall_policy policy = {
		.max_insns = 8,
		.max_insns_global = 2,
	};
	struct hup *h = hup_create_policy(1, &policy);

	EXPECT_LT(0, observe_load(h, "", HYPERUPCALL_LOAD_GLOBAL, insns, 2));
	EXPECT_EQ(-EINVAL, observe_load(h, "", 2, insns, 2));
	EXPECT_EQ(-EINVAL, observe_load(h, "", ~0U, insns, 2));
	EXPECT_LT(0, observe_load_faulty(h, "", 1, 0));
	EXPECT_EQ(-E2BIG, load_loop(h, HYPERUPCALL_LOAD_GLOBAL));
	hup_free(h);
}

/* A program that says it is a global one has to fit local events, too. */
HUP_TEST(limits, local_limits_of_global_programs)
{
	static const struct kvm_hyperupcall_policy insns = { .max_insns = 3 };
	static const struct kvm_hyperupcall_policy verified = {
		.max_verified_insns = 3,
	};
	static const struct kvm_hyperupcall_policy run = {
		.max_run_insns = COST_OF_CALLS(1) - 1,
	};
	const struct bpf_insn four[] = {
		BPF_MOV64_IMM(BPF_REG_0, 0), BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_MOV64_IMM(BPF_REG_0, 0), BPF_EXIT_INSN(),
	};
	const struct bpf_insn call[] = {
		BPF_MOV64_IMM(BPF_REG_1, 0), HUP_CALL(VCPU_STATE),
		BPF_MOV64_IMM(BPF_REG_0, 0), BPF_EXIT_INSN(),
	};
	const uint32_t global = HYPERUPCALL_LOAD_GLOBAL;
	struct hyperupcall_query q;
	struct hup *h;

	h = hup_create_policy(1, &insns);
	EXPECT_EQ(-E2BIG, observe_load(h, "", global, four, 4));
	EXPECT_LT(0, observe_load(h, "", global, four + 1, 3));
	hup_query(h, &q);
	EXPECT_EQ(3, q.max_insns_global);
	hup_free(h);

	h = hup_create_policy(1, &verified);
	EXPECT_EQ(-E2BIG, observe_load(h, "", global, four, 4));
	EXPECT_LT(0, observe_load(h, "", global, four + 1, 3));
	hup_query(h, &q);
	EXPECT_EQ(3, q.max_verified_insns_global);
	hup_free(h);

	h = hup_create_policy(1, &run);
	EXPECT_EQ(-E2BIG, observe_load(h, "", global, call, 4));
	EXPECT_LT(0, observe_load(h, "", global, four, 4));
	hup_query(h, &q);
	EXPECT_EQ(COST_OF_CALLS(1) - 1, q.max_run_insns_global);
	hup_free(h);
}

/* Programs of two instructions each, and ten in all. */
HUP_TEST(limits, instructions_of_all_programs)
{
	static const struct kvm_hyperupcall_policy policy = {
		.max_insns_total = 10,
	};
	struct hup *h = hup_create_policy(1, &policy);
	struct hyperupcall_query q;
	long prog[5];
	int i;

	hup_query(h, &q);
	EXPECT_EQ(10, q.max_insns_total);
	EXPECT_EQ(0, q.nr_insns);
	for (i = 0; i < 5; i++) {
		prog[i] = hup_load_return(h, 0);
		EXPECT_LT(0, prog[i]);
		hup_query(h, &q);
		EXPECT_EQ(2 * (i + 1), q.nr_insns);
	}
	EXPECT_EQ(-ENOSPC, hup_load_return(h, 0));
	EXPECT_EQ(0, hup_unload(h, prog[2]));
	hup_query(h, &q);
	EXPECT_EQ(8, q.nr_insns);
	EXPECT_EQ(-ENOSPC, hup_prog(h, BPF_MOV64_IMM(BPF_REG_0, 0),
				    BPF_MOV64_IMM(BPF_REG_0, 0),
				    BPF_EXIT_INSN()));
	/* What is refused takes nothing. */
	EXPECT_EQ(-EACCES, hup_prog(h, BPF_MOV64_REG(BPF_REG_0, BPF_REG_3),
				    BPF_EXIT_INSN()));
	hup_query(h, &q);
	EXPECT_EQ(8, q.nr_insns);
	EXPECT_LT(0, hup_load_return(h, 0));
	hup_query(h, &q);
	EXPECT_EQ(10, q.nr_insns);
	hup_free(h);
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return timespec_to_ns(ts);
}

static long test_run_once(struct hup *h, uint32_t prog)
{
	struct hyperupcall_test_run run = { .prog = prog };

	return hup_op(h, HYPERUPCALL_TEST_RUN, &run, sizeof(run));
}

/* TEST_RUN takes the VM's time as a link does, and waits for the next second. */
HUP_TEST(limits, budget_of_test_runs)
{
	static const struct kvm_hyperupcall_policy policy = {
		.budget_ns = 20000,
	};
	struct hup *h = hup_create_policy(1, &policy);
	long prog = load_loop(h, 0), link;
	struct hyperupcall_query q;
	uint64_t start;
	int i;

	ASSERT_LT(0, prog);
	link = hup_link(h, prog, LOCAL_EVENT);
	ASSERT_LT(0, link);
	ASSERT_EQ(0, mlockall(MCL_CURRENT));
	for (i = 0; i < 3; i++) {
		/* What has begun ends, and has taken all of the second. */
		start = now_ns();
		ASSERT_EQ(0, test_run_once(h, prog)) TH_LOG("second %d", i);
		EXPECT_EQ(-EDQUOT, test_run_once(h, prog));
		EXPECT_EQ(-EDQUOT, test_run_once(h, prog));
		hup_query(h, &q);
		EXPECT_EQ(0, q.budget_left_ns);
		/* That took no second, or it says nothing. */
		ASSERT_GT(1000000000, now_ns() - start);
		usleep(1100000);
	}
	hup_free(h);
}

int main(int argc, char **argv)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_HYPERUPCALL));

	return test_harness_run(argc, argv);
}
