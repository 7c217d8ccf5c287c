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

/* What the VMM saves of the vCPU after that is of after the INIT. */
HUP_TEST(lifetime, saved_before_init_is_taken_in)
{
	struct kvm_mp_state runnable = { .mp_state = KVM_MP_STATE_RUNNABLE };
	struct hup *h = self->h;
	struct kvm_vcpu *vcpu = h->vcpus[variant->boot].vcpu;
	struct saved_vcpu saved;

	save_vcpu(vcpu, &saved);
	hup_send_init(h, variant->boot);
	EXPECT_EQ(true, nothing_saved(h));
	EXPECT_EQ(self->locked, hup_locked_kb());
	vcpu_mp_state_set(vcpu, &runnable);
	restore_vcpu(vcpu, &saved);
	expect_gone(_metadata, h, &self->r);
}

/* A vCPU that was reset gets its state first, and what is restored then stays. */
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
	EXPECT_EQ(-EBUSY, state_set(h, state, size));
	EXPECT_EQ(self->locked, hup_locked_kb());
	restore_vcpu(vcpu, &saved);
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

/* The vCPU, which was saved, stops in a nested guest without paging. */
static void enter_unpaged_guest(struct hup *h, struct kvm_vcpu *vcpu,
				const struct saved_vcpu *saved,
				struct kvm_sregs *sregs)
{
	struct kvm_regs regs = saved->regs;
	vm_vaddr_t svm_gva;

	vcpu_alloc_svm(h->vm, &svm_gva);
	regs.rip = (uintptr_t)run_unpaged_guest;
	regs.rsp -= 8;
	regs.rdi = svm_gva;
	regs.rsi = add_code(h, unpaged_guest, sizeof(unpaged_guest));
	vcpu_regs_set(vcpu, &regs);
	vcpu_run(vcpu);
	TEST_ASSERT_KVM_EXIT_REASON(vcpu, KVM_EXIT_IO);
	vcpu_run_complete_io(vcpu);
	vcpu_sregs_get(vcpu, sregs);
	TEST_ASSERT(!(sregs->cr0 & X86_CR0_PG), "the nested guest is paged");
}

/* The VMM writes back what it has read of a nested guest without paging. */
HUP_TEST(lifetime, sregs_set_in_nested_guest)
{
	struct hup *h = self->h;
	struct kvm_vcpu *vcpu = h->vcpus[variant->boot].vcpu;
	struct saved_vcpu saved;
	struct kvm_sregs sregs;
	struct ucall uc;

	TEST_REQUIRE(kvm_cpu_has(X86_FEATURE_SVM));
	save_vcpu(vcpu, &saved);
	enter_unpaged_guest(h, vcpu, &saved, &sregs);
	vcpu_sregs_set(vcpu, &sregs);
	vcpu_run(vcpu);
	ASSERT_EQ(UCALL_SYNC, get_ucall(vcpu, &uc));
	EXPECT_EQ(SVM_EXIT_VMMCALL, uc.args[1]);

	restore_vcpu(vcpu, &saved);
	expect_there(_metadata, h, &self->r);
}

/* A VMM resets its VM, and writes the registers before the nested state. */
HUP_TEST(lifetime, reset_in_nested_guest)
{
	struct kvm_nested_state nested = {
		.format = KVM_STATE_NESTED_FORMAT_SVM,
		.flags = KVM_STATE_NESTED_GIF_SET,
		.size = sizeof(nested),
	};
	struct hup *h = self->h;
	struct kvm_vcpu *vcpu = h->vcpus[variant->boot].vcpu;
	struct saved_vcpu saved;
	struct kvm_sregs sregs;

	TEST_REQUIRE(kvm_cpu_has(X86_FEATURE_SVM));
	save_vcpu(vcpu, &saved);
	enter_unpaged_guest(h, vcpu, &saved, &sregs);
	vcpu_sregs_set(vcpu, &sregs);
	EXPECT_LT(self->locked, hup_locked_kb());
	vcpu_nested_state_set(vcpu, &nested);
	EXPECT_EQ(self->locked, hup_locked_kb());

	restore_vcpu(vcpu, &saved);
	expect_gone(_metadata, h, &self->r);
}

