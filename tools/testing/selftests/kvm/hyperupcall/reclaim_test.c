// SPDX-License-Identifier: GPL-2.0-only
/*
 * The RECLAIM event, page by page: what the host asks when it wants a page of a
 * guest's, and what becomes of the page. MADV_PAGEOUT is reclaim for just the
 * pages that a test means.
 */
#include "kvm_test_harness.h"
#include "reclaim_fixture.h"

#define NR_PAGES	8

#define NO_OPINION	HYPERUPCALL_NO_OPINION
#define DISCARD		HYPERUPCALL_DISCARD
#define KEEP		HYPERUPCALL_KEEP

FIXTURE(reclaim) {
	struct reclaim *r;
	unsigned long discarded;
};

FIXTURE_VARIANT(reclaim) {
	enum vm_mem_backing_src_type type;
};

FIXTURE_VARIANT_ADD(reclaim, anonymous) { .type = VM_MEM_SRC_ANONYMOUS };
FIXTURE_VARIANT_ADD(reclaim, memfd) { .type = VM_MEM_SRC_SHMEM };

FIXTURE_SETUP(reclaim)
{
	struct reclaim *r = reclaim_create();

	r->mem = hup_add_slot(r->h, variant->type, RECLAIM_SLOT, NR_PAGES, 0);
	reclaim_fill(r);
	reclaim_link(r);
	self->r = r;
	self->discarded = reclaim_vmstat("pgdiscard");
}

FIXTURE_TEARDOWN(reclaim)
{
	reclaim_free(self->r);
}

HUP_TEST(reclaim, discard)
{
	struct reclaim *r = self->r;
	int i;

	for (i = 0; i < NR_PAGES; i += 2)
		reclaim_answer(r, i, DISCARD, DISCARD);
	reclaim_pageout(r->mem.hva, r->mem.size);

	for (i = 0; i < NR_PAGES; i++) {
		EXPECT_EQ(i % 2 ? i + 1 : 0, *reclaim_page(r, i));
		/* The hint, and the question that counts. */
		EXPECT_EQ(i % 2 ? 1 : 2, r->data->asked[i]);
	}
	EXPECT_EQ(self->discarded + NR_PAGES / 2, reclaim_vmstat("pgdiscard"));
}

HUP_TEST(reclaim, event_data)
{
	struct reclaim *r = self->r;

	reclaim_pageout(reclaim_page(r, 3), PAGE_SIZE);
	EXPECT_EQ(HYPERUPCALL_EVENT_RECLAIM, r->data->ctx.event);
	EXPECT_EQ(~0u, r->data->ctx.vcpu);
	EXPECT_EQ(RECLAIM_GFN + 3, r->data->ctx.page.gfn);
	EXPECT_EQ(1, r->data->ctx.page.nr_pages);
}

HUP_TEST(reclaim, stats)
{
	struct hyperupcall_stats stats;
	struct reclaim *r = self->r;

	reclaim_answer(r, 0, DISCARD, DISCARD);
	reclaim_pageout(reclaim_page(r, 0), 2 * PAGE_SIZE);
	hup_stats(r->h, r->link, &stats);
	EXPECT_EQ(3, stats.runs);
	EXPECT_EQ(2, stats.opinions);
	EXPECT_EQ(0, stats.faults);
}

/* The guest took it into use between the two questions. */
HUP_TEST(reclaim, only_the_last_answer_counts)
{
	struct reclaim *r = self->r;
	int i;

	for (i = 0; i < NR_PAGES; i++)
		reclaim_answer(r, i, DISCARD, i % 2 ? KEEP : NO_OPINION);
	reclaim_pageout(r->mem.hva, r->mem.size);

	for (i = 0; i < NR_PAGES; i++) {
		EXPECT_EQ(i + 1, *reclaim_page(r, i));
		EXPECT_EQ(2, r->data->asked[i]);
	}
	EXPECT_EQ(self->discarded, reclaim_vmstat("pgdiscard"));
}

static uint64_t guest_touch(uint64_t gva, uint64_t value, uint64_t a2,
			    uint64_t a3)
{
	uint64_t *word = (uint64_t *)gva, old = READ_ONCE(*word);

	WRITE_ONCE(*word, value);
	return old;
}

/* A discarded page is a page like any other. */
HUP_TEST(reclaim, used_again)
{
	struct reclaim *r = self->r;
	int i;

	for (i = 0; i < 3; i++) {
		reclaim_answer(r, 0, DISCARD, DISCARD);
		reclaim_pageout(reclaim_page(r, 0), PAGE_SIZE);
		EXPECT_EQ(0, hup_guest(r->h, 0, guest_touch, r->mem.gva, 77, 0,
				       0));
		EXPECT_EQ(77, *reclaim_page(r, 0));
		reclaim_answer(r, 0, NO_OPINION, NO_OPINION);
		reclaim_pageout(reclaim_page(r, 0), PAGE_SIZE);
		EXPECT_EQ(77, hup_guest(r->h, 0, guest_touch, r->mem.gva, 77,
					0, 0));
	}
	EXPECT_EQ(self->discarded + 3, reclaim_vmstat("pgdiscard"));
}

