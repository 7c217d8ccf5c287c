/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Guest memory that is not there yet, as while a VM migrates: whoever touches
 * it waits until the VMM provides it.
 */
#ifndef SELFTEST_KVM_HYPERUPCALL_MISSING_MEMORY_H
#define SELFTEST_KVM_HYPERUPCALL_MISSING_MEMORY_H

#include <linux/userfaultfd.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "hyperupcall_util.h"

#define MISSING_SLOT	12

/* Memory of which nothing is there; returns the descriptor to provide it. */
static inline int missing_add_slot(struct hup *h, unsigned int npages,
				   struct hup_mem *mem)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = {
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	int uffd = syscall(SYS_userfaultfd, O_CLOEXEC);

	TEST_ASSERT(uffd >= 0, "userfaultfd");
	*mem = hup_add_slot(h, VM_MEM_SRC_ANONYMOUS, MISSING_SLOT, npages, 0);
	reg.range.start = (uintptr_t)mem->hva;
	reg.range.len = mem->size;
	TEST_ASSERT(!ioctl(uffd, UFFDIO_API, &api), "UFFDIO_API");
	TEST_ASSERT(!ioctl(uffd, UFFDIO_REGISTER, &reg), "UFFDIO_REGISTER");
	return uffd;
}

/* Waits until somebody touches a page, returns its address. */
static inline void *missing_wait(int uffd)
{
	struct uffd_msg msg;

	TEST_ASSERT(read(uffd, &msg, sizeof(msg)) == sizeof(msg) &&
		    msg.event == UFFD_EVENT_PAGEFAULT, "no page fault");
	return (void *)(uintptr_t)msg.arg.pagefault.address;
}

static inline void missing_provide(int uffd, void *page, const void *content)
{
	struct uffdio_copy copy = {
		.dst = (uintptr_t)page & ~(PAGE_SIZE - 1),
		.src = (uintptr_t)content,
		.len = PAGE_SIZE,
	};

	TEST_ASSERT(!ioctl(uffd, UFFDIO_COPY, &copy), "UFFDIO_COPY");
}

#endif /* SELFTEST_KVM_HYPERUPCALL_MISSING_MEMORY_H */
