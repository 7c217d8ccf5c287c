// SPDX-License-Identifier: GPL-2.0-only
/*
 * The INTERRUPT event and the state of the target: running, preempted, with
 * interrupts off, not started, in INIT, and with its APIC off. For a halted
 * target see interrupt_test.c, for one that changes its state
 * interrupt_race_test.c.
 */
#define IPI_VCPUS	2

#include "interrupt_fixture.h"

static long link_answer(struct hup *h, uint32_t offset, int answer)
{
	return hup_link(h, ipi_load_answer(h, offset, answer),
			HYPERUPCALL_EVENT_INTERRUPT);
}

/* Counts, and consumes what is for a target that does not run. */
static long load_unless_running(struct hup *h, uint32_t data)
{
	struct hup_asm a = {};
	unsigned int jump;

	hup_emit(&a, IPI_LOAD(BPF_REG_4, target_state));
	jump = a.cnt;
	hup_emit(&a, BPF_JMP_IMM(BPF_JEQ, BPF_REG_4, HYPERUPCALL_VCPU_RUNNING,
				 0));
	hup_emit_count(&a, IPI_AT(data, count[0]));
	hup_emit_return(&a, HYPERUPCALL_CONSUMED);
	a.insns[jump].off = a.cnt - jump - 1;
	hup_emit_count(&a, IPI_AT(data, count[1]));
	hup_emit_return(&a, HYPERUPCALL_NO_OPINION);
	return hup_load_asm(h, &a);
}

HUP_TEST(ipi, running)
{
	struct hup *h = self->h;
	struct ipi_data *data = self->data;
	uint64_t running = 0;
	int i;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		SKIP(return, "two vCPUs cannot run at once on one CPU");

	ASSERT_LT(0, hup_link(h, load_unless_running(h, self->offset),
			      HYPERUPCALL_EVENT_INTERRUPT));
	hup_start(h, TARGET, guest_spin, 0, 0, 0, 0);
	for (i = 0; i < 1000 && running < 5; i++) {
		ipi_send(h, TARGET, VECTOR);
		running = data->count[1];
		ASSERT_EQ(running,
			  ipi_wait_received(h, TARGET, VECTOR, running));
		ASSERT_EQ(i + 1, data->count[0] + data->count[1]);
	}
	EXPECT_EQ(5, running);
	ipi_stop(h, TARGET);
	EXPECT_EQ(running, data->received[TARGET][VECTOR]);
}

static uint64_t guest_count_and_spin(uint64_t a0, uint64_t a1, uint64_t a2,
				     uint64_t a3)
{
	guest_data->wakes++;
	return guest_spin(a0, a1, a2, a3);
}

#define NR_PREEMPTED	100

/* The sender has the CPU that the target wants. */
HUP_TEST(ipi, preempted)
{
	struct hup *h = self->h;
	struct ipi_data *data = self->data;
	long link;
	int i;

	kvm_pin_this_task_to_pcpu(0);
	hup_start(h, TARGET, guest_count_and_spin, 0, 0, 0, 0);
	while (!READ_ONCE(data->wakes))
		usleep(1000);

	link = link_answer(h, self->offset, HYPERUPCALL_CONSUMED);
	for (i = 0; i < NR_PREEMPTED; i++)
		ipi_send(h, TARGET, VECTOR);
	EXPECT_EQ(NR_PREEMPTED, data->in_state[HYPERUPCALL_VCPU_PREEMPTED]);
	EXPECT_EQ(NR_PREEMPTED, data->consumed[VECTOR]);

	EXPECT_EQ(0, hup_unlink(h, link));
	ASSERT_LT(0, link_answer(h, self->offset, HYPERUPCALL_DELIVER));
	ipi_send(h, TARGET, OTHER_VECTOR);
	EXPECT_EQ(1, ipi_wait_received(h, TARGET, OTHER_VECTOR, 1));
	EXPECT_EQ(NR_PREEMPTED + 1, data->in_state[HYPERUPCALL_VCPU_PREEMPTED]);
	ipi_stop(h, TARGET);
	EXPECT_EQ(0, data->received[TARGET][VECTOR]);
}

