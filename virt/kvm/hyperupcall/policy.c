// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a VM may do with hyperupcalls: nothing, unless the administrator allows
 * it and its VMM enables KVM_CAP_HYPERUPCALL, or the administrator enables it
 * for VMMs that do not know the capability.
 */
#include <linux/module.h>
#include <linux/uaccess.h>

#include "hyperupcall.h"

/* Who opens /dev/kvm is the guest as well, and may load no BPF otherwise. */
enum {
	KVM_HYPERUPCALL_OFF,
	KVM_HYPERUPCALL_ON_DEMAND,
	KVM_HYPERUPCALL_ALWAYS,
};

static unsigned int __read_mostly kvm_hyperupcall_mode = KVM_HYPERUPCALL_OFF;

/* Whether programs may be loaded, linked and run; may change at any time. */
bool kvm_hyperupcall_on(void)
{
	return READ_ONCE(kvm_hyperupcall_mode) != KVM_HYPERUPCALL_OFF;
}

static int kvm_hyperupcall_set_mode(const char *val, const struct kernel_param *kp)
{
	bool was_on = kvm_hyperupcall_on();
	int r;

	r = param_set_uint_minmax(val, kp, KVM_HYPERUPCALL_OFF, KVM_HYPERUPCALL_ALWAYS);
	if (r)
		return r;

	bpf_hyperupcall_allow(kvm_hyperupcall_on());
	/* When the administrator's write returns, no program runs. */
	if (was_on && !kvm_hyperupcall_on())
		synchronize_rcu();
	return 0;
}

static const struct kernel_param_ops kvm_hyperupcall_mode_ops = {
	.set = kvm_hyperupcall_set_mode,
	.get = param_get_uint,
};

module_param_cb(hyperupcall, &kvm_hyperupcall_mode_ops, &kvm_hyperupcall_mode, 0644);
MODULE_PARM_DESC(hyperupcall, "Hyperupcalls: 0 off (default), 1 for VMs whose VMM asks, 2 for every new VM");

/**
 * kvm_hyperupcall_available - KVM_CHECK_EXTENSION(KVM_CAP_HYPERUPCALL)
 *
 * Return: 1 if a VMM may enable it, otherwise 0.
 */
int kvm_hyperupcall_available(void)
{
	return kvm_hyperupcall_on() && kvm_arch_hyperupcall_safe();
}

/* Whether a new VM has hyperupcalls before its VMM asks. */
bool kvm_hyperupcall_enabled_for_all(void)
{
	return READ_ONCE(kvm_hyperupcall_mode) == KVM_HYPERUPCALL_ALWAYS &&
	       kvm_arch_hyperupcall_safe();
}

/*
 * A global program stands in the way of the host, hence its small limits; two
 * per cent of guest memory are what the paper's page-reclaim program needs
 * (ATC 2018, section 5.2).
 */
static const struct kvm_hyperupcall_policy kvm_hyperupcall_policy_default = {
	.max_progs			= 32,
	.max_links			= 32,
	.max_regions			= 64,
	.max_insns			= 8192,
	.max_insns_global		= 4096,
	.max_verified_insns		= 131072,
	.max_verified_insns_global	= 65536,
	.max_loops			= 4096,
	.max_insns_total		= 65536,
	.max_run_insns			= 1 << 20,
	.max_run_insns_global		= 1 << 17,
	.mem_percent			= 25,
	.mem_percent_global		= 2,
	.budget_ns			= NSEC_PER_SEC / 4,
};

/*
 * What a VMM may ask for. A run is one RCU read-side critical section, and every
 * grace period of the host waits for it: @max_run_insns is a tenth of a second
 * where each access faults.
 */
#define KVM_HYPERUPCALL_POLICY_MAX {					\
	.max_progs			= 256,				\
	.max_links			= 256,				\
	.max_regions			= 1024,				\
	.max_insns			= 32768,			\
	.max_insns_global		= 4096,				\
	.max_verified_insns		= 262144,			\
	.max_verified_insns_global	= 262144,			\
	.max_loops			= 65536,			\
	.max_insns_total		= 1 << 20,			\
	.max_run_insns			= 1 << 20,			\
	.max_run_insns_global		= 1 << 17,			\
	.mem_percent			= 100,				\
	.mem_percent_global		= 100,				\
	.budget_ns			= NSEC_PER_SEC / 2,		\
}

