// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two vCPUs change links while two others send IPIs to each other: an event
 * sees the chain as it is before a change or after it, and what was unlinked
 * or replaced runs no more once the hypercall returns.
 *
 * All that happens in the guest, so that nothing waits for the VMM.
 */
#include "apic.h"
#include "hyperupcall_util.h"
#include "kvm_test_harness.h"

#define VECTOR		0xa5
#define NR_ROUNDS	100
#define LONG_WAIT	BIT(24)
#define NR_PROGS	8

/* vCPUs 0 and 1 change links, 2 and 3 send. */
#define FIRST_CHANGER	0
#define FIRST_SENDER	2
#define NR_VCPUS	4

/* A vCPU that changes links: the hypercalls' structs, and what it found. */
struct changer {
	struct hyperupcall_load load;
	struct hyperupcall_link link;
	struct hyperupcall_unlink unlink;
	struct hyperupcall_unload unload;
	uint32_t prog[2];
	uint64_t line;		/* of the first thing that was wrong */
	int64_t result;		/* what it was */
};

struct shared {
	uint64_t stop;
	uint64_t sent[NR_VCPUS];
	uint64_t received[NR_VCPUS];
	/* What programs write: how often they ran, and marks of a sender. */
	uint64_t count[NR_PROGS];
	uint64_t mark[NR_VCPUS];
	uint64_t errors;
	/* The link that two vCPUs fight for. */
	uint32_t link;
	struct changer changer[2];
};

/* The guest's own. */
static struct shared *guest_shared;

static void guest_irq(struct ex_regs *regs)
{
	uint32_t me = x2apic_read_reg(APIC_ID);

	WRITE_ONCE(guest_shared->received[me],
		   guest_shared->received[me] + 1);
	x2apic_write_reg(APIC_EOI, 0);
}

static uint64_t guest_enable_apic(uint64_t a0, uint64_t a1, uint64_t a2,
				  uint64_t a3)
{
	x2apic_enable();
	return 0;
}

static uint64_t guest_send(uint64_t me, uint64_t target, uint64_t a2,
			   uint64_t a3)
{
	struct shared *shared = guest_shared;

	asm volatile("sti");
	while (!READ_ONCE(shared->stop)) {
		shared->sent[me]++;
		x2apic_write_reg(APIC_ICR, target << 32 | VECTOR);
		cpu_relax();
	}
	asm volatile("cli");
	return shared->sent[me];
}

static long guest_call(uint64_t op, void *arg, uint64_t size)
{
	return kvm_hypercall(KVM_HC_HYPERUPCALL, op, (uintptr_t)arg, size, 0);
}

#define GUEST_CALL(op, arg)	guest_call(HYPERUPCALL_##op, &(arg), sizeof(arg))

#define GUEST_EXPECT(c, want, expr)					\
({									\
	struct changer *__c = (c);					\
	int64_t __r = (expr);						\
									\
	if (__r != (want) && !__c->line) {				\
		__c->line = __LINE__;					\
		__c->result = __r;					\
	}								\
})

static void guest_pause(void)
{
	int i;

	for (i = 0; i < 20; i++)
		cpu_relax();
}

/* The program that counts in @count[n] must not run any more. */
static void guest_expect_quiet(struct changer *c, int n)
{
	uint64_t before = READ_ONCE(guest_shared->count[n]);

	guest_pause();
	GUEST_EXPECT(c, before, READ_ONCE(guest_shared->count[n]));
}

/* Two programs take turns at a link; they count in @first and behind it. */
static uint64_t guest_replace(uint64_t n, uint64_t first, uint64_t a2,
			      uint64_t a3)
{
	struct changer *c = &guest_shared->changer[n];
	uint32_t link = c->link.link;
	int i;

	for (i = 1; i <= NR_ROUNDS; i++) {
		c->link.prog = c->prog[i % 2];
		GUEST_EXPECT(c, 0, GUEST_CALL(LINK, c->link));
		GUEST_EXPECT(c, link, c->link.link);
		guest_expect_quiet(c, first + !(i % 2));
	}
	return 0;
}

/*
 * A link may be gone before a sender has the CPU: wait for it, the first time.
 * The other changer's link may be in front, and it waits as well.
 */
static void guest_wait_for_run(uint64_t n)
{
	uint64_t i;

	for (i = 0; i < LONG_WAIT && !READ_ONCE(guest_shared->count[n]); i++)
		cpu_relax();
}