static uint64_t guest_spin_irqs_off(uint64_t a0, uint64_t a1, uint64_t a2,
				    uint64_t a3)
{
	guest_data->wakes++;
	hup_spin((uintptr_t)&guest_data->stop, 0, 0, 0);
	guest_data->count[0] = guest_data->received[TARGET][VECTOR];
	return guest_take_irqs(0, 0, 0, 0);
}

/* What is delivered waits for interrupts to be on, what is consumed is gone. */
HUP_TEST(ipi, interrupts_off)
{
	struct hup *h = self->h;
	struct ipi_data *data = self->data;
	long link;

	hup_start(h, TARGET, guest_spin_irqs_off, 0, 0, 0, 0);
	while (!READ_ONCE(data->wakes))
		usleep(1000);
	link = link_answer(h, self->offset, HYPERUPCALL_DELIVER);
	ipi_send(h, TARGET, VECTOR);
	EXPECT_LT(0, hup_replace(h, ipi_load_answer(h, self->offset,
						    HYPERUPCALL_CONSUMED),
				 HYPERUPCALL_EVENT_INTERRUPT, link));
	/* One of each vector, and one that is pending already. */
	ipi_send(h, TARGET, VECTOR);
	ipi_send(h, TARGET, OTHER_VECTOR);
	EXPECT_EQ(3, data->asked_for[TARGET]);
	ipi_stop(h, TARGET);
	EXPECT_EQ(0, data->count[0]);
	EXPECT_EQ(1, data->received[TARGET][VECTOR]);
	EXPECT_EQ(0, data->received[TARGET][OTHER_VECTOR]);
}

/* A vCPU that is in the VMM, and takes what was delivered when it is back. */
HUP_TEST(ipi, in_the_vmm)
{
	struct hup *h = self->h;
	struct ipi_data *data = self->data;
	long link = link_answer(h, self->offset, HYPERUPCALL_CONSUMED);

	ipi_send(h, TARGET, VECTOR);
	EXPECT_EQ(0, hup_unlink(h, link));
	link = link_answer(h, self->offset, HYPERUPCALL_DELIVER);
	ipi_send(h, TARGET, OTHER_VECTOR);
	EXPECT_EQ(2, data->in_state[HYPERUPCALL_VCPU_STOPPED]);

	hup_guest(h, TARGET, guest_take_irqs, 0, 0, 0, 0);
	EXPECT_EQ(0, data->received[TARGET][VECTOR]);
	EXPECT_EQ(1, data->received[TARGET][OTHER_VECTOR]);
}

/* What a vCPU that was started with SIPI runs: out %al, $0x80 */
#define STARTUP_GPA	0x8000
static const uint8_t startup_code[] = { 0xe6, 0x80 };

static void expect_no_question(struct __test_metadata *_metadata,
			       struct hup *h, long link)
{
	struct hyperupcall_stats stats;

	hup_stats(h, link, &stats);
	EXPECT_EQ(0, stats.runs);
	EXPECT_EQ(0, stats.throttled);
}

/*
 * INIT and SIPI do what they always do, and in between the APIC is as at
 * reset: it takes no IPI, so that there is nothing to ask about.
 */
HUP_TEST(ipi, init_and_startup)
{
	struct hup *h = self->h;
	struct kvm_vcpu *target = h->vcpus[TARGET].vcpu;
	long state = hup_prog(h,
			      BPF_MOV64_IMM(BPF_REG_1, TARGET),
			      HUP_CALL(VCPU_STATE),
			      BPF_EXIT_INSN());
	long link = link_answer(h, self->offset, HYPERUPCALL_CONSUMED);
	int i;

	memcpy(addr_gpa2hva(h->vm, STARTUP_GPA), startup_code,
	       sizeof(startup_code));
	ipi_start_halted(h, TARGET);
	EXPECT_EQ(HYPERUPCALL_VCPU_HALTED, hup_run(h, state, 0, 0, NULL));

	ipi_send(h, TARGET, APIC_DM_INIT | APIC_INT_ASSERT);
	for (i = 0; i < 20000; i++) {
		if (hup_run(h, state, 0, 0, NULL) == HYPERUPCALL_VCPU_STOPPED)
			break;
		usleep(1000);
	}
	EXPECT_EQ(HYPERUPCALL_VCPU_STOPPED, hup_run(h, state, 0, 0, NULL));
	ipi_send(h, TARGET, VECTOR);
	expect_no_question(_metadata, h, link);

	/* As the agent's ucalls, the port brings the vCPU to the VMM. */
	ipi_send(h, TARGET, APIC_DM_STARTUP | STARTUP_GPA >> 12);
	hup_join(h, TARGET);
	EXPECT_EQ(KVM_EXIT_IO, target->run->exit_reason);
	EXPECT_EQ(0x80, target->run->io.port);
	expect_no_question(_metadata, h, link);
	EXPECT_EQ(0, self->data->received[TARGET][VECTOR]);
	EXPECT_EQ(0, self->data->wakes);
}

