/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Hypercalls for the fuzzer, made up in the guest: a valid one of a random
 * opcode, about objects that are there, and half of the time with something
 * done to it.
 *
 * The guest must survive what it asks for. What the host may write, the struct,
 * the log and a region that programs may write, is in the arena, or nowhere.
 */
#ifndef SELFTEST_KVM_HYPERUPCALL_HYPERCALL_FUZZ_GENERATE_H
#define SELFTEST_KVM_HYPERUPCALL_HYPERCALL_FUZZ_GENERATE_H

#include "hypercall_fuzz_programs.h"
#include "hypercall_fuzz_shared.h"

/* Per cent of the calls; LOAD and UNLINK take the most time. */
static const uint8_t fuzz_weights[HUP_NR_OPS] = {
	[HYPERUPCALL_QUERY]	= 11,
	[HYPERUPCALL_MAP]	= 15,
	[HYPERUPCALL_UNMAP]	= 15,
	[HYPERUPCALL_LOAD]	= 10,
	[HYPERUPCALL_UNLOAD]	= 6,
	[HYPERUPCALL_LINK]	= 8,
	[HYPERUPCALL_UNLINK]	= 3,
	[HYPERUPCALL_STATS]	= 16,
	[HYPERUPCALL_TEST_RUN]	= 16,
};

static const uint64_t fuzz_values[] = {
	0, 1, 2, 3, 4, 7, 8, 127, 128, 255, 4095, 4096, 8192, 65536,
	0x7fffffff, 0x80000000, 0xffffffff, 0x100000000, 0x7ffffffff000,
	0x800000000000, 0xffff800000000000, 0x8000000000000000, -4096ULL, -1ULL
};

static uint64_t fuzz_value(struct fuzz_vcpu *v)
{
	return fuzz_values[fuzz_below(&v->random, ARRAY_SIZE(fuzz_values))];
}

static uint64_t fuzz_own(struct fuzz_vcpu *v, enum fuzz_own_page page)
{
	return v->base + page * PAGE_SIZE;
}

/* Mostly the id of something that is there. */
static uint32_t fuzz_id(struct fuzz_vcpu *v, const struct fuzz_ids *ids)
{
	uint32_t id = 0;
	int i;

	if (fuzz_one_in(&v->random, 16))
		return fuzz_value(v);
	for (i = 0; i < 16 && !id; i++)
		id = READ_ONCE(ids->ids[fuzz_below(&v->random, FUZZ_IDS)]);
	return id;
}

static uint32_t fuzz_offset(struct fuzz_vcpu *v)
{
	uint32_t i = fuzz_below(&v->random, FUZZ_IDS);

	return READ_ONCE(fuzz_guest.offsets[i]);
}

static void fuzz_make_map(struct fuzz_vcpu *v, struct hyperupcall_map *map)
{
	bool write = fuzz_one_in(&v->random, 2);
	uint32_t pages = write ? FUZZ_DATA_PAGES : FUZZ_ARENA_PAGES;

	map->flags = write ? HYPERUPCALL_MAP_WRITE : 0;
	map->gva = fuzz_guest.arena +
		   fuzz_below(&v->random, pages) * PAGE_SIZE;
	map->size = (1 + fuzz_below(&v->random, 3)) * PAGE_SIZE;
}

static void fuzz_mutate_insn(struct fuzz_vcpu *v, struct bpf_insn *insns,
			     uint32_t cnt)
{
	struct bpf_insn *insn = &insns[fuzz_below(&v->random, cnt)];
	uint32_t bit = fuzz_below(&v->random, 64);

	switch (fuzz_below(&v->random, 5)) {
	case 0:
	case 1:
		*(uint64_t *)insn ^= BIT_ULL(bit);
		break;
	case 2:
		insn->imm = fuzz_value(v);
		break;
	case 3:
		insn->off = fuzz_value(v);
		break;
	case 4:
		*insn = insns[fuzz_below(&v->random, cnt)];
		break;
	}
}

/* Puts a program into the vCPU's page of instructions, returns its length. */
static uint32_t fuzz_make_program(struct fuzz_vcpu *v)
{
	struct bpf_insn *insns = (void *)fuzz_own(v, FUZZ_INSNS);
	const struct fuzz_program *p;
	uint32_t cnt = 0, len, i;

	/* Some are made of two. */
	do {
		p = &fuzz_programs[fuzz_below(&v->random,
					      ARRAY_SIZE(fuzz_programs))];
		if (cnt)
			cnt -= fuzz_below(&v->random, cnt);
		len = fuzz_program_len(p);
		memcpy(&insns[cnt], p->insns, len * sizeof(*insns));
		cnt += len;
	} while (fuzz_one_in(&v->random, 8) && cnt < 2 * FUZZ_MAX_INSNS);

	for (i = 0; i < cnt; i++) {
		if (insns[i].imm == FUZZ_OFFSET)
			insns[i].imm = fuzz_offset(v);
	}

	if (fuzz_one_in(&v->random, 2)) {
		for (i = fuzz_below(&v->random, 3) + 1; i; i--)
			fuzz_mutate_insn(v, insns, cnt);
	}
	return cnt;
}

