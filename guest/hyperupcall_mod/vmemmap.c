// SPDX-License-Identifier: GPL-2.0
/*
 * hugetlb may give away the pages behind struct pages that it does not need
 * (vm.hugetlb_optimize_vmemmap). The window goes on showing those pages with
 * whatever their new owner keeps there, so programs that look at struct pages
 * have to end before that, and for good: what comes back are other pages.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/ftrace.h>
#include <linux/page-flags.h>
#include <linux/printk.h>

#include "internal.h"

#ifdef CONFIG_HUGETLB_PAGE_OPTIMIZE_VMEMMAP

static bool given_away;
static bool watched;

/* hugetlb counts each folio before it gives anything away. */
static void on_static_key(unsigned long ip, unsigned long parent_ip,
			  struct ftrace_ops *ops, struct ftrace_regs *fregs)
{
	if (ftrace_regs_get_argument(fregs, 0) !=
	    (unsigned long)&hugetlb_optimize_vmemmap_key.key)
		return;

	WRITE_ONCE(given_away, true);
	programs_end_memory();
	pr_warn_once("struct pages are given away, programs that know them end\n");
}

static struct ftrace_ops key_watch = {
	.func = on_static_key,
};

int vmemmap_watch(void)
{
	static const char *const names[] = { "static_key_slow_inc", NULL };
	int err = watch_start(&key_watch, names);

	if (err == -ENOENT)
		pr_err("the kernel has no function %s\n", names[0]);
	watched = !err;
	return err;
}

void vmemmap_unwatch(void)
{
	if (watched)
		watch_end(&key_watch);
	watched = false;
}

/* 0, or an error if struct pages were given away. */
int vmemmap_check(void)
{
	if (!READ_ONCE(given_away) && !static_key_enabled(&hugetlb_optimize_vmemmap_key))
		return 0;

	pr_err("struct pages are given away (vm.hugetlb_optimize_vmemmap)\n");
	return -EOPNOTSUPP;
}

#else

int vmemmap_watch(void)
{
	return 0;
}

void vmemmap_unwatch(void)
{
}

int vmemmap_check(void)
{
	return 0;
}

#endif /* CONFIG_HUGETLB_PAGE_OPTIMIZE_VMEMMAP */
