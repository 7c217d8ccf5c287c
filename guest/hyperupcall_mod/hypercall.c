// SPDX-License-Identifier: GPL-2.0
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/build_bug.h>
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

/* Nothing is registered while this is set, see hypercall_close(). */
static bool closed;

static bool registers(enum hyperupcall_op op)
{
	return op == HYPERUPCALL_MAP || op == HYPERUPCALL_LOAD ||
	       op == HYPERUPCALL_LINK;
}

/*
 * Zero or an errno; -ENOSYS if the hypervisor takes no hyperupcalls. The tests
 * make opcodes fail by a probe of this function, so it exists once.
 */
noinline __noclone long hypercall(enum hyperupcall_op op, void *arg, size_t size)
{
	long err;

	if (registers(op) && READ_ONCE(closed))
		return -ESHUTDOWN;

	/* The VMM's thread leaves the guest to handle its signal meanwhile. */
	do {
		err = kvm_hypercall4(KVM_HC_HYPERUPCALL, op, (unsigned long)arg,
				     size, 0);
	} while (err == -EAGAIN);
	return err == -KVM_ENOSYS ? -ENOSYS : err;
}

/* QUERY, which says whether the hypervisor takes hyperupcalls at all. */
static long query(struct hyperupcall_query *query)
{
	*query = (struct hyperupcall_query) {};
	return hypercall(HYPERUPCALL_QUERY, query, sizeof(*query));
}

/*
 * Let nothing be registered any more, in any context: this kernel ends. Another
 * CPU may be in the middle of a hypercall that registers something. The host
 * does a VM's hypercalls one after the other, so QUERY comes back after that
 * one, whose id is where the caller of hypercall_drop() finds it.
 */
void hypercall_close(void)
{
	struct hyperupcall_query args;

	WRITE_ONCE(closed, true);
	/* Before the walk over what is registered. */
	smp_mb();
	query(&args);
}

/* This kernel goes on after all. */
void hypercall_open(void)
{
	WRITE_ONCE(closed, false);
}

bool hypercall_is_closed(void)
{
	return READ_ONCE(closed);
}

/* What names the thing in UNLINK, UNLOAD and UNMAP. */
struct drop_args {
	u32 id;
	u32 flags;
};

/* More often than that it is no accident. */
#define DROP_TRIES	3

/*
 * Take back what the hypervisor knows by @id, with @op, which is UNLINK, UNLOAD
 * or UNMAP; @what is for the message. Afterwards @id is zero, unless the
 * hypervisor keeps what it names, and then the next call tries again. In any
 * context, and on several CPUs at a time: one of them finds the id.
 */
int hypercall_drop(enum hyperupcall_op op, const char *what, u32 *id)
{
	struct drop_args args = { .id = xchg(id, 0) };
	long err = 0;
	int i;

	static_assert(sizeof(args) == sizeof(struct hyperupcall_unlink));
	static_assert(sizeof(args) == sizeof(struct hyperupcall_unload));
	static_assert(sizeof(args) == sizeof(struct hyperupcall_unmap));

	for (i = 0; args.id && i < DROP_TRIES; i++) {
		err = hypercall(op, &args, sizeof(args));
		/* The hypervisor dropped it by itself, or this is another one. */
		if (!err || err == -ENOENT || err == -ENOSYS)
			return 0;
	}
	if (err) {
		cmpxchg(id, 0, args.id);
		pr_err("the hypervisor keeps %s: %ld\n", what, err);
	}
	return err;
}

/* As kvm_para_has_feature(), which modules cannot call. */
bool hypercall_feature(unsigned int feature)
{
	u32 base = hypervisor_cpuid_base(KVM_SIGNATURE, 0);

	return base && cpuid_eax(base | KVM_CPUID_FEATURES) & BIT(feature);
}

/* As hypercall_probe(), without a message: the guest may have migrated. */
int hypercall_probe_again(void)
{
	struct hyperupcall_query args;
	long err = query(&args);

	if (!err && args.abi != HYPERUPCALL_ABI)
		err = -EPROTONOSUPPORT;
	return err;
}

/* Is there a hypervisor that takes hyperupcalls, as this module knows them? */
int hypercall_probe(void)
{
	struct hyperupcall_query args;
	long err;

	if (!hypercall_feature(KVM_FEATURE_HYPERUPCALL)) {
		pr_err("the hypervisor takes no hyperupcalls\n");
		return -ENODEV;
	}

	err = query(&args);
	if (err) {
		pr_err("the hypervisor refuses QUERY: %ld\n", err);
		return err;
	}
	if (args.abi != HYPERUPCALL_ABI) {
		pr_err("the hypervisor has ABI %u, this module needs %u\n",
		       args.abi, HYPERUPCALL_ABI);
		return -EPROTONOSUPPORT;
	}
	return 0;
}