HUP_TEST(reclaim, not_after_unlink)
{
	struct reclaim *r = self->r;

	reclaim_answer(r, 0, DISCARD, DISCARD);
	EXPECT_EQ(0, hup_unlink(r->h, r->link));
	reclaim_pageout(r->mem.hva, r->mem.size);
	EXPECT_EQ(0, r->data->asked[0]);
	EXPECT_EQ(1, *reclaim_page(r, 0));
}

/* The VMM may be filling memory for a guest that is not there yet. */
HUP_TEST(reclaim, not_while_stopped)
{
	struct reclaim *r = self->r;

	reclaim_answer(r, 0, DISCARD, DISCARD);
	reclaim_stop(r);
	reclaim_pageout(r->mem.hva, r->mem.size);
	EXPECT_EQ(0, r->data->asked[0]);
	EXPECT_EQ(1, *reclaim_page(r, 0));

	reclaim_run(r);
	reclaim_pageout(r->mem.hva, r->mem.size);
	EXPECT_EQ(2, r->data->asked[0]);
	EXPECT_EQ(0, *reclaim_page(r, 0));
}

HUP_TEST(reclaim, not_after_reset)
{
	struct reclaim *r = self->r;

	reclaim_answer(r, 0, DISCARD, DISCARD);
	hup_reset_vcpu(r->h, 0);
	reclaim_pageout(r->mem.hva, r->mem.size);
	EXPECT_EQ(0, r->data->asked[0]);
	EXPECT_EQ(1, *reclaim_page(r, 0));
}

HUP_TEST(reclaim, replaced)
{
	struct reclaim *r = self->r;
	long prog = hup_load_return(r->h, 0);

	reclaim_answer(r, 0, DISCARD, DISCARD);
	EXPECT_EQ(r->link, hup_replace(r->h, prog, HYPERUPCALL_EVENT_RECLAIM,
				       r->link));
	reclaim_pageout(r->mem.hva, r->mem.size);
	EXPECT_EQ(0, r->data->asked[0]);
	EXPECT_EQ(1, *reclaim_page(r, 0));
}

/* Zeroes that were read where there is nothing are no opinion. */
HUP_TEST(reclaim, fault)
{
	struct reclaim *r = self->r;
	struct hyperupcall_stats stats;
	const struct bpf_insn insns[] = {
		BPF_MOV32_IMM(BPF_REG_2, r->offset + 64 * PAGE_SIZE),
		HUP_WINDOW(BPF_REG_2, BPF_REG_2),
		BPF_LDX_MEM(BPF_DW, BPF_REG_2, BPF_REG_2, 0),
		BPF_MOV64_IMM(BPF_REG_0, DISCARD),
		BPF_EXIT_INSN(),
	};

	EXPECT_EQ(r->link, hup_replace(r->h, hup_load(r->h, insns,
						      ARRAY_SIZE(insns)),
				       HYPERUPCALL_EVENT_RECLAIM, r->link));
	reclaim_pageout(reclaim_page(r, 0), PAGE_SIZE);
	EXPECT_EQ(1, *reclaim_page(r, 0));
	hup_stats(r->h, r->link, &stats);
	EXPECT_EQ(1, stats.faults);
	EXPECT_EQ(0, stats.opinions);
}

/* A page that a program may look at stays where it is. */
HUP_TEST(reclaim, mapped_in_window)
{
	struct reclaim *r = self->r;

	ASSERT_LT(0, hup_map(r->h, r->mem.gva, PAGE_SIZE, 0, NULL));
	reclaim_answer(r, 0, DISCARD, DISCARD);
	reclaim_answer(r, 1, DISCARD, DISCARD);
	reclaim_pageout(r->mem.hva, r->mem.size);
	EXPECT_EQ(0, r->data->asked[0]);
	EXPECT_EQ(1, *reclaim_page(r, 0));
	EXPECT_EQ(0, *reclaim_page(r, 1));
}

/* What vmsplice() put into a pipe is read from there later. */
HUP_TEST(reclaim, referenced)
{
	struct reclaim *r = self->r;
	struct iovec iov = { reclaim_page(r, 0), PAGE_SIZE };
	uint64_t word = 0;
	int fds[2];

	ASSERT_EQ(0, pipe(fds));
	ASSERT_EQ(PAGE_SIZE, vmsplice(fds[1], &iov, 1, 0));
	reclaim_answer(r, 0, DISCARD, DISCARD);
	reclaim_pageout(reclaim_page(r, 0), PAGE_SIZE);
	EXPECT_EQ(1, *reclaim_page(r, 0));
	EXPECT_GE(1, r->data->asked[0]);

	WRITE_ONCE(*reclaim_page(r, 0), 5);
	EXPECT_EQ(sizeof(word), read(fds[0], &word, sizeof(word)));
	EXPECT_EQ(5, word);
	close(fds[0]);
	close(fds[1]);
	EXPECT_EQ(self->discarded, reclaim_vmstat("pgdiscard"));
}

