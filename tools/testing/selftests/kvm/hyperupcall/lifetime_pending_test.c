// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest's kernel is gone, and what it registered cannot be dropped yet, since
 * another vCPU's MAP waits for the VMM: no program runs meanwhile, and what comes
 * later is not taken for that.
 */
#include <signal.h>

#include "kvm_test_harness.h"
#include "lifetime_fixture.h"
#include "missing_memory.h"
#include "reclaim_fixture.h"
#include "state_util.h"

#define NR_PAGES	4
#define MAPPER		1	/* the vCPU that maps */

FIXTURE(pending) {
	struct reclaim r;
	struct hup_mem missing;
	struct hyperupcall_map *map;
	int uffd;
};

enum how {
	BY_INIT,
	BY_MOV_TO_CR0,
	BY_TSC,
};

FIXTURE_VARIANT(pending) {
	enum how how;
	unsigned int vcpu;
};

FIXTURE_VARIANT_ADD(pending, init) { .how = BY_INIT };
FIXTURE_VARIANT_ADD(pending, mov_to_cr0) { .how = BY_MOV_TO_CR0 };
FIXTURE_VARIANT_ADD(pending, tsc_of_boot_vcpu) { .how = BY_TSC };
FIXTURE_VARIANT_ADD(pending, tsc_of_another_vcpu) { .how = BY_TSC, .vcpu = 2 };

static uint64_t guest_call(uint64_t op, uint64_t gva, uint64_t size,
			   uint64_t a3)
{
	return kvm_hypercall(KVM_HC_HYPERUPCALL, op, gva, size, 0);
}

FIXTURE_SETUP(pending)
{
	static const struct kvm_hyperupcall_policy policy = {
		.mem_percent = 100,
		.mem_percent_global = 100,
		.max_verified_insns_global = 262144,
	};
	struct reclaim *r = &self->r;
	struct hup *h = hup_create_policy(3, &policy);

	r->h = h;
	vm_install_exception_handler(h->vm, NMI_VECTOR, reclaim_handle_nmi);
	r->data = h->data.hva;
	memset(r->data, 0, sizeof(*r->data));
	ASSERT_LT(0, hup_map(h, h->data.gva, 3 * PAGE_SIZE, HYPERUPCALL_MAP_WRITE,
			     &r->offset));
	r->mem = hup_add_slot(h, VM_MEM_SRC_ANONYMOUS, RECLAIM_SLOT, NR_PAGES, 0);
	reclaim_fill(r);
	reclaim_link(r);
	self->uffd = missing_add_slot(h, NR_PAGES, &self->missing);
	self->map = h->data.hva + 3 * PAGE_SIZE;
	*self->map = (struct hyperupcall_map) {
		.gva = self->missing.gva,
		.size = self->missing.size,
		.flags = HYPERUPCALL_MAP_WRITE,
	};
}

/* The library would delete a memslot that is gone. */
FIXTURE_TEARDOWN(pending)
{
	hup_release(self->r.h);
}

static void on_signal(int sig)
{
}

static void *run_vcpu_once(void *vcpu)
{
	__vcpu_run(vcpu);
	return NULL;
}

/* Long ago, and a signal that comes meanwhile is not told. */
static void *set_tsc(void *vcpu)
{
	vcpu_set_msr(vcpu, MSR_IA32_TSC, 1000);
	return NULL;
}

static void start_map(struct hup *h, const struct hyperupcall_map *map, int uffd)
{
	hup_start(h, MAPPER, guest_call, HYPERUPCALL_MAP,
		  h->data.gva + 3 * PAGE_SIZE, sizeof(*map), 0);
	missing_wait(uffd);
}

static void finish_map(struct hup *h, const struct hup_mem *missing, int uffd)
{
	uint64_t content[512] = {};
	int i;

	for (i = 0; i < NR_PAGES; i++)
		missing_provide(uffd, missing->hva + i * PAGE_SIZE, content);
	TEST_ASSERT(!hup_join(h, MAPPER), "MAP");
}

static uint64_t nr_questions(const struct reclaim *r)
{
	uint64_t n = 0;
	int i;

	for (i = 0; i < NR_PAGES; i++)
		n += r->data->asked[i];
	return n;
}

