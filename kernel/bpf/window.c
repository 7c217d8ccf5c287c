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
 *
 * Pages leave a window at the pace of a guest, so that a flush of every CPU's TLB
 * for each of them would be the guest's to make. A window is accessed by its
 * programs only; therefore each CPU flushes its own TLB, when it starts a program
 * after a page has left. Until then a CPU may hold translations of pages that
 * were freed, as it may for vmalloc()'s lazily flushed areas.
 */
#include <linux/bitmap.h>
#include <linux/bpf_window.h>
#include <linux/cred.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/nospec.h>
#include <linux/percpu.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include <asm/tlbflush.h>

#include "user_share.h"

/* A window starts somewhere in its first page table. */
#define BPF_WINDOW_TABLES	((SZ_4G >> PMD_SHIFT) + 1)

/**
 * struct bpf_window - a window
 * @area: its address space
 * @cleared: how often pages left it
 * @flushed: of a CPU, what @cleared was before its last flush
 * @uid: the user whose window it is
 * @objcg: pays for the page tables, may be NULL
 * @tables: the page tables that were populated
 */
struct bpf_window {
	struct vm_struct *area;
	unsigned long cleared;
	unsigned long __percpu *flushed;
	kuid_t uid;
	struct obj_cgroup *objcg;
	DECLARE_BITMAP(tables, BPF_WINDOW_TABLES);
};

/* A guest makes its VM's window come, and its VMM may go: text is patched less often. */
DEFINE_STATIC_KEY_DEFERRED_FALSE(bpf_window_key, HZ);

static struct bpf_user_share bpf_windows = BPF_USER_SHARE_INIT(bpf_windows);

/*
 * The address space is everybody's: windows get a quarter of it at most. Their
 * page tables are charged as long as the window is there, and stay for the next
 * windows when it goes: they get an eighth of the memory at most.
 */
static unsigned long bpf_max_windows(void)
{
	return min_t(unsigned long, (VMALLOC_END - VMALLOC_START) / BPF_WINDOW_AREA / 4,
		     totalram_pages() / 8 / (SZ_4G >> PMD_SHIFT));
}

#ifdef CONFIG_MEMCG
static struct obj_cgroup *bpf_window_objcg(void)
{
	return get_obj_cgroup_from_current();
}

static int bpf_window_charge_tables(struct bpf_window *window, unsigned long nr)
{
	return window->objcg ? obj_cgroup_charge(window->objcg, GFP_KERNEL, nr << PAGE_SHIFT) : 0;
}

static void bpf_window_uncharge_tables(struct bpf_window *window, unsigned long nr)
{
	if (window->objcg)
		obj_cgroup_uncharge(window->objcg, nr << PAGE_SHIFT);
}
#else
static struct obj_cgroup *bpf_window_objcg(void)
{
	return NULL;
}

static int bpf_window_charge_tables(struct bpf_window *window, unsigned long nr)
{
	return 0;
}

static void bpf_window_uncharge_tables(struct bpf_window *window, unsigned long nr)
{
}
#endif

/**
 * bpf_window_alloc - reserve the address space of a window
 *
 * May sleep. Return: a window without pages, or NULL.
 */
struct bpf_window *bpf_window_alloc(void)
{
	kuid_t uid = current_uid();
	struct bpf_window *window;

	if (!bpf_user_share_charge(&bpf_windows, uid, 1, bpf_max_windows()))
		return NULL;

	window = kzalloc(sizeof(*window), GFP_KERNEL_ACCOUNT);
	if (!window)
		goto uncharge;

	window->flushed = alloc_percpu_gfp(unsigned long, GFP_KERNEL_ACCOUNT);
	if (!window->flushed)
		goto free;

	window->area = get_vm_area(BPF_WINDOW_AREA, VM_SPARSE);
	if (!window->area)
		goto free_percpu;

	window->uid = uid;
	window->objcg = bpf_window_objcg();
	static_branch_inc(&bpf_window_key.key);
	return window;

free_percpu:
	free_percpu(window->flushed);
free:
	kfree(window);
uncharge:
	bpf_user_share_uncharge(&bpf_windows, uid, 1);
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

	static_branch_slow_dec_deferred(&bpf_window_key);
	free_vm_area(window->area);
	free_percpu(window->flushed);
	bpf_window_uncharge_tables(window, bitmap_weight(window->tables, BPF_WINDOW_TABLES));
	obj_cgroup_put(window->objcg);
	bpf_user_share_uncharge(&bpf_windows, window->uid, 1);
	kfree(window);
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
 * May sleep. The caller serialises this with itself. Return: zero, or -ENOMEM.
 */
int bpf_window_populate(struct bpf_window *window, u64 offset, unsigned long nr_pages)
{
	unsigned long size = nr_pages << PAGE_SHIFT, i, nr = 0;
	u64 start = bpf_window_start(window);
	unsigned long first = ((start + offset) >> PMD_SHIFT) - (start >> PMD_SHIFT);
	unsigned long last = ((start + offset + size - 1) >> PMD_SHIFT) - (start >> PMD_SHIFT);
	int err;

	for (i = first; i <= last; i++)
		nr += !test_bit(i, window->tables);
	err = bpf_window_charge_tables(window, nr);
	if (err)
		return err;

	/* Tables that are there stay, and stay charged, if others fail. */
	bitmap_set(window->tables, first, last - first + 1);
	return apply_to_page_range(&init_mm, start + offset, size, NULL, NULL);
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
 * bpf_window_clear - take pages out of a window
 * @window: a window
 * @offset: where, page aligned
 * @nr_pages: how many; those that are not there are passed over
 *
 * Does not sleep. The caller serialises this with bpf_window_set() and with
 * itself. Programs that run may reach the pages until they end, and programs that
 * start when it has returned do not: after a grace period the caller may give
 * back its references, and put other pages there.
 */
void bpf_window_clear(struct bpf_window *window, u64 offset, unsigned long nr_pages)
{
	apply_to_existing_page_range(&init_mm, bpf_window_start(window) + offset,
				     nr_pages << PAGE_SHIFT, bpf_window_clear_pte, NULL);
	/* Pairs with the acquire in bpf_window_enter(). */
	smp_store_release(&window->cleared, window->cleared + 1);
}
EXPORT_SYMBOL_GPL(bpf_window_clear);

/* Another program on this CPU must not find @flushed up to date before the flush. */
static void bpf_window_flush(struct bpf_window *window, unsigned long cleared)
{
	preempt_disable();
	__flush_tlb_all();
	this_cpu_write(*window->flushed, cleared);
	preempt_enable();
}

/**
 * bpf_window_enter - make a window as it is what programs see on this CPU
 * @window: a window
 *
 * Called under rcu_read_lock() and with migration disabled, before a program
 * runs and until it has ended.
 */
void bpf_window_enter(struct bpf_window *window)
{
	/* Pairs with the release in bpf_window_clear(). */
	unsigned long cleared = smp_load_acquire(&window->cleared);

	if (unlikely(this_cpu_read(*window->flushed) != cleared))
		bpf_window_flush(window, cleared);
	/* No CPU runs a program ahead of the flush because it mispredicts the branch. */
	barrier_nospec();
}
EXPORT_SYMBOL_GPL(bpf_window_enter);
