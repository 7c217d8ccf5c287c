// SPDX-License-Identifier: GPL-2.0
/*
 * text_sync.ko: patches text, in L2, while another CPU has interrupts off. Each
 * patch ends with an IPI to all CPUs, which says that none of them is in a
 * breakpoint handler for the old text any more. So it must not end as long as
 * the other CPU has not had interrupts on. The kernel patches here the text of
 * this module only, which no CPU executes meanwhile.
 *
 * Says how often it patched and how often that ended too early, and fails to
 * load.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/delay.h>
#include <linux/jump_label.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/random.h>
#include <linux/sched.h>

/* Where the CPU is whose interrupts are off, and for how long it has them off. */
#define TARGET_CPU	1
#define IRQS_OFF_US	15000

static unsigned int rounds = 200;
module_param(rounds, uint, 0444);
MODULE_PARM_DESC(rounds, "how often to patch at most");

/* Counts up when interrupts go off and before they go on: odd in between. */
static unsigned long section;

static DEFINE_STATIC_KEY_FALSE(key);
static unsigned long patched, early;

/* What is patched. */
static noinline int text(void)
{
	return static_branch_unlikely(&key);
}

static int have_interrupts_off(void *unused)
{
	while (!kthread_should_stop()) {
		local_irq_disable();
		/* Pairs with the acquire in patch(), as the next one does. */
		smp_store_release(&section, section + 1);
		udelay(IRQS_OFF_US);
		/* The section is over before interrupts are on. */
		smp_store_release(&section, section + 1);
		local_irq_enable();
		cond_resched();
	}
	return 0;
}

/* Patches once, at a random time in a section. */
static void patch(void)
{
	unsigned long before;

	/* Pairs with the release in have_interrupts_off(). */
	while (!((before = smp_load_acquire(&section)) & 1))
		cond_resched();
	udelay(get_random_u32_below(IRQS_OFF_US / 2));
	/* The section may have ended meanwhile. */
	if (smp_load_acquire(&section) != before)
		return;

	if (static_key_enabled(&key))
		static_branch_disable(&key);
	else
		static_branch_enable(&key);
	patched++;
	/* It has to have ended by now. */
	early += smp_load_acquire(&section) == before;
}

static int __init text_sync_init(void)
{
	struct task_struct *task;
	unsigned int i;

	/* What patches must not share the CPU with what has interrupts off. */
	if (cpumask_test_cpu(TARGET_CPU, current->cpus_ptr))
		return -EINVAL;

	task = kthread_create(have_interrupts_off, NULL, "text_sync");
	if (IS_ERR(task))
		return PTR_ERR(task);
	kthread_bind(task, TARGET_CPU);
	wake_up_process(task);

	for (i = 0; i < rounds; i++) {
		patch();
		cond_resched();
	}
	kthread_stop(task);

	pr_info("%lu patches, %lu too early, %d\n", patched, early, text());
	return -ECANCELED;
}

module_init(text_sync_init);
MODULE_DESCRIPTION("Patches text while another CPU has interrupts off");
MODULE_LICENSE("GPL");
