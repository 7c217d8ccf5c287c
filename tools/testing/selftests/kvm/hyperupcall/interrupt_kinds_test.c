// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which IPIs are offered to the INTERRUPT event, and to whom: by destination
 * (one, several, all, oneself), by delivery mode and by trigger.
 */
#include "interrupt_fixture.h"

#define APIC_LDR		0xd0
#define APIC_DFR		0xe0
#define APIC_DFR_FLAT		0xffffffff
#define APIC_DFR_CLUSTER	0x0fffffff
#define APIC_SELF_IPI		0x3f0

static long link_consumer(struct hup *h, uint32_t offset)
{
	return hup_link(h, ipi_load_answer(h, offset, HYPERUPCALL_CONSUMED),
			HYPERUPCALL_EVENT_INTERRUPT);
}

/* Writes ICR, or with PARAVIRT makes the hypercall for a mask of vCPUs. */
static uint64_t guest_send_to(uint64_t dest, uint64_t icr, uint64_t a2,
			      uint64_t a3)
{
	if (guest_mode == PARAVIRT)
		kvm_hypercall(KVM_HC_SEND_IPI, dest, 0, 0, icr);
	else
		guest_send_icr(dest, icr);
	return guest_take_irqs(0, 0, 0, 0);
}

static uint64_t guest_send_self_ipi(uint64_t vector, uint64_t a1, uint64_t a2,
				    uint64_t a3)
{
	guest_apic_write(APIC_SELF_IPI, vector);
	return guest_take_irqs(0, 0, 0, 0);
}

/* Lets the vCPUs that are not running take what is pending for them. */
static void take_irqs(struct hup *h)
{
	hup_guest(h, TARGET, guest_take_irqs, 0, 0, 0, 0);
	hup_guest(h, THIRD, guest_take_irqs, 0, 0, 0, 0);
}

/*
 * Sends twice, with the program and without. All in the mask @others, of the
 * vCPUs that are not the sender, must be asked about and miss the first; the
 * sender takes both if it is in @self.
 */
static void expect_offered(struct __test_metadata *_metadata, struct hup *h,
			   uint32_t offset, uint64_t dest, uint32_t icr,
			   unsigned int others, unsigned int self)
{
	struct ipi_data *data = h->data.hva;
	long link = link_consumer(h, offset);
	int i;

	memset(data->asked_for, 0, sizeof(data->asked_for));
	memset(data->received, 0, sizeof(data->received));

	hup_guest(h, SENDER, guest_send_to, dest, icr, 0, 0);
	EXPECT_EQ(0, hup_unlink(h, link));
	take_irqs(h);
	for (i = TARGET; i <= THIRD; i++) {
		EXPECT_EQ(others >> i & 1, data->asked_for[i])
			TH_LOG("icr %x dest %lx to %d", icr, dest, i);
		EXPECT_EQ(0, data->received[i][VECTOR]);
	}
	EXPECT_EQ(0, data->asked_for[SENDER]);
	EXPECT_EQ(self, data->received[SENDER][VECTOR]);

	hup_guest(h, SENDER, guest_send_to, dest, icr, 0, 0);
	take_irqs(h);
	for (i = TARGET; i <= THIRD; i++)
		EXPECT_EQ(others >> i & 1, data->received[i][VECTOR])
			TH_LOG("icr %x dest %lx to %d", icr, dest, i);
	EXPECT_EQ(2 * self, data->received[SENDER][VECTOR]);
}

#define ALL_OTHERS	(BIT(TARGET) | BIT(THIRD))

HUP_TEST(ipi, one)
{
	uint64_t dest = variant->mode == PARAVIRT ? BIT(TARGET) : TARGET;

	expect_offered(_metadata, self->h, self->offset, dest, VECTOR,
		       BIT(TARGET), 0);
	/* The bit means something for INIT only. */
	expect_offered(_metadata, self->h, self->offset, dest,
		       VECTOR | APIC_INT_ASSERT, BIT(TARGET), 0);
}

/* Each target is an event of its own, and the sender is no target. */
HUP_TEST(ipi, several)
{
	struct hup *h = self->h;

	if (variant->mode == PARAVIRT) {
		expect_offered(_metadata, h, self->offset, ALL_OTHERS, VECTOR,
			       ALL_OTHERS, 0);
		expect_offered(_metadata, h, self->offset,
			       ALL_OTHERS | BIT(SENDER), VECTOR, ALL_OTHERS, 1);
		return;
	}
	expect_offered(_metadata, h, self->offset, 0,
		       VECTOR | APIC_DEST_ALLBUT, ALL_OTHERS, 0);
	expect_offered(_metadata, h, self->offset, 0,
		       VECTOR | APIC_DEST_ALLINC, ALL_OTHERS, 1);
	/* Broadcast as a physical destination. */
	expect_offered(_metadata, h, self->offset,
		       variant->mode == XAPIC ? 0xff : 0xffffffff, VECTOR,
		       ALL_OTHERS, 1);
}

