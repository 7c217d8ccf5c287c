// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages are taken into use, written, checked and freed again while the host
 * reclaims them as fast as it can. Nothing that was written may be lost,
 * whoever writes: the guest, the VMM, the kernel for the VMM, or a device that
 * has pinned the page, in the page tables or in the page cache.
 */
#include <fcntl.h>
#include <linux/udmabuf.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "../../../../../mm/gup_test.h"
#include "kvm_test_harness.h"
#include "reclaim_owner.h"

#define ROUNDS		2000
#define NR_PAGEOUTS	1000	/* by the host meanwhile */

#define DISCARD		HYPERUPCALL_DISCARD

static uint64_t use_pages(struct owner *owner, owner_fill_fn fill,
			  uint64_t rounds)
{
	uint64_t lost = 0, n;

	for (n = 0; n < rounds; n++)
		lost += !owner_uses(owner, fill, n);

	return lost;
}

static uint64_t guest_use_pages(uint64_t free, uint64_t mem, uint64_t rounds,
				uint64_t owner_gva)
{
	struct owner *owner = (struct owner *)owner_gva;

	owner->free = (uint8_t *)free;
	owner->stride = RECLAIM_ANSWERS;
	owner->mem = (uint64_t *)mem;
	return use_pages(owner, owner_fill, rounds);
}

static uint64_t in_guest(struct reclaim *r)
{
	return hup_guest(r->h, 0, guest_use_pages,
			 r->h->data.gva + offsetof(struct reclaim_data, first),
			 r->mem.gva, ROUNDS,
			 r->h->data.gva + 3 * PAGE_SIZE);
}

static uint64_t in_vmm_by(struct reclaim *r, owner_fill_fn fill)
{
	struct owner owner;

	owner_init_vmm(&owner, r);
	return use_pages(&owner, fill, ROUNDS);
}

static uint64_t in_vmm(struct reclaim *r)
{
	return in_vmm_by(r, owner_fill);
}

static int pipe_fds[2];

/* The kernel copies, as it does for a device's file. */
static bool fill_from_pipe(struct owner *owner, unsigned int i, uint64_t value)
{
	uint64_t words[OWNER_WORDS];

	owner_set_free(owner, i, 0);
	write_words(words, value);
	TEST_ASSERT(write(pipe_fds[1], words, PAGE_SIZE) == PAGE_SIZE &&
		    read(pipe_fds[0], owner_page(owner, i), PAGE_SIZE) ==
		    PAGE_SIZE, "pipe");
	return true;
}

static uint64_t in_kernel(struct reclaim *r)
{
	uint64_t lost;

	TEST_ASSERT(!pipe(pipe_fds), "pipe");
	lost = in_vmm_by(r, fill_from_pipe);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	return lost;
}

static int gup_fd;

/*
 * A device has a page that is still free, and a moment later it is not. What the
 * device sees is what the owner wrote, or they have different pages.
 */
static bool fill_pinned(struct owner *owner, unsigned int i, uint64_t value)
{
	struct pin_longterm_test pin = {
		.addr = (uintptr_t)owner_page(owner, i),
		.size = PAGE_SIZE,
		.flags = PIN_LONGTERM_TEST_FLAG_USE_WRITE |
			 PIN_LONGTERM_TEST_FLAG_USE_FAST,
	};
	uint64_t words[OWNER_WORDS] = {}, to = (uintptr_t)words;

	TEST_ASSERT(!ioctl(gup_fd, PIN_LONGTERM_TEST_START, &pin), "pin");
	owner_fill(owner, i, value);
	TEST_ASSERT(!ioctl(gup_fd, PIN_LONGTERM_TEST_READ, &to) &&
		    !ioctl(gup_fd, PIN_LONGTERM_TEST_STOP), "unpin");
	return has_words(words, value);
}

static uint64_t pinned(struct reclaim *r)
{
	uint64_t lost;

	gup_fd = open("/sys/kernel/debug/gup_test", O_RDWR);
	TEST_ASSERT(gup_fd >= 0, "This needs CONFIG_GUP_TEST and debugfs");
	lost = in_vmm_by(r, fill_pinned);
	close(gup_fd);
	return lost;
}

