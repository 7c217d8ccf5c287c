// SPDX-License-Identifier: GPL-2.0-only
/*
 * Global events, by the example of VCPU_PREEMPT: one link, smaller limits, and
 * a program that is asked when a vCPU yields to another.
 */
#include "hyperupcall_util.h"
#include "hyperv.h"
#include "kvm_test_harness.h"

#define EVENT	HYPERUPCALL_EVENT_VCPU_PREEMPT

/* Vcpus: one makes the hypercalls, one yields, and one wants the CPU. */
#define YIELDER		1
#define SPINNER		2

struct preempt_data {
	uint64_t stop;
	uint64_t runs;
	struct hyperupcall_ctx ctx;
};

static uint64_t guest_hyperv_init(uint64_t a0, uint64_t a1, uint64_t a2,
				  uint64_t a3)
{
	wrmsr(HV_X64_MSR_GUEST_OS_ID, HYPERV_LINUX_OS_ID);
	return 0;
}

static uint64_t guest_yield(uint64_t n, uint64_t a1, uint64_t a2, uint64_t a3)
{
	while (n--)
		hyperv_hypercall(HVCALL_NOTIFY_LONG_SPIN_WAIT, 0, 0);
	return 0;
}

FIXTURE(preempt) {
	struct hup *h;
};

FIXTURE_SETUP(preempt)
{
	self->h = hup_create(1);
}

FIXTURE_TEARDOWN(preempt)
{
	hup_free(self->h);
}

static long load_long(struct hup *h, unsigned int cnt)
{
	const struct bpf_insn mov = BPF_MOV64_IMM(BPF_REG_0, 0);
	const struct bpf_insn exit = BPF_EXIT_INSN();
	struct bpf_insn *insns = malloc(cnt * sizeof(*insns));
	unsigned int i;
	long r;

	for (i = 0; i < cnt - 1; i++)
		insns[i] = mov;
	insns[i] = exit;
	r = hup_load(h, insns, cnt);
	free(insns);
	return r;
}

HUP_TEST(preempt, one_link)
{
	struct hup *h = self->h;
	uint32_t prog = hup_load_return(h, 0);
	long link = hup_link(h, prog, EVENT);

	ASSERT_LT(0, link);
	EXPECT_EQ(-EEXIST, hup_link(h, prog, EVENT));
	EXPECT_EQ(link, hup_replace(h, hup_load_return(h, 0), EVENT,
				    link));
	EXPECT_EQ(-EEXIST, hup_link(h, prog, EVENT));
	EXPECT_EQ(0, hup_unlink(h, link));
	EXPECT_LT(0, hup_link(h, prog, EVENT));
}

HUP_TEST(preempt, another_vm_has_its_own)
{
	struct hup *other = hup_create(1);

	EXPECT_LT(0, hup_link(self->h, hup_load_return(self->h, 0),
			      EVENT));
	EXPECT_LT(0, hup_link(other, hup_load_return(other, 0), EVENT));
	hup_free(other);
}

HUP_TEST(preempt, program_too_long)
{
	struct hup *h = self->h;
	struct hyperupcall_query q;
	long longest, longer, link;

	hup_query(h, &q);
	ASSERT_GT(HUP_MAX_INSNS, q.max_insns_global);
	longest = load_long(h, q.max_insns_global);
	ASSERT_LT(0, longest);
	longer = load_long(h, q.max_insns_global + 1);
	if (q.max_insns == q.max_insns_global) {
		EXPECT_EQ(-E2BIG, longer);
		SKIP(return, "no program may be longer");
	}
	ASSERT_LT(0, longer);

	EXPECT_EQ(-E2BIG, hup_link(h, longer, EVENT));
	link = hup_link(h, longest, EVENT);
	ASSERT_LT(0, link);
	EXPECT_EQ(-E2BIG, hup_replace(h, longer, EVENT, link));
	EXPECT_LT(0, hup_link(h, longer, HYPERUPCALL_EVENT_INTERRUPT));
}

#define AT(data, field)		((data) + offsetof(struct preempt_data, field))

