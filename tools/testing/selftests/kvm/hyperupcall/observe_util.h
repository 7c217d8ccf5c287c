/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests share that look at hyperupcalls from the outside: a VM whose
 * programs run when its guest sends IPIs.
 */
#ifndef SELFTEST_KVM_HYPERUPCALL_OBSERVE_UTIL_H
#define SELFTEST_KVM_HYPERUPCALL_OBSERVE_UTIL_H

#include "apic.h"
#include "hyperupcall_util.h"

#define OBSERVE_VECTOR	0xa5
#define OBSERVE_SENDER	0
#define OBSERVE_TARGET	1

static uint64_t guest_send_ipis(uint64_t n, uint64_t a1, uint64_t a2,
				uint64_t a3)
{
	x2apic_enable();
	while (n--)
		x2apic_write_reg(APIC_ICR, (uint64_t)OBSERVE_TARGET << 32 |
				 OBSERVE_VECTOR);
	return 0;
}

static inline void observe_prepare(struct hup *h)
{
	hup_guest(h, OBSERVE_TARGET, guest_send_ipis, 0, 0, 0, 0);
}

static inline void observe_ipis(struct hup *h, uint64_t n)
{
	hup_guest(h, OBSERVE_SENDER, guest_send_ipis, n, 0, 0, 0);
}

static inline long observe_load(struct hup *h, const char *name, uint32_t flags,
				const struct bpf_insn *insns, uint32_t cnt)
{
	struct hyperupcall_load load = {
		.insns = h->insns.gva,
		.insn_cnt = cnt,
		.flags = flags,
	};
	long r;

	memcpy(load.name, name, strnlen(name, sizeof(load.name)));
	memcpy(h->insns.hva, insns, cnt * sizeof(*insns));
	r = hup_op(h, HYPERUPCALL_LOAD, &load, sizeof(load));
	return r ?: load.prog;
}

/* Has @faults faults, and says @answer. */
static inline long observe_load_faulty(struct hup *h, const char *name,
				       int faults, int answer)
{
	struct hup_asm a = {};

	hup_emit_address(&a, BPF_REG_2, 0x70000000);
	while (faults--)
		hup_emit(&a, BPF_LDX_MEM(BPF_DW, BPF_REG_3, BPF_REG_2, 0));
	hup_emit_return(&a, answer);
	return observe_load(h, name, 0, a.insns, a.cnt);
}

#endif /* SELFTEST_KVM_HYPERUPCALL_OBSERVE_UTIL_H */
