// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hyperupcalls as the VMM sees them: off until it says otherwise, with the
 * limits that it sets, and refused limits.
 */
#include <linux/capability.h>
#include <sys/syscall.h>

#include "apic.h"
#include "window_programs.h"
#include "kvm_test_harness.h"

#define MODULE_PARAM	"/sys/module/kvm/parameters/hyperupcall"

/* A maximum of the administrator is the parameter of the field's name. */
#define MAX_PARAM(name)	MODULE_PARAM "_" name

FIXTURE(policy) {
};

FIXTURE_SETUP(policy)
{
}

FIXTURE_TEARDOWN(policy)
{
}

static uint64_t guest_has_feature(uint64_t a0, uint64_t a1, uint64_t a2,
				  uint64_t a3)
{
	return this_cpu_has(X86_FEATURE_KVM_HYPERUPCALL);
}

static bool announced(struct hup *h)
{
	return hup_guest(h, 0, guest_has_feature, 0, 0, 0, 0);
}

static long query(struct hup *h)
{
	struct hyperupcall_query q = {};

	return hup_op(h, HYPERUPCALL_QUERY, &q, sizeof(q));
}

HUP_TEST(policy, off_by_default)
{
	struct hup *h = hup_create_off(1);

	EXPECT_EQ(false, announced(h));
	EXPECT_EQ(-KVM_ENOSYS, query(h));
	EXPECT_EQ(-KVM_ENOSYS, hup_raw(h, ~0ULL, 0, 0, 1));
	hup_free(h);
}

HUP_TEST(policy, on_for_one_vm)
{
	struct hup *on = hup_create(1), *off = hup_create_off(1);

	EXPECT_EQ(1, vm_check_cap(on->vm, KVM_CAP_HYPERUPCALL));
	EXPECT_EQ(true, announced(on));
	EXPECT_EQ(0, query(on));
	EXPECT_EQ(false, announced(off));
	EXPECT_EQ(-KVM_ENOSYS, query(off));
	hup_free(on);
	hup_free(off);
}

static char read_param(void)
{
	int fd = open(MODULE_PARAM, O_RDONLY);
	char c = 0;

	if (fd < 0)
		return 0;
	if (read(fd, &c, 1) != 1)
		c = 0;
	close(fd);
	return c;
}

static bool write_param(char c)
{
	int fd = open(MODULE_PARAM, O_WRONLY);
	bool ok;

	if (fd < 0)
		return false;
	ok = write(fd, &c, 1) == 1;
	close(fd);
	return ok;
}

HUP_TEST(policy, parameter_for_every_vm)
{
	char old = read_param();
	struct hup *h;

	ASSERT_NE(0, old);
	if (!write_param('2'))
		SKIP(return, "the module parameter cannot be written");
	h = hup_create_off(1);
	EXPECT_EQ(true, write_param(old));

	EXPECT_EQ(true, announced(h));
	EXPECT_EQ(0, query(h));
	hup_free(h);
}

/* Who may open /dev/kvm may do so in vain. */
HUP_TEST(policy, parameter_for_nobody)
{
	char old = read_param();
	struct hup *h = hup_create_vm(1);

	ASSERT_NE(0, old);
	if (!write_param('0'))
		SKIP(return, "the module parameter cannot be written");
	EXPECT_EQ(0, kvm_check_cap(KVM_CAP_HYPERUPCALL));
	EXPECT_EQ(0, vm_check_cap(h->vm, KVM_CAP_HYPERUPCALL));
	EXPECT_EQ(-EPERM, hup_enable(h->vm, NULL, 0));
	EXPECT_EQ(true, write_param(old));

	hup_add_vcpus(h);
	hup_boot(h);
	EXPECT_EQ(false, announced(h));
	EXPECT_EQ(-KVM_ENOSYS, query(h));
	hup_free(h);
}

#define IPI_SENDER	0
#define IPI_TARGET	1

