/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the hyperupcall tests share.
 *
 * A test is straight-line code of the VMM. Every vCPU of its VM runs a small
 * agent that waits for a function to call and calls it in the guest, so that
 * a test makes a hypercall as it would make a system call: hup_op() copies a
 * struct into guest memory, has the agent call the hypervisor, and copies the
 * struct back.
 */
#ifndef SELFTEST_KVM_HYPERUPCALL_UTIL_H
#define SELFTEST_KVM_HYPERUPCALL_UTIL_H

#include <pthread.h>
#include <stddef.h>

#include <linux/filter.h>
#include <linux/hyperupcall.h>

#include "guest_loops.h"
#include "kvm_util.h"
#include "processor.h"

#define X86_FEATURE_KVM_HYPERUPCALL \
	KVM_X86_CPU_FEATURE(0x40000001, 0, EAX, KVM_FEATURE_HYPERUPCALL)

#define HUP_MAX_VCPUS	4

/*
 * Seconds that one test may take. The machine may be emulated, its clock may run
 * ahead of it, and its kernel may check each access to memory.
 */
#define HUP_TIMEOUT	1200
#define HUP_TEST(suite, name)	TEST_F_TIMEOUT(suite, name, HUP_TIMEOUT)

/* A guest-virtual address that no VM of these tests maps. */
#define HUP_UNMAPPED_GVA	0x7fff00000000ULL

/* Instructions that hup_load() has room for. */
#define HUP_MAX_INSNS	8192

typedef uint64_t (*hup_guest_fn)(uint64_t a0, uint64_t a1, uint64_t a2,
				 uint64_t a3);

/* Guest memory, as the guest and as the VMM see it. */
struct hup_mem {
	vm_vaddr_t gva;
	void *hva;
	size_t size;
};

struct hup_cmd;

struct hup_vcpu {
	struct kvm_vcpu *vcpu;
	void (*run)(struct kvm_vcpu *vcpu);	/* instead of vcpu_run() */
	struct hup_cmd *cmd;
	vm_vaddr_t cmd_gva;
	int stats_fd;
	pthread_t thread;
};

struct hup {
	struct kvm_vm *vm;
	unsigned int nr_vcpus;
	struct hup_vcpu vcpus[HUP_MAX_VCPUS];
	struct hup_mem insns;
	struct hup_mem log;
	struct hup_mem data;	/* four pages for whatever a test needs */
};

/* A VM, step by step, and all at once. */
struct hup *hup_create_vm(unsigned int nr_vcpus);
int hup_enable(struct kvm_vm *vm, const void *policy, size_t size);
void hup_add_vcpus(struct hup *h);
void hup_boot(struct hup *h);
struct hup *hup_create_off(unsigned int nr_vcpus);
struct hup *hup_create_policy(unsigned int nr_vcpus,
			      const struct kvm_hyperupcall_policy *policy);
struct hup *hup_create(unsigned int nr_vcpus);
void hup_release(struct hup *h);
void hup_free(struct hup *h);
struct hup_mem hup_add_slot(struct hup *h, enum vm_mem_backing_src_type type,
			    uint32_t slot, unsigned int npages, uint32_t flags);
void hup_leave_paged_mode(struct kvm_sregs *sregs);
void hup_set_smm(struct kvm_vcpu *vcpu, bool smm);
/* What a VMM does at a reset: the vCPU leaves paged mode. */
void hup_reset_vcpu(struct hup *h, unsigned int vcpu);
/* INIT, which is taken in when the vCPU runs or is asked for its state. */
void hup_send_init(struct hup *h, unsigned int vcpu);
/* KVM finds the last vCPU's APIC once any APIC has changed. Not while it runs. */
void hup_find_apic(struct hup *h, unsigned int vcpu);
/* After that. */
void hup_send_nmi(struct hup *h, unsigned int vcpu);
void hup_set_cpl(struct hup *h, unsigned int cpl);

/* Functions in the guest: call and wait, or start, do something, and join. */
uint64_t hup_guest(struct hup *h, unsigned int vcpu, hup_guest_fn fn,
		   uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3);
void hup_start(struct hup *h, unsigned int vcpu, hup_guest_fn fn,
	       uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3);
uint64_t hup_join(struct hup *h, unsigned int vcpu);
void hup_wait_blocking(struct hup *h, unsigned int vcpu);

/* One of KVM's statistics of a vCPU. */
uint64_t hup_vcpu_stat(struct hup *h, unsigned int vcpu, const char *name);

/* Hypercalls. They return what the hypervisor returned. */
long hup_raw(struct hup *h, uint64_t op, uint64_t gva, uint64_t size,
	     uint64_t a3);
long hup_op_on(struct hup *h, unsigned int vcpu, uint64_t op, void *arg,
	       size_t size);
long hup_op(struct hup *h, uint64_t op, void *arg, size_t size);

