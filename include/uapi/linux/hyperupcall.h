/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * Hyperupcalls: verified programs that a guest gives to its hypervisor.
 *
 * This header is the whole contract between guest and host. The hypervisor
 * announces it with the CPUID feature bit KVM_FEATURE_HYPERUPCALL; the guest
 * calls KVM_HC_HYPERUPCALL from CPL 0 in 64-bit mode:
 *
 *	a0	an opcode, enum hyperupcall_op
 *	a1	guest-virtual address of that opcode's struct
 *	a2	size of that struct in bytes
 *	a3	zero
 *
 * The hypercall returns zero or a negative Linux errno, or -KVM_ENOSYS (-1000)
 * where the capability is off and the hypercall unknown. Structs are
 * extensible: a shorter struct than the first version is refused with
 * -EINVAL, a longer one than the host knows is accepted if its tail is zero
 * and refused with -E2BIG otherwise, as is one of more than a page. Fields
 * marked [out] are ignored on input and written on success only, except where
 * said otherwise.
 *
 * Every opcode may fail with
 *
 *	-EPERM		not CPL 0, not 64-bit mode, in SMM, or a nested guest
 *			whose hypervisor does not take the hypercall itself;
 *			or a VM without a boot vCPU; for LOAD, LINK and
 *			TEST_RUN also while the host's administrator has turned
 *			hyperupcalls off
 *	-EOPNOTSUPP	unknown opcode, or a confidential VM
 *	-EFAULT		the struct, or memory it points to, is not mapped
 *			(or not writable where it has [out] fields)
 *	-EINVAL		a3 not zero, the struct is too short, an unknown flag,
 *			or a reserved field not zero
 *	-E2BIG		the struct is too long and its tail is not zero, or it
 *			is longer than a page
 *	-ENOMEM		the host has no memory; for LOAD also a jump over thousands
 *			of instructions, which is too long once they are compiled
 *	-EAGAIN		the VMM's thread has a signal to handle; call again
 */
#ifndef _UAPI_LINUX_HYPERUPCALL_H
#define _UAPI_LINUX_HYPERUPCALL_H

#include <linux/types.h>

/* What struct hyperupcall_query::abi says; it grows when meaning changes. */
#define HYPERUPCALL_ABI			1

/* Length of a program's name with its terminating NUL. */
#define HYPERUPCALL_NAME_LEN		16

enum hyperupcall_op {
	HYPERUPCALL_QUERY,
	HYPERUPCALL_MAP,
	HYPERUPCALL_UNMAP,
	HYPERUPCALL_LOAD,
	HYPERUPCALL_UNLOAD,
	HYPERUPCALL_LINK,
	HYPERUPCALL_UNLINK,
	HYPERUPCALL_STATS,
	HYPERUPCALL_TEST_RUN,
};

/*
 * Events. A local event concerns the guest alone; its links form a chain that
 * runs in the order they were linked until a program has an opinion. A global
 * event serves the host; it has one link, and smaller limits.
 *
 *	event		class	answers
 *	VMEXIT		local	PASS, DENY (the guest gets #GP)
 *	VMENTRY		local	PASS
 *	INTERRUPT	local	DELIVER, CONSUMED
 *	PAGE_MAP	local	PASS, DENY
 *	RECLAIM		global	DISCARD, KEEP
 *	AGING		global	YOUNG, OLD
 *	VCPU_PREEMPT	global	CRITICAL
 */
enum hyperupcall_event {
	HYPERUPCALL_EVENT_VMEXIT,
	HYPERUPCALL_EVENT_VMENTRY,
	HYPERUPCALL_EVENT_INTERRUPT,
	HYPERUPCALL_EVENT_PAGE_MAP,
	HYPERUPCALL_EVENT_RECLAIM,
	HYPERUPCALL_EVENT_AGING,
	HYPERUPCALL_EVENT_VCPU_PREEMPT,
	__HYPERUPCALL_EVENT_MAX,
};

/*
 * What a program returns. Zero is no opinion for every event, and so is any
 * value that is not in the event's row above. So is, at a global event, what a
 * program returns that has accessed an offset where nothing is mapped.
 */