/* The same in SMM, which has paging off most of the time. */
HUP_TEST(lifetime, reset_in_smm)
{
	struct hup *h = self->h;
	struct kvm_vcpu *vcpu = h->vcpus[variant->boot].vcpu;
	struct saved_vcpu saved;
	struct kvm_sregs sregs;

	TEST_REQUIRE(kvm_has_cap(KVM_CAP_X86_SMM));
	save_vcpu(vcpu, &saved);
	hup_set_smm(vcpu, true);
	sregs = saved.sregs;
	hup_leave_paged_mode(&sregs);
	vcpu_sregs_set(vcpu, &sregs);
	EXPECT_LT(self->locked, hup_locked_kb());
	hup_set_smm(vcpu, false);
	EXPECT_EQ(self->locked, hup_locked_kb());

	restore_vcpu(vcpu, &saved);
	expect_gone(_metadata, h, &self->r);
}

/* A state that is restored in SMM is that of a vCPU in SMM. */
HUP_TEST(lifetime, restored_in_smm)
{
	struct hup *h = self->h;
	struct kvm_vcpu *vcpu = h->vcpus[variant->boot].vcpu;
	union state *state = calloc(1, sizeof(*state));
	struct kvm_sregs sregs;
	struct saved_vcpu saved;
	uint64_t size;

	TEST_REQUIRE(kvm_has_cap(KVM_CAP_X86_SMM));
	ASSERT_NE(NULL, state);
	size = state_save(h, state);
	hup_reset_vcpu(h, variant->boot);
	save_vcpu(vcpu, &saved);

	sregs = saved.sregs;
	hup_leave_paged_mode(&sregs);
	vcpu_sregs_set(vcpu, &sregs);
	EXPECT_EQ(-EBUSY, state_set(h, state, size));
	hup_set_smm(vcpu, true);
	EXPECT_EQ(0, state_set(h, state, size));
	/* What the VMM writes once more. */
	vcpu_sregs_set(vcpu, &sregs);
	vcpu_sregs_set(vcpu, &saved.sregs);
	hup_set_smm(vcpu, false);
	restore_vcpu(vcpu, &saved);
	expect_there(_metadata, h, &self->r);
	free(state);
}

/* A VMM goes back to a snapshot in place: memory, and the state of the vCPU. */
HUP_TEST(lifetime, rewound)
{
	struct hup *h = self->h;
	struct kvm_vcpu *vcpu = h->vcpus[variant->boot].vcpu;
	struct kvm_x86_state *state = vcpu_save_state(vcpu);
	struct hyperupcall_query q = {};

	/* The guest goes on for a while. */
	EXPECT_EQ(0, hup_op_on(h, variant->boot, HYPERUPCALL_QUERY, &q,
			       sizeof(q)));
	EXPECT_EQ(1, q.nr_progs);
	vcpu_run_complete_io(vcpu);
	vcpu_load_state(vcpu, state);
	EXPECT_EQ(self->locked, hup_locked_kb());
	expect_gone(_metadata, h, &self->r);
	kvm_x86_state_cleanup(state);
}

/* The same by the offset, as VMMs write it that know its attribute. */
HUP_TEST(lifetime, rewound_by_tsc_offset)
{
	struct hup *h = self->h;
	struct kvm_vcpu *vcpu = h->vcpus[variant->boot].vcpu;
	uint64_t offset;

	if (__vcpu_has_device_attr(vcpu, KVM_VCPU_TSC_CTRL, KVM_VCPU_TSC_OFFSET))
		SKIP(return, "no KVM_VCPU_TSC_OFFSET");
	vcpu_device_attr_get(vcpu, KVM_VCPU_TSC_CTRL, KVM_VCPU_TSC_OFFSET,
			     &offset);
	vcpu_device_attr_set(vcpu, KVM_VCPU_TSC_CTRL, KVM_VCPU_TSC_OFFSET,
			     &offset);
	EXPECT_LT(self->locked, hup_locked_kb());
	/* The guest begins anew. */
	offset = -rdtsc();
	vcpu_device_attr_set(vcpu, KVM_VCPU_TSC_CTRL, KVM_VCPU_TSC_OFFSET,
			     &offset);
	EXPECT_EQ(self->locked, hup_locked_kb());
	expect_gone(_metadata, h, &self->r);
}

