/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How to spoil a valid call: each function makes one thing wrong with it, for
 * the rows of abi_errors.h.
 */
#ifndef SELFTEST_KVM_HYPERUPCALL_ABI_SPOIL_H
#define SELFTEST_KVM_HYPERUPCALL_ABI_SPOIL_H

#include <sys/mman.h>
#include <sys/resource.h>

#include "abi_calls.h"
#include "locked_memory.h"

/* Any opcode */

static void nothing(struct abi_vm *vm, struct abi_call *c)
{
}

static void struct_not_mapped(struct abi_vm *vm, struct abi_call *c)
{
	c->gva = HUP_UNMAPPED_GVA;
}

static void struct_too_short(struct abi_vm *vm, struct abi_call *c)
{
	c->size--;
}

static void tail_not_zero(struct abi_vm *vm, struct abi_call *c)
{
	uint8_t *hva = vm->h->data.hva;

	hva[c->size++] = 1;
}

static void fourth_argument(struct abi_vm *vm, struct abi_call *c)
{
	c->a3 = 1;
}

static void unknown_flag(struct abi_vm *vm, struct abi_call *c)
{
	static const size_t flags[] = {
		[HYPERUPCALL_QUERY] = offsetof(struct hyperupcall_query, flags),
		[HYPERUPCALL_MAP] = offsetof(struct hyperupcall_map, flags),
		[HYPERUPCALL_UNMAP] = offsetof(struct hyperupcall_unmap, flags),
		[HYPERUPCALL_LOAD] = offsetof(struct hyperupcall_load, flags),
		[HYPERUPCALL_UNLOAD] = offsetof(struct hyperupcall_unload,
						flags),
		[HYPERUPCALL_LINK] = offsetof(struct hyperupcall_link, flags),
		[HYPERUPCALL_UNLINK] = offsetof(struct hyperupcall_unlink,
						flags),
		[HYPERUPCALL_STATS] = offsetof(struct hyperupcall_stats, flags),
		[HYPERUPCALL_TEST_RUN] = offsetof(struct hyperupcall_test_run,
						  flags),
	};

	c->args.words[flags[c->op] / 4] = 1U << 31;
}

/* MAP */

static void map_unaligned_gva(struct abi_vm *vm, struct abi_call *c)
{
	c->args.map.gva++;
}

static void map_unaligned_size(struct abi_vm *vm, struct abi_call *c)
{
	c->args.map.size--;
}

static void map_no_size(struct abi_vm *vm, struct abi_call *c)
{
	c->args.map.size = 0;
}

static void map_wraps(struct abi_vm *vm, struct abi_call *c)
{
	c->args.map.gva = -PAGE_SIZE;
	c->args.map.size = 2 * PAGE_SIZE;
}

static void map_wraps_to_the_start(struct abi_vm *vm, struct abi_call *c)
{
	c->args.map.size = -c->args.map.gva + PAGE_SIZE;
}

static void map_starts_noncanonical(struct abi_vm *vm, struct abi_call *c)
{
	c->args.map.gva = 1ULL << 47;
}

static void map_ends_noncanonical(struct abi_vm *vm, struct abi_call *c)
{
	c->args.map.gva = (1ULL << 47) - PAGE_SIZE;
	c->args.map.size = 2 * PAGE_SIZE;
}

static void map_across_the_hole(struct abi_vm *vm, struct abi_call *c)
{
	c->args.map.gva = (1ULL << 47) - PAGE_SIZE;
	c->args.map.size = 0xffff000000002000;
}

static void map_not_mapped(struct abi_vm *vm, struct abi_call *c)
{
	c->args.map.gva = HUP_UNMAPPED_GVA;
}

/* The pages before it must be let go again. */
static void map_last_not_mapped(struct abi_vm *vm, struct abi_call *c)
{
	c->args.map.gva = abi_page(vm, 1);
	c->args.map.size = 3 * PAGE_SIZE;
	abi_set_hole(vm->h, abi_page(vm, 3));
}

static void map_guest_read_only(struct abi_vm *vm, struct abi_call *c)
{
	c->args.map.flags = HYPERUPCALL_MAP_WRITE;
	abi_set_read_only(vm->h, c->args.map.gva);
}

