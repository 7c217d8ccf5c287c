// SPDX-License-Identifier: GPL-2.0-only
/*
 * Nothing of a guest's programs, links and regions outlives that guest: they
 * go when its boot vCPU leaves paged mode, and no other way than that.
 */
#include <signal.h>

#include "apic.h"
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

static void populate(struct hup *h, struct registered *r)
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

static void expect_gone(struct __test_metadata *_metadata, struct hup *h,
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

static void expect_there(struct __test_metadata *_metadata, struct hup *h,
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

/* What a VMM does at a reset; the vCPU is then as it was, for the agent. */
static void reset_by_sregs(struct kvm_vcpu *vcpu)
{
	struct kvm_sregs sregs, reset;

	vcpu_sregs_get(vcpu, &sregs);
	reset = sregs;
	reset.cr0 &= ~X86_CR0_PG;
	reset.efer = 0;
	reset.cs.l = 0;
	reset.cs.db = 1;
	vcpu_sregs_set(vcpu, &reset);
	vcpu_sregs_set(vcpu, &sregs);
}

HUP_TEST(lifetime, reset_of_boot_vcpu)
{
	reset_by_sregs(self->h->vcpus[variant->boot].vcpu);
	EXPECT_EQ(self->locked, hup_locked_kb());
	expect_gone(_metadata, self->h, &self->r);
}

HUP_TEST(lifetime, reset_of_other_vcpu)
{
	reset_by_sregs(self->h->vcpus[!variant->boot].vcpu);
	expect_there(_metadata, self->h, &self->r);
}

/* State that is set without a change of mode is no reset. */
HUP_TEST(lifetime, sregs_set_in_paged_mode)
{
	struct kvm_vcpu *vcpu = self->h->vcpus[variant->boot].vcpu;
	struct kvm_sregs sregs;

	vcpu_sregs_get(vcpu, &sregs);
	vcpu_sregs_set(vcpu, &sregs);
	expect_there(_metadata, self->h, &self->r);
}

static uint64_t guest_send_init(uint64_t dest, uint64_t a1, uint64_t a2,
				uint64_t a3)
{
	x2apic_enable();
	x2apic_write_reg(APIC_ICR, dest << 32 | APIC_DM_INIT | APIC_INT_ASSERT);
	return 0;
}

/* KVM takes in an INIT when it is asked for the state. */
static void init_vcpu(struct hup *h, unsigned int target)
{
	struct kvm_vcpu *vcpu = h->vcpus[target].vcpu;
	struct kvm_mp_state mp_state;
	struct kvm_sregs sregs;
	struct kvm_regs regs;

	vcpu_regs_get(vcpu, &regs);
	vcpu_sregs_get(vcpu, &sregs);
	hup_guest(h, !target, guest_send_init, target, 0, 0, 0);
	vcpu_mp_state_get(vcpu, &mp_state);

	mp_state.mp_state = KVM_MP_STATE_RUNNABLE;
	vcpu_mp_state_set(vcpu, &mp_state);
	vcpu_sregs_set(vcpu, &sregs);
	vcpu_regs_set(vcpu, &regs);
}

HUP_TEST(lifetime, init_of_boot_vcpu)
{
	init_vcpu(self->h, variant->boot);
	EXPECT_EQ(self->locked, hup_locked_kb());
	expect_gone(_metadata, self->h, &self->r);
}

static void on_signal(int sig)
{
}

/* Runs the vCPU until a signal comes. */
static void *run_vcpu(void *vcpu)
{
	__vcpu_run(vcpu);
	return NULL;
}

/* It comes while the vCPU runs, which waits for SIPI then. */
HUP_TEST(lifetime, init_of_running_boot_vcpu)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct hup *h = self->h;
	struct kvm_vcpu *vcpu = h->vcpus[variant->boot].vcpu;
	unsigned int other = !variant->boot;
	struct hyperupcall_query q = { .nr_progs = 1 };
	struct kvm_regs regs;
	pthread_t thread;
	int i;

	ASSERT_EQ(0, sigaction(SIGUSR1, &action, NULL));
	memset(h->data.hva, 0, PAGE_SIZE);
	vcpu_run_complete_io(vcpu);
	vcpu_regs_get(vcpu, &regs);
	regs.rip = (uintptr_t)hup_spin;
	regs.rdi = h->data.gva;
	vcpu_regs_set(vcpu, &regs);
	ASSERT_EQ(0, pthread_create(&thread, NULL, run_vcpu, vcpu));
	hup_guest(h, other, guest_send_init, variant->boot, 0, 0, 0);
	for (i = 0; i < 1000 && q.nr_progs; i++) {
		usleep(1000);
		memset(&q, 0, sizeof(q));
		ASSERT_EQ(0, hup_op_on(h, other, HYPERUPCALL_QUERY, &q,
				       sizeof(q)));
	}
	EXPECT_EQ(0, q.nr_progs);
	EXPECT_EQ(0, q.nr_links);
	EXPECT_EQ(0, q.nr_regions);
	EXPECT_EQ(self->locked, hup_locked_kb());
	pthread_kill(thread, SIGUSR1);
	pthread_join(thread, NULL);
}

/* As at every CPU hotplug. */
HUP_TEST(lifetime, init_of_other_vcpu)
{
	init_vcpu(self->h, !variant->boot);
	expect_there(_metadata, self->h, &self->r);
}

HUP_TEST(lifetime, life_goes_on_after_reset)
{
	struct hup *h = self->h;
	int i;

	for (i = 0; i < 5; i++) {
		reset_by_sregs(h->vcpus[variant->boot].vcpu);
		populate(h, &self->r);
		EXPECT_EQ(self->locked + 16, hup_locked_kb());
	}
	expect_there(_metadata, h, &self->r);
}

/* Guest code that leaves paged mode, in 32-bit code at its physical address. */
static const uint8_t leave_paging[] = {
	0x0f, 0x20, 0xc0,			/* mov %cr0, %eax */
	0x25, 0xff, 0xff, 0xff, 0x7f,		/* and $~X86_CR0_PG, %eax */
	0x0f, 0x22, 0xc0,			/* mov %eax, %cr0 */
	0xec,					/* in (%dx), %al */
};

static void run_in_compatibility_mode(struct hup *h, unsigned int id,
				      const uint8_t *code, size_t size)
{
	struct kvm_vcpu *vcpu = h->vcpus[id].vcpu;
	vm_paddr_t page = vm_phy_page_alloc(h->vm, 0x200000, 0);
	struct kvm_sregs sregs, old_sregs;
	struct kvm_regs regs, old_regs;

	memcpy(addr_gpa2hva(h->vm, page), code, size);
	virt_pg_map(h->vm, page, page);
	vcpu_run_complete_io(vcpu);
	vcpu_sregs_get(vcpu, &old_sregs);
	vcpu_regs_get(vcpu, &old_regs);
	sregs = old_sregs;
	sregs.cs.l = 0;
	sregs.cs.db = 1;
	vcpu_sregs_set(vcpu, &sregs);
	regs = old_regs;
	regs.rip = page;
	vcpu_regs_set(vcpu, &regs);
	vcpu_run(vcpu);
	TEST_ASSERT_KVM_EXIT_REASON(vcpu, KVM_EXIT_IO);
	vcpu_run_complete_io(vcpu);
	vcpu_sregs_get(vcpu, &sregs);
	TEST_ASSERT(!(sregs.cr0 & X86_CR0_PG), "the vCPU is in paged mode");
	vcpu_sregs_set(vcpu, &old_sregs);
	vcpu_regs_set(vcpu, &old_regs);
}

HUP_TEST(lifetime, boot_vcpu_leaves_paging)
{
	run_in_compatibility_mode(self->h, variant->boot, leave_paging,
				  sizeof(leave_paging));
	EXPECT_EQ(self->locked, hup_locked_kb());
	expect_gone(_metadata, self->h, &self->r);
}

HUP_TEST(lifetime, other_vcpu_leaves_paging)
{
	run_in_compatibility_mode(self->h, !variant->boot, leave_paging,
				  sizeof(leave_paging));
	expect_there(_metadata, self->h, &self->r);
}

/* A guest that has no way out: the VMM resets it. */
static void guest_triple_fault(void)
{
	const struct desc_ptr none = {};

	asm volatile("lidt %0; ud2" : : "m"(none));
}

HUP_TEST(lifetime, reset_after_triple_fault)
{
	struct hup *h = self->h;
	struct kvm_vcpu *vcpu = h->vcpus[variant->boot].vcpu;
	struct kvm_sregs sregs, reset;
	struct kvm_regs regs, fault;

	vcpu_run_complete_io(vcpu);
	vcpu_sregs_get(vcpu, &sregs);
	vcpu_regs_get(vcpu, &regs);
	fault = regs;
	fault.rip = (uintptr_t)guest_triple_fault;
	vcpu_regs_set(vcpu, &fault);
	vcpu_run(vcpu);
	TEST_ASSERT_KVM_EXIT_REASON(vcpu, KVM_EXIT_SHUTDOWN);

	vcpu_sregs_get(vcpu, &reset);
	reset.cr0 &= ~X86_CR0_PG;
	reset.efer = 0;
	reset.cs.l = 0;
	vcpu_sregs_set(vcpu, &reset);
	EXPECT_EQ(self->locked, hup_locked_kb());
	vcpu_sregs_set(vcpu, &sregs);
	vcpu_regs_set(vcpu, &regs);
	expect_gone(_metadata, h, &self->r);
}

/*
 * The old kernel has put the boot vCPU to sleep and registers on another one:
 * the reset that finds the boot vCPU outside of paged mode is one all the same.
 */
HUP_TEST(lifetime, registered_while_boot_vcpu_is_off)
{
	struct hup *h = self->h;
	struct kvm_vcpu *boot = h->vcpus[variant->boot].vcpu;
	struct hyperupcall_load load = {
		.insns = h->insns.gva,
		.insn_cnt = 2,
		.name = "late",
	};
	struct hyperupcall_query q = {};
	struct kvm_sregs sregs, reset;
	struct bpf_insn insns[] = {
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(),
	};

	vcpu_sregs_get(boot, &sregs);
	reset = sregs;
	reset.cr0 &= ~X86_CR0_PG;
	reset.efer = 0;
	reset.cs.l = 0;
	reset.cs.db = 1;
	vcpu_sregs_set(boot, &reset);

	memcpy(h->insns.hva, insns, sizeof(insns));
	hup_op_on(h, !variant->boot, HYPERUPCALL_LOAD, &load, sizeof(load));

	/* The reset, of all vCPUs, as a VMM does it. */
	vcpu_sregs_set(boot, &reset);
	reset_by_sregs(h->vcpus[!variant->boot].vcpu);

	/* The next kernel. */
	vcpu_sregs_set(boot, &sregs);
	EXPECT_EQ(0, hup_op_on(h, !variant->boot, HYPERUPCALL_QUERY, &q,
			       sizeof(q)));
	EXPECT_EQ(0, q.nr_progs);
}

/* Not a reset of the boot vCPU: the VMM says what state it is in. */
HUP_TEST(lifetime, mp_state_of_other_vcpu)
{
	struct kvm_vcpu *vcpu = self->h->vcpus[!variant->boot].vcpu;
	static const int states[] = {
		KVM_MP_STATE_INIT_RECEIVED, KVM_MP_STATE_UNINITIALIZED,
		KVM_MP_STATE_HALTED, KVM_MP_STATE_RUNNABLE,
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(states); i++) {
		struct kvm_mp_state state = { .mp_state = states[i] };

		vcpu_mp_state_set(vcpu, &state);
	}
	expect_there(_metadata, self->h, &self->r);
}

static uint64_t guest_enable_apic(uint64_t a0, uint64_t a1, uint64_t a2,
				  uint64_t a3)
{
	x2apic_enable();
	return 0;
}

static uint64_t guest_fire(uint64_t target, uint64_t stop, uint64_t a2,
			   uint64_t a3)
{
	while (!READ_ONCE(*(uint64_t *)stop)) {
		x2apic_write_reg(APIC_ICR, target << 32 | 0xa5);
		cpu_relax();
	}
	return 0;
}

/* Events go on while the VM is reset, programs do not. */
HUP_TEST(lifetime, reset_while_programs_run)
{
	struct hup *h = self->h;
	uint64_t *word = h->data.hva, *stop = word + 1, before;
	struct hup_asm a = {};
	int i;

	hup_emit_count(&a, self->r.offset);
	hup_emit_return(&a, HYPERUPCALL_CONSUMED);
	EXPECT_EQ(self->r.link,
		  hup_replace(h, hup_load_asm(h, &a),
			      HYPERUPCALL_EVENT_INTERRUPT, self->r.link));
	hup_guest(h, 0, guest_enable_apic, 0, 0, 0, 0);
	hup_guest(h, 1, guest_enable_apic, 0, 0, 0, 0);
	hup_start(h, !variant->boot, guest_fire, variant->boot,
		  h->data.gva + 8, 0, 0);
	for (i = 0; i < 10000 && !READ_ONCE(*word); i++)
		usleep(100);
	EXPECT_LT(0, READ_ONCE(*word));

	reset_by_sregs(h->vcpus[variant->boot].vcpu);
	before = READ_ONCE(*word);
	EXPECT_EQ(self->locked, hup_locked_kb());
	usleep(20000);
	EXPECT_EQ(before, READ_ONCE(*word));
	WRITE_ONCE(*stop, 1);
	hup_join(h, !variant->boot);
}

/* What the guest had mapped before is no longer in the window. */
HUP_TEST(lifetime, window_after_reset)
{
	struct hup *h = self->h;
	uint64_t *word = h->data.hva, faults;
	struct hup_asm a = {};

	reset_by_sregs(h->vcpus[variant->boot].vcpu);
	*word = 5;
	hup_emit_count(&a, self->r.offset);
	hup_emit_return(&a, 0);
	hup_run(h, hup_load_asm(h, &a), 0, 0, &faults);
	EXPECT_EQ(1, faults);
	EXPECT_EQ(5, READ_ONCE(*word));
}

/* Nor does anything outlive the VM; other VMs go on as before. */
HUP_TEST(lifetime, vm_destroyed_while_linked)
{
	struct registered r;
	struct hup *h;
	int i;

	for (i = 0; i < 5; i++) {
		h = hup_create(1);
		populate(h, &r);
		EXPECT_LT(0, hup_link(h, r.prog,
				      HYPERUPCALL_EVENT_VCPU_PREEMPT));
		hup_free(h);
		EXPECT_EQ(self->locked + 16, hup_locked_kb());
	}
	expect_there(_metadata, self->h, &self->r);
}

int main(int argc, char **argv)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_HYPERUPCALL));

	return test_harness_run(argc, argv);
}
