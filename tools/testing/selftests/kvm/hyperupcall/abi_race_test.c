// SPDX-License-Identifier: GPL-2.0-only
/*
 * What others do while a hypercall is under way: another vCPU that changes the
 * caller's struct, and signals for the VMM's thread.
 *
 * Whatever the host makes of a struct that changes, it is one of the structs
 * that were there at some time: it reads everything once.
 */
#include <signal.h>
#include <sys/time.h>

#include <linux/kvm_para.h>

#include "abi_calls.h"
#include "fuzz_random.h"
#include "kvm_test_harness.h"

#define CALLER	0
#define CHANGER	1

#define MAX_CHANGES	4

/* A word of the struct, or elsewhere, and what it becomes in turns. */
struct change {
	uint64_t gva;
	uint32_t values[4];
};

struct race {
	uint64_t stop;
	uint64_t op;
	uint64_t args;		/* where the caller's struct is */
	struct change changes[MAX_CHANGES];
	uint64_t nr_changes;
	uint64_t changed;
	uint32_t results[134];	/* by errno */
	uint64_t wrong;		/* outcomes that belong to no struct */
};

/* The guest's own copy. */
static struct race race;

static void change_one(struct fuzz_random *r)
{
	struct change *c = &race.changes[fuzz_below(r, race.nr_changes)];

	WRITE_ONCE(*(uint32_t *)c->gva, c->values[fuzz_below(r, 4)]);
}

static uint64_t guest_change(uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3)
{
	struct fuzz_random r;

	fuzz_seed(&r, CHANGER);
	while (!READ_ONCE(race.stop)) {
		change_one(&r);
		race.changed++;
		/* Long enough to be in the middle of something. */
		if (fuzz_one_in(&r, 64))
			cpu_relax();
	}
	return 0;
}

/* TEST_RUN may have used up the VM's time of a second. */
static int64_t do_call(uint64_t op, const void *args)
{
	int64_t r;

	do {
		r = kvm_hypercall(KVM_HC_HYPERUPCALL, op, (uintptr_t)args,
				  hup_op_sizes[op], 0);
	} while (r == -EDQUOT && op == HYPERUPCALL_TEST_RUN);
	return r;
}

static bool settle_map(const union hup_args *args)
{
	struct hyperupcall_unmap unmap = { .region = args->map.region };
	struct hyperupcall_query before = {}, after = {};
	uint64_t pages;

	if (do_call(HYPERUPCALL_QUERY, &before) ||
	    do_call(HYPERUPCALL_UNMAP, &unmap) ||
	    do_call(HYPERUPCALL_QUERY, &after))
		return false;
	pages = (before.mem - after.mem) / PAGE_SIZE;
	return before.nr_regions == after.nr_regions + 1 &&
	       (pages == 1 || pages == 2);
}

/* Whichever program it was, it says which. */
static bool settle_load(const union hup_args *args)
{
	struct hyperupcall_test_run run = { .prog = args->load.prog };
	struct hyperupcall_unload unload = { .prog = args->load.prog };

	return !do_call(HYPERUPCALL_TEST_RUN, &run) &&
	       (run.retval == 7 || run.retval == 9) &&
	       !do_call(HYPERUPCALL_UNLOAD, &unload);
}

static bool settle_link(const union hup_args *args)
{
	struct hyperupcall_unlink unlink = { .link = args->link.link };

	return !do_call(HYPERUPCALL_UNLINK, &unlink);
}

static bool settle(uint64_t op, const union hup_args *args)
{
	switch (op) {
	case HYPERUPCALL_MAP:
		return settle_map(args);
	case HYPERUPCALL_LOAD:
		return settle_load(args);
	case HYPERUPCALL_LINK:
		return settle_link(args);
	case HYPERUPCALL_TEST_RUN:
		/* The program compares the event with itself. */
		return !args->test_run.retval;
	default:
		return true;
	}
}

static uint64_t guest_call(uint64_t n, uint64_t a1, uint64_t a2, uint64_t a3)
{
	union hup_args *args = (union hup_args *)race.args;
	struct fuzz_random random;
	int64_t r;

	fuzz_seed(&random, CALLER);
	while (n--) {
		/* The other vCPU may not have run since the last call. */
		change_one(&random);
		r = do_call(race.op, args);
		race.results[-r]++;
		if (!r && !settle(race.op, args))
			race.wrong++;
	}
	return 0;
}

