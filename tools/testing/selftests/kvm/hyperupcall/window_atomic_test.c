// SPDX-License-Identifier: GPL-2.0-only
/*
 * Atomic operations in the window: each of them, on words of both sizes, does
 * to memory and to its registers what the instruction set says, and reads zero
 * where it finds nothing.
 */
#include "kvm_test_harness.h"
#include "window_programs.h"

#define SLOT		10
#define NR_PAGES	20

FIXTURE(atomic) {
	struct hup *h;
	uint8_t *hva;
	uint32_t offset;	/* of NR_PAGES writable pages */
	uint32_t read_only;	/* of the same pages */
	uint32_t after;		/* where programs put their registers */
	uint64_t *regs;		/* the same */
};

FIXTURE_SETUP(atomic)
{
	struct hup *h = hup_create(1);
	struct hup_mem mem = hup_add_slot(h, VM_MEM_SRC_ANONYMOUS, SLOT,
					  NR_PAGES, 0);

	self->h = h;
	self->hva = mem.hva;
	self->regs = h->data.hva;
	ASSERT_LT(0, hup_map(h, h->data.gva, PAGE_SIZE, HYPERUPCALL_MAP_WRITE,
			     &self->after));
	ASSERT_LT(0, hup_map(h, mem.gva, mem.size, HYPERUPCALL_MAP_WRITE,
			     &self->offset));
	ASSERT_LT(0, hup_map(h, mem.gva, mem.size, 0, &self->read_only));
}

FIXTURE_TEARDOWN(atomic)
{
	hup_free(self->h);
}

static const struct {
	const char *name;
	int op;
} ops[] = {
	{ "add", BPF_ADD },
	{ "and", BPF_AND },
	{ "or", BPF_OR },
	{ "xor", BPF_XOR },
	{ "fetch and add", BPF_ADD | BPF_FETCH },
	{ "exchange", BPF_XCHG },
	{ "compare and exchange", BPF_CMPXCHG },
};

static const int atomic_sizes[] = { BPF_W, BPF_DW };

/* Memory, operand and r0 before. */
static const struct values {
	uint64_t memory, operand, r0;
} values[] = {
	{ 5, 7, 5 },
	{ 5, -7, 6 },
	{ ~0ULL, 1, ~0ULL },
	{ 0x0ff0f00f12345678, 0x00ffff00ff00ff00, 0x0ff0f00f12345678 },
	/* The same in the low half only. */
	{ 0x0ff0f00f12345678, 0x00ffff00ff00ff00, 0xdeadbeef12345678 },
	{ 0x80000000ffffffff, 0x8000000080000000, 0xffffffff },
};

static uint64_t compute(int op, uint64_t old, uint64_t operand, uint64_t r0)
{
	switch (op & ~BPF_FETCH) {
	case BPF_ADD:
		return old + operand;
	case BPF_AND:
		return old & operand;
	case BPF_OR:
		return old | operand;
	case BPF_XOR:
		return old ^ operand;
	case BPF_XCHG & ~BPF_FETCH:
		return operand;
	default:
		return old == r0 ? operand : old;
	}
}

/* What is there afterwards; a word that is not there reads zero. */
static struct values expect(int op, int size, const struct values *v,
			    bool there)
{
	uint64_t mask = mask_of(size), old = there ? v->memory & mask : 0;
	struct values want = *v;

	if (there)
		want.memory = (v->memory & ~mask) |
			      (compute(op, old, v->operand & mask,
				       v->r0 & mask) & mask);
	if (op == BPF_CMPXCHG)
		want.r0 = old;
	else if (op & BPF_FETCH)
		want.operand = old;
	return want;
}

/* Where a word is, and how a program comes to it. */
struct place {
	const char *what;
	uint32_t word;		/* in the region, if it is there */
	uint32_t at;		/* what the register says, from there */
	int16_t off;		/* of the instruction */
};

static const struct place good[] = {
	{ "start", 0, 0, 0 },
	{ "second word", 8, 8, 0 },
	{ "end of a page", 4088, 4088, 0 },
	{ "last word", NR_PAGES * 4096 - 8, NR_PAGES * 4096 - 8, 0 },
	{ "up", 24, 16, 8 },
	{ "down", 16, 24, -8 },
	{ "up, as far as it goes", 32760, 0, 32760 },
	{ "down, as far as it goes", 0, 32768, -32768 },
};

