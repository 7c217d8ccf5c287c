/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the module tells its programs, in the programs' own globals. Both
 * include this; u32 and u64 come from where each has them.
 */
#ifndef _HYPERUPCALL_SHARED_H
#define _HYPERUPCALL_SHARED_H

/* vCPU ids (initial APIC ids) that programs know start at zero, end here. */
#define HYPERUPCALL_MAX_CPUS	1024

/**
 * struct hyperupcall_cpu - the guest CPU on a vCPU
 * @gva: guest-virtual address of its per-CPU area
 * @window: the same in the window; zero if there is no such CPU or it is
 *	offline, and then nothing else is valid
 * @cpu: its number in the guest
 */
struct hyperupcall_cpu {
	u64 gva;
	u32 window;
	u32 cpu;
};

/* Pieces of memory that programs know. */
#define HYPERUPCALL_MAX_MEMORY	16

/**
 * struct hyperupcall_memory - a piece of the guest's memory
 * @start: its first page frame
 * @end: behind its last one; zero if there is no such piece, and then nothing
 *	else is valid
 * @window: where in the window the struct page of @start is
 */
struct hyperupcall_memory {
	u64 start;
	u64 end;
	u64 window;
};

/**
 * struct hyperupcall_guest - the guest as a whole
 * @globals: guest-virtual address minus window offset of the program's globals
 * @percpu_size: bytes of each CPU's per-CPU area that the window shows
 * @pv_spinlocks: whether waiters for a spinlock may sleep until the holder
 *	kicks them
 * @zero: zero, which nobody knows but the module
 * @alive: whether the kernel that the program knows still runs
 */
struct hyperupcall_guest {
	u64 globals;
	u32 percpu_size;
	u32 pv_spinlocks;
	u64 zero;
	u64 alive;
};

/**
 * struct hyperupcall_ipi - the IPIs by which the module learns vCPU ids
 * @seen: how many the hypervisor has offered
 * @sender: vCPU id of the last one's sender
 * @target: vCPU id of its target
 */
struct hyperupcall_ipi {
	u64 seen;
	u32 sender;
	u32 target;
};

/* The symbols by which the module finds them. */
#define HYPERUPCALL_CPUS_SYMBOL		"hyperupcall_cpus"
#define HYPERUPCALL_MEMORY_SYMBOL	"hyperupcall_memory"
#define HYPERUPCALL_GUEST_SYMBOL	"hyperupcall_guest"
#define HYPERUPCALL_IPI_SYMBOL		"hyperupcall_ipi"

/* A program's u64 with such a name is a counter, see debugfs.c. */
#define HYPERUPCALL_COUNT_PREFIX	"count_"

#endif /* _HYPERUPCALL_SHARED_H */
