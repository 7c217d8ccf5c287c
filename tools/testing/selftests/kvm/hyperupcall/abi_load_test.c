// SPDX-License-Identifier: GPL-2.0-only
/*
 * HYPERUPCALL_LOAD: the program's parameters, and the log.
 */
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/time.h>

#include "hyperupcall_util.h"
#include "kvm_test_harness.h"

FIXTURE(abi_load) {
	struct hup *h;
};

FIXTURE_SETUP(abi_load)
{
	self->h = hup_create(1);
}

FIXTURE_TEARDOWN(abi_load)
{
	hup_free(self->h);
}

/* The program's parameters: what is wrong with them, and what that gives. */
struct load_case {
	const char *what;
	struct hyperupcall_load load;
	long r;
};

#define GOOD_LOAD	.insns = 1, .insn_cnt = 2, .name = "good_1.x"

/* In insns and log_buf, 1 stands for the test's buffer. */
static const struct load_case load_cases[] = {
	{ "good", { GOOD_LOAD }, 0 },
	{ "log, level 1", { GOOD_LOAD, .log_buf = 1, .log_size = 128,
			    .log_level = 1 }, 0 },
	{ "log, level 2", { GOOD_LOAD, .log_buf = 1, .log_size = 65536,
			    .log_level = 2 }, 0 },
	{ "no name", { .insns = 1, .insn_cnt = 2 }, 0 },
	{ "name with a space", { GOOD_LOAD, .name = "a b" }, -EINVAL },
	{ "name without end", { GOOD_LOAD, .name = { "0123456789abcdef" } },
	  -EINVAL },
	{ "no instructions", { GOOD_LOAD, .insn_cnt = 0 }, -EINVAL },
	{ "a billion instructions", { GOOD_LOAD, .insn_cnt = 1000000000 },
	  -E2BIG },
	{ "2^32 - 1 instructions", { GOOD_LOAD, .insn_cnt = ~0U }, -E2BIG },
	{ "instructions not mapped", { GOOD_LOAD, .insns = HUP_UNMAPPED_GVA },
	  -EFAULT },
	{ "level without log", { GOOD_LOAD, .log_level = 1 }, -EINVAL },
	{ "log without level", { GOOD_LOAD, .log_buf = 1, .log_size = 128 },
	  -EINVAL },
	{ "log without size", { GOOD_LOAD, .log_buf = 1, .log_level = 1 },
	  -EINVAL },
	{ "log too small", { GOOD_LOAD, .log_buf = 1, .log_size = 127,
			     .log_level = 1 }, -EINVAL },
	{ "log too large", { GOOD_LOAD, .log_buf = 1,
			     .log_size = HYPERUPCALL_LOG_MAX + 1,
			     .log_level = 1 }, -EINVAL },
	{ "unknown log level", { GOOD_LOAD, .log_buf = 1, .log_size = 128,
				 .log_level = 256 }, -EINVAL },
	{ "log not mapped", { GOOD_LOAD, .log_buf = HUP_UNMAPPED_GVA,
			      .log_size = 128, .log_level = 1 }, -EFAULT },
};

HUP_TEST(abi_load, parameters)
{
	static const struct bpf_insn insns[] = {
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(),
	};
	struct hup *h = self->h;
	struct hyperupcall_load load;
	int i;

	memcpy(h->insns.hva, insns, sizeof(insns));
	for (i = 0; i < ARRAY_SIZE(load_cases); i++) {
		load = load_cases[i].load;
		if (load.insns == 1)
			load.insns = h->insns.gva;
		if (load.log_buf == 1)
			load.log_buf = h->log.gva;
		EXPECT_EQ(load_cases[i].r, hup_op(h, HYPERUPCALL_LOAD, &load,
						  sizeof(load)))
			TH_LOG("%s", load_cases[i].what);
	}
}

