// SPDX-License-Identifier: GPL-2.0-only
/*
 * A VM moves, within a process and to another one, and its programs, regions
 * and links go on as if nothing had happened.
 */
#include <sys/wait.h>

#include "apic.h"
#include "kvm_test_harness.h"
#include "state_move.h"

#define VECTOR		0xa5
#define SENDER		0
#define TARGET		1

#define NR_PAGES	8

/* All that fits is allowed: the memory of these VMs is small. */
static const struct kvm_hyperupcall_policy policy = {
	.max_progs = 64,
	.mem_percent = 100,
};

/* The VM that moves, and what its guest was told. */
struct source {
	struct hup *h;
	struct hup_mem mem;
	uint64_t *digits;	/* of the programs that ran, in their order */
	uint32_t digits_at;
	uint32_t mem_at;
	long mem_region;
	long loader, storer, loops;
	long links[3];		/* in the order they run */
	long yield;
	struct hyperupcall_query query;
	struct hyperupcall_stats stats[3];
};

static uint64_t guest_send(uint64_t n, uint64_t a1, uint64_t a2, uint64_t a3)
{
	x2apic_enable();
	while (n--)
		x2apic_write_reg(APIC_ICR, (uint64_t)TARGET << 32 | VECTOR);
	return 0;
}

/* digits = digits * 10 + digit, and a fault */
static long link_digit(struct source *s, int digit)
{
	struct hup_asm a = {};

	hup_emit_address(&a, BPF_REG_2, s->digits_at);
	hup_emit(&a, BPF_LDX_MEM(BPF_DW, BPF_REG_3, BPF_REG_2, 0));
	hup_emit(&a, BPF_ALU64_IMM(BPF_MUL, BPF_REG_3, 10));
	hup_emit(&a, BPF_ALU64_IMM(BPF_ADD, BPF_REG_3, digit));
	hup_emit(&a, BPF_STX_MEM(BPF_DW, BPF_REG_2, BPF_REG_3, 0));
	hup_emit_address(&a, BPF_REG_2, 0x70000000);
	hup_emit(&a, BPF_LDX_MEM(BPF_DW, BPF_REG_3, BPF_REG_2, 0));
	hup_emit_return(&a, HYPERUPCALL_NO_OPINION);
	return hup_link(s->h, hup_load_asm(s->h, &a),
			HYPERUPCALL_EVENT_INTERRUPT);
}

static uint64_t digits_of_one_event(struct source *s)
{
	*s->digits = 0;
	hup_guest(s->h, SENDER, guest_send, 1, 0, 0, 0);
	return *s->digits;
}

/* How often may_goto goes on, with the limits of global programs. */
static long load_loops(struct hup *h)
{
	const struct bpf_insn insns[] = {
		BPF_MOV64_IMM(BPF_REG_0, 0),
		HUP_MAY_GOTO(3),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_0, 1),
		HUP_DATA(BPF_REG_2, BPF_REG_1, 0),
		BPF_JMP_A(-4),
		BPF_EXIT_INSN(),
	};
	struct hyperupcall_load load = {
		.insns = h->insns.gva,
		.insn_cnt = ARRAY_SIZE(insns),
		.flags = HYPERUPCALL_LOAD_GLOBAL,
		.name = "loops",
	};
	long r;

	memcpy(h->insns.hva, insns, sizeof(insns));
	r = hup_op(h, HYPERUPCALL_LOAD, &load, sizeof(load));
	return r ?: load.prog;
}

static long load_access(struct hup *h, struct bpf_insn access)
{
	return hup_prog(h,
			HUP_DATA(BPF_REG_2, BPF_REG_1, 0),
			HUP_DATA(BPF_REG_3, BPF_REG_1, 1),
			HUP_WINDOW(BPF_REG_2, BPF_REG_2),
			BPF_MOV64_IMM(BPF_REG_0, 0),
			access,
			BPF_EXIT_INSN());
}