static unsigned int nr_links(struct hup *h, unsigned int vcpu)
{
	struct hyperupcall_query q = {};

	TEST_ASSERT(!hup_op_on(h, vcpu, HYPERUPCALL_QUERY, &q, sizeof(q)), "QUERY");
	return q.nr_links;
}

HUP_TEST(pending, nobody_is_asked)
{
	struct reclaim *r = &self->r;
	struct kvm_vcpu *vcpu = r->h->vcpus[variant->vcpu].vcpu;
	pthread_t thread;
	uint64_t before;

	ASSERT_EQ(1, nr_links(r->h, variant->vcpu));
	vcpu_run_complete_io(vcpu);
	if (variant->how == BY_MOV_TO_CR0)
		enter_compatibility_mode(r->h, 0, leave_paging, sizeof(leave_paging));
	start_map(r->h, self->map, self->uffd);
	/* A vCPU runs. */
	reclaim_pageout(r->mem.hva, r->mem.size);
	before = nr_questions(r);
	EXPECT_LT(0, before);

	if (variant->how == BY_INIT)
		hup_send_init(r->h, 0);
	ASSERT_EQ(0, pthread_create(&thread, NULL, variant->how == BY_TSC ?
				    set_tsc : run_vcpu_once, vcpu));
	/* So that it waits for the one that maps. */
	usleep(300000);
	reclaim_pageout(r->mem.hva, r->mem.size);
	EXPECT_EQ(before, nr_questions(r));

	finish_map(r->h, &self->missing, self->uffd);
	pthread_join(thread, NULL);
	EXPECT_EQ(0, nr_links(r->h, MAPPER));
}

/* The VMM goes back in time with a vCPU, and a signal comes while KVM waits. */
static void rewind_interrupted(struct hup *h, unsigned int vcpu_id,
			       const struct hyperupcall_map *map,
			       const struct hup_mem *missing, int uffd)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct kvm_vcpu *vcpu = h->vcpus[vcpu_id].vcpu;
	pthread_t thread;

	TEST_ASSERT(nr_links(h, vcpu_id) == 1, "one link");
	vcpu_run_complete_io(vcpu);
	TEST_ASSERT(!sigaction(SIGUSR1, &action, NULL), "sigaction");
	start_map(h, map, uffd);
	TEST_ASSERT(!pthread_create(&thread, NULL, set_tsc, vcpu), "pthread_create");
	usleep(200000);
	pthread_kill(thread, SIGUSR1);
	pthread_join(thread, NULL);
	finish_map(h, missing, uffd);
}

HUP_TEST(pending, another_vcpu_goes_on)
{
	struct reclaim *r = &self->r;
	uint64_t before;

	rewind_interrupted(r->h, variant->vcpu, self->map, &self->missing,
			   self->uffd);
	before = nr_questions(r);
	reclaim_run(r);
	reclaim_pageout(r->mem.hva, r->mem.size);
	EXPECT_EQ(before, nr_questions(r));
	reclaim_stop(r);
	EXPECT_EQ(0, nr_links(r->h, MAPPER));
}

/* What the VMM saves is nothing, and what it restores stays. */
HUP_TEST(pending, saved_and_restored)
{
	struct hup *h = self->r.h;
	union state *state = malloc(sizeof(*state)), *none = malloc(sizeof(*none));
	uint64_t size, none_size;

	ASSERT_NE(NULL, state);
	ASSERT_NE(NULL, none);
	size = state_save(h, state);
	rewind_interrupted(h, variant->vcpu, self->map, &self->missing, self->uffd);
	none_size = state_save(h, none);
	EXPECT_EQ(0, none->header.nr_links);
	EXPECT_EQ(0, none->header.nr_regions);
	ASSERT_EQ(0, state_set(h, none, none_size));
	ASSERT_EQ(0, state_set(h, state, size));
	EXPECT_EQ(1, nr_links(h, MAPPER));
	EXPECT_EQ(1, nr_links(h, variant->vcpu));
	free(none);
	free(state);
}

int main(int argc, char **argv)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_HYPERUPCALL));

	return test_harness_run(argc, argv);
}
