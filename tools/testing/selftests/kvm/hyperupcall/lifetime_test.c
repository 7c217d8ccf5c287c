// SPDX-License-Identifier: GPL-2.0-only
/*
 * Nothing of a guest's programs, links and regions outlives that guest: they
 * go when its boot vCPU leaves paged mode, and no other way than that.
 */
#include "apic.h"
#include "hyperupcall_util.h"
#include "kvm_test_harness.h"

/* What a guest has registered: one of each kind. */
struct registered {
	uint32_t prog, region, link, offset;
};

FIXTURE(lifetime) {
	struct hup *h;
	struct registered r;
	unsigned long locked;
};

FIXTURE_VARIANT(lifetime) {
	unsigned long boot;	/* the vCPU that boots, of two */
};

FIXTURE_VARIANT_ADD(lifetime, vcpu_0_boots) { .boot = 0 };
FIXTURE_VARIANT_ADD(lifetime, vcpu_1_boots) { .boot = 1 };

static void populate(struct hup *h, struct registered *r)
{
	r->prog = hup_load_return(h, HYPERUPCALL_CONSUMED);
	r->region = hup_map(h, h->data.gva, 4 * PAGE_SIZE,
			    HYPERUPCALL_MAP_WRITE, &r->offset);
	r->link = hup_link(h, r->prog, HYPERUPCALL_EVENT_INTERRUPT);
	TEST_ASSERT((int)r->link > 0, "LINK returned %d", r->link);
}

FIXTURE_SETUP(lifetime)
{
	struct hup *h = hup_create_vm(2);

	self->h = h;
	ASSERT_EQ(0, hup_enable(h->vm, NULL, 0));
	vm_ioctl(h->vm, KVM_SET_BOOT_CPU_ID, (void *)variant->boot);
	hup_add_vcpus(h);
	hup_boot(h);
	self->locked = hup_locked_kb();
	populate(h, &self->r);
}

FIXTURE_TEARDOWN(lifetime)
{
	hup_free(self->h);
}

static void expect_gone(struct __test_metadata *_metadata, struct hup *h,
			const struct registered *r)
{
	struct hyperupcall_test_run run = {};
	struct hyperupcall_query q;

	hup_query(h, &q);
	EXPECT_EQ(0, q.nr_progs);
	EXPECT_EQ(0, q.nr_links);
	EXPECT_EQ(0, q.nr_regions);
	EXPECT_EQ(0, q.mem);
	EXPECT_EQ(-ENOENT, hup_unlink(h, r->link));
	EXPECT_EQ(-ENOENT, hup_unmap(h, r->region));
	EXPECT_EQ(-ENOENT, hup_unload(h, r->prog));
	EXPECT_EQ(-ENOENT, hup_test_run(h, r->prog, &run));
}

static void expect_there(struct __test_metadata *_metadata, struct hup *h,
			 const struct registered *r)
{
	struct hyperupcall_query q;

	hup_query(h, &q);
	EXPECT_EQ(1, q.nr_progs);
	EXPECT_EQ(1, q.nr_links);
	EXPECT_EQ(1, q.nr_regions);
	EXPECT_EQ(0, hup_unlink(h, r->link));
	EXPECT_EQ(0, hup_unmap(h, r->region));
	EXPECT_EQ(0, hup_unload(h, r->prog));
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

HUP_TEST(lifetime, reset_of_boot_vcpu)
{
	reset_by_sregs(self->h->vcpus[variant->boot].vcpu);
	EXPECT_EQ(self->locked, hup_locked_kb());
	expect_gone(_metadata, self->h, &self->r);
}

HUP_TEST(lifetime, reset_of_other_vcpu)
{
	reset_by_sregs(self->h->vcpus[!variant->boot].vcpu);
	expect_there(_metadata, self->h, &self->r);
}

/* State that is set without a change of mode is no reset. */
HUP_TEST(lifetime, sregs_set_in_paged_mode)
{
	struct kvm_vcpu *vcpu = self->h->vcpus[variant->boot].vcpu;
	struct kvm_sregs sregs;

	vcpu_sregs_get(vcpu, &sregs);
	vcpu_sregs_set(vcpu, &sregs);
	expect_there(_metadata, self->h, &self->r);
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
	init_vcpu(self->h, variant->boot);
	EXPECT_EQ(self->locked, hup_locked_kb());
	expect_gone(_metadata, self->h, &self->r);
}

/* As at every CPU hotplug. */
HUP_TEST(lifetime, init_of_other_vcpu)
{
	init_vcpu(self->h, !variant->boot);
	expect_there(_metadata, self->h, &self->r);
}

HUP_TEST(lifetime, life_goes_on_after_reset)
{
	struct hup *h = self->h;
	int i;

	for (i = 0; i < 5; i++) {
		reset_by_sregs(h->vcpus[variant->boot].vcpu);
		populate(h, &self->r);
		EXPECT_EQ(self->locked + 16, hup_locked_kb());
	}
	expect_there(_metadata, h, &self->r);
}

/* What the guest had mapped before is no longer in the window. */
HUP_TEST(lifetime, window_after_reset)
{
	struct hup *h = self->h;
	uint64_t *word = h->data.hva, faults;
	struct hup_asm a = {};

	reset_by_sregs(h->vcpus[variant->boot].vcpu);
	*word = 5;
	hup_emit_count(&a, self->r.offset);
	hup_emit_return(&a, 0);
	hup_run(h, hup_load_asm(h, &a), 0, 0, &faults);
	EXPECT_EQ(1, faults);
	EXPECT_EQ(5, READ_ONCE(*word));
}

/* Nor does anything outlive the VM; other VMs go on as before. */
HUP_TEST(lifetime, vm_destroyed_while_linked)
{
	struct registered r;
	struct hup *h;
	int i;

	for (i = 0; i < 5; i++) {
		h = hup_create(1);
		populate(h, &r);
		EXPECT_LT(0, hup_link(h, r.prog,
				      HYPERUPCALL_EVENT_VCPU_PREEMPT));
		hup_free(h);
		EXPECT_EQ(self->locked + 16, hup_locked_kb());
	}
	expect_there(_metadata, self->h, &self->r);
}

int main(int argc, char **argv)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_HYPERUPCALL));

	return test_harness_run(argc, argv);
}
