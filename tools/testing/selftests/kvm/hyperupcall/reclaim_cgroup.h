/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A cgroup for the calling process, to reclaim what it uses from then on as a
 * host does: by the age of pages, whoever maps them, where MADV_PAGEOUT takes
 * what it is told and leaves alone what others map as well.
 */
#ifndef SELFTEST_KVM_HYPERUPCALL_RECLAIM_CGROUP_H
#define SELFTEST_KVM_HYPERUPCALL_RECLAIM_CGROUP_H

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "reclaim_fixture.h"

#define RECLAIM_CGROUPS		"/sys/fs/cgroup"
#define RECLAIM_CGROUP		RECLAIM_CGROUPS "/hyperupcall_reclaim"

static inline int reclaim_cgroup_write(const char *file, const char *word)
{
	int fd = open(file, O_WRONLY), ret;

	TEST_ASSERT(fd >= 0, "%s", file);
	ret = write(fd, word, strlen(word));
	close(fd);
	return ret;
}

static inline void reclaim_write(const char *file, const char *word)
{
	TEST_ASSERT(reclaim_cgroup_write(file, word) > 0, "%s", file);
}

/* For all of the host. */
static inline void reclaim_set_lru_gen(const char *value)
{
	reclaim_write("/sys/kernel/mm/lru_gen/enabled", value);
}

static inline void reclaim_cgroup_enter(void)
{
	char pid[16];

	TEST_ASSERT(!mount("none", RECLAIM_CGROUPS, "cgroup2", 0, NULL) ||
		    errno == EBUSY, RECLAIM_CGROUPS);
	reclaim_write(RECLAIM_CGROUPS "/cgroup.subtree_control", "+memory");
	TEST_ASSERT(!mkdir(RECLAIM_CGROUP, 0700) || errno == EEXIST,
		    RECLAIM_CGROUP);
	snprintf(pid, sizeof(pid), "%d", getpid());
	reclaim_write(RECLAIM_CGROUP "/cgroup.procs", pid);
}

/*
 * Reclaims more than there is, so often, unless something is discarded. What is
 * taken depends on counts of pages that are up to 4 s old.
 */
static inline void reclaim_cgroup(int times)
{
	unsigned long discarded = reclaim_vmstat("pgdiscard");
	int i;

	for (i = 0; i < times && reclaim_vmstat("pgdiscard") == discarded; i++) {
		sleep(i ? 5 : 0);
		TEST_ASSERT(reclaim_cgroup_write(RECLAIM_CGROUP "/memory.reclaim",
						 "1G") < 0,
			    "more than there is");
	}
}

#endif /* SELFTEST_KVM_HYPERUPCALL_RECLAIM_CGROUP_H */
