// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a hostile guest, or a hostile VMM without privileges, tried and must not
 * get: a way around a limit, around the verifier, or memory that nobody pays.
 */
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "kvm_test_harness.h"
#include "loaded_prog.h"
#include "locked_memory.h"
#include "state_util.h"
#include "window_programs.h"

FIXTURE(attack) {
};

FIXTURE_SETUP(attack)
{
}

FIXTURE_TEARDOWN(attack)
{
}

/* A state of programs that do nothing. */
struct progs_state {
	struct kvm_hyperupcall_state_header header;
	struct {
		struct kvm_hyperupcall_state_prog prog;
		struct bpf_insn insns[2];
	} progs[2];
};

static void progs_state(struct progs_state *s)
{
	const struct bpf_insn mov = BPF_MOV64_IMM(BPF_REG_0, 0);
	const struct bpf_insn exit = BPF_EXIT_INSN();
	int i;

	*s = (struct progs_state) {
		.header = {
			.magic = KVM_HYPERUPCALL_STATE_MAGIC,
			.version = KVM_HYPERUPCALL_STATE_VERSION,
			.nr_progs = 2,
			.next_prog = 3,
		},
	};
	for (i = 0; i < 2; i++) {
		s->progs[i].prog.id = i + 1;
		s->progs[i].prog.insn_cnt = 2;
		s->progs[i].insns[0] = mov;
		s->progs[i].insns[1] = exit;
	}
	state_seal(s, sizeof(*s));
}

/*
 * No VM has more than its policy allows: a state does not come before the policy,
 * also where the boot vCPU never comes.
 */
HUP_TEST(attack, policy_below_the_state)
{
	static const struct kvm_hyperupcall_policy small[] = {
		{ .max_progs = 1 },
		{ .max_insns_total = 2 },
	};
	struct progs_state s;
	struct hup *h;
	int i;

	progs_state(&s);
	for (i = 0; i < ARRAY_SIZE(small); i++) {
		h = hup_create_vm(1);
		ASSERT_EQ(0, __vm_ioctl(h->vm, KVM_SET_BOOT_CPU_ID, (void *)7));
		ASSERT_EQ(0, hup_enable(h->vm, NULL, 0));
		EXPECT_EQ(-EBUSY, state_set(h, &s, sizeof(s)));
		ASSERT_EQ(0, hup_enable(h->vm, &small[i], sizeof(small[i])));
		hup_add_vcpus(h);
		EXPECT_EQ(-EBUSY, hup_enable(h->vm, NULL, 0));
		EXPECT_EQ(-EBUSY, state_set(h, &s, sizeof(s)));
		hup_free(h);
	}
}

#define SLOT		10
#define NR_PAGES	8

/*
 * Reclaim takes pages of a shared mapping out of the VMM's page tables before it
 * finds that they are pinned. The VMM has them all the same.
 */
HUP_TEST(attack, reclaim_of_shared_memory)
{
	struct hup *h = hup_create(1);
	struct hup_mem mem = hup_add_slot(h, VM_MEM_SRC_SHMEM, SLOT, NR_PAGES, 0);
	long loader = load_loader(h, BPF_DW, 0);
	uint64_t faults;
	uint32_t offset;
	int i;

	for (i = 0; i < NR_PAGES; i++)
		*(uint64_t *)(mem.hva + i * PAGE_SIZE) = i + 1;
	ASSERT_LT(0, hup_map(h, mem.gva, mem.size, HYPERUPCALL_MAP_WRITE, &offset));
	ASSERT_EQ(0, madvise(mem.hva, mem.size, MADV_PAGEOUT));
	/* More than KVM needs to decide that a page is gone. */
	usleep(100000);
	for (i = 0; i < NR_PAGES; i++) {
		EXPECT_EQ(i + 1, hup_run(h, loader, offset + i * PAGE_SIZE, 0, &faults));
		EXPECT_EQ(0, faults) TH_LOG("page %d", i);
	}
	hup_free(h);
}