#define HYPERUPCALL_NO_OPINION		0

#define HYPERUPCALL_PASS		1	/* let it happen */
#define HYPERUPCALL_DENY		2	/* forbid it */

#define HYPERUPCALL_DELIVER		1	/* deliver the interrupt */
#define HYPERUPCALL_CONSUMED		2	/* drop it: its work is done */

#define HYPERUPCALL_DISCARD		1	/* the content may be dropped */
#define HYPERUPCALL_KEEP		2	/* reclaim others first */

#define HYPERUPCALL_YOUNG		1	/* used lately */
#define HYPERUPCALL_OLD			2	/* not used lately */

#define HYPERUPCALL_CRITICAL		1	/* this vCPU may be yielded to */

/* The state of a vCPU, as its host thread sees it. */
enum hyperupcall_vcpu_state {
	HYPERUPCALL_VCPU_RUNNING,	/* has a physical CPU */
	HYPERUPCALL_VCPU_PREEMPTED,	/* wants one, has none */
	HYPERUPCALL_VCPU_HALTED,	/* waits for an interrupt */
	HYPERUPCALL_VCPU_STOPPED,	/* not started, or in the VMM */
};

/**
 * struct hyperupcall_ctx - what a program is called with
 * @event: enum hyperupcall_event
 * @vcpu: vCPU id of the vCPU in whose context the event happens, ~0 if none;
 *	on x86 a vCPU id is the initial APIC id
 * @vmexit: VMEXIT; the architecture's exit reason and its two words of exit
 *	information, and the guest's instruction pointer
 * @vmentry: VMENTRY; the guest's instruction pointer
 * @interrupt: INTERRUPT; an edge-triggered fixed IPI from vCPU @vcpu. @vector
 *	and @target (a vCPU id), and the target's enum hyperupcall_vcpu_state
 *	when the IPI was sent
 * @page_map: PAGE_MAP; the page, and the access wanted (bit 0 write, bit 1
 *	execute)
 * @page: RECLAIM and AGING; a range of pages
 * @preempt: VCPU_PREEMPT; vCPU id @target lost its physical CPU at @rip with
 *	privilege level @cpl
 * @data: the same bytes
 *
 * A program may read every byte of it and write none. Fields of another
 * event read as that event's, the rest as zero.
 */
struct hyperupcall_ctx {
	__u32 event;
	__u32 vcpu;
	union {
		struct {
			__u64 reason;
			__u64 info[2];
			__u64 rip;
		} vmexit;
		struct {
			__u64 rip;
		} vmentry;
		struct {
			__u32 vector;
			__u32 target;
			__u32 target_state;
			__u32 reserved;
		} interrupt;
		struct {
			__u64 gfn;
			__u64 access;
			__u64 rip;
		} page_map;
		struct {
			__u64 gfn;
			__u64 nr_pages;
		} page;
		struct {
			__u64 rip;
			__u32 target;
			__u32 cpl;
		} preempt;
		__u64 data[7];
	};
};

/*
 * Helpers, by the number in the imm field of a BPF call instruction whose
 * src_reg is zero. A number never changes its meaning.
 */
enum hyperupcall_helper {
	HYPERUPCALL_HELPER_NONE,

	/*
	 * s64 vcpu_state(u32 vcpu)
	 *
	 * Returns enum hyperupcall_vcpu_state of the vCPU with this id at
	 * some moment during the call, or -ENOENT.
	 */
	HYPERUPCALL_HELPER_VCPU_STATE,

	/*
	 * s64 vcpu_regs(u32 vcpu, struct hyperupcall_regs *regs, u32 size)
	 *
	 * Copies the registers that the vCPU had when it last lost its
	 * physical CPU to @regs, which points to @size bytes of the stack;
	 * @size is sizeof(struct hyperupcall_regs). Returns zero, -ENOENT if
	 * there is no such vCPU, -EBUSY if it has a physical CPU or just got
	 * or lost one, if the hypervisor is in the middle of an instruction
	 * that it emulates, or if the vCPU is in SMM or runs a nested guest;
	 * @regs is zero then. Returns -EINVAL for another @size, and leaves
	 * @regs alone.
	 */
	HYPERUPCALL_HELPER_VCPU_REGS,

