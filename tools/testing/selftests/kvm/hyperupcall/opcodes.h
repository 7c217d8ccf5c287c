/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The opcodes of linux/hyperupcall.h: name, struct and errors.
 */
#ifndef SELFTEST_KVM_HYPERUPCALL_OPCODES_H
#define SELFTEST_KVM_HYPERUPCALL_OPCODES_H

#include <errno.h>
#include <stdbool.h>

#include <linux/hyperupcall.h>

#define HUP_NR_OPS	(HYPERUPCALL_TEST_RUN + 1)

/*
 * Which errors the header documents, for every opcode and for one. The tests
 * hold the host to it in both directions: each of these can be provoked, and
 * no other is ever returned.
 */
static const int errors_of_all_ops[] = {
	EPERM, EOPNOTSUPP, EFAULT, EINVAL, E2BIG, ENOMEM, EAGAIN
};

static const int errors_of_op[HUP_NR_OPS][8] = {
	[HYPERUPCALL_MAP]	= { EINVAL, EFAULT, ENOSPC, EDQUOT },
	[HYPERUPCALL_UNMAP]	= { ENOENT },
	[HYPERUPCALL_LOAD]	= { EACCES, EINVAL, E2BIG, ENOSPC },
	[HYPERUPCALL_UNLOAD]	= { ENOENT, EBUSY },
	[HYPERUPCALL_LINK]	= { ENOENT, EINVAL, EOPNOTSUPP, EACCES, EEXIST,
				    E2BIG, EDQUOT, ENOSPC },
	[HYPERUPCALL_UNLINK]	= { ENOENT },
	[HYPERUPCALL_STATS]	= { ENOENT },
	[HYPERUPCALL_TEST_RUN]	= { ENOENT, EDQUOT, EBUSY },
};

static const char * const hup_op_names[HUP_NR_OPS] = {
	[HYPERUPCALL_QUERY]	= "QUERY",
	[HYPERUPCALL_MAP]	= "MAP",
	[HYPERUPCALL_UNMAP]	= "UNMAP",
	[HYPERUPCALL_LOAD]	= "LOAD",
	[HYPERUPCALL_UNLOAD]	= "UNLOAD",
	[HYPERUPCALL_LINK]	= "LINK",
	[HYPERUPCALL_UNLINK]	= "UNLINK",
	[HYPERUPCALL_STATS]	= "STATS",
	[HYPERUPCALL_TEST_RUN]	= "TEST_RUN",
};

/* The struct of any opcode. */
union hup_args {
	struct hyperupcall_query query;
	struct hyperupcall_map map;
	struct hyperupcall_unmap unmap;
	struct hyperupcall_load load;
	struct hyperupcall_unload unload;
	struct hyperupcall_link link;
	struct hyperupcall_unlink unlink;
	struct hyperupcall_stats stats;
	struct hyperupcall_test_run test_run;
	__u8 bytes[192];
	__u32 words[48];
	__u64 quads[24];
};

static const __u16 hup_op_sizes[HUP_NR_OPS] = {
	[HYPERUPCALL_QUERY]	= sizeof(struct hyperupcall_query),
	[HYPERUPCALL_MAP]	= sizeof(struct hyperupcall_map),
	[HYPERUPCALL_UNMAP]	= sizeof(struct hyperupcall_unmap),
	[HYPERUPCALL_LOAD]	= sizeof(struct hyperupcall_load),
	[HYPERUPCALL_UNLOAD]	= sizeof(struct hyperupcall_unload),
	[HYPERUPCALL_LINK]	= sizeof(struct hyperupcall_link),
	[HYPERUPCALL_UNLINK]	= sizeof(struct hyperupcall_unlink),
	[HYPERUPCALL_STATS]	= sizeof(struct hyperupcall_stats),
	[HYPERUPCALL_TEST_RUN]	= sizeof(struct hyperupcall_test_run),
};

static inline bool hup_error_documented(unsigned int op, long r)
{
	unsigned int i;

	for (i = 0; i < sizeof(errors_of_all_ops) / sizeof(int); i++) {
		if (r == -errors_of_all_ops[i])
			return true;
	}
	for (i = 0; i < sizeof(errors_of_op[op]) / sizeof(int); i++) {
		if (r && r == -errors_of_op[op][i])
			return true;
	}
	return false;
}

#endif /* SELFTEST_KVM_HYPERUPCALL_OPCODES_H */
