// SPDX-License-Identifier: GPL-2.0-only
/*
 * Windows: 4 GiB of kernel address space that a program addresses with 32-bit
 * offsets, as it does an arena's, but that belongs to no map and holds pages
 * of somebody else.
 *
 * A window laid out at ffffc90001e69000, as an example:
 *
 *	ffffc90001e61000	guard, 32 KiB
 *	ffffc90001e69000	offset 0
 *	ffffc90101e68fff	offset 4 GiB - 1
 *	ffffc90101e69000	guard, 32 KiB
 *
 * For a load of 8 bytes at offset r1 of a strict program the x86 JIT emits
 *
 *	mov r11d, edi
 *	mov rax, qword ptr [r11 + r12 + off]
 *
 * with the start in r12 and off a signed 16-bit constant. Each load and store has
 * its own 32-bit move, and each atomic operation its own 32-bit AND: whatever is
 * in rdi, also under misspeculation, the address is in the window or its guards.
 */
#include <linux/bpf_window.h>
#include <linux/mm.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include <asm/tlbflush.h>

struct bpf_window {
	struct vm_struct *area;
};

DEFINE_STATIC_KEY_FALSE(bpf_window_key);

static atomic_long_t bpf_nr_windows;

/*
 * The address space is everybody's: windows get a quarter of it at most. Their
 * page tables are charged to nobody, and stay for the next windows when they go:
 * they get an eighth of the memory at most.
 */
static unsigned long bpf_max_windows(void)
{
	return min_t(unsigned long, (VMALLOC_END - VMALLOC_START) / BPF_WINDOW_AREA / 4,
		     totalram_pages() / 8 / (SZ_4G >> PMD_SHIFT));
}

/**
 * bpf_window_alloc - reserve the address space of a window
 *
 * May sleep. Return: a window without pages, or NULL.
 */
struct bpf_window *bpf_window_alloc(void)
{
	struct bpf_window *window;

	if (!atomic_long_add_unless(&bpf_nr_windows, 1, bpf_max_windows()))
		return NULL;

	window = kzalloc(sizeof(*window), GFP_KERNEL_ACCOUNT);
	if (!window)
		goto dec;

	window->area = get_vm_area(BPF_WINDOW_AREA, VM_SPARSE);
	if (!window->area)
		goto free;

	static_branch_inc(&bpf_window_key);
	return window;

free:
	kfree(window);
dec:
	atomic_long_dec(&bpf_nr_windows);
	return NULL;
}
EXPORT_SYMBOL_GPL(bpf_window_alloc);

/**
 * bpf_window_free - give back the address space of a window
 * @window: may be NULL; no program may run in it any more
 *
 * May sleep. The pages are the caller's.
 */
void bpf_window_free(struct bpf_window *window)
{
	if (!window)
		return;

	static_branch_dec(&bpf_window_key);
	free_vm_area(window->area);
	kfree(window);
	atomic_long_dec(&bpf_nr_windows);
}
EXPORT_SYMBOL_GPL(bpf_window_free);

/**
 * bpf_window_start - the kernel address of a window's offset 0
 * @window: a window
 */
u64 bpf_window_start(const struct bpf_window *window)
{
	return (u64)window->area->addr + BPF_WINDOW_GUARD / 2;
}
EXPORT_SYMBOL_GPL(bpf_window_start);

/**
 * bpf_window_populate - allocate the page tables of a part of a window
 * @window: a window
 * @offset: where the part starts, page aligned
 * @nr_pages: its size; @offset + @nr_pages pages is at most 4 GiB
 *
 * May sleep. Return: zero, or -ENOMEM.
 */
int bpf_window_populate(struct bpf_window *window, u64 offset, unsigned long nr_pages)
{
	return apply_to_page_range(&init_mm, bpf_window_start(window) + offset,
				   nr_pages << PAGE_SHIFT, NULL, NULL);
}
EXPORT_SYMBOL_GPL(bpf_window_populate);

static int bpf_window_set_pte(pte_t *ptep, unsigned long addr, void *data)
{
	set_pte_at(&init_mm, addr, ptep, *(pte_t *)data);
	return 0;
}

/**
 * bpf_window_set - put a page into a window
 * @window: a window
 * @offset: where, page aligned, in a part that bpf_window_populate() was
 *	called for and that holds no page now
 * @page: the page, to which the caller holds a reference
 * @write: whether programs may store to it
 *
 * Does not sleep. The caller serialises this with bpf_window_clear().
 */
void bpf_window_set(struct bpf_window *window, u64 offset, struct page *page, bool write)
{
	pte_t pte = mk_pte(page, write ? PAGE_KERNEL : PAGE_KERNEL_RO);

	apply_to_page_range(&init_mm, bpf_window_start(window) + offset, PAGE_SIZE,
			    bpf_window_set_pte, &pte);
}
EXPORT_SYMBOL_GPL(bpf_window_set);

static int bpf_window_clear_pte(pte_t *ptep, unsigned long addr, void *data)
{
	pte_clear(&init_mm, addr, ptep);
	return 0;
}

/**
 * bpf_window_clear - take pages out of a window, but for the TLBs
 * @window: a window
 * @offset: where, page aligned
 * @nr_pages: how many; those that are not there are passed over
 *
 * Does not sleep. Programs may reach the pages until bpf_window_flush().
 */
void bpf_window_clear(struct bpf_window *window, u64 offset, unsigned long nr_pages)
{
	apply_to_existing_page_range(&init_mm, bpf_window_start(window) + offset,
				     nr_pages << PAGE_SHIFT, bpf_window_clear_pte, NULL);
}
EXPORT_SYMBOL_GPL(bpf_window_clear);

/**
 * bpf_window_flush - make sure that pages are out of a window
 * @window: a window
 * @offset: where they were, page aligned
 * @nr_pages: how many, bpf_window_clear() was called for some or all of them
 *
 * Does not sleep, but wants interrupts on. When it returns, no CPU reaches the
 * pages through the window, and the caller may give back its references.
 */
void bpf_window_flush(struct bpf_window *window, u64 offset, unsigned long nr_pages)
{
	unsigned long start = bpf_window_start(window) + offset;

	flush_tlb_kernel_range(start, start + (nr_pages << PAGE_SHIFT));
}
EXPORT_SYMBOL_GPL(bpf_window_flush);
