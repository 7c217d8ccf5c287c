// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_GET_HYPERUPCALL_STATE and KVM_SET_HYPERUPCALL_STATE, one step at a time:
 * their arguments and errors, the format, ids, and pages that are not there.
 */
#include <sys/mman.h>

#include "kvm_test_harness.h"
#include "state_util.h"

FIXTURE(state) {
	struct hup *h;
	struct hup_mem mem;
	struct good_state s;
	unsigned long locked;
};

FIXTURE_SETUP(state)
{
	self->h = hup_create(1);
	self->mem = state_add_slots(self->h);
	self->locked = hup_locked_kb();
	good_state(&self->s);
}

FIXTURE_TEARDOWN(state)
{
	hup_free(self->h);
}

#define SET_GOOD()							\
	ASSERT_EQ(0, state_set(self->h, &self->s, sizeof(self->s)))

/* What is set is got: the format is what the header says it is. */
HUP_TEST(state, format)
{
	uint64_t size = sizeof(struct good_state) + 100;
	struct hyperupcall_query q;
	struct {
		struct good_state s;
		uint8_t tail[100];
	} got;

	hup_query(self->h, &q);
	self->s.header.max_loops = q.max_loops;
	self->s.header.max_run_insns = q.max_run_insns;
	self->s.header.max_run_insns_global = q.max_run_insns_global;
	self->s.header.budget_ns = q.budget_ns;
	state_seal(&self->s, sizeof(self->s));
	SET_GOOD();
	memset(&got, 0x5a, sizeof(got));
	EXPECT_EQ(0, state_get(self->h, &got, &size));
	EXPECT_EQ(sizeof(self->s), size);
	EXPECT_EQ(0, memcmp(&self->s, &got.s, sizeof(got.s)));
	EXPECT_EQ(0x5a, got.tail[0]);
}

/* And what the guest sees of it is what the state says. */
HUP_TEST(state, what_the_guest_sees)
{
	struct hyperupcall_stats stats;
	struct hyperupcall_query q;
	uint64_t faults;
	int i;

	SET_GOOD();
	hup_query(self->h, &q);
	EXPECT_EQ(2, q.nr_progs);
	EXPECT_EQ(9, q.nr_insns);
	EXPECT_EQ(2, q.nr_regions);
	EXPECT_EQ(4 * PAGE_SIZE, q.mem);
	EXPECT_EQ(2, q.nr_links);
	EXPECT_EQ(self->locked + 16, hup_locked_kb());

	hup_stats(self->h, GOOD_IPI, &stats);
	EXPECT_EQ(1000, stats.runs);
	EXPECT_EQ(200, stats.opinions);
	EXPECT_EQ(30, stats.faults);
	EXPECT_EQ(4, stats.throttled);
	EXPECT_EQ(1ULL << 40, stats.run_ns);

	for (i = 0; i < 8; i++)
		*(uint64_t *)(self->mem.hva + i * PAGE_SIZE) = i + 1;
	for (i = 0; i < 4; i++) {
		EXPECT_EQ(i == 2 ? 0 : i + 1,
			  hup_run(self->h, GOOD_LOADER,
				  GOOD_HOLED_AT + i * PAGE_SIZE, 0, &faults));
		EXPECT_EQ(i == 2, faults);
	}
	EXPECT_EQ(8, hup_run(self->h, GOOD_LOADER, GOOD_WHOLE_AT, 0, &faults));
	EXPECT_EQ(0, faults);

	/* One region is for writing, the other is not. */
	hup_run(self->h, GOOD_STORER, GOOD_HOLED_AT, 0, &faults);
	EXPECT_EQ(0, faults);
	EXPECT_EQ(77, *(uint64_t *)self->mem.hva);
	hup_run(self->h, GOOD_STORER, GOOD_WHOLE_AT, 0, &faults);
	EXPECT_EQ(1, faults);
	EXPECT_EQ(8, *(uint64_t *)(self->mem.hva + 7 * PAGE_SIZE));

	EXPECT_EQ(-EBUSY, hup_unload(self->h, GOOD_LOADER));
	EXPECT_EQ(0, hup_unlink(self->h, GOOD_IPI));
	EXPECT_EQ(0, hup_unlink(self->h, GOOD_YIELD));
	EXPECT_EQ(0, hup_unload(self->h, GOOD_LOADER));
	EXPECT_EQ(0, hup_unload(self->h, GOOD_STORER));
	EXPECT_EQ(0, hup_unmap(self->h, GOOD_HOLED));
	EXPECT_EQ(self->locked + 4, hup_locked_kb());
	EXPECT_EQ(0, hup_unmap(self->h, GOOD_WHOLE));
	EXPECT_EQ(self->locked, hup_locked_kb());
	EXPECT_EQ(true, state_nothing(self->h));
}

