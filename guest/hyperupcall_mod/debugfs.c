// SPDX-License-Identifier: GPL-2.0
/*
 * /sys/kernel/debug/hyperupcall/<program>, lines of a name and a value: what
 * the program counts, the id of its link, or zero if it is not linked, and what
 * the hypervisor counts for that link. The program's counters go on when it is
 * registered again, the link's begin anew.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/debugfs.h>
#include <linux/mutex.h>
#include <linux/seq_file.h>
#include <linux/string.h>

#include "internal.h"

static struct dentry *dir;

/* The program's counters are shared memory, so this takes no exit. */
static void show_counters(struct seq_file *file, struct program *program)
{
	const Elf64_Sym *sym = NULL;
	const char *name;

	while ((sym = object_next_count(&program->obj, sym))) {
		name = object_symbol_name(&program->obj, sym);
		seq_printf(file, "%s %llu\n",
			   name + strlen(HYPERUPCALL_COUNT_PREFIX),
			   READ_ONCE(*(u64 *)(program->globals + sym->st_value)));
	}
}

/* Without a link there is nothing but the program's own counters. */
static int program_show(struct seq_file *file, void *data)
{
	struct program *program = file->private;
	struct hyperupcall_stats stats = {};
	long err;

	guard(mutex)(&programs_lock);
	show_counters(file, program);
	stats.link = READ_ONCE(program->link.link);
	err = stats.link ? hypercall(HYPERUPCALL_STATS, &stats, sizeof(stats)) :
			   -ENOENT;
	if (err == -ENOENT || err == -ENOSYS)
		stats.link = 0;
	else if (err)
		return err;
	seq_printf(file, "link %u\n", stats.link);
	if (!stats.link)
		return 0;

	seq_printf(file, "runs %llu\n", stats.runs);
	seq_printf(file, "opinions %llu\n", stats.opinions);
	seq_printf(file, "faults %llu\n", stats.faults);
	seq_printf(file, "throttled %llu\n", stats.throttled);
	seq_printf(file, "run_ns %llu\n", stats.run_ns);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(program);

void debugfs_init(void)
{
	dir = debugfs_create_dir("hyperupcall", NULL);
}

void debugfs_add(struct program *program)
{
	/* That one is never linked for long. */
	if (program->ipi)
		return;
	debugfs_create_file(program->obj.name, 0400, dir, program,
			    &program_fops);
}

void debugfs_exit(void)
{
	debugfs_remove(dir);
}
