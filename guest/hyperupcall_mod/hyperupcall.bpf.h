/* SPDX-License-Identifier: GPL-2.0 */
/*
 * For authors of hyperupcalls: programs that the hypervisor runs on the memory
 * of this guest. Write them as kernel code, with the kernel's types (vmlinux.h
 * is generated from its BTF) and with these differences:
 *
 * - A pointer that is followed is a __guest pointer: an offset into the window
 *   through which the hypervisor shows the guest's memory. Clang inserts the
 *   conversion before each access; what is not mapped reads zero, for atomics
 *   too, and writes to it are lost.
 *
 * - A pointer that is found in guest memory is an address of the guest. It is
 *   an ordinary pointer to C, but following it is refused by the verifier. The
 *   guest_*() functions turn it into a __guest pointer, if the window shows
 *   the place.
 *
 * - Globals are declared __guest. Guest and program share them.
 *
 * - Symbols of the kernel are declared extern and __ksym. The module looks
 *   them up at load: a function is its address, to be compared with; a
 *   per-CPU variable is its place in the per-CPU area, for guest_per_cpu_ptr();
 *   any other variable is its place in the window, read-only. A __weak one
 *   that the kernel does not have is zero.
 *
 * - The guest runs meanwhile. READ_ONCE() what can change and look at nothing
 *   twice. The x86 memory model applies, on either side.
 */
#ifndef _HYPERUPCALL_BPF_H
#define _HYPERUPCALL_BPF_H

#include "vmlinux.h"
#include "constants.h"
#include "shared.h"

/* vmlinux.h has what <linux/types.h> would define. */
#define _LINUX_TYPES_H
#define _UAPI_LINUX_TYPES_H
#include <linux/hyperupcall.h>

#define __guest		__attribute__((address_space(1)))
#ifndef __ksym
#define __ksym		__attribute__((section(".ksyms")))
#endif
#ifndef __weak
#define __weak		__attribute__((weak))
#endif
#define __used		__attribute__((used))
#define __noinline	__attribute__((noinline))
#undef __always_inline
#define __always_inline	inline __attribute__((always_inline))

/* SEC("hyperupcall/<event>") marks the program of that event. */
#define SEC(name)	__attribute__((section(name), used))

#define NULL		((void *)0)
#define PAGE_SIZE	(1UL << PAGE_SHIFT)
#define ARRAY_SIZE(x)	(sizeof(x) / sizeof((x)[0]))
#define offsetof(type, member)	__builtin_offsetof(type, member)
#define min(a, b)		((a) < (b) ? (a) : (b))
#define likely(x)	__builtin_expect(!!(x), 1)
#define unlikely(x)	__builtin_expect(!!(x), 0)

/* As the kernel's, for __guest memory. */
#define READ_ONCE(x)		(*(const volatile typeof(x) *)&(x))
#define WRITE_ONCE(x, val)	(*(volatile typeof(x) *)&(x) = (val))

#define barrier()		asm volatile("" ::: "memory")

/* x86 keeps stores in order, and stores behind loads. */
#define smp_store_release(p, val) \
	do { \
		barrier(); \
		WRITE_ONCE(*(p), val); \
	} while (0)
#define smp_load_acquire(p) \
	({ \
		u64 ____val = (u64)READ_ONCE(*(p)); \
		barrier(); \
		____val; \
	})

/*
 * Atomics of 4 and 8 bytes, full barriers. Pointers go in and come out as u64,
 * since what is stored in guest memory is an address of the guest.
 */
#define cmpxchg64(p, old, new) \
	__sync_val_compare_and_swap((u64 __guest *)(p), (u64)(old), (u64)(new))
#define cmpxchg32(p, old, new) \
	__sync_val_compare_and_swap((u32 __guest *)(p), (u32)(old), (u32)(new))
#define xchg64(p, new) \
	__sync_lock_test_and_set((u64 __guest *)(p), (u64)(new))
#define xchg32(p, new) \
	__sync_lock_test_and_set((u32 __guest *)(p), (u32)(new))
#define atomic_add64(p, val) \
	((void)__sync_fetch_and_add((u64 __guest *)(p), (u64)(val)))

/*
 * Is there a turn left in this loop? For the entry function. The hypervisor
 * gives a run some turns (hyperupcall_query::max_loops at most) for all its
 * loops, and then this is false: nothing may depend on a turn being left.
 * Where something does, and in other functions, loops have to be unrolled. A
 * bound that the compiler sees does not do: the verifier also follows the turns
 * that a CPU might speculate on, and finds no end to them. The loops of one
 * function (that the compiler does not inline) share its turns.
 */