/* Copies the event into shared memory, counts and answers. */
static long load_recorder(struct hup *h, uint32_t data, int answer)
{
	struct hup_asm a = {};

	hup_emit_address(&a, BPF_REG_2, AT(data, ctx));
	hup_emit_copy(&a, BPF_REG_2, BPF_REG_1,
		      sizeof(struct hyperupcall_ctx));
	hup_emit_count(&a, AT(data, runs));
	hup_emit_return(&a, answer);
	return hup_load_asm(h, &a);
}

/*
 * The yielder and the spinner share a CPU: whenever the yielder runs, the
 * spinner is preempted, and a candidate to yield to.
 */
FIXTURE(yield) {
	struct hup *h;
	struct preempt_data *data;
	uint32_t offset;
};

FIXTURE_SETUP(yield)
{
	struct hup *h = hup_create_vm(3);

	self->h = h;
	ASSERT_EQ(0, hup_enable(h->vm, NULL, 0));
	hup_add_vcpus(h);
	vcpu_set_hv_cpuid(h->vcpus[YIELDER].vcpu);
	hup_boot(h);
	self->data = h->data.hva;
	ASSERT_LT(0, hup_map(h, h->data.gva, PAGE_SIZE, HYPERUPCALL_MAP_WRITE,
			     &self->offset));
	hup_guest(h, YIELDER, guest_hyperv_init, 0, 0, 0, 0);

	kvm_pin_this_task_to_pcpu(0);
	hup_start(h, SPINNER, hup_spin,
		  h->data.gva + offsetof(struct preempt_data, stop), 0, 0, 0);
	usleep(10000);
}

FIXTURE_TEARDOWN(yield)
{
	WRITE_ONCE(self->data->stop, 1);
	hup_join(self->h, SPINNER);
	hup_free(self->h);
}

/* Yields until the program ran, or for a long time. */
static void yield_until_asked(struct hup *h, struct preempt_data *data)
{
	int i;

	for (i = 0; i < 1000 && !READ_ONCE(data->runs); i++)
		hup_guest(h, YIELDER, guest_yield, 10, 0, 0, 0);
}

HUP_TEST(yield, event_data)
{
	struct hup *h = self->h;
	struct hyperupcall_stats stats;
	struct hyperupcall_ctx ctx;
	long link = hup_link(h, load_recorder(h, self->offset,
					      HYPERUPCALL_CRITICAL), EVENT);

	ASSERT_LT(0, link);
	yield_until_asked(h, self->data);
	ASSERT_LT(0, self->data->runs);
	hup_stats(h, link, &stats);
	EXPECT_EQ(self->data->runs, stats.runs);
	EXPECT_EQ(stats.runs, stats.opinions);
	EXPECT_EQ(0, stats.faults);

	ctx = *(struct hyperupcall_ctx *)&self->data->ctx;
	EXPECT_EQ(EVENT, ctx.event);
	EXPECT_EQ(YIELDER, ctx.vcpu);
	EXPECT_EQ(SPINNER, ctx.preempt.target);
	EXPECT_EQ(0, ctx.preempt.cpl);
	EXPECT_LE((uintptr_t)hup_spin, ctx.preempt.rip);
	EXPECT_GT((uintptr_t)hup_spin_end, ctx.preempt.rip);
}

HUP_TEST(yield, no_opinion)
{
	struct hup *h = self->h;
	struct hyperupcall_stats stats;
	long link = hup_link(h, load_recorder(h, self->offset, 77), EVENT);

	ASSERT_LT(0, link);
	yield_until_asked(h, self->data);
	ASSERT_LT(0, self->data->runs);
	hup_stats(h, link, &stats);
	EXPECT_EQ(self->data->runs, stats.runs);
	EXPECT_EQ(0, stats.opinions);
}

HUP_TEST(yield, not_after_unlink)
{
	struct hup *h = self->h;
	long link = hup_link(h, load_recorder(h, self->offset, 0), EVENT);
	uint64_t runs;

	yield_until_asked(h, self->data);
	EXPECT_EQ(0, hup_unlink(h, link));
	runs = self->data->runs;
	EXPECT_LT(0, runs);
	hup_guest(h, YIELDER, guest_yield, 100, 0, 0, 0);
	EXPECT_EQ(runs, self->data->runs);
}

int main(int argc, char **argv)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_HYPERUPCALL));

	return test_harness_run(argc, argv);
}