/* A program comes and goes. */
static uint64_t guest_come_and_go(uint64_t n, uint64_t a1, uint64_t a2,
				  uint64_t a3)
{
	struct changer *c = &guest_shared->changer[n];
	int i;

	for (i = 0; i < NR_ROUNDS; i++) {
		GUEST_EXPECT(c, 0, GUEST_CALL(LOAD, c->load));
		c->unload.prog = c->load.prog;
		c->link.prog = c->load.prog;
		GUEST_EXPECT(c, 0, GUEST_CALL(LINK, c->link));
		GUEST_EXPECT(c, -EBUSY, GUEST_CALL(UNLOAD, c->unload));
		guest_pause();
		guest_wait_for_run(n);
		c->unlink.link = c->link.link;
		GUEST_EXPECT(c, 0, GUEST_CALL(UNLINK, c->unlink));
		guest_expect_quiet(c, n);
		GUEST_EXPECT(c, -ENOENT, GUEST_CALL(UNLINK, c->unlink));
		GUEST_EXPECT(c, 0, GUEST_CALL(UNLOAD, c->unload));
		guest_expect_quiet(c, n);
	}
	return 0;
}

/* One makes and breaks the link that the other replaces. */
static uint64_t guest_relink(uint64_t n, uint64_t a1, uint64_t a2, uint64_t a3)
{
	struct changer *c = &guest_shared->changer[n];
	int i;

	for (i = 0; i < NR_ROUNDS; i++) {
		c->link.prog = c->prog[0];
		GUEST_EXPECT(c, 0, GUEST_CALL(LINK, c->link));
		WRITE_ONCE(guest_shared->link, c->link.link);
		guest_pause();
		c->unlink.link = c->link.link;
		GUEST_EXPECT(c, 0, GUEST_CALL(UNLINK, c->unlink));
	}
	WRITE_ONCE(guest_shared->link, 0);
	return 0;
}

static uint64_t guest_replace_if_there(uint64_t n, uint64_t a1, uint64_t a2,
				       uint64_t a3)
{
	struct changer *c = &guest_shared->changer[n];
	uint64_t hits = 0;
	uint32_t link;
	int64_t r;
	int i;

	while (!READ_ONCE(guest_shared->link))
		cpu_relax();
	for (i = 0; (link = READ_ONCE(guest_shared->link)); i++) {
		c->link.link = link;
		c->link.prog = c->prog[i % 2];
		r = GUEST_CALL(LINK, c->link);
		hits += !r;
		if (r != -ENOENT)
			GUEST_EXPECT(c, 0, r);
	}
	return hits;
}

FIXTURE(links_race) {
	struct hup *h;
	struct shared *shared;
	uint32_t offset;
};

FIXTURE_SETUP(links_race)
{
	static const struct kvm_hyperupcall_policy policy = {
		.budget_ns = 500000000,
	};
	struct hup *h = hup_create_policy(NR_VCPUS, &policy);

	kvm_static_assert(sizeof(struct shared) <= 4096);

	self->h = h;
	self->shared = h->data.hva;
	write_guest_global(h->vm, guest_shared, (struct shared *)h->data.gva);
	vm_install_exception_handler(h->vm, VECTOR, guest_irq);
	ASSERT_LT(0, hup_map(h, h->data.gva, PAGE_SIZE, HYPERUPCALL_MAP_WRITE,
			     &self->offset));
}

FIXTURE_TEARDOWN(links_race)
{
	hup_free(self->h);
}

#define AT(data, field)		((data) + offsetof(struct shared, field))

/* r4 = address of the sender's mark; r1 is the context */
static void emit_mark_address(struct hup_asm *a, uint32_t data)
{
	hup_emit(a, BPF_LDX_MEM(BPF_W, BPF_REG_4, BPF_REG_1,
				offsetof(struct hyperupcall_ctx, vcpu)));
	hup_emit(a, BPF_ALU32_IMM(BPF_LSH, BPF_REG_4, 3));
	hup_emit(a, BPF_ALU32_IMM(BPF_ADD, BPF_REG_4, AT(data, mark[0])));
	hup_emit(a, HUP_WINDOW(BPF_REG_4, BPF_REG_4));
}

/* Marks the event as seen, for the second in the chain; counts in @n. */
static void emit_first(struct hup_asm *a, uint32_t data, int n)
{
	emit_mark_address(a, data);
	hup_emit(a, BPF_MOV64_IMM(BPF_REG_3, 1));
	hup_emit(a, BPF_ATOMIC_OP(BPF_DW, BPF_ADD, BPF_REG_4, BPF_REG_3, 0));
	hup_emit_count(a, AT(data, count[n]));
	hup_emit_return(a, HYPERUPCALL_NO_OPINION);
}