HUP_TEST(atomic, does_what_it_should)
{
	int i, j, k, l;

	for (i = 0; i < ARRAY_SIZE(ops); i++) {
		for (j = 0; j < ARRAY_SIZE(atomic_sizes); j++) {
			for (k = 0; k < ARRAY_SIZE(good); k++) {
				const struct place *p = &good[k];
				uint64_t *word = (void *)self->hva + p->word;
				int size = atomic_sizes[j];
				long prog = load_whole_atomic(self->h, size,
							      ops[i].op,
							      p->off);

				ASSERT_LT(0, prog);
				for (l = 0; l < ARRAY_SIZE(values); l++) {
					const struct values *v = &values[l];
					struct whole_atomic args = {
						self->offset + p->at,
						v->operand, v->r0, self->after
					};
					struct values want =
						expect(ops[i].op, size, v,
						       true);

					*word = v->memory;
					EXPECT_EQ(0, run_whole_atomic(self->h,
								      prog,
								      &args));
					EXPECT_EQ(want.memory, *word)
						TH_LOG("%s of %u bytes, %s, %d",
						       ops[i].name,
						       bytes_of(size), p->what,
						       l);
					EXPECT_EQ(want.operand, self->regs[0])
						TH_LOG("%s of %u bytes, %s, %d",
						       ops[i].name,
						       bytes_of(size), p->what,
						       l);
					EXPECT_EQ(want.r0, self->regs[1])
						TH_LOG("%s of %u bytes, %s, %d",
						       ops[i].name,
						       bytes_of(size), p->what,
						       l);
				}
				EXPECT_EQ(0, hup_unload(self->h, prog));
			}
		}
	}
}

/* Runs where there is nothing to be read or written. */
static void check_fault(struct __test_metadata *_metadata, struct hup *h,
			uint32_t prog, const struct whole_atomic *args,
			const uint64_t *regs, int op, int size,
			const char *what)
{
	const struct values v = { .operand = args->operand, .r0 = args->r0 };
	struct values want = expect(op, size, &v, false);

	EXPECT_EQ(1, run_whole_atomic(h, prog, args))
		TH_LOG("op %#x of %u bytes, %s", op, bytes_of(size), what);
	EXPECT_EQ(want.operand, regs[0])
		TH_LOG("op %#x of %u bytes, %s", op, bytes_of(size), what);
	EXPECT_EQ(want.r0, regs[1])
		TH_LOG("op %#x of %u bytes, %s", op, bytes_of(size), what);
}

/* Places where nothing is mapped; offsets are those of the window. */
static const struct place bad[] = {
	{ "offset 0", 0, 0, 0 },
	{ "below the window", 0, 0, -8 },
	{ "far below the window", 0, 0, -32768 },
	{ "last byte", 0, 0xffffffff, 0 },
	{ "above the window", 0, 0xfffffff8, 8 },
	{ "far above the window", 0, 0xffffffff, 32760 },
	{ "above the window, where a region is below", 0, 0xfffff000, 8192 },
	{ "middle", 0, 0x80000000, 0 },
	{ "middle, down", 0, 0x80000000, -32768 },
};

HUP_TEST(atomic, outside)
{
	int i, j, k;

	for (i = 0; i < ARRAY_SIZE(ops); i++) {
		for (j = 0; j < ARRAY_SIZE(atomic_sizes); j++) {
			for (k = 0; k < ARRAY_SIZE(bad); k++) {
				int size = atomic_sizes[j];
				struct whole_atomic args = {
					bad[k].at, 0x1111222233334444,
					0x5555666677778888, self->after
				};
				long prog = load_whole_atomic(self->h, size,
							      ops[i].op,
							      bad[k].off);

				ASSERT_LT(0, prog);
				check_fault(_metadata, self->h, prog, &args,
					    self->regs, ops[i].op, size,
					    bad[k].what);
				EXPECT_EQ(0, hup_unload(self->h, prog));
			}
		}
	}
}

