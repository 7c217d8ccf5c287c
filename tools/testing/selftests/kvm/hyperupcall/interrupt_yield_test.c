// SPDX-License-Identifier: GPL-2.0-only
/*
 * A vCPU that yields to another one, which was preempted and has no interrupt:
 * with a program for IPIs there was one that the program consumed, and KVM
 * spares the yield. Who kicks a vCPU sends none, and yields in any case.
 */
#include "interrupt_util.h"
#include "kvm_test_harness.h"

#define YIELDS		200
#define MAX_ROUNDS	100

static uint64_t guest_yield(uint64_t n, uint64_t a1, uint64_t a2, uint64_t a3)
{
	while (n--)
		kvm_hypercall(KVM_HC_SCHED_YIELD, TARGET, 0, 0, 0);
	return 0;
}

static uint64_t guest_kick(uint64_t n, uint64_t a1, uint64_t a2, uint64_t a3)
{
	while (n--)
		kvm_hypercall(KVM_HC_KICK_CPU, 0, TARGET, 0, 0);
	return 0;
}

FIXTURE(yield) {
	struct hup *h;
};

FIXTURE_VARIANT(yield) {
	hup_guest_fn how;
	bool linked;
	bool spared;
};

FIXTURE_VARIANT_ADD(yield, without_program) { .how = guest_yield };
FIXTURE_VARIANT_ADD(yield, with_program) {
	.how = guest_yield, .linked = true, .spared = true,
};

FIXTURE_VARIANT_ADD(yield, kick_without_program) { .how = guest_kick };
FIXTURE_VARIANT_ADD(yield, kick_with_program) {
	.how = guest_kick, .linked = true,
};

/*
 * Both share a CPU: whenever the one runs, the other is preempted. It has taken
 * an interrupt, from which KVM knows that there is no other.
 */
FIXTURE_SETUP(yield)
{
	struct hup *h = self->h = hup_create(2);
	uint32_t offset;

	ipi_prepare(h, PARAVIRT, &offset);
	kvm_pin_this_task_to_pcpu(0);
	hup_start(h, TARGET, guest_spin, 0, 0, 0, 0);
	ipi_send(h, TARGET, VECTOR);
	ASSERT_EQ(1, ipi_wait_received(h, TARGET, VECTOR, 1));
	if (variant->linked)
		ASSERT_LT(0, hup_link(h, hup_load_return(h, 0),
				      HYPERUPCALL_EVENT_INTERRUPT));
}

FIXTURE_TEARDOWN(yield)
{
	ipi_stop(self->h, TARGET);
	hup_free(self->h);
}

static uint64_t yields(struct hup *h)
{
	return hup_vcpu_stat(h, SENDER, "directed_yield_successful");
}

HUP_TEST(yield, to_who_was_preempted)
{
	struct hup *h = self->h;
	int i;

	for (i = 0; i < MAX_ROUNDS && !yields(h); i++)
		hup_guest(h, SENDER, variant->how, YIELDS, 0, 0, 0);
	EXPECT_EQ(variant->spared, !yields(h));
}

int main(int argc, char **argv)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_HYPERUPCALL));

	return test_harness_run(argc, argv);
}
