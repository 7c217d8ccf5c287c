// SPDX-License-Identifier: GPL-2.0
/*
 * live_patch.ko: replaces a function that the guest's programs answer for, by one
 * that does the same.
 */
#include <linux/livepatch.h>
#include <linux/module.h>

/* As the one that it replaces: that the interrupt comes is all. */
static void live_patch_sync(void *arg)
{
}

static struct klp_func funcs[] = {
	{ .old_name = "tlb_remove_table_smp_sync", .new_func = live_patch_sync },
	{ }
};

static struct klp_object objs[] = {
	{ .funcs = funcs },
	{ }
};

static struct klp_patch patch = { .mod = THIS_MODULE, .objs = objs };

static int __init live_patch_init(void)
{
	return klp_enable_patch(&patch);
}

static void __exit live_patch_exit(void)
{
}

module_init(live_patch_init);
module_exit(live_patch_exit);
MODULE_DESCRIPTION("Patches a function of the kernel, for tests");
MODULE_LICENSE("GPL");
MODULE_INFO(livepatch, "Y");
