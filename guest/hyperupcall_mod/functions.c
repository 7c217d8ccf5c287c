// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel's functions that programs answer for: a program that finds one in
 * a CPU's queue, by its address, does what the function would do there. It knows
 * what that is because its author has read the function, in some kernels. In
 * another kernel, or with a live patch, it may do more.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/livepatch.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/panic.h>
#include <linux/printk.h>
#include <linux/utsname.h>
#include <linux/version.h>

#include "internal.h"

/* Kernels whose functions were read, see progs/tlb.bpf.c: from 6.1 to 7.3. */
#define FIRST_READ	KERNEL_VERSION(6, 1, 0)
#define FIRST_UNREAD	KERNEL_VERSION(7, 4, 0)

/* Those that programs name; twice as many as the programs here do. */
static unsigned long functions[32];
static unsigned int nr_functions;

static bool kernel_was_read(void)
{
	return LINUX_VERSION_CODE >= FIRST_READ && LINUX_VERSION_CODE < FIRST_UNREAD;
}

#ifdef CONFIG_LIVEPATCH

static bool patch_has(struct klp_patch *patch, unsigned long addr)
{
	struct klp_object *obj;
	struct klp_func *func;

	klp_for_each_object(patch, obj) {
		klp_for_each_func(obj, func) {
			if ((unsigned long)func->old_func == addr)
				return true;
		}
	}
	return false;
}

/* /sys/kernel/livepatch has all live patches, and the kernel this list of them. */
static bool is_patched(unsigned long addr)
{
	struct ksym lock, list;
	struct klp_patch *patch;

	if (!test_taint(TAINT_LIVEPATCH))
		return false;
	/* Any of them, where they cannot be told apart. */
	if (ksym_find("klp_mutex", &lock) || ksym_find("klp_patches", &list))
		return true;

	guard(mutex)((struct mutex *)lock.addr);
	list_for_each_entry(patch, (struct list_head *)list.addr, list) {
		if (patch_has(patch, addr))
			return true;
	}
	return false;
}

#else

static bool is_patched(unsigned long addr)
{
	return false;
}

#endif /* CONFIG_LIVEPATCH */

/* Program @prog answers for function @name at @addr: an error if it must not. */
int functions_add(const char *prog, const char *name, unsigned long addr)
{
	int i;

	/* What is in this module is its own business. */
	if (within_module(addr, THIS_MODULE))
		return 0;
	if (!kernel_was_read())
		pr_warn_once("the functions that programs answer for were not read in Linux %s: see functions.c\n",
			     utsname()->release);
	if (is_patched(addr)) {
		pr_err("%s: there is a live patch for %s\n", prog, name);
		return -EOPNOTSUPP;
	}

	for (i = 0; i < nr_functions; i++) {
		if (functions[i] == addr)
			return 0;
	}
	if (nr_functions == ARRAY_SIZE(functions)) {
		pr_err("%s: too many functions\n", prog);
		return -ENOSPC;
	}
	functions[nr_functions++] = addr;
	return 0;
}

/* Is there a live patch for one of them by now? May sleep. */
bool functions_are_patched(void)
{
	int i;

	for (i = 0; i < nr_functions; i++) {
		if (is_patched(functions[i]))
			return true;
	}
	return false;
}
