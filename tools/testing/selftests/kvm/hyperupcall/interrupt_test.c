// SPDX-License-Identifier: GPL-2.0-only
/*
 * The INTERRUPT event: IPIs between vCPUs, by every way that KVM has, are
 * offered to the linked programs, and consumed or delivered as these say.
 */
#include "apic.h"
#include "hyperupcall_util.h"
#include "kvm_test_harness.h"

#define VECTOR		0xa5
#define OTHER_VECTOR	0xb6
#define STOP_VECTOR	0xc7

#define SENDER		0
#define TARGET		1
#define THIRD		2

/* Guest memory that the guest, the programs and the test share. */
struct ipi_data {
	uint64_t stop;
	uint64_t wakes;
	uint64_t received[256];

	/* What programs write. */
	uint64_t count[4];
	uint64_t helper[4];
	struct hyperupcall_regs regs;
	struct hyperupcall_ctx ctx;
};

/* Three ways to send an IPI. */
enum ipi_mode {
	XAPIC,
	X2APIC,
	PARAVIRT,	/* KVM_HC_SEND_IPI */
};

/* The guest's own copies. */
static struct ipi_data *guest_data;
static enum ipi_mode guest_mode;

static void guest_eoi(void)
{
	if (guest_mode == XAPIC)
		xapic_write_reg(APIC_EOI, 0);
	else
		x2apic_write_reg(APIC_EOI, 0);
}

static void guest_irq(struct ex_regs *regs)
{
	guest_data->received[regs->vector]++;
	guest_eoi();
}

static void guest_nmi(struct ex_regs *regs)
{
	guest_data->received[NMI_VECTOR]++;
}

static uint64_t guest_apic_init(uint64_t a0, uint64_t a1, uint64_t a2,
				uint64_t a3)
{
	if (guest_mode == XAPIC)
		xapic_enable();
	else
		x2apic_enable();
	return 0;
}

static uint64_t guest_halt(uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3)
{
	while (!READ_ONCE(guest_data->stop)) {
		hup_halt();
		guest_data->wakes++;
	}
	return 0;
}

static uint64_t guest_spin(uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3)
{
	asm volatile("sti");
	hup_spin((uintptr_t)&guest_data->stop, 0, 0, 0);
	asm volatile("cli");
	return 0;
}

static void guest_send_one(uint32_t dest, uint32_t icr)
{
	switch (guest_mode) {
	case XAPIC:
		xapic_write_reg(APIC_ICR2, SET_APIC_DEST_FIELD(dest));
		xapic_write_reg(APIC_ICR, icr);
		break;
	case X2APIC:
		x2apic_write_reg(APIC_ICR, (uint64_t)dest << 32 | icr);
		break;
	case PARAVIRT:
		kvm_hypercall(KVM_HC_SEND_IPI, BIT(dest), 0, 0, icr);
		break;
	}
}

/* Sends @n IPIs, one after the other. */
static uint64_t guest_send(uint64_t dest, uint64_t icr, uint64_t n, uint64_t a3)
{
	while (n--)
		guest_send_one(dest, icr);
	return 0;
}

static uint64_t guest_send_all_but_self(uint64_t icr, uint64_t mask,
					uint64_t a2, uint64_t a3)
{
	if (guest_mode == PARAVIRT)
		kvm_hypercall(KVM_HC_SEND_IPI, mask, 0, 0, icr);
	else
		guest_send_one(0, icr | APIC_DEST_ALLBUT);
	return 0;
}

static uint64_t guest_send_self(uint64_t icr, uint64_t a1, uint64_t a2,
				uint64_t a3)
{
	if (guest_mode == PARAVIRT)
		guest_send_one(SENDER, icr);
	else
		guest_send_one(0, icr | APIC_DEST_SELF);
	asm volatile("sti; nop; cli");
	return 0;
}

FIXTURE(ipi) {
	struct hup *h;
	struct ipi_data *data;
	uint32_t offset;		/* of the data in the window */
};

FIXTURE_VARIANT(ipi) {
	enum ipi_mode mode;
};

FIXTURE_VARIANT_ADD(ipi, xapic) { .mode = XAPIC };
FIXTURE_VARIANT_ADD(ipi, x2apic) { .mode = X2APIC };
FIXTURE_VARIANT_ADD(ipi, paravirt) { .mode = PARAVIRT };

