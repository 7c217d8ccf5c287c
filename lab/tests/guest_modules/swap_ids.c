// SPDX-License-Identifier: GPL-2.0
/*
 * swap_ids.ko: lets CPUs 1 and 2 have each other's initial APIC id, as they would
 * find it in the CPUID of a VMM that does not give a vCPU its id there.
 */
#include <linux/minmax.h>
#include <linux/module.h>
#include <asm/processor.h>

static void swap_ids(void)
{
	swap(cpu_data(1).topo.initial_apicid, cpu_data(2).topo.initial_apicid);
}

static int __init swap_ids_init(void)
{
	swap_ids();
	return 0;
}

static void __exit swap_ids_exit(void)
{
	swap_ids();
}

module_init(swap_ids_init);
module_exit(swap_ids_exit);
MODULE_DESCRIPTION("Swaps the initial APIC ids of two CPUs, for tests");
MODULE_LICENSE("GPL");