static void load_programs(struct source *s)
{
	struct hup *h = s->h;
	long gap = hup_load_return(h, 0);

	s->loader = load_access(h, BPF_LDX_MEM(BPF_DW, BPF_REG_0, BPF_REG_2, 0));
	s->storer = load_access(h, BPF_STX_MEM(BPF_DW, BPF_REG_2, BPF_REG_3, 0));
	s->loops = load_loops(h);
	TEST_ASSERT(s->loader > 0 && s->storer > 0 && s->loops > 0, "LOAD");
	TEST_ASSERT(!hup_unload(h, gap), "UNLOAD");
	/* The last id is free again, and not the next one. */
	gap = hup_load_return(h, 0);
	TEST_ASSERT(!hup_unload(h, gap), "UNLOAD");
}

/* Links that run in another order than that of their ids. */
static void link_programs(struct source *s)
{
	long prog, first = link_digit(s, 1), gap;
	int i;

	s->links[0] = link_digit(s, 2);
	s->links[1] = link_digit(s, 3);
	TEST_ASSERT(!hup_unlink(s->h, first), "UNLINK");
	s->links[2] = link_digit(s, 1);
	prog = hup_load_return(s->h, HYPERUPCALL_CONSUMED);
	gap = hup_link(s->h, prog, HYPERUPCALL_EVENT_INTERRUPT);
	s->yield = hup_link(s->h, s->loops, HYPERUPCALL_EVENT_VCPU_PREEMPT);
	TEST_ASSERT(s->yield > 0 && !hup_unlink(s->h, gap), "LINK");
	for (i = 0; i < 3; i++)
		TEST_ASSERT(s->links[i] > 0, "LINK");
}

/* Every other page, from the last one, so that no page follows its neighbour. */
static void map_memory(struct source *s, enum vm_mem_backing_src_type type)
{
	struct hup_mem mem = hup_add_slot(s->h, type, STATE_SLOT, 2 * NR_PAGES, 0);
	vm_paddr_t gpa = addr_gva2gpa(s->h->vm, mem.gva);
	uint64_t i;

	memset(mem.hva, 0, mem.size);
	s->mem = mem;
	s->mem.size = NR_PAGES * PAGE_SIZE;
	s->mem.gva = vm_vaddr_unused_gap(s->h->vm, s->mem.size, 1ULL << 32);
	for (i = 0; i < NR_PAGES; i++)
		virt_pg_map(s->h->vm, s->mem.gva + i * PAGE_SIZE,
			    gpa + 2 * (NR_PAGES - 1 - i) * PAGE_SIZE);
	s->mem_region = hup_map(s->h, s->mem.gva, s->mem.size,
				HYPERUPCALL_MAP_WRITE, &s->mem_at);
	TEST_ASSERT(s->mem_region > 0, "MAP");
}

/* What the program sees at page @i. */
static uint64_t *page_of(struct source *s, unsigned int i)
{
	return s->mem.hva + 2 * (NR_PAGES - 1 - i) * PAGE_SIZE;
}

static void remember(struct source *s)
{
	int i;

	hup_query(s->h, &s->query);
	s->query.budget_left_ns = 0;
	for (i = 0; i < 3; i++)
		hup_stats(s->h, s->links[i], &s->stats[i]);
}

static void create_source(struct source *s, enum vm_mem_backing_src_type type)
{
	struct hup *h = hup_create_policy(2, &policy);
	long gap;

	s->h = h;
	gap = hup_map(h, h->data.gva, PAGE_SIZE, 0, NULL);
	TEST_ASSERT(gap > 0 && hup_map(h, h->data.gva, PAGE_SIZE,
				       HYPERUPCALL_MAP_WRITE,
				       &s->digits_at) > 0, "MAP");
	TEST_ASSERT(!hup_unmap(h, gap), "UNMAP");
	s->digits = h->data.hva;
	map_memory(s, type);
	hup_guest(h, TARGET, guest_send, 0, 0, 0, 0);
	load_programs(s);
	link_programs(s);
	TEST_ASSERT(digits_of_one_event(s) == 231, "digits");
	remember(s);
}