static void fuzz_make_load(struct fuzz_vcpu *v, struct hyperupcall_load *load)
{
	static const uint32_t log_sizes[] = { 128, 129, 4096, FUZZ_LOG_SIZE };

	load->insns = fuzz_own(v, FUZZ_INSNS);
	load->insn_cnt = fuzz_make_program(v);
	if (fuzz_one_in(&v->random, 4))
		load->flags = HYPERUPCALL_LOAD_GLOBAL;
	memcpy(load->name, "fuzz", 5);
	if (fuzz_one_in(&v->random, 2))
		return;
	load->log_size = log_sizes[fuzz_below(&v->random, 4)];
	load->log_buf = fuzz_own(v, FUZZ_LOG);
	load->log_level = 1 + fuzz_below(&v->random, 2);
}

static void fuzz_make_link(struct fuzz_vcpu *v, struct hyperupcall_link *link)
{
	link->prog = fuzz_id(v, &fuzz_guest.progs);
	link->event = HYPERUPCALL_EVENT_INTERRUPT;
	if (fuzz_one_in(&v->random, 4))
		link->event = HYPERUPCALL_EVENT_VCPU_PREEMPT;
	else if (fuzz_one_in(&v->random, 16))
		link->event = fuzz_below(&v->random, __HYPERUPCALL_EVENT_MAX);
	if (fuzz_one_in(&v->random, 8)) {
		link->flags = HYPERUPCALL_LINK_REPLACE;
		link->link = fuzz_id(v, &fuzz_guest.links);
	}
}

static void fuzz_make_test_run(struct fuzz_vcpu *v,
			       struct hyperupcall_test_run *run)
{
	int i;

	run->prog = fuzz_id(v, &fuzz_guest.progs);
	run->ctx.event = HYPERUPCALL_EVENT_INTERRUPT;
	run->ctx.vcpu = fuzz_below(&v->random, FUZZ_VCPUS);
	run->ctx.interrupt.vector = FUZZ_VECTOR;
	run->ctx.interrupt.target = fuzz_below(&v->random, FUZZ_VCPUS + 1);
	if (fuzz_one_in(&v->random, 2)) {
		for (i = 0; i < 2; i++)
			run->ctx.data[i] = fuzz_offset(v);
	}
}

static void fuzz_make_args(struct fuzz_vcpu *v)
{
	union hup_args *args = &v->args;

	memset(args, 0, sizeof(*args));
	switch (v->call.op) {
	case HYPERUPCALL_MAP:
		fuzz_make_map(v, &args->map);
		break;
	case HYPERUPCALL_UNMAP:
		args->unmap.region = fuzz_id(v, &fuzz_guest.regions);
		break;
	case HYPERUPCALL_LOAD:
		fuzz_make_load(v, &args->load);
		break;
	case HYPERUPCALL_UNLOAD:
		args->unload.prog = fuzz_id(v, &fuzz_guest.progs);
		break;
	case HYPERUPCALL_LINK:
		fuzz_make_link(v, &args->link);
		break;
	case HYPERUPCALL_UNLINK:
		args->unlink.link = fuzz_id(v, &fuzz_guest.links);
		break;
	case HYPERUPCALL_STATS:
		args->stats.link = fuzz_id(v, &fuzz_guest.links);
		break;
	case HYPERUPCALL_TEST_RUN:
		fuzz_make_test_run(v, &args->test_run);
		break;
	}
}

/* @last is what the vCPU's last call left in its struct. */
static void fuzz_mutate_args(struct fuzz_vcpu *v, const union hup_args *last)
{
	uint32_t size = hup_op_sizes[v->call.op];
	uint32_t i = fuzz_below(&v->random, size);
	uint32_t n = fuzz_below(&v->random, size - i) + 1;

	switch (fuzz_below(&v->random, 5)) {
	case 0:
	case 1:
		v->args.bytes[i] ^= 1 << fuzz_below(&v->random, 8);
		break;
	case 2:
		v->args.words[i / 4] = fuzz_value(v);
		break;
	case 3:
		v->args.quads[i / 8] = fuzz_value(v);
		break;
	case 4:
		memcpy(&v->args.bytes[i], &last->bytes[i], n);
		break;
	}
}

/* Whether the host may write to a range of guest memory. */
static bool fuzz_harmless(uint64_t gva, uint64_t size, uint64_t start,
			  uint64_t end)
{
	uint64_t arena_end = fuzz_guest.arena + FUZZ_ARENA_PAGES * PAGE_SIZE;

	if (gva >= start && gva < end && size <= end - gva)
		return true;
	/* Nothing is mapped there, and a range that wraps is none. */
	return gva >= arena_end;
}

static void fuzz_spare_guest(struct fuzz_vcpu *v)
{
	struct hyperupcall_load *load = &v->args.load;
	struct hyperupcall_map *map = &v->args.map;
	uint64_t log = fuzz_own(v, FUZZ_LOG);

	if (v->call.op == HYPERUPCALL_MAP &&
	    !fuzz_harmless(map->gva, map->size, fuzz_guest.arena,
			   fuzz_guest.arena + FUZZ_DATA_PAGES * PAGE_SIZE))
		map->flags &= ~HYPERUPCALL_MAP_WRITE;

	/* The log ends at a hole, whatever its size. */
	if (v->call.op == HYPERUPCALL_LOAD &&
	    !fuzz_harmless(load->log_buf, 0, log, log + FUZZ_LOG_SIZE))
		load->log_buf = load->log_buf ? log : 0;
}

