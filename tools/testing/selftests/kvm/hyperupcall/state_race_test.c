// SPDX-License-Identifier: GPL-2.0-only
/*
 * Saving and restoring while something else goes on: vCPUs that register and
 * unregister, memslots that come and go, and another thread that restores.
 */
#include <signal.h>
#include <sys/time.h>

#include "kvm_test_harness.h"
#include "state_util.h"

FIXTURE(race) {
	struct hup *h;
	unsigned long locked;
};

FIXTURE_SETUP(race)
{
	self->h = hup_create(4);
	self->locked = hup_locked_kb();
}

FIXTURE_TEARDOWN(race)
{
	hup_free(self->h);
}

/* What vCPUs share with the test. */
struct churn {
	uint64_t stop;
	uint64_t rounds[HUP_MAX_VCPUS];
	uint64_t errors;
};

#define INSNS	5

static long guest_op(uint64_t op, void *arg, size_t size)
{
	return kvm_hypercall(KVM_HC_HYPERUPCALL, op, (uintptr_t)arg, size, 0);
}

/* Registers one of each kind, and takes it back. */
static bool guest_round(uint64_t insns, uint64_t gva, uint64_t n)
{
	unsigned int cnt = 2 + n % (INSNS - 1);
	struct hyperupcall_load load = {
		.insns = insns + (INSNS - cnt) * sizeof(struct bpf_insn),
		.insn_cnt = cnt,
		.name = "churn",
	};
	struct hyperupcall_map map = {
		.gva = gva,
		.size = (1 + n % 4) * PAGE_SIZE,
		.flags = n % 2 ? HYPERUPCALL_MAP_WRITE : 0,
	};
	struct hyperupcall_link link = { .event = HYPERUPCALL_EVENT_INTERRUPT };
	struct hyperupcall_unload unload = {};
	struct hyperupcall_unlink unlink = {};
	struct hyperupcall_unmap unmap = {};

	if (guest_op(HYPERUPCALL_LOAD, &load, sizeof(load)) ||
	    guest_op(HYPERUPCALL_MAP, &map, sizeof(map)))
		return false;
	link.prog = load.prog;
	unload.prog = load.prog;
	unmap.region = map.region;
	if (guest_op(HYPERUPCALL_LINK, &link, sizeof(link)))
		return false;
	unlink.link = link.link;
	return !guest_op(HYPERUPCALL_UNLINK, &unlink, sizeof(unlink)) &&
	       !guest_op(HYPERUPCALL_UNLOAD, &unload, sizeof(unload)) &&
	       !guest_op(HYPERUPCALL_UNMAP, &unmap, sizeof(unmap));
}

static uint64_t guest_churn(uint64_t churn_gva, uint64_t insns, uint64_t gva,
			    uint64_t vcpu)
{
	struct churn *c = (struct churn *)churn_gva;
	uint64_t n = vcpu;

	for (; !READ_ONCE(c->stop); n++) {
		if (!guest_round(insns, gva, n)) {
			c->errors++;
			break;
		}
		WRITE_ONCE(c->rounds[vcpu], c->rounds[vcpu] + 1);
	}
	return 0;
}

/* r0 = 0 some times, and the end; programs of each length end here. */
static void write_insns(struct hup *h)
{
	const struct bpf_insn mov = BPF_MOV64_IMM(BPF_REG_0, 0);
	const struct bpf_insn exit = BPF_EXIT_INSN();
	struct bpf_insn *insns = h->insns.hva;
	int i;

	for (i = 0; i < INSNS - 1; i++)
		insns[i] = mov;
	insns[i] = exit;
}

static uint64_t all_rounds(struct churn *c)
{
	return READ_ONCE(c->rounds[1]) + READ_ONCE(c->rounds[2]) +
	       READ_ONCE(c->rounds[3]);
}

#define NR_STATES	60

/* Each state is one that the VM was in, and another VM takes it. */
HUP_TEST(race, get_while_vcpus_register)
{
	struct hup *h = self->h, *other = hup_create(4);
	unsigned int i, some = 0, vcpu;
	union state *state = malloc(sizeof(*state));
	struct churn *c = h->data.hva;
	uint64_t size, rounds;

	write_insns(h);
	for (vcpu = 1; vcpu < 4; vcpu++)
		hup_start(h, vcpu, guest_churn, h->data.gva, h->insns.gva,
			  h->insns.gva, vcpu);
	for (i = 0; i < NR_STATES; i++) {
		rounds = all_rounds(c);
		while (all_rounds(c) == rounds && !READ_ONCE(c->errors))
			usleep(100);
		size = state_save(h, state);
		some += size > sizeof(state->header);
		ASSERT_EQ(0, state_set(other, state, size)) TH_LOG("state %u", i);
		state_clear(other);
	}
	WRITE_ONCE(c->stop, 1);
	for (vcpu = 1; vcpu < 4; vcpu++)
		hup_join(h, vcpu);
	EXPECT_EQ(0, c->errors);
	EXPECT_LT(0, some);
	TH_LOG("%u of %u states had something, %lu rounds", some, i,
	       all_rounds(c));
	EXPECT_EQ(true, state_nothing(h));
	EXPECT_EQ(self->locked, hup_locked_kb());
	free(state);
	hup_free(other);
}

/* A thread that does something until it is told to stop. */
struct worker {
	struct hup *h;
	const struct good_state *s;
	bool stop;
	unsigned int n;
	unsigned int nr[3];	/* SETs that did it, that came second, others */
};

