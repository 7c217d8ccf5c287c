// SPDX-License-Identifier: GPL-2.0
/*
 * Learn that the kernel calls one of its functions, before the function begins,
 * where it tells nobody. By ftrace, as live patches do, which nobody can turn off
 * while it is used; a kprobe ends with kernel.ftrace_enabled=0. After an error of
 * its own ftrace ends by itself, for good: see watch_is_dead().
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/ftrace.h>
#include <linux/printk.h>

#include "internal.h"

/* ftrace's, or NULL if it is called something else here. */
static const int *disabled;

static int add_function(struct ftrace_ops *ops, const char *name)
{
	struct ksym sym;
	int err;

	err = ksym_find(name, &sym);
	if (err)
		return err;

	err = ftrace_set_filter_ip(ops, sym.addr, 0, 0);
	if (err)
		pr_err("cannot watch %s: %d\n", name, err);
	return err;
}

static int start(struct ftrace_ops *ops)
{
	int err;

	ops->flags |= FTRACE_OPS_FL_PERMANENT;
	err = register_ftrace_function(ops);
	if (err == -EBUSY)
		pr_err("kernel.ftrace_enabled has to be 1\n");
	else if (err)
		pr_err("cannot watch functions: %d\n", err);
	return err;
}

/*
 * Functions of these names, up to a NULL. -ENOENT without a message if the
 * kernel does not have one of them.
 */
int watch_start(struct ftrace_ops *ops, const char *const *names)
{
	struct ksym sym;
	int err = 0;

	if (!IS_ENABLED(CONFIG_DYNAMIC_FTRACE_WITH_ARGS)) {
		pr_err("this kernel has no function tracer that knows arguments\n");
		return -EOPNOTSUPP;
	}

	if (!ksym_find("ftrace_disabled", &sym) && sym.kind == KSYM_DATA)
		disabled = (const int *)sym.addr;
	while (!err && *names)
		err = add_function(ops, *names++);
	if (!err)
		err = start(ops);
	if (err)
		ftrace_free_filter(ops);
	return err;
}

/* Has ftrace ended, and every watch with it? ftrace_is_dead() is not exported. */
bool watch_is_dead(void)
{
	return disabled && READ_ONCE(*disabled);
}

void watch_end(struct ftrace_ops *ops)
{
	unregister_ftrace_function(ops);
	ftrace_free_filter(ops);
}