	/*
	 * s64 flush_tlb(u32 vcpu)
	 *
	 * Asks for a flush of every guest-virtual translation of the vCPU,
	 * and of what it caches of the guest's page tables. Returns 1 if the
	 * vCPU executes no guest instruction before that flush, 0 if it has a
	 * physical CPU, or the hypervisor is in the middle of an instruction
	 * that it emulates, and the flush may not be in time (nothing
	 * else is guaranteed then), or -ENOENT.
	 */
	HYPERUPCALL_HELPER_FLUSH_TLB,

	__HYPERUPCALL_HELPER_MAX,
};

/*
 * struct hyperupcall_regs::flags: an interrupt would be taken before the vCPU's
 * next instruction. RFLAGS.IF is set, there is no interrupt shadow, and no
 * exception, interrupt or NMI is in the course of being delivered. What is
 * done for a vCPU in this state could have been done by an interrupt handler
 * that ran there and then.
 */
#define HYPERUPCALL_REGS_INTERRUPTIBLE	(1U << 0)

/**
 * struct hyperupcall_regs - a vCPU's cached registers
 * @rip: instruction pointer
 * @rsp: stack pointer
 * @rflags: flags
 * @cr3: page-table base
 * @cpl: privilege level, 0 to 3
 * @flags: HYPERUPCALL_REGS_INTERRUPTIBLE; other bits are zero
 */
struct hyperupcall_regs {
	__u64 rip;
	__u64 rsp;
	__u64 rflags;
	__u64 cr3;
	__u32 cpl;
	__u32 flags;
};

/**
 * struct hyperupcall_query - HYPERUPCALL_QUERY
 * @abi: [out] HYPERUPCALL_ABI
 * @flags: zero
 * @events: [out] bit mask of enum hyperupcall_event that this VM may link
 * @helpers: [out] bit mask of enum hyperupcall_helper
 * @max_progs: [out] how many programs may be loaded
 * @nr_progs: [out] how many are
 * @max_links: [out] how many links there may be
 * @nr_links: [out] how many there are
 * @max_regions: [out] how many regions may be mapped
 * @nr_regions: [out] how many are
 * @max_insns: [out] BPF instructions a program may have
 * @max_insns_global: [out] the same for one that is linked to a global event
 * @max_verified_insns: [out] instructions the verifier may follow
 * @max_verified_insns_global: [out] the same for a global event
 * @max_loops: [out] iterations of may_goto in one run, at most; a program
 *	that took long to verify gets less
 * @reserved: [out] zero
 * @max_mem: [out] bytes that may be mapped
 * @max_mem_global: [out] bytes that may be mapped while a global event is
 *	linked
 * @mem: [out] bytes that are mapped
 * @max_insns_total: [out] BPF instructions that all programs may have together
 * @nr_insns: [out] how many they have
 * @budget_ns: [out] time that the VM's links and TEST_RUN may run for in a
 *	second, in nanoseconds
 * @budget_left_ns: [out] what is left of it in this second
 * @max_run_insns: [out] instructions that one run may take, where an access to
 *	guest memory counts for 32 and a helper for 256 of them
 * @max_run_insns_global: [out] the same for a program at a global event
 */
struct hyperupcall_query {
	__u32 abi;
	__u32 flags;
	__u64 events;
	__u64 helpers;
	__u32 max_progs;
	__u32 nr_progs;
	__u32 max_links;
	__u32 nr_links;
	__u32 max_regions;
	__u32 nr_regions;
	__u32 max_insns;
	__u32 max_insns_global;
	__u32 max_verified_insns;
	__u32 max_verified_insns_global;
	__u32 max_loops;
	__u32 reserved;
	__u64 max_mem;
	__u64 max_mem_global;
	__u64 mem;
	__u32 max_insns_total;
	__u32 nr_insns;
	__u64 budget_ns;
	__u64 budget_left_ns;
	__u32 max_run_insns;
	__u32 max_run_insns_global;
};

