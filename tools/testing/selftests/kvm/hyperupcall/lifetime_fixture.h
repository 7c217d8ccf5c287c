/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest that has registered one of each kind, and ways for its boot vCPU to
 * leave paged mode.
 */
#ifndef SELFTEST_KVM_HYPERUPCALL_LIFETIME_FIXTURE_H
#define SELFTEST_KVM_HYPERUPCALL_LIFETIME_FIXTURE_H

#include "hyperupcall_util.h"
#include "kvm_test_harness.h"

/* What a guest has registered: one of each kind. */
struct registered {
	uint32_t prog, region, link, offset;
};

FIXTURE(lifetime) {
	struct hup *h;
	struct registered r;
	unsigned long locked;
};

FIXTURE_VARIANT(lifetime) {
	unsigned long boot;	/* the vCPU that boots, of two */
};

FIXTURE_VARIANT_ADD(lifetime, vcpu_0_boots) { .boot = 0 };
FIXTURE_VARIANT_ADD(lifetime, vcpu_1_boots) { .boot = 1 };

static inline void populate(struct hup *h, struct registered *r)
{
	r->prog = hup_load_return(h, HYPERUPCALL_CONSUMED);
	r->region = hup_map(h, h->data.gva, 4 * PAGE_SIZE,
			    HYPERUPCALL_MAP_WRITE, &r->offset);
	r->link = hup_link(h, r->prog, HYPERUPCALL_EVENT_INTERRUPT);
	TEST_ASSERT((int)r->link > 0, "LINK returned %d", r->link);
}

FIXTURE_SETUP(lifetime)
{
	struct hup *h = hup_create_vm(2);

	self->h = h;
	ASSERT_EQ(0, hup_enable(h->vm, NULL, 0));
	vm_ioctl(h->vm, KVM_SET_BOOT_CPU_ID, (void *)variant->boot);
	hup_add_vcpus(h);
	hup_boot(h);
	self->locked = hup_locked_kb();
	populate(h, &self->r);
}

FIXTURE_TEARDOWN(lifetime)
{
	hup_free(self->h);
}

static inline void expect_gone(struct __test_metadata *_metadata,
			       struct hup *h,
			       const struct registered *r)
{
	struct hyperupcall_test_run run = {};
	struct hyperupcall_query q;

	hup_query(h, &q);
	EXPECT_EQ(0, q.nr_progs);
	EXPECT_EQ(0, q.nr_links);
	EXPECT_EQ(0, q.nr_regions);
	EXPECT_EQ(0, q.mem);
	EXPECT_EQ(-ENOENT, hup_unlink(h, r->link));
	EXPECT_EQ(-ENOENT, hup_unmap(h, r->region));
	EXPECT_EQ(-ENOENT, hup_unload(h, r->prog));
	EXPECT_EQ(-ENOENT, hup_test_run(h, r->prog, &run));
}

static inline void expect_there(struct __test_metadata *_metadata,
				struct hup *h,
				const struct registered *r)
{
	struct hyperupcall_query q;

	hup_query(h, &q);
	EXPECT_EQ(1, q.nr_progs);
	EXPECT_EQ(1, q.nr_links);
	EXPECT_EQ(1, q.nr_regions);
	EXPECT_EQ(0, hup_unlink(h, r->link));
	EXPECT_EQ(0, hup_unmap(h, r->region));
	EXPECT_EQ(0, hup_unload(h, r->prog));
}

/* A vCPU that does something else than what its agent wants, and comes back. */
struct saved_vcpu {
	struct kvm_sregs sregs;
	struct kvm_regs regs;
};

static inline void save_vcpu(struct kvm_vcpu *vcpu, struct saved_vcpu *saved)
{
	vcpu_run_complete_io(vcpu);
	vcpu_sregs_get(vcpu, &saved->sregs);
	vcpu_regs_get(vcpu, &saved->regs);
}

static inline void restore_vcpu(struct kvm_vcpu *vcpu, struct saved_vcpu *saved)
{
	vcpu_sregs_set(vcpu, &saved->sregs);
	vcpu_regs_set(vcpu, &saved->regs);
}

/* Guest code that leaves paged mode, in 32-bit code at its physical address. */
static const uint8_t leave_paging[] = {
	0x0f, 0x20, 0xc0,			/* mov %cr0, %eax */
	0x25, 0xff, 0xff, 0xff, 0x7f,		/* and $~X86_CR0_PG, %eax */
	0x0f, 0x22, 0xc0,			/* mov %eax, %cr0 */
	0xec,					/* in (%dx), %al */
};

/* A page of code whose virtual address is the physical one. */
static inline vm_paddr_t add_code(struct hup *h, const uint8_t *code, size_t size)
{
	vm_paddr_t page = vm_phy_page_alloc(h->vm, 0x200000, 0);

	memcpy(addr_gpa2hva(h->vm, page), code, size);
	virt_pg_map(h->vm, page, page);
	return page;
}

/* The vCPU, which was saved, goes on with 32-bit code. */
static inline void enter_compatibility_mode(struct hup *h, unsigned int id,
					    const uint8_t *code, size_t size)
{
	struct kvm_vcpu *vcpu = h->vcpus[id].vcpu;
	struct kvm_sregs sregs;
	struct kvm_regs regs;

	vcpu_sregs_get(vcpu, &sregs);
	sregs.cs.l = 0;
	sregs.cs.db = 1;
	vcpu_sregs_set(vcpu, &sregs);
	vcpu_regs_get(vcpu, &regs);
	regs.rip = add_code(h, code, size);
	vcpu_regs_set(vcpu, &regs);
}

#endif /* SELFTEST_KVM_HYPERUPCALL_LIFETIME_FIXTURE_H */