/* Prepares a VM of @h for IPIs, returns its shared memory. */
static struct ipi_data *setup_guest(struct hup *h, enum ipi_mode mode)
{
	struct kvm_vm *vm = h->vm;
	struct ipi_data *gva = (struct ipi_data *)h->data.gva;
	unsigned int i;

	kvm_static_assert(sizeof(struct ipi_data) <= 4096);

	memset(h->data.hva, 0, PAGE_SIZE);
	virt_pg_map(vm, APIC_DEFAULT_GPA, APIC_DEFAULT_GPA);
	write_guest_global(vm, guest_data, gva);
	write_guest_global(vm, guest_mode, mode);
	vm_install_exception_handler(vm, VECTOR, guest_irq);
	vm_install_exception_handler(vm, OTHER_VECTOR, guest_irq);
	vm_install_exception_handler(vm, STOP_VECTOR, guest_irq);
	vm_install_exception_handler(vm, NMI_VECTOR, guest_nmi);
	for (i = 0; i < h->nr_vcpus; i++)
		hup_guest(h, i, guest_apic_init, 0, 0, 0, 0);
	return h->data.hva;
}

FIXTURE_SETUP(ipi)
{
	self->h = hup_create(3);
	self->data = setup_guest(self->h, variant->mode);
	ASSERT_LT(0, hup_map(self->h, self->h->data.gva, PAGE_SIZE,
			     HYPERUPCALL_MAP_WRITE, &self->offset));
}

/* A device's interrupt: no program is ever asked about it. */
static void send_msi(struct hup *h, unsigned int dest, unsigned int vector)
{
	struct kvm_msi msi = {
		.address_lo = APIC_DEFAULT_GPA | dest << 12,
		.data = vector,
	};
	int r = __vm_ioctl(h->vm, KVM_SIGNAL_MSI, &msi);

	TEST_ASSERT(r > 0, KVM_IOCTL_ERROR(KVM_SIGNAL_MSI, r));
}

static void start_halted(struct hup *h, unsigned int vcpu)
{
	hup_start(h, vcpu, guest_halt, 0, 0, 0, 0);
	hup_wait_blocking(h, vcpu);
}

static void stop(struct hup *h, unsigned int vcpu)
{
	struct ipi_data *data = h->data.hva;

	data->stop = 1;
	send_msi(h, vcpu, STOP_VECTOR);
	hup_join(h, vcpu);
	data->stop = 0;
}

FIXTURE_TEARDOWN(ipi)
{
	hup_free(self->h);
}

static void send(struct hup *h, unsigned int dest, uint32_t icr)
{
	hup_guest(h, SENDER, guest_send, dest, icr, 1, 0);
}

/* Waits until *@p is @want; returns what it is after a long time. */
static uint64_t wait_for(uint64_t *p, uint64_t want)
{
	int i;

	for (i = 0; i < 20000 && READ_ONCE(*p) != want; i++)
		usleep(1000);
	return READ_ONCE(*p);
}

/* For what must not happen. */
static void wait_a_while(void)
{
	usleep(50000);
}

/* Programs. @data is the offset of struct ipi_data in the window. */
#define AT(data, field)		((data) + offsetof(struct ipi_data, field))

#define LOAD_INTERRUPT(dst, field)					\
	BPF_LDX_MEM(BPF_W, dst, BPF_REG_1,				\
		    offsetof(struct hyperupcall_ctx, interrupt.field))

static long load_counter(struct hup *h, uint32_t data, int n, int answer)
{
	struct hup_asm a = {};

	hup_emit_count(&a, AT(data, count[n]));
	hup_emit_return(&a, answer);
	return hup_load_asm(h, &a);
}

/* Copies the event into shared memory. */
static long load_recorder(struct hup *h, uint32_t data)
{
	struct hup_asm a = {};

	hup_emit_address(&a, BPF_REG_2, AT(data, ctx));
	hup_emit_copy(&a, BPF_REG_2, BPF_REG_1,
		      sizeof(struct hyperupcall_ctx));
	hup_emit_return(&a, HYPERUPCALL_CONSUMED);
	return hup_load_asm(h, &a);
}

