// SPDX-License-Identifier: GPL-2.0
/*
 * kill_ftrace.ko: ends ftrace for good, as an error in it would.
 */
#include <linux/kprobes.h>
#include <linux/module.h>

static int __init kill_ftrace_init(void)
{
	struct kprobe probe = { .symbol_name = "ftrace_kill" };
	void (*kill)(void);
	int err;

	err = register_kprobe(&probe);
	if (err)
		return err;
	kill = (void *)probe.addr;
	unregister_kprobe(&probe);

	kill();
	return 0;
}

static void __exit kill_ftrace_exit(void)
{
}

module_init(kill_ftrace_init);
module_exit(kill_ftrace_exit);
MODULE_DESCRIPTION("Ends ftrace, for tests");
MODULE_LICENSE("GPL");
