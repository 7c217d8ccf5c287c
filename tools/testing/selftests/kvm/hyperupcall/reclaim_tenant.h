/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Somebody else on the host: a process with memory that it does not use, in a
 * cgroup of its own beside that of a VM.
 */
#ifndef SELFTEST_KVM_HYPERUPCALL_RECLAIM_TENANT_H
#define SELFTEST_KVM_HYPERUPCALL_RECLAIM_TENANT_H

#include <sys/wait.h>

#include "reclaim_cgroup.h"

#define TENANTS		RECLAIM_CGROUPS "/hyperupcall_tenants"
#define TENANT		TENANTS "/other"
#define TENANT_VM	TENANTS "/vm"

#define TENANT_SIZE	(64UL << 20)

static inline void tenant_enter(const char *cgroup)
{
	char file[64], pid[16];

	snprintf(file, sizeof(file), "%s/cgroup.procs", cgroup);
	snprintf(pid, sizeof(pid), "%d", getpid());
	reclaim_write(file, pid);
}

static inline void tenant_make_cgroups(void)
{
	static const char * const cgroups[] = { TENANTS, TENANT, TENANT_VM };
	int i;

	TEST_ASSERT(!mount("none", RECLAIM_CGROUPS, "cgroup2", 0, NULL) ||
		    errno == EBUSY, RECLAIM_CGROUPS);
	reclaim_write(RECLAIM_CGROUPS "/cgroup.subtree_control", "+memory");
	for (i = 0; i < ARRAY_SIZE(cgroups); i++)
		TEST_ASSERT(!mkdir(cgroups[i], 0700) || errno == EEXIST, "%s",
			    cgroups[i]);
	reclaim_write(TENANTS "/cgroup.subtree_control", "+memory");
}

static inline pid_t tenant_start(void)
{
	int ready[2];
	pid_t pid;
	char *mem;
	char c;

	TEST_ASSERT(!pipe(ready), "pipe");
	pid = fork();
	TEST_ASSERT(pid >= 0, "fork");
	if (!pid) {
		tenant_enter(TENANT);
		mem = mmap(NULL, TENANT_SIZE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		TEST_ASSERT(mem != MAP_FAILED &&
			    !madvise(mem, TENANT_SIZE, MADV_NOHUGEPAGE), "mmap");
		memset(mem, 1, TENANT_SIZE);
		TEST_ASSERT(write(ready[1], "", 1) == 1, "write");
		for (;;)
			pause();
	}
	close(ready[1]);
	TEST_ASSERT(read(ready[0], &c, 1) == 1, "the tenant failed");
	close(ready[0]);
	return pid;
}

static inline void tenant_end(pid_t pid)
{
	TEST_ASSERT(!kill(pid, SIGKILL) && waitpid(pid, NULL, 0) == pid, "kill");
}

#endif /* SELFTEST_KVM_HYPERUPCALL_RECLAIM_TENANT_H */
