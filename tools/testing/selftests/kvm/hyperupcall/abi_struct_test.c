// SPDX-License-Identifier: GPL-2.0-only
/*
 * The struct of a hypercall, for every opcode: where it may be, how long it may
 * be, and that a call whose struct cannot be read or written, or makes no
 * sense, changes nothing.
 */
#include "abi_calls.h"
#include "fuzz_random.h"
#include "kvm_test_harness.h"

FIXTURE(abi_struct) {
	struct abi_vm vm;
};

FIXTURE_SETUP(abi_struct)
{
	self->vm = abi_create(NULL);
}

FIXTURE_TEARDOWN(abi_struct)
{
	hup_free(self->vm.h);
}

static bool has_output(uint64_t op)
{
	return op != HYPERUPCALL_UNMAP && op != HYPERUPCALL_UNLOAD &&
	       op != HYPERUPCALL_UNLINK;
}

/* Expects @r, and that nothing changed if that is an error. */
static void expect_call(struct __test_metadata *_metadata, struct abi_vm *vm,
			struct abi_call *c, long expected)
{
	struct hyperupcall_query before = abi_state(vm);
	long r = abi_do(vm, c);

	EXPECT_EQ(expected, r)
		TH_LOG("%s at %#lx (%#lx), size %lu", hup_op_names[c->op],
		       c->at, c->gva, c->size);
	if (!r)
		abi_undo(vm, c);
	EXPECT_EQ(true, abi_state_is(vm, &before))
		TH_LOG("%s at %#lx (%#lx), size %lu: %ld",
		       hup_op_names[c->op], c->at, c->gva, c->size, r);
}

/* The same for a valid struct that is somewhere else. */
static void expect_at(struct __test_metadata *_metadata, struct abi_vm *vm,
		      uint64_t op, uint64_t at, long expected)
{
	struct abi_call c = abi_valid_call(vm, op);

	c.at = at;
	expect_call(_metadata, vm, &c, expected);
}

static void expect_gva(struct __test_metadata *_metadata, struct abi_vm *vm,
		       uint64_t op, uint64_t gva, long expected)
{
	struct abi_call c = abi_valid_call(vm, op);

	c.gva = gva;
	expect_call(_metadata, vm, &c, expected);
}

HUP_TEST(abi_struct, any_alignment)
{
	uint64_t op, at;

	for (op = 0; op < HUP_NR_OPS; op++) {
		for (at = 0; at < 9; at++)
			expect_at(_metadata, &self->vm, op, at, 0);
	}
}

/* How many of a struct's bytes are on the first of two pages. */
static unsigned int split(uint64_t op, int i)
{
	const unsigned int splits[] = {
		1, 4, hup_op_sizes[op] / 2, hup_op_sizes[op] - 4,
		hup_op_sizes[op] - 1
	};

	return i < ARRAY_SIZE(splits) ? splits[i] : 0;
}

static void expect_across(struct __test_metadata *_metadata,
			  struct abi_vm *vm, uint64_t op, long expected)
{
	int i;

	for (i = 0; split(op, i); i++)
		expect_at(_metadata, vm, op, PAGE_SIZE - split(op, i),
			  expected);
}

HUP_TEST(abi_struct, across_pages)
{
	uint64_t op;

	for (op = 0; op < HUP_NR_OPS; op++)
		expect_across(_metadata, &self->vm, op, 0);
}

