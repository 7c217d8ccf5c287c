// SPDX-License-Identifier: GPL-2.0-only
/*
 * Links, one step at a time: their order, what an answer does to the rest of
 * the chain, what REPLACE keeps, and what happens to a VM whose programs take
 * too long.
 */
#include <sys/mman.h>
#include <time.h>

#include "apic.h"
#include "hyperupcall_util.h"
#include "kvm_test_harness.h"

#define VECTOR		0xa5
#define SENDER		0
#define TARGET		1

/* What programs and the test share. */
struct links_data {
	uint64_t digits;	/* of the programs that ran, in their order */
};

FIXTURE(links) {
	struct hup *h;
	struct links_data *data;
	uint32_t offset;
};

static uint64_t guest_send(uint64_t n, uint64_t a1, uint64_t a2, uint64_t a3)
{
	x2apic_enable();
	while (n--)
		x2apic_write_reg(APIC_ICR, (uint64_t)TARGET << 32 | VECTOR);
	return 0;
}

static void setup(struct hup *h, uint32_t *offset)
{
	TEST_ASSERT(hup_map(h, h->data.gva, PAGE_SIZE, HYPERUPCALL_MAP_WRITE,
			    offset) > 0, "MAP");
	hup_guest(h, TARGET, guest_send, 0, 0, 0, 0);
}

FIXTURE_SETUP(links)
{
	self->h = hup_create(2);
	self->data = self->h->data.hva;
	setup(self->h, &self->offset);
}

FIXTURE_TEARDOWN(links)
{
	hup_free(self->h);
}

/*
 * The target does not run: whatever is delivered stays in its APIC, and all
 * that can be seen of an IPI is what the programs do.
 */
static void send(struct hup *h, uint64_t n)
{
	hup_guest(h, SENDER, guest_send, n, 0, 0, 0);
}

/* digits = digits * 10 + digit */
static long load_digit(struct hup *h, uint32_t data, int digit, int answer)
{
	struct hup_asm a = {};

	hup_emit_address(&a, BPF_REG_2,
			 data + offsetof(struct links_data, digits));
	hup_emit(&a, BPF_LDX_MEM(BPF_DW, BPF_REG_3, BPF_REG_2, 0));
	hup_emit(&a, BPF_ALU64_IMM(BPF_MUL, BPF_REG_3, 10));
	hup_emit(&a, BPF_ALU64_IMM(BPF_ADD, BPF_REG_3, digit));
	hup_emit(&a, BPF_STX_MEM(BPF_DW, BPF_REG_2, BPF_REG_3, 0));
	hup_emit_return(&a, answer);
	return hup_load_asm(h, &a);
}

static long link_digit(struct hup *h, uint32_t data, int digit)
{
	long prog = load_digit(h, data, digit, HYPERUPCALL_NO_OPINION);
	long link = hup_link(h, prog, HYPERUPCALL_EVENT_INTERRUPT);

	TEST_ASSERT(link > 0, "LINK returned %ld", link);
	return link;
}

static uint64_t digits_of_one_event(struct hup *h, struct links_data *data)
{
	data->digits = 0;
	send(h, 1);
	return data->digits;
}

HUP_TEST(links, order)
{
	struct hup *h = self->h;
	long link[6], prog;
	int i;

	for (i = 1; i <= 5; i++)
		link[i] = link_digit(h, self->offset, i);
	EXPECT_EQ(12345, digits_of_one_event(h, self->data));

	/* From the middle, the start and the end. */
	EXPECT_EQ(0, hup_unlink(h, link[3]));
	EXPECT_EQ(1245, digits_of_one_event(h, self->data));
	EXPECT_EQ(0, hup_unlink(h, link[1]));
	EXPECT_EQ(245, digits_of_one_event(h, self->data));
	EXPECT_EQ(0, hup_unlink(h, link[5]));
	EXPECT_EQ(24, digits_of_one_event(h, self->data));

	/* What is linked later runs later. */
	link[3] = link_digit(h, self->offset, 3);
	link[1] = link_digit(h, self->offset, 1);
	EXPECT_EQ(2431, digits_of_one_event(h, self->data));

	/* A replacement runs where the old one ran. */
	prog = load_digit(h, self->offset, 7, HYPERUPCALL_NO_OPINION);
	EXPECT_EQ(link[4], hup_replace(h, prog, HYPERUPCALL_EVENT_INTERRUPT,
				       link[4]));
	EXPECT_EQ(2731, digits_of_one_event(h, self->data));

	/* One program, several links. */
	EXPECT_LT(0, hup_link(h, prog, HYPERUPCALL_EVENT_INTERRUPT));
	EXPECT_EQ(link[2], hup_replace(h, prog, HYPERUPCALL_EVENT_INTERRUPT,
				       link[2]));
	EXPECT_EQ(77317, digits_of_one_event(h, self->data));
}