/* What can be read but not written reads zero to what does both. */
HUP_TEST(atomic, read_only)
{
	static const uint32_t at[] = { 0, 4088, NR_PAGES * 4096 - 8 };
	int i, j, k;

	for (i = 0; i < ARRAY_SIZE(ops); i++) {
		for (j = 0; j < ARRAY_SIZE(atomic_sizes); j++) {
			int size = atomic_sizes[j];
			long prog = load_whole_atomic(self->h, size,
						      ops[i].op, 0);

			ASSERT_LT(0, prog);
			for (k = 0; k < ARRAY_SIZE(at); k++) {
				uint64_t *word = (void *)self->hva + at[k];
				struct whole_atomic args = {
					self->read_only + at[k], 77, 0x1234,
					self->after
				};

				*word = 0x1234;
				check_fault(_metadata, self->h, prog, &args,
					    self->regs, ops[i].op, size,
					    "read-only");
				EXPECT_EQ(0x1234, *word);
			}
			EXPECT_EQ(0, hup_unload(self->h, prog));
		}
	}
}

/* No atomic crosses a cache line, or a page: it acts on the aligned word. */
HUP_TEST(atomic, misaligned)
{
	uint64_t *word = (void *)self->hva + 4088;
	int i, j, byte;

	for (i = 0; i < ARRAY_SIZE(ops); i++) {
		for (j = 0; j < ARRAY_SIZE(atomic_sizes); j++) {
			int size = atomic_sizes[j];
			long prog = load_whole_atomic(self->h, size,
						      ops[i].op, 0);

			ASSERT_LT(0, prog);
			for (byte = 1; byte < bytes_of(size); byte++) {
				struct whole_atomic args = {
					self->offset + 4088 + byte,
					values[3].operand, values[3].r0,
					self->after
				};
				struct values want = expect(ops[i].op, size,
							    &values[3], true);

				word[0] = values[3].memory;
				word[1] = 0;
				EXPECT_EQ(0, run_whole_atomic(self->h, prog,
							      &args));
				EXPECT_EQ(want.memory, word[0])
					TH_LOG("%s at %d", ops[i].name, byte);
				EXPECT_EQ(want.operand, self->regs[0]);
				EXPECT_EQ(want.r0, self->regs[1]);
				EXPECT_EQ(0, word[1]);
			}
			EXPECT_EQ(0, hup_unload(self->h, prog));
		}
	}
}

/* What cannot be aligned when the program runs is refused before. */
HUP_TEST(atomic, misaligned_instruction)
{
	EXPECT_EQ(-EACCES, load_whole_atomic(self->h, BPF_DW, BPF_ADD, 4));
	EXPECT_EQ(-EACCES, load_whole_atomic(self->h, BPF_DW, BPF_XCHG, -1));
	EXPECT_EQ(-EACCES, load_whole_atomic(self->h, BPF_W, BPF_CMPXCHG, 2));
	EXPECT_LT(0, load_whole_atomic(self->h, BPF_W, BPF_CMPXCHG, 4));
}

/* Operations that the JIT has none of in a window, and sizes that BPF lacks. */
HUP_TEST(atomic, refused)
{
	static const int fetches[] = {
		BPF_AND | BPF_FETCH, BPF_OR | BPF_FETCH, BPF_XOR | BPF_FETCH,
		BPF_SUB, BPF_ADD | 2, 0xd0,
	};
	int i, j;

	for (i = 0; i < ARRAY_SIZE(fetches); i++) {
		for (j = 0; j < ARRAY_SIZE(atomic_sizes); j++)
			EXPECT_GT(0, load_whole_atomic(self->h,
						       atomic_sizes[j],
						       fetches[i], 0))
				TH_LOG("op %#x", fetches[i]);
	}

	EXPECT_GT(0, load_whole_atomic(self->h, BPF_B, BPF_ADD, 0));
	EXPECT_GT(0, load_whole_atomic(self->h, BPF_H, BPF_XCHG, 0));
}

int main(int argc, char **argv)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_HYPERUPCALL));

	return test_harness_run(argc, argv);
}