static const struct kvm_hyperupcall_policy kvm_hyperupcall_policy_limit =
	KVM_HYPERUPCALL_POLICY_MAX;

/* The same, or what the administrator lowered it to, for VMs to come. */
static struct kvm_hyperupcall_policy kvm_hyperupcall_policy_max = KVM_HYPERUPCALL_POLICY_MAX;

#define KVM_HYPERUPCALL_LIMIT(field)	offsetof(struct kvm_hyperupcall_policy, field)

/* The limits that are 32 bits wide. */
static const size_t kvm_hyperupcall_limits[] = {
	KVM_HYPERUPCALL_LIMIT(max_progs),
	KVM_HYPERUPCALL_LIMIT(max_links),
	KVM_HYPERUPCALL_LIMIT(max_regions),
	KVM_HYPERUPCALL_LIMIT(max_insns),
	KVM_HYPERUPCALL_LIMIT(max_insns_global),
	KVM_HYPERUPCALL_LIMIT(max_verified_insns),
	KVM_HYPERUPCALL_LIMIT(max_verified_insns_global),
	KVM_HYPERUPCALL_LIMIT(max_loops),
	KVM_HYPERUPCALL_LIMIT(max_insns_total),
	KVM_HYPERUPCALL_LIMIT(max_run_insns),
	KVM_HYPERUPCALL_LIMIT(max_run_insns_global),
	KVM_HYPERUPCALL_LIMIT(mem_percent),
	KVM_HYPERUPCALL_LIMIT(mem_percent_global),
};

static u32 *kvm_hyperupcall_limit(const struct kvm_hyperupcall_policy *policy, size_t offset)
{
	return (void *)policy + offset;
}

/* A program that says it is a global one may be linked to a local event. */
static void kvm_hyperupcall_limit_global(struct kvm_hyperupcall_policy *policy)
{
	policy->max_insns_global = min(policy->max_insns_global, policy->max_insns);
	policy->max_verified_insns_global = min(policy->max_verified_insns_global,
						policy->max_verified_insns);
	policy->max_run_insns_global = min(policy->max_run_insns_global, policy->max_run_insns);
}

/* The host's defaults, but no more than the administrator allows. */
void kvm_hyperupcall_default_policy(struct kvm_hyperupcall_policy *policy)
{
	const struct kvm_hyperupcall_policy *max = &kvm_hyperupcall_policy_max;
	int i;

	*policy = kvm_hyperupcall_policy_default;
	policy->events = kvm_hyperupcall_supported_events();
	policy->budget_ns = min(policy->budget_ns, READ_ONCE(max->budget_ns));
	for (i = 0; i < ARRAY_SIZE(kvm_hyperupcall_limits); i++) {
		size_t offset = kvm_hyperupcall_limits[i];
		u32 *limit = kvm_hyperupcall_limit(policy, offset);

		*limit = min(*limit, READ_ONCE(*kvm_hyperupcall_limit(max, offset)));
	}
	kvm_hyperupcall_limit_global(policy);
}

/*
 * The module parameters hyperupcall_NAME are the maxima of the fields of that name:
 * the administrator may lower them, for VMs that are enabled from then on.
 */
static int kvm_hyperupcall_set_max(const char *val, const struct kernel_param *kp)
{
	size_t offset = kp->arg - (void *)&kvm_hyperupcall_policy_max;

	return param_set_uint_minmax(val, kp, 1,
				     *kvm_hyperupcall_limit(&kvm_hyperupcall_policy_limit, offset));
}

static const struct kernel_param_ops kvm_hyperupcall_max_ops = {
	.set = kvm_hyperupcall_set_max,
	.get = param_get_uint,
};

static int kvm_hyperupcall_set_max_budget(const char *val, const struct kernel_param *kp)
{
	unsigned long long ns;
	int r;

	r = kstrtoull(val, 0, &ns);
	if (r)
		return r;
	if (!ns || ns > kvm_hyperupcall_policy_limit.budget_ns)
		return -EINVAL;

	WRITE_ONCE(kvm_hyperupcall_policy_max.budget_ns, ns);
	return 0;
}

static const struct kernel_param_ops kvm_hyperupcall_max_budget_ops = {
	.set = kvm_hyperupcall_set_max_budget,
	.get = param_get_ullong,
};