static uint64_t guest_apic_software_off(uint64_t a0, uint64_t a1, uint64_t a2,
					uint64_t a3)
{
	guest_apic_write(APIC_SPIV, 0xff);
	return 0;
}

static uint64_t guest_apic_off(uint64_t a0, uint64_t a1, uint64_t a2,
			       uint64_t a3)
{
	apic_disable();
	return 0;
}

/* An APIC that is off takes no IPI: it is neither consumed nor delivered. */
HUP_TEST(ipi, apic_off)
{
	static const hup_guest_fn off[] = {
		guest_apic_software_off, guest_apic_off
	};
	struct hup *h = self->h;
	struct ipi_data *data = self->data;
	long link = link_answer(h, self->offset, HYPERUPCALL_CONSUMED);
	int i;

	for (i = 0; i < ARRAY_SIZE(off); i++) {
		hup_guest(h, TARGET, off[i], 0, 0, 0, 0);
		ipi_send(h, TARGET, VECTOR);
		expect_no_question(_metadata, h, link);
		ipi_prepare_vcpu(h, TARGET);
		hup_guest(h, TARGET, guest_take_irqs, 0, 0, 0, 0);
		EXPECT_EQ(0, data->received[TARGET][VECTOR]);
	}
	ipi_send(h, TARGET, VECTOR);
	EXPECT_EQ(1, data->asked[VECTOR]);
}

/* The target is there, but has never run. */
FIXTURE(new) {
	struct hup *h;
	struct ipi_data *data;
	uint32_t offset;
};

FIXTURE_SETUP(new)
{
	struct hup *h = hup_create_vm(2);

	self->h = h;
	ASSERT_EQ(0, hup_enable(h->vm, NULL, 0));
	hup_add_vcpus(h);
	h->nr_vcpus = 1;
	hup_boot(h);
	self->data = ipi_prepare(h, X2APIC, &self->offset);
	h->nr_vcpus = 2;
}

FIXTURE_TEARDOWN(new)
{
	hup_free(self->h);
}

/* Runs the target for the first time, as the VMM does. */
static void boot_target(struct hup *h)
{
	struct kvm_mp_state runnable = { .mp_state = KVM_MP_STATE_RUNNABLE };
	struct hup_vcpu first = h->vcpus[0];

	vcpu_mp_state_set(h->vcpus[TARGET].vcpu, &runnable);
	h->vcpus[0] = h->vcpus[TARGET];
	h->nr_vcpus = 1;
	hup_boot(h);
	h->nr_vcpus = 2;
	h->vcpus[0] = first;
}

static void turn_apic_on(struct kvm_vcpu *vcpu)
{
	struct kvm_lapic_state state;
	struct kvm_sregs sregs;

	vcpu_sregs_get(vcpu, &sregs);
	sregs.apic_base |= X2APIC_ENABLE;
	vcpu_sregs_set(vcpu, &sregs);
	vcpu_ioctl(vcpu, KVM_GET_LAPIC, &state);
	*(uint32_t *)&state.regs[APIC_SPIV] |= APIC_SPIV_APIC_ENABLED;
	vcpu_ioctl(vcpu, KVM_SET_LAPIC, &state);
}

