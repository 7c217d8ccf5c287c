// SPDX-License-Identifier: GPL-2.0-only
/*
 * MAP that takes long, since the VMM has yet to provide the memory or there is
 * much of it: it goes on as long as nobody wants something else of its vCPU.
 */
#include <signal.h>

#include "kvm_test_harness.h"
#include "missing_memory.h"
#include "whole_window.h"
#include "window_programs.h"

#define NR_PAGES	4

FIXTURE(missing) {
	struct hup *h;
	struct hup_mem mem;
	struct hyperupcall_map *map;
	unsigned long locked;
	int uffd;
};

static uint64_t guest_call(uint64_t op, uint64_t gva, uint64_t size,
			   uint64_t a3)
{
	return kvm_hypercall(KVM_HC_HYPERUPCALL, op, gva, size, 0);
}

FIXTURE_SETUP(missing)
{
	struct hup *h = hup_create(2);

	self->h = h;
	self->locked = hup_locked_kb();
	self->uffd = missing_add_slot(h, NR_PAGES, &self->mem);
	self->map = h->data.hva;
	*self->map = (struct hyperupcall_map) {
		.gva = self->mem.gva,
		.size = self->mem.size,
		.flags = HYPERUPCALL_MAP_WRITE,
	};
	/* Not the boot vCPU. */
	hup_start(h, 1, guest_call, HYPERUPCALL_MAP, h->data.gva,
		  sizeof(*self->map), 0);
}

FIXTURE_TEARDOWN(missing)
{
	/* The library would delete a memslot that is gone. */
	hup_release(self->h);
}

HUP_TEST(missing, provided)
{
	uint64_t content[512] = { 77 };
	uint64_t faults;
	void *page;
	int i;

	for (i = 0; i < NR_PAGES; i++) {
		page = missing_wait(self->uffd);
		EXPECT_EQ(self->mem.hva + i * PAGE_SIZE, page);
		content[0] = 77 + i;
		missing_provide(self->uffd, page, content);
	}
	ASSERT_EQ(0, hup_join(self->h, 1));
	for (i = 0; i < NR_PAGES; i++) {
		EXPECT_EQ(77 + i,
			  hup_run(self->h, load_loader(self->h, BPF_DW, 0),
				  self->map->offset + i * PAGE_SIZE, 0,
				  &faults));
		EXPECT_EQ(0, faults);
	}
}

/* The VMM gives up the memory instead: what remains is refused. */
HUP_TEST(missing, taken_meanwhile)
{
	unsigned long locked;

	missing_wait(self->uffd);
	locked = hup_locked_kb();
	vm_set_user_memory_region(self->h->vm, MISSING_SLOT, 0,
				  (1ULL << 30) + ((uint64_t)MISSING_SLOT << 24),
				  0, self->mem.hva);
	ASSERT_EQ(0, munmap(self->mem.hva, self->mem.size));
	/* Who waits looks again. */
	close(self->uffd);
	EXPECT_EQ(-EFAULT, (long)hup_join(self->h, 1));
	EXPECT_EQ(locked - self->mem.size / 1024, hup_locked_kb());
}

static void on_signal(int sig)
{
}

/*
 * A VMM that wants its thread back sends it a signal, as it does for any guest
 * that waits for memory.
 */
HUP_TEST(missing, interrupted)
{
	struct sigaction action = { .sa_handler = on_signal };
	uint64_t content[512] = {};
	int i;

	ASSERT_EQ(0, sigaction(SIGUSR1, &action, NULL));
	missing_wait(self->uffd);
	pthread_kill(self->h->vcpus[1].thread, SIGUSR1);
	usleep(100000);
	for (i = 0; i < NR_PAGES; i++)
		missing_provide(self->uffd, self->mem.hva + i * PAGE_SIZE,
				content);
	EXPECT_EQ(-EAGAIN, (long)hup_join(self->h, 1));
}

static void *run_vcpu(void *vcpu)
{
	__vcpu_run(vcpu);
	return NULL;
}

/*
 * The boot vCPU's INIT waits for MAP, which waits for the VMM, which deletes a
 * memslot first.
 */
HUP_TEST(missing, init_of_boot_vcpu)
{
	struct hup *h = self->h;
	struct hyperupcall_query q = {};
	unsigned long locked;
	uint64_t content[512] = {};
	struct hup_mem other;
	pthread_t thread;
	int i;

	other = hup_add_slot(h, VM_MEM_SRC_ANONYMOUS, MISSING_SLOT + 1, 1, 0);
	missing_wait(self->uffd);
	locked = hup_locked_kb() - self->mem.size / 1024;
	hup_send_init(h, 0);
	ASSERT_EQ(0, pthread_create(&thread, NULL, run_vcpu, h->vcpus[0].vcpu));
	usleep(100000);
	vm_set_user_memory_region(h->vm, MISSING_SLOT + 1, 0,
				  (1ULL << 30) +
				  ((uint64_t)(MISSING_SLOT + 1) << 24),
				  0, other.hva);
	for (i = 0; i < NR_PAGES; i++)
		missing_provide(self->uffd, self->mem.hva + i * PAGE_SIZE,
				content);
	EXPECT_EQ(0, hup_join(h, 1));
	pthread_join(thread, NULL);
	ASSERT_EQ(0, hup_op_on(h, 1, HYPERUPCALL_QUERY, &q, sizeof(q)));
	EXPECT_EQ(0, q.nr_regions);
	EXPECT_EQ(locked, hup_locked_kb());
}