HUP_TEST(reclaim, locked_memory)
{
	struct reclaim *r = self->r;

	ASSERT_EQ(0, mlock(reclaim_page(r, 0), PAGE_SIZE));
	reclaim_answer(r, 0, DISCARD, DISCARD);
	/* It says so, too. */
	madvise(reclaim_page(r, 0), PAGE_SIZE, MADV_PAGEOUT);
	EXPECT_EQ(0, r->data->asked[0]);
	EXPECT_EQ(1, *reclaim_page(r, 0));
}

HUP_TEST(reclaim, read_only_memslot)
{
	struct reclaim *r = self->r;

	vm_mem_region_delete(r->h->vm, RECLAIM_SLOT);
	r->mem = hup_add_slot(r->h, variant->type, RECLAIM_SLOT, NR_PAGES,
			      KVM_MEM_READONLY);
	reclaim_fill(r);
	reclaim_answer(r, 0, DISCARD, DISCARD);
	reclaim_pageout(r->mem.hva, r->mem.size);
	EXPECT_EQ(0, r->data->asked[0]);
	EXPECT_EQ(1, *reclaim_page(r, 0));
}

HUP_TEST(reclaim, deleted_memslot)
{
	struct reclaim *r = self->r;
	struct userspace_mem_region *region =
		memslot2region(r->h->vm, RECLAIM_SLOT);

	vm_set_user_memory_region(r->h->vm, RECLAIM_SLOT, 0,
				  region->region.guest_phys_addr, 0,
				  r->mem.hva);
	reclaim_answer(r, 0, DISCARD, DISCARD);
	reclaim_pageout(r->mem.hva, r->mem.size);
	EXPECT_EQ(0, r->data->asked[0]);
	EXPECT_EQ(1, *reclaim_page(r, 0));

	vm_set_user_memory_region(r->h->vm, RECLAIM_SLOT, 0,
				  region->region.guest_phys_addr, r->mem.size,
				  r->mem.hva);
	reclaim_pageout(r->mem.hva, r->mem.size);
	EXPECT_EQ(2, r->data->asked[0]);
	EXPECT_EQ(0, *reclaim_page(r, 0));
}

/* A change of content is one that the VMM sees. */
HUP_TEST(reclaim, dirty_log)
{
	struct reclaim *r = self->r;
	unsigned long bitmap[1] = {};

	vm_mem_region_set_flags(r->h->vm, RECLAIM_SLOT,
				KVM_MEM_LOG_DIRTY_PAGES);
	kvm_vm_get_dirty_log(r->h->vm, RECLAIM_SLOT, bitmap);
	reclaim_answer(r, 2, DISCARD, DISCARD);
	reclaim_pageout(r->mem.hva, r->mem.size);
	EXPECT_EQ(0, *reclaim_page(r, 2));
	kvm_vm_get_dirty_log(r->h->vm, RECLAIM_SLOT, bitmap);
	EXPECT_EQ(1 << 2, bitmap[0]);
}

/*
 * The VMM has reset the VM in the kvm_run page of the boot vCPU, and the other vCPU
 * is in KVM_RUN already: the next kernel has other pages in use.
 */
HUP_TEST(reclaim, reset_with_the_next_run)
{
	struct reclaim *r = self->r;
	struct kvm_run *run = r->h->vcpus[0].vcpu->run;

	reclaim_answer(r, 0, DISCARD, DISCARD);
	run->kvm_dirty_regs = KVM_SYNC_X86_SREGS;
	reclaim_pageout(reclaim_page(r, 0), PAGE_SIZE);
	EXPECT_EQ(1, *reclaim_page(r, 0));
	EXPECT_EQ(0, r->data->asked[0]);

	run->kvm_dirty_regs = 0;
	reclaim_pageout(reclaim_page(r, 0), PAGE_SIZE);
	EXPECT_EQ(0, *reclaim_page(r, 0));
	EXPECT_EQ(2, r->data->asked[0]);
}

/*
 * The boot vCPU is in SMM when the VMM resets the VM, in the order in which VMMs
 * write the state of vCPUs. Another vCPU waits for the boot vCPU, which has not
 * run yet, and what the VMM has loaded stays.
 */
HUP_TEST(reclaim, reset_in_smm)
{
	struct reclaim *r = self->r;
	struct kvm_vcpu *vcpu = r->h->vcpus[0].vcpu;
	struct kvm_sregs sregs, reset;

	TEST_REQUIRE(kvm_has_cap(KVM_CAP_X86_SMM));
	reclaim_answer(r, 0, DISCARD, DISCARD);
	hup_set_smm(vcpu, true);
	vcpu_sregs_get(vcpu, &sregs);
	reset = sregs;
	hup_leave_paged_mode(&reset);
	vcpu_sregs_set(vcpu, &reset);
	hup_set_smm(vcpu, false);

	reclaim_pageout(reclaim_page(r, 0), PAGE_SIZE);
	EXPECT_EQ(1, *reclaim_page(r, 0));
	EXPECT_EQ(0, r->data->asked[0]);
	EXPECT_EQ(0, hup_locked_kb());
	vcpu_sregs_set(vcpu, &sregs);
}

int main(int argc, char **argv)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_HYPERUPCALL));

	return test_harness_run(argc, argv);
}
