// SPDX-License-Identifier: GPL-2.0
/*
 * hugetlb may give away the pages behind struct pages that it does not need
 * (vm.hugetlb_optimize_vmemmap). The window goes on showing those pages with
 * whatever their new owner keeps there, so programs that look at struct pages
 * have to end before that, and for good: what comes back are other pages.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/kprobes.h>
#include <linux/page-flags.h>
#include <linux/printk.h>

#include "internal.h"

#ifdef CONFIG_HUGETLB_PAGE_OPTIMIZE_VMEMMAP

static bool given_away;
static bool probed;

/* hugetlb counts each folio before it gives anything away. */
static int on_static_key(struct kprobe *probe, struct pt_regs *regs)
{
	if (regs_get_kernel_argument(regs, 0) !=
	    (unsigned long)&hugetlb_optimize_vmemmap_key.key)
		return 0;

	WRITE_ONCE(given_away, true);
	programs_end_memory();
	pr_warn_once("struct pages are given away, programs that know them end\n");
	return 0;
}

static struct kprobe key_probe = {
	.symbol_name = "static_key_slow_inc",
	.pre_handler = on_static_key,
};

int vmemmap_watch(void)
{
	int err = register_kprobe(&key_probe);

	if (err)
		pr_err("cannot probe %s: %d\n", key_probe.symbol_name, err);
	probed = !err;
	return err;
}

void vmemmap_unwatch(void)
{
	if (probed)
		unregister_kprobe(&key_probe);
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
