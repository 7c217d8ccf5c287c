/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * RLIMIT_MEMLOCK binds a VMM only if it may not exceed it.
 */
#ifndef SELFTEST_KVM_HYPERUPCALL_LOCKED_MEMORY_H
#define SELFTEST_KVM_HYPERUPCALL_LOCKED_MEMORY_H

#include <linux/capability.h>
#include <sys/syscall.h>

#include "test_util.h"

static inline void drop_ipc_lock(void)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2];

	TEST_ASSERT(!syscall(SYS_capget, &header, data), "capget");
	data[0].effective &= ~(1U << CAP_IPC_LOCK);
	TEST_ASSERT(!syscall(SYS_capset, &header, data), "capset");
}

#endif /* SELFTEST_KVM_HYPERUPCALL_LOCKED_MEMORY_H */
