// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a target that does not run is in the middle of. A flush is in time, and
 * registers are known, between two instructions only: KVM finishes an instruction
 * that it emulates with the translations that it has. An interrupt handler could
 * have run there only if interrupts are on and nothing else is to be delivered.
 */
#include "interrupt_util.h"
#include "kvm_test_harness.h"
#include "missing_memory.h"

#define RFLAGS_IF	BIT(9)

/* Asks the helpers about TARGET; the answers are in struct ipi_data. */
static void ask(struct hup *h, long prog)
{
	struct hyperupcall_test_run run = {
		.ctx.interrupt.target = TARGET,
	};

	TEST_ASSERT(!hup_test_run(h, prog, &run), "TEST_RUN");
}

FIXTURE(boundary) {
	struct hup *h;
	struct ipi_data *data;
	uint32_t offset;		/* of the data in the window */
	long prog;
};

FIXTURE_SETUP(boundary)
{
	self->h = hup_create(2);
	self->data = ipi_prepare(self->h, X2APIC, &self->offset);
	self->prog = ipi_load_helpers(self->h, self->offset);
	ASSERT_LT(0, self->prog) TH_LOG("%s", (char *)self->h->log.hva);
}

FIXTURE_TEARDOWN(boundary)
{
	hup_free(self->h);
}

static void set_rflags(struct kvm_vcpu *vcpu, uint64_t rflags)
{
	struct kvm_regs regs;

	vcpu_regs_get(vcpu, &regs);
	regs.rflags = rflags | BIT(1);
	vcpu_regs_set(vcpu, &regs);
}

/* The agent tells the VMM by I/O that it is done, and that is still to finish. */
HUP_TEST(boundary, in_the_middle_of_io)
{
	struct ipi_data *data = self->data;
	struct kvm_vcpu *target = self->h->vcpus[TARGET].vcpu;

	ASSERT_EQ(KVM_EXIT_IO, target->run->exit_reason);
	ask(self->h, self->prog);
	EXPECT_EQ(0, data->helper[0]);
	EXPECT_EQ(HYPERUPCALL_VCPU_STOPPED, data->helper[1]);
	EXPECT_EQ(-EBUSY, data->helper[2]);

	vcpu_run_complete_io(target);
	ask(self->h, self->prog);
	EXPECT_EQ(1, data->helper[0]);
	EXPECT_EQ(0, data->helper[2]);
	EXPECT_EQ(0, data->regs.flags);
}

struct event {
	const char *name;
	void (*set)(struct kvm_vcpu_events *events);
	uint32_t flags;
};

static void set_nothing(struct kvm_vcpu_events *events)
{
}

static void set_shadow(struct kvm_vcpu_events *events)
{
	events->flags |= KVM_VCPUEVENT_VALID_SHADOW;
	events->interrupt.shadow = KVM_X86_SHADOW_INT_STI;
}

static void set_exception(struct kvm_vcpu_events *events)
{
	events->exception.injected = 1;
	events->exception.nr = GP_VECTOR;
	events->exception.has_error_code = 1;
}

static void set_interrupt(struct kvm_vcpu_events *events)
{
	events->interrupt.injected = 1;
	events->interrupt.nr = OTHER_VECTOR;
}

static void set_nmi(struct kvm_vcpu_events *events)
{
	events->nmi.injected = 1;
}

static const struct event events_table[] = {
	{ "nothing", set_nothing, HYPERUPCALL_REGS_INTERRUPTIBLE },
	{ "interrupt shadow", set_shadow, 0 },
	{ "exception that is being delivered", set_exception, 0 },
	{ "interrupt that is being delivered", set_interrupt, 0 },
	{ "NMI that is being delivered", set_nmi, 0 },
	{ "nothing any more", set_nothing, HYPERUPCALL_REGS_INTERRUPTIBLE },
};