/* A VM, its guest's copy of the above, and the call. */
struct race_test {
	struct abi_vm vm;
	struct race *race;
	struct abi_call c;
};

FIXTURE(abi_race) {
	struct race_test t;
};

FIXTURE_SETUP(abi_race)
{
	struct race_test *t = &self->t;

	t->vm.h = hup_create(2);
	abi_make_objects(&t->vm);
	t->race = addr_gva2hva(t->vm.h->vm, (vm_vaddr_t)&race);
}

FIXTURE_TEARDOWN(abi_race)
{
	hup_free(self->t.vm.h);
}

/* Lets a word of guest memory change. */
static void change(struct race_test *t, vm_vaddr_t gva, uint32_t v0,
		   uint32_t v1, uint32_t v2, uint32_t v3)
{
	t->race->changes[t->race->nr_changes++] = (struct change) {
		.gva = gva,
		.values = { v0, v1, v2, v3 },
	};
}

/* Where a field of the call's struct is. */
#define FIELD(t, field) \
	((t)->vm.h->data.gva + offsetof(union hup_args, field))

static void run_race(struct __test_metadata *_metadata, struct race_test *t,
		     uint64_t calls, int err)
{
	struct hyperupcall_query before = abi_state(&t->vm);
	const char *name = hup_op_names[t->c.op];
	struct race *r = t->race;
	struct hup *h = t->vm.h;
	int i;

	r->op = t->c.op;
	r->args = h->data.gva;
	memcpy(h->data.hva, &t->c.args, sizeof(t->c.args));

	hup_start(h, CHANGER, guest_change, 0, 0, 0, 0);
	hup_start(h, CALLER, guest_call, calls, 0, 0, 0);
	hup_join(h, CALLER);
	r->stop = 1;
	hup_join(h, CHANGER);

	EXPECT_EQ(0, r->wrong);
	EXPECT_NE(0, r->results[0]);
	EXPECT_NE(0, r->results[err]);
	for (i = 1; i < ARRAY_SIZE(r->results); i++) {
		if (!r->results[i])
			continue;
		EXPECT_EQ(true, hup_error_documented(t->c.op, -i))
			TH_LOG("%s: %s %u times", name, strerrorname_np(i),
			       r->results[i]);
	}
	EXPECT_EQ(true, abi_state_is(&t->vm, &before));
	TH_LOG("%s: %lu changes during %lu calls, %u ok, %u %s", name,
	       r->changed, calls, r->results[0], r->results[err],
	       strerrorname_np(err));
}

HUP_TEST(abi_race, query)
{
	struct race_test *t = &self->t;

	t->c = abi_valid_call(&t->vm, HYPERUPCALL_QUERY);
	change(t, FIELD(t, query.flags), 0, 1, 0, ~0U);
	run_race(_metadata, t, 5000, EINVAL);
}

HUP_TEST(abi_race, map)
{
	struct race_test *t = &self->t;
	uint32_t two = abi_page(&t->vm, 2), three = abi_page(&t->vm, 3);

	t->c = abi_valid_call(&t->vm, HYPERUPCALL_MAP);
	change(t, FIELD(t, map.gva), two, three, two, three + 8);
	change(t, FIELD(t, map.size), PAGE_SIZE, 2 * PAGE_SIZE, PAGE_SIZE, 0);
	change(t, FIELD(t, map.flags), 0, HYPERUPCALL_MAP_WRITE, 0, 2);
	run_race(_metadata, t, 5000, EINVAL);
}

HUP_TEST(abi_race, load)
{
	struct race_test *t = &self->t;
	const struct bpf_insn exit = BPF_EXIT_INSN();
	uint32_t good = *(uint32_t *)&exit;
	vm_vaddr_t insns = t->vm.h->insns.gva;
	struct bpf_insn *hva = t->vm.h->insns.hva;

	t->c = abi_valid_call(&t->vm, HYPERUPCALL_LOAD);
	hva->imm = 7;
	change(t, FIELD(t, load.insn_cnt), 2, 2, 1, 3);
	change(t, FIELD(t, load.name), 0x61616161, 0x2f616161, 0, 0x62620061);
	change(t, insns + offsetof(struct bpf_insn, imm), 7, 9, 7, 9);
	change(t, insns + sizeof(exit), good, good, 0xff, good);
	run_race(_metadata, t, 3000, EINVAL);
}

