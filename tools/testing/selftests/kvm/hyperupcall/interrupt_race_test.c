// SPDX-License-Identifier: GPL-2.0-only
/*
 * An IPI is consumed or delivered, never both and never neither, whatever the
 * target does just then: it goes in and out of HLT, of the guest and of its
 * physical CPU at random moments, many thousands of times. A sender waits for
 * each of its IPIs, so that none hides in another.
 *
 * Consumed is what the program counted before it said so, delivered what the
 * target's handler counted.
 */
#include "interrupt_util.h"
#include "kvm_test_harness.h"

/* PAUSEs after which an IPI is lost; more than a minute. */
#define LOST_AFTER	2000000000ULL

FIXTURE(race) {
	struct hup *h;
	struct ipi_data *data;
	uint32_t offset;
	long link;
};

FIXTURE_VARIANT(race) {
	enum ipi_mode mode;
	bool one_cpu;		/* all vCPUs share one */
	bool poll;		/* the host polls before it puts one to sleep */
	unsigned int n;		/* IPIs that a test sends */
};

FIXTURE_VARIANT_ADD(race, xapic) { XAPIC, .n = 1500 };
FIXTURE_VARIANT_ADD(race, x2apic) { X2APIC, .n = 1500 };
FIXTURE_VARIANT_ADD(race, paravirt) { PARAVIRT, .n = 1500 };
FIXTURE_VARIANT_ADD(race, xapic_one_cpu) { XAPIC, true, .n = 1000 };
FIXTURE_VARIANT_ADD(race, x2apic_one_cpu) { X2APIC, true, .n = 1000 };
FIXTURE_VARIANT_ADD(race, paravirt_one_cpu) { PARAVIRT, true, .n = 1000 };
/* Polling is slow where a CPU is emulated. */
FIXTURE_VARIANT_ADD(race, x2apic_polling) { X2APIC, .poll = true, .n = 200 };

/* Of four IPIs with one vector it consumes two, whatever the target does. */
static long load_fickle(struct hup *h, uint32_t data)
{
	struct hup_asm a = {};
	unsigned int odd;

	ipi_emit_asked(&a, data);
	odd = a.cnt;
	hup_emit(&a, BPF_JMP_IMM(BPF_JSET, BPF_REG_7, 1, 0));
	ipi_emit_count(&a, IPI_AT(data, consumed), BPF_REG_6, BPF_REG_3);
	hup_emit_return(&a, HYPERUPCALL_CONSUMED);
	a.insns[odd].off = a.cnt - odd - 1;
	/* DELIVER is 1, and no opinion 0. */
	hup_emit(&a, BPF_MOV64_REG(BPF_REG_0, BPF_REG_7));
	hup_emit(&a, BPF_ALU64_IMM(BPF_RSH, BPF_REG_0, 1));
	hup_emit(&a, BPF_ALU64_IMM(BPF_AND, BPF_REG_0, 1));
	hup_emit(&a, BPF_EXIT_INSN());
	return hup_load_asm(h, &a);
}

FIXTURE_SETUP(race)
{
	struct hup *h = hup_create(4);

	if (!variant->poll)
		vm_enable_cap(h->vm, KVM_CAP_HALT_POLL, 0);
	if (variant->one_cpu)
		kvm_pin_this_task_to_pcpu(0);
	self->h = h;
	self->data = ipi_prepare(h, variant->mode, &self->offset);
	self->link = hup_link(h, load_fickle(h, self->offset),
			      HYPERUPCALL_EVENT_INTERRUPT);
	ASSERT_LT(0, self->link) TH_LOG("%s", (char *)h->log.hva);
}

FIXTURE_TEARDOWN(race)
{
	hup_free(self->h);
}

static uint64_t guest_asked(void)
{
	return READ_ONCE(guest_data->asked[VECTOR]) +
	       READ_ONCE(guest_data->asked[OTHER_VECTOR]);
}

/*
 * Until the next IPI: however fast or slow the host is, its sender finds the
 * target awake, or preempted by the sender.
 */
static void guest_await_question(void)
{
	uint64_t asked = guest_asked();

	asm volatile("sti");
	while (!READ_ONCE(guest_data->stop) && guest_asked() == asked)
		cpu_relax();
	asm volatile("cli");
}