static uint64_t guest_send_ipis(uint64_t n, uint64_t a1, uint64_t a2,
				uint64_t a3)
{
	x2apic_enable();
	while (n--)
		x2apic_write_reg(APIC_ICR, (uint64_t)IPI_TARGET << 32 | 0xa5);
	return 0;
}

/* How often the link runs if @n IPIs are sent. */
static uint64_t runs_of_ipis(struct hup *h, uint32_t link, uint64_t n)
{
	struct hyperupcall_stats before, after;

	hup_stats(h, link, &before);
	hup_guest(h, IPI_SENDER, guest_send_ipis, n, 0, 0, 0);
	hup_stats(h, link, &after);
	TEST_ASSERT_EQ(before.throttled, after.throttled);
	return after.runs - before.runs;
}

/* Programs of VMs that run stand still, until the administrator says otherwise. */
HUP_TEST(policy, parameter_stops_programs)
{
	struct hyperupcall_test_run run = {};
	struct hup *h = hup_create(2);
	char old = read_param();
	long prog, other, link;

	hup_guest(h, IPI_TARGET, guest_send_ipis, 0, 0, 0, 0);
	prog = hup_load_return(h, HYPERUPCALL_CONSUMED);
	other = hup_load_return(h, 0);
	link = hup_link(h, prog, HYPERUPCALL_EVENT_INTERRUPT);
	ASSERT_LT(0, link);
	EXPECT_EQ(10, runs_of_ipis(h, link, 10));

	if (!write_param('0'))
		SKIP(return, "the module parameter cannot be written");
	EXPECT_EQ(0, runs_of_ipis(h, link, 10));
	EXPECT_EQ(-EPERM, hup_load_return(h, 0));
	EXPECT_EQ(-EPERM, hup_link(h, other, HYPERUPCALL_EVENT_INTERRUPT));
	EXPECT_EQ(-EPERM, hup_replace(h, other, HYPERUPCALL_EVENT_INTERRUPT,
				      link));
	EXPECT_EQ(-EPERM, hup_test_run(h, other, &run));
	/* What is there can be looked at and removed. */
	EXPECT_EQ(0, query(h));
	EXPECT_EQ(0, hup_unload(h, other));
	EXPECT_EQ(true, write_param(old));

	EXPECT_EQ(10, runs_of_ipis(h, link, 10));
	EXPECT_EQ(0, hup_test_run(h, prog, &run));
	EXPECT_LT(0, hup_load_return(h, 0));
	hup_free(h);
}

HUP_TEST(policy, parameter_out_of_range)
{
	char old = read_param();

	if (!write_param(old))
		SKIP(return, "the module parameter cannot be written");
	EXPECT_EQ(false, write_param('3'));
	EXPECT_EQ(false, write_param('Y'));
	EXPECT_EQ(old, read_param());
}

/* Policies that KVM_ENABLE_CAP accepts or refuses. */
struct policy_case {
	const char *what;
	struct kvm_hyperupcall_policy policy;
	int r;
};

static const struct policy_case policy_cases[] = {
	{ "all defaults", {}, 0 },
	{ "small", { .max_progs = 1, .max_links = 1, .max_regions = 1,
		     .max_insns = 16, .max_insns_global = 16 }, 0 },
	{ "one event", { .events = BIT(HYPERUPCALL_EVENT_INTERRUPT) }, 0 },
	{ "flags", { .flags = 1 }, -EINVAL },
	{ "max_progs", { .max_progs = ~0U }, -EINVAL },
	{ "max_links", { .max_links = ~0U }, -EINVAL },
	{ "max_regions", { .max_regions = ~0U }, -EINVAL },
	{ "max_insns", { .max_insns = ~0U }, -EINVAL },
	{ "max_insns_global", { .max_insns_global = ~0U }, -EINVAL },
	{ "max_verified_insns", { .max_verified_insns = ~0U }, -EINVAL },
	{ "max_verified_insns_global", { .max_verified_insns_global = ~0U },
	  -EINVAL },
	{ "max_loops", { .max_loops = ~0U }, -EINVAL },
	{ "max_run_insns", { .max_run_insns = ~0U }, -EINVAL },
	{ "mem_percent", { .mem_percent = 101 }, -EINVAL },
	{ "mem_percent_global", { .mem_percent_global = 101 }, -EINVAL },
	{ "budget_ns", { .budget_ns = ~0ULL }, -EINVAL },
	{ "unknown event", { .events = 1ULL << 63 }, -EINVAL },
};