#define KVM_HYPERUPCALL_MAX_PARAM(field)						\
	module_param_cb(hyperupcall_##field, &kvm_hyperupcall_max_ops,			\
			&kvm_hyperupcall_policy_max.field, 0644);			\
	MODULE_PARM_DESC(hyperupcall_##field,						\
			 "The most that a VMM may ask for, see Documentation/virt/hyperupcall.rst")

KVM_HYPERUPCALL_MAX_PARAM(max_progs);
KVM_HYPERUPCALL_MAX_PARAM(max_links);
KVM_HYPERUPCALL_MAX_PARAM(max_regions);
KVM_HYPERUPCALL_MAX_PARAM(max_insns);
KVM_HYPERUPCALL_MAX_PARAM(max_insns_global);
KVM_HYPERUPCALL_MAX_PARAM(max_verified_insns);
KVM_HYPERUPCALL_MAX_PARAM(max_verified_insns_global);
KVM_HYPERUPCALL_MAX_PARAM(max_loops);
KVM_HYPERUPCALL_MAX_PARAM(max_insns_total);
KVM_HYPERUPCALL_MAX_PARAM(max_run_insns);
KVM_HYPERUPCALL_MAX_PARAM(max_run_insns_global);
KVM_HYPERUPCALL_MAX_PARAM(mem_percent);
KVM_HYPERUPCALL_MAX_PARAM(mem_percent_global);

module_param_cb(hyperupcall_budget_ns, &kvm_hyperupcall_max_budget_ops,
		&kvm_hyperupcall_policy_max.budget_ns, 0644);
MODULE_PARM_DESC(hyperupcall_budget_ns,
		 "The most nanoseconds of a second that a VMM may ask for");

static int kvm_hyperupcall_merge_policy(struct kvm_hyperupcall_policy *policy,
					const struct kvm_hyperupcall_policy *wanted)
{
	int i;

	if (wanted->flags || wanted->events & ~kvm_hyperupcall_supported_events() ||
	    wanted->budget_ns > READ_ONCE(kvm_hyperupcall_policy_max.budget_ns))
		return -EINVAL;

	for (i = 0; i < ARRAY_SIZE(kvm_hyperupcall_limits); i++) {
		size_t offset = kvm_hyperupcall_limits[i];
		u32 limit = *kvm_hyperupcall_limit(wanted, offset);

		if (limit > READ_ONCE(*kvm_hyperupcall_limit(&kvm_hyperupcall_policy_max, offset)))
			return -EINVAL;
		if (limit)
			*kvm_hyperupcall_limit(policy, offset) = limit;
	}

	kvm_hyperupcall_limit_global(policy);
	policy->events = wanted->events ?: policy->events;
	policy->budget_ns = wanted->budget_ns ?: policy->budget_ns;
	return 0;
}

/**
 * kvm_hyperupcall_read_policy - the VMM's limits, and the host's for the rest
 * @policy: where they go
 * @user: user pointer to a struct kvm_hyperupcall_policy, or 0
 * @size: its size, 0 if and only if @user is 0
 *
 * May sleep. Return: zero, -EFAULT, -E2BIG or -EINVAL.
 */
int kvm_hyperupcall_read_policy(struct kvm_hyperupcall_policy *policy, u64 user, u64 size)
{
	struct kvm_hyperupcall_policy wanted = {};
	int r;

	if (!user != !size)
		return -EINVAL;
	if (user && size < KVM_HYPERUPCALL_POLICY_SIZE_VER0)
		return -EINVAL;
	if (size > PAGE_SIZE)
		return -E2BIG;

	if (user) {
		r = copy_struct_from_user(&wanted, sizeof(wanted), u64_to_user_ptr(user), size);
		if (r)
			return r;
	}

	kvm_hyperupcall_default_policy(policy);
	return kvm_hyperupcall_merge_policy(policy, &wanted);
}

static unsigned long kvm_hyperupcall_percent(struct kvm_hyperupcall *hu, u32 percent)
{
	return mult_frac(READ_ONCE(hu->kvm->nr_memslot_pages), percent, 100UL);
}

/* How many pages the regions of a VM may have. */
unsigned long kvm_hyperupcall_max_pages(struct kvm_hyperupcall *hu)
{
	return kvm_hyperupcall_percent(hu, hu->policy.mem_percent);
}

/* The same while a global event is linked. */
unsigned long kvm_hyperupcall_max_pages_global(struct kvm_hyperupcall *hu)
{
	return min(kvm_hyperupcall_percent(hu, hu->policy.mem_percent_global),
		   kvm_hyperupcall_max_pages(hu));
}