static void map_mmio(struct abi_vm *vm, struct abi_call *c)
{
	c->args.map.gva = HUP_UNMAPPED_GVA;
	virt_pg_map(vm->h->vm, c->args.map.gva, 0xd0000000);
}

static void map_read_only_memslot(struct abi_vm *vm, struct abi_call *c)
{
	struct hup_mem mem = hup_add_slot(vm->h, VM_MEM_SRC_ANONYMOUS, 10, 1,
					  KVM_MEM_READONLY);

	c->args.map.gva = mem.gva;
}

/* A memslot, but nothing there that could be pinned. */
static void map_no_vmm_memory(struct abi_vm *vm, struct abi_call *c)
{
	struct hup_mem mem = hup_add_slot(vm->h, VM_MEM_SRC_ANONYMOUS, 10, 1,
					  0);

	c->args.map.gva = mem.gva;
	TEST_ASSERT(!mprotect(mem.hva, PAGE_SIZE, PROT_READ), "mprotect");
}

static void map_larger_than_window(struct abi_vm *vm, struct abi_call *c)
{
	c->args.map.size = 1ULL << 32;
}

static void map_more_than_allowed(struct abi_vm *vm, struct abi_call *c)
{
	struct hyperupcall_query q = abi_state(vm);

	c->args.map.size = align_up(q.max_mem, PAGE_SIZE);
}

static void map_more_than_global(struct abi_vm *vm, struct abi_call *c)
{
	struct hyperupcall_query q = abi_state(vm);

	TEST_ASSERT(hup_link(vm->h, vm->free_prog,
			     HYPERUPCALL_EVENT_VCPU_PREEMPT) > 0, "LINK");
	c->args.map.size = align_up(q.max_mem_global, PAGE_SIZE);
}

/* The last of MAP's rows: the limit stays. */
static void map_over_rlimit(struct abi_vm *vm, struct abi_call *c)
{
	struct rlimit one_page = { PAGE_SIZE, PAGE_SIZE };

	drop_ipc_lock();
	TEST_ASSERT(!setrlimit(RLIMIT_MEMLOCK, &one_page), "setrlimit");
}

/* Ids */

static void no_such_region(struct abi_vm *vm, struct abi_call *c)
{
	c->args.unmap.region = NO_ID;
}

static void no_region(struct abi_vm *vm, struct abi_call *c)
{
	c->args.unmap.region = 0;
}

static void region_is_gone(struct abi_vm *vm, struct abi_call *c)
{
	TEST_ASSERT(!hup_unmap(vm->h, vm->region), "UNMAP");
}

static void no_such_link(struct abi_vm *vm, struct abi_call *c)
{
	c->args.unlink.link = NO_ID;
}

static void no_link(struct abi_vm *vm, struct abi_call *c)
{
	c->args.unlink.link = ~0U;
}

static void link_is_gone(struct abi_vm *vm, struct abi_call *c)
{
	TEST_ASSERT(!hup_unlink(vm->h, vm->link), "UNLINK");
}

static void no_such_prog(struct abi_vm *vm, struct abi_call *c)
{
	c->args.unload.prog = NO_ID;
}

static void no_prog(struct abi_vm *vm, struct abi_call *c)
{
	c->args.unload.prog = 0;
}

static void prog_is_gone(struct abi_vm *vm, struct abi_call *c)
{
	TEST_ASSERT(!hup_unload(vm->h, vm->free_prog), "UNLOAD");
}

static void prog_is_linked(struct abi_vm *vm, struct abi_call *c)
{
	c->args.unload.prog = vm->linked_prog;
}

static void second_is_used_up(struct abi_vm *vm, struct abi_call *c)
{
	struct hyperupcall_test_run run = c->args.test_run;

	TEST_ASSERT(!hup_op(vm->h, HYPERUPCALL_TEST_RUN, &run, sizeof(run)), "TEST_RUN");
}

/* LOAD */

static void set_insns(struct abi_vm *vm, struct abi_call *c,
		      const struct bpf_insn *insns, uint32_t cnt)
{
	memcpy(vm->h->insns.hva, insns, cnt * sizeof(*insns));
	c->args.load.insn_cnt = cnt;
}