/* Counts, and consumes what is for a target that does not run. */
static long load_unless_running(struct hup *h, uint32_t data)
{
	struct hup_asm a = {};
	unsigned int jump;

	hup_emit(&a, LOAD_INTERRUPT(BPF_REG_4, target_state));
	jump = a.cnt;
	hup_emit(&a, BPF_JMP_IMM(BPF_JEQ, BPF_REG_4, HYPERUPCALL_VCPU_RUNNING,
				 0));
	hup_emit_count(&a, AT(data, count[0]));
	hup_emit_return(&a, HYPERUPCALL_CONSUMED);
	a.insns[jump].off = a.cnt - jump - 1;
	hup_emit_count(&a, AT(data, count[1]));
	hup_emit_return(&a, HYPERUPCALL_NO_OPINION);
	return hup_load_asm(h, &a);
}

/* Stores r0 to word @n of the helpers' results. */
static void emit_result(struct hup_asm *a, uint32_t data, int n)
{
	hup_emit_address(a, BPF_REG_2, AT(data, helper[n]));
	hup_emit(a, BPF_STX_MEM(BPF_DW, BPF_REG_2, BPF_REG_0, 0));
}

/* Calls every helper for the target. */
static long load_helpers(struct hup *h, uint32_t data)
{
	const int size = sizeof(struct hyperupcall_regs);
	struct hup_asm a = {};
	int off;

	hup_emit(&a, LOAD_INTERRUPT(BPF_REG_6, target));
	hup_emit(&a, BPF_MOV64_REG(BPF_REG_1, BPF_REG_6));
	hup_emit(&a, HUP_CALL(FLUSH_TLB));
	emit_result(&a, data, 0);
	hup_emit(&a, BPF_MOV64_REG(BPF_REG_1, BPF_REG_6));
	hup_emit(&a, HUP_CALL(VCPU_STATE));
	emit_result(&a, data, 1);

	for (off = -size; off < 0; off += 8)
		hup_emit(&a, BPF_ST_MEM(BPF_DW, BPF_REG_10, off, 0));
	hup_emit(&a, BPF_MOV64_REG(BPF_REG_7, BPF_REG_10));
	hup_emit(&a, BPF_ALU64_IMM(BPF_ADD, BPF_REG_7, -size));
	hup_emit(&a, BPF_MOV64_REG(BPF_REG_1, BPF_REG_6));
	hup_emit(&a, BPF_MOV64_REG(BPF_REG_2, BPF_REG_7));
	hup_emit(&a, BPF_MOV64_IMM(BPF_REG_3, size));
	hup_emit(&a, HUP_CALL(VCPU_REGS));
	emit_result(&a, data, 2);

	hup_emit_address(&a, BPF_REG_2, AT(data, regs));
	hup_emit_copy(&a, BPF_REG_2, BPF_REG_7, size);
	hup_emit_return(&a, HYPERUPCALL_CONSUMED);
	return hup_load_asm(h, &a);
}

HUP_TEST(ipi, consumed_for_halted_target)
{
	struct hup *h = self->h;
	long link = hup_link(h, hup_load_return(h, HYPERUPCALL_CONSUMED),
			     HYPERUPCALL_EVENT_INTERRUPT);
	struct hyperupcall_stats stats;

	start_halted(h, TARGET);
	send(h, TARGET, VECTOR);
	wait_a_while();
	EXPECT_EQ(0, self->data->received[VECTOR]);
	EXPECT_EQ(0, self->data->wakes);
	hup_stats(h, link, &stats);
	EXPECT_EQ(1, stats.runs);
	EXPECT_EQ(1, stats.opinions);
	EXPECT_EQ(0, stats.faults);
	EXPECT_EQ(0, stats.throttled);

	/* Nothing of it is left: only what is sent now arrives. */
	EXPECT_EQ(0, hup_unlink(h, link));
	send(h, TARGET, OTHER_VECTOR);
	EXPECT_EQ(1, wait_for(&self->data->received[OTHER_VECTOR], 1));
	EXPECT_EQ(0, self->data->received[VECTOR]);
	send(h, TARGET, VECTOR);
	EXPECT_EQ(1, wait_for(&self->data->received[VECTOR], 1));
	stop(h, TARGET);
}