/* The target: sleeps, or spins with interrupts on or off. */
static uint64_t guest_be_restless(uint64_t random, uint64_t a1, uint64_t a2,
				  uint64_t a3)
{
	guest_init_timer();
	while (!READ_ONCE(guest_data->stop)) {
		if (!(guest_random(&random) % 64))
			guest_await_question();
		switch (guest_random(&random) % 4) {
		case 0:
		case 1:
			guest_sleep(guest_random(&random) % 262144);
			break;
		case 2:
			asm volatile("sti");
			guest_pause(guest_random(&random) % 1024);
			asm volatile("cli");
			break;
		case 3:
			guest_pause(guest_random(&random) % 256);
			break;
		}
		guest_take_irqs(0, 0, 0, 0);
	}
	return 0;
}

/* What became of the IPIs with that vector that were sent to these vCPUs. */
static uint64_t guest_accounted(unsigned int vector, uint64_t targets)
{
	uint64_t sum = READ_ONCE(guest_data->consumed[vector]);
	int i;

	for (i = 0; i < HUP_MAX_VCPUS; i++) {
		if (targets & BIT(i))
			sum += READ_ONCE(guest_data->received[i][vector]);
	}
	return sum;
}

static void guest_yield_to(uint64_t targets)
{
	int i;

	for (i = 0; i < HUP_MAX_VCPUS; i++) {
		if (targets & BIT(i))
			kvm_hypercall(KVM_HC_SCHED_YIELD, i, 0, 0, 0);
	}
}

/*
 * The sender: each IPI to one target, or to all vCPUs but itself, and waits
 * until it knows of each target what became of it. Returns how many went well.
 */
static uint64_t guest_send_and_wait(uint64_t targets, uint64_t vector,
				    uint64_t n, uint64_t random)
{
	uint64_t sent, want, nr_targets = __builtin_popcountll(targets), waited;

	guest_init_timer();
	for (sent = 0; sent < n; sent++) {
		if (guest_accounted(vector, targets) != sent * nr_targets)
			break;
		if (nr_targets > 1)
			guest_send_all_but_self(vector, targets, 0, 0);
		else
			guest_send(__builtin_ctzll(targets), vector, 1, 0);

		want = (sent + 1) * nr_targets;
		for (waited = 0; waited < LOST_AFTER; waited++) {
			if (guest_accounted(vector, targets) >= want)
				break;
			if (waited % 1024 == 100)
				guest_yield_to(targets);
			cpu_relax();
		}
		if (guest_accounted(vector, targets) != want)
			break;

		if (guest_random(&random) % 2)
			guest_sleep(guest_random(&random) % 262144);
		else
			guest_pause(guest_random(&random) % 256);
	}
	return sent;
}

/*
 * Sender and target have a CPU each where one polls, or there is no race. A
 * vCPU's thread has the CPUs of the one that starts it.
 */
static void place(unsigned int vcpu, bool apart)
{
	if (apart)
		kvm_pin_this_task_to_pcpu(vcpu % sysconf(_SC_NPROCESSORS_ONLN));
}

static void start_sender(struct hup *h, unsigned int vcpu, bool apart,
			 uint64_t targets, unsigned int vector, unsigned int n)
{
	place(vcpu, apart);
	hup_start(h, vcpu, guest_send_and_wait, targets, vector, n, vcpu + 1);
}

static void start_target(struct hup *h, unsigned int vcpu, bool apart)
{
	place(vcpu, apart);
	hup_start(h, vcpu, guest_be_restless, vcpu + 100, 0, 0, 0);
}

/* Of @n offers with @vector, each came to one end. */
static void expect_accounted(struct __test_metadata *_metadata,
			     struct ipi_data *data, unsigned int vector,
			     uint64_t n)
{
	uint64_t received = 0;
	int i;

	for (i = 0; i < HUP_MAX_VCPUS; i++)
		received += data->received[i][vector];
	EXPECT_EQ(n, data->consumed[vector] + received);
	EXPECT_LT(0, data->consumed[vector]);
	EXPECT_LT(0, received);
	TH_LOG("vector %x: %lu consumed, %lu delivered", vector,
	       data->consumed[vector], received);
}