/* What waits for MAP in a thread of its own, until it is over. */
struct waiter {
	struct kvm_vcpu *vcpu;
	struct kvm_sregs sregs;
	pthread_t thread;
	int err;
	bool over;
};

static void *set_sregs(void *arg)
{
	struct waiter *w = arg;

	w->err = __vcpu_ioctl(w->vcpu, KVM_SET_SREGS, &w->sregs) ? errno : 0;
	WRITE_ONCE(w->over, true);
	return NULL;
}

static void *run_vcpu_once(void *arg)
{
	struct waiter *w = arg;

	w->err = __vcpu_run(w->vcpu) ? errno : 0;
	WRITE_ONCE(w->over, true);
	return NULL;
}

/* Sends signals until the thread has seen one, or memory comes by itself. */
static bool interrupt(struct waiter *w)
{
	int i;

	/* So that it waits when the first one comes. */
	usleep(100000);
	for (i = 0; i < 500 && !READ_ONCE(w->over); i++) {
		pthread_kill(w->thread, SIGUSR1);
		usleep(10000);
	}
	return READ_ONCE(w->over);
}

static unsigned int nr_regions(struct hup *h)
{
	struct hyperupcall_query q = {};

	TEST_ASSERT(!hup_op_on(h, 1, HYPERUPCALL_QUERY, &q, sizeof(q)), "QUERY");
	return q.nr_regions;
}

/* A signal comes to @what while MAP waits. Then MAP gets its memory, and is over. */
static void interrupt_while_mapping(struct __test_metadata *_metadata,
				    struct hup *h, int uffd, void *mem,
				    struct waiter *w, void *(*what)(void *))
{
	struct sigaction action = { .sa_handler = on_signal };
	uint64_t content[512] = {};
	int i;

	ASSERT_EQ(0, sigaction(SIGUSR1, &action, NULL));
	missing_wait(uffd);
	ASSERT_EQ(0, pthread_create(&w->thread, NULL, what, w));
	EXPECT_EQ(true, interrupt(w));
	for (i = 0; i < NR_PAGES; i++)
		missing_provide(uffd, mem + i * PAGE_SIZE, content);
	pthread_join(w->thread, NULL);
	EXPECT_EQ(0, hup_join(h, 1));
}

/*
 * Who resets the boot vCPU while MAP waits for the VMM is interrupted by a
 * signal, and has still to be told that the reset is over. The reset is not
 * forgotten: what MAP has mapped meanwhile is that of the old kernel.
 */
HUP_TEST(missing, reset_interrupted)
{
	struct waiter w = { .vcpu = self->h->vcpus[0].vcpu };
	struct kvm_sregs sregs;

	vcpu_sregs_get(w.vcpu, &sregs);
	w.sregs = sregs;
	hup_leave_paged_mode(&w.sregs);
	interrupt_while_mapping(_metadata, self->h, self->uffd, self->mem.hva, &w,
				set_sregs);
	EXPECT_EQ(EINTR, w.err);
	EXPECT_LT(self->locked, hup_locked_kb());

	/* Paged mode again. */
	vcpu_sregs_set(w.vcpu, &sregs);
	EXPECT_EQ(self->locked, hup_locked_kb());
	EXPECT_EQ(0, nr_regions(self->h));
}

/* The same on the way into the guest, as after INIT. */
HUP_TEST(missing, init_interrupted)
{
	struct waiter w = { .vcpu = self->h->vcpus[0].vcpu };

	hup_send_init(self->h, 0);
	interrupt_while_mapping(_metadata, self->h, self->uffd, self->mem.hva, &w,
				run_vcpu_once);
	EXPECT_EQ(EINTR, w.err);
	EXPECT_LT(self->locked, hup_locked_kb());

	/* Another vCPU finds nothing of the old kernel, before this one goes on. */
	EXPECT_EQ(0, nr_regions(self->h));
	EXPECT_EQ(self->locked, hup_locked_kb());
	run_vcpu(w.vcpu);
	EXPECT_EQ(0, nr_regions(self->h));
}

FIXTURE(much) {
	struct hup *h;
	unsigned long locked;
};

FIXTURE_SETUP(much)
{
	struct hup_mem real;

	self->h = whole_window_create(&real);
	self->locked = hup_locked_kb();
}

FIXTURE_TEARDOWN(much)
{
	hup_free(self->h);
}

/* What was mapped before the signal came is given back. */
HUP_TEST(much, interrupted)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct hup *h = self->h;
	struct hyperupcall_map map = {
		.gva = WHOLE_WINDOW_GVA,
		.size = WHOLE_WINDOW_SIZE,
	};
	struct hyperupcall_query q;

	ASSERT_EQ(0, sigaction(SIGUSR1, &action, NULL));
	memcpy(h->data.hva, &map, sizeof(map));
	hup_start(h, 0, guest_call, HYPERUPCALL_MAP, h->data.gva, sizeof(map),
		  0);
	/* It is charged before anything of it is mapped. */
	while (hup_locked_kb() == self->locked)
		usleep(1000);
	pthread_kill(h->vcpus[0].thread, SIGUSR1);
	EXPECT_EQ(-EAGAIN, (long)hup_join(h, 0));
	hup_query(h, &q);
	EXPECT_EQ(0, q.mem);
	EXPECT_EQ(0, q.nr_regions);
	EXPECT_EQ(self->locked, hup_locked_kb());
}

int main(int argc, char **argv)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_HYPERUPCALL));

	return test_harness_run(argc, argv);
}