HUP_TEST(policy, policies)
{
	struct kvm_vm *vm;
	int i;

	for (i = 0; i < ARRAY_SIZE(policy_cases); i++) {
		const struct policy_case *c = &policy_cases[i];

		vm = vm_create_barebones();
		EXPECT_EQ(c->r, hup_enable(vm, &c->policy, sizeof(c->policy)))
			TH_LOG("%s", c->what);
		kvm_vm_free(vm);
	}
}

HUP_TEST(policy, policy_struct)
{
	struct {
		struct kvm_hyperupcall_policy policy;
		uint64_t tail;
	} arg = {};
	struct kvm_vm *vm = vm_create_barebones();
	size_t size = sizeof(arg.policy);

	EXPECT_EQ(-EFAULT, hup_enable(vm, (void *)8, size));
	EXPECT_EQ(-EINVAL, hup_enable(vm, &arg, size - 1));
	EXPECT_EQ(-EINVAL, hup_enable(vm, &arg, 0));
	EXPECT_EQ(-E2BIG, hup_enable(vm, &arg, 1ULL << 40));
	arg.tail = 1;
	EXPECT_EQ(-E2BIG, hup_enable(vm, &arg, sizeof(arg)));
	arg.tail = 0;
	EXPECT_EQ(0, hup_enable(vm, &arg, sizeof(arg)));
	kvm_vm_free(vm);
}

HUP_TEST(policy, capability_arguments)
{
	static const struct kvm_enable_cap caps[] = {
		{ .cap = KVM_CAP_HYPERUPCALL, .flags = 1 },
		{ .cap = KVM_CAP_HYPERUPCALL, .args = { [2] = 1 } },
		{ .cap = KVM_CAP_HYPERUPCALL, .args = { [3] = 1 } },
	};
	struct kvm_vm *vm = vm_create_barebones();
	struct kvm_enable_cap cap;
	int i;

	for (i = 0; i < ARRAY_SIZE(caps); i++) {
		cap = caps[i];
		EXPECT_EQ(-1, __vm_ioctl(vm, KVM_ENABLE_CAP, &cap));
		EXPECT_EQ(EINVAL, errno);
	}
	kvm_vm_free(vm);
}

/* What Documentation/virt/hyperupcall.rst calls "at most". */
struct largest {
	const char *what;
	size_t offset;
	uint32_t limit;
};

#define LARGEST(field, _limit) {					\
	.what = #field,							\
	.offset = offsetof(struct kvm_hyperupcall_policy, field),	\
	.limit = _limit,						\
}

static const struct largest largest[] = {
	LARGEST(max_progs, 256),
	LARGEST(max_links, 256),
	LARGEST(max_regions, 1024),
	LARGEST(max_insns, 32768),
	LARGEST(max_insns_global, 4096),
	LARGEST(max_verified_insns, 262144),
	LARGEST(max_verified_insns_global, 262144),
	LARGEST(max_loops, 65536),
	LARGEST(max_insns_total, 1048576),
	LARGEST(max_run_insns, 1048576),
	LARGEST(max_run_insns_global, 131072),
	LARGEST(mem_percent, 100),
	LARGEST(mem_percent_global, 100),
	LARGEST(budget_ns, 500000000),
};

static bool write_file(const char *path, const char *s)
{
	int fd = open(path, O_WRONLY);
	bool ok;

	if (fd < 0)
		return false;
	ok = write(fd, s, strlen(s)) == strlen(s);
	close(fd);
	return ok;
}

