// SPDX-License-Identifier: GPL-2.0
/*
 * late_flush.ko: moves the TLB flush of mm/discard.c from before the question
 * that counts to after its answer, for anonymous pages, so that a test can show
 * that it would see that. Whatever else is written by way of a stale entry
 * meanwhile is lost, but no page is freed before the flush: taken out
 * altogether, the flush would cost the host its own memory.
 *
 * For one reclaiming task at a time.
 */
#include <linux/kallsyms.h>
#include <linux/kprobes.h>
#include <linux/linkage.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/string.h>

typedef void (*flush_fn)(struct mm_struct *mm, unsigned long start, unsigned long end,
			 unsigned int stride_shift, bool freed_tables);
typedef void (*remove_fn)(struct folio *folio, struct page *page, int nr_pages,
			  struct vm_area_struct *vma);

/* The flush that is owed, as long as @task is set. */
static struct {
	struct task_struct *task;
	unsigned long start;
	unsigned long end;
} late;

static int put_off(struct kprobe *p, struct pt_regs *regs);
static int catch_up(struct kprobe *p, struct pt_regs *regs);

static struct kprobe flush_probe = {
	.symbol_name = "flush_tlb_mm_range",
	.pre_handler = put_off,
};

/* What is done to a discarded page, and to no other, before it is freed. */
static struct kprobe remove_probe = {
	.symbol_name = "folio_remove_rmap_ptes",
	.pre_handler = catch_up,
};

/* What a probed function is replaced by. */
void late_flush_return(void);
asm(".pushsection .text\n"
    "late_flush_return:\n"
    ASM_RET
    ".popsection");

/* At the entry of a function: what is on the stack is where it returns to. */
static bool called_for_discard(struct pt_regs *regs)
{
	char name[KSYM_SYMBOL_LEN];

	sprint_symbol_no_offset(name, *(unsigned long *)regs->sp);
	return str_has_prefix(name, "discard_");
}

static int put_off(struct kprobe *p, struct pt_regs *regs)
{
	if (!called_for_discard(regs))
		return 0;

	late.task = current;
	late.start = regs->si;
	late.end = regs->dx;
	regs->ip = (unsigned long)late_flush_return;
	return 1;
}

static void flush_and_remove(struct folio *folio, struct page *page, int nr_pages,
			     struct vm_area_struct *vma)
{
	((flush_fn)flush_probe.addr)(vma->vm_mm, late.start, late.end, PAGE_SHIFT, false);
	((remove_fn)remove_probe.addr)(folio, page, nr_pages, vma);
}

static int catch_up(struct kprobe *p, struct pt_regs *regs)
{
	if (late.task != current || !called_for_discard(regs))
		return 0;

	late.task = NULL;
	regs->ip = (unsigned long)flush_and_remove;
	return 1;
}

static int __init late_flush_init(void)
{
	int r = register_kprobe(&remove_probe);

	if (r)
		return r;

	r = register_kprobe(&flush_probe);
	if (r)
		unregister_kprobe(&remove_probe);
	return r;
}

static void __exit late_flush_exit(void)
{
	unregister_kprobe(&flush_probe);
	unregister_kprobe(&remove_probe);
}

module_init(late_flush_init);
module_exit(late_flush_exit);
MODULE_DESCRIPTION("Flushes the TLBs too late when pages are discarded, for tests");
MODULE_LICENSE("GPL");
