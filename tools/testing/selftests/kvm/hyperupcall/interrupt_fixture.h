/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A VM whose vCPUs send each other IPIs, in each of the ways that there are:
 * HUP_TEST(ipi, ...) is three tests. Who wants another number of vCPUs defines
 * it before.
 */
#ifndef SELFTEST_KVM_HYPERUPCALL_INTERRUPT_FIXTURE_H
#define SELFTEST_KVM_HYPERUPCALL_INTERRUPT_FIXTURE_H

#include "interrupt_util.h"
#include "kvm_test_harness.h"

#ifndef IPI_VCPUS
#define IPI_VCPUS	3
#endif

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

FIXTURE_SETUP(ipi)
{
	self->h = hup_create(IPI_VCPUS);
	self->data = ipi_prepare(self->h, variant->mode, &self->offset);
}

FIXTURE_TEARDOWN(ipi)
{
	hup_free(self->h);
}

#endif /* SELFTEST_KVM_HYPERUPCALL_INTERRUPT_FIXTURE_H */
