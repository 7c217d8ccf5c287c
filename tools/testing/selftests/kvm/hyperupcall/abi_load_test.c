// SPDX-License-Identifier: GPL-2.0-only
/*
 * HYPERUPCALL_LOAD: the program's parameters, and the log.
 */
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

int main(int argc, char **argv)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_HYPERUPCALL));

	return test_harness_run(argc, argv);
}
