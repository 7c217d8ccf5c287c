// SPDX-License-Identifier: GPL-2.0-only
/*
 * Nothing of a guest's programs, links and regions outlives that guest: they
 * go when its boot vCPU leaves paged mode, and no other way than that.
 */
#include "apic.h"
#include "hyperupcall_util.h"
#include "kvm_test_harness.h"

FIXTURE(lifetime) {
	struct hup *h;
	unsigned long locked;
	uint32_t prog, region, link, offset;
};

static void populate(FIXTURE_DATA(lifetime) *self)
{
	struct hup *h = self->h;

	self->prog = hup_prog(h, HUP_RETURN(HYPERUPCALL_CONSUMED));
	self->region = hup_map(h, h->data.gva, 4 * PAGE_SIZE,
			       HYPERUPCALL_MAP_WRITE, &self->offset);
	self->link = hup_link(h, self->prog, HYPERUPCALL_EVENT_INTERRUPT);
	TEST_ASSERT((int)self->link > 0, "LINK returned %d", self->link);
}

/* Two vCPUs, of which @boot_cpu is the one that boots. */
static void create(FIXTURE_DATA(lifetime) *self, unsigned long boot_cpu)
{
	struct hup *h = hup_create_vm(2);

	self->h = h;
	TEST_ASSERT(!hup_enable(h->vm, NULL, 0), "KVM_CAP_HYPERUPCALL");
	vm_ioctl(h->vm, KVM_SET_BOOT_CPU_ID, (void *)boot_cpu);
	hup_add_vcpus(h);
	hup_boot(h);
	self->locked = hup_locked_kb();
	populate(self);
}

FIXTURE_SETUP(lifetime)
{
}

FIXTURE_TEARDOWN(lifetime)
{
	hup_free(self->h);
}

/* What a VMM does at a reset; the vCPU is then as it was, for the agent. */
static void reset_by_sregs(struct kvm_vcpu *vcpu)
{
	struct kvm_sregs sregs, reset;

	vcpu_sregs_get(vcpu, &sregs);
	reset = sregs;
	reset.cr0 &= ~X86_CR0_PG;
	reset.efer = 0;
	reset.cs.l = 0;
	reset.cs.db = 1;
	vcpu_sregs_set(vcpu, &reset);
	vcpu_sregs_set(vcpu, &sregs);
}

#define EXPECT_GONE()							\
do {									\
	struct hyperupcall_test_run run = {};				\
	struct hyperupcall_query q;					\
									\
	EXPECT_EQ(self->locked, hup_locked_kb());			\
	hup_query(self->h, &q);						\
	EXPECT_EQ(0, q.nr_progs);					\
	EXPECT_EQ(0, q.nr_links);					\
	EXPECT_EQ(0, q.nr_regions);					\
	EXPECT_EQ(0, q.mem);						\
	EXPECT_EQ(-ENOENT, hup_unlink(self->h, self->link));		\
	EXPECT_EQ(-ENOENT, hup_unmap(self->h, self->region));		\
	EXPECT_EQ(-ENOENT, hup_unload(self->h, self->prog));		\
	EXPECT_EQ(-ENOENT, hup_test_run(self->h, self->prog, &run));	\
} while (0)

#define EXPECT_THERE()							\
do {									\
	struct hyperupcall_query q;					\
									\
	hup_query(self->h, &q);						\
	EXPECT_EQ(1, q.nr_progs);					\
	EXPECT_EQ(1, q.nr_links);					\
	EXPECT_EQ(1, q.nr_regions);					\
	EXPECT_EQ(0, hup_unlink(self->h, self->link));			\
	EXPECT_EQ(0, hup_unmap(self->h, self->region));			\
	EXPECT_EQ(0, hup_unload(self->h, self->prog));			\
} while (0)

HUP_TEST(lifetime, reset_of_boot_vcpu)
{
	create(self, 0);
	reset_by_sregs(self->h->vcpus[0].vcpu);
	EXPECT_GONE();
}

HUP_TEST(lifetime, reset_of_other_vcpu)
{
	create(self, 0);
	reset_by_sregs(self->h->vcpus[1].vcpu);
	EXPECT_THERE();
}

/* Who boots is the VMM's choice. */
HUP_TEST(lifetime, reset_of_other_boot_vcpu)
{
	create(self, 1);
	reset_by_sregs(self->h->vcpus[1].vcpu);
	EXPECT_GONE();
}