/* A log that does not fit keeps its end, and its true size is told. */
static void check_short_log(struct __test_metadata *_metadata, struct hup *h,
			    int reg, long r)
{
	const struct bpf_insn insns[] = {
		BPF_MOV64_IMM(BPF_REG_3, 1),
		BPF_MOV64_IMM(BPF_REG_4, 2),
		BPF_MOV64_IMM(BPF_REG_5, 3),
		BPF_MOV64_REG(BPF_REG_0, reg),
		BPF_EXIT_INSN(),
	};
	struct hyperupcall_load load = {
		.insns = h->insns.gva,
		.insn_cnt = ARRAY_SIZE(insns),
		.log_buf = h->log.gva,
		.log_size = 128,
		.log_level = 2,
	};
	char *log = h->log.hva;

	memcpy(h->insns.hva, insns, sizeof(insns));
	memset(log, 'x', 256);
	EXPECT_EQ(r, hup_op(h, HYPERUPCALL_LOAD, &load, sizeof(load)));
	EXPECT_LT(128, load.log_true_size);
	EXPECT_EQ('x', log[128]);
	EXPECT_EQ(0, log[127]);
	EXPECT_NE(NULL, strstr(log, "processed"));
	EXPECT_EQ(127, strlen(log));
}

HUP_TEST(abi_load, short_log_of_refused_program)
{
	check_short_log(_metadata, self->h, BPF_REG_9, -EACCES);
}

HUP_TEST(abi_load, short_log_of_good_program)
{
	check_short_log(_metadata, self->h, BPF_REG_3, 0);
}

/* As long as a program may be, all of it divisions, which the verifier converts. */
static uint32_t put_long_program(struct hup *h)
{
	struct bpf_insn *insns = h->insns.hva;
	uint32_t n = 0;

	insns[n++] = BPF_MOV64_IMM(BPF_REG_0, 1);
	insns[n++] = BPF_MOV64_IMM(BPF_REG_2, 1);
	while (n < HUP_MAX_INSNS - 1)
		insns[n++] = BPF_ALU64_REG(BPF_DIV, BPF_REG_0, BPF_REG_2);
	insns[n++] = BPF_EXIT_INSN();
	return n;
}

static void run_until_done(struct kvm_vcpu *vcpu)
{
	while (__vcpu_run(vcpu))
		TEST_ASSERT(errno == EINTR, "KVM_RUN: %s", strerror(errno));
}

static void ignore(int sig)
{
}

static void set_alarm(uint64_t us)
{
	struct itimerval timer = {
		.it_value = { us / 1000000, us % 1000000 },
	};

	TEST_ASSERT(!setitimer(ITIMER_REAL, &timer, NULL), "setitimer");
}

#define ALARMS	256

/* A host that flushes branch predictors lets a guest load 20 programs a second. */
#define TURN_US	50000

/*
 * A signal at any time of LOAD, also when all of the program has been followed: LOAD
 * works, or ends and leaves nothing.
 */
HUP_TEST(abi_load, signal)
{
	struct hyperupcall_query before, now;
	struct hup *h = self->h;
	struct hyperupcall_load load = {
		.insns = h->insns.gva,
		.insn_cnt = put_long_program(h),
		.log_buf = h->log.gva,
		.log_size = h->log.size,
		.log_level = 1,
	};
	int i, early = 0, late = 0;
	struct timespec start, d;
	char followed[32];
	uint64_t us;
	long r;

	snprintf(followed, sizeof(followed), "processed %u insns",
		 load.insn_cnt);
	clock_gettime(CLOCK_MONOTONIC, &start);
	ASSERT_EQ(0, hup_op(h, HYPERUPCALL_LOAD, &load, sizeof(load)));
	d = timespec_elapsed(start);
	us = d.tv_sec * 1000000 + d.tv_nsec / 1000;
	ASSERT_NE(NULL, strstr(h->log.hva, followed));
	ASSERT_EQ(0, hup_unload(h, load.prog));
	hup_query(h, &before);

	ASSERT_NE(SIG_ERR, signal(SIGALRM, ignore));
	h->vcpus[0].run = run_until_done;
	for (i = 0; i < ALARMS; i++) {
		memset(h->log.hva, 0, h->log.size);
		/* The signal is for LOAD, and not for what waits for its turn. */
		if (us < 2 * TURN_US)
			usleep(TURN_US);
		set_alarm(us * i / ALARMS + 1);
		r = hup_op(h, HYPERUPCALL_LOAD, &load, sizeof(load));
		set_alarm(0);
		if (!r) {
			EXPECT_EQ(0, hup_unload(h, load.prog));
			continue;
		}
		EXPECT_EQ(-EAGAIN, r);
		if (strstr(h->log.hva, followed))
			late++;
		else
			early++;
	}
	h->vcpus[0].run = NULL;

	TH_LOG("of %d signals %d ended LOAD before all was followed, %d after",
	       ALARMS, early, late);
	EXPECT_LT(0, early);
	EXPECT_LT(0, late);
	hup_query(h, &now);
	EXPECT_EQ(0, memcmp(&before, &now, sizeof(now)));
}