HUP_TEST(ipi, delivered_to_running_target)
{
	struct hup *h = self->h;
	struct ipi_data *data = self->data;
	uint64_t running = 0;
	int i;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		SKIP(return, "two vCPUs cannot run at once on one CPU");

	ASSERT_LT(0, hup_link(h, load_unless_running(h, self->offset),
			      HYPERUPCALL_EVENT_INTERRUPT));
	hup_start(h, TARGET, guest_spin, 0, 0, 0, 0);
	for (i = 0; i < 1000 && running < 5; i++) {
		send(h, TARGET, VECTOR);
		running = data->count[1];
		ASSERT_EQ(running, wait_for(&data->received[VECTOR], running));
		ASSERT_EQ(i + 1, data->count[0] + data->count[1]);
	}
	EXPECT_EQ(5, running);
	stop(h, TARGET);
	EXPECT_EQ(running, data->received[VECTOR]);
}

/* Programs that leave it to others, or say what is no answer. */
HUP_TEST(ipi, no_opinion)
{
	static const int answers[] = {
		HYPERUPCALL_NO_OPINION, HYPERUPCALL_CONSUMED + 1, 77, -1
	};
	struct hup *h = self->h;
	struct hyperupcall_stats stats;
	long link;
	int i;

	start_halted(h, TARGET);
	for (i = 0; i < ARRAY_SIZE(answers); i++) {
		link = hup_link(h, hup_load_return(h, answers[i]),
				HYPERUPCALL_EVENT_INTERRUPT);
		send(h, TARGET, VECTOR);
		EXPECT_EQ(i + 1, wait_for(&self->data->received[VECTOR], i + 1))
			TH_LOG("answer %d", answers[i]);
		hup_stats(h, link, &stats);
		EXPECT_EQ(1, stats.runs);
		EXPECT_EQ(0, stats.opinions);
		EXPECT_EQ(0, hup_unlink(h, link));
	}
	stop(h, TARGET);
}

HUP_TEST(ipi, event_data)
{
	struct hup *h = self->h;
	struct hyperupcall_ctx ctx;
	int i;

	ASSERT_LT(0, hup_link(h, load_recorder(h, self->offset),
			      HYPERUPCALL_EVENT_INTERRUPT));
	memset((void *)&self->data->ctx, 0xee, sizeof(ctx));
	start_halted(h, TARGET);
	send(h, TARGET, VECTOR);
	stop(h, TARGET);

	ctx = *(struct hyperupcall_ctx *)&self->data->ctx;
	EXPECT_EQ(HYPERUPCALL_EVENT_INTERRUPT, ctx.event);
	EXPECT_EQ(SENDER, ctx.vcpu);
	EXPECT_EQ(VECTOR, ctx.interrupt.vector);
	EXPECT_EQ(TARGET, ctx.interrupt.target);
	EXPECT_EQ(HYPERUPCALL_VCPU_HALTED, ctx.interrupt.target_state);
	EXPECT_EQ(0, ctx.interrupt.reserved);
	for (i = 2; i < 7; i++)
		EXPECT_EQ(0, ctx.data[i]);
}

/* What the helpers say of a vCPU that is halted. */
HUP_TEST(ipi, helpers)
{
	struct hup *h = self->h;
	struct ipi_data *data = self->data;
	long prog = load_helpers(h, self->offset);

	ASSERT_LT(0, prog) TH_LOG("%s", (char *)h->log.hva);
	ASSERT_LT(0, hup_link(h, prog, HYPERUPCALL_EVENT_INTERRUPT));
	start_halted(h, TARGET);
	send(h, TARGET, VECTOR);

	EXPECT_EQ(1, data->helper[0]);
	EXPECT_EQ(HYPERUPCALL_VCPU_HALTED, data->helper[1]);
	EXPECT_EQ(0, data->helper[2]);
	EXPECT_EQ((uintptr_t)hup_halted, data->regs.rip);
	EXPECT_EQ(1 << 9, data->regs.rflags & 1 << 9);
	EXPECT_EQ(h->vm->pgd, data->regs.cr3);
	EXPECT_EQ(0, data->regs.cpl);
	EXPECT_EQ(0, data->regs.reserved);
	EXPECT_NE(0, data->regs.rsp);

	/* The flush is no reason to wake up. */
	wait_a_while();
	EXPECT_EQ(0, data->wakes);
	stop(h, TARGET);
}

