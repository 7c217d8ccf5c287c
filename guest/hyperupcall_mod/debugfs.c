// SPDX-License-Identifier: GPL-2.0
/*
 * /sys/kernel/debug/hyperupcall/<program>, lines of a name and a value: what
 * the hypervisor counts for the program's link, and what the program counts.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/debugfs.h>
#include <linux/seq_file.h>
#include <linux/string.h>

#include "internal.h"

static struct dentry *dir;

/* The program's counters are shared memory, so this takes no exit. */
static void show_counters(struct seq_file *file, struct program *program)
{
	const struct object *obj = &program->obj;
	const Elf64_Sym *sym;
	const char *name;
	size_t size;

	if (!obj->globals)
		return;

	object_section(obj, obj->globals, &size);
	for (sym = obj->symbols; sym < obj->symbols + obj->nr_symbols; sym++) {
		name = object_symbol_name(obj, sym);
		if (sym->st_shndx != obj->globals ||
		    sym->st_size != sizeof(u64) ||
		    sym->st_value > size - sizeof(u64) ||
		    !str_has_prefix(name, HYPERUPCALL_COUNT_PREFIX))
			continue;
		seq_printf(file, "%s %llu\n",
			   name + strlen(HYPERUPCALL_COUNT_PREFIX),
			   READ_ONCE(*(u64 *)(program->globals + sym->st_value)));
	}
}

static int program_show(struct seq_file *file, void *data)
{
	struct program *program = file->private;
	struct hyperupcall_stats stats = { .link = READ_ONCE(program->link) };
	long err;

	err = hypercall(HYPERUPCALL_STATS, &stats, sizeof(stats));
	if (err)
		return err;

	seq_printf(file, "runs %llu\n", stats.runs);
	seq_printf(file, "opinions %llu\n", stats.opinions);
	seq_printf(file, "faults %llu\n", stats.faults);
	seq_printf(file, "throttled %llu\n", stats.throttled);
	seq_printf(file, "run_ns %llu\n", stats.run_ns);
	show_counters(file, program);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(program);

void debugfs_init(void)
{
	dir = debugfs_create_dir("hyperupcall", NULL);
}

void debugfs_add(struct program *program)
{
	debugfs_create_file(program->obj.name, 0400, dir, program,
			    &program_fops);
}

void debugfs_exit(void)
{
	debugfs_remove(dir);
}