#define may_loop() \
	({ \
		__label__ l_end, l_out; \
		bool ____more = true; \
		asm goto("may_goto %l[l_end]" : : : : l_end); \
		goto l_out; \
	l_end:	____more = false; \
	l_out:	____more; \
	})

/* Clang does not unroll a loop that may be left in its middle. */
#define unrolled	_Pragma("clang loop unroll(full)")

/*
 * Helpers. See include/uapi/linux/hyperupcall.h, which has the numbers.
 */

/**
 * hyperupcall_vcpu_state() - What a vCPU is doing
 * @vcpu: vCPU id
 *
 * Return: enum hyperupcall_vcpu_state at some moment during the call, or
 * -ENOENT.
 */
static s64 (*const hyperupcall_vcpu_state)(u32 vcpu) =
	(void *)HYPERUPCALL_HELPER_VCPU_STATE;

/**
 * hyperupcall_vcpu_regs() - The registers of a vCPU without a physical CPU
 * @vcpu: vCPU id
 * @regs: on the stack, initialized; zero after a failure
 * @size: sizeof(*@regs)
 *
 * Return: 0, -ENOENT, or -EBUSY if it has a physical CPU or just got or lost
 * one.
 */
static s64 (*const hyperupcall_vcpu_regs)(u32 vcpu,
					  struct hyperupcall_regs *regs,
					  u32 size) =
	(void *)HYPERUPCALL_HELPER_VCPU_REGS;

/**
 * hyperupcall_flush_tlb() - Flush all that a vCPU's TLB has of the guest
 * @vcpu: vCPU id
 *
 * The request is made first, and then it is seen whether the vCPU executes the
 * guest. A full barrier.
 *
 * Return: 1 if the vCPU executes no guest instruction before the flush; 0 if
 * it was executing the guest, and nothing is guaranteed; or -ENOENT.
 */
static s64 (*const hyperupcall_flush_tlb)(u32 vcpu) =
	(void *)HYPERUPCALL_HELPER_FLUSH_TLB;

/*
 * What the module tells, see shared.h.
 */
struct hyperupcall_cpu __guest hyperupcall_cpus[HYPERUPCALL_MAX_CPUS] __used;
struct hyperupcall_guest __guest hyperupcall_guest __used;

/*
 * The same value, but one that the verifier knows nothing of. It follows each
 * value that a variable may have on its own, and in an unrolled loop the ways
 * to get there multiply: what a loop collects is better forgotten in each turn.
 */
#define forget(x)	((typeof(x))((u64)(x) + READ_ONCE(hyperupcall_guest.zero)))

/* Only in programs that ask for it: the module shows them all struct pages. */
#define GUEST_MEMORY \
	struct hyperupcall_memory __guest \
		hyperupcall_memory[HYPERUPCALL_MAX_MEMORY] __used

/**
 * guest_cpu() - The guest's CPU on a vCPU
 * @vcpu: vCPU id
 * @cpu: filled, a copy that cannot change meanwhile
 *
 * Return: whether there is one and it is online.
 */
static __always_inline bool guest_cpu(u32 vcpu, struct hyperupcall_cpu *cpu)
{
	struct hyperupcall_cpu __guest *entry;

	cpu->window = 0;
	if (vcpu < HYPERUPCALL_MAX_CPUS) {
		entry = &hyperupcall_cpus[vcpu];
		/* Pairs with program_set_cpu() in the module. */
		cpu->window = smp_load_acquire(&entry->window);
		cpu->gva = entry->gva;
		cpu->cpu = entry->cpu;
	}
	return cpu->window;
}

/**
 * guest_memory() - The piece of memory that a page is in
 * @table: hyperupcall_memory, see GUEST_MEMORY
 * @gfn: the page's frame number
 * @memory: filled, a copy that cannot change meanwhile
 *
 * Return: whether there is one.
 */
static __always_inline bool
guest_memory(struct hyperupcall_memory __guest *table, u64 gfn,
	     struct hyperupcall_memory *memory)
{
	int i;

	unrolled
	for (i = 0; i < HYPERUPCALL_MAX_MEMORY; i++) {
		/* Pairs with program_set_memory() in the module. */
		memory->end = smp_load_acquire(&table[i].end);
		memory->start = table[i].start;
		memory->window = table[i].window;
		if (gfn >= memory->start && gfn < memory->end)
			return true;
	}
	return false;
}

