// SPDX-License-Identifier: GPL-2.0
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bits.h>
#include <linux/kvm_para.h>
#include <linux/printk.h>
#include <asm/cpuid.h>

#include "internal.h"

/* The guest kernel's headers may be older than the host. */
#ifndef KVM_FEATURE_HYPERUPCALL
#define KVM_FEATURE_HYPERUPCALL		18
#endif
#ifndef KVM_HC_HYPERUPCALL
#define KVM_HC_HYPERUPCALL		13
#endif

long hypercall(enum hyperupcall_op op, void *arg, size_t size)
{
	long err;

	/* The VMM's thread leaves the guest to handle its signal meanwhile. */
	do {
		err = kvm_hypercall4(KVM_HC_HYPERUPCALL, op, (unsigned long)arg,
				     size, 0);
	} while (err == -EAGAIN);
	return err;
}

/* As kvm_para_has_feature(), which modules cannot call. */
bool hypercall_feature(unsigned int feature)
{
	u32 base = hypervisor_cpuid_base(KVM_SIGNATURE, 0);

	return base && cpuid_eax(base | KVM_CPUID_FEATURES) & BIT(feature);
}

/* Is there a hypervisor that takes hyperupcalls, as this module knows them? */
int hypercall_probe(void)
{
	struct hyperupcall_query query = {};
	long err;

	if (!hypercall_feature(KVM_FEATURE_HYPERUPCALL)) {
		pr_err("the hypervisor takes no hyperupcalls\n");
		return -ENODEV;
	}

	err = hypercall(HYPERUPCALL_QUERY, &query, sizeof(query));
	if (err) {
		pr_err("the hypervisor refuses QUERY: %ld\n", err);
		return err;
	}
	if (query.abi != HYPERUPCALL_ABI) {
		pr_err("the hypervisor has ABI %u, this module needs %u\n",
		       query.abi, HYPERUPCALL_ABI);
		return -EPROTONOSUPPORT;
	}
	return 0;
}