/* Takes the mark away; it is an error if there is not exactly one. */
static void emit_second(struct hup_asm *a, uint32_t data, int n)
{
	emit_mark_address(a, data);
	hup_emit(a, BPF_MOV64_IMM(BPF_REG_3, 0));
	hup_emit(a, BPF_ATOMIC_OP(BPF_DW, BPF_XCHG, BPF_REG_4, BPF_REG_3, 0));
	hup_emit(a, BPF_JMP_IMM(BPF_JEQ, BPF_REG_3, 1, 4));
	hup_emit_count(a, AT(data, errors));
	hup_emit_count(a, AT(data, count[n]));
	hup_emit_return(a, HYPERUPCALL_CONSUMED);
}

static long load_nth(struct hup *h, uint32_t data, int n,
		     void (*emit)(struct hup_asm *a, uint32_t data, int n))
{
	struct hup_asm a = {};
	long prog;

	emit(&a, data, n);
	prog = hup_load_asm(h, &a);
	TEST_ASSERT(prog > 0, "LOAD: %s", (char *)h->log.hva);
	return prog;
}

static void start_senders(struct hup *h)
{
	hup_guest(h, FIRST_SENDER, guest_enable_apic, 0, 0, 0, 0);
	hup_guest(h, FIRST_SENDER + 1, guest_enable_apic, 0, 0, 0, 0);
	hup_start(h, FIRST_SENDER, guest_send, FIRST_SENDER, FIRST_SENDER + 1,
		  0, 0);
	hup_start(h, FIRST_SENDER + 1, guest_send, FIRST_SENDER + 1,
		  FIRST_SENDER, 0, 0);
}

/* Returns how many they sent. */
static uint64_t stop_senders(struct hup *h, struct shared *shared)
{
	WRITE_ONCE(shared->stop, 1);
	return hup_join(h, FIRST_SENDER) + hup_join(h, FIRST_SENDER + 1);
}

static void expect_changed(struct __test_metadata *_metadata,
			   struct shared *shared)
{
	struct changer *c;
	int i;

	for (i = 0; i < 2; i++) {
		c = &shared->changer[i];
		EXPECT_EQ(0, c->line)
			TH_LOG("vCPU %d in line %lu: %ld", i, c->line,
			       c->result);
	}
}

/*
 * Both links of a chain change all the time, and it stays one chain. Only a
 * kernel that checks each lock may need a millisecond for the first program;
 * then it leaves the second out, and has to say so.
 */
HUP_TEST(links_race, replace)
{
	struct hup *h = self->h;
	struct shared *shared = self->shared;
	struct hyperupcall_stats stats;
	uint64_t sent, late;
	uint32_t link[2];
	int i;

	for (i = 0; i < 2; i++) {
		struct changer *c = &shared->changer[i];

		c->prog[0] = load_nth(h, self->offset, 2 * i,
				      i ? emit_second : emit_first);
		c->prog[1] = load_nth(h, self->offset, 2 * i + 1,
				      i ? emit_second : emit_first);
		link[i] = hup_link(h, c->prog[0], HYPERUPCALL_EVENT_INTERRUPT);
		c->link = (struct hyperupcall_link) {
			.event = HYPERUPCALL_EVENT_INTERRUPT,
			.flags = HYPERUPCALL_LINK_REPLACE,
			.link = link[i],
		};
	}

	start_senders(h);
	hup_start(h, FIRST_CHANGER, guest_replace, 0, 0, 0, 0);
	hup_start(h, FIRST_CHANGER + 1, guest_replace, 1, 2, 0, 0);
	hup_join(h, FIRST_CHANGER);
	hup_join(h, FIRST_CHANGER + 1);
	sent = stop_senders(h, shared);

	expect_changed(_metadata, shared);
	hup_stats(h, link[1], &stats);
	late = stats.throttled;
	if (access("/proc/lockdep", F_OK))
		EXPECT_EQ(0, late);
	EXPECT_GE(late, shared->errors);
	EXPECT_EQ(late, shared->received[FIRST_SENDER] +
			shared->received[FIRST_SENDER + 1]);
	for (i = 0; i < 2; i++) {
		uint64_t runs = i ? sent - late : sent;

		EXPECT_EQ(runs, shared->count[2 * i] +
				shared->count[2 * i + 1]);
		EXPECT_LT(0, shared->count[2 * i]);
		EXPECT_LT(0, shared->count[2 * i + 1]);
		hup_stats(h, link[i], &stats);
		EXPECT_EQ(runs, stats.runs);
		EXPECT_EQ(i ? runs : 0, stats.opinions);
		EXPECT_EQ(sent - runs, stats.throttled);
		EXPECT_EQ(0, stats.faults);
	}
}