/* Interrupts are on all the time. */
HUP_TEST(boundary, events_come_before_an_interrupt)
{
	struct ipi_data *data = self->data;
	struct kvm_vcpu *target = self->h->vcpus[TARGET].vcpu;
	struct kvm_vcpu_events before, events;
	const struct event *event;

	vcpu_run_complete_io(target);
	set_rflags(target, RFLAGS_IF);
	vcpu_events_get(target, &before);
	before.flags |= KVM_VCPUEVENT_VALID_SHADOW;
	for (event = events_table;
	     event < events_table + ARRAY_SIZE(events_table); event++) {
		events = before;
		event->set(&events);
		vcpu_events_set(target, &events);
		ask(self->h, self->prog);
		EXPECT_EQ(1, data->helper[0]) TH_LOG("%s", event->name);
		EXPECT_EQ(0, data->helper[2]) TH_LOG("%s", event->name);
		EXPECT_EQ(RFLAGS_IF, data->regs.rflags & RFLAGS_IF);
		EXPECT_EQ(event->flags, data->regs.flags)
			TH_LOG("%s", event->name);
	}

	set_rflags(target, 0);
	ask(self->h, self->prog);
	EXPECT_EQ(0, data->helper[2]);
	EXPECT_EQ(0, data->regs.flags);
}

/* The registers are then those of the firmware. */
HUP_TEST(boundary, in_smm)
{
	struct ipi_data *data = self->data;
	struct kvm_vcpu *target = self->h->vcpus[TARGET].vcpu;
	struct kvm_vcpu_events events;

	ASSERT_TRUE(kvm_has_cap(KVM_CAP_X86_SMM));
	vcpu_run_complete_io(target);
	vcpu_events_get(target, &events);
	events.flags |= KVM_VCPUEVENT_VALID_SMM;
	events.smi.smm = 1;
	vcpu_events_set(target, &events);
	ask(self->h, self->prog);
	EXPECT_EQ(-EBUSY, data->helper[2]);

	events.smi.smm = 0;
	vcpu_events_set(target, &events);
	ask(self->h, self->prog);
	EXPECT_EQ(0, data->helper[2]);
}

#define SMRAM_GPA	0x10000000
#define SMRAM_SLOT	(BIT(16) | 1)
#define SMRAM_PAGES	16

/* mov $0x830, %ecx; mov $VECTOR, %eax; mov $SENDER, %edx; wrmsr; rsm */
static const uint8_t smi_handler[] = {
	0x66, 0xb9, 0x30, 0x08, 0x00, 0x00, 0x66, 0xb8, VECTOR, 0x00, 0x00, 0x00,
	0x66, 0xba, SENDER, 0x00, 0x00, 0x00, 0x0f, 0x30, 0x0f, 0xaa
};

/* The program is the kernel's, and knows nothing of what the firmware sends. */
HUP_TEST(boundary, ipi_from_smm)
{
	struct ipi_data *data = self->data;
	struct hup *h = self->h;

	ASSERT_TRUE(kvm_has_cap(KVM_CAP_X86_SMM));
	vm_userspace_mem_region_add(h->vm, VM_MEM_SRC_ANONYMOUS, SMRAM_GPA,
				    SMRAM_SLOT, SMRAM_PAGES, 0);
	memcpy(addr_gpa2hva(h->vm, SMRAM_GPA + 0x8000), smi_handler,
	       sizeof(smi_handler));
	vcpu_set_msr(h->vcpus[TARGET].vcpu, MSR_IA32_SMBASE, SMRAM_GPA);

	ASSERT_LT(0, hup_link(h, ipi_load_answer(h, self->offset,
						 HYPERUPCALL_CONSUMED),
			      HYPERUPCALL_EVENT_INTERRUPT));
	ipi_send(h, TARGET, APIC_DM_SMI);
	hup_guest(h, TARGET, guest_take_irqs, 0, 0, 0, 0);
	EXPECT_EQ(0, data->asked[VECTOR]);
	hup_guest(h, SENDER, guest_take_irqs, 0, 0, 0, 0);
	EXPECT_EQ(1, data->received[SENDER][VECTOR]);

	/* The same from the kernel is offered. */
	hup_guest(h, TARGET, guest_send, SENDER, VECTOR, 1, 0);
	EXPECT_EQ(1, data->asked[VECTOR]);
}