static void check_told(struct source *s)
{
	struct hyperupcall_stats stats;
	struct hyperupcall_query q;
	int i;

	hup_query(s->h, &q);
	q.budget_left_ns = 0;
	TEST_ASSERT(!memcmp(&q, &s->query, sizeof(q)), "QUERY differs");
	for (i = 0; i < 3; i++) {
		hup_stats(s->h, s->links[i], &stats);
		TEST_ASSERT(!memcmp(&stats, &s->stats[i], sizeof(stats)),
			    "STATS differ");
	}
}

static void check_memory(struct source *s)
{
	struct hup *h = s->h;
	uint64_t faults, i, r;
	uint32_t at;

	for (i = 0; i < NR_PAGES; i++) {
		at = s->mem_at + i * PAGE_SIZE;
		*page_of(s, i) = 100 + i;
		r = hup_run(h, s->loader, at, 0, &faults);
		TEST_ASSERT(r == 100 + i && !faults, "page %lu: %lu", i, r);
		hup_run(h, s->storer, at, 200 + i, &faults);
		TEST_ASSERT(*page_of(s, i) == 200 + i && !faults,
			    "page %lu: %lu", i, *page_of(s, i));
	}
	hup_run(h, s->loader, s->mem_at + NR_PAGES * PAGE_SIZE, 0, &faults);
	TEST_ASSERT(faults == 1, "something behind the region");
}

static void check_links(struct source *s)
{
	struct hyperupcall_stats stats;
	uint64_t digits;
	int i;

	digits = digits_of_one_event(s);
	TEST_ASSERT(digits == 231, "digits %lu", digits);
	for (i = 0; i < 3; i++) {
		hup_stats(s->h, s->links[i], &stats);
		TEST_ASSERT(stats.runs == s->stats[i].runs + 1 &&
			    stats.faults == s->stats[i].faults + 1 &&
			    stats.run_ns > s->stats[i].run_ns, "STATS");
	}
	digits = hup_link(s->h, s->loops, HYPERUPCALL_EVENT_VCPU_PREEMPT);
	TEST_ASSERT((long)digits == -EEXIST, "second global link: %ld",
		    (long)digits);
}

/* New ids, as the source would have given them. */
struct next_ids {
	long prog, region, link;
};

static struct next_ids next_ids(struct source *s)
{
	struct next_ids ids;

	ids.prog = hup_load_return(s->h, 0);
	ids.region = hup_map(s->h, s->h->data.gva, PAGE_SIZE, 0, NULL);
	ids.link = hup_link(s->h, ids.prog, HYPERUPCALL_EVENT_INTERRUPT);
	return ids;
}

/* What the guest has can be given back, all of it. */
static void check_end(struct source *s, unsigned long locked)
{
	int i;

	for (i = 0; i < 3; i++)
		TEST_ASSERT(!hup_unlink(s->h, s->links[i]), "UNLINK");
	TEST_ASSERT(!hup_unlink(s->h, s->yield), "UNLINK");
	TEST_ASSERT(!hup_unload(s->h, s->loops), "UNLOAD");
	TEST_ASSERT(!hup_unload(s->h, s->loader), "UNLOAD");
	TEST_ASSERT(!hup_unmap(s->h, s->mem_region), "UNMAP");
	TEST_ASSERT(hup_locked_kb() < locked, "nothing is given back");
}

/* In the VM that moved, in whatever process. */
static void check_moved(struct source *s, const struct moving *m,
			const struct next_ids *want, uint64_t loops)
{
	union state *again = malloc(sizeof(*again));
	unsigned long locked = hup_locked_kb();
	struct next_ids ids;
	uint64_t size, n;

	size = state_save(s->h, again);
	TEST_ASSERT(size == m->size && !memcmp(again, &m->hyperupcalls, size),
		    "the state differs");
	check_told(s);
	check_memory(s);
	check_links(s);
	n = hup_run(s->h, s->loops, 0, 0, NULL);
	TEST_ASSERT(n == loops, "%lu loops, %lu before", n, loops);
	ids = next_ids(s);
	TEST_ASSERT(!memcmp(&ids, want, sizeof(ids)),
		    "ids %ld %ld %ld, not %ld %ld %ld", ids.prog, ids.region,
		    ids.link, want->prog, want->region, want->link);
	check_end(s, locked);
	free(again);
}