HUP_TEST(lifetime, reset_of_first_vcpu_that_does_not_boot)
{
	create(self, 1);
	reset_by_sregs(self->h->vcpus[0].vcpu);
	EXPECT_THERE();
}

/* State that is set without a change of mode is no reset. */
HUP_TEST(lifetime, sregs_set_in_paged_mode)
{
	struct kvm_sregs sregs;

	create(self, 0);
	vcpu_sregs_get(self->h->vcpus[0].vcpu, &sregs);
	vcpu_sregs_set(self->h->vcpus[0].vcpu, &sregs);
	EXPECT_THERE();
}

static uint64_t guest_send_init(uint64_t dest, uint64_t a1, uint64_t a2,
				uint64_t a3)
{
	x2apic_enable();
	x2apic_write_reg(APIC_ICR, dest << 32 | APIC_DM_INIT | APIC_INT_ASSERT);
	return 0;
}

/* KVM takes in an INIT when it is asked for the state. */
static void init_vcpu(struct hup *h, unsigned int target)
{
	struct kvm_vcpu *vcpu = h->vcpus[target].vcpu;
	struct kvm_mp_state mp_state;
	struct kvm_sregs sregs;
	struct kvm_regs regs;

	vcpu_regs_get(vcpu, &regs);
	vcpu_sregs_get(vcpu, &sregs);
	hup_guest(h, !target, guest_send_init, target, 0, 0, 0);
	vcpu_mp_state_get(vcpu, &mp_state);

	mp_state.mp_state = KVM_MP_STATE_RUNNABLE;
	vcpu_mp_state_set(vcpu, &mp_state);
	vcpu_sregs_set(vcpu, &sregs);
	vcpu_regs_set(vcpu, &regs);
}

HUP_TEST(lifetime, init_of_boot_vcpu)
{
	create(self, 0);
	init_vcpu(self->h, 0);
	EXPECT_GONE();
}

HUP_TEST(lifetime, init_of_other_vcpu)
{
	create(self, 0);
	init_vcpu(self->h, 1);
	EXPECT_THERE();
}

HUP_TEST(lifetime, life_goes_on_after_reset)
{
	struct hup *h;
	int i;

	create(self, 0);
	h = self->h;
	for (i = 0; i < 5; i++) {
		reset_by_sregs(h->vcpus[0].vcpu);
		populate(self);
		EXPECT_EQ(self->locked + 16, hup_locked_kb());
	}
	EXPECT_THERE();
}

/* What the guest had mapped before is no longer in the window. */
HUP_TEST(lifetime, window_after_reset)
{
	uint64_t faults;
	struct hup *h;
	long prog;

	create(self, 0);
	h = self->h;
	reset_by_sregs(h->vcpus[0].vcpu);
	prog = hup_prog(h,
			HUP_DATA(BPF_REG_2, BPF_REG_1, 0),
			HUP_WINDOW(BPF_REG_2, BPF_REG_2),
			BPF_ST_MEM(BPF_DW, BPF_REG_2, 0, 77),
			HUP_RETURN(0));
	*(uint64_t *)h->data.hva = 5;
	hup_run(h, prog, self->offset, 0, &faults);
	EXPECT_EQ(1, faults);
	EXPECT_EQ(5, *(uint64_t *)h->data.hva);
}

/* Nor does anything outlive the VM: other VMs go on as before. */
HUP_TEST(lifetime, vm_destroyed_while_linked)
{
	struct hup *h;
	uint32_t prog;
	int i;

	create(self, 0);
	for (i = 0; i < 5; i++) {
		h = hup_create(1);
		prog = hup_prog(h, HUP_RETURN(0));
		EXPECT_LT(0, hup_map(h, h->data.gva, PAGE_SIZE, 0, NULL));
		EXPECT_LT(0, hup_link(h, prog, HYPERUPCALL_EVENT_INTERRUPT));
		EXPECT_LT(0, hup_link(h, prog, HYPERUPCALL_EVENT_VCPU_PREEMPT));
		hup_free(h);
	}
	EXPECT_EQ(self->locked + 16, hup_locked_kb());
	EXPECT_THERE();
}

int main(int argc, char **argv)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_HYPERUPCALL));

	return test_harness_run(argc, argv);
}
