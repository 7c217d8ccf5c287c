// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the tests of the INTERRUPT event share, see interrupt_util.h.
 */
#include "interrupt_util.h"

/* The guest's own copies. */
struct ipi_data *guest_data;
enum ipi_mode guest_mode;

/* What a handler reads must not be an exit: the id is the base of GS. */
unsigned int guest_vcpu(void)
{
	return rdmsr(MSR_GS_BASE);
}

uint32_t guest_apic_read(unsigned int reg)
{
	return guest_mode == XAPIC ? xapic_read_reg(reg) : x2apic_read_reg(reg);
}

void guest_apic_write(unsigned int reg, uint32_t value)
{
	if (guest_mode == XAPIC)
		xapic_write_reg(reg, value);
	else
		x2apic_write_reg(reg, value);
}

void guest_irq(struct ex_regs *regs)
{
	guest_data->received[guest_vcpu()][regs->vector]++;
	guest_apic_write(APIC_EOI, 0);
}

static void guest_nmi(struct ex_regs *regs)
{
	guest_data->received[guest_vcpu()][NMI_VECTOR]++;
}

static uint64_t guest_apic_init(uint64_t vcpu, uint64_t a1, uint64_t a2,
				uint64_t a3)
{
	wrmsr(MSR_GS_BASE, vcpu);
	if (guest_mode == XAPIC) {
		xapic_enable();
	} else {
		/* An APIC that is off takes both steps. */
		wrmsr(MSR_IA32_APICBASE, rdmsr(MSR_IA32_APICBASE) |
		      MSR_IA32_APICBASE_ENABLE);
		x2apic_enable();
	}
	return 0;
}

uint64_t guest_halt(uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3)
{
	while (!READ_ONCE(guest_data->stop)) {
		hup_halt();
		guest_data->wakes++;
	}
	return 0;
}

uint64_t guest_spin(uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3)
{
	asm volatile("sti");
	hup_spin((uintptr_t)&guest_data->stop, 0, 0, 0);
	asm volatile("cli");
	return 0;
}

void guest_send_icr(uint32_t dest, uint32_t icr)
{
	if (guest_mode == XAPIC) {
		xapic_write_reg(APIC_ICR2, SET_APIC_DEST_FIELD(dest));
		xapic_write_reg(APIC_ICR, icr);
	} else {
		x2apic_write_reg(APIC_ICR, (uint64_t)dest << 32 | icr);
	}
}

/* Sends @n IPIs, one after the other. */
uint64_t guest_send(uint64_t dest, uint64_t icr, uint64_t n, uint64_t a3)
{
	while (n--) {
		if (guest_mode == PARAVIRT)
			kvm_hypercall(KVM_HC_SEND_IPI, BIT(dest), 0, 0, icr);
		else
			guest_send_icr(dest, icr);
	}
	return 0;
}

uint64_t guest_send_all_but_self(uint64_t icr, uint64_t mask, uint64_t a2,
				 uint64_t a3)
{
	if (guest_mode == PARAVIRT)
		kvm_hypercall(KVM_HC_SEND_IPI, mask, 0, 0, icr);
	else
		guest_send_icr(0, icr | APIC_DEST_ALLBUT);
	return 0;
}

/* Takes what is pending. */
uint64_t guest_take_irqs(uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3)
{
	asm volatile("sti; nop; cli");
	return 0;
}

uint32_t guest_random(uint64_t *state)
{
	*state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
	return *state >> 33;
}

void guest_pause(unsigned int n)
{
	while (n--)
		cpu_relax();
}

void guest_init_timer(void)
{
	guest_apic_write(APIC_LVTT, TIMER_VECTOR);
	guest_apic_write(APIC_TDCR, 0xb);
}

void guest_sleep(uint32_t ns)
{
	guest_apic_write(APIC_TMICT, ns + 1);
	hup_halt();
}

void ipi_prepare_vcpu(struct hup *h, unsigned int vcpu)
{
	hup_guest(h, vcpu, guest_apic_init, vcpu, 0, 0, 0);
}

struct ipi_data *ipi_prepare(struct hup *h, enum ipi_mode mode, uint32_t *offset)
{
	struct ipi_data *gva = (struct ipi_data *)h->data.gva;
	struct kvm_vm *vm = h->vm;
	unsigned int i;
	long r;

	kvm_static_assert(sizeof(struct ipi_data) <= IPI_DATA_SIZE);