FIXTURE(move) {
	struct source s;
	struct moving *m;
	struct next_ids next;
	uint64_t loops;
	unsigned long locked;
};

FIXTURE_VARIANT(move) {
	enum vm_mem_backing_src_type type;
};

FIXTURE_VARIANT_ADD(move, private_memory) { .type = VM_MEM_SRC_ANONYMOUS };
FIXTURE_VARIANT_ADD(move, shared_memory) { .type = VM_MEM_SRC_SHMEM };

FIXTURE_SETUP(move)
{
	struct source *s = &self->s;

	create_source(s, variant->type);
	self->locked = hup_locked_kb();
	self->loops = hup_run(s->h, s->loops, 0, 0, NULL);
	ASSERT_LT(10, self->loops);
	self->m = move_out(s->h);
	self->next = next_ids(s);
	ASSERT_LT(0, self->next.prog);
	ASSERT_LT(0, self->next.region);
	ASSERT_LT(0, self->next.link);
}

FIXTURE_TEARDOWN(move)
{
	move_free(self->s.h, self->m);
	hup_free(self->s.h);
}

HUP_TEST(move, same_process)
{
	move_in(self->s.h, &policy, self->m);
	EXPECT_EQ(self->locked, hup_locked_kb());
	check_moved(&self->s, self->m, &self->next, self->loops);
}

HUP_TEST(move, twice)
{
	struct moving *second;

	move_in(self->s.h, &policy, self->m);
	second = move_out(self->s.h);
	EXPECT_EQ(self->m->size, second->size);
	EXPECT_EQ(0, memcmp(&self->m->hyperupcalls, &second->hyperupcalls,
			    second->size));
	move_in(self->s.h, &policy, second);
	check_moved(&self->s, second, &self->next, self->loops);
	move_free(self->s.h, second);
}

/* A VM that is not told its hyperupcalls has none, and nothing is pinned. */
HUP_TEST(move, without_state)
{
	move_vm(self->s.h, &policy, self->m);
	EXPECT_EQ(true, state_nothing(self->s.h));
	EXPECT_EQ(0, hup_locked_kb());
	*self->s.digits = 0;
	hup_guest(self->s.h, SENDER, guest_send, 1, 0, 0, 0);
	EXPECT_EQ(0, *self->s.digits);
}

/*
 * The child has a copy of private memory, and the same shared memory. The
 * source is still there, and nothing happens to it.
 */
HUP_TEST(move, other_process)
{
	struct source *s = &self->s;
	int status, i;
	pid_t child;

	*s->digits = 0;
	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		move_in(s->h, &policy, self->m);
		check_moved(s, self->m, &self->next, self->loops);
		hup_free(s->h);
		_exit(0);
	}
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);

	for (i = 0; i < NR_PAGES; i++)
		EXPECT_EQ(variant->type == VM_MEM_SRC_SHMEM ? 200 + i : 0,
			  *page_of(s, i));
	EXPECT_EQ(0, *s->digits);
	EXPECT_EQ(231, digits_of_one_event(s));
	check_memory(s);
}

/* The child's mm is not the one that the VM was created in. */
HUP_TEST(move, inherited_vm)
{
	struct hup *h = self->s.h;
	uint64_t size = 0;
	int status;
	pid_t child = fork();

	ASSERT_LE(0, child);
	if (!child)
		_exit(state_get(h, NULL, &size) == -EIO &&
		      state_set(h, &self->m->hyperupcalls, self->m->size) == -EIO ?
		      0 : 1);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(231, digits_of_one_event(&self->s));
}

int main(int argc, char **argv)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_HYPERUPCALL));

	return test_harness_run(argc, argv);
}
