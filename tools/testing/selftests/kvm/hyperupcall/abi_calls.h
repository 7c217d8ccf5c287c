/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Valid calls of every opcode, for the ABI tests to spoil: a VM with one object
 * of each kind, and calls about them whose every argument can be chosen.
 */
#ifndef SELFTEST_KVM_HYPERUPCALL_ABI_CALLS_H
#define SELFTEST_KVM_HYPERUPCALL_ABI_CALLS_H

#include "hyperupcall_util.h"
#include "opcodes.h"

/* An id that no object has. */
#define NO_ID	0x7ffffff1

/* The test's memory: structs are on the first pages, regions on the others. */
#define STRUCT_PAGES	2

struct abi_vm {
	struct hup *h;
	uint32_t linked_prog;
	uint32_t free_prog;
	uint32_t link;
	uint32_t region;
};

struct abi_call {
	uint64_t op;
	union hup_args args;
	uint64_t at;		/* where the struct is in the first pages */
	uint64_t gva;		/* where it is if it is elsewhere */
	uint64_t size;
	uint64_t a3;
};

static inline vm_vaddr_t abi_page(const struct abi_vm *vm, unsigned int n)
{
	return vm->h->data.gva + n * PAGE_SIZE;
}

static inline void abi_set_hole(struct hup *h, vm_vaddr_t gva)
{
	*vm_get_page_table_entry(h->vm, gva) = 0;
}

static inline void abi_set_read_only(struct hup *h, vm_vaddr_t gva)
{
	*vm_get_page_table_entry(h->vm, gva) &= ~PTE_WRITABLE_MASK;
}

/* Makes what is missing. */
static inline void abi_make_objects(struct abi_vm *vm)
{
	struct hup *h = vm->h;

	if (!vm->linked_prog)
		vm->linked_prog = hup_load_return(h, 0);
	if (!vm->free_prog)
		vm->free_prog = hup_load_return(h, 0);
	if (!vm->link)
		vm->link = hup_link(h, vm->linked_prog,
				    HYPERUPCALL_EVENT_INTERRUPT);
	if (!vm->region)
		vm->region = hup_map(h, abi_page(vm, 2), PAGE_SIZE, 0, NULL);
	TEST_ASSERT((int)vm->linked_prog > 0 && (int)vm->free_prog > 0 &&
		    (int)vm->link > 0 && (int)vm->region > 0,
		    "objects: %d %d %d %d", vm->linked_prog, vm->free_prog,
		    vm->link, vm->region);
}

static inline struct abi_vm abi_create(const struct kvm_hyperupcall_policy *p)
{
	struct abi_vm vm = { .h = hup_create_policy(1, p) };

	abi_make_objects(&vm);
	return vm;
}

static inline void abi_fill_load(struct abi_vm *vm,
				 struct hyperupcall_load *load)
{
	static const struct bpf_insn insns[] = {
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(),
	};

	memcpy(vm->h->insns.hva, insns, sizeof(insns));
	load->insns = vm->h->insns.gva;
	load->insn_cnt = ARRAY_SIZE(insns);
	memcpy(load->name, "good_1.x", 8);
	load->log_buf = vm->h->log.gva;
	load->log_size = 4096;
	load->log_level = 1;
}

/* A call that succeeds. */
static inline struct abi_call abi_valid_call(struct abi_vm *vm, uint64_t op)
{
	struct abi_call c = { .op = op, .size = hup_op_sizes[op] };

	switch (op) {
	case HYPERUPCALL_MAP:
		c.args.map.gva = abi_page(vm, 3);
		c.args.map.size = PAGE_SIZE;
		break;
	case HYPERUPCALL_UNMAP:
		c.args.unmap.region = vm->region;
		break;
	case HYPERUPCALL_LOAD:
		abi_fill_load(vm, &c.args.load);
		break;
	case HYPERUPCALL_UNLOAD:
		c.args.unload.prog = vm->free_prog;
		break;
	case HYPERUPCALL_LINK:
		c.args.link.prog = vm->free_prog;
		c.args.link.event = HYPERUPCALL_EVENT_INTERRUPT;
		break;
	case HYPERUPCALL_UNLINK:
		c.args.unlink.link = vm->link;
		break;
	case HYPERUPCALL_STATS:
		c.args.stats.link = vm->link;
		break;
	case HYPERUPCALL_TEST_RUN:
		c.args.test_run.prog = vm->free_prog;
		break;
	}
	return c;
}

/* Makes the call; its struct becomes what the host left of it. */
static inline long abi_do(struct abi_vm *vm, struct abi_call *c)
{
	struct hup_mem *data = &vm->h->data;
	void *at = data->hva + c->at;
	size_t len = hup_op_sizes[c->op];
	long r;

	memcpy(at, &c->args, len);
	r = hup_raw(vm->h, c->op, c->gva ? c->gva : data->gva + c->at, c->size,
		    c->a3);
	memcpy(&c->args, at, len);
	return r;
}

/* Undoes what a call did, and brings back what it removed. */
static inline void abi_undo(struct abi_vm *vm, const struct abi_call *c)
{
	long r = 0;

	switch (c->op) {
	case HYPERUPCALL_MAP:
		r = hup_unmap(vm->h, c->args.map.region);
		break;
	case HYPERUPCALL_UNMAP:
		vm->region = 0;
		break;
	case HYPERUPCALL_LOAD:
		r = hup_unload(vm->h, c->args.load.prog);
		break;
	case HYPERUPCALL_UNLOAD:
		vm->free_prog = 0;
		break;
	case HYPERUPCALL_LINK:
		r = hup_unlink(vm->h, c->args.link.link);
		break;
	case HYPERUPCALL_UNLINK:
		vm->link = 0;
		break;
	}
	TEST_ASSERT(!r, "cannot undo opcode %lu: %ld", c->op, r);
	abi_make_objects(vm);
}

/* What there is, by QUERY; time passes by itself. */
static inline struct hyperupcall_query abi_state(struct abi_vm *vm)
{
	struct hyperupcall_query q;

	hup_query(vm->h, &q);
	q.budget_left_ns = 0;
	return q;
}

static inline bool abi_state_is(struct abi_vm *vm,
				const struct hyperupcall_query *expected)
{
	struct hyperupcall_query now = abi_state(vm);

	return !memcmp(&now, expected, sizeof(now));
}

#endif /* SELFTEST_KVM_HYPERUPCALL_ABI_CALLS_H */
