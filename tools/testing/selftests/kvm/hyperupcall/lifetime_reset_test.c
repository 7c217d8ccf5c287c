// SPDX-License-Identifier: GPL-2.0-only
/*
 * A reset that KVM has noticed and not finished, since the boot vCPU has not
 * entered the guest yet, is finished before anybody can tell; and what looks
 * like one in a nested guest is none.
 */
#include "lifetime_fixture.h"
#include "state_util.h"
#include "svm_util.h"

/* Whether the VMM finds nothing to take along. */
static bool nothing_saved(struct hup *h)
{
	uint64_t size = 0;

	return state_get(h, NULL, &size) == -E2BIG &&
	       size == sizeof(struct kvm_hyperupcall_state_header);
}

static void take_in_init(struct hup *h, unsigned int id)
{
	struct kvm_mp_state mp_state;

	hup_send_init(h, id);
	vcpu_mp_state_get(h->vcpus[id].vcpu, &mp_state);
	mp_state.mp_state = KVM_MP_STATE_RUNNABLE;
	vcpu_mp_state_set(h->vcpus[id].vcpu, &mp_state);
}

/* The next kernel would meet the old one's programs where the VM moves to. */
HUP_TEST(lifetime, saved_after_init)
{
	struct hup *h = self->h;
	struct kvm_vcpu *vcpu = h->vcpus[variant->boot].vcpu;
	struct saved_vcpu saved;

	save_vcpu(vcpu, &saved);
	take_in_init(h, variant->boot);
	EXPECT_EQ(true, nothing_saved(h));
	EXPECT_EQ(self->locked, hup_locked_kb());
	restore_vcpu(vcpu, &saved);
	expect_gone(_metadata, h, &self->r);
}

/* What is restored after the INIT has nothing to do with it. */
HUP_TEST(lifetime, restored_after_init)
{
	struct hup *h = self->h;
	struct kvm_vcpu *vcpu = h->vcpus[variant->boot].vcpu;
	union state *state = calloc(1, sizeof(*state));
	struct saved_vcpu saved;
	uint64_t size;

	ASSERT_NE(NULL, state);
	size = state_save(h, state);
	save_vcpu(vcpu, &saved);
	take_in_init(h, variant->boot);
	EXPECT_EQ(0, state_set(h, state, size));
	/* As KVM_RUN finds them, and not an ioctl. */
	vcpu->run->s.regs.sregs = saved.sregs;
	vcpu->run->s.regs.regs = saved.regs;
	vcpu->run->kvm_dirty_regs = KVM_SYNC_X86_SREGS | KVM_SYNC_X86_REGS;
	expect_there(_metadata, h, &self->r);
	free(state);
}

/* A vCPU that does not come to be is no boot vCPU that begins. */
HUP_TEST(lifetime, boot_vcpu_created_again)
{
	struct hup *h = self->h;

	EXPECT_EQ(-1, __vm_ioctl(h->vm, KVM_CREATE_VCPU, (void *)variant->boot));
	EXPECT_EQ(EEXIST, errno);
	expect_there(_metadata, h, &self->r);
}

/*
 * The vCPU has left paged mode and did not get further: what the VMM makes of
 * it then is another VM's.
 */
HUP_TEST(lifetime, boot_vcpu_set_after_leaving_paging)
{
	struct kvm_guest_debug debug = {
		.control = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP,
	};
	struct hup *h = self->h;
	struct kvm_vcpu *vcpu = h->vcpus[variant->boot].vcpu;
	struct saved_vcpu saved;
	struct kvm_sregs sregs;
	int i;

	save_vcpu(vcpu, &saved);
	enter_compatibility_mode(h, variant->boot, leave_paging,
				 sizeof(leave_paging));
	vcpu_guest_debug_set(vcpu, &debug);
	for (i = 0; i < 3; i++) {
		vcpu_run(vcpu);
		TEST_ASSERT_KVM_EXIT_REASON(vcpu, KVM_EXIT_DEBUG);
	}
	vcpu_sregs_get(vcpu, &sregs);
	ASSERT_EQ(0, sregs.cr0 & X86_CR0_PG);

	debug.control = 0;
	vcpu_guest_debug_set(vcpu, &debug);
	restore_vcpu(vcpu, &saved);
	EXPECT_EQ(self->locked, hup_locked_kb());
	expect_gone(_metadata, h, &self->r);
}

/* A nested guest's code: a port, for the VMM to look, and then its hypervisor. */
static const uint8_t unpaged_guest[] = {
	0xec,					/* in (%dx), %al */
	0x0f, 0x01, 0xd9,			/* vmmcall */
};

#define STACK_WORDS	64

static void run_unpaged_guest(struct svm_test_data *svm, uint64_t code)
{
	const uint16_t data = 0xc93, text = 0xc9b;
	struct vmcb_save_area *save = &svm->vmcb->save;
	unsigned long stack[STACK_WORDS];

	generic_svm_setup(svm, (void *)code, &stack[STACK_WORDS]);
	save->cr0 &= ~X86_CR0_PG;
	save->efer = EFER_SVME;
	save->cs.attrib = text;
	save->ds.attrib = data;
	save->es.attrib = data;
	save->ss.attrib = data;
	run_guest(svm->vmcb, svm->vmcb_gpa);
	GUEST_SYNC(svm->vmcb->control.exit_code);
}

/* The VMM writes back what it has read of a nested guest without paging. */
HUP_TEST(lifetime, sregs_set_in_nested_guest)
{
	struct hup *h = self->h;
	struct kvm_vcpu *vcpu = h->vcpus[variant->boot].vcpu;
	struct saved_vcpu saved;
	struct kvm_sregs sregs;
	struct kvm_regs regs;
	vm_vaddr_t svm_gva;
	struct ucall uc;

	TEST_REQUIRE(kvm_cpu_has(X86_FEATURE_SVM));
	vcpu_alloc_svm(h->vm, &svm_gva);
	save_vcpu(vcpu, &saved);
	regs = saved.regs;
	regs.rip = (uintptr_t)run_unpaged_guest;
	regs.rsp -= 8;
	regs.rdi = svm_gva;
	regs.rsi = add_code(h, unpaged_guest, sizeof(unpaged_guest));
	vcpu_regs_set(vcpu, &regs);
	vcpu_run(vcpu);
	TEST_ASSERT_KVM_EXIT_REASON(vcpu, KVM_EXIT_IO);
	vcpu_run_complete_io(vcpu);
	vcpu_sregs_get(vcpu, &sregs);
	ASSERT_EQ(0, sregs.cr0 & X86_CR0_PG);
	vcpu_sregs_set(vcpu, &sregs);
	vcpu_run(vcpu);
	ASSERT_EQ(UCALL_SYNC, get_ucall(vcpu, &uc));
	EXPECT_EQ(SVM_EXIT_VMMCALL, uc.args[1]);

	restore_vcpu(vcpu, &saved);
	expect_there(_metadata, h, &self->r);
}

int main(int argc, char **argv)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_HYPERUPCALL));

	return test_harness_run(argc, argv);
}
