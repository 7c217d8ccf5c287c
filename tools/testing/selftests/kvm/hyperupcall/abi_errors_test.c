// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every opcode, and every error that linux/hyperupcall.h documents for it: a
 * valid call with one thing wrong, that must be refused with that error and
 * change nothing. The matrix is in opcodes.h; what no row here provokes must
 * be listed with the reason.
 */
#include "abi_calls.h"
#include "abi_errors.h"
#include "kvm_test_harness.h"

FIXTURE(abi_errors) {
};

FIXTURE_VARIANT(abi_errors) {
	uint64_t op;
};

FIXTURE_SETUP(abi_errors)
{
}

FIXTURE_TEARDOWN(abi_errors)
{
}

FIXTURE_VARIANT_ADD(abi_errors, QUERY) { .op = HYPERUPCALL_QUERY };
FIXTURE_VARIANT_ADD(abi_errors, MAP) { .op = HYPERUPCALL_MAP };
FIXTURE_VARIANT_ADD(abi_errors, UNMAP) { .op = HYPERUPCALL_UNMAP };
FIXTURE_VARIANT_ADD(abi_errors, LOAD) { .op = HYPERUPCALL_LOAD };
FIXTURE_VARIANT_ADD(abi_errors, UNLOAD) { .op = HYPERUPCALL_UNLOAD };
FIXTURE_VARIANT_ADD(abi_errors, LINK) { .op = HYPERUPCALL_LINK };
FIXTURE_VARIANT_ADD(abi_errors, UNLINK) { .op = HYPERUPCALL_UNLINK };
FIXTURE_VARIANT_ADD(abi_errors, STATS) { .op = HYPERUPCALL_STATS };
FIXTURE_VARIANT_ADD(abi_errors, TEST_RUN) { .op = HYPERUPCALL_TEST_RUN };

/* Errors of all opcodes that no row provokes: who does, or why nobody can. */
struct elsewhere {
	int err;
	const char *why;
};

static const struct elsewhere elsewhere[] = {
	{ EOPNOTSUPP, "abi_test: an unknown opcode has no rows" },
	{ ENOMEM, "abi_memory_test" },
	{ EAGAIN, "abi_race_test: only LOAD takes long enough" },
};

/* The same for one opcode. */
static const struct elsewhere_of_op {
	uint64_t op;
	struct elsewhere elsewhere;
} elsewhere_of_op[] = {
	{ HYPERUPCALL_TEST_RUN, { EBUSY, "dirty_log_test has a dirty ring" } },
};

static bool in_all_ops(int err)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(elsewhere); i++) {
		if (elsewhere[i].err == err)
			return true;
	}
	for (i = 0; i < ARRAY_SIZE(common_errors); i++) {
		if (common_errors[i].err == err)
			return true;
	}
	return false;
}

static bool has_row(uint64_t op, int err)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(errors); i++) {
		if (errors[i].op == op && errors[i].err == err)
			return true;
	}
	for (i = 0; i < ARRAY_SIZE(elsewhere_of_op); i++) {
		if (elsewhere_of_op[i].op == op && elsewhere_of_op[i].elsewhere.err == err)
			return true;
	}
	return false;
}

static void run_row(struct __test_metadata *_metadata, uint64_t op,
		    const struct error *row)
{
	struct abi_vm vm = abi_create(row->policy);
	struct abi_call c = abi_valid_call(&vm, op), before;
	struct hyperupcall_query state;
	long r;

	row->spoil(&vm, &c);
	before = c;
	state = abi_state(&vm);
	if (row->cpl3)
		hup_set_cpl(vm.h, 3);
	r = abi_do(&vm, &c);
	if (row->cpl3)
		hup_set_cpl(vm.h, 0);

	EXPECT_EQ(-row->err, r)
		TH_LOG("%s: %s", hup_op_names[op], row->why);
	EXPECT_EQ(true, abi_state_is(&vm, &state))
		TH_LOG("%s: %s", hup_op_names[op], row->why);
	if (op == HYPERUPCALL_LOAD)
		c.args.load.log_true_size = before.args.load.log_true_size;
	EXPECT_EQ(0, memcmp(&before.args, &c.args, sizeof(c.args)))
		TH_LOG("%s: %s", hup_op_names[op], row->why);
	hup_free(vm.h);
}

HUP_TEST(abi_errors, is_returned)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(common_errors); i++)
		run_row(_metadata, variant->op, &common_errors[i]);
	for (i = 0; i < ARRAY_SIZE(errors); i++) {
		if (errors[i].op == variant->op)
			run_row(_metadata, variant->op, &errors[i]);
	}
}

HUP_TEST(abi_errors, has_a_row)
{
	const int *of_op = errors_of_op[variant->op];
	int i;

	for (i = 0; i < ARRAY_SIZE(errors_of_all_ops); i++) {
		EXPECT_EQ(true, in_all_ops(errors_of_all_ops[i]))
			TH_LOG("%s", strerrorname_np(errors_of_all_ops[i]));
	}
	for (i = 0; i < ARRAY_SIZE(errors_of_op[0]) && of_op[i]; i++) {
		EXPECT_EQ(true, has_row(variant->op, of_op[i]))
			TH_LOG("%s: %s", hup_op_names[variant->op],
			       strerrorname_np(of_op[i]));
	}
}

/* And a row is documented. */
HUP_TEST(abi_errors, is_documented)
{
	const struct error *row;

	for (row = errors; row < errors + ARRAY_SIZE(errors); row++) {
		if (row->op != variant->op)
			continue;
		EXPECT_EQ(true, hup_error_documented(row->op, -row->err))
			TH_LOG("%s", row->why);
	}
}

int main(int argc, char **argv)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_HYPERUPCALL));

	return test_harness_run(argc, argv);
}