static void count_set(struct worker *w)
{
	long r;

	/* The boot vCPU runs, is being looked at or is being reset. */
	do {
		r = state_set(w->h, w->s, sizeof(*w->s));
	} while (r == -EBUSY);

	w->nr[!r ? 0 : r == -EEXIST ? 1 : 2]++;
}

static void *move_slot(void *arg)
{
	struct worker *w = arg;
	uint64_t gpa = STATE_GFN * PAGE_SIZE;

	for (; !READ_ONCE(w->stop); WRITE_ONCE(w->n, w->n + 1)) {
		vm_mem_region_move(w->h->vm, STATE_SLOT, gpa + (1ULL << 32));
		vm_mem_region_move(w->h->vm, STATE_SLOT, gpa);
	}
	return NULL;
}

HUP_TEST(race, set_while_memslot_moves)
{
	struct good_state s;
	struct worker w = { .h = self->h };
	unsigned int nr[2] = {}, i;
	pthread_t thread;
	long r;

	state_add_slots(self->h);
	good_state(&s);
	ASSERT_EQ(0, pthread_create(&thread, NULL, move_slot, &w));
	for (i = 0; i < 2000 && (i < 100 || !nr[0] || !nr[1]); i++) {
		r = state_set(self->h, &s, sizeof(s));
		ASSERT_EQ(true, !r || r == -EFAULT) TH_LOG("%ld", r);
		nr[!r]++;
		if (!r)
			state_clear(self->h);
		ASSERT_EQ(true, state_nothing(self->h));
	}
	WRITE_ONCE(w.stop, true);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	TH_LOG("%u restored, %u refused, %u moves", nr[1], nr[0], w.n);
	EXPECT_LT(0, nr[0]);
	EXPECT_LT(0, nr[1]);
	EXPECT_LT(0, w.n);

	EXPECT_EQ(0, state_set(self->h, &s, sizeof(s)));
	EXPECT_EQ(self->locked + 16, hup_locked_kb());
	state_clear(self->h);
	EXPECT_EQ(self->locked, hup_locked_kb());
}

static void *set_often(void *arg)
{
	struct worker *w = arg;

	while (!READ_ONCE(w->stop)) {
		count_set(w);
		usleep(0);
	}
	return NULL;
}

/* Of two that restore, one does, as long as there is nothing. */
HUP_TEST(race, set_twice_at_once)
{
	struct good_state s;
	struct worker here = { .h = self->h, .s = &s }, there = here;
	unsigned int clears = 0;
	struct hyperupcall_query q;
	pthread_t thread;
	int i;

	state_add_slots(self->h);
	good_state(&s);
	ASSERT_EQ(0, pthread_create(&thread, NULL, set_often, &there));
	for (i = 0; i < 200; i++) {
		count_set(&here);
		hup_query(self->h, &q);
		ASSERT_EQ(2, q.nr_progs);
		ASSERT_EQ(2, q.nr_regions);
		ASSERT_EQ(2, q.nr_links);
		state_clear(self->h);
		clears++;
	}
	WRITE_ONCE(there.stop, true);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	state_clear(self->h);
	TH_LOG("%u and %u restored", here.nr[0], there.nr[0]);
	EXPECT_EQ(0, here.nr[2]);
	EXPECT_EQ(0, there.nr[2]);
	EXPECT_LE(clears, here.nr[0] + there.nr[0]);
	EXPECT_GE(clears + 1, here.nr[0] + there.nr[0]);
	EXPECT_EQ(self->locked, hup_locked_kb());
}

static void on_timer(int sig)
{
}

static void set_timer(unsigned int us)
{
	const struct itimerval timer = {
		.it_interval.tv_usec = us,
		.it_value.tv_usec = us,
	};

	TEST_ASSERT(!setitimer(ITIMER_REAL, &timer, NULL), "setitimer");
}

/* A signal ends a restore, which has done nothing then, and is called again. */
HUP_TEST(race, set_with_signals)
{
	static const struct kvm_hyperupcall_policy policy = { .mem_percent_global = 25 };
	struct sigaction action = { .sa_handler = on_timer };
	struct hup *h = hup_create_policy(1, &policy);
	unsigned int i, us = 500, nr[2] = {};
	struct good_state s;
	long r;

	state_add_slots(h);
	good_state(&s);
	s.whole.nr_pages = 50;
	s.all = (struct kvm_hyperupcall_state_extent) { 0, 50, STATE_GFN + 4 };
	state_seal(&s, sizeof(s));
	ASSERT_EQ(0, sigaction(SIGALRM, &action, NULL));
	for (i = 0; i < 2000 && (!nr[0] || !nr[1]); i++) {
		set_timer(us);
		r = state_set(h, &s, sizeof(s));
		set_timer(0);
		ASSERT_EQ(true, !r || r == -EAGAIN) TH_LOG("%ld", r);
		nr[!r]++;
		if (!r)
			state_clear(h);
		/* How long it takes is the host's business. */
		us = r ? us + us / 8 + 1 : us - us / 8;
		ASSERT_EQ(self->locked, hup_locked_kb());
	}
	TH_LOG("%u restored, %u ended by a signal", nr[1], nr[0]);
	EXPECT_LT(0, nr[0]);
	EXPECT_LT(0, nr[1]);
	EXPECT_EQ(true, state_nothing(h));
	EXPECT_EQ(0, state_set(h, &s, sizeof(s)));
	hup_free(h);
}

int main(int argc, char **argv)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_HYPERUPCALL));

	return test_harness_run(argc, argv);
}