static void expect_self(struct __test_metadata *_metadata, struct hup *h,
			hup_guest_fn fn, uint64_t a0, uint64_t a1)
{
	struct ipi_data *data = h->data.hva;
	uint32_t before = data->received[SENDER][VECTOR];

	hup_guest(h, SENDER, fn, a0, a1, 0, 0);
	EXPECT_EQ(before + 1, data->received[SENDER][VECTOR]);
	EXPECT_EQ(0, data->asked[VECTOR]);
}

/* An IPI to oneself comes from no other vCPU. */
HUP_TEST(ipi, self)
{
	struct hup *h = self->h;

	ASSERT_LT(0, link_consumer(h, self->offset));
	if (variant->mode == PARAVIRT) {
		expect_self(_metadata, h, guest_send_to, BIT(SENDER), VECTOR);
		return;
	}
	expect_self(_metadata, h, guest_send_to, 0, VECTOR | APIC_DEST_SELF);
	expect_self(_metadata, h, guest_send_to, SENDER, VECTOR);
	if (variant->mode == X2APIC)
		expect_self(_metadata, h, guest_send_self_ipi, VECTOR, 0);
}

static uint64_t guest_set_logical_id(uint64_t ldr, uint64_t dfr, uint64_t a2,
				     uint64_t a3)
{
	guest_apic_write(APIC_DFR, dfr);
	guest_apic_write(APIC_LDR, ldr << 24);
	return 0;
}

/* Logical destinations, which KVM_HC_SEND_IPI has not. */
FIXTURE(logical) {
	struct hup *h;
	struct ipi_data *data;
	uint32_t offset;
};

/* Logical ids of the three vCPUs, and the destinations that they make. */
FIXTURE_VARIANT(logical) {
	enum ipi_mode mode;
	uint32_t dfr;
	uint32_t ldr[3];
	uint32_t target, others, self_and_target;
};

FIXTURE_VARIANT_ADD(logical, flat) {
	.mode = XAPIC,
	.dfr = APIC_DFR_FLAT,
	.ldr = { 1, 2, 4 },
	.target = 2,
	.others = 6,
	.self_and_target = 3,
};

FIXTURE_VARIANT_ADD(logical, cluster) {
	.mode = XAPIC,
	.dfr = APIC_DFR_CLUSTER,
	.ldr = { 0x11, 0x12, 0x14 },
	.target = 0x12,
	.others = 0x16,
	.self_and_target = 0x13,
};

/* The APIC ids make all of them members of cluster 0. */
FIXTURE_VARIANT_ADD(logical, x2apic) {
	.mode = X2APIC,
	.target = 2,
	.others = 6,
	.self_and_target = 3,
};

FIXTURE_SETUP(logical)
{
	int i;

	self->h = hup_create(3);
	self->data = ipi_prepare(self->h, variant->mode, &self->offset);
	for (i = 0; variant->mode == XAPIC && i < 3; i++)
		hup_guest(self->h, i, guest_set_logical_id, variant->ldr[i],
			  variant->dfr, 0, 0);
}

FIXTURE_TEARDOWN(logical)
{
	hup_free(self->h);
}

HUP_TEST(logical, fixed)
{
	const uint32_t icr = VECTOR | APIC_DEST_LOGICAL;
	struct hup *h = self->h;

	expect_offered(_metadata, h, self->offset, variant->target, icr,
		       BIT(TARGET), 0);
	expect_offered(_metadata, h, self->offset, variant->others, icr,
		       ALL_OTHERS, 0);
	expect_offered(_metadata, h, self->offset, variant->self_and_target,
		       icr, BIT(TARGET), 1);
}

/* One of several gets it, and nobody is asked. */
HUP_TEST(logical, lowest_priority)
{
	struct ipi_data *data = self->data;
	struct hup *h = self->h;
	int i;

	ASSERT_LT(0, link_consumer(h, self->offset));
	for (i = 1; i <= 10; i++) {
		hup_guest(h, SENDER, guest_send_to, variant->others,
			  VECTOR | APIC_DEST_LOGICAL | APIC_DM_LOWEST, 0, 0);
		take_irqs(h);
		EXPECT_EQ(i, data->received[TARGET][VECTOR] +
			     data->received[THIRD][VECTOR]);
		EXPECT_EQ(0, data->asked[VECTOR]);
	}
}

/* What only xAPIC mode has. */
FIXTURE(xapic) {
	struct hup *h;
	uint32_t offset;
};

FIXTURE_SETUP(xapic)
{
	self->h = hup_create(3);
	ipi_prepare(self->h, XAPIC, &self->offset);
}

FIXTURE_TEARDOWN(xapic)
{
	hup_free(self->h);
}

