// SPDX-License-Identifier: GPL-2.0
/*
 * hyperupcall.ko gives programs to the hypervisor, and takes them back.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/module.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "internal.h"

static char *programs = "tlb";
module_param(programs, charp, 0444);
MODULE_PARM_DESC(programs, "programs to load, separated by commas");

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

static int add_program(const char *name)
{
	const struct embedded *embedded;

	if (programs_find(name)) {
		pr_err("program %s is there twice\n", name);
		return -EEXIST;
	}
	embedded = find_embedded(name);
	return embedded ? programs_add(embedded) : -EINVAL;
}

static int add_programs(void)
{
	char *names, *rest, *name;
	int err = 0;

	names = kstrdup(programs, GFP_KERNEL);
	if (!names)
		return -ENOMEM;

	rest = names;
	while (!err && (name = strsep(&rest, ","))) {
		if (*name)
			err = add_program(name);
	}
	kfree(names);

	/* Asks the hypervisor for what vcpus.c wants to know. */
	if (!err && programs_want_cpus() && !programs_find("vcpus"))
		err = add_program("vcpus");
	return err;
}

static int watch(void)
{
	int err;

	err = programs_watch_cpus();
	if (!err && programs_want_memory())
		err = memory_watch();
	if (!err && programs_want_memory())
		err = vmemmap_check();
	return err;
}

static int do_register(void)
{
	int err;

	guard(mutex)(&programs_lock);
	err = programs_register();
	if (err)
		programs_unregister();
	return err;
}

static void do_unregister(void)
{
	guard(mutex)(&programs_lock);
	if (programs_unregister())
		pr_err("the hypervisor keeps a part of the programs, which do nothing any more: restart this guest before kexec\n");
}

static void unwatch_and_free(void)
{
	programs_unwatch_cpus();
	memory_unwatch();
	programs_free();
	percpu_free();
	window_free();
}

static int __init hyperupcall_init(void)
{
	int err;

	err = ksyms_init();
	if (!err)
		err = hypercall_probe();
	if (err)
		return err;

	err = percpu_init();
	if (!err)
		err = add_programs();
	if (!err)
		err = watch();
	/* From now on nothing stays with the hypervisor if this kernel ends. */
	if (!err)
		err = leave_init();
	if (err)
		goto free;

	err = do_register();
	if (err)
		goto leave;

	debugfs_init();
	programs_for_each(debugfs_add);
	renew_start();
	return 0;

leave:
	leave_exit();
free:
	unwatch_and_free();
	return err;
}

static void __exit hyperupcall_exit(void)
{
	debugfs_exit();
	renew_stop();
	do_unregister();
	leave_exit();
	unwatch_and_free();
}

module_init(hyperupcall_init);
module_exit(hyperupcall_exit);
MODULE_DESCRIPTION("Gives verified programs to the hypervisor");
MODULE_LICENSE("GPL");