HUP_TEST(ipi, vcpu_in_the_vmm_is_stopped)
{
	struct hup *h = self->h;
	long prog = hup_prog(h,
			     BPF_MOV64_IMM(BPF_REG_1, TARGET),
			     HUP_CALL(VCPU_STATE),
			     BPF_EXIT_INSN());

	EXPECT_EQ(HYPERUPCALL_VCPU_STOPPED, hup_run(h, prog, 0, 0, NULL));
	start_halted(h, TARGET);
	EXPECT_EQ(HYPERUPCALL_VCPU_HALTED, hup_run(h, prog, 0, 0, NULL));
	stop(h, TARGET);
	EXPECT_EQ(HYPERUPCALL_VCPU_STOPPED, hup_run(h, prog, 0, 0, NULL));
}

/* An IPI to oneself comes from no other vCPU. */
HUP_TEST(ipi, self)
{
	struct hup *h = self->h;
	long link = hup_link(h, hup_load_return(h, HYPERUPCALL_CONSUMED),
			     HYPERUPCALL_EVENT_INTERRUPT);
	struct hyperupcall_stats stats;

	hup_guest(h, SENDER, guest_send_self, VECTOR, 0, 0, 0);
	EXPECT_EQ(1, self->data->received[VECTOR]);
	hup_stats(h, link, &stats);
	EXPECT_EQ(0, stats.runs);
}

/* Each target of a broadcast is an event of its own. */
HUP_TEST(ipi, broadcast)
{
	struct hup *h = self->h;
	uint64_t *received = &self->data->received[VECTOR];
	long link = hup_link(h, hup_load_return(h, HYPERUPCALL_CONSUMED),
			     HYPERUPCALL_EVENT_INTERRUPT);
	struct hyperupcall_stats stats;

	start_halted(h, TARGET);
	start_halted(h, THIRD);
	hup_guest(h, SENDER, guest_send_all_but_self, VECTOR,
		  BIT(TARGET) | BIT(THIRD), 0, 0);
	wait_a_while();
	EXPECT_EQ(0, *received);
	hup_stats(h, link, &stats);
	EXPECT_EQ(2, stats.runs);

	EXPECT_EQ(0, hup_unlink(h, link));
	hup_guest(h, SENDER, guest_send_all_but_self, VECTOR,
		  BIT(TARGET) | BIT(THIRD), 0, 0);
	EXPECT_EQ(2, wait_for(received, 2));
	stop(h, TARGET);
	stop(h, THIRD);
}

HUP_TEST(ipi, devices_are_not_asked_about)
{
	struct hup *h = self->h;
	long link = hup_link(h, hup_load_return(h, HYPERUPCALL_CONSUMED),
			     HYPERUPCALL_EVENT_INTERRUPT);
	struct hyperupcall_stats stats;

	start_halted(h, TARGET);
	send_msi(h, TARGET, VECTOR);
	EXPECT_EQ(1, wait_for(&self->data->received[VECTOR], 1));
	hup_stats(h, link, &stats);
	EXPECT_EQ(0, stats.runs);
	stop(h, TARGET);
}

HUP_TEST(ipi, nmis_are_not_asked_about)
{
	struct hup *h = self->h;
	long link = hup_link(h, hup_load_return(h, HYPERUPCALL_CONSUMED),
			     HYPERUPCALL_EVENT_INTERRUPT);
	struct hyperupcall_stats stats;

	start_halted(h, TARGET);
	send(h, TARGET, APIC_DM_NMI);
	EXPECT_EQ(1, wait_for(&self->data->received[NMI_VECTOR], 1));
	hup_stats(h, link, &stats);
	EXPECT_EQ(0, stats.runs);
	stop(h, TARGET);
}