/* The boot vCPU may have stood still since the snapshot. */
HUP_TEST(lifetime, rewound_by_another_vcpu)
{
	struct hup *h = self->h;
	struct kvm_vcpu *other = h->vcpus[!variant->boot].vcpu;
	struct kvm_x86_state *state = vcpu_save_state(other);
	struct hyperupcall_query q = {};

	EXPECT_EQ(0, hup_op_on(h, !variant->boot, HYPERUPCALL_QUERY, &q,
			       sizeof(q)));
	vcpu_run_complete_io(other);
	vcpu_load_state(other, state);
	EXPECT_EQ(self->locked, hup_locked_kb());
	expect_gone(_metadata, h, &self->r);
	kvm_x86_state_cleanup(state);
}

/* State of now is no other kernel's. */
HUP_TEST(lifetime, state_written_back)
{
	struct hup *h = self->h;
	struct kvm_vcpu *vcpu = h->vcpus[variant->boot].vcpu;
	struct kvm_vcpu *other = h->vcpus[!variant->boot].vcpu;
	struct kvm_x86_state *state = vcpu_save_state(other);

	vcpu_load_state(other, state);
	kvm_x86_state_cleanup(state);

	state = vcpu_save_state(vcpu);
	vcpu_load_state(vcpu, state);
	kvm_x86_state_cleanup(state);
	expect_there(_metadata, h, &self->r);
}

/* Other page tables, with paging on. */
HUP_TEST(lifetime, other_page_tables)
{
	struct hup *h = self->h;
	struct kvm_vcpu *vcpu = h->vcpus[variant->boot].vcpu;
	struct saved_vcpu saved;
	struct kvm_sregs sregs;

	save_vcpu(vcpu, &saved);
	sregs = saved.sregs;
	sregs.cr3 += PAGE_SIZE;
	vcpu_sregs_set(vcpu, &sregs);
	EXPECT_EQ(self->locked, hup_locked_kb());
	restore_vcpu(vcpu, &saved);
	expect_gone(_metadata, h, &self->r);
}

/* In place, with the hyperupcalls of then: in whatever order the VMM likes. */
HUP_TEST(lifetime, rewound_with_state)
{
	struct hup *h = self->h;
	struct kvm_vcpu *vcpu = h->vcpus[variant->boot].vcpu;
	struct kvm_x86_state *vcpu_state = vcpu_save_state(vcpu);
	struct kvm_hyperupcall_state_header none;
	union state *state = calloc(1, sizeof(*state));
	struct hyperupcall_query q = {};
	uint64_t size;

	ASSERT_NE(NULL, state);
	size = state_save(h, state);
	none = state->header;
	none.nr_progs = 0;
	none.nr_regions = 0;
	none.nr_links = 0;
	state_seal(&none, sizeof(none));
	EXPECT_EQ(0, hup_op_on(h, variant->boot, HYPERUPCALL_QUERY, &q,
			       sizeof(q)));
	vcpu_run_complete_io(vcpu);

	EXPECT_EQ(-EEXIST, state_set(h, state, size));
	EXPECT_EQ(0, state_set(h, &none, sizeof(none)));
	EXPECT_EQ(self->locked, hup_locked_kb());
	EXPECT_EQ(0, state_set(h, state, size));
	vcpu_load_state(vcpu, vcpu_state);
	EXPECT_LT(self->locked, hup_locked_kb());
	expect_there(_metadata, h, &self->r);
	kvm_x86_state_cleanup(vcpu_state);
	free(state);
}

int main(int argc, char **argv)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_HYPERUPCALL));

	return test_harness_run(argc, argv);
}