/* And the host counts as the guest does; @n is the sum of all vectors. */
static void expect_stats(struct __test_metadata *_metadata, struct hup *h,
			 long link, bool one_cpu, uint64_t n)
{
	struct ipi_data *data = h->data.hva;
	uint64_t *in_state = data->in_state;
	uint64_t sent = 0, consumed = 0;
	struct hyperupcall_stats stats;
	unsigned int i;

	for (i = 0; i < h->nr_vcpus; i++) {
		sent += hup_vcpu_stat(h, i, "ipis_sent");
		consumed += hup_vcpu_stat(h, i, "ipis_consumed");
	}
	EXPECT_EQ(n, sent);
	EXPECT_EQ(data->consumed[VECTOR] + data->consumed[OTHER_VECTOR],
		  consumed);

	hup_stats(h, link, &stats);
	EXPECT_EQ(n, stats.runs + stats.throttled);
	EXPECT_EQ(stats.runs, data->asked[VECTOR] + data->asked[OTHER_VECTOR]);
	EXPECT_EQ(0, data->asked[TIMER_VECTOR]);
	EXPECT_EQ(0, stats.faults);

	TH_LOG("running %lu preempted %lu halted %lu stopped %lu throttled %llu",
	       in_state[HYPERUPCALL_VCPU_RUNNING],
	       in_state[HYPERUPCALL_VCPU_PREEMPTED],
	       in_state[HYPERUPCALL_VCPU_HALTED],
	       in_state[HYPERUPCALL_VCPU_STOPPED], stats.throttled);
	EXPECT_LT(0, in_state[HYPERUPCALL_VCPU_HALTED]);
	EXPECT_LT(0, in_state[HYPERUPCALL_VCPU_RUNNING] +
		     in_state[HYPERUPCALL_VCPU_PREEMPTED]);
	if (one_cpu)
		EXPECT_EQ(0, in_state[HYPERUPCALL_VCPU_RUNNING]);
	if (!one_cpu && sysconf(_SC_NPROCESSORS_ONLN) > 1)
		EXPECT_LT(0, in_state[HYPERUPCALL_VCPU_RUNNING]);
}

HUP_TEST(race, one_sender)
{
	struct hup *h = self->h;

	start_target(h, TARGET, variant->poll);
	start_sender(h, SENDER, variant->poll, BIT(TARGET), VECTOR, variant->n);
	EXPECT_EQ(variant->n, hup_join(h, SENDER));
	ipi_stop(h, TARGET);
	expect_accounted(_metadata, self->data, VECTOR, variant->n);
	expect_stats(_metadata, h, self->link, variant->one_cpu, variant->n);
}

HUP_TEST(race, two_senders)
{
	struct hup *h = self->h;

	start_target(h, TARGET, variant->poll);
	start_sender(h, SENDER, variant->poll, BIT(TARGET), VECTOR, variant->n);
	start_sender(h, THIRD, variant->poll, BIT(TARGET), OTHER_VECTOR,
		     variant->n);
	EXPECT_EQ(variant->n, hup_join(h, SENDER));
	EXPECT_EQ(variant->n, hup_join(h, THIRD));
	ipi_stop(h, TARGET);
	expect_accounted(_metadata, self->data, VECTOR, variant->n);
	expect_accounted(_metadata, self->data, OTHER_VECTOR, variant->n);
	expect_stats(_metadata, h, self->link, variant->one_cpu,
		     2 * variant->n);
}

HUP_TEST(race, broadcast)
{
	const uint64_t others = BIT(TARGET) | BIT(THIRD) | BIT(FOURTH);
	struct hup *h = self->h;
	int i;

	for (i = TARGET; i <= FOURTH; i++)
		start_target(h, i, variant->poll);
	start_sender(h, SENDER, variant->poll, others, VECTOR, variant->n / 2);
	EXPECT_EQ(variant->n / 2, hup_join(h, SENDER));
	WRITE_ONCE(self->data->stop, 1);
	for (i = TARGET; i <= FOURTH; i++)
		hup_join(h, i);
	expect_accounted(_metadata, self->data, VECTOR, 3 * (variant->n / 2));
	expect_stats(_metadata, h, self->link, variant->one_cpu,
		     3 * (variant->n / 2));
}

int main(int argc, char **argv)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_HYPERUPCALL));

	return test_harness_run(argc, argv);
}