#define CGROUPS		"/sys/fs/cgroup"
#define CGROUP		CGROUPS "/hyperupcall_load"

static void write_word(const char *path, const char *word)
{
	int fd = open(path, O_WRONLY);

	TEST_ASSERT(fd >= 0 && write(fd, word, strlen(word)) > 0, "%s", path);
	close(fd);
}

static long read_bytes(int fd)
{
	char buf[32] = {};

	TEST_ASSERT(pread(fd, buf, sizeof(buf) - 1, 0) > 0, "cannot read");
	return atol(buf);
}

/* What the VMM's cgroup is charged while the program is loaded, at most. */
static long load_and_charge(struct __test_metadata *_metadata, struct hup *h,
			    uint32_t insn_cnt)
{
	struct hyperupcall_load load = {
		.insns = h->insns.gva,
		.insn_cnt = insn_cnt,
	};
	int current, peak;
	long before;

	current = open(CGROUP "/memory.current", O_RDONLY);
	peak = open(CGROUP "/memory.peak", O_RDWR);
	TEST_ASSERT(current >= 0 && peak >= 0, CGROUP);
	before = read_bytes(current);
	/* From here on, for this descriptor. */
	ASSERT_LT(0, write(peak, "reset", 5));
	ASSERT_EQ(0, hup_op(h, HYPERUPCALL_LOAD, &load, sizeof(load)));
	before = read_bytes(peak) - before;
	ASSERT_EQ(0, hup_unload(h, load.prog));
	close(current);
	close(peak);
	return before;
}

/*
 * What the verifier knows of each instruction is more than half of all that it
 * needs for such a program: some 80 bytes for each of four times as many
 * instructions as the guest has sent.
 */
HUP_TEST(abi_load, memory_is_charged)
{
	struct hup *h = self->h;
	uint32_t insn_cnt = put_long_program(h);
	char pid[16];
	long bytes;

	TEST_ASSERT(!mount("none", CGROUPS, "cgroup2", 0, NULL) || errno == EBUSY,
		    CGROUPS);
	write_word(CGROUPS "/cgroup.subtree_control", "+memory");
	TEST_ASSERT(!mkdir(CGROUP, 0700) || errno == EEXIST, CGROUP);
	snprintf(pid, sizeof(pid), "%d", getpid());
	write_word(CGROUP "/cgroup.procs", pid);

	/* The first brings what stays. */
	load_and_charge(_metadata, h, insn_cnt);
	bytes = load_and_charge(_metadata, h, insn_cnt);
	TH_LOG("%ld KiB", bytes >> 10);
	EXPECT_LT(64L * 4 * HUP_MAX_INSNS, bytes);

	write_word(CGROUPS "/cgroup.procs", pid);
	rmdir(CGROUP);
}

int main(int argc, char **argv)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_HYPERUPCALL));

	return test_harness_run(argc, argv);
}
