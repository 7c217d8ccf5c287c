// SPDX-License-Identifier: GPL-2.0
/*
 * When this kernel ends without unloading its modules nothing of it may stay
 * with the hypervisor: reboot and kexec, hibernation, a panic, a crash kernel,
 * which starts before the notifiers of a panic are called, and a kernel that
 * comes back to this one, which no notifier tells of at all.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/ftrace.h>
#include <linux/mutex.h>
#include <linux/notifier.h>
#include <linux/panic_notifier.h>
#include <linux/printk.h>
#include <linux/reboot.h>
#include <linux/suspend.h>

#include "internal.h"

/* Where it may sleep, after the task that registers or unregisters programs. */
static void leave_in_turn(void)
{
	guard(mutex)(&programs_lock);
	memory_stop();
	programs_leave();
}

static int on_reboot(struct notifier_block *nb, unsigned long action, void *data)
{
	leave_in_turn();
	return NOTIFY_DONE;
}

static int on_panic(struct notifier_block *nb, unsigned long action, void *data)
{
	programs_leave();
	return NOTIFY_DONE;
}

/*
 * Neither the kernel that is saved nor the one that restores it go on as they
 * were; afterwards it is the saved one that goes on, or each of them if it came
 * to nothing. S3 is a reset that only the hypervisor sees.
 */
static int on_pm(struct notifier_block *nb, unsigned long action, void *data)
{
	switch (action) {
	case PM_HIBERNATION_PREPARE:
	case PM_RESTORE_PREPARE:
		leave_in_turn();
		break;
	case PM_POST_HIBERNATION:
	case PM_POST_RESTORE:
		hypercall_open();
		fallthrough;
	case PM_POST_SUSPEND:
		renew_now();
		break;
	}
	return NOTIFY_DONE;
}

static void on_next_kernel(unsigned long ip, unsigned long parent_ip,
			   struct ftrace_ops *ops, struct ftrace_regs *fregs)
{
	programs_leave();
}

static struct notifier_block reboot_block = {
	.notifier_call = on_reboot,
};

static struct notifier_block pm_block = {
	.notifier_call = on_pm,
};

static struct notifier_block panic_block = {
	.notifier_call = on_panic,
};

static struct ftrace_ops next_kernel_watch = {
	.func = on_next_kernel,
};

/* What begins another kernel, where there is such a thing; the second needs the first. */
static const char *const next_kernel_functions[] = {
	IS_ENABLED(CONFIG_KEXEC_CORE) ? "machine_kexec" : NULL,
	IS_ENABLED(CONFIG_CRASH_DUMP) ? "machine_crash_shutdown" : NULL,
	NULL
};

static int watch_next_kernel(void)
{
	int err = 0;

	if (next_kernel_functions[0])
		err = watch_start(&next_kernel_watch, next_kernel_functions);
	if (err == -ENOENT)
		pr_err("cannot see kexec start another kernel, use one without CONFIG_KEXEC_CORE\n");
	return err;
}

static void unwatch_next_kernel(void)
{
	if (next_kernel_functions[0])
		watch_end(&next_kernel_watch);
}

int leave_init(void)
{
	int err;

	err = watch_next_kernel();
	if (err)
		return err;

	err = register_reboot_notifier(&reboot_block);
	if (err) {
		pr_err("cannot register for reboots: %d\n", err);
		goto unwatch;
	}
	err = atomic_notifier_chain_register(&panic_notifier_list, &panic_block);
	if (err) {
		pr_err("cannot register for panics: %d\n", err);
		goto unregister;
	}
	err = register_pm_notifier(&pm_block);
	if (err) {
		pr_err("cannot register for sleep: %d\n", err);
		goto unregister_panic;
	}
	return 0;

unregister_panic:
	atomic_notifier_chain_unregister(&panic_notifier_list, &panic_block);
unregister:
	unregister_reboot_notifier(&reboot_block);
unwatch:
	unwatch_next_kernel();
	return err;
}

void leave_exit(void)
{
	unregister_pm_notifier(&pm_block);
	atomic_notifier_chain_unregister(&panic_notifier_list, &panic_block);
	unregister_reboot_notifier(&reboot_block);
	unwatch_next_kernel();
}
