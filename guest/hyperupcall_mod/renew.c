// SPDX-License-Identifier: GPL-2.0
/*
 * The hypervisor drops all programs when the guest's kernel seems to be gone: the
 * boot CPU wakes up from S3, or the VMM restores a snapshot or a guest that has
 * migrated. This kernel goes on, and nothing tells it. So the module asks the
 * hypervisor every two seconds whether it has the programs, which is one exit, and
 * registers them again if it has not.
 *
 * Beside that it looks whether programs have to end for what nothing tells of
 * either: ftrace is dead, or there is a live patch for what a program answers for.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/jiffies.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/printk.h>
#include <linux/timer.h>
#include <linux/workqueue.h>

#include "internal.h"

#define INTERVAL	(2 * HZ)
/* So often the programs are registered again in vain, before that ends. */
#define TRIES		3

static void check(struct work_struct *work);
static DECLARE_DELAYED_WORK(check_work, check);

/* Nothing is to be registered again; under programs_lock. */
static bool over = true;
static unsigned int tries;
static bool hypervisor_missed;

/* NULL if the programs may go on. */
static const char *reason_to_end(void)
{
	if (watch_is_dead())
		return "ftrace is dead, and kexec would not be noticed";
	if (functions_are_patched())
		return "there is a live patch for a function that programs answer for";
	return NULL;
}

static void end(const char *why)
{
	over = true;
	programs_unregister();
	pr_err("%s: programs have ended\n", why);
}

/* The guest may be on a host without hyperupcalls now, and on another one later. */
static void miss_hypervisor(int err)
{
	if (!hypervisor_missed)
		pr_warn("the hypervisor takes no hyperupcalls any more (%d): there are no programs until it does\n",
			err);
	hypervisor_missed = true;
}

static int register_again(void)
{
	int err;

	pr_info("the hypervisor has no programs, registers them again\n");
	err = programs_register();
	if (!err) {
		tries = 0;
		return 0;
	}
	programs_unregister();
	tries++;
	return err;
}

static void renew(void)
{
	int err = 0;

	/*
	 * What is known of an earlier registration means nothing any more. A
	 * queue may have a call of that time; afterwards none has.
	 */
	if (!hypervisor_missed)
		err = programs_unregister();
	if (err) {
		end("the hypervisor keeps programs that it shall give back");
		return;
	}

	err = hypercall_probe_again();
	if (err) {
		miss_hypervisor(err);
		return;
	}
	hypervisor_missed = false;
	if (register_again() && tries == TRIES)
		end("programs cannot be registered again, load the module anew");
}

static void look(void)
{
	const char *why;

	/* This kernel ends, or sleeps and is not back yet. */
	if (hypercall_is_closed())
		return;

	/* ftrace goes on calling its watches, and lets go of none. */
	if (watch_is_dead())
		__module_get(THIS_MODULE);
	why = reason_to_end();
	if (why)
		end(why);
	else if (!programs_are_registered() || programs_are_dropped())
		renew();
}

static void check(struct work_struct *work)
{
	guard(mutex)(&programs_lock);
	if (over)
		return;

	look();
	queue_delayed_work(system_freezable_wq, &check_work,
			   round_jiffies_relative(INTERVAL));
}

void renew_start(void)
{
	scoped_guard(mutex, &programs_lock)
		over = false;
	renew_now();
}

/* Not in two seconds, but now. */
void renew_now(void)
{
	guard(mutex)(&programs_lock);
	if (!over)
		mod_delayed_work(system_freezable_wq, &check_work, 0);
}

void renew_stop(void)
{
	scoped_guard(mutex, &programs_lock)
		over = true;
	cancel_delayed_work_sync(&check_work);
}
