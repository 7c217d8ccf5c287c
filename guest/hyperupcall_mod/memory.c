// SPDX-License-Identifier: GPL-2.0
/*
 * The struct pages of the guest in the window, for programs that want to know
 * of pages. Pieces are contiguous, in memory and in struct pages: there are
 * several where there is a hole below 4 GiB, or more than one NUMA node, and
 * they change with memory hotplug.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/ioport.h>
#include <linux/memory.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/mutex.h>
#include <linux/printk.h>

#include "internal.h"

/* Serializes hotplug with who registers and unregisters programs. */
static DEFINE_MUTEX(lock);
static struct hyperupcall_memory pieces[HYPERUPCALL_MAX_MEMORY];
static unsigned int nr_pieces;
static bool registered, following;

/* Pages that are about to go, and still look as if they stayed. */
static unsigned long leaving_start, leaving_end;

/* Part of a section may be leaving: the rest of it has its struct pages. */
static bool stays_online(unsigned long start, unsigned long end)
{
	return (end <= leaving_start || start >= leaving_end) &&
	       pfn_to_online_page(start);
}

static void add_piece(unsigned long start, unsigned long end)
{
	if (nr_pieces && pieces[nr_pieces - 1].end == start) {
		pieces[nr_pieces - 1].end = end;
	} else if (nr_pieces < HYPERUPCALL_MAX_MEMORY) {
		pieces[nr_pieces].start = start;
		pieces[nr_pieces].end = end;
		nr_pieces++;
	} else {
		pr_warn_once("too many pieces of memory, programs know %u\n",
			     nr_pieces);
	}
}

/* Sections go online and offline one by one. */
static int add_resource(struct resource *res, void *unused)
{
	unsigned long end = PFN_DOWN(res->end + 1);
	unsigned long pfn = PFN_UP(res->start);
	unsigned long next;

	for (; pfn < end; pfn = next) {
		next = min(end, SECTION_ALIGN_DOWN(pfn) + PAGES_PER_SECTION);
		if (stays_online(pfn, next))
			add_piece(pfn, next);
	}
	return 0;
}

static int map_piece(struct hyperupcall_memory *piece)
{
	return window_map("struct pages", pfn_to_page(piece->start),
			  (piece->end - piece->start) * sizeof(struct page), 0,
			  &piece->window);
}

/* What cannot be mapped is unknown to the programs. */
static int map_pieces(void)
{
	unsigned int i, n = 0;
	int err = 0;

	nr_pieces = 0;
	walk_iomem_res_desc(IORES_DESC_NONE,
			    IORESOURCE_SYSTEM_RAM | IORESOURCE_BUSY, 0, -1,
			    NULL, add_resource);

	for (i = 0; !err && i < nr_pieces; i++) {
		err = map_piece(&pieces[i]);
		if (!err)
			n++;
	}
	nr_pieces = n;
	return err;
}

static void unmap_pieces(void)
{
	unsigned int i;

	for (i = 0; i < nr_pieces; i++)
		window_unmap(pieces[i].window);
	nr_pieces = 0;
}

/*
 * Programs see no piece while pieces change: when the hypervisor has unmapped
 * them no program runs any more that saw them.
 */
static int update(void)
{
	int err;

	programs_set_memory(NULL, 0);
	unmap_pieces();
	err = map_pieces();
	programs_set_memory(pieces, nr_pieces);
	return err;
}

/* Do programs know any of these pages? */
static bool are_known(const struct memory_notify *memory)
{
	unsigned int i;

	for (i = 0; i < nr_pieces; i++) {
		if (memory->start_pfn < pieces[i].end &&
		    memory->start_pfn + memory->nr_pages > pieces[i].start)
			return true;
	}
	return false;
}

static int on_hotplug(struct notifier_block *nb, unsigned long action, void *data)
{
	const struct memory_notify *memory = data;

	mutex_lock(&lock);
	leaving_start = 0;
	leaving_end = 0;
	switch (action) {
	case MEM_GOING_OFFLINE:
		leaving_start = memory->start_pfn;
		leaving_end = memory->start_pfn + memory->nr_pages;
		fallthrough;
	case MEM_CANCEL_OFFLINE:
	case MEM_ONLINE:
		/* Programs do not know of pieces that it fails to map. */
		if (following)
			update();
		break;
	case MEM_OFFLINE:
	case MEM_CANCEL_ONLINE:
		/*
		 * The module came when the pages were about to go, or to come
		 * and then did not, and took them for pages that stay.
		 */
		if (following && are_known(memory))
			update();
		break;
	}
	mutex_unlock(&lock);
	return NOTIFY_OK;
}

static struct notifier_block hotplug_block = {
	.notifier_call = on_hotplug,
};

/* From now on hotplug is seen. */
int memory_watch(void)
{
	int err;

	if (!IS_ENABLED(CONFIG_SPARSEMEM_VMEMMAP)) {
		pr_err("struct pages are not in one place in this kernel\n");
		return -EOPNOTSUPP;
	}

	err = vmemmap_watch();
	if (err)
		return err;

	err = register_memory_notifier(&hotplug_block);
	if (err) {
		pr_err("cannot watch memory hotplug: %d\n", err);
		return err;
	}
	registered = true;
	return 0;
}

/* Shows all struct pages to the programs that are loaded, and follows hotplug. */
int memory_map(void)
{
	int err;

	mutex_lock(&lock);
	following = true;
	err = update();
	mutex_unlock(&lock);
	return err;
}

/*
 * From now on nothing is mapped or unmapped here. What is mapped goes with all
 * other regions. May sleep.
 */
void memory_stop(void)
{
	mutex_lock(&lock);
	following = false;
	nr_pieces = 0;
	mutex_unlock(&lock);
}

void memory_unwatch(void)
{
	if (registered)
		unregister_memory_notifier(&hotplug_block);
	vmemmap_unwatch();
	registered = false;
}