HUP_TEST(abi_race, link)
{
	struct race_test *t = &self->t;
	uint32_t prog = t->vm.free_prog;

	t->c = abi_valid_call(&t->vm, HYPERUPCALL_LINK);
	change(t, FIELD(t, link.prog), prog, t->vm.linked_prog, NO_ID, prog);
	change(t, FIELD(t, link.event), HYPERUPCALL_EVENT_INTERRUPT,
	       HYPERUPCALL_EVENT_VCPU_PREEMPT, HYPERUPCALL_EVENT_INTERRUPT,
	       ~0U);
	change(t, FIELD(t, link.flags), 0, 0, 2, 0);
	run_race(_metadata, t, 1000, EINVAL);
}

HUP_TEST(abi_race, stats)
{
	struct race_test *t = &self->t;

	t->c = abi_valid_call(&t->vm, HYPERUPCALL_STATS);
	change(t, FIELD(t, stats.link), t->vm.link, NO_ID, 0, t->vm.link);
	change(t, FIELD(t, stats.flags), 0, 0, 1, 0);
	run_race(_metadata, t, 5000, ENOENT);
}

/* Not zero if a word of the event is not what it was. */
static long load_comparer(struct hup *h)
{
	struct hup_asm a = {};
	int i;

	hup_emit(&a, HUP_DATA(BPF_REG_2, BPF_REG_1, 0));
	hup_emit(&a, BPF_MOV64_IMM(BPF_REG_0, 0));
	for (i = 0; i < 20; i++) {
		hup_emit(&a, HUP_DATA(BPF_REG_3, BPF_REG_1, 0));
		hup_emit(&a, BPF_ALU64_REG(BPF_XOR, BPF_REG_3, BPF_REG_2));
		hup_emit(&a, BPF_ALU64_REG(BPF_OR, BPF_REG_0, BPF_REG_3));
	}
	hup_emit(&a, BPF_EXIT_INSN());
	return hup_load_asm(h, &a);
}

HUP_TEST(abi_race, test_run)
{
	struct race_test *t = &self->t;
	long prog = load_comparer(t->vm.h);

	ASSERT_LT(0, prog);
	t->c = abi_valid_call(&t->vm, HYPERUPCALL_TEST_RUN);
	t->c.args.test_run.prog = prog;
	change(t, FIELD(t, test_run.prog), prog, prog, prog, NO_ID);
	change(t, FIELD(t, test_run.ctx.data[0]), 1, 2, 3, ~0U);
	run_race(_metadata, t, 5000, ENOENT);
}

static void on_signal(int sig)
{
}

/* The verifier follows the program for long, and a signal comes early. */
HUP_TEST(abi_race, signal_during_load)
{
	struct abi_vm *vm = &self->t.vm;
	struct abi_call c = abi_valid_call(vm, HYPERUPCALL_LOAD);
	struct bpf_insn *insns = vm->h->insns.hva;
	const struct itimerval on = { { 0, 1000 }, { 0, 1000 } }, off = {};
	struct hyperupcall_query before = abi_state(vm);
	int n = 0;

	/* A function of a thousand instructions, which is called often. */
	for (; n < 80; n++)
		insns[n] = BPF_RAW_INSN(BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_CALL,
					0, 80 - n);
	insns[n++] = BPF_EXIT_INSN();
	while (n < 1000)
		insns[n++] = BPF_MOV64_IMM(BPF_REG_0, 0);
	insns[n++] = BPF_EXIT_INSN();
	c.args.load.insn_cnt = n;

	signal(SIGALRM, on_signal);
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &on, NULL));
	EXPECT_EQ(-EAGAIN, abi_do(vm, &c));
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &off, NULL));
	EXPECT_EQ(true, abi_state_is(vm, &before));

	EXPECT_EQ(0, abi_do(vm, &c));
}

int main(int argc, char **argv)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_HYPERUPCALL));

	return test_harness_run(argc, argv);
}
