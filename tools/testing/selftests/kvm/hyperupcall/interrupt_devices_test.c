// SPDX-License-Identifier: GPL-2.0-only
/*
 * The INTERRUPT event with the whole interrupt controller in the kernel, and
 * with the local APICs only: no program is asked about a device's interrupt,
 * nor about the vCPU's own timer, and IPIs are offered with both.
 */
#include <sys/eventfd.h>

#include "interrupt_util.h"
#include "kvm_test_harness.h"

#define PIN	5
#define MSI_GSI	24

FIXTURE(device) {
	struct hup *h;
	struct ipi_data *data;
	uint32_t offset;		/* of the data in the window */
	long link;
};

FIXTURE_VARIANT(device) {
	bool split;
	enum ipi_mode mode;
};

FIXTURE_VARIANT_ADD(device, full_xapic) { .mode = XAPIC };
FIXTURE_VARIANT_ADD(device, full_x2apic) { .mode = X2APIC };
FIXTURE_VARIANT_ADD(device, split_xapic) { .split = true, .mode = XAPIC };
FIXTURE_VARIANT_ADD(device, split_x2apic) { .split = true, .mode = X2APIC };

/* A VM has an interrupt controller from the start; get one that has not. */
static void split_irqchip(struct kvm_vm *vm)
{
	kvm_vm_release(vm);
	vm->has_irqchip = false;
	kvm_vm_restart(vm);
	vm_enable_cap(vm, KVM_CAP_SPLIT_IRQCHIP, MSI_GSI);
	vm->has_irqchip = true;
}

/* Two interrupts: a message, and a pin of the I/O APIC, if there is one. */
static void route_interrupts(struct kvm_vm *vm, bool split)
{
	const struct kvm_irq_routing_entry entries[] = {
		{
			.gsi = MSI_GSI,
			.type = KVM_IRQ_ROUTING_MSI,
			.u.msi.address_lo = APIC_DEFAULT_GPA | TARGET << 12,
			.u.msi.data = VECTOR,
		}, {
			.gsi = PIN,
			.type = KVM_IRQ_ROUTING_IRQCHIP,
			.u.irqchip.irqchip = KVM_IRQCHIP_IOAPIC,
			.u.irqchip.pin = PIN,
		}
	};
	struct kvm_irq_routing *routing = kvm_gsi_routing_create();

	routing->nr = split ? 1 : 2;
	memcpy(routing->entries, entries, sizeof(entries));
	kvm_gsi_routing_write(vm, routing);
}

FIXTURE_SETUP(device)
{
	struct hup *h = hup_create_vm(2);

	self->h = h;
	if (variant->split)
		split_irqchip(h->vm);
	ASSERT_EQ(0, hup_enable(h->vm, NULL, 0));
	hup_add_vcpus(h);
	hup_boot(h);
	self->data = ipi_prepare(h, variant->mode, &self->offset);
	route_interrupts(h->vm, variant->split);
	self->link = hup_link(h, ipi_load_answer(h, self->offset,
						 HYPERUPCALL_CONSUMED),
			      HYPERUPCALL_EVENT_INTERRUPT);
	ASSERT_LT(0, self->link);
	ipi_start_halted(h, TARGET);
}

FIXTURE_TEARDOWN(device)
{
	ipi_stop(self->h, TARGET);
	hup_free(self->h);
}

/* The target got @n of VECTOR, and nobody was asked. */
static void expect_not_offered(struct __test_metadata *_metadata, struct hup *h,
			       long link, uint32_t n)
{
	struct hyperupcall_stats stats;

	EXPECT_EQ(n, ipi_wait_received(h, TARGET, VECTOR, n));
	hup_stats(h, link, &stats);
	EXPECT_EQ(0, stats.runs);
	EXPECT_EQ(0, stats.throttled);
}

HUP_TEST(device, ipi)
{
	struct hup *h = self->h;
	struct ipi_data *data = self->data;

	ipi_send(h, TARGET, VECTOR);
	EXPECT_EQ(1, data->consumed[VECTOR]);
	ipi_wait_a_while();
	EXPECT_EQ(0, data->wakes);
	EXPECT_EQ(0, hup_unlink(h, self->link));
	ipi_send(h, TARGET, VECTOR);
	EXPECT_EQ(1, ipi_wait_received(h, TARGET, VECTOR, 1));
}

HUP_TEST(device, msi)
{
	int i;

	for (i = 1; i <= 10; i++) {
		ipi_send_msi(self->h, TARGET, VECTOR);
		expect_not_offered(_metadata, self->h, self->link, i);
	}
}

HUP_TEST(device, irqfd)
{
	struct kvm_irqfd irqfd = { .gsi = MSI_GSI };
	struct hup *h = self->h;
	int i;

	irqfd.fd = eventfd(0, 0);
	ASSERT_LE(0, irqfd.fd);
	vm_ioctl(h->vm, KVM_IRQFD, &irqfd);
	for (i = 1; i <= 10; i++) {
		ASSERT_EQ(0, eventfd_write(irqfd.fd, 1));
		expect_not_offered(_metadata, h, self->link, i);
	}
	irqfd.flags = KVM_IRQFD_FLAG_DEASSIGN;
	vm_ioctl(h->vm, KVM_IRQFD, &irqfd);
	close(irqfd.fd);
}

/* Lets the I/O APIC's pin send VECTOR to the target, edge-triggered. */
static void program_ioapic(struct kvm_vm *vm)
{
	struct kvm_irqchip chip = { .chip_id = KVM_IRQCHIP_IOAPIC };

	vm_ioctl(vm, KVM_GET_IRQCHIP, &chip);
	memset(&chip.chip.ioapic.redirtbl[PIN], 0,
	       sizeof(chip.chip.ioapic.redirtbl[PIN]));
	chip.chip.ioapic.redirtbl[PIN].fields.vector = VECTOR;
	chip.chip.ioapic.redirtbl[PIN].fields.dest_id = TARGET;
	vm_ioctl(vm, KVM_SET_IRQCHIP, &chip);
}

HUP_TEST(device, irq_line)
{
	unsigned int gsi = variant->split ? MSI_GSI : PIN;
	struct hup *h = self->h;
	int i;

	if (!variant->split)
		program_ioapic(h->vm);
	for (i = 1; i <= 10; i++) {
		kvm_irq_line(h->vm, gsi, 1);
		kvm_irq_line(h->vm, gsi, 0);
		expect_not_offered(_metadata, h, self->link, i);
	}
}

static uint64_t guest_timer(uint64_t n, uint64_t a1, uint64_t a2, uint64_t a3)
{
	guest_apic_write(APIC_LVTT, VECTOR);
	guest_apic_write(APIC_TDCR, 0xb);
	while (n--) {
		guest_apic_write(APIC_TMICT, 1000);
		hup_halt();
	}
	guest_apic_write(APIC_LVTT, APIC_LVT_MASKED);
	return guest_data->received[SENDER][VECTOR];
}

HUP_TEST(device, local_timer)
{
	EXPECT_EQ(10, hup_guest(self->h, SENDER, guest_timer, 10, 0, 0, 0));
	expect_not_offered(_metadata, self->h, self->link, 0);
}

int main(int argc, char **argv)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_HYPERUPCALL));
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_SPLIT_IRQCHIP));

	return test_harness_run(argc, argv);
}
