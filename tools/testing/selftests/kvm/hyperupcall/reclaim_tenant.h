/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Somebody else on the host: a process with memory that it does not use, in a
 * cgroup of its own beside that of a VM.
 */
#ifndef SELFTEST_KVM_HYPERUPCALL_RECLAIM_TENANT_H
#define SELFTEST_KVM_HYPERUPCALL_RECLAIM_TENANT_H

#include <sys/socket.h>
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

struct tenant {
	pid_t pid;
	int fd;
};

static inline void tenant_run(int fd)
{
	char *mem, c;

	tenant_enter(TENANT);
	mem = mmap(NULL, TENANT_SIZE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	TEST_ASSERT(mem != MAP_FAILED &&
		    !madvise(mem, TENANT_SIZE, MADV_NOHUGEPAGE), "mmap");
	TEST_ASSERT(read(fd, &c, 1) == 1, "read");
	memset(mem, 1, TENANT_SIZE);
	TEST_ASSERT(write(fd, "", 1) == 1, "write");
	for (;;)
		pause();
}

/* Comes from fork(): before there is a VM whose memory it would share. */
static inline void tenant_start(struct tenant *tenant)
{
	int fds[2];

	TEST_ASSERT(!socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), "socket");
	tenant->pid = fork();
	TEST_ASSERT(tenant->pid >= 0, "fork");
	if (!tenant->pid)
		tenant_run(fds[1]);
	close(fds[1]);
	tenant->fd = fds[0];
}

/* Has its memory from now on. */
static inline void tenant_fill(struct tenant *tenant)
{
	char c;

	TEST_ASSERT(write(tenant->fd, "", 1) == 1 &&
		    read(tenant->fd, &c, 1) == 1, "the tenant failed");
}

static inline void tenant_end(struct tenant *tenant)
{
	TEST_ASSERT(!kill(tenant->pid, SIGKILL) &&
		    waitpid(tenant->pid, NULL, 0) == tenant->pid, "kill");
	close(tenant->fd);
}

#endif /* SELFTEST_KVM_HYPERUPCALL_RECLAIM_TENANT_H */