#define JIT_LIMIT	"/proc/sys/net/core/bpf_jit_limit"

static long jit_limit(void)
{
	FILE *f = fopen(JIT_LIMIT, "r");
	long limit;

	TEST_ASSERT(f && fscanf(f, "%ld", &limit) == 1, "reading " JIT_LIMIT);
	fclose(f);
	return limit;
}

static void set_jit_limit(long limit)
{
	FILE *f = fopen(JIT_LIMIT, "w");

	TEST_ASSERT(f && fprintf(f, "%ld\n", limit) > 0 && !fclose(f),
		    "writing " JIT_LIMIT);
}

/* Root, which this runs as, may go over the limit for programs of its own. */
HUP_TEST(attack, memory_of_the_jit)
{
	struct hup *h = hup_create(1);
	long limit = jit_limit();

	set_jit_limit(1);
	EXPECT_EQ(-ENOMEM, hup_load_return(h, 0));
	set_jit_limit(limit);
	EXPECT_LT(0, hup_load_return(h, 0));
	hup_free(h);
}

#define TEXT_LIMIT	(256 * 1024)

/* Machine code of guests takes a half of the limit: filters of the host need some. */
HUP_TEST(attack, share_of_the_jit)
{
	struct hup *h = hup_create(1);
	struct bpf_insn insns[2000];
	long r, limit = jit_limit();
	unsigned long text = 0;
	int i;

	for (i = 0; i < ARRAY_SIZE(insns) - 1; i++)
		insns[i] = HUP_DATA(BPF_REG_0, BPF_REG_1, 0);
	insns[i] = BPF_EXIT_INSN();

	set_jit_limit(TEXT_LIMIT);
	for (;;) {
		r = hup_load(h, insns, ARRAY_SIZE(insns));
		if (r < 0)
			break;
		text += loaded_prog()->code_len;
	}
	set_jit_limit(limit);
	EXPECT_EQ(-ENOMEM, r);
	EXPECT_LT(0, text);
	EXPECT_GE(TEXT_LIMIT / 2, text);
	EXPECT_LT(0, hup_load_return(h, 0));
	hup_free(h);
}

/* And of that half one user has half, who may not exceed limits. */
HUP_TEST(attack, share_of_the_jit_for_a_user)
{
	struct hup *mine = hup_create(1), *other;
	struct bpf_insn insns[1000];
	long r, limit = jit_limit();
	int i, n = 0;

	for (i = 0; i < ARRAY_SIZE(insns) - 1; i++)
		insns[i] = HUP_DATA(BPF_REG_0, BPF_REG_1, 0);
	insns[i] = BPF_EXIT_INSN();

	ASSERT_EQ(0, chmod("/dev/kvm", 0666));
	set_jit_limit(TEXT_LIMIT);
	ASSERT_EQ(0, setresuid(65534, 65534, 0));
	other = hup_create(1);
	while ((r = hup_load(other, insns, ARRAY_SIZE(insns))) > 0)
		n++;
	ASSERT_EQ(0, setresuid(0, 0, 0));
	EXPECT_EQ(-ENOMEM, r);
	EXPECT_LT(0, n);
	EXPECT_LT(0, hup_load(mine, insns, ARRAY_SIZE(insns)));
	set_jit_limit(limit);
	hup_free(other);
	hup_free(mine);
}

/* What the threads of the VMM do to memory that the guest maps and unmaps. */
struct storm {
	struct hup *h;
	struct hup_mem mem;
	bool stop;
	unsigned long n[4];
};

#define NR_ROUNDS	400