/* Only an answer of the event ends the chain, and only its low half counts. */
HUP_TEST(links, answers)
{
	static const struct {
		uint64_t r0;
		bool opinion;
	} answers[] = {
		{ HYPERUPCALL_NO_OPINION, false },
		{ HYPERUPCALL_DELIVER, true },
		{ HYPERUPCALL_CONSUMED, true },
		{ 3, false },
		{ ~0ULL, false },
		{ 0x80000000, false },
		{ 0x7fffffff, false },
		{ 1ULL << 32, false },
		{ 1ULL << 32 | HYPERUPCALL_DELIVER, true },
		{ ~0ULL << 32 | HYPERUPCALL_CONSUMED, true },
	};
	struct hup *h = self->h;
	struct hyperupcall_stats first, second;
	long link[2], prog;
	int i;

	for (i = 0; i < ARRAY_SIZE(answers); i++) {
		prog = hup_prog(h, BPF_LD_IMM64(BPF_REG_0, answers[i].r0),
				BPF_EXIT_INSN());
		ASSERT_LT(0, prog);
		link[0] = hup_link(h, prog, HYPERUPCALL_EVENT_INTERRUPT);
		link[1] = link_digit(h, self->offset, 1);
		send(h, 3);
		hup_stats(h, link[0], &first);
		hup_stats(h, link[1], &second);
		EXPECT_EQ(3, first.runs);
		EXPECT_EQ(answers[i].opinion ? 3 : 0, first.opinions)
			TH_LOG("answer %#lx", answers[i].r0);
		EXPECT_EQ(answers[i].opinion ? 0 : 3, second.runs)
			TH_LOG("answer %#lx", answers[i].r0);
		EXPECT_EQ(0, second.opinions);
		EXPECT_EQ(0, hup_unlink(h, link[0]));
		EXPECT_EQ(0, hup_unlink(h, link[1]));
	}
}

HUP_TEST(links, unload)
{
	struct hup *h = self->h;
	long first = hup_load_return(h, 0), second = hup_load_return(h, 0);
	long one = hup_link(h, first, HYPERUPCALL_EVENT_INTERRUPT);
	long two = hup_link(h, first, HYPERUPCALL_EVENT_VCPU_PREEMPT);

	EXPECT_EQ(-EBUSY, hup_unload(h, first));
	EXPECT_EQ(0, hup_unlink(h, one));
	EXPECT_EQ(-EBUSY, hup_unload(h, first));
	EXPECT_EQ(two, hup_replace(h, second, HYPERUPCALL_EVENT_VCPU_PREEMPT,
				   two));
	EXPECT_EQ(0, hup_unload(h, first));
	EXPECT_EQ(-ENOENT, hup_unload(h, first));
	EXPECT_EQ(-EBUSY, hup_unload(h, second));

	/* By itself, which changes nothing. */
	EXPECT_EQ(two, hup_replace(h, second, HYPERUPCALL_EVENT_VCPU_PREEMPT,
				   two));
	EXPECT_EQ(-EBUSY, hup_unload(h, second));
	EXPECT_EQ(0, hup_unlink(h, two));
	EXPECT_EQ(0, hup_unload(h, second));
}

