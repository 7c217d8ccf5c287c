// SPDX-License-Identifier: GPL-2.0-only
/*
 * Nothing of a guest's programs, links and regions outlives that guest: they
 * go when its boot vCPU leaves paged mode, and no other way than that.
 */
#include <signal.h>

#include "apic.h"
#include "lifetime_fixture.h"

HUP_TEST(lifetime, reset_of_boot_vcpu)
{
	hup_reset_vcpu(self->h, variant->boot);
	EXPECT_EQ(self->locked, hup_locked_kb());
	expect_gone(_metadata, self->h, &self->r);
}

HUP_TEST(lifetime, reset_of_other_vcpu)
{
	hup_reset_vcpu(self->h, !variant->boot);
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

static void on_signal(int sig)
{
}

/* Runs the vCPU until a signal comes. */
static void *run_vcpu(void *vcpu)
{
	__vcpu_run(vcpu);
	return NULL;
}

/* It comes while the vCPU runs, which waits for SIPI then. */
HUP_TEST(lifetime, init_of_running_boot_vcpu)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct hup *h = self->h;
	struct kvm_vcpu *vcpu = h->vcpus[variant->boot].vcpu;
	unsigned int other = !variant->boot;
	struct hyperupcall_query q = { .nr_progs = 1 };
	struct kvm_regs regs;
	pthread_t thread;
	int i;

	ASSERT_EQ(0, sigaction(SIGUSR1, &action, NULL));
	memset(h->data.hva, 0, PAGE_SIZE);
	vcpu_run_complete_io(vcpu);
	vcpu_regs_get(vcpu, &regs);
	regs.rip = (uintptr_t)hup_spin;
	regs.rdi = h->data.gva;
	vcpu_regs_set(vcpu, &regs);
	ASSERT_EQ(0, pthread_create(&thread, NULL, run_vcpu, vcpu));
	hup_guest(h, other, guest_send_init, variant->boot, 0, 0, 0);
	for (i = 0; i < 1000 && q.nr_progs; i++) {
		usleep(1000);
		memset(&q, 0, sizeof(q));
		ASSERT_EQ(0, hup_op_on(h, other, HYPERUPCALL_QUERY, &q,
				       sizeof(q)));
	}
	EXPECT_EQ(0, q.nr_progs);
	EXPECT_EQ(0, q.nr_links);
	EXPECT_EQ(0, q.nr_regions);
	EXPECT_EQ(self->locked, hup_locked_kb());
	pthread_kill(thread, SIGUSR1);
	pthread_join(thread, NULL);
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
		hup_reset_vcpu(h, variant->boot);
		populate(h, &self->r);
		EXPECT_EQ(self->locked + 16, hup_locked_kb());
	}
	expect_there(_metadata, h, &self->r);
}

static void run_in_compatibility_mode(struct hup *h, unsigned int id,
				      const uint8_t *code, size_t size)
{
	struct kvm_vcpu *vcpu = h->vcpus[id].vcpu;
	struct saved_vcpu saved;
	struct kvm_sregs sregs;

	save_vcpu(vcpu, &saved);
	enter_compatibility_mode(h, id, code, size);
	vcpu_run(vcpu);
	TEST_ASSERT_KVM_EXIT_REASON(vcpu, KVM_EXIT_IO);
	vcpu_run_complete_io(vcpu);
	vcpu_sregs_get(vcpu, &sregs);
	TEST_ASSERT(!(sregs.cr0 & X86_CR0_PG), "the vCPU is in paged mode");
	restore_vcpu(vcpu, &saved);
}

HUP_TEST(lifetime, boot_vcpu_leaves_paging)
{
	run_in_compatibility_mode(self->h, variant->boot, leave_paging,
				  sizeof(leave_paging));
	EXPECT_EQ(self->locked, hup_locked_kb());
	expect_gone(_metadata, self->h, &self->r);
}

HUP_TEST(lifetime, other_vcpu_leaves_paging)
{
	run_in_compatibility_mode(self->h, !variant->boot, leave_paging,
				  sizeof(leave_paging));
	expect_there(_metadata, self->h, &self->r);
}

/* A guest that has no way out: the VMM resets it. */
static void guest_triple_fault(void)
{
	const struct desc_ptr none = {};

	asm volatile("lidt %0; ud2" : : "m"(none));
}