static uint64_t guest_map_and_unmap(uint64_t gva, uint64_t size, uint64_t rounds,
				    uint64_t a3)
{
	struct hyperupcall_map map = { .gva = gva, .size = size };
	struct hyperupcall_unmap unmap = {};
	uint64_t done = 0;
	long r;

	for (; rounds; rounds--) {
		map.flags = rounds & HYPERUPCALL_MAP_WRITE;
		r = kvm_hypercall(KVM_HC_HYPERUPCALL, HYPERUPCALL_MAP,
				  (uintptr_t)&map, sizeof(map), 0);
		if (r)
			continue;
		unmap.region = map.region;
		r = kvm_hypercall(KVM_HC_HYPERUPCALL, HYPERUPCALL_UNMAP,
				  (uintptr_t)&unmap, sizeof(unmap), 0);
		GUEST_ASSERT(!r);
		done++;
	}
	return done;
}

static void *take_and_give(void *arg)
{
	static const int advice[] = {
		MADV_DONTNEED, MADV_PAGEOUT, MADV_FREE, MADV_WILLNEED,
	};
	struct storm *s = arg;

	for (; !READ_ONCE(s->stop); s->n[0]++) {
		madvise(s->mem.hva, s->mem.size, advice[s->n[0] % ARRAY_SIZE(advice)]);
		if (!(s->n[0] % 7) && !fork())
			_exit(0);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		usleep(100);
	}
	return NULL;
}

static void *get_state(void *arg)
{
	union state *state = malloc(sizeof(*state));
	struct storm *s = arg;
	uint64_t size;

	for (; !READ_ONCE(s->stop); s->n[1]++) {
		size = sizeof(*state);
		TEST_ASSERT(!state_get(s->h, state, &size), "GET_STATE");
		usleep(100);
	}
	free(state);
	return NULL;
}

/* The memory stays for as long as it was away, however slow the host is. */
static void *move_away_and_back(void *arg)
{
	struct storm *s = arg;
	uint64_t gpa = addr_gva2gpa(s->h->vm, s->mem.gva);
	struct timespec start, moved;

	for (; !READ_ONCE(s->stop); s->n[2]++) {
		clock_gettime(CLOCK_MONOTONIC, &start);
		vm_mem_region_move(s->h->vm, SLOT, gpa + (1ULL << 32));
		vm_mem_region_move(s->h->vm, SLOT, gpa);
		moved = timespec_elapsed(start);
		usleep(20000 + timespec_to_ns(moved) / 1000);
	}
	return NULL;
}

/* Everything at once; in the end there is nothing. */
HUP_TEST(attack, storm)
{
	static void *(*const fns[])(void *) = {
		take_and_give, get_state, move_away_and_back,
	};
	struct storm s = { .h = hup_create(3) };
	unsigned long locked = hup_locked_kb();
	pthread_t thread[ARRAY_SIZE(fns)];
	uint64_t done;
	int i;

	s.mem = hup_add_slot(s.h, VM_MEM_SRC_ANONYMOUS, SLOT, 64, 0);
	for (i = 0; i < ARRAY_SIZE(fns); i++)
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, fns[i], &s));
	hup_start(s.h, 1, guest_map_and_unmap, s.mem.gva, s.mem.size, NR_ROUNDS, 0);
	hup_start(s.h, 2, guest_map_and_unmap, s.mem.gva, s.mem.size / 2, NR_ROUNDS, 0);
	done = hup_join(s.h, 1);
	done += hup_join(s.h, 2);
	WRITE_ONCE(s.stop, true);
	for (i = 0; i < ARRAY_SIZE(fns); i++)
		ASSERT_EQ(0, pthread_join(thread[i], NULL));
	TH_LOG("%lu mapped; %lu taken, %lu states, %lu moves", done, s.n[0], s.n[1], s.n[2]);
	EXPECT_LT(0, done);
	EXPECT_EQ(true, state_nothing(s.h));
	EXPECT_EQ(locked, hup_locked_kb());
	hup_free(s.h);
}

int main(int argc, char **argv)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_HYPERUPCALL));

	return test_harness_run(argc, argv);
}
