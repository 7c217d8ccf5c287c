// SPDX-License-Identifier: GPL-2.0-only
/*
 * The RECLAIM event and memory that somebody else has, too: it is discarded if
 * all who can say something say so, and if nobody would miss it.
 */
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "kvm_test_harness.h"
#include "reclaim_cgroup.h"
#include "reclaim_fixture.h"

#define NR_PAGES	8
#define DISCARD		HYPERUPCALL_DISCARD

FIXTURE(shared) {
	struct reclaim *r;
};

FIXTURE_SETUP(shared)
{
	self->r = reclaim_create();
}

FIXTURE_TEARDOWN(shared)
{
	/* The library would unmap what is gone: leave that to exit(). */
}

/* All pages may go, says the guest. */
static void add_memory(struct reclaim *r, enum vm_mem_backing_src_type type)
{
	int i;

	r->mem = hup_add_slot(r->h, type, RECLAIM_SLOT, NR_PAGES, 0);
	reclaim_fill(r);
	reclaim_link(r);
	for (i = 0; i < NR_PAGES; i++)
		reclaim_answer(r, i, DISCARD, DISCARD);
}

static int count_kept(struct reclaim *r)
{
	int i, n = 0;

	for (i = 0; i < NR_PAGES; i++)
		n += *reclaim_page(r, i) == i + 1;
	return n;
}

/* Runs @fn in a child and returns what it returns. */
static int in_child(int (*fn)(struct reclaim *r), struct reclaim *r)
{
	pid_t pid = fork();
	int status;

	TEST_ASSERT(pid >= 0, "fork");
	if (!pid)
		_exit(fn(r));
	TEST_ASSERT(waitpid(pid, &status, 0) == pid && WIFEXITED(status),
		    "waitpid");
	return WEXITSTATUS(status);
}

static int pageout_and_count(struct reclaim *r)
{
	reclaim_pageout(r->mem.hva, r->mem.size);
	return count_kept(r);
}

/* A child that came from fork() owns the pages as well. */
HUP_TEST(shared, forked)
{
	struct reclaim *r = self->r;

	add_memory(r, VM_MEM_SRC_ANONYMOUS);
	EXPECT_EQ(NR_PAGES, in_child(pageout_and_count, r));
	EXPECT_EQ(NR_PAGES, count_kept(r));
	EXPECT_EQ(0, r->data->asked[0]);
}

/* The parent wrote since, and has a copy of its own of half of them. */
HUP_TEST(shared, forked_and_written)
{
	struct reclaim *r = self->r;
	int fds[2], status, i;
	pid_t pid;
	char c;

	add_memory(r, VM_MEM_SRC_ANONYMOUS);
	ASSERT_EQ(0, pipe(fds));
	pid = fork();
	if (!pid) {
		/* Until the parent has done, then look. */
		if (read(fds[0], &c, 1) != 1)
			_exit(99);
		_exit(count_kept(r));
	}
	for (i = 0; i < NR_PAGES; i += 2)
		*reclaim_page(r, i) = i + 1;
	reclaim_pageout(r->mem.hva, r->mem.size);
	EXPECT_EQ(NR_PAGES / 2, count_kept(r));
	for (i = 0; i < NR_PAGES; i++)
		EXPECT_EQ(i % 2 ? 0 : 2, r->data->asked[i]);
	EXPECT_EQ(1, write(fds[1], "", 1));
	EXPECT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(NR_PAGES, WEXITSTATUS(status));
}

static unsigned long nr_merged(void)
{
	FILE *f = fopen("/sys/kernel/mm/ksm/pages_sharing", "r");
	unsigned long n;

	TEST_ASSERT(f && fscanf(f, "%lu", &n) == 1 && !fclose(f), "KSM");
	return n;
}

HUP_TEST(shared, merged)
{
	struct reclaim *r = self->r;
	FILE *f = fopen("/sys/kernel/mm/ksm/run", "w");
	int i;

	ASSERT_TRUE(f && fprintf(f, "1\n") > 0 && !fclose(f));
	add_memory(r, VM_MEM_SRC_ANONYMOUS);
	for (i = 0; i < NR_PAGES; i++)
		*reclaim_page(r, i) = 1;
	ASSERT_EQ(0, madvise(r->mem.hva, r->mem.size, MADV_MERGEABLE));
	for (i = 0; i < 10000 && nr_merged() < NR_PAGES - 1; i++)
		usleep(1000);
	ASSERT_EQ(NR_PAGES - 1, nr_merged());
	reclaim_pageout(r->mem.hva, r->mem.size);
	EXPECT_EQ(0, r->data->asked[0]);
	EXPECT_EQ(1, *reclaim_page(r, 0));
	EXPECT_EQ(1, *reclaim_page(r, NR_PAGES - 1));
	f = fopen("/sys/kernel/mm/ksm/run", "w");
	EXPECT_TRUE(f && fprintf(f, "2\n") > 0 && !fclose(f));
}