HUP_TEST(lifetime, reset_after_triple_fault)
{
	struct hup *h = self->h;
	struct kvm_vcpu *vcpu = h->vcpus[variant->boot].vcpu;
	struct kvm_sregs sregs, reset;
	struct kvm_regs regs, fault;

	vcpu_run_complete_io(vcpu);
	vcpu_sregs_get(vcpu, &sregs);
	vcpu_regs_get(vcpu, &regs);
	fault = regs;
	fault.rip = (uintptr_t)guest_triple_fault;
	vcpu_regs_set(vcpu, &fault);
	vcpu_run(vcpu);
	TEST_ASSERT_KVM_EXIT_REASON(vcpu, KVM_EXIT_SHUTDOWN);

	vcpu_sregs_get(vcpu, &reset);
	hup_leave_paged_mode(&reset);
	vcpu_sregs_set(vcpu, &reset);
	EXPECT_EQ(self->locked, hup_locked_kb());
	vcpu_sregs_set(vcpu, &sregs);
	vcpu_regs_set(vcpu, &regs);
	expect_gone(_metadata, h, &self->r);
}

/*
 * The old kernel has put the boot vCPU to sleep and registers on another one:
 * the reset that finds the boot vCPU outside of paged mode is one all the same.
 */
HUP_TEST(lifetime, registered_while_boot_vcpu_is_off)
{
	struct hup *h = self->h;
	struct kvm_vcpu *boot = h->vcpus[variant->boot].vcpu;
	struct hyperupcall_load load = {
		.insns = h->insns.gva,
		.insn_cnt = 2,
		.name = "late",
	};
	struct hyperupcall_query q = {};
	struct kvm_sregs sregs, reset;
	struct bpf_insn insns[] = {
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(),
	};

	vcpu_sregs_get(boot, &sregs);
	reset = sregs;
	hup_leave_paged_mode(&reset);
	vcpu_sregs_set(boot, &reset);

	memcpy(h->insns.hva, insns, sizeof(insns));
	hup_op_on(h, !variant->boot, HYPERUPCALL_LOAD, &load, sizeof(load));

	/* The reset, of all vCPUs, as a VMM does it. */
	vcpu_sregs_set(boot, &reset);
	hup_reset_vcpu(h, !variant->boot);

	/* The next kernel. */
	vcpu_sregs_set(boot, &sregs);
	EXPECT_EQ(0, hup_op_on(h, !variant->boot, HYPERUPCALL_QUERY, &q,
			       sizeof(q)));
	EXPECT_EQ(0, q.nr_progs);
}

/* Not a reset of the boot vCPU: the VMM says what state it is in. */
HUP_TEST(lifetime, mp_state_of_other_vcpu)
{
	struct kvm_vcpu *vcpu = self->h->vcpus[!variant->boot].vcpu;
	static const int states[] = {
		KVM_MP_STATE_INIT_RECEIVED, KVM_MP_STATE_UNINITIALIZED,
		KVM_MP_STATE_HALTED, KVM_MP_STATE_RUNNABLE,
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(states); i++) {
		struct kvm_mp_state state = { .mp_state = states[i] };

		vcpu_mp_state_set(vcpu, &state);
	}
	expect_there(_metadata, self->h, &self->r);
}

static uint64_t guest_enable_apic(uint64_t a0, uint64_t a1, uint64_t a2,
				  uint64_t a3)
{
	x2apic_enable();
	return 0;
}

static uint64_t guest_fire(uint64_t target, uint64_t stop, uint64_t a2,
			   uint64_t a3)
{
	while (!READ_ONCE(*(uint64_t *)stop)) {
		x2apic_write_reg(APIC_ICR, target << 32 | 0xa5);
		cpu_relax();
	}
	return 0;
}

/* Events go on while the VM is reset, programs do not. */
HUP_TEST(lifetime, reset_while_programs_run)
{
	struct hup *h = self->h;
	uint64_t *word = h->data.hva, *stop = word + 1, before;
	struct hup_asm a = {};
	int i;

	hup_emit_count(&a, self->r.offset);
	hup_emit_return(&a, HYPERUPCALL_CONSUMED);
	EXPECT_EQ(self->r.link,
		  hup_replace(h, hup_load_asm(h, &a),
			      HYPERUPCALL_EVENT_INTERRUPT, self->r.link));
	hup_guest(h, 0, guest_enable_apic, 0, 0, 0, 0);
	hup_guest(h, 1, guest_enable_apic, 0, 0, 0, 0);
	hup_start(h, !variant->boot, guest_fire, variant->boot,
		  h->data.gva + 8, 0, 0);
	for (i = 0; i < 10000 && !READ_ONCE(*word); i++)
		usleep(100);
	EXPECT_LT(0, READ_ONCE(*word));

	hup_reset_vcpu(h, variant->boot);
	before = READ_ONCE(*word);
	EXPECT_EQ(self->locked, hup_locked_kb());
	usleep(20000);
	EXPECT_EQ(before, READ_ONCE(*word));
	WRITE_ONCE(*stop, 1);
	hup_join(h, !variant->boot);
}

/* What the guest had mapped before is no longer in the window. */
HUP_TEST(lifetime, window_after_reset)
{
	struct hup *h = self->h;
	uint64_t *word = h->data.hva, faults;
	struct hup_asm a = {};

	hup_reset_vcpu(h, variant->boot);
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