HUP_TEST(state, next_ids)
{
	SET_GOOD();
	EXPECT_EQ(GOOD_NEXT_PROG, hup_load_return(self->h, 0));
	EXPECT_EQ(GOOD_NEXT_PROG + 1, hup_load_return(self->h, 0));
	EXPECT_EQ(GOOD_NEXT_REGION,
		  hup_map(self->h, self->mem.gva, PAGE_SIZE, 0, NULL));
	EXPECT_EQ(GOOD_NEXT_LINK, hup_link(self->h, GOOD_LOADER,
					   HYPERUPCALL_EVENT_INTERRUPT));
}

/* Ids start again at 1 when they are used up, in the VM that moved, too. */
HUP_TEST(state, last_ids)
{
	struct good_state *s = &self->s;
	union state *state = malloc(sizeof(*state));
	uint64_t size;

	s->header.next_prog = INT_MAX;
	s->header.next_region = INT_MAX;
	s->header.next_link = INT_MAX;
	s->loader.id = 1;
	s->ipi.prog = 1;
	s->yield.prog = 1;
	state_seal(s, sizeof(*s));
	SET_GOOD();
	EXPECT_EQ(INT_MAX, hup_load_return(self->h, 0));
	EXPECT_EQ(INT_MAX, hup_map(self->h, self->mem.gva, PAGE_SIZE, 0, NULL));
	EXPECT_EQ(INT_MAX, hup_link(self->h, 1, HYPERUPCALL_EVENT_INTERRUPT));

	size = state_save(self->h, state);
	state_clear(self->h);
	EXPECT_EQ(0, state_set(self->h, state, size));
	EXPECT_EQ(2, hup_load_return(self->h, 0));
	EXPECT_EQ(1, hup_map(self->h, self->mem.gva, PAGE_SIZE, 0, NULL));
	EXPECT_EQ(1, hup_link(self->h, 1, HYPERUPCALL_EVENT_INTERRUPT));
	free(state);
}

HUP_TEST(state, room)
{
	struct good_state got, none;
	uint64_t size;

	SET_GOOD();
	memset(&none, 0x5a, sizeof(none));
	got = none;
	size = 0;
	EXPECT_EQ(-E2BIG, state_get(self->h, NULL, &size));
	EXPECT_EQ(sizeof(got), size);
	size = sizeof(got) - 1;
	EXPECT_EQ(-E2BIG, state_get(self->h, &got, &size));
	EXPECT_EQ(sizeof(got), size);
	EXPECT_EQ(0, memcmp(&none, &got, sizeof(got)));
	size = sizeof(got);
	EXPECT_EQ(0, state_get(self->h, &got, &size));
	EXPECT_EQ(sizeof(got), size);
	size = ~0ULL;
	EXPECT_EQ(0, state_get(self->h, &got, &size));
	EXPECT_EQ(sizeof(got), size);
	EXPECT_EQ(0, memcmp(&self->s.loader, &got.loader,
			    sizeof(got) - sizeof(got.header)));
}