/* Links run in the order they were made, until one has an opinion. */
HUP_TEST(ipi, chain)
{
	static const int answers[] = {
		HYPERUPCALL_NO_OPINION, HYPERUPCALL_DELIVER,
		HYPERUPCALL_CONSUMED
	};
	struct hup *h = self->h;
	struct ipi_data *data = self->data;
	struct hyperupcall_stats stats;
	long link[3];
	int i;

	for (i = 0; i < 3; i++)
		link[i] = hup_link(h, load_counter(h, self->offset, i,
						   answers[i]),
				   HYPERUPCALL_EVENT_INTERRUPT);
	start_halted(h, TARGET);
	send(h, TARGET, VECTOR);
	EXPECT_EQ(1, wait_for(&data->received[VECTOR], 1));
	EXPECT_EQ(1, data->count[0]);
	EXPECT_EQ(1, data->count[1]);
	EXPECT_EQ(0, data->count[2]);
	hup_stats(h, link[0], &stats);
	EXPECT_EQ(0, stats.opinions);
	hup_stats(h, link[1], &stats);
	EXPECT_EQ(1, stats.opinions);
	hup_stats(h, link[2], &stats);
	EXPECT_EQ(0, stats.runs);

	/* A link that goes leaves the order of the others. */
	EXPECT_EQ(0, hup_unlink(h, link[1]));
	hup_wait_blocking(h, TARGET);
	send(h, TARGET, VECTOR);
	wait_a_while();
	EXPECT_EQ(1, data->received[VECTOR]);
	EXPECT_EQ(2, data->count[0]);
	EXPECT_EQ(1, data->count[1]);
	EXPECT_EQ(1, data->count[2]);
	stop(h, TARGET);
}

/* A program that takes another's place takes it in the chain. */
HUP_TEST(ipi, replace_keeps_the_place)
{
	struct hup *h = self->h;
	struct hyperupcall_stats stats;
	long first, second;

	first = hup_link(h, hup_load_return(h, HYPERUPCALL_CONSUMED),
			 HYPERUPCALL_EVENT_INTERRUPT);
	second = hup_link(h, hup_load_return(h, HYPERUPCALL_CONSUMED),
			  HYPERUPCALL_EVENT_INTERRUPT);
	start_halted(h, TARGET);
	send(h, TARGET, VECTOR);
	EXPECT_EQ(first, hup_replace(h, hup_load_return(h, HYPERUPCALL_DELIVER),
				     HYPERUPCALL_EVENT_INTERRUPT, first));
	send(h, TARGET, VECTOR);
	EXPECT_EQ(1, wait_for(&self->data->received[VECTOR], 1));
	hup_stats(h, first, &stats);
	EXPECT_EQ(2, stats.runs);
	EXPECT_EQ(2, stats.opinions);
	hup_stats(h, second, &stats);
	EXPECT_EQ(0, stats.runs);
	stop(h, TARGET);
}

#define NR_FLOWING	3000

/* Every IPI sees the old program or the new one, none sees neither. */
HUP_TEST(ipi, replace_while_ipis_flow)
{
	struct hup *h = self->h;
	struct ipi_data *data = self->data;
	struct hyperupcall_stats stats;
	long prog[2], link;
	uint64_t old;
	int i;

	for (i = 0; i < 2; i++)
		prog[i] = load_counter(h, self->offset, i,
				       HYPERUPCALL_CONSUMED);
	link = hup_link(h, prog[0], HYPERUPCALL_EVENT_INTERRUPT);
	start_halted(h, TARGET);
	hup_start(h, THIRD, guest_send, TARGET, VECTOR, NR_FLOWING, 0);
	for (i = 1; i < 20; i++) {
		EXPECT_EQ(link, hup_replace(h, prog[i % 2],
					    HYPERUPCALL_EVENT_INTERRUPT, link));
		old = data->count[(i + 1) % 2];
		usleep(1000);
		EXPECT_EQ(old, data->count[(i + 1) % 2]);
	}
	hup_join(h, THIRD);
	EXPECT_EQ(NR_FLOWING, data->count[0] + data->count[1]);
	hup_stats(h, link, &stats);
	EXPECT_EQ(NR_FLOWING, stats.runs);
	EXPECT_EQ(NR_FLOWING, stats.opinions);
	EXPECT_EQ(0, data->received[VECTOR]);
	EXPECT_EQ(0, data->wakes);
	stop(h, TARGET);
}

