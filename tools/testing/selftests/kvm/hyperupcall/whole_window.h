/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest that maps as much as fits into a window, and a host that has little
 * more memory than its page tables take: all of it is the same few pages.
 */
#ifndef SELFTEST_KVM_HYPERUPCALL_WHOLE_WINDOW_H
#define SELFTEST_KVM_HYPERUPCALL_WHOLE_WINDOW_H

#include <sys/mman.h>

#include "hyperupcall_util.h"

/* Offset 0 stays empty. */
#define WHOLE_WINDOW_PAGES	((1UL << 20) - 1)
#define WHOLE_WINDOW_SIZE	(WHOLE_WINDOW_PAGES * 4096)

/* The pages that are there; the first one follows upon the last one. */
#define WHOLE_WINDOW_REAL	512

/* The fourth-level page-table entry, and thereby the address. */
#define WHOLE_WINDOW_INDEX	16
#define WHOLE_WINDOW_GVA	((uint64_t)WHOLE_WINDOW_INDEX << 39)

#define WHOLE_WINDOW_SLOT	10
#define WHOLE_WINDOW_EMPTY_SLOT	11

/* What is mapped may not be more than the guest has: let it have more. */
static inline void whole_window_add_empty_slot(struct hup *h)
{
	const uint64_t size = 5ULL << 30;
	void *hva = mmap(NULL, size, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	TEST_ASSERT(hva != MAP_FAILED, "mmap");
	vm_set_user_memory_region(h->vm, WHOLE_WINDOW_EMPTY_SLOT, 0, 4ULL << 30,
				  size, hva);
}

static inline uint64_t *whole_window_table(struct hup *h, uint64_t *parent)
{
	vm_paddr_t gpa = vm_alloc_page_table(h->vm);

	*parent = gpa | PTE_PRESENT_MASK | PTE_WRITABLE_MASK;
	return addr_gpa2hva(h->vm, gpa);
}

/* A VM with 4 GiB of memory at WHOLE_WINDOW_GVA; @real are the real pages. */
static inline struct hup *whole_window_create(struct hup_mem *real)
{
	static const struct kvm_hyperupcall_policy policy = {
		.mem_percent = 100,
	};
	struct hup *h = hup_create_policy(1, &policy);
	uint64_t *pml4 = addr_gpa2hva(h->vm, h->vm->pgd);
	uint64_t entry, *top, *table;
	int i;

	*real = hup_add_slot(h, VM_MEM_SRC_ANONYMOUS, WHOLE_WINDOW_SLOT,
			     WHOLE_WINDOW_REAL, 0);
	whole_window_add_empty_slot(h);

	TEST_ASSERT(!pml4[WHOLE_WINDOW_INDEX], "that address is taken");
	top = whole_window_table(h, &pml4[WHOLE_WINDOW_INDEX]);

	/* Each GiB is the same one, and so is each 2 MiB in it. */
	table = whole_window_table(h, &entry);
	for (i = 0; i < 4; i++)
		top[i] = entry;
	top = table;
	table = whole_window_table(h, &entry);
	for (i = 0; i < 512; i++)
		top[i] = entry;
	for (i = 0; i < WHOLE_WINDOW_REAL; i++)
		table[i] = *vm_get_page_table_entry(h->vm, real->gva + i * 4096);
	return h;
}

#endif /* SELFTEST_KVM_HYPERUPCALL_WHOLE_WINDOW_H */