/* One that faults, by another that has opinions, and back. */
HUP_TEST(links, replace_keeps_the_statistics)
{
	struct hup *h = self->h;
	struct hyperupcall_stats stats;
	long faulty, firm, link;
	struct hup_asm a = {};
	uint64_t run_ns;

	hup_emit_address(&a, BPF_REG_2, 0x70000000);
	hup_emit(&a, BPF_ST_MEM(BPF_DW, BPF_REG_2, 0, 1));
	hup_emit(&a, BPF_LDX_MEM(BPF_DW, BPF_REG_3, BPF_REG_2, 0));
	hup_emit_return(&a, HYPERUPCALL_NO_OPINION);
	faulty = hup_load_asm(h, &a);
	firm = hup_load_return(h, HYPERUPCALL_CONSUMED);

	link = hup_link(h, faulty, HYPERUPCALL_EVENT_INTERRUPT);
	send(h, 5);
	hup_stats(h, link, &stats);
	EXPECT_EQ(5, stats.runs);
	EXPECT_EQ(10, stats.faults);
	EXPECT_EQ(0, stats.opinions);
	EXPECT_LT(0, stats.run_ns);
	run_ns = stats.run_ns;

	EXPECT_EQ(link, hup_replace(h, firm, HYPERUPCALL_EVENT_INTERRUPT,
				    link));
	hup_stats(h, link, &stats);
	EXPECT_EQ(5, stats.runs);
	EXPECT_EQ(run_ns, stats.run_ns);
	send(h, 3);
	EXPECT_EQ(link, hup_replace(h, faulty, HYPERUPCALL_EVENT_INTERRUPT,
				    link));
	send(h, 1);
	hup_stats(h, link, &stats);
	EXPECT_EQ(9, stats.runs);
	EXPECT_EQ(12, stats.faults);
	EXPECT_EQ(3, stats.opinions);
	EXPECT_EQ(0, stats.throttled);
	EXPECT_LT(run_ns, stats.run_ns);
}

HUP_TEST(links, replace_errors)
{
	struct hup *h = self->h;
	long prog = hup_load_return(h, HYPERUPCALL_NO_OPINION);
	long link = hup_link(h, prog, HYPERUPCALL_EVENT_INTERRUPT);
	struct hyperupcall_stats stats;

	EXPECT_EQ(-ENOENT, hup_replace(h, prog, HYPERUPCALL_EVENT_INTERRUPT,
				       link + 1));
	EXPECT_EQ(-ENOENT, hup_replace(h, prog + 1, HYPERUPCALL_EVENT_INTERRUPT,
				       link));
	EXPECT_EQ(-EINVAL, hup_replace(h, prog, HYPERUPCALL_EVENT_VCPU_PREEMPT,
				       link));
	EXPECT_EQ(-EOPNOTSUPP, hup_replace(h, prog, HYPERUPCALL_EVENT_VMENTRY,
					   link));

	/* It is linked as before. */
	send(h, 2);
	hup_stats(h, link, &stats);
	EXPECT_EQ(2, stats.runs);
	EXPECT_EQ(0, hup_unlink(h, link));
	EXPECT_EQ(-ENOENT, hup_replace(h, prog, HYPERUPCALL_EVENT_INTERRUPT,
				       link));
	EXPECT_EQ(0, hup_unload(h, prog));
}

/* Some milliseconds, whatever the machine: every access is a fault. */
static long load_slow(struct hup *h)
{
	struct hup_asm a = {};

	hup_emit_address(&a, BPF_REG_2, 0x70000000);
	hup_emit(&a, BPF_LDX_MEM(BPF_DW, BPF_REG_3, BPF_REG_2, 0));
	hup_emit(&a, HUP_MAY_GOTO(1));
	hup_emit(&a, BPF_JMP_IMM(BPF_JA, 0, 0, -3));
	hup_emit_return(&a, HYPERUPCALL_NO_OPINION);
	return hup_load_asm(h, &a);
}

/* Where a run takes long, three of them may be over a second's budget. */
static uint64_t digits_in_a_new_period(struct hup *h, struct links_data *data)
{
	usleep(1100000);
	return digits_of_one_event(h, data);
}