/* Also where pages that are neighbours to the guest are not to the host. */
HUP_TEST(abi_struct, across_memslots)
{
	struct hup *h = self->vm.h;
	struct hup_mem mem = hup_add_slot(h, VM_MEM_SRC_ANONYMOUS, 10, 1, 0);
	uint64_t *pte = vm_get_page_table_entry(h->vm, abi_page(&self->vm, 1));
	uint64_t page = *vm_get_page_table_entry(h->vm, mem.gva);
	struct abi_call c;
	unsigned int n, op;
	int i;

	*pte = page;
	for (op = 0; op < HUP_NR_OPS; op++) {
		for (i = 0; split(op, i); i++) {
			n = split(op, i);
			c = abi_valid_call(&self->vm, op);
			c.at = PAGE_SIZE - n;
			memcpy(mem.hva, &c.args.bytes[n], hup_op_sizes[op] - n);
			EXPECT_EQ(0, abi_do(&self->vm, &c))
				TH_LOG("%s", hup_op_names[op]);
			memcpy(&c.args.bytes[n], mem.hva, hup_op_sizes[op] - n);
			abi_undo(&self->vm, &c);
		}
	}
}

HUP_TEST(abi_struct, ends_in_a_hole)
{
	uint64_t op;

	abi_set_hole(self->vm.h, abi_page(&self->vm, 1));
	for (op = 0; op < HUP_NR_OPS; op++) {
		expect_across(_metadata, &self->vm, op, -EFAULT);
		expect_at(_metadata, &self->vm, op,
			  PAGE_SIZE - hup_op_sizes[op], 0);
	}
}

HUP_TEST(abi_struct, starts_in_a_hole)
{
	uint64_t op;

	abi_set_hole(self->vm.h, abi_page(&self->vm, 0));
	for (op = 0; op < HUP_NR_OPS; op++) {
		expect_across(_metadata, &self->vm, op, -EFAULT);
		expect_at(_metadata, &self->vm, op, PAGE_SIZE, 0);
	}
}

/* What the guest is not told is undone. */
static void expect_read_only(struct __test_metadata *_metadata,
			     struct abi_vm *vm)
{
	uint64_t op;

	for (op = 0; op < HUP_NR_OPS; op++)
		expect_across(_metadata, vm, op, has_output(op) ? -EFAULT : 0);
}

HUP_TEST(abi_struct, ends_read_only)
{
	abi_set_read_only(self->vm.h, abi_page(&self->vm, 1));
	expect_read_only(_metadata, &self->vm);
}

HUP_TEST(abi_struct, starts_read_only)
{
	abi_set_read_only(self->vm.h, abi_page(&self->vm, 0));
	expect_read_only(_metadata, &self->vm);
}

HUP_TEST(abi_struct, read_only)
{
	uint64_t op;

	abi_set_read_only(self->vm.h, abi_page(&self->vm, 0));
	for (op = 0; op < HUP_NR_OPS; op++)
		expect_at(_metadata, &self->vm, op, 0,
			  has_output(op) ? -EFAULT : 0);
}

HUP_TEST(abi_struct, read_only_memslot)
{
	struct hup *h = self->vm.h;
	struct hup_mem rom = hup_add_slot(h, VM_MEM_SRC_ANONYMOUS, 10, 1,
					  KVM_MEM_READONLY);
	struct abi_call c;
	uint64_t op;

	for (op = 0; op < HUP_NR_OPS; op++) {
		c = abi_valid_call(&self->vm, op);
		c.gva = rom.gva;
		memcpy(rom.hva, &c.args, sizeof(c.args));
		expect_call(_metadata, &self->vm, &c,
			    has_output(op) ? -EFAULT : 0);
	}
}

HUP_TEST(abi_struct, not_memory)
{
	static const uint64_t addresses[] = {
		1, 8, HUP_UNMAPPED_GVA, (1ULL << 47) - 4, 1ULL << 47,
		1ULL << 63, 0xffff7ffffffffffc, 0xffff800000000000, -4096ULL,
		-8ULL, -1ULL
	};
	const uint64_t mmio = HUP_UNMAPPED_GVA - PAGE_SIZE;
	uint64_t op;
	int i;

	virt_pg_map(self->vm.h->vm, mmio, 0xd0000000);
	for (op = 0; op < HUP_NR_OPS; op++) {
		for (i = 0; i < ARRAY_SIZE(addresses); i++)
			expect_gva(_metadata, &self->vm, op, addresses[i],
				   -EFAULT);
		expect_gva(_metadata, &self->vm, op, mmio, -EFAULT);
	}
}

