/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Guest code whose addresses a test knows to the instruction.
 */
#ifndef SELFTEST_KVM_HYPERUPCALL_GUEST_LOOPS_H
#define SELFTEST_KVM_HYPERUPCALL_GUEST_LOOPS_H

#include <stdint.h>

/* Halts once with interrupts on; a halted vCPU is at hup_halted. */
void hup_halt(void);
extern char hup_halted[];

/* Spins until the word at @stop_gva is not zero. */
uint64_t hup_spin(uint64_t stop_gva, uint64_t a1, uint64_t a2, uint64_t a3);
extern char hup_spin_end[];

/*
 * Make a hypercall and exit to the VMM, with the registers as they are: the
 * same bytes in 64-bit and in 32-bit mode.
 */
void hup_vmmcall(void);
void hup_vmcall(void);

#endif /* SELFTEST_KVM_HYPERUPCALL_GUEST_LOOPS_H */