static uint64_t guest_touch(uint64_t gva, uint64_t a1, uint64_t a2, uint64_t a3)
{
	return READ_ONCE(*(uint64_t *)gva);
}

/* The target's thread waits inside KVM, which has not finished the VM exit. */
HUP_TEST(boundary, in_the_middle_of_a_page_fault)
{
	struct ipi_data *data = self->data;
	uint64_t content[512] = { 77 };
	struct hup *h = self->h;
	struct hup_mem mem;
	void *page;
	int uffd;

	uffd = missing_add_slot(h, 1, &mem);
	hup_start(h, TARGET, guest_touch, mem.gva, 0, 0, 0);
	page = missing_wait(uffd);
	ask(h, self->prog);
	EXPECT_EQ(0, data->helper[0]);
	EXPECT_EQ(-EBUSY, data->helper[2]);

	missing_provide(uffd, page, content);
	EXPECT_EQ(77, hup_join(h, TARGET));
	close(uffd);
}

HUP_TEST(boundary, halted)
{
	struct ipi_data *data = self->data;

	ipi_start_halted(self->h, TARGET);
	ask(self->h, self->prog);
	EXPECT_EQ(1, data->helper[0]);
	EXPECT_EQ(HYPERUPCALL_VCPU_HALTED, data->helper[1]);
	EXPECT_EQ(0, data->helper[2]);
	EXPECT_EQ(HYPERUPCALL_REGS_INTERRUPTIBLE, data->regs.flags);
	ipi_stop(self->h, TARGET);
}

#define NR_PREEMPTED	100

static uint64_t guest_count_and_spin(uint64_t irqs_on, uint64_t a1, uint64_t a2,
				     uint64_t a3)
{
	guest_data->wakes++;
	if (irqs_on)
		return guest_spin(0, 0, 0, 0);
	hup_spin((uintptr_t)&guest_data->stop, 0, 0, 0);
	return 0;
}

/* How often a program may say that an interrupt handler could have run there. */
static unsigned int count_interruptible(struct hup *h, long prog, bool irqs_on)
{
	struct ipi_data *data = h->data.hva;
	unsigned int count = 0;
	int i;

	kvm_pin_this_task_to_pcpu(0);
	hup_start(h, TARGET, guest_count_and_spin, irqs_on, 0, 0, 0);
	while (!READ_ONCE(data->wakes))
		usleep(1000);
	for (i = 0; i < NR_PREEMPTED; i++) {
		ask(h, prog);
		if (data->helper[0] != 1 || data->helper[2])
			continue;
		TEST_ASSERT(data->helper[1] == HYPERUPCALL_VCPU_PREEMPTED,
			    "state %lu", data->helper[1]);
		TEST_ASSERT(irqs_on == !!(data->regs.rflags & RFLAGS_IF),
			    "flags %llx", data->regs.rflags);
		count += data->regs.flags == HYPERUPCALL_REGS_INTERRUPTIBLE;
	}
	ipi_stop(h, TARGET);
	return count;
}

/* The asking vCPU has the CPU that the target wants. */
HUP_TEST(boundary, preempted_with_interrupts_on)
{
	EXPECT_LT(NR_PREEMPTED / 2,
		  count_interruptible(self->h, self->prog, true));
}

HUP_TEST(boundary, preempted_with_interrupts_off)
{
	EXPECT_EQ(0, count_interruptible(self->h, self->prog, false));
}

int main(int argc, char **argv)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_HYPERUPCALL));

	return test_harness_run(argc, argv);
}