HUP_TEST(abi_struct, too_short)
{
	struct abi_call c;
	uint64_t op;

	for (op = 0; op < HUP_NR_OPS; op++) {
		c = abi_valid_call(&self->vm, op);
		for (c.size = 0; c.size < hup_op_sizes[op]; c.size++) {
			EXPECT_EQ(-EINVAL, abi_do(&self->vm, &c))
				TH_LOG("%s, size %lu", hup_op_names[op],
				       c.size);
		}
	}
}

static void expect_size(struct __test_metadata *_metadata, struct abi_vm *vm,
			uint64_t op, uint64_t size, long expected)
{
	struct abi_call c = abi_valid_call(vm, op);

	c.size = size;
	expect_call(_metadata, vm, &c, expected);
}

/* A struct of the future, up to a page, as long as the future asks nothing. */
HUP_TEST(abi_struct, zero_tail)
{
	uint64_t op, size;
	void *hva = self->vm.h->data.hva;

	for (op = 0; op < HUP_NR_OPS; op++) {
		memset(hva, 0, STRUCT_PAGES * PAGE_SIZE);
		size = hup_op_sizes[op];
		expect_size(_metadata, &self->vm, op, size + 1, 0);
		expect_size(_metadata, &self->vm, op, size + 8, 0);
		expect_size(_metadata, &self->vm, op, 1024, 0);
		expect_size(_metadata, &self->vm, op, PAGE_SIZE, 0);
		expect_size(_metadata, &self->vm, op, PAGE_SIZE + 1, -E2BIG);
		expect_size(_metadata, &self->vm, op, 2 * PAGE_SIZE, -E2BIG);
		expect_size(_metadata, &self->vm, op, size + (1ULL << 32),
			    -E2BIG);
		expect_size(_metadata, &self->vm, op, 1ULL << 63, -E2BIG);
		expect_size(_metadata, &self->vm, op, -1ULL, -E2BIG);
	}
}

HUP_TEST(abi_struct, nonzero_tail)
{
	uint8_t *hva = self->vm.h->data.hva;
	uint64_t op, size, i;

	for (op = 0; op < HUP_NR_OPS; op++) {
		size = hup_op_sizes[op];
		for (i = size; i < PAGE_SIZE; i = i < size + 70 ? i + 7 :
						      i + 997) {
			memset(hva, 0, PAGE_SIZE);
			hva[i] = 0x80;
			expect_size(_metadata, &self->vm, op, i + 1, -E2BIG);
			expect_size(_metadata, &self->vm, op, PAGE_SIZE,
				    -E2BIG);
			expect_size(_metadata, &self->vm, op, i, 0);
		}
	}
}

/* The tail is a part of the struct. */
HUP_TEST(abi_struct, tail_in_a_hole)
{
	struct abi_call c;
	uint64_t op;

	memset(self->vm.h->data.hva, 0, PAGE_SIZE);
	abi_set_hole(self->vm.h, abi_page(&self->vm, 1));
	for (op = 0; op < HUP_NR_OPS; op++) {
		c = abi_valid_call(&self->vm, op);
		c.at = PAGE_SIZE - hup_op_sizes[op];
		c.size++;
		expect_call(_metadata, &self->vm, &c, -EFAULT);
	}
}

