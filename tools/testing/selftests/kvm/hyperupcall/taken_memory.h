/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The ways in which a VMM takes memory away from its guest, and gives the
 * guest other memory in the same place.
 */
#ifndef SELFTEST_KVM_HYPERUPCALL_TAKEN_MEMORY_H
#define SELFTEST_KVM_HYPERUPCALL_TAKEN_MEMORY_H

#include <sys/mman.h>

#include "hyperupcall_util.h"

#define SLOT		10
#define NR_PAGES	8
#define TAKEN		3	/* of these pages */

#define HUGE_PAGES	512	/* of a huge page */

/**
 * struct way - a way to take memory away
 * @type: of the memory
 * @nr_pages: of the memslot, if not NR_PAGES
 * @whole_slot: all of the slot goes, not just one page
 * @sync: it is gone when the system call returns
 * @take: take it away
 * @give_back: have other memory, or the same, there; NULL if there is some
 */
struct way {
	enum vm_mem_backing_src_type type;
	unsigned int nr_pages;
	bool whole_slot;
	bool sync;
	void (*take)(struct hup *h, struct hup_mem *mem);
	void (*give_back)(struct hup *h, struct hup_mem *mem);
};

static inline struct hup_mem add_slot_for(struct hup *h, const struct way *way)
{
	return hup_add_slot(h, way->type, SLOT, way->nr_pages ?: NR_PAGES, 0);
}

static inline void *taken_page(struct hup_mem *mem)
{
	return mem->hva + TAKEN * PAGE_SIZE;
}

static inline void set_slot(struct hup *h, struct hup_mem *mem, uint64_t move,
			    uint64_t size)
{
	struct userspace_mem_region *region = memslot2region(h->vm, SLOT);

	vm_set_user_memory_region(h->vm, SLOT, 0,
				  region->region.guest_phys_addr + move, size,
				  mem->hva);
}

static inline void punch(struct hup *h, off_t start, off_t len)
{
	int fd = memslot2region(h->vm, SLOT)->fd;

	TEST_ASSERT(!fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			       start, len), "fallocate");
}

static inline void punch_hole(struct hup *h, struct hup_mem *mem)
{
	punch(h, TAKEN * PAGE_SIZE, PAGE_SIZE);
}

static inline void punch_all(struct hup *h, struct hup_mem *mem)
{
	punch(h, 0, mem->size);
}

static inline void truncate_file(struct hup *h, struct hup_mem *mem)
{
	TEST_ASSERT(!ftruncate(memslot2region(h->vm, SLOT)->fd, 0), "ftruncate");
}

static inline void extend_file(struct hup *h, struct hup_mem *mem)
{
	TEST_ASSERT(!ftruncate(memslot2region(h->vm, SLOT)->fd, mem->size),
		    "ftruncate");
}

static inline void dontneed(struct hup *h, struct hup_mem *mem)
{
	TEST_ASSERT(!madvise(taken_page(mem), PAGE_SIZE, MADV_DONTNEED),
		    "madvise");
}

static inline void remove_page(struct hup *h, struct hup_mem *mem)
{
	TEST_ASSERT(!madvise(taken_page(mem), PAGE_SIZE, MADV_REMOVE),
		    "madvise");
}

static inline void map_over(struct hup *h, struct hup_mem *mem)
{
	void *p = mmap(taken_page(mem), PAGE_SIZE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	TEST_ASSERT(p != MAP_FAILED, "mmap");
}

static inline void unmap(struct hup *h, struct hup_mem *mem)
{
	TEST_ASSERT(!munmap(taken_page(mem), PAGE_SIZE), "munmap");
}

static inline void move_away(struct hup *h, struct hup_mem *mem)
{
	TEST_ASSERT(mremap(taken_page(mem), PAGE_SIZE, PAGE_SIZE,
			   MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL) !=
		    MAP_FAILED,
		    "mremap");
}

static inline void delete_slot(struct hup *h, struct hup_mem *mem)
{
	set_slot(h, mem, 0, 0);
}

static inline void move_slot(struct hup *h, struct hup_mem *mem)
{
	set_slot(h, mem, 1 << 28, mem->size);
}

static inline void move_slot_back(struct hup *h, struct hup_mem *mem)
{
	set_slot(h, mem, 0, mem->size);
}

static const struct way way_punch_hole = {
	.type = VM_MEM_SRC_SHMEM,
	.take = punch_hole,
};

static const struct way way_remove = {
	.type = VM_MEM_SRC_SHMEM,
	.take = remove_page,
};

static const struct way way_truncate = {
	.type = VM_MEM_SRC_SHMEM,
	.whole_slot = true,
	.take = truncate_file,
	.give_back = extend_file,
};

static const struct way way_punch_huge = {
	.type = VM_MEM_SRC_SHARED_HUGETLB,
	.nr_pages = HUGE_PAGES,
	.whole_slot = true,
	.take = punch_all,
};

static const struct way way_dontneed = {
	.type = VM_MEM_SRC_ANONYMOUS,
	.take = dontneed,
};

/* One page of a transparent huge one. */
static const struct way way_dontneed_huge = {
	.type = VM_MEM_SRC_ANONYMOUS_THP,
	.nr_pages = HUGE_PAGES,
	.take = dontneed,
};

static const struct way way_unmap = {
	.type = VM_MEM_SRC_ANONYMOUS,
	.take = unmap,
	.give_back = map_over,
};

static const struct way way_map_over = {
	.type = VM_MEM_SRC_ANONYMOUS,
	.take = map_over,
};

static const struct way way_move_away = {
	.type = VM_MEM_SRC_ANONYMOUS,
	.take = move_away,
};

static const struct way way_delete_slot = {
	.type = VM_MEM_SRC_ANONYMOUS,
	.whole_slot = true,
	.sync = true,
	.take = delete_slot,
	.give_back = move_slot_back,
};

static const struct way way_move_slot = {
	.type = VM_MEM_SRC_ANONYMOUS,
	.whole_slot = true,
	.sync = true,
	.take = move_slot,
	.give_back = move_slot_back,
};

#endif /* SELFTEST_KVM_HYPERUPCALL_TAKEN_MEMORY_H */
