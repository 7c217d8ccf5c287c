// SPDX-License-Identifier: GPL-2.0
/*
 * What of the guest's memory the hypervisor shows to the programs.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/list.h>
#include <linux/mm.h>
#include <linux/printk.h>
#include <linux/slab.h>

#include "internal.h"

struct region {
	struct list_head list;
	unsigned long gva;
	unsigned long size;
	u32 flags;
	u32 id;
	u64 offset;
};

static LIST_HEAD(regions);

static struct region *find_region(unsigned long gva, unsigned long end,
				  u32 flags)
{
	struct region *region;

	list_for_each_entry(region, &regions, list) {
		if (region->flags == flags && gva >= region->gva &&
		    end <= region->gva + region->size)
			return region;
	}
	return NULL;
}

static struct region *map_region(const char *what, unsigned long gva,
				 unsigned long size, u32 flags)
{
	struct hyperupcall_map map = {
		.gva = gva,
		.size = size,
		.flags = flags,
	};
	struct region *region;
	long err;

	region = kzalloc(sizeof(*region), GFP_KERNEL);
	if (!region)
		return ERR_PTR(-ENOMEM);

	err = hypercall(HYPERUPCALL_MAP, &map, sizeof(map));
	if (err) {
		pr_err("the hypervisor refuses to map %s: %ld\n", what, err);
		kfree(region);
		return ERR_PTR(err);
	}

	region->gva = gva;
	region->size = size;
	region->flags = flags;
	region->id = map.region;
	region->offset = map.offset;
	list_add_tail(&region->list, &regions);
	return region;
}

/*
 * Show the pages that have @size bytes at @gva, until window_unmap_all().
 * @offset says where in the window those bytes are, @what is for the message.
 */
int window_map(const char *what, const void *gva, size_t size, u32 flags,
	       u64 *offset)
{
	unsigned long start = (unsigned long)gva & PAGE_MASK;
	unsigned long end = PAGE_ALIGN((unsigned long)gva + size);
	struct region *region;

	region = find_region(start, end, flags);
	if (!region)
		region = map_region(what, start, end - start, flags);
	if (IS_ERR(region))
		return PTR_ERR(region);

	*offset = region->offset + ((unsigned long)gva - region->gva);
	return 0;
}

/* Frees nothing, for it may run in a panic; called again it does nothing. */
static void unmap_region(struct region *region)
{
	struct hyperupcall_unmap unmap = { .region = xchg(&region->id, 0) };

	if (unmap.region)
		hypercall(HYPERUPCALL_UNMAP, &unmap, sizeof(unmap));
}

/* Take back what window_map() showed at @offset, with all of its region. */
void window_unmap(u64 offset)
{
	struct region *region;

	list_for_each_entry(region, &regions, list) {
		if (offset - region->offset >= region->size)
			continue;
		unmap_region(region);
		list_del(&region->list);
		kfree(region);
		return;
	}
}

void window_unmap_all(void)
{
	struct region *region;

	list_for_each_entry(region, &regions, list)
		unmap_region(region);
}

void window_free(void)
{
	struct region *region, *next;

	window_unmap_all();
	list_for_each_entry_safe(region, next, &regions, list) {
		list_del(&region->list);
		kfree(region);
	}
}