/**
 * guest_page() - The struct page of a page
 * @gfn: the page's frame number, in @memory
 * @memory: from guest_memory()
 *
 * Return: a __guest pointer.
 */
static __always_inline struct page __guest *
guest_page(u64 gfn, const struct hyperupcall_memory *memory)
{
	return (struct page __guest *)(memory->window + (gfn - memory->start) *
				       sizeof(struct page));
}

/**
 * guest_per_cpu_ptr() - A CPU's instance of a per-CPU variable
 * @var: &variable, which is declared extern and __ksym
 * @cpu: from guest_cpu()
 *
 * Return: a __guest pointer.
 */
#define guest_per_cpu_ptr(var, cpu) \
	((typeof(*(var)) __guest *)((u64)(cpu)->window + (u64)(var)))

/**
 * guest_in_per_cpu() - Follow an address into a CPU's per-CPU area
 * @ptr: address of the guest, as found in its memory
 * @cpu: from guest_cpu()
 *
 * Return: a __guest pointer to the same, or NULL if it points elsewhere or if
 * what it points to does not end in there.
 */
#define guest_in_per_cpu(ptr, cpu) \
	((typeof(*(ptr)) __guest *)__guest_in_per_cpu((u64)(ptr), \
						      sizeof(*(ptr)), cpu))

static __always_inline u64
__guest_in_per_cpu(u64 gva, u64 size, const struct hyperupcall_cpu *cpu)
{
	u64 offset = gva - cpu->gva;

	if (offset > (u64)hyperupcall_guest.percpu_size - size)
		return 0;
	return cpu->window + offset;
}

/**
 * guest_llist_next_entry() - Take a step along an llist whose entries are in a
 * per-CPU area
 * @type: of the entries
 * @gva: u64 variable, the address of the node to go to; then of the next one
 * @cpu: from guest_cpu()
 * @member: the struct llist_node in the entry
 *
 * Return: a __guest pointer to the entry, or NULL if the list ends here, and
 * @gva is zero, or if the entry is elsewhere, and @gva is not.
 */
#define guest_llist_next_entry(type, gva, cpu, member) \
	({ \
		type __guest *____entry = NULL; \
		if (gva) \
			____entry = (type __guest *)__guest_in_per_cpu((gva) - \
					offsetof(type, member), \
					sizeof(type), cpu); \
		if (____entry) \
			(gva) = (u64)READ_ONCE(____entry->member.next); \
		____entry; \
	})

/**
 * guest_gva() - The address that the guest has for something in the globals
 * @ptr: __guest pointer to or into a global of the program
 *
 * Return: the address, for storing in the guest's memory.
 */
#define guest_gva(ptr)	((u64)(u32)(u64)(ptr) + hyperupcall_guest.globals)

/*
 * Try-locks. There is no way to wait in a program: the holder may be a vCPU
 * that does not run.
 */

/*
 * A lock between a program's own runs, a u32 in its globals that starts as
 * GUEST_LOCK_FREE. That is not zero, which is what an atomic returns that finds
 * no memory in the window.
 */
#define GUEST_LOCK_FREE	1
#define GUEST_LOCK_HELD	2

static __always_inline bool guest_trylock(u32 __guest *lock)
{
	return cmpxchg32(lock, GUEST_LOCK_FREE, GUEST_LOCK_HELD) ==
	       GUEST_LOCK_FREE;
}

static __always_inline void guest_unlock(u32 __guest *lock)
{
	/* What was done under the lock comes before. */
	smp_store_release(lock, GUEST_LOCK_FREE);
}

/*
 * A spinlock of the guest kernel. Where waiters sleep until they are kicked
 * nobody could kick them after guest_spin_unlock(), so it cannot be had.
 *
 * Zero is also what cmpxchg() returns if the lock is not in the window, and
 * then it does not read as held.
 */
static __always_inline bool guest_spin_trylock(raw_spinlock_t __guest *lock)
{
	return !hyperupcall_guest.pv_spinlocks &&
	       !cmpxchg32(&lock->raw_lock.val.counter, 0, _Q_LOCKED_VAL) &&
	       READ_ONCE(lock->raw_lock.locked) == _Q_LOCKED_VAL;
}

static __always_inline void guest_spin_unlock(raw_spinlock_t __guest *lock)
{
	/* What was done under the lock comes before. */
	smp_store_release(&lock->raw_lock.locked, 0);
}

#endif /* _HYPERUPCALL_BPF_H */