/* What takes more than a millisecond is the last that the event starts. */
HUP_TEST(links, slow_program_in_a_chain)
{
	struct hup *h = self->h;
	struct hyperupcall_stats stats;
	long before, slow, after, prog = load_slow(h);
	int i;

	ASSERT_LT(0, prog) TH_LOG("%s", (char *)h->log.hva);
	before = link_digit(h, self->offset, 1);
	slow = hup_link(h, prog, HYPERUPCALL_EVENT_INTERRUPT);
	after = link_digit(h, self->offset, 2);
	ASSERT_LT(0, slow);
	for (i = 0; i < 3; i++)
		EXPECT_EQ(1, digits_in_a_new_period(h, self->data));
	hup_stats(h, before, &stats);
	EXPECT_EQ(3, stats.runs);
	hup_stats(h, slow, &stats);
	EXPECT_EQ(3, stats.runs);
	EXPECT_LT(3 * 1000000, stats.run_ns);
	EXPECT_LT(0, stats.faults);
	EXPECT_EQ(0, stats.faults % 3);
	hup_stats(h, after, &stats);
	EXPECT_EQ(0, stats.runs);
	EXPECT_EQ(3, stats.throttled);

	/* And first in the chain it is the only one. */
	EXPECT_EQ(0, hup_unlink(h, before));
	EXPECT_EQ(0, digits_in_a_new_period(h, self->data));
	EXPECT_EQ(0, hup_unlink(h, slow));
	EXPECT_EQ(2, digits_in_a_new_period(h, self->data));
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

/* Over its budget a link does not run; in the next second it does. */
HUP_TEST(links, throttled)
{
	static const struct kvm_hyperupcall_policy policy = {
		.budget_ns = 50000,
	};
	struct hup *h = hup_create_policy(2, &policy);
	struct hyperupcall_stats stats = {};
	long slow, fast;
	uint64_t start, runs = 0, throttled = 0;
	uint32_t offset;
	int i;

	setup(h, &offset);
	/* No page of this program has to be read while a second passes. */
	ASSERT_EQ(0, mlockall(MCL_CURRENT));
	slow = hup_link(h, load_slow(h), HYPERUPCALL_EVENT_INTERRUPT);
	ASSERT_LT(0, slow);
	for (i = 0; i < 4; i++) {
		/* It runs until it is over, and never more than that. */
		start = now_ns();
		send(h, 1);
		hup_stats(h, slow, &stats);
		ASSERT_EQ(runs + 1, stats.runs) TH_LOG("second %d", i);
		ASSERT_EQ(throttled, stats.throttled) TH_LOG("second %d", i);

		send(h, 10);
		hup_stats(h, slow, &stats);
		/* That took no second, or it says nothing. */
		ASSERT_GT(1000000000, now_ns() - start);
		ASSERT_EQ(runs + 1, stats.runs) TH_LOG("second %d", i);
		ASSERT_EQ(throttled + 10, stats.throttled);
		runs += 1;
		throttled += 10;
		usleep(1100000);
	}

	/* The budget is the VM's: another link does not run either. */
	start = now_ns();
	send(h, 1);
	fast = hup_link(h, hup_load_return(h, HYPERUPCALL_CONSUMED),
			HYPERUPCALL_EVENT_INTERRUPT);
	send(h, 5);
	hup_stats(h, fast, &stats);
	ASSERT_GT(1000000000, now_ns() - start);
	EXPECT_EQ(0, stats.runs);
	EXPECT_EQ(5, stats.throttled);

	/* Another VM's time is its own. */
	hup_free(h);
	slow = hup_link(self->h, hup_load_return(self->h, 0),
			HYPERUPCALL_EVENT_INTERRUPT);
	send(self->h, 5);
	hup_stats(self->h, slow, &stats);
	EXPECT_EQ(5, stats.runs);
	EXPECT_EQ(0, stats.throttled);
}

int main(int argc, char **argv)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_HYPERUPCALL));

	return test_harness_run(argc, argv);
}
