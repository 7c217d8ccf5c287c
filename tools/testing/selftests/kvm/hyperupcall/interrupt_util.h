/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests of the INTERRUPT event share: vCPUs that send IPIs and take
 * them, every way in which KVM lets a guest send one, and programs that count.
 */
#ifndef SELFTEST_KVM_HYPERUPCALL_INTERRUPT_UTIL_H
#define SELFTEST_KVM_HYPERUPCALL_INTERRUPT_UTIL_H

#include "apic.h"
#include "hyperupcall_util.h"

#define VECTOR		0xa5
#define OTHER_VECTOR	0xb6
#define STOP_VECTOR	0xc7
#define TIMER_VECTOR	0xd8

#define SENDER		0
#define TARGET		1
#define THIRD		2
#define FOURTH		3

/* Guest memory that the guest, the programs and the test share. */
struct ipi_data {
	uint64_t stop;
	uint64_t wakes;
	uint32_t received[HUP_MAX_VCPUS][256];	/* by vCPU and vector */

	/* What programs write. */
	uint64_t asked[256];			/* by vector */
	uint64_t consumed[256];
	uint64_t asked_for[HUP_MAX_VCPUS];	/* by target */
	uint64_t in_state[4];			/* by the target's state */
	uint64_t count[4];
	uint64_t helper[4];
	struct hyperupcall_regs regs;
	struct hyperupcall_ctx ctx;
};

/* How much of struct hup::data it takes. */
#define IPI_DATA_SIZE	(3 * PAGE_SIZE)

/* Three ways to send an IPI. */
enum ipi_mode {
	XAPIC,
	X2APIC,
	PARAVIRT,	/* KVM_HC_SEND_IPI, and x2APIC for the rest */
};

/* Prepares a VM that was booted; the data and its offset in the window. */
struct ipi_data *ipi_prepare(struct hup *h, enum ipi_mode mode,
			     uint32_t *offset);

/* The same for one more vCPU. */
void ipi_prepare_vcpu(struct hup *h, unsigned int vcpu);

/* In the guest, as functions for hup_guest() and hup_start(). */
uint64_t guest_halt(uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3);
uint64_t guest_spin(uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3);
uint64_t guest_send(uint64_t dest, uint64_t icr, uint64_t n, uint64_t a3);
uint64_t guest_send_all_but_self(uint64_t icr, uint64_t mask, uint64_t a2,
				 uint64_t a3);
uint64_t guest_take_irqs(uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3);

/* In the guest, for what runs there. */
extern struct ipi_data *guest_data;
extern enum ipi_mode guest_mode;
unsigned int guest_vcpu(void);
uint32_t guest_apic_read(unsigned int reg);
void guest_apic_write(unsigned int reg, uint32_t value);
void guest_send_icr(uint32_t dest, uint32_t icr);
void guest_irq(struct ex_regs *regs);
uint32_t guest_random(uint64_t *state);
void guest_pause(unsigned int n);

/* Sleeps for so many nanoseconds, or until something else wakes it up. */
void guest_init_timer(void);
void guest_sleep(uint32_t ns);

/* An IPI from SENDER. */
void ipi_send(struct hup *h, unsigned int dest, uint32_t icr);

/* A device's interrupt: no program is ever asked about it. */
void ipi_send_msi(struct hup *h, unsigned int dest, unsigned int vector);

void ipi_start_halted(struct hup *h, unsigned int vcpu);
void ipi_stop(struct hup *h, unsigned int vcpu);

/* Waits until the vCPU got @want of @vector; how many it got. */
uint32_t ipi_wait_received(struct hup *h, unsigned int vcpu,
			   unsigned int vector, uint32_t want);

/* For what must not happen. */
void ipi_wait_a_while(void);

/* Programs. @data is the offset of struct ipi_data in the window. */
#define IPI_AT(data, field)	((data) + offsetof(struct ipi_data, field))

#define IPI_LOAD(dst, field)						\
	BPF_LDX_MEM(BPF_W, dst, BPF_REG_1,				\
		    offsetof(struct hyperupcall_ctx, interrupt.field))

/*
 * Adds one to a word of @array, whose index is in register @index. What it was
 * before goes to register @old; uses r2.
 */
static inline void ipi_emit_count(struct hup_asm *a, uint32_t array, int index,
				  int old)
{
	hup_emit(a, BPF_MOV32_REG(BPF_REG_2, index));
	hup_emit(a, BPF_ALU32_IMM(BPF_LSH, BPF_REG_2, 3));
	hup_emit(a, BPF_ALU32_IMM(BPF_ADD, BPF_REG_2, array));
	hup_emit(a, HUP_WINDOW(BPF_REG_2, BPF_REG_2));
	hup_emit(a, BPF_MOV64_IMM(old, 1));
	hup_emit(a, BPF_ATOMIC_OP(BPF_DW, BPF_ADD | BPF_FETCH, BPF_REG_2, old,
				  0));
}

/*
 * Counts what was asked, with the context in r1. Leaves the vector in r6, and
 * in r7 how often there was a question about it before.
 */
void ipi_emit_asked(struct hup_asm *a, uint32_t data);

/* Counts who was asked about what, and says @answer. */
long ipi_load_answer(struct hup *h, uint32_t data, int answer);

/*
 * Calls every helper for the event's target: results go to helper[], flush_tlb()
 * first, then vcpu_state() and vcpu_regs(), and registers to regs. Says CONSUMED.
 */
long ipi_load_helpers(struct hup *h, uint32_t data);

/* Adds one to count[@n], and says @answer. */
long ipi_load_counter(struct hup *h, uint32_t data, int n, int answer);

#endif /* SELFTEST_KVM_HYPERUPCALL_INTERRUPT_UTIL_H */