/* struct hyperupcall_map::flags: programs may store to the region */
#define HYPERUPCALL_MAP_WRITE		(1U << 0)

/**
 * struct hyperupcall_map - HYPERUPCALL_MAP, a range of guest memory into the
 *	window
 * @gva: first guest-virtual address, page aligned
 * @size: bytes, a multiple of the page size, not zero
 * @flags: HYPERUPCALL_MAP_WRITE
 * @region: [out] the region's id, never zero
 * @offset: [out] where the region starts in the window, page aligned, never
 *	zero; a program finds @gva + n at offset @offset + n
 *
 * The pages are those that the guest's page tables name now, as a supervisor
 * access would see them; later changes of the page tables change nothing.
 *
 * * -EINVAL: @gva or @size is not aligned, @size is zero, or @gva + @size
 *   wraps or leaves the canonical range
 * * -EFAULT: a page is not mapped in the guest (or not writable with
 *   HYPERUPCALL_MAP_WRITE), or is not memory that can be pinned:
 *   MMIO, a read-only memslot, memory without a struct page
 * * -ENOSPC: too many regions, no room in the window, or memory that is
 *   too scattered
 * * -EDQUOT: over @max_mem, @max_mem_global or the VMM's RLIMIT_MEMLOCK
 */
struct hyperupcall_map {
	__u64 gva;
	__u64 size;
	__u32 flags;
	__u32 region;
	__u64 offset;
};

/**
 * struct hyperupcall_unmap - HYPERUPCALL_UNMAP
 * @region: a region's id
 * @flags: zero
 *
 * When it returns no program reads or writes the region; accesses are faults
 * from then on.
 *
 * * -ENOENT: no such region
 */
struct hyperupcall_unmap {
	__u32 region;
	__u32 flags;
};

/* struct hyperupcall_load::flags: keep to the limits of global events */
#define HYPERUPCALL_LOAD_GLOBAL		(1U << 0)

/**
 * struct hyperupcall_load - HYPERUPCALL_LOAD, verifies a program
 * @insns: guest-virtual address of the BPF instructions (struct bpf_insn)
 * @insn_cnt: how many
 * @flags: HYPERUPCALL_LOAD_GLOBAL for a program that shall be linked to a
 *	global event; it is also the one that gets the iterations of may_goto
 *	which fit there
 * @name: NUL-terminated; letters, digits, '_' and '.'
 * @log_buf: guest-virtual address of a buffer for the verifier's log, or zero
 * @log_size: its size in bytes, zero or 128 to HYPERUPCALL_LOG_MAX
 * @log_level: 0 none, 1 (with 2: verbose) as in bpf(2); not zero if and only
 *	if there is a buffer
 * @log_true_size: [out] bytes the whole log needs with its NUL; written, like
 *	the log itself (cut at its start to what fits), when the program is
 *	refused, too
 * @prog: [out] the program's id, never zero
 *
 * The first instruction is the entry; R1 holds a pointer to struct
 * hyperupcall_ctx, and the lower 32 bits of R0 are the answer. Guest memory is
 * reached through address space 1: a 32-bit window offset that an
 * addr_space_cast instruction makes a pointer. What is not mapped reads zero,
 * for atomic operations too, and stores to it are lost. An atomic operation
 * acts on the aligned word that holds its address. Calls name helpers by
 * number (src_reg 0), or functions of the program (BPF_PSEUDO_CALL). Nothing
 * else of the host can be named. may_goto is for the entry function only.
 *
 * * -EACCES: the verifier refuses the program, see the log
 * * -EINVAL: the verifier refuses the program, no or a malformed
 *   instruction, a bad name or a bad log buffer
 * * -E2BIG: @insn_cnt is over @max_insns, the program takes more than
 *   @max_verified_insns or too many states to verify, a run of it
 *   may take longer than the host allows, or its calls are too deep; with
 *   HYPERUPCALL_LOAD_GLOBAL the limits are @max_insns_global and
 *   @max_verified_insns_global
 * * -ENOSPC: too many programs, or over @max_insns_total
 */