HUP_TEST(new, with_its_apic_as_at_reset)
{
	struct hup *h = self->h;
	long link = link_answer(h, self->offset, HYPERUPCALL_CONSUMED);

	ipi_send(h, TARGET, VECTOR);
	expect_no_question(_metadata, h, link);
	boot_target(h);
	ipi_prepare_vcpu(h, TARGET);
	hup_guest(h, TARGET, guest_take_irqs, 0, 0, 0, 0);
	EXPECT_EQ(0, self->data->received[TARGET][VECTOR]);
}

/* As a VMM restores a vCPU: it counts as stopped, started or not. */
HUP_TEST(new, with_its_apic_on)
{
	static const uint32_t states[] = {
		KVM_MP_STATE_UNINITIALIZED, KVM_MP_STATE_INIT_RECEIVED,
		KVM_MP_STATE_RUNNABLE
	};
	struct hup *h = self->h;
	struct ipi_data *data = self->data;
	struct kvm_vcpu *target = h->vcpus[TARGET].vcpu;
	struct kvm_mp_state mp_state;
	long link;
	int i;

	turn_apic_on(target);
	link = link_answer(h, self->offset, HYPERUPCALL_CONSUMED);
	for (i = 0; i < ARRAY_SIZE(states); i++) {
		mp_state.mp_state = states[i];
		vcpu_mp_state_set(target, &mp_state);
		ipi_send(h, TARGET, VECTOR);
		EXPECT_EQ(i + 1, data->in_state[HYPERUPCALL_VCPU_STOPPED]);
		EXPECT_EQ(i + 1, data->consumed[VECTOR]);
	}
	EXPECT_EQ(0, hup_unlink(h, link));
	ASSERT_LT(0, link_answer(h, self->offset, HYPERUPCALL_DELIVER));
	ipi_send(h, TARGET, OTHER_VECTOR);
	EXPECT_EQ(i + 1, data->in_state[HYPERUPCALL_VCPU_STOPPED]);

	boot_target(h);
	ipi_prepare_vcpu(h, TARGET);
	hup_guest(h, TARGET, guest_take_irqs, 0, 0, 0, 0);
	EXPECT_EQ(0, data->received[TARGET][VECTOR]);
	EXPECT_EQ(1, data->received[TARGET][OTHER_VECTOR]);
}

#define OTHER_ID	200

/* The VMM gives vCPUs what ids it likes; no other id is one. */
HUP_TEST(new, helpers_with_any_id)
{
	static const uint32_t no_ids[] = {
		2, OTHER_ID - 1, OTHER_ID + 1, 1023, 1024, 4095, 4096, 65535,
		65536, 65536 + OTHER_ID, INT_MAX, 1U << 31, UINT_MAX
	};
	struct hup *h = self->h;
	long prog = hup_prog(h,
			     HUP_DATA(BPF_REG_1, BPF_REG_1, 0),
			     HUP_CALL(VCPU_STATE),
			     BPF_EXIT_INSN());
	int i;

	ASSERT_LT(0, prog);
	for (i = 0; i < ARRAY_SIZE(no_ids); i++)
		EXPECT_EQ(-ENOENT, (int)hup_run(h, prog, no_ids[i], 0, NULL))
			TH_LOG("id %u", no_ids[i]);
	EXPECT_EQ(-ENOENT, (int)hup_run(h, prog, OTHER_ID, 0, NULL));

	__vm_vcpu_add(h->vm, OTHER_ID);
	EXPECT_EQ(HYPERUPCALL_VCPU_RUNNING, hup_run(h, prog, 0, 0, NULL));
	EXPECT_EQ(HYPERUPCALL_VCPU_STOPPED, hup_run(h, prog, 1, 0, NULL));
	EXPECT_EQ(HYPERUPCALL_VCPU_STOPPED, hup_run(h, prog, OTHER_ID, 0, NULL));
	for (i = 0; i < ARRAY_SIZE(no_ids); i++)
		EXPECT_EQ(-ENOENT, (int)hup_run(h, prog, no_ids[i], 0, NULL))
			TH_LOG("id %u", no_ids[i]);
}

int main(int argc, char **argv)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_HYPERUPCALL));

	return test_harness_run(argc, argv);
}
