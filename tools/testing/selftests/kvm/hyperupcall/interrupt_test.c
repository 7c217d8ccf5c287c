// SPDX-License-Identifier: GPL-2.0-only
/*
 * The INTERRUPT event: what a program sees of an IPI, what the helpers tell it,
 * and what becomes of its answers.
 */
#include "interrupt_fixture.h"

/* Copies the event into shared memory. */
static long load_recorder(struct hup *h, uint32_t data)
{
	struct hup_asm a = {};

	hup_emit_address(&a, BPF_REG_2, IPI_AT(data, ctx));
	hup_emit_copy(&a, BPF_REG_2, BPF_REG_1,
		      sizeof(struct hyperupcall_ctx));
	hup_emit_return(&a, HYPERUPCALL_CONSUMED);
	return hup_load_asm(h, &a);
}

HUP_TEST(ipi, consumed_for_halted_target)
{
	struct hup *h = self->h;
	long link = hup_link(h, hup_load_return(h, HYPERUPCALL_CONSUMED),
			     HYPERUPCALL_EVENT_INTERRUPT);
	struct hyperupcall_stats stats;

	ipi_start_halted(h, TARGET);
	ipi_send(h, TARGET, VECTOR);
	ipi_wait_a_while();
	EXPECT_EQ(0, self->data->received[TARGET][VECTOR]);
	EXPECT_EQ(0, self->data->wakes);
	hup_stats(h, link, &stats);
	EXPECT_EQ(1, stats.runs);
	EXPECT_EQ(1, stats.opinions);
	EXPECT_EQ(0, stats.faults);
	EXPECT_EQ(0, stats.throttled);

	/* Nothing of it is left: only what is sent now arrives. */
	EXPECT_EQ(0, hup_unlink(h, link));
	ipi_send(h, TARGET, OTHER_VECTOR);
	EXPECT_EQ(1, ipi_wait_received(h, TARGET, OTHER_VECTOR, 1));
	EXPECT_EQ(0, self->data->received[TARGET][VECTOR]);
	ipi_send(h, TARGET, VECTOR);
	EXPECT_EQ(1, ipi_wait_received(h, TARGET, VECTOR, 1));
	ipi_stop(h, TARGET);
}

/*
 * The VMM has left other control registers for the boot vCPU in its kvm_run page:
 * the guest that the others are in may be another one than the programs'.
 */
HUP_TEST(ipi, not_while_a_reset_is_pending)
{
	struct hup *h = self->h;
	struct kvm_run *run = h->vcpus[SENDER].vcpu->run;

	ASSERT_LT(0, hup_link(h, hup_load_return(h, HYPERUPCALL_CONSUMED),
			      HYPERUPCALL_EVENT_INTERRUPT));
	ipi_start_halted(h, THIRD);
	run->kvm_dirty_regs = KVM_SYNC_X86_SREGS;
	hup_guest(h, TARGET, guest_send, THIRD, VECTOR, 1, 0);
	EXPECT_EQ(1, ipi_wait_received(h, THIRD, VECTOR, 1));
	run->kvm_dirty_regs = 0;
	hup_guest(h, TARGET, guest_send, THIRD, OTHER_VECTOR, 1, 0);
	ipi_wait_a_while();
	EXPECT_EQ(0, self->data->received[THIRD][OTHER_VECTOR]);
	ipi_stop(h, THIRD);
}

/* Programs that leave it to others, or say what is no answer. */
HUP_TEST(ipi, no_opinion)
{
	static const int answers[] = {
		HYPERUPCALL_NO_OPINION, HYPERUPCALL_CONSUMED + 1, 77, -1
	};
	struct hup *h = self->h;
	struct hyperupcall_stats stats;
	long link;
	int i;

	ipi_start_halted(h, TARGET);
	for (i = 0; i < ARRAY_SIZE(answers); i++) {
		link = hup_link(h, hup_load_return(h, answers[i]),
				HYPERUPCALL_EVENT_INTERRUPT);
		ipi_send(h, TARGET, VECTOR);
		EXPECT_EQ(i + 1, ipi_wait_received(h, TARGET, VECTOR, i + 1))
			TH_LOG("answer %d", answers[i]);
		hup_stats(h, link, &stats);
		EXPECT_EQ(1, stats.runs);
		EXPECT_EQ(0, stats.opinions);
		EXPECT_EQ(0, hup_unlink(h, link));
	}
	ipi_stop(h, TARGET);
}

