// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who may make the hypercall: CPL 0 in 64-bit mode. Every other mode of the
 * CPU, every other privilege level and a nested guest is refused, with the VM's
 * hyperupcalls as they were; and where the capability is off there is no such
 * hypercall in any mode.
 */
#include <linux/kvm_para.h>

#include "abi_calls.h"
#include "kvm_test_harness.h"
#include "svm_util.h"

/* Not the boot vCPU, which resets the VM when it leaves paged mode. */
#define OTHER	1

/* Identity-mapped memory that the tests' VMs leave alone. */
#define CODE_GPA	0xe0000
#define TABLE_GPA	0xe1000

#define CR4_KEEP	(X86_CR4_OSFXSR | X86_CR4_OSXMMEXCPT)

static void set_segments(struct kvm_sregs *sregs, bool db, int cpl)
{
	struct kvm_segment seg = {
		.limit = db ? 0xffffffff : 0xffff,
		.selector = cpl,
		.type = 3,
		.present = 1,
		.dpl = cpl,
		.db = db,
		.s = 1,
		.g = db,
	};

	sregs->ds = seg;
	sregs->es = seg;
	sregs->fs = seg;
	sregs->gs = seg;
	sregs->ss = seg;
	seg.type = 11;
	/* Within reach of 16 bits, and ignored in 64-bit mode. */
	seg.base = CODE_GPA;
	sregs->cs = seg;
}

static void leave_paging(struct kvm_sregs *sregs)
{
	sregs->efer &= ~(EFER_LME | EFER_LMA);
	sregs->cr0 &= ~X86_CR0_PG;
	sregs->cr4 &= CR4_KEEP;
}

static void real_mode(struct hup *h, struct kvm_sregs *sregs)
{
	leave_paging(sregs);
	sregs->cr0 &= ~X86_CR0_PE;
	set_segments(sregs, false, 0);
}

static void protected_16(struct hup *h, struct kvm_sregs *sregs)
{
	leave_paging(sregs);
	set_segments(sregs, false, 0);
}

static void protected_32(struct hup *h, struct kvm_sregs *sregs)
{
	leave_paging(sregs);
	set_segments(sregs, true, 0);
}

static void protected_32_user(struct hup *h, struct kvm_sregs *sregs)
{
	leave_paging(sregs);
	set_segments(sregs, true, 3);
}

/* One page of 4 MiB. */
static void paged_32(struct hup *h, struct kvm_sregs *sregs)
{
	uint32_t *table = addr_gpa2hva(h->vm, TABLE_GPA);

	protected_32(h, sregs);
	table[0] = PTE_PRESENT_MASK | PTE_WRITABLE_MASK | PTE_LARGE_MASK;
	sregs->cr3 = TABLE_GPA;
	sregs->cr4 |= X86_CR4_PSE;
	sregs->cr0 |= X86_CR0_PG;
}

/* One page of 2 MiB. */
static void paged_pae(struct hup *h, struct kvm_sregs *sregs)
{
	uint64_t *table = addr_gpa2hva(h->vm, TABLE_GPA);
	uint64_t *next = addr_gpa2hva(h->vm, TABLE_GPA + PAGE_SIZE);

	protected_32(h, sregs);
	table[0] = (TABLE_GPA + PAGE_SIZE) | PTE_PRESENT_MASK;
	next[0] = PTE_PRESENT_MASK | PTE_WRITABLE_MASK | PTE_LARGE_MASK;
	sregs->cr3 = TABLE_GPA;
	sregs->cr4 |= X86_CR4_PAE;
	sregs->cr0 |= X86_CR0_PG;
}

/* 64-bit page tables, and segments that say otherwise. */
static void long_mode(struct hup *h, struct kvm_sregs *sregs, bool l, int cpl)
{
	set_segments(sregs, true, cpl);
	sregs->cs.l = l;
	sregs->cs.db = !l;
}

static void compatibility(struct hup *h, struct kvm_sregs *sregs)
{
	long_mode(h, sregs, false, 0);
}

static void compatibility_user(struct hup *h, struct kvm_sregs *sregs)
{
	long_mode(h, sregs, false, 3);
}

static void long_user(struct hup *h, struct kvm_sregs *sregs)
{
	long_mode(h, sregs, true, 3);
}

static void long_ring_1(struct hup *h, struct kvm_sregs *sregs)
{
	long_mode(h, sregs, true, 1);
}

static void long_kernel(struct hup *h, struct kvm_sregs *sregs)
{
	long_mode(h, sregs, true, 0);
}

FIXTURE(modes) {
};

/* What the call returns, and what it does where hyperupcalls are off. */
FIXTURE_VARIANT(modes) {
	void (*set)(struct hup *h, struct kvm_sregs *sregs);
	long r;
	long r_off;
};

FIXTURE_VARIANT_ADD(modes, real_mode) {
	real_mode, -EPERM, -KVM_ENOSYS
};

FIXTURE_VARIANT_ADD(modes, protected_16) {
	protected_16, -EPERM, -KVM_ENOSYS
};

FIXTURE_VARIANT_ADD(modes, protected_32) {
	protected_32, -EPERM, -KVM_ENOSYS
};

FIXTURE_VARIANT_ADD(modes, protected_32_user) {
	protected_32_user, -EPERM, -KVM_EPERM
};

FIXTURE_VARIANT_ADD(modes, paged_32) {
	paged_32, -EPERM, -KVM_ENOSYS
};

FIXTURE_VARIANT_ADD(modes, paged_pae) {
	paged_pae, -EPERM, -KVM_ENOSYS
};

