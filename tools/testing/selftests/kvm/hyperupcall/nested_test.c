// SPDX-License-Identifier: GPL-2.0-only
/*
 * A nested guest gets no hyperupcalls from its hypervisor's hypervisor: its
 * hypercalls are its own hypervisor's, and where that one does not want them
 * they are undefined instructions (AMD APM volume 2, 15.9).
 */
#include "hyperupcall_util.h"
#include "kvm_test_harness.h"
#include "svm_util.h"

#define STACK_WORDS	64

/* How the nested guest's call ended, then what its hypervisor is told. */
struct nested_results {
	uint64_t intercepted;
	uint64_t undefined;
	uint64_t direct;
	struct hyperupcall_query query;
};

static struct nested_results *results;

static uint64_t guest_query(void)
{
	return kvm_hypercall(KVM_HC_HYPERUPCALL, HYPERUPCALL_QUERY,
			     (uint64_t)&results->query,
			     sizeof(results->query), 0);
}

static void l2_guest(struct svm_test_data *svm)
{
	guest_query();
}

static uint64_t l1_guest(uint64_t svm_gva, uint64_t results_gva, uint64_t a2,
			 uint64_t a3)
{
	struct svm_test_data *svm = (struct svm_test_data *)svm_gva;
	unsigned long stack[STACK_WORDS];

	results = (struct nested_results *)results_gva;
	generic_svm_setup(svm, l2_guest, &stack[STACK_WORDS]);
	run_guest(svm->vmcb, svm->vmcb_gpa);
	results->intercepted = svm->vmcb->control.exit_code;

	svm->vmcb->control.intercept &= ~BIT_ULL(INTERCEPT_VMMCALL);
	svm->vmcb->control.intercept_exceptions = BIT(UD_VECTOR);
	run_guest(svm->vmcb, svm->vmcb_gpa);
	results->undefined = svm->vmcb->control.exit_code;

	results->direct = guest_query();
	return 0;
}

FIXTURE(nested) {
	struct hup *h;
};

FIXTURE_SETUP(nested)
{
	self->h = hup_create(1);
}

FIXTURE_TEARDOWN(nested)
{
	hup_free(self->h);
}

HUP_TEST(nested, nested_guest_is_refused)
{
	struct nested_results *r = self->h->data.hva;
	struct kvm_vm *vm = self->h->vm;
	vm_vaddr_t svm_gva;

	TEST_REQUIRE(kvm_cpu_has(X86_FEATURE_SVM));
	vcpu_alloc_svm(vm, &svm_gva);
	memset(&r->query, 0, sizeof(r->query));
	hup_guest(self->h, 0, l1_guest, svm_gva, self->h->data.gva, 0, 0);

	EXPECT_EQ(SVM_EXIT_VMMCALL, r->intercepted);
	EXPECT_EQ(SVM_EXIT_EXCP_BASE + UD_VECTOR, r->undefined);
	EXPECT_EQ(0, r->direct);
	EXPECT_EQ(HYPERUPCALL_ABI, r->query.abi);
}

TEST_HARNESS_MAIN
