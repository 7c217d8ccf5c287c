// SPDX-License-Identifier: GPL-2.0
/*
 * Is a CPU's initial APIC id the id of its vCPU? The hypervisor says so, but it
 * is the VMM that makes CPUID, and KVM does not compare. Where it is another
 * vCPU's, a program would flush one CPU's TLB and complete another CPU's calls.
 *
 * So the module loads a program that notes the vCPU ids of IPIs with a vector that
 * Linux does not use on KVM, and sends one to each CPU. (Guests of Hyper-V wake CPUs
 * with that vector, where one IPI more does no harm.) Where hardware delivers IPIs
 * the hypervisor does not see them, and the ids stay unchecked, as those of CPUs
 * that come online later do.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cpumask.h>
#include <linux/preempt.h>
#include <linux/printk.h>
#include <linux/smp.h>
#include <asm/apic.h>
#include <asm/irq_vectors.h>

#include "internal.h"

/* An IPI of another sender may come between the IPI and the look at it. */
#define TRIES	3

/* Sends an IPI from @me to @cpu; true if the hypervisor says other ids. */
static bool differs(const struct hyperupcall_ipi *ipi, unsigned int me,
		    unsigned int cpu)
{
	u64 seen = READ_ONCE(ipi->seen);

	apic->send_IPI_mask(cpumask_of(cpu), X86_PLATFORM_IPI_VECTOR);
	return READ_ONCE(ipi->seen) != seen &&
	       (READ_ONCE(ipi->sender) != percpu_vcpu(me) ||
		READ_ONCE(ipi->target) != percpu_vcpu(cpu));
}

static int check_pair(const struct hyperupcall_ipi *ipi, unsigned int me,
		      unsigned int cpu)
{
	int i;

	for (i = 0; i < TRIES; i++) {
		if (!differs(ipi, me, cpu))
			return 0;
	}
	pr_err("CPUs %u and %u have the APIC ids %u and %u in CPUID, and are vCPUs %u and %u: no programs with this VMM\n",
	       me, cpu, percpu_vcpu(me), percpu_vcpu(cpu), ipi->sender,
	       ipi->target);
	return -EOPNOTSUPP;
}

/* The program whose @ipi that is has to be linked. */
int vcpus_check(const struct hyperupcall_ipi *ipi)
{
	unsigned int me, cpu;
	int err;

	/* No CPU goes offline meanwhile. */
	guard(preempt)();
	me = smp_processor_id();
	for_each_online_cpu(cpu) {
		if (cpu == me)
			continue;
		err = check_pair(ipi, me, cpu);
		if (err)
			return err;
	}
	return 0;
}
