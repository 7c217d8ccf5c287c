// SPDX-License-Identifier: GPL-2.0
/*
 * hyperupcall.ko gives programs to the hypervisor, and takes them back.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cpuhotplug.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/smp.h>
#include <linux/spinlock.h>
#include <linux/string.h>

#include "internal.h"

static char *programs = "tlb";
module_param(programs, charp, 0444);
MODULE_PARM_DESC(programs, "programs to load, separated by commas");

static LIST_HEAD(loaded);
static enum cpuhp_state hotplug_state;

void hyperupcall_nop(void *info)
{
}

/*
 * A program writes the address of hyperupcall_nop() into a CPU's queue, and that
 * CPU calls it. The program knows the function by its name, which the compiler
 * and objtool do not see: without a reference to it in C they would seal its
 * entry, and the call would be a #CP on a CPU with IBT.
 */
static void (*const called_by_address[])(void *info) __used = {
	hyperupcall_nop,
};

static const struct embedded *find_embedded(const char *name)
{
	const struct embedded *embedded;

	for (embedded = hyperupcall_embedded;
	     embedded < hyperupcall_embedded_end; embedded++) {
		if (!strcmp(embedded->name, name))
			return embedded;
	}
	pr_err("there is no program %s\n", name);
	return NULL;
}

static int load_one(const char *name)
{
	const struct embedded *embedded;
	struct program *program;

	embedded = find_embedded(name);
	if (!embedded)
		return -EINVAL;
	program = program_load(embedded);
	if (IS_ERR(program))
		return PTR_ERR(program);
	list_add_tail(&program->list, &loaded);
	return 0;
}

static int load_all(void)
{
	char *names, *rest, *name;
	int err = 0;

	names = kstrdup(programs, GFP_KERNEL);
	if (!names)
		return -ENOMEM;

	rest = names;
	while (!err && (name = strsep(&rest, ",")))
		err = load_one(name);
	kfree(names);
	return err;
}

/* What programs with a table of memory know is so until it ends for good. */
static DEFINE_RAW_SPINLOCK(memory_end_lock);
static bool memory_ended;

static void begin(struct program *program)
{
	guard(raw_spinlock_irqsave)(&memory_end_lock);
	program_set_alive(program, !program->memory || !memory_ended);
}

static int link_all(void)
{
	struct program *program;
	int err;

	list_for_each_entry(program, &loaded, list) {
		begin(program);
		err = program_link(program);
		if (err)
			return err;
	}
	return 0;
}

static void unlink_all(void)
{
	struct program *program;

	list_for_each_entry(program, &loaded, list)
		program_unlink(program);
}

static int cpu_goes_online(unsigned int cpu)
{
	struct program *program;

	list_for_each_entry(program, &loaded, list)
		program_set_cpu(program, cpu, true);
	return 0;
}

static int cpu_goes_offline(unsigned int cpu)
{
	struct program *program;

	list_for_each_entry(program, &loaded, list)
		program_set_cpu(program, cpu, false);
	return 0;
}

/* Programs that know of pages know these and no others. */
void programs_set_memory(const struct hyperupcall_memory *pieces,
			 unsigned int nr_pieces)
{
	struct program *program;
	unsigned int i;

	list_for_each_entry(program, &loaded, list) {
		for (i = 0; program->memory && i < HYPERUPCALL_MAX_MEMORY; i++)
			program_set_memory(program, i,
					   i < nr_pieces ? &pieces[i] : NULL);
	}
}

/* What they know of pages is not so any more. In any context. */
void programs_end_memory(void)
{
	struct program *program;

	scoped_guard(raw_spinlock_irqsave, &memory_end_lock) {
		memory_ended = true;
		list_for_each_entry(program, &loaded, list) {
			if (program->memory)
				program_set_alive(program, false);
		}
	}
	list_for_each_entry(program, &loaded, list) {
		if (program->memory)
			program_unlink(program);
	}
}

static bool wants_memory(void)
{
	struct program *program;

	list_for_each_entry(program, &loaded, list) {
		if (program->memory)
			return true;
	}
	return false;
}

static int watch_cpus(void)
{
	int state;

	state = cpuhp_setup_state(CPUHP_AP_ONLINE_DYN, "hyperupcall:online",
				  cpu_goes_online, cpu_goes_offline);
	if (state < 0) {
		pr_err("cannot watch CPU hotplug: %d\n", state);
		return state;
	}
	hotplug_state = state;
	return 0;
}

static void unwatch_cpus(void)
{
	if (hotplug_state)
		cpuhp_remove_state_nocalls(hotplug_state);
}

/* Leave nothing with the hypervisor. Frees nothing, for it may be a panic. */
static void leave(void)
{
	struct program *program;

	list_for_each_entry(program, &loaded, list)
		program_set_alive(program, false);
	unlink_all();
	list_for_each_entry(program, &loaded, list)
		program_unload(program);
	window_unmap_all();
}

/*
 * No program runs any more, but one may have left a call that is in its
 * globals in the queue of a CPU. The IPI for that queue is sent by someone who
 * has preemption disabled until then, which is what synchronize_rcu() waits
 * for; then this CPU has taken it, and every other takes what is in its queue
 * before what kick_all_cpus_sync() adds.
 */
static void drain_queues(void)
{
	synchronize_rcu();
	kick_all_cpus_sync();
}

static void undo(void)
{
	struct program *program, *next;

	unlink_all();
	unwatch_cpus();
	memory_forget();
	drain_queues();
	leave();
	list_for_each_entry_safe(program, next, &loaded, list) {
		list_del(&program->list);
		program_free(program);
	}
	percpu_free();
	window_free();
}

static int __init hyperupcall_init(void)
{
	struct program *program;
	int err;

	err = ksyms_init();
	if (!err)
		err = hypercall_probe();
	if (err)
		return err;

	err = percpu_map();
	if (!err)
		err = load_all();
	if (!err)
		err = watch_cpus();
	if (!err && wants_memory())
		err = memory_map();
	if (!err)
		err = leave_init(leave);
	if (err)
		goto undo;
	if (wants_memory())
		err = vmemmap_check();
	if (!err)
		err = link_all();
	if (err)
		goto leave;

	debugfs_init();
	list_for_each_entry(program, &loaded, list)
		debugfs_add(program);
	return 0;

leave:
	leave_exit();
undo:
	undo();
	return err;
}

static void __exit hyperupcall_exit(void)
{
	debugfs_exit();
	leave_exit();
	undo();
}

module_init(hyperupcall_init);
module_exit(hyperupcall_exit);
MODULE_DESCRIPTION("Gives verified programs to the hypervisor");
MODULE_LICENSE("GPL");