/* Where there is no page of its own there is the file's. */
HUP_TEST(shared, private_file)
{
	struct reclaim *r = self->r;
	int fd = syscall(SYS_memfd_create, "file", 0);
	char ff[PAGE_SIZE];
	int i;

	add_memory(r, VM_MEM_SRC_ANONYMOUS);
	memset(ff, 0xff, sizeof(ff));
	for (i = 0; i < NR_PAGES; i++)
		ASSERT_EQ(sizeof(ff), write(fd, ff, sizeof(ff)));
	ASSERT_EQ(r->mem.hva, mmap(r->mem.hva, r->mem.size,
				   PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_FIXED, fd, 0));
	for (i = 0; i < NR_PAGES; i += 2)
		*reclaim_page(r, i) = i + 1;
	reclaim_pageout(r->mem.hva, r->mem.size);
	for (i = 0; i < NR_PAGES; i++)
		EXPECT_EQ(i % 2 ? ~0ul : i + 1, *reclaim_page(r, i));
}

/* Whoever has the memory besides sees that it is gone. */
HUP_TEST(shared, mapped_twice)
{
	struct reclaim *r = self->r;
	uint64_t *other;
	int i;

	reclaim_cgroup_enter();
	add_memory(r, VM_MEM_SRC_SHMEM);
	other = mmap(NULL, r->mem.size, PROT_READ | PROT_WRITE, MAP_SHARED,
		     memslot2region(r->h->vm, RECLAIM_SLOT)->fd, 0);
	ASSERT_NE(MAP_FAILED, other);
	EXPECT_EQ(1, *other);
	/* The page was read just now, and others may go before it. */
	for (i = 0; i < 5 && *other; i++)
		reclaim_cgroup(5);
	EXPECT_EQ(0, *other);
	EXPECT_EQ(0, *reclaim_page(r, 0));
	*other = 3;
	EXPECT_EQ(3, *reclaim_page(r, 0));
}

/* Another VM with the memory, which does or does not say anything. */
static struct reclaim *another_vm(struct reclaim *r)
{
	struct reclaim *other = reclaim_create();

	vm_set_user_memory_region(other->h->vm, RECLAIM_SLOT, 0,
				  RECLAIM_GFN << PAGE_SHIFT, r->mem.size,
				  r->mem.hva);
	return other;
}

HUP_TEST(shared, another_vm_has_no_link)
{
	struct reclaim *r = self->r, *other;

	add_memory(r, VM_MEM_SRC_ANONYMOUS);
	other = another_vm(r);
	reclaim_pageout(r->mem.hva, r->mem.size);
	EXPECT_EQ(NR_PAGES, count_kept(r));

	vm_set_user_memory_region(other->h->vm, RECLAIM_SLOT, 0,
				  RECLAIM_GFN << PAGE_SHIFT, 0, r->mem.hva);
	reclaim_pageout(r->mem.hva, r->mem.size);
	EXPECT_EQ(0, count_kept(r));
}

HUP_TEST(shared, another_vm_has_a_say)
{
	struct reclaim *r = self->r, *other;
	int i;

	add_memory(r, VM_MEM_SRC_ANONYMOUS);
	other = another_vm(r);
	reclaim_link(other);
	for (i = 0; i < NR_PAGES; i += 2)
		reclaim_answer(other, i, DISCARD, DISCARD);
	reclaim_pageout(r->mem.hva, r->mem.size);
	for (i = 0; i < NR_PAGES; i++)
		EXPECT_EQ(i % 2 ? i + 1 : 0, *reclaim_page(r, i));
}

/* The guest has it in two places, and thinks of one as used. */
HUP_TEST(shared, two_memslots)
{
	struct reclaim *r = self->r;
	struct userspace_mem_region *region;
	int i;

	add_memory(r, VM_MEM_SRC_ANONYMOUS);
	region = memslot2region(r->h->vm, RECLAIM_SLOT);
	vm_set_user_memory_region(r->h->vm, RECLAIM_SLOT + 1, 0,
				  region->region.guest_phys_addr + r->mem.size,
				  r->mem.size, r->mem.hva);
	reclaim_answer(r, NR_PAGES + 1, DISCARD, DISCARD);
	reclaim_pageout(r->mem.hva, r->mem.size);
	for (i = 0; i < NR_PAGES; i++)
		EXPECT_EQ(i == 1 ? 0 : i + 1, *reclaim_page(r, i));
}

/* Who registered for missing pages would be told of these. */
HUP_TEST(shared, userfaultfd)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct reclaim *r = self->r;
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	int uffd = syscall(SYS_userfaultfd, O_CLOEXEC);

	add_memory(r, VM_MEM_SRC_ANONYMOUS);
	reg.range.start = (uintptr_t)r->mem.hva;
	reg.range.len = r->mem.size;
	ASSERT_EQ(0, ioctl(uffd, UFFDIO_API, &api));
	ASSERT_EQ(0, ioctl(uffd, UFFDIO_REGISTER, &reg));
	reclaim_pageout(r->mem.hva, r->mem.size);
	EXPECT_EQ(0, r->data->asked[0]);
	EXPECT_EQ(NR_PAGES, count_kept(r));
}

int main(int argc, char **argv)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_HYPERUPCALL));

	return test_harness_run(argc, argv);
}