#define SET_INSNS(vm, c, ...)						\
do {									\
	const struct bpf_insn __insns[] = { __VA_ARGS__ };		\
									\
	set_insns(vm, c, __insns, ARRAY_SIZE(__insns));			\
} while (0)

/* @cnt instructions, that the verifier follows all. */
static void set_long(struct abi_vm *vm, struct abi_call *c, uint32_t cnt)
{
	struct bpf_insn *insns = vm->h->insns.hva;
	uint32_t i;

	for (i = 0; i < cnt - 1; i++)
		insns[i] = BPF_MOV64_IMM(BPF_REG_0, 0);
	insns[i] = BPF_EXIT_INSN();
	c->args.load.insn_cnt = cnt;
}

static void load_unread_register(struct abi_vm *vm, struct abi_call *c)
{
	SET_INSNS(vm, c, BPF_MOV64_REG(BPF_REG_0, BPF_REG_9), BPF_EXIT_INSN());
}

static void load_malformed(struct abi_vm *vm, struct abi_call *c)
{
	SET_INSNS(vm, c, BPF_RAW_INSN(0xff, 0, 0, 0, 0), BPF_EXIT_INSN());
}

static void load_map_fd(struct abi_vm *vm, struct abi_call *c)
{
	SET_INSNS(vm, c,
		  BPF_RAW_INSN(BPF_LD | BPF_IMM | BPF_DW, BPF_REG_1,
			       BPF_PSEUDO_MAP_FD, 0, 3),
		  BPF_RAW_INSN(0, 0, 0, 0, 0),
		  BPF_MOV64_IMM(BPF_REG_0, 0),
		  BPF_EXIT_INSN());
}

static void load_no_insns(struct abi_vm *vm, struct abi_call *c)
{
	c->args.load.insn_cnt = 0;
}

static void load_bad_name(struct abi_vm *vm, struct abi_call *c)
{
	c->args.load.name[1] = '/';
}

static void load_endless_name(struct abi_vm *vm, struct abi_call *c)
{
	memset(c->args.load.name, 'a', HYPERUPCALL_NAME_LEN);
}

static void load_small_log(struct abi_vm *vm, struct abi_call *c)
{
	c->args.load.log_size = 127;
}

static void load_large_log(struct abi_vm *vm, struct abi_call *c)
{
	c->args.load.log_size = HYPERUPCALL_LOG_MAX + 1;
}

static void load_no_log(struct abi_vm *vm, struct abi_call *c)
{
	c->args.load.log_buf = 0;
}

static void load_no_log_level(struct abi_vm *vm, struct abi_call *c)
{
	c->args.load.log_level = 0;
}

static void load_bad_log_level(struct abi_vm *vm, struct abi_call *c)
{
	c->args.load.log_level = 4;
}

static void load_insns_not_mapped(struct abi_vm *vm, struct abi_call *c)
{
	c->args.load.insns = HUP_UNMAPPED_GVA;
}

static void load_insns_half_mapped(struct abi_vm *vm, struct abi_call *c)
{
	abi_set_hole(vm->h, vm->h->insns.gva + PAGE_SIZE);
	c->args.load.insns += PAGE_SIZE - sizeof(struct bpf_insn);
}

static void load_insns_wrap(struct abi_vm *vm, struct abi_call *c)
{
	c->args.load.insns = -sizeof(struct bpf_insn);
}

static void load_log_not_mapped(struct abi_vm *vm, struct abi_call *c)
{
	c->args.load.log_buf = HUP_UNMAPPED_GVA;
}

static void load_log_read_only(struct abi_vm *vm, struct abi_call *c)
{
	abi_set_read_only(vm->h, c->args.load.log_buf);
}

static void load_long(struct abi_vm *vm, struct abi_call *c)
{
	set_long(vm, c, 101);
}

static void load_absurdly_long(struct abi_vm *vm, struct abi_call *c)
{
	c->args.load.insn_cnt = ~0U;
}

static void load_long_global(struct abi_vm *vm, struct abi_call *c)
{
	c->args.load.flags = HYPERUPCALL_LOAD_GLOBAL;
	set_long(vm, c, 101);
}