HUP_TEST(state, pointers)
{
	uint64_t size = STATE_MAX;
	void *page = mmap(NULL, 2 * PAGE_SIZE, PROT_READ,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	/* A page that cannot be written, and nothing behind it. */
	ASSERT_NE(MAP_FAILED, page);
	ASSERT_EQ(0, munmap(page + PAGE_SIZE, PAGE_SIZE));
	SET_GOOD();
	EXPECT_EQ(-EFAULT, state_get(self->h, NULL, &size));
	size = STATE_MAX;
	EXPECT_EQ(-EFAULT, state_get(self->h, page, &size));
	EXPECT_EQ(-1, ioctl(self->h->vm->fd, KVM_GET_HYPERUPCALL_STATE, NULL));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(-1, ioctl(self->h->vm->fd, KVM_GET_HYPERUPCALL_STATE, page));
	EXPECT_EQ(EFAULT, errno);

	state_clear(self->h);
	EXPECT_EQ(-EFAULT, state_set(self->h, NULL, sizeof(self->s)));
	EXPECT_EQ(-EFAULT, state_set(self->h, page + PAGE_SIZE - 64, 1 << 20));
	EXPECT_EQ(-1, ioctl(self->h->vm->fd, KVM_SET_HYPERUPCALL_STATE, NULL));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(true, state_nothing(self->h));
}

HUP_TEST(state, sizes)
{
	EXPECT_EQ(-EINVAL, state_set(self->h, &self->s, 0));
	EXPECT_EQ(-EINVAL, state_set(self->h, &self->s,
				     sizeof(self->s.header) - 1));
	EXPECT_EQ(-EINVAL, state_set(self->h, &self->s, ~0ULL));
	EXPECT_EQ(-EINVAL, state_set(self->h, &self->s, 1ULL << 63));
	EXPECT_EQ(-EINVAL, state_set(self->h, &self->s, 1ULL << 32));
	EXPECT_EQ(true, state_nothing(self->h));
}

/* Nothing is a state, too, and brings the ids along. */
HUP_TEST(state, empty)
{
	struct kvm_hyperupcall_state_header header;
	uint64_t size = sizeof(header);

	EXPECT_EQ(0, state_get(self->h, &header, &size));
	EXPECT_EQ(sizeof(header), size);
	EXPECT_EQ(KVM_HYPERUPCALL_STATE_MAGIC, header.magic);
	EXPECT_EQ(KVM_HYPERUPCALL_STATE_VERSION, header.version);
	EXPECT_EQ(0, header.nr_progs + header.nr_regions + header.nr_links);
	EXPECT_EQ(0, state_set(self->h, &header, size));
	EXPECT_EQ(0, state_set(self->h, &header, size));
	EXPECT_EQ(1, hup_load_return(self->h, 0));
	EXPECT_EQ(0, state_set(self->h, &header, size));
	EXPECT_EQ(-ENOENT, hup_unload(self->h, 1));

	EXPECT_EQ(0, state_get(self->h, &header, &size));
	header.next_prog = 10;
	state_seal(&header, sizeof(header));
	EXPECT_EQ(0, state_set(self->h, &header, size));
	EXPECT_EQ(10, hup_load_return(self->h, 0));
}

/* A VMM drops what a VM has by setting nothing, and gets all of it back. */
HUP_TEST(state, cleared)
{
	struct {
		struct kvm_hyperupcall_state_header header;
		uint8_t tail[8];
	} s = {};
	uint64_t size = sizeof(s.header);

	EXPECT_EQ(0, state_get(self->h, &s, &size));
	SET_GOOD();
	/* Nothing, and something behind it, is no state. */
	state_seal(&s, sizeof(s));
	EXPECT_EQ(-EINVAL, state_set(self->h, &s, sizeof(s)));
	EXPECT_EQ(self->locked + 16, hup_locked_kb());
	state_seal(&s, sizeof(s.header));
	EXPECT_EQ(0, state_set(self->h, &s, sizeof(s.header)));
	EXPECT_EQ(true, state_nothing(self->h));
	EXPECT_EQ(self->locked, hup_locked_kb());
	SET_GOOD();
}

HUP_TEST(state, something_is_there)
{
	struct hup *h = self->h;
	uint64_t size = sizeof(self->s);
	long prog, region;

	prog = hup_load_return(h, 7);
	EXPECT_EQ(-EEXIST, state_set(h, &self->s, sizeof(self->s)));
	EXPECT_EQ(7, hup_run(h, prog, 0, 0, NULL));
	EXPECT_EQ(0, hup_unload(h, prog));
	EXPECT_EQ(true, state_nothing(h));

	region = hup_map(h, h->data.gva, PAGE_SIZE, 0, NULL);
	EXPECT_EQ(-EEXIST, state_set(h, &self->s, sizeof(self->s)));
	EXPECT_EQ(self->locked + 4, hup_locked_kb());
	EXPECT_EQ(0, hup_unmap(h, region));

	SET_GOOD();
	EXPECT_EQ(-EEXIST, state_set(h, &self->s, sizeof(self->s)));
	EXPECT_EQ(0, state_get(h, &self->s, &size));
	EXPECT_EQ(self->locked + 16, hup_locked_kb());

	/* A damaged one is damaged, whatever is there. */
	self->s.header.crc++;
	EXPECT_EQ(-EINVAL, state_set(h, &self->s, sizeof(self->s)));
	self->s.header.version++;
	EXPECT_EQ(-EOPNOTSUPP, state_set(h, &self->s, sizeof(self->s)));
	EXPECT_EQ(self->locked + 16, hup_locked_kb());
}

HUP_TEST(state, off)
{
	struct hup *off = hup_create_off(1);
	uint64_t size = 0;

	EXPECT_EQ(-ENOTTY, state_get(off, NULL, &size));
	EXPECT_EQ(0, size);
	EXPECT_EQ(-ENOTTY, state_set(off, &self->s, sizeof(self->s)));
	EXPECT_EQ(-ENOTTY, state_set(off, NULL, 0));
	hup_free(off);
}

/* The boot vCPU begins with a reset, which would drop what was restored before. */
HUP_TEST(state, before_vcpus)
{
	struct hup *h = hup_create_vm(1);
	struct kvm_sregs sregs, reset;

	ASSERT_EQ(0, hup_enable(h->vm, NULL, 0));
	state_add_slots(h);
	EXPECT_EQ(-EBUSY, state_set(h, &self->s, sizeof(self->s)));
	hup_add_vcpus(h);
	vcpu_sregs_get(h->vcpus[0].vcpu, &sregs);
	reset = sregs;
	hup_leave_paged_mode(&reset);
	vcpu_sregs_set(h->vcpus[0].vcpu, &reset);
	EXPECT_EQ(-EBUSY, state_set(h, &self->s, sizeof(self->s)));
	EXPECT_EQ(self->locked, hup_locked_kb());
	vcpu_sregs_set(h->vcpus[0].vcpu, &sregs);
	hup_boot(h);
	EXPECT_EQ(true, state_nothing(h));
	EXPECT_EQ(0, state_set(h, &self->s, sizeof(self->s)));
	hup_free(h);
}

/* A memslot that comes back is another one: the VMM restores when all are there. */
HUP_TEST(state, memslot_replaced_after_set)
{
	struct userspace_mem_region *region;
	uint64_t faults;

	SET_GOOD();
	region = memslot2region(self->h->vm, STATE_SLOT);
	vm_set_user_memory_region(self->h->vm, STATE_SLOT, 0,
				  region->region.guest_phys_addr, 0,
				  self->mem.hva);
	vm_set_user_memory_region(self->h->vm, STATE_SLOT, 0,
				  region->region.guest_phys_addr,
				  self->mem.size, self->mem.hva);
	hup_run(self->h, GOOD_LOADER, GOOD_HOLED_AT, 0, &faults);
	EXPECT_EQ(1, faults);
	state_clear(self->h);
	SET_GOOD();
	hup_run(self->h, GOOD_LOADER, GOOD_HOLED_AT, 0, &faults);
	EXPECT_EQ(0, faults);
}

/* A VM that could not be reset has no hyperupcalls. */
HUP_TEST(state, no_boot_vcpu)
{
	struct hup *h = hup_create_vm(1);

	ASSERT_EQ(0, hup_enable(h->vm, NULL, 0));
	vm_ioctl(h->vm, KVM_SET_BOOT_CPU_ID, (void *)1UL);
	hup_add_vcpus(h);
	hup_boot(h);
	state_add_slots(h);
	EXPECT_EQ(-EPERM, hup_raw(h, HYPERUPCALL_QUERY, h->data.gva,
				  sizeof(struct hyperupcall_query), 0));
	EXPECT_EQ(-EBUSY, state_set(h, &self->s, sizeof(self->s)));
	EXPECT_EQ(self->locked, hup_locked_kb());
	hup_free(h);
}

/* Pages that the VMM has taken away are holes, and cost nothing. */
HUP_TEST(state, taken_pages)
{
	struct good_state *s = &self->s;
	union state *state = malloc(sizeof(*state));
	struct good_state *got = (void *)state;
	uint64_t size, faults;

	s->before.nr_pages = 3;
	s->before.gfn = STATE_GFN;
	state_seal(s, sizeof(*s));
	SET_GOOD();
	EXPECT_EQ(self->locked + 20, hup_locked_kb());
	ASSERT_EQ(0, madvise(self->mem.hva + PAGE_SIZE, PAGE_SIZE,
			     MADV_DONTNEED));

	/* What was together is in two pieces now. */
	size = state_save(self->h, state);
	EXPECT_EQ(sizeof(*s), size);
	EXPECT_EQ(2, got->holed.nr_extents);
	EXPECT_EQ(0, got->before.first);
	EXPECT_EQ(1, got->before.nr_pages);
	EXPECT_EQ(STATE_GFN, got->before.gfn);
	EXPECT_EQ(2, got->after.first);
	EXPECT_EQ(2, got->after.nr_pages);
	EXPECT_EQ(STATE_GFN + 2, got->after.gfn);
	EXPECT_EQ(self->locked + 16, hup_locked_kb());

	state_clear(self->h);
	EXPECT_EQ(self->locked, hup_locked_kb());
	EXPECT_EQ(0, state_set(self->h, state, size));
	EXPECT_EQ(self->locked + 16, hup_locked_kb());
	hup_run(self->h, GOOD_LOADER, GOOD_HOLED_AT + PAGE_SIZE, 0, &faults);
	EXPECT_EQ(1, faults);
	hup_run(self->h, GOOD_LOADER, GOOD_HOLED_AT + 2 * PAGE_SIZE, 0, &faults);
	EXPECT_EQ(0, faults);
	EXPECT_EQ(0, hup_unmap(self->h, GOOD_HOLED));
	EXPECT_EQ(self->locked + 4, hup_locked_kb());
	free(state);
}

/* A region of which nothing is left. */
HUP_TEST(state, all_pages_taken)
{
	union state *state = malloc(sizeof(*state));
	struct hyperupcall_query q;
	uint64_t size;

	SET_GOOD();
	ASSERT_EQ(0, madvise(self->mem.hva, self->mem.size, MADV_DONTNEED));
	size = state_save(self->h, state);
	EXPECT_EQ(sizeof(self->s) - 3 * sizeof(self->s.all), size);
	state_clear(self->h);
	EXPECT_EQ(0, state_set(self->h, state, size));
	hup_query(self->h, &q);
	EXPECT_EQ(2, q.nr_regions);
	EXPECT_EQ(0, q.mem);
	EXPECT_EQ(self->locked, hup_locked_kb());
	EXPECT_EQ(0, hup_unmap(self->h, GOOD_WHOLE));
	EXPECT_EQ(0, hup_unmap(self->h, GOOD_HOLED));
	free(state);
}

/* Every other page of a region is gone. */
HUP_TEST(state, many_extents)
{
	union state *state = malloc(sizeof(*state));
	union state *again = malloc(sizeof(*again));
	struct hup_mem mem = hup_add_slot(self->h, VM_MEM_SRC_ANONYMOUS, 12, 128,
					  0);
	uint64_t size, i;
	uint32_t offset;

	ASSERT_LT(0, hup_map(self->h, mem.gva, mem.size, 0, &offset));
	for (i = 0; i < 128; i += 2)
		ASSERT_EQ(0, madvise(mem.hva + i * PAGE_SIZE, PAGE_SIZE,
				     MADV_DONTNEED));
	size = state_save(self->h, state);
	EXPECT_LT(64 * sizeof(struct kvm_hyperupcall_state_extent), size);
	state_clear(self->h);
	EXPECT_EQ(self->locked, hup_locked_kb());
	EXPECT_EQ(0, state_set(self->h, state, size));
	EXPECT_EQ(self->locked + 256, hup_locked_kb());
	EXPECT_EQ(size, state_save(self->h, again));
	EXPECT_EQ(0, memcmp(state, again, size));
	free(again);
	free(state);
}

int main(int argc, char **argv)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_HYPERUPCALL));

	return test_harness_run(argc, argv);
}