FIXTURE_VARIANT_ADD(modes, compatibility) {
	compatibility, -EPERM, -KVM_ENOSYS
};

FIXTURE_VARIANT_ADD(modes, compatibility_user) {
	compatibility_user, -EPERM, -KVM_EPERM
};

FIXTURE_VARIANT_ADD(modes, long_ring_1) {
	long_ring_1, -EPERM, -KVM_EPERM
};

FIXTURE_VARIANT_ADD(modes, long_user) {
	long_user, -EPERM, -KVM_EPERM
};

FIXTURE_VARIANT_ADD(modes, long_kernel) {
	long_kernel, 0, -KVM_ENOSYS
};

FIXTURE_SETUP(modes)
{
}

FIXTURE_TEARDOWN(modes)
{
}

/* Code that is at the same address with and without paging, for every CPL. */
static void prepare(struct hup *h)
{
	void *code = addr_gpa2hva(h->vm, CODE_GPA);

	memcpy(code, host_cpu_is_amd ? hup_vmmcall : hup_vmcall, 4);
	virt_pg_map(h->vm, CODE_GPA, CODE_GPA);
	/* Makes the page tables' every page one of user mode, too. */
	hup_set_cpl(h, 0);
}

/* QUERY by a vCPU in the given mode. */
static long call_in_mode(struct hup *h,
			 void (*set)(struct hup *h, struct kvm_sregs *sregs))
{
	struct kvm_vcpu *vcpu = h->vcpus[OTHER].vcpu;
	struct kvm_sregs sregs;
	struct kvm_regs regs = {
		/* Every CPL may report by I/O. */
		.rflags = X86_EFLAGS_FIXED | 3 << 12,
		.rax = KVM_HC_HYPERUPCALL,
		.rbx = HYPERUPCALL_QUERY,
		.rcx = h->data.gva,
		.rdx = sizeof(struct hyperupcall_query),
	};
	bool is_64_bit;

	vcpu_run_complete_io(vcpu);
	vcpu_sregs_get(vcpu, &sregs);
	set(h, &sregs);
	is_64_bit = sregs.cs.l;
	regs.rip = is_64_bit ? CODE_GPA : 0;
	vcpu_sregs_set(vcpu, &sregs);
	vcpu_regs_set(vcpu, &regs);
	vcpu_run(vcpu);
	TEST_ASSERT_KVM_EXIT_REASON(vcpu, KVM_EXIT_IO);
	vcpu_regs_get(vcpu, &regs);
	if (is_64_bit)
		return regs.rax;
	TEST_ASSERT(!(regs.rax >> 32), "rax %#llx in 32 bits", regs.rax);
	return (int32_t)regs.rax;
}

HUP_TEST(modes, on)
{
	struct abi_vm vm = { .h = hup_create(2) };
	struct hyperupcall_query before;

	abi_make_objects(&vm);
	prepare(vm.h);
	before = abi_state(&vm);
	EXPECT_EQ(variant->r, call_in_mode(vm.h, variant->set));
	EXPECT_EQ(true, abi_state_is(&vm, &before));
	hup_free(vm.h);
}

HUP_TEST(modes, off)
{
	struct hup *h = hup_create_off(2);

	prepare(h);
	EXPECT_EQ(variant->r_off, call_in_mode(h, variant->set));
	hup_free(h);
}

FIXTURE(nested) {
	struct abi_vm vm;
};

FIXTURE_SETUP(nested)
{
	self->vm = abi_create(NULL);
}

FIXTURE_TEARDOWN(nested)
{
	hup_free(self->vm.h);
}

static uint64_t nested_stack[64];

static void nested_code(void)
{
	kvm_hypercall(KVM_HC_HYPERUPCALL, HYPERUPCALL_QUERY, 0, 0, 0);
	GUEST_FAIL("a nested guest's hypercall returned");
}

/* Returns the exit code of a nested guest that makes the call. */
static uint64_t guest_nested(uint64_t svm_gva, uint64_t intercept_it,
			     uint64_t a2, uint64_t a3)
{
	struct svm_test_data *svm = (struct svm_test_data *)svm_gva;
	struct vmcb_control_area *control = &svm->vmcb->control;

	generic_svm_setup(svm, nested_code,
			  &nested_stack[ARRAY_SIZE(nested_stack)]);
	if (!intercept_it)
		control->intercept &= ~BIT_ULL(INTERCEPT_VMMCALL);
	control->intercept_exceptions = BIT(UD_VECTOR);
	run_guest(svm->vmcb, svm->vmcb_gpa);
	return control->exit_code;
}

/*
 * A hypercall of a nested guest is its own hypervisor's business; if that one
 * does not care for it, the instruction is undefined. On Intel VMCALL always
 * exits to the nested guest's hypervisor.
 */
HUP_TEST(nested, does_not_reach_the_host)
{
	struct hyperupcall_query before = abi_state(&self->vm);
	vm_vaddr_t svm;

	if (!kvm_cpu_has(X86_FEATURE_SVM))
		SKIP(return, "no nested SVM");
	vcpu_alloc_svm(self->vm.h->vm, &svm);
	EXPECT_EQ(SVM_EXIT_VMMCALL,
		  hup_guest(self->vm.h, 0, guest_nested, svm, true, 0, 0));
	EXPECT_EQ(SVM_EXIT_EXCP_BASE + UD_VECTOR,
		  hup_guest(self->vm.h, 0, guest_nested, svm, false, 0, 0));
	EXPECT_EQ(true, abi_state_is(&self->vm, &before));
}

int main(int argc, char **argv)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_HYPERUPCALL));

	return test_harness_run(argc, argv);
}