/* Once UNLINK and UNLOAD return, the program is gone from under the IPIs. */
HUP_TEST(ipi, unlink_while_ipis_flow)
{
	struct hup *h = self->h;
	struct ipi_data *data = self->data;
	uint64_t before;
	long prog, link;
	int i;

	start_halted(h, TARGET);
	hup_start(h, THIRD, guest_send, TARGET, VECTOR, NR_FLOWING, 0);
	for (i = 0; i < 20; i++) {
		prog = load_counter(h, self->offset, 0, HYPERUPCALL_CONSUMED);
		link = hup_link(h, prog, HYPERUPCALL_EVENT_INTERRUPT);
		ASSERT_LT(0, link);
		usleep(1000);
		EXPECT_EQ(0, hup_unlink(h, link));
		EXPECT_EQ(0, hup_unload(h, prog));
		before = data->count[0];
		usleep(1000);
		EXPECT_EQ(before, data->count[0]);
	}
	hup_join(h, THIRD);
	stop(h, TARGET);
}

/* A region goes and comes while a program reads and writes it. */
HUP_TEST(ipi, unmap_while_ipis_flow)
{
	struct hup *h = self->h;
	struct ipi_data *data = self->data;
	uint64_t *word = h->data.hva + PAGE_SIZE;
	struct hyperupcall_stats stats;
	struct hup_asm a = {};
	uint32_t offset, next;
	long region, link;
	uint64_t before;
	int i;

	region = hup_map(h, h->data.gva + PAGE_SIZE, PAGE_SIZE,
			 HYPERUPCALL_MAP_WRITE, &offset);
	ASSERT_LT(0, region);
	hup_emit_count(&a, offset);
	hup_emit_count(&a, AT(self->offset, count[0]));
	hup_emit_return(&a, HYPERUPCALL_CONSUMED);
	link = hup_link(h, hup_load_asm(h, &a), HYPERUPCALL_EVENT_INTERRUPT);
	ASSERT_LT(0, link);
	start_halted(h, TARGET);
	hup_start(h, THIRD, guest_send, TARGET, VECTOR, NR_FLOWING, 0);
	for (i = 0; i < 20; i++) {
		EXPECT_EQ(0, hup_unmap(h, region));
		before = READ_ONCE(*word);
		usleep(1000);
		EXPECT_EQ(before, READ_ONCE(*word));
		region = hup_map(h, h->data.gva + PAGE_SIZE, PAGE_SIZE,
				 HYPERUPCALL_MAP_WRITE, &next);
		ASSERT_LT(0, region);
	}
	hup_join(h, THIRD);
	hup_stats(h, link, &stats);
	EXPECT_EQ(NR_FLOWING, stats.runs);
	EXPECT_EQ(NR_FLOWING, data->count[0]);
	EXPECT_EQ(NR_FLOWING, stats.faults + *word);
	EXPECT_LT(0, stats.faults);
	stop(h, TARGET);
}

/* A program over its budget is not asked, and what it would consume arrives. */
HUP_TEST(ipi, budget)
{
	static const struct kvm_hyperupcall_policy policy = { .budget_ns = 1 };
	struct hup *h = hup_create_policy(2, &policy);
	struct ipi_data *data = setup_guest(h, variant->mode);
	long link = hup_link(h, hup_load_return(h, HYPERUPCALL_CONSUMED),
			     HYPERUPCALL_EVENT_INTERRUPT);
	struct hyperupcall_stats stats = {};
	int i;

	start_halted(h, TARGET);
	for (i = 1; i <= 20; i++) {
		send(h, TARGET, VECTOR);
		hup_stats(h, link, &stats);
		ASSERT_EQ(i, stats.runs + stats.throttled);
		ASSERT_EQ(stats.throttled,
			  wait_for(&data->received[VECTOR], stats.throttled));
	}
	EXPECT_LT(0, stats.runs);
	EXPECT_LT(0, stats.throttled);
	EXPECT_LT(0, stats.run_ns);
	stop(h, TARGET);
	hup_free(h);
}

int main(int argc, char **argv)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_HYPERUPCALL));

	return test_harness_run(argc, argv);
}