static uint64_t fuzz_bad_address(struct fuzz_vcpu *v)
{
	const uint64_t bad[] = {
		0, 1ULL << 63, -8ULL, (1ULL << 47) - 4, HUP_UNMAPPED_GVA,
		APIC_DEFAULT_GPA, fuzz_own(v, FUZZ_STRUCT_HOLE)
	};

	return bad[fuzz_below(&v->random, ARRAY_SIZE(bad))];
}

/* Where the struct is, and whether it can be read and written there. */
static void fuzz_place(struct fuzz_vcpu *v, uint32_t size)
{
	uint32_t before = fuzz_below(&v->random, size - 1) + 1;
	struct fuzz_call *call = &v->call;

	v->readable = true;
	v->writable = true;
	switch (fuzz_below(&v->random, 64)) {
	case 0:
		call->gva = fuzz_own(v, FUZZ_STRUCT_2) - before;
		break;
	case 1:
		call->gva = fuzz_own(v, FUZZ_STRUCT_READ_ONLY) - before;
		v->writable = false;
		break;
	case 2:
		call->gva = fuzz_own(v, FUZZ_STRUCT_READ_ONLY) + before;
		v->writable = false;
		break;
	case 3:
		call->gva = fuzz_own(v, FUZZ_STRUCT_HOLE) - before;
		v->readable = false;
		v->writable = false;
		break;
	case 4:
		call->gva = fuzz_bad_address(v);
		v->readable = false;
		v->writable = false;
		break;
	case 5:
		call->gva = fuzz_own(v, FUZZ_STRUCT) + before;
		break;
	default:
		call->gva = fuzz_own(v, FUZZ_STRUCT) + before * 8;
		break;
	}
}

/* Writes the struct, as far as it is where the guest can, and zeros after. */
static void fuzz_write(struct fuzz_vcpu *v, uint32_t size)
{
	uint64_t gva, page;
	uint32_t i;

	for (i = 0; i < size + 64; i++) {
		gva = v->call.gva + i;
		page = (gva - v->base) / PAGE_SIZE;
		if (page == FUZZ_STRUCT || page == FUZZ_STRUCT_2 ||
		    page == FUZZ_STRUCT_LAST)
			*(uint8_t *)gva = i < size ? v->args.bytes[i] : 0;
	}
}

static uint64_t fuzz_bad_size(struct fuzz_vcpu *v, uint32_t size)
{
	switch (fuzz_below(&v->random, 4)) {
	case 0:
		return fuzz_below(&v->random, size);
	case 1:
		return (1ULL << 32) + size;
	case 2:
		return fuzz_value(v);
	default:
		return size + fuzz_below(&v->random, 64);
	}
}

static uint64_t fuzz_unknown_op(struct fuzz_vcpu *v)
{
	switch (fuzz_below(&v->random, 3)) {
	case 0:
		return HUP_NR_OPS + fuzz_below(&v->random, 256);
	case 1:
		return fuzz_below(&v->random, HUP_NR_OPS) | 1ULL << 32;
	default:
		return fuzz_next(&v->random) | HUP_NR_OPS << 1;
	}
}

static uint64_t fuzz_op(struct fuzz_vcpu *v)
{
	uint32_t n = fuzz_below(&v->random, 100);
	unsigned int op = 0;

	while (n >= fuzz_weights[op])
		n -= fuzz_weights[op++];
	return op;
}

/* Makes up @v->call and its struct. */
static void fuzz_generate(struct fuzz_vcpu *v)
{
	struct fuzz_call *call = &v->call;
	uint32_t size, n;

	call->op = fuzz_op(v);
	call->a3 = 0;
	size = hup_op_sizes[call->op];
	call->size = size;

	fuzz_make_args(v);
	/* LOAD has a program to spoil, too. */
	if (fuzz_one_in(&v->random, call->op == HYPERUPCALL_LOAD ? 4 : 2)) {
		for (n = fuzz_below(&v->random, 3) + 1; n; n--)
			fuzz_mutate_args(v, &v->after);
	}
	/* One opcode's struct for another, which may be shorter. */
	if (fuzz_one_in(&v->random, 64))
		call->op = fuzz_below(&v->random, HUP_NR_OPS);
	fuzz_spare_guest(v);
	fuzz_place(v, size);
	fuzz_write(v, size);

	if (fuzz_one_in(&v->random, 16))
		call->size = fuzz_bad_size(v, size);
	if (fuzz_one_in(&v->random, 64))
		call->a3 = fuzz_next(&v->random);
	if (fuzz_one_in(&v->random, 32))
		call->op = fuzz_unknown_op(v);
}

#endif /* SELFTEST_KVM_HYPERUPCALL_HYPERCALL_FUZZ_GENERATE_H */