	memset(h->data.hva, 0, IPI_DATA_SIZE);
	virt_pg_map(vm, APIC_DEFAULT_GPA, APIC_DEFAULT_GPA);
	write_guest_global(vm, guest_data, gva);
	write_guest_global(vm, guest_mode, mode);
	vm_install_exception_handler(vm, VECTOR, guest_irq);
	vm_install_exception_handler(vm, OTHER_VECTOR, guest_irq);
	vm_install_exception_handler(vm, STOP_VECTOR, guest_irq);
	vm_install_exception_handler(vm, TIMER_VECTOR, guest_irq);
	vm_install_exception_handler(vm, NMI_VECTOR, guest_nmi);
	for (i = 0; i < h->nr_vcpus; i++)
		ipi_prepare_vcpu(h, i);

	r = hup_map(h, h->data.gva, IPI_DATA_SIZE, HYPERUPCALL_MAP_WRITE,
		    offset);
	TEST_ASSERT(r > 0, "MAP returned %ld", r);
	return h->data.hva;
}

void ipi_send(struct hup *h, unsigned int dest, uint32_t icr)
{
	hup_guest(h, SENDER, guest_send, dest, icr, 1, 0);
}

void ipi_send_msi(struct hup *h, unsigned int dest, unsigned int vector)
{
	struct kvm_msi msi = {
		.address_lo = APIC_DEFAULT_GPA | dest << 12,
		.data = vector,
	};
	int r = __vm_ioctl(h->vm, KVM_SIGNAL_MSI, &msi);

	TEST_ASSERT(r > 0, KVM_IOCTL_ERROR(KVM_SIGNAL_MSI, r));
}

void ipi_start_halted(struct hup *h, unsigned int vcpu)
{
	hup_start(h, vcpu, guest_halt, 0, 0, 0, 0);
	hup_wait_blocking(h, vcpu);
}

void ipi_stop(struct hup *h, unsigned int vcpu)
{
	struct ipi_data *data = h->data.hva;

	WRITE_ONCE(data->stop, 1);
	ipi_send_msi(h, vcpu, STOP_VECTOR);
	hup_join(h, vcpu);
	data->stop = 0;
}

uint32_t ipi_wait_received(struct hup *h, unsigned int vcpu,
			   unsigned int vector, uint32_t want)
{
	struct ipi_data *data = h->data.hva;
	uint32_t *received = &data->received[vcpu][vector];
	int i;

	for (i = 0; i < 20000 && READ_ONCE(*received) != want; i++)
		usleep(1000);
	return READ_ONCE(*received);
}

void ipi_wait_a_while(void)
{
	usleep(50000);
}

void ipi_emit_asked(struct hup_asm *a, uint32_t data)
{
	hup_emit(a, IPI_LOAD(BPF_REG_6, vector));
	hup_emit(a, IPI_LOAD(BPF_REG_4, target));
	hup_emit(a, IPI_LOAD(BPF_REG_5, target_state));
	ipi_emit_count(a, IPI_AT(data, asked), BPF_REG_6, BPF_REG_7);
	ipi_emit_count(a, IPI_AT(data, asked_for), BPF_REG_4, BPF_REG_3);
	ipi_emit_count(a, IPI_AT(data, in_state), BPF_REG_5, BPF_REG_3);
}

long ipi_load_answer(struct hup *h, uint32_t data, int answer)
{
	struct hup_asm a = {};

	ipi_emit_asked(&a, data);
	if (answer == HYPERUPCALL_CONSUMED)
		ipi_emit_count(&a, IPI_AT(data, consumed), BPF_REG_6,
			       BPF_REG_3);
	hup_emit_return(&a, answer);
	return hup_load_asm(h, &a);
}

long ipi_load_counter(struct hup *h, uint32_t data, int n, int answer)
{
	struct hup_asm a = {};

	hup_emit_count(&a, IPI_AT(data, count[n]));
	hup_emit_return(&a, answer);
	return hup_load_asm(h, &a);
}

/* Stores r0 to word @n of the helpers' results. */
static void emit_result(struct hup_asm *a, uint32_t data, int n)
{
	hup_emit_address(a, BPF_REG_2, IPI_AT(data, helper[n]));
	hup_emit(a, BPF_STX_MEM(BPF_DW, BPF_REG_2, BPF_REG_0, 0));
}

long ipi_load_helpers(struct hup *h, uint32_t data)
{
	const int size = sizeof(struct hyperupcall_regs);
	struct hup_asm a = {};
	int off;

	hup_emit(&a, IPI_LOAD(BPF_REG_6, target));
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

	hup_emit_address(&a, BPF_REG_2, IPI_AT(data, regs));
	hup_emit_copy(&a, BPF_REG_2, BPF_REG_7, size);
	hup_emit_return(&a, HYPERUPCALL_CONSUMED);
	return hup_load_asm(h, &a);
}
