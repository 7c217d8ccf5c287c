// SPDX-License-Identifier: GPL-2.0
/*
 * Symbols of the running kernel, exported or not, wherever KASLR put them.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/kprobes.h>
#include <linux/module.h>
#include <asm/ibt.h>

#include "internal.h"

static unsigned long (*lookup_name)(const char *name);
static int (*on_each_match)(int (*fn)(void *data, unsigned long addr),
			    const char *name, void *data);
static int (*lookup_size)(unsigned long addr, unsigned long *size,
			  unsigned long *offset);

unsigned long ksym_per_cpu_start;
static unsigned long per_cpu_end;
static unsigned long text_start, text_end;

/* kprobes know where kallsyms_lookup_name() is, which is not exported. */
static unsigned long find_lookup_name(void)
{
	struct kprobe probe = { .symbol_name = "kallsyms_lookup_name" };
	unsigned long addr;

	if (register_kprobe(&probe))
		return 0;
	addr = (unsigned long)probe.addr;
	unregister_kprobe(&probe);

	/* A probe of a function's entry is behind its ENDBR. */
	if (is_endbr(*(u32 *)(addr - ENDBR_INSN_SIZE)))
		addr -= ENDBR_INSN_SIZE;
	else if (cpu_feature_enabled(X86_FEATURE_IBT))
		return 0;
	return addr;
}

unsigned long ksym_addr(const char *name)
{
	unsigned long addr = lookup_name(name);

	if (!addr)
		pr_err("the kernel has no symbol %s\n", name);
	return addr;
}

int ksyms_init(void)
{
	lookup_name = (void *)find_lookup_name();
	if (!lookup_name) {
		pr_err("cannot call kallsyms_lookup_name()\n");
		return -ENOENT;
	}

	on_each_match = (void *)ksym_addr("kallsyms_on_each_match_symbol");
	if (!on_each_match)
		return -ENOENT;
	lookup_size = (void *)ksym_addr("kallsyms_lookup_size_offset");
	if (!lookup_size)
		return -ENOENT;
	text_start = ksym_addr("_stext");
	text_end = ksym_addr("_etext");
	if (!text_start || !text_end)
		return -ENOENT;
	/* It may be zero, and is on x86-64. */
	ksym_per_cpu_start = lookup_name("__per_cpu_start");
	per_cpu_end = ksym_addr("__per_cpu_end");
	return per_cpu_end ? 0 : -ENOENT;
}

static int count_match(void *data, unsigned long addr)
{
	unsigned int *count = data;

	(*count)++;
	return 0;
}

/* -ENOENT without a message if there is none, since it may be weak. */
int ksym_find(const char *name, struct ksym *sym)
{
	unsigned int count = 0;
	unsigned long offset;

	on_each_match(count_match, name, &count);
	if (count > 1) {
		pr_err("the kernel has %u symbols %s\n", count, name);
		return -ENOTUNIQ;
	}

	sym->addr = lookup_name(name);
	if (!sym->addr && !count)
		return -ENOENT;

	sym->size = 1;
	if (sym->addr >= ksym_per_cpu_start && sym->addr < per_cpu_end) {
		sym->kind = KSYM_PER_CPU;
		sym->addr -= ksym_per_cpu_start;
	} else if ((sym->addr >= text_start && sym->addr < text_end) ||
		   within_module(sym->addr, THIS_MODULE)) {
		sym->kind = KSYM_TEXT;
	} else {
		sym->kind = KSYM_DATA;
		if (!lookup_size(sym->addr, &sym->size, &offset) || !sym->size)
			sym->size = 1;
	}
	return 0;
}
