// SPDX-License-Identifier: GPL-2.0
/*
 * What of the guest's memory the hypervisor shows to the programs.
 *
 * One task at a time maps and unmaps: who registers programs, or else the
 * memory notifier. A CPU that panics walks the list meanwhile, so an entry stays
 * in it until window_free(), and is used again for another region.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/mm.h>
#include <linux/printk.h>
#include <linux/rculist.h>
#include <linux/slab.h>

#include "internal.h"

/**
 * struct region - a region, or room for one
 * @list: in the list of all
 * @map: as the hypervisor has it; it writes the id here, which is zero if the
 *	hypervisor does not have it. A panic finds the id also if the CPU that
 *	made the hypercall stops before it gets any further.
 * @kept: the hypervisor has it although it was to be unmapped, and other pages
 *	may be at its address by now
 */
struct region {
	struct list_head list;
	struct hyperupcall_map map;
	bool kept;
};

static LIST_HEAD(regions);

static bool is_mapped(const struct region *region)
{
	return READ_ONCE(region->map.region);
}

static struct region *find_region(unsigned long gva, unsigned long end,
				  u32 flags)
{
	struct region *region;

	list_for_each_entry(region, &regions, list) {
		if (is_mapped(region) && !region->kept &&
		    region->map.flags == flags && gva >= region->map.gva &&
		    end <= region->map.gva + region->map.size)
			return region;
	}
	return NULL;
}

/* An entry without a region. */
static struct region *get_entry(void)
{
	struct region *region;

	list_for_each_entry(region, &regions, list) {
		if (!is_mapped(region))
			return region;
	}

	region = kzalloc(sizeof(*region), GFP_KERNEL);
	if (region)
		list_add_tail_rcu(&region->list, &regions);
	return region;
}

static struct region *map_region(const char *what, unsigned long gva,
				 unsigned long size, u32 flags)
{
	struct region *region = get_entry();
	long err;

	if (!region)
		return ERR_PTR(-ENOMEM);

	region->kept = false;
	region->map = (struct hyperupcall_map) {
		.gva = gva,
		.size = size,
		.flags = flags,
	};
	err = hypercall(HYPERUPCALL_MAP, &region->map, sizeof(region->map));
	if (err) {
		pr_err("the hypervisor refuses to map %s: %ld\n", what, err);
		return ERR_PTR(err);
	}
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

	*offset = region->map.offset + ((unsigned long)gva - region->map.gva);
	return 0;
}

static int unmap_region(struct region *region)
{
	int err = hypercall_drop(HYPERUPCALL_UNMAP, "a region",
				 &region->map.region);

	region->kept = err;
	return err;
}

/* Take back what window_map() showed at @offset, with all of its region. */
void window_unmap(u64 offset)
{
	struct region *region;

	list_for_each_entry(region, &regions, list) {
		if (is_mapped(region) &&
		    offset - region->map.offset < region->map.size) {
			unmap_region(region);
			return;
		}
	}
}

/* In any context. An error if the hypervisor keeps a region. */
int window_unmap_all(void)
{
	struct region *region;
	int err = 0;

	list_for_each_entry_rcu(region, &regions, list, true)
		err = unmap_region(region) ?: err;
	return err;
}

/* When no CPU walks the list any more. */
void window_free(void)
{
	struct region *region, *next;

	list_for_each_entry_safe(region, next, &regions, list) {
		list_del(&region->list);
		kfree(region);
	}
}