static struct reclaimer *racing;
static int memfd, udmabuf_fd;

/* A memfd as a device wants it: it does not shrink. */
static struct hup_mem add_sealed(struct reclaim *r)
{
	struct hup_mem mem = { .size = OWNER_PAGES * PAGE_SIZE };

	memfd = memfd_create("guest", MFD_ALLOW_SEALING);
	TEST_ASSERT(memfd >= 0 && !ftruncate(memfd, mem.size) &&
		    !fcntl(memfd, F_ADD_SEALS, F_SEAL_SHRINK), "memfd");
	mem.hva = mmap(NULL, mem.size, PROT_READ | PROT_WRITE, MAP_SHARED, memfd,
		       0);
	TEST_ASSERT(mem.hva != MAP_FAILED &&
		    !madvise(mem.hva, mem.size, MADV_DONTFORK), "mmap");
	vm_set_user_memory_region(r->h->vm, RECLAIM_SLOT, 0,
				  RECLAIM_GFN << PAGE_SHIFT, mem.size, mem.hva);
	return mem;
}

/*
 * Until the host asks about the page for the second time, which is the last, and
 * has not heard the answer yet; or until it has passed the page by.
 */
static void wait_until_asked(unsigned int i)
{
	uint64_t *asked = &racing->r->data->asked[i];
	uint64_t until = READ_ONCE(*asked) + 2;
	unsigned int passed = READ_ONCE(racing->pageouts);

	passed += (i - passed) % OWNER_PAGES + 1;
	while (READ_ONCE(*asked) < until &&
	       (int)(READ_ONCE(racing->pageouts) - passed) < 0)
		cpu_relax();
}

/* What a device is to write, and where. */
struct device_write {
	unsigned int page;
	uint64_t value;
};

/* Has the page only while it writes, and by nobody's mapping of the memfd. */
static void device_write(const struct device_write *write)
{
	struct udmabuf_create create = {
		.memfd = memfd,
		.offset = write->page * PAGE_SIZE,
		.size = PAGE_SIZE,
	};
	int buf = ioctl(udmabuf_fd, UDMABUF_CREATE, &create);
	uint64_t *page = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
			      buf, 0);

	TEST_ASSERT(page != MAP_FAILED, "udmabuf");
	write_words(page, write->value);
	munmap(page, PAGE_SIZE);
	close(buf);
}

static int device_fds[2];

/* The device is a process of its own: mmap() here waits for madvise(). */
static pid_t device_start(void)
{
	struct device_write write;
	pid_t pid;

	TEST_ASSERT(!socketpair(AF_UNIX, SOCK_SEQPACKET, 0, device_fds), "socket");
	pid = fork();
	TEST_ASSERT(pid >= 0, "fork");
	if (pid) {
		close(device_fds[1]);
		return pid;
	}

	close(device_fds[0]);
	while (recv(device_fds[1], &write, sizeof(write), 0) > 0) {
		device_write(&write);
		send(device_fds[1], "", 1, 0);
	}
	_exit(0);
}

static void device_stop(pid_t pid)
{
	int status;

	close(device_fds[0]);
	TEST_ASSERT(waitpid(pid, &status, 0) == pid && !status, "device");
}

/* It comes when the host has looked who has the page, and is gone before the end. */
static bool fill_by_device(struct owner *owner, unsigned int i, uint64_t value)
{
	struct device_write write = { .page = i, .value = value };
	char done;

	/* Whoever waits keeps step with the host, which is to want used pages, too. */
	if (value / OWNER_PAGES % 2) {
		/* What is not mapped it does not want at all. */
		WRITE_ONCE(*owner_page(owner, i), 0);
		wait_until_asked(i);
	}
	owner_set_free(owner, i, 0);
	TEST_ASSERT(send(device_fds[0], &write, sizeof(write), 0) > 0 &&
		    recv(device_fds[0], &done, 1, 0) == 1, "device");
	/* The device does not say that it wrote, so reclaim would drop the page. */
	WRITE_ONCE(*owner_page(owner, i), value);
	return true;
}