HUP_TEST(xapic, clusters)
{
	const uint32_t icr = VECTOR | APIC_DEST_LOGICAL;
	struct hup *h = self->h;
	int i;

	for (i = 0; i < 3; i++)
		hup_guest(h, i, guest_set_logical_id, i << 4 | 1,
			  APIC_DFR_CLUSTER, 0, 0);
	expect_offered(_metadata, h, self->offset, 0x11, icr, BIT(TARGET), 0);
	expect_offered(_metadata, h, self->offset, 0x2f, icr, BIT(THIRD), 0);
	/* All clusters. */
	expect_offered(_metadata, h, self->offset, 0xff, icr, ALL_OTHERS, 1);
}

/*
 * For all at once, KVM makes a fixed IPI of one with lowest priority: then it
 * is offered, as such.
 */
HUP_TEST(xapic, lowest_priority_to_all)
{
	expect_offered(_metadata, self->h, self->offset, 0xff,
		       VECTOR | APIC_DM_LOWEST, ALL_OTHERS, 1);
}

/* What is not fixed and edge-triggered, and what the target gets of it. */
static const struct kind {
	const char *name;
	uint32_t icr;
	unsigned int vector;
	unsigned int received;
} kinds[] = {
	{ "NMI", APIC_DM_NMI, NMI_VECTOR, 1 },
	{ "NMI with a vector", APIC_DM_NMI | VECTOR, NMI_VECTOR, 1 },
	{ "lowest priority", APIC_DM_LOWEST | VECTOR, VECTOR, 1 },
	{ "level, asserted", APIC_INT_LEVELTRIG | APIC_INT_ASSERT | VECTOR,
	  VECTOR, 1 },
	{ "level, deasserted", APIC_INT_LEVELTRIG | VECTOR, VECTOR, 0 },
	{ "remote read", APIC_DM_REMRD | VECTOR, VECTOR, 0 },
	{ "ExtINT", APIC_DM_EXTINT | VECTOR, VECTOR, 0 },
	/* Of no use to a vCPU that was started, and gone when it runs. */
	{ "SIPI", APIC_DM_STARTUP | VECTOR, VECTOR, 0 },
};

HUP_TEST(ipi, never_offered)
{
	struct ipi_data *data = self->data;
	const struct kind *kind;
	struct hup *h = self->h;
	unsigned int i;

	ASSERT_LT(0, link_consumer(h, self->offset));
	for (kind = kinds; kind < kinds + ARRAY_SIZE(kinds); kind++) {
		memset(data->received, 0, sizeof(data->received));
		ipi_send(h, TARGET, kind->icr);
		hup_guest(h, TARGET, guest_take_irqs, 0, 0, 0, 0);
		EXPECT_EQ(kind->received, data->received[TARGET][kind->vector])
			TH_LOG("%s", kind->name);
		for (i = 0; i < 256; i++)
			EXPECT_EQ(0, data->asked[i]) TH_LOG("%s", kind->name);
	}
	/* For INIT and SIPI that do something see interrupt_states_test.c. */
}

/* incw %cs:0x9000; rsm */
static const uint8_t smi_handler[] = {
	0x2e, 0xff, 0x06, 0x00, 0x90, 0x0f, 0xaa
};

/* SMM has an address space of its own: memory for the target's SMBASE. */
#define SMRAM_GPA	0x10000000
#define SMRAM_SLOT	(BIT(16) | 1)
#define SMRAM_PAGES	16

HUP_TEST(ipi, smi_is_not_offered)
{
	struct hup *h = self->h;
	uint16_t *smis;

	ASSERT_TRUE(kvm_has_cap(KVM_CAP_X86_SMM));
	vm_userspace_mem_region_add(h->vm, VM_MEM_SRC_ANONYMOUS, SMRAM_GPA,
				    SMRAM_SLOT, SMRAM_PAGES, 0);
	memcpy(addr_gpa2hva(h->vm, SMRAM_GPA + 0x8000), smi_handler,
	       sizeof(smi_handler));
	smis = addr_gpa2hva(h->vm, SMRAM_GPA + 0x9000);
	vcpu_set_msr(h->vcpus[TARGET].vcpu, MSR_IA32_SMBASE, SMRAM_GPA);

	ASSERT_LT(0, link_consumer(h, self->offset));
	ipi_send(h, TARGET, APIC_DM_SMI);
	EXPECT_EQ(0, self->data->asked_for[TARGET]);
	ipi_send(h, TARGET, VECTOR);
	hup_guest(h, TARGET, guest_take_irqs, 0, 0, 0, 0);
	EXPECT_EQ(1, *smis);
	EXPECT_EQ(1, self->data->consumed[VECTOR]);
	EXPECT_EQ(0, self->data->received[TARGET][VECTOR]);
}

int main(int argc, char **argv)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_HYPERUPCALL));

	return test_harness_run(argc, argv);
}