static void load_loop(struct abi_vm *vm, struct abi_call *c)
{
	SET_INSNS(vm, c,
		  BPF_MOV64_IMM(BPF_REG_0, 0),
		  BPF_ALU64_IMM(BPF_ADD, BPF_REG_0, 1),
		  BPF_JMP_IMM(BPF_JLT, BPF_REG_0, 100, -2),
		  BPF_EXIT_INSN());
}

static void load_loop_global(struct abi_vm *vm, struct abi_call *c)
{
	c->args.load.flags = HYPERUPCALL_LOAD_GLOBAL;
	load_loop(vm, c);
}

/* A chain of functions, each of which calls the next. */
static void load_deep_calls(struct abi_vm *vm, struct abi_call *c)
{
	struct bpf_insn *insns = vm->h->insns.hva;
	int i;

	for (i = 0; i < 9; i++) {
		insns[2 * i] = BPF_RAW_INSN(BPF_JMP | BPF_CALL, 0,
					    BPF_PSEUDO_CALL, 0, 1);
		insns[2 * i + 1] = BPF_EXIT_INSN();
	}
	insns[2 * i] = BPF_MOV64_IMM(BPF_REG_0, 0);
	insns[2 * i + 1] = BPF_EXIT_INSN();
	c->args.load.insn_cnt = 2 * i + 2;
}

/* LINK */

static void link_replaces_nothing(struct abi_vm *vm, struct abi_call *c)
{
	c->args.link.flags = HYPERUPCALL_LINK_REPLACE;
	c->args.link.link = NO_ID;
}

static void link_replaces_at_other_event(struct abi_vm *vm, struct abi_call *c)
{
	c->args.link.flags = HYPERUPCALL_LINK_REPLACE;
	c->args.link.link = vm->link;
	c->args.link.event = HYPERUPCALL_EVENT_VCPU_PREEMPT;
}

static void link_no_event(struct abi_vm *vm, struct abi_call *c)
{
	c->args.link.event = __HYPERUPCALL_EVENT_MAX;
}

static void link_absurd_event(struct abi_vm *vm, struct abi_call *c)
{
	c->args.link.event = ~0U;
}

static void link_unsupported_event(struct abi_vm *vm, struct abi_call *c)
{
	struct hyperupcall_query q = abi_state(vm);
	uint32_t event = 0;

	while (q.events & BIT_ULL(event))
		event++;
	TEST_ASSERT(event < __HYPERUPCALL_EVENT_MAX, "all are supported");
	c->args.link.event = event;
}

static void link_global(struct abi_vm *vm, struct abi_call *c)
{
	c->args.link.event = HYPERUPCALL_EVENT_VCPU_PREEMPT;
}

static void link_global_twice(struct abi_vm *vm, struct abi_call *c)
{
	link_global(vm, c);
	TEST_ASSERT(hup_link(vm->h, vm->linked_prog, c->args.link.event) > 0,
		    "LINK");
}

static void link_loaded_global(struct abi_vm *vm, struct abi_call *c,
			       struct abi_call *load)
{
	link_global(vm, c);
	TEST_ASSERT(!abi_do(vm, load), "LOAD");
	c->args.link.prog = load->args.load.prog;
}

static void link_long_global(struct abi_vm *vm, struct abi_call *c)
{
	struct abi_call load = abi_valid_call(vm, HYPERUPCALL_LOAD);

	load_long(vm, &load);
	link_loaded_global(vm, c, &load);
}

static void link_loop_global(struct abi_vm *vm, struct abi_call *c)
{
	struct abi_call load = abi_valid_call(vm, HYPERUPCALL_LOAD);

	load_loop(vm, &load);
	link_loaded_global(vm, c, &load);
}

static void link_with_much_memory(struct abi_vm *vm, struct abi_call *c)
{
	struct hyperupcall_query q = abi_state(vm);

	link_global(vm, c);
	while (q.mem <= q.max_mem_global) {
		TEST_ASSERT(hup_map(vm->h, abi_page(vm, 3), PAGE_SIZE, 0,
				    NULL) > 0, "MAP");
		q = abi_state(vm);
	}
}

#endif /* SELFTEST_KVM_HYPERUPCALL_ABI_SPOIL_H */