static uint64_t in_device(struct reclaim *r)
{
	uint64_t lost;
	pid_t pid;

	udmabuf_fd = open("/dev/udmabuf", O_RDWR);
	TEST_ASSERT(udmabuf_fd >= 0, "This needs CONFIG_UDMABUF");
	pid = device_start();
	lost = in_vmm_by(r, fill_by_device);
	device_stop(pid);
	close(udmabuf_fd);
	return lost;
}

FIXTURE(race) {
	struct reclaim *r;
	struct reclaimer reclaimer;
	unsigned long discarded;
};

FIXTURE_VARIANT(race) {
	enum vm_mem_backing_src_type type;
	uint64_t (*use)(struct reclaim *r);
	bool sealed;	/* a memfd of that kind */
};

FIXTURE_VARIANT_ADD(race, anonymous_guest) {
	.type = VM_MEM_SRC_ANONYMOUS, .use = in_guest,
};

FIXTURE_VARIANT_ADD(race, anonymous_vmm) {
	.type = VM_MEM_SRC_ANONYMOUS, .use = in_vmm,
};

FIXTURE_VARIANT_ADD(race, anonymous_kernel) {
	.type = VM_MEM_SRC_ANONYMOUS, .use = in_kernel,
};

FIXTURE_VARIANT_ADD(race, anonymous_pinned) {
	.type = VM_MEM_SRC_ANONYMOUS, .use = pinned,
};

FIXTURE_VARIANT_ADD(race, memfd_guest) {
	.type = VM_MEM_SRC_SHMEM, .use = in_guest,
};

FIXTURE_VARIANT_ADD(race, memfd_vmm) {
	.type = VM_MEM_SRC_SHMEM, .use = in_vmm,
};

FIXTURE_VARIANT_ADD(race, memfd_kernel) {
	.type = VM_MEM_SRC_SHMEM, .use = in_kernel,
};

FIXTURE_VARIANT_ADD(race, memfd_pinned) {
	.type = VM_MEM_SRC_SHMEM, .use = pinned,
};

FIXTURE_VARIANT_ADD(race, memfd_device) {
	.sealed = true, .use = in_device,
};

FIXTURE_SETUP(race)
{
	static_assert(sizeof(struct reclaim_data) <= 3 * PAGE_SIZE);
	static_assert(sizeof(struct owner) <= PAGE_SIZE);
	self->r = reclaim_create();
	self->r->mem = variant->sealed ? add_sealed(self->r) :
		       hup_add_slot(self->r->h, variant->type, RECLAIM_SLOT,
				    OWNER_PAGES, 0);
	self->discarded = reclaim_vmstat("pgdiscard");
	racing = &self->reclaimer;
	reclaimer_start(racing, self->r);
}

FIXTURE_TEARDOWN(race)
{
	reclaimer_stop(&self->reclaimer);
	reclaim_free(self->r);
}

/* Whether anything is lost while the host takes so many pages. */
static bool loses(struct reclaimer *reclaimer,
		  uint64_t (*use)(struct reclaim *r))
{
	while (READ_ONCE(reclaimer->pageouts) < NR_PAGEOUTS) {
		if (use(reclaimer->r))
			return true;
	}

	return false;
}

HUP_TEST(race, nothing_is_lost)
{
	EXPECT_FALSE(loses(&self->reclaimer, variant->use));
	EXPECT_LT(self->discarded, reclaim_vmstat("pgdiscard"));
}

/* The test of the test: a guest that gives away what it uses. */
HUP_TEST(race, what_is_given_away_is_lost)
{
	struct reclaim *r = self->r;
	long prog = hup_load_return(r->h, DISCARD);

	ASSERT_EQ(r->link, hup_replace(r->h, prog, HYPERUPCALL_EVENT_RECLAIM,
				       r->link));
	EXPECT_TRUE(loses(&self->reclaimer, variant->use));
}

int main(int argc, char **argv)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_HYPERUPCALL));

	return test_harness_run(argc, argv);
}