/* The administrator has the last word, and cannot raise what the kernel has. */
HUP_TEST(policy, lowered_maxima)
{
	struct kvm_vm *vm = vm_create_barebones();
	struct kvm_hyperupcall_policy policy;
	char path[128], value[16];
	uint32_t *limit;
	int i;

	for (i = 0; i < ARRAY_SIZE(largest); i++) {
		snprintf(path, sizeof(path), MODULE_PARAM "_%s",
			 largest[i].what);
		memset(&policy, 0, sizeof(policy));
		limit = (void *)&policy + largest[i].offset;
		*limit = largest[i].limit;
		snprintf(value, sizeof(value), "%u", largest[i].limit - 1);
		ASSERT_EQ(true, write_file(path, value)) TH_LOG("%s", path);
		EXPECT_EQ(-EINVAL, hup_enable(vm, &policy, sizeof(policy)))
			TH_LOG("%s", largest[i].what);
		--*limit;
		EXPECT_EQ(0, hup_enable(vm, &policy, sizeof(policy)))
			TH_LOG("%s", largest[i].what);

		snprintf(value, sizeof(value), "%u", largest[i].limit + 1);
		EXPECT_EQ(false, write_file(path, value)) TH_LOG("%s", path);
		EXPECT_EQ(false, write_file(path, "0")) TH_LOG("%s", path);
		snprintf(value, sizeof(value), "%u", largest[i].limit);
		EXPECT_EQ(true, write_file(path, value)) TH_LOG("%s", path);
	}
	kvm_vm_free(vm);
}

/* Who asks for the defaults gets no more than the maxima, either. */
HUP_TEST(policy, defaults_over_the_maxima)
{
	struct hyperupcall_query q;
	struct hup *h;

	ASSERT_EQ(true, write_file(MAX_PARAM("max_progs"), "3"));
	ASSERT_EQ(true, write_file(MAX_PARAM("budget_ns"), "1000"));
	h = hup_create(1);
	EXPECT_EQ(true, write_file(MAX_PARAM("max_progs"), "256"));
	EXPECT_EQ(true, write_file(MAX_PARAM("budget_ns"), "500000000"));
	hup_query(h, &q);
	EXPECT_EQ(3, q.max_progs);
	EXPECT_EQ(1000, q.budget_ns);
	hup_free(h);
}

HUP_TEST(policy, at_most)
{
	struct kvm_vm *vm = vm_create_barebones();
	struct kvm_hyperupcall_policy policy;
	uint32_t *limit;
	int i;

	for (i = 0; i < ARRAY_SIZE(largest); i++) {
		memset(&policy, 0, sizeof(policy));
		limit = (void *)&policy + largest[i].offset;
		*limit = largest[i].limit;
		EXPECT_EQ(0, hup_enable(vm, &policy, sizeof(policy)))
			TH_LOG("%s", largest[i].what);
		++*limit;
		EXPECT_EQ(-EINVAL, hup_enable(vm, &policy, sizeof(policy)))
			TH_LOG("%s", largest[i].what);
	}
	kvm_vm_free(vm);
}

/* Until there is a vCPU, the VMM may change its mind. */
HUP_TEST(policy, last_one_counts)
{
	struct kvm_hyperupcall_policy policy = { .max_progs = 7 };
	struct hup *h = hup_create_vm(1);
	struct hyperupcall_query q;

	EXPECT_EQ(0, hup_enable(h->vm, &policy, sizeof(policy)));
	policy.max_progs = 9;
	EXPECT_EQ(0, hup_enable(h->vm, &policy, sizeof(policy)));
	/* A policy that is refused changes nothing. */
	policy.max_progs = ~0U;
	EXPECT_EQ(-EINVAL, hup_enable(h->vm, &policy, sizeof(policy)));
	hup_add_vcpus(h);
	hup_boot(h);
	hup_query(h, &q);
	EXPECT_EQ(9, q.max_progs);
	hup_free(h);
}