/* The same for one opcode each; where there is an id, it is returned. */
void hup_query(struct hup *h, struct hyperupcall_query *query);
long hup_map(struct hup *h, vm_vaddr_t gva, uint64_t size, uint32_t flags,
	     uint32_t *offset);
long hup_unmap(struct hup *h, uint32_t region);
long hup_load(struct hup *h, const struct bpf_insn *insns, uint32_t cnt);
long hup_load_global(struct hup *h, const struct bpf_insn *insns, uint32_t cnt);
long hup_unload(struct hup *h, uint32_t prog);
long hup_link(struct hup *h, uint32_t prog, uint32_t event);
long hup_replace(struct hup *h, uint32_t prog, uint32_t event, uint32_t link);
long hup_unlink(struct hup *h, uint32_t link);
void hup_stats(struct hup *h, uint32_t link, struct hyperupcall_stats *stats);
/* Waits for the next second where the VM has used up its time. */
long hup_test_run(struct hup *h, uint32_t prog,
		  struct hyperupcall_test_run *run);

/* Runs @prog with two words of event data, returns what it returned. */
uint64_t hup_run(struct hup *h, uint32_t prog, uint64_t data0, uint64_t data1,
		 uint64_t *faults);

/* Kilobytes that the kernel has pinned or locked for this process. */
unsigned long hup_locked_kb(void);

#define hup_prog(h, ...)						\
({									\
	const struct bpf_insn __insns[] = { __VA_ARGS__ };		\
									\
	hup_load(h, __insns, ARRAY_SIZE(__insns));			\
})

/* Instructions that linux/filter.h has no macro for. */

/* dst = the window's address of offset src */
#define HUP_WINDOW(dst, src)						\
	BPF_RAW_INSN(BPF_ALU64 | BPF_MOV | BPF_X, dst, src,		\
		     BPF_ADDR_SPACE_CAST, 1)

/* r0 = helper(r1, ...) */
#define HUP_CALL(helper)						\
	BPF_RAW_INSN(BPF_JMP | BPF_CALL, 0, 0, 0, HYPERUPCALL_HELPER_##helper)

/* Go to pc + off until the budget of iterations is used up. */
#define HUP_MAY_GOTO(off)						\
	BPF_RAW_INSN(BPF_JMP | BPF_JCOND, 0, 0, off, 0)

/* dst = word n of the event's data, src holds the context */
#define HUP_DATA(dst, src, n)						\
	BPF_LDX_MEM(BPF_DW, dst, src,					\
		    offsetof(struct hyperupcall_ctx, data) + 8 * (n))

/* A program that is put together piece by piece. */
struct hup_asm {
	unsigned int cnt;
	struct bpf_insn insns[64];
};

static inline void hup_emit(struct hup_asm *a, struct bpf_insn insn)
{
	TEST_ASSERT(a->cnt < ARRAY_SIZE(a->insns), "program too long");
	a->insns[a->cnt++] = insn;
}

/* reg = the window's address of @offset */
static inline void hup_emit_address(struct hup_asm *a, int reg, uint32_t offset)
{
	hup_emit(a, BPF_MOV32_IMM(reg, offset));
	hup_emit(a, HUP_WINDOW(reg, reg));
}

/* Adds one to the word at @offset; uses r2 and r3. */
static inline void hup_emit_count(struct hup_asm *a, uint32_t offset)
{
	hup_emit_address(a, BPF_REG_2, offset);
	hup_emit(a, BPF_MOV64_IMM(BPF_REG_3, 1));
	hup_emit(a, BPF_ATOMIC_OP(BPF_DW, BPF_ADD, BPF_REG_2, BPF_REG_3, 0));
}

/* Copies words from where @src points to where @dst points; uses r3. */
static inline void hup_emit_copy(struct hup_asm *a, int dst, int src,
				 size_t size)
{
	size_t off;

	for (off = 0; off < size; off += 8) {
		hup_emit(a, BPF_LDX_MEM(BPF_DW, BPF_REG_3, src, off));
		hup_emit(a, BPF_STX_MEM(BPF_DW, dst, BPF_REG_3, off));
	}
}

static inline void hup_emit_return(struct hup_asm *a, int value)
{
	hup_emit(a, BPF_MOV64_IMM(BPF_REG_0, value));
	hup_emit(a, BPF_EXIT_INSN());
}

static inline long hup_load_asm(struct hup *h, const struct hup_asm *a)
{
	return hup_load(h, a->insns, a->cnt);
}

/* A program that says @value, whatever happens. */
static inline long hup_load_return(struct hup *h, int value)
{
	struct hup_asm a = {};

	hup_emit_return(&a, value);
	return hup_load_asm(h, &a);
}

#endif /* SELFTEST_KVM_HYPERUPCALL_UTIL_H */
