// SPDX-License-Identifier: GPL-2.0
/*
 * The per-CPU areas in the window: of each possible CPU, the static per-CPU
 * variables and what was allocated behind them first, which the kernel calls
 * the first chunk. The rest of the CPU's unit may belong to anyone.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cpumask.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/printk.h>
#include <linux/slab.h>
#include <asm/processor.h>

#include "internal.h"
#include "layout.h"

static struct hyperupcall_cpu *areas;
static unsigned int area_size;

unsigned int percpu_size(void)
{
	return area_size;
}

/*
 * The static variables are at the start of the first unit, the chunk that
 * follows them is known by where it is in that unit: their distance is the
 * same in every unit.
 */
static int find_size(void)
{
	const void **base, **chunk;
	const unsigned int *nr_pages;
	const unsigned long *addr;

	base = (const void **)ksym_addr("pcpu_base_addr");
	chunk = (const void **)ksym_addr("pcpu_first_chunk");
	if (!base || !chunk)
		return -ENOENT;

	addr = *chunk + pcpu_chunk_base_addr;
	nr_pages = *chunk + pcpu_chunk_nr_pages;
	area_size = *addr - (unsigned long)*base + *nr_pages * PAGE_SIZE;
	return 0;
}

int percpu_init(void)
{
	unsigned int cpu;
	int err;

	err = find_size();
	if (err)
		return err;

	areas = kcalloc(nr_cpu_ids, sizeof(*areas), GFP_KERNEL);
	if (!areas)
		return -ENOMEM;

	for_each_possible_cpu(cpu) {
		areas[cpu].cpu = cpu;
		areas[cpu].gva = ksym_per_cpu_start + per_cpu_offset(cpu);
	}
	return 0;
}

/* Shows all of them to the programs. */
int percpu_map(void)
{
	unsigned int cpu;
	u64 window;
	int err;

	for_each_possible_cpu(cpu) {
		err = window_map("per-CPU memory", (void *)areas[cpu].gva,
				 area_size, HYPERUPCALL_MAP_WRITE, &window);
		if (err)
			return err;
		areas[cpu].window = window;
	}
	return 0;
}

void percpu_free(void)
{
	kfree(areas);
	areas = NULL;
}

/*
 * The id of the vCPU that @cpu is on: the initial APIC id, which is known once
 * the CPU has been online. vcpus.c asks the hypervisor whether that is true.
 */
unsigned int percpu_vcpu(unsigned int cpu)
{
	return cpu_data(cpu).topo.initial_apicid;
}

/* What programs are told of @cpu. */
const struct hyperupcall_cpu *percpu_area(unsigned int cpu)
{
	return &areas[cpu];
}