/* What the guest sees is KVM's word, whatever CPUID the VMM sets. */
HUP_TEST(policy, cpuid_of_the_vmm)
{
	struct hup *on = hup_create_vm(1), *off = hup_create_vm(1);

	EXPECT_EQ(0, hup_enable(on->vm, NULL, 0));
	hup_add_vcpus(on);
	hup_add_vcpus(off);
	vcpu_clear_cpuid_feature(on->vcpus[0].vcpu,
				 X86_FEATURE_KVM_HYPERUPCALL);
	vcpu_set_cpuid_feature(off->vcpus[0].vcpu, X86_FEATURE_KVM_HYPERUPCALL);
	hup_boot(on);
	hup_boot(off);
	EXPECT_EQ(true, announced(on));
	EXPECT_EQ(false, announced(off));
	hup_free(on);
	hup_free(off);
}

/* What the VMMs of this process say of the hypervisor in CPUID: nothing. */
static void hide_kvm(void)
{
	struct kvm_cpuid_entry2 *entry;

	entry = (struct kvm_cpuid_entry2 *)get_cpuid_entry(kvm_get_supported_cpuid(),
							   KVM_CPUID_SIGNATURE, 0);
	entry->ebx = 0;
	entry->ecx = 0;
	entry->edx = 0;
}

/* A VMM that hides KVM from its guest may have KVM keep to that. */
HUP_TEST(policy, cpuid_is_enforced)
{
	struct hyperupcall_query query = {};
	struct hup *h = hup_create_vm(1);

	hide_kvm();
	EXPECT_EQ(0, hup_enable(h->vm, NULL, 0));
	hup_add_vcpus(h);
	vcpu_enable_cap(h->vcpus[0].vcpu, KVM_CAP_ENFORCE_PV_FEATURE_CPUID, 1);
	hup_boot(h);
	EXPECT_EQ(-KVM_ENOSYS, hup_op(h, HYPERUPCALL_QUERY, &query, sizeof(query)));
	hup_free(h);
}

/* Of the confidential VMs, those that need no hardware. */
HUP_TEST(policy, confidential_vm)
{
	struct kvm_vm *vm;

	if (!(kvm_check_cap(KVM_CAP_VM_TYPES) & BIT(KVM_X86_SW_PROTECTED_VM)))
		SKIP(return, "no software-protected VMs");
	vm = vm_create_barebones_type(KVM_X86_SW_PROTECTED_VM);
	EXPECT_EQ(-EOPNOTSUPP, hup_enable(vm, NULL, 0));
	kvm_vm_free(vm);
}

HUP_TEST(policy, too_late)
{
	struct hup *h = hup_create_off(1);

	EXPECT_EQ(-EBUSY, hup_enable(h->vm, NULL, 0));
	EXPECT_EQ(-KVM_ENOSYS, query(h));
	hup_free(h);
}

/* The usual VMM. Nothing may depend on what its thread is allowed to. */
static void drop_capabilities(void)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};

	TEST_ASSERT(!syscall(SYS_capset, &header, none), "capset");
}

/* A load from offset 0, in a function. */
static const struct bpf_insn fault_in_function[] = {
	BPF_RAW_INSN(BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_CALL, 0, 1),
	BPF_EXIT_INSN(),
	BPF_MOV64_IMM(BPF_REG_2, 0),
	HUP_WINDOW(BPF_REG_2, BPF_REG_2),
	BPF_LDX_MEM(BPF_DW, BPF_REG_0, BPF_REG_2, 0),
	BPF_EXIT_INSN(),
};

HUP_TEST(policy, vmm_without_capabilities)
{
	uint64_t faults;
	struct hup *h;

	drop_capabilities();
	h = hup_create(1);
	EXPECT_EQ(0, hup_run(h, load_loader(h, BPF_DW, 0), 0, 0, &faults));
	EXPECT_EQ(1, faults);
	EXPECT_EQ(0, hup_run(h, hup_load(h, fault_in_function,
					 ARRAY_SIZE(fault_in_function)),
			     0, 0, &faults));
	EXPECT_EQ(1, faults);
	hup_free(h);
}

int main(int argc, char **argv)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_HYPERUPCALL));

	return test_harness_run(argc, argv);
}
