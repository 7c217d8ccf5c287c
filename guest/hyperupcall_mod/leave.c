// SPDX-License-Identifier: GPL-2.0
/*
 * When this kernel ends without unloading its modules nothing of it may stay
 * with the hypervisor: reboot and kexec, hibernation, a panic, and a crash
 * kernel, which starts before the notifiers of a panic are called.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/kprobes.h>
#include <linux/notifier.h>
#include <linux/panic_notifier.h>
#include <linux/printk.h>
#include <linux/reboot.h>
#include <linux/suspend.h>

#include "internal.h"

static void (*leave_hypervisor)(void);
static bool crash_probed;

static int on_reboot(struct notifier_block *nb, unsigned long action, void *data)
{
	memory_stop();
	leave_hypervisor();
	return NOTIFY_DONE;
}

static int on_panic(struct notifier_block *nb, unsigned long action, void *data)
{
	leave_hypervisor();
	return NOTIFY_DONE;
}

/* Neither the kernel that is saved nor the one that restores it go on as they were. */
static int on_pm(struct notifier_block *nb, unsigned long action, void *data)
{
	if (action == PM_HIBERNATION_PREPARE || action == PM_RESTORE_PREPARE) {
		memory_stop();
		leave_hypervisor();
	}
	return NOTIFY_DONE;
}

static int on_crash(struct kprobe *probe, struct pt_regs *regs)
{
	leave_hypervisor();
	return 0;
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

static struct kprobe crash_probe = {
	.symbol_name = "machine_crash_shutdown",
	.pre_handler = on_crash,
};

int leave_init(void (*leave)(void))
{
	int err;

	leave_hypervisor = leave;

	/* A kernel without kexec does not have that function. */
	err = register_kprobe(&crash_probe);
	crash_probed = !err;
	if (err && err != -ENOENT) {
		pr_err("cannot probe %s: %d\n", crash_probe.symbol_name, err);
		return err;
	}

	err = register_reboot_notifier(&reboot_block);
	if (err) {
		pr_err("cannot register for reboots: %d\n", err);
		goto unprobe;
	}
	err = atomic_notifier_chain_register(&panic_notifier_list, &panic_block);
	if (err) {
		pr_err("cannot register for panics: %d\n", err);
		goto unregister;
	}
	err = register_pm_notifier(&pm_block);
	if (err) {
		pr_err("cannot register for hibernation: %d\n", err);
		goto unregister_panic;
	}
	return 0;

unregister_panic:
	atomic_notifier_chain_unregister(&panic_notifier_list, &panic_block);
unregister:
	unregister_reboot_notifier(&reboot_block);
unprobe:
	if (crash_probed)
		unregister_kprobe(&crash_probe);
	return err;
}

void leave_exit(void)
{
	unregister_pm_notifier(&pm_block);
	atomic_notifier_chain_unregister(&panic_notifier_list, &panic_block);
	unregister_reboot_notifier(&reboot_block);
	if (crash_probed)
		unregister_kprobe(&crash_probe);
}