/* What is in the struct on input is no part of the output. */
HUP_TEST(abi_struct, output_is_ignored_on_input)
{
	struct hyperupcall_stats stats = { .link = self->vm.link, };
	struct hyperupcall_test_run run = { .prog = self->vm.free_prog };
	struct hyperupcall_query q;

	memset(&q, 0xff, sizeof(q));
	q.flags = 0;
	ASSERT_EQ(0, hup_op(self->vm.h, HYPERUPCALL_QUERY, &q, sizeof(q)));
	EXPECT_EQ(HYPERUPCALL_ABI, q.abi);
	EXPECT_EQ(0, q.reserved);
	EXPECT_EQ(2, q.nr_progs);
	EXPECT_EQ(1, q.nr_links);
	EXPECT_EQ(1, q.nr_regions);

	memset(&stats.runs, 0xff, sizeof(stats) - offsetof(typeof(stats), runs));
	ASSERT_EQ(0, hup_op(self->vm.h, HYPERUPCALL_STATS, &stats,
			    sizeof(stats)));
	EXPECT_EQ(0, stats.runs);
	EXPECT_EQ(0, stats.opinions);
	EXPECT_EQ(0, stats.faults);
	EXPECT_EQ(0, stats.throttled);
	EXPECT_EQ(0, stats.run_ns);

	memset(&run.retval, 0xff, sizeof(run) - offsetof(typeof(run), retval));
	ASSERT_EQ(0, hup_test_run(self->vm.h, self->vm.free_prog, &run));
	EXPECT_EQ(0, run.retval);
	EXPECT_EQ(0, run.faults);
	EXPECT_NE(-1ULL, run.run_ns);
}

#define GARBAGE_SEED	4
#define GARBAGE_CALLS	300

/*
 * Bytes at random. They are never what an opcode other than QUERY wants: an id
 * that is in use, or an address that is aligned.
 */
HUP_TEST(abi_struct, garbage)
{
	struct hyperupcall_query before = abi_state(&self->vm);
	union hup_args garbage;
	struct fuzz_random r;
	struct abi_call c;
	uint64_t op;
	long ret;
	int n, i;

	fuzz_seed(&r, GARBAGE_SEED);
	for (op = 0; op < HUP_NR_OPS; op++) {
		for (n = 0; n < GARBAGE_CALLS; n++) {
			for (i = 0; i < ARRAY_SIZE(garbage.quads); i++)
				garbage.quads[i] = fuzz_next(&r);
			c = (struct abi_call) {
				.op = op,
				.args = garbage,
				.size = hup_op_sizes[op],
			};
			ret = abi_do(&self->vm, &c);
			EXPECT_GT(0, ret);
			EXPECT_EQ(true, hup_error_documented(op, ret))
				TH_LOG("%s: %ld", hup_op_names[op], ret);
			EXPECT_EQ(0, memcmp(&c.args, &garbage,
					    hup_op_sizes[op]))
				TH_LOG("%s: %ld", hup_op_names[op], ret);
		}
		EXPECT_EQ(true, abi_state_is(&self->vm, &before))
			TH_LOG("%s", hup_op_names[op]);
	}
}

/* A good struct, and garbage for a program. */
HUP_TEST(abi_struct, garbage_program)
{
	struct hyperupcall_query before = abi_state(&self->vm);
	uint64_t *insns = self->vm.h->insns.hva;
	struct fuzz_random r;
	struct abi_call c;
	long ret;
	int n, i;

	fuzz_seed(&r, GARBAGE_SEED);
	for (n = 0; n < GARBAGE_CALLS; n++) {
		c = abi_valid_call(&self->vm, HYPERUPCALL_LOAD);
		c.args.load.insn_cnt = 1 + fuzz_below(&r, 64);
		for (i = 0; i < c.args.load.insn_cnt; i++)
			insns[i] = fuzz_next(&r);
		ret = abi_do(&self->vm, &c);
		EXPECT_EQ(true, ret == -EINVAL || ret == -EACCES)
			TH_LOG("%ld", ret);
		EXPECT_NE(0, c.args.load.log_true_size);
	}
	EXPECT_EQ(true, abi_state_is(&self->vm, &before));
}

int main(int argc, char **argv)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_HYPERUPCALL));

	return test_harness_run(argc, argv);
}