HUP_TEST(ipi, event_data)
{
	struct hup *h = self->h;
	struct hyperupcall_ctx ctx;
	int i;

	ASSERT_LT(0, hup_link(h, load_recorder(h, self->offset),
			      HYPERUPCALL_EVENT_INTERRUPT));
	memset((void *)&self->data->ctx, 0xee, sizeof(ctx));
	ipi_start_halted(h, TARGET);
	ipi_send(h, TARGET, VECTOR);
	ipi_stop(h, TARGET);

	ctx = *(struct hyperupcall_ctx *)&self->data->ctx;
	EXPECT_EQ(HYPERUPCALL_EVENT_INTERRUPT, ctx.event);
	EXPECT_EQ(SENDER, ctx.vcpu);
	EXPECT_EQ(VECTOR, ctx.interrupt.vector);
	EXPECT_EQ(TARGET, ctx.interrupt.target);
	EXPECT_EQ(HYPERUPCALL_VCPU_HALTED, ctx.interrupt.target_state);
	EXPECT_EQ(0, ctx.interrupt.reserved);
	for (i = 2; i < 7; i++)
		EXPECT_EQ(0, ctx.data[i]);
}

/* What the helpers say of a vCPU that is halted. */
HUP_TEST(ipi, helpers)
{
	struct hup *h = self->h;
	struct ipi_data *data = self->data;
	long prog = ipi_load_helpers(h, self->offset);

	ASSERT_LT(0, prog) TH_LOG("%s", (char *)h->log.hva);
	ASSERT_LT(0, hup_link(h, prog, HYPERUPCALL_EVENT_INTERRUPT));
	ipi_start_halted(h, TARGET);
	ipi_send(h, TARGET, VECTOR);

	EXPECT_EQ(1, data->helper[0]);
	EXPECT_EQ(HYPERUPCALL_VCPU_HALTED, data->helper[1]);
	EXPECT_EQ(0, data->helper[2]);
	EXPECT_EQ((uintptr_t)hup_halted, data->regs.rip);
	EXPECT_EQ(1 << 9, data->regs.rflags & 1 << 9);
	EXPECT_EQ(h->vm->pgd, data->regs.cr3);
	EXPECT_EQ(0, data->regs.cpl);
	EXPECT_EQ(HYPERUPCALL_REGS_INTERRUPTIBLE, data->regs.flags);
	EXPECT_NE(0, data->regs.rsp);

	/* The flush is no reason to wake up. */
	ipi_wait_a_while();
	EXPECT_EQ(0, data->wakes);
	ipi_stop(h, TARGET);
}

HUP_TEST(ipi, vcpu_in_the_vmm_is_stopped)
{
	struct hup *h = self->h;
	long prog = hup_prog(h,
			     BPF_MOV64_IMM(BPF_REG_1, TARGET),
			     HUP_CALL(VCPU_STATE),
			     BPF_EXIT_INSN());

	EXPECT_EQ(HYPERUPCALL_VCPU_STOPPED, hup_run(h, prog, 0, 0, NULL));
	ipi_start_halted(h, TARGET);
	EXPECT_EQ(HYPERUPCALL_VCPU_HALTED, hup_run(h, prog, 0, 0, NULL));
	ipi_stop(h, TARGET);
	EXPECT_EQ(HYPERUPCALL_VCPU_STOPPED, hup_run(h, prog, 0, 0, NULL));
}

int main(int argc, char **argv)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_HYPERUPCALL));

	return test_harness_run(argc, argv);
}
