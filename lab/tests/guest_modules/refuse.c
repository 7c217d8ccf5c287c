// SPDX-License-Identifier: GPL-2.0
/*
 * refuse.ko: makes hyperupcalls of the guest's module fail before they reach the
 * hypervisor, which keeps what they would have taken back. For a test of what the
 * module does then.
 */
#include <linux/bits.h>
#include <linux/errno.h>
#include <linux/kprobes.h>
#include <linux/module.h>

static unsigned long ops;
module_param(ops, ulong, 0444);
MODULE_PARM_DESC(ops, "bit mask of enum hyperupcall_op");

static int times = -1;
module_param(times, int, 0644);
MODULE_PARM_DESC(times, "how often, or -1");

/* What the probed function is replaced by: it changes no register. */
static notrace void refuse_return(void)
{
}

static int refuse(struct kprobe *p, struct pt_regs *regs)
{
	if (!(ops & BIT(regs->di)) || !times)
		return 0;

	if (times > 0)
		times--;
	regs->ax = -ENOMEM;
	regs->ip = (unsigned long)refuse_return;
	return 1;
}

static struct kprobe probe = {
	.symbol_name = "hyperupcall:hypercall",
	.pre_handler = refuse,
};

static int __init refuse_init(void)
{
	return register_kprobe(&probe);
}

static void __exit refuse_exit(void)
{
	unregister_kprobe(&probe);
}

module_init(refuse_init);
module_exit(refuse_exit);
MODULE_DESCRIPTION("Makes hyperupcalls fail, for tests");
MODULE_LICENSE("GPL");