static void count_and_consume(struct hup_asm *a, uint32_t data, int n)
{
	hup_emit_count(a, AT(data, count[n]));
	hup_emit_return(a, HYPERUPCALL_CONSUMED);
}

static void count_only(struct hup_asm *a, uint32_t data, int n)
{
	hup_emit_count(a, AT(data, count[n]));
	hup_emit_return(a, HYPERUPCALL_NO_OPINION);
}

/* Programs come, are linked, and go, behind one that sees every event. */
HUP_TEST(links_race, come_and_go)
{
	struct hup *h = self->h;
	struct shared *shared = self->shared;
	struct hyperupcall_stats stats;
	struct hyperupcall_query q;
	uint64_t sent;
	long link;
	int i;

	link = hup_link(h, load_nth(h, self->offset, 4, count_only),
			HYPERUPCALL_EVENT_INTERRUPT);
	for (i = 0; i < 2; i++) {
		struct changer *c = &shared->changer[i];
		struct hup_asm a = {};
		size_t off = i * sizeof(a.insns);

		count_and_consume(&a, self->offset, i);
		memcpy(h->insns.hva + off, a.insns, sizeof(a.insns));
		c->load = (struct hyperupcall_load) {
			.insns = h->insns.gva + off,
			.insn_cnt = a.cnt,
			.name = "comes_and_goes",
		};
		c->link.event = HYPERUPCALL_EVENT_INTERRUPT;
	}

	start_senders(h);
	hup_start(h, FIRST_CHANGER, guest_come_and_go, 0, 0, 0, 0);
	hup_start(h, FIRST_CHANGER + 1, guest_come_and_go, 1, 0, 0, 0);
	hup_join(h, FIRST_CHANGER);
	hup_join(h, FIRST_CHANGER + 1);
	sent = stop_senders(h, shared);

	expect_changed(_metadata, shared);
	EXPECT_EQ(0, shared->errors);
	EXPECT_EQ(sent, shared->count[4]);
	hup_stats(h, link, &stats);
	EXPECT_EQ(sent, stats.runs);
	EXPECT_EQ(0, stats.throttled);
	/* Some were consumed, some delivered, and none both. */
	EXPECT_LT(0, shared->count[0]);
	EXPECT_LT(0, shared->count[1]);
	EXPECT_LT(0, shared->received[FIRST_SENDER]);
	EXPECT_LT(0, shared->received[FIRST_SENDER + 1]);
	EXPECT_LE(shared->count[0] + shared->count[1] +
		  shared->received[FIRST_SENDER] +
		  shared->received[FIRST_SENDER + 1], sent);
	hup_query(h, &q);
	EXPECT_EQ(1, q.nr_progs);
	EXPECT_EQ(1, q.nr_links);
}

/* REPLACE finds the link or does not, and either is the whole truth. */
HUP_TEST(links_race, replace_and_unlink)
{
	struct hup *h = self->h;
	struct shared *shared = self->shared;
	struct changer *c = shared->changer;
	struct hyperupcall_query q;
	uint64_t hits;
	int i;

	c[0].prog[0] = load_nth(h, self->offset, 0, count_and_consume);
	c[0].link.event = HYPERUPCALL_EVENT_INTERRUPT;
	c[1].prog[0] = load_nth(h, self->offset, 1, count_and_consume);
	c[1].prog[1] = load_nth(h, self->offset, 2, count_and_consume);
	c[1].link.event = HYPERUPCALL_EVENT_INTERRUPT;
	c[1].link.flags = HYPERUPCALL_LINK_REPLACE;

	start_senders(h);
	hup_start(h, FIRST_CHANGER, guest_relink, 0, 0, 0, 0);
	hup_start(h, FIRST_CHANGER + 1, guest_replace_if_there, 1, 0, 0, 0);
	hup_join(h, FIRST_CHANGER);
	hits = hup_join(h, FIRST_CHANGER + 1);
	stop_senders(h, shared);

	expect_changed(_metadata, shared);
	EXPECT_EQ(0, shared->errors);
	EXPECT_LT(0, hits);
	for (i = 0; i < 2; i++)
		EXPECT_LT(0, shared->count[i]);
	/* No link is left, and no program believes that it has one. */
	hup_query(h, &q);
	EXPECT_EQ(0, q.nr_links);
	EXPECT_EQ(3, q.nr_progs);
	EXPECT_EQ(0, hup_unload(h, c[0].prog[0]));
	EXPECT_EQ(0, hup_unload(h, c[1].prog[0]));
	EXPECT_EQ(0, hup_unload(h, c[1].prog[1]));
}

int main(int argc, char **argv)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_HYPERUPCALL));

	return test_harness_run(argc, argv);
}