struct hyperupcall_load {
	__u64 insns;
	__u32 insn_cnt;
	__u32 flags;
	char name[HYPERUPCALL_NAME_LEN];
	__u64 log_buf;
	__u32 log_size;
	__u32 log_level;
	__u32 log_true_size;
	__u32 prog;
};

#define HYPERUPCALL_LOG_MAX		(1U << 20)

/**
 * struct hyperupcall_unload - HYPERUPCALL_UNLOAD
 * @prog: a program's id
 * @flags: zero
 *
 * * -ENOENT: no such program
 * * -EBUSY: the program is linked
 */
struct hyperupcall_unload {
	__u32 prog;
	__u32 flags;
};

/* struct hyperupcall_link::flags: put @prog in the place of link @link */
#define HYPERUPCALL_LINK_REPLACE	(1U << 0)

/**
 * struct hyperupcall_link - HYPERUPCALL_LINK, runs a program at an event
 * @prog: a program's id
 * @event: enum hyperupcall_event
 * @flags: HYPERUPCALL_LINK_REPLACE
 * @link: [out] the link's id, never zero; with HYPERUPCALL_LINK_REPLACE [in],
 *	the link whose program is replaced. It keeps its id, its place in the
 *	chain and its statistics. Each event sees the old program or the new
 *	one; when the call returns the old one runs no more.
 *
 * * -ENOENT: no such program; with HYPERUPCALL_LINK_REPLACE, no such link
 * * -EINVAL: no such event; with HYPERUPCALL_LINK_REPLACE, the link is
 *   linked to another event
 * * -EOPNOTSUPP: the host does not have that event
 * * -EACCES: the VMM's policy does not allow it
 * * -EEXIST: a global event that is linked
 * * -E2BIG: a global event, and the program is over @max_insns_global or
 *   @max_verified_insns_global, or may run for longer than a
 *   program that was loaded with HYPERUPCALL_LOAD_GLOBAL
 * * -EDQUOT: a global event, and the regions are over @max_mem_global
 * * -ENOSPC: too many links
 */
struct hyperupcall_link {
	__u32 prog;
	__u32 event;
	__u32 flags;
	__u32 link;
};

/**
 * struct hyperupcall_unlink - HYPERUPCALL_UNLINK
 * @link: a link's id
 * @flags: zero
 *
 * When it returns the link's program runs no more for that link.
 *
 * * -ENOENT: no such link
 */
struct hyperupcall_unlink {
	__u32 link;
	__u32 flags;
};

/**
 * struct hyperupcall_stats - HYPERUPCALL_STATS of a link
 * @link: a link's id
 * @flags: zero
 * @runs: [out] how often its programs ran
 * @opinions: [out] how often they had an opinion
 * @faults: [out] accesses to offsets that are not mapped
 * @throttled: [out] how often it would have run but the VM was over its budget,
 *	or the event had taken too long before its turn came
 * @run_ns: [out] time they ran for, in nanoseconds
 *
 * * -ENOENT: no such link
 */
struct hyperupcall_stats {
	__u32 link;
	__u32 flags;
	__u64 runs;
	__u64 opinions;
	__u64 faults;
	__u64 throttled;
	__u64 run_ns;
};

/**
 * struct hyperupcall_test_run - HYPERUPCALL_TEST_RUN, runs a program once
 * @prog: a program's id
 * @flags: zero
 * @ctx: what the program sees; any content
 * @retval: [out] the lower 32 bits of what it returned
 * @faults: [out] accesses to offsets that are not mapped
 * @run_ns: [out] time it ran for, in nanoseconds
 *
 * * -ENOENT: no such program
 * * -EDQUOT: @budget_ns of struct hyperupcall_query is used up in this second
 * * -EBUSY: the VMM logs writes to memory in a way that misses those of
 *   programs, so that no program runs meanwhile
 */
struct hyperupcall_test_run {
	__u32 prog;
	__u32 flags;
	struct hyperupcall_ctx ctx;
	__u64 retval;
	__u64 faults;
	__u64 run_ns;
};

#endif /* _UAPI_LINUX_HYPERUPCALL_H */
