/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The tracepoints kvm:kvm_hyperupcall_*, in a trace instance of the test's
 * own.
 */
#ifndef SELFTEST_KVM_HYPERUPCALL_OBSERVE_TRACE_H
#define SELFTEST_KVM_HYPERUPCALL_OBSERVE_TRACE_H

#include <limits.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "test_util.h"

#define TRACE_LINES	256

struct trace {
	char mount[32];
	char dir[64];
	unsigned int nr_lines;
	char lines[TRACE_LINES][256];	/* from the event's name on */
};

static inline void trace_write(const struct trace *t, const char *file,
			       const char *what)
{
	char path[PATH_MAX];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", t->dir, file);
	f = fopen(path, "w");
	TEST_ASSERT(f, "cannot open %s: %s", path, strerror(errno));
	TEST_ASSERT(fputs(what, f) >= 0 && !fclose(f), "cannot write %s", path);
}

static inline bool trace_open(struct trace *t)
{
	memset(t, 0, sizeof(*t));
	snprintf(t->mount, sizeof(t->mount), "/tmp/tracefs.XXXXXX");
	if (!mkdtemp(t->mount) || mount("tracefs", t->mount, "tracefs", 0, NULL))
		return false;
	snprintf(t->dir, sizeof(t->dir), "%s/instances/hyperupcall.%d", t->mount,
		 getpid());
	TEST_ASSERT(!mkdir(t->dir, 0700), "cannot create %s: %s", t->dir,
		    strerror(errno));
	return true;
}

static inline void trace_close(struct trace *t)
{
	trace_write(t, "events/enable", "0");
	rmdir(t->dir);
	umount(t->mount);
	rmdir(t->mount);
}

/* @event is an event's file, such as "kvm_hyperupcall_run/enable". */
static inline void trace_start(const struct trace *t, const char *event)
{
	char file[128];

	snprintf(file, sizeof(file), "events/kvm/%s/enable", event);
	trace_write(t, "trace", "");
	trace_write(t, file, "1");
}

/* Fills in the lines of @vm since the start, and stops. */
static inline void trace_stop(struct trace *t, pid_t vm)
{
	char path[PATH_MAX], line[1024], pattern[32], *event;
	FILE *f;

	trace_write(t, "events/enable", "0");
	snprintf(pattern, sizeof(pattern), ": vm %d ", vm);
	snprintf(path, sizeof(path), "%s/trace", t->dir);
	f = fopen(path, "r");
	TEST_ASSERT(f, "cannot open %s", path);
	t->nr_lines = 0;
	while (fgets(line, sizeof(line), f)) {
		event = strstr(line, "kvm_hyperupcall_");
		if (line[0] == '#' || !event || !strstr(event, pattern))
			continue;
		TEST_ASSERT(t->nr_lines < TRACE_LINES, "too many lines");
		event[strcspn(event, "\n")] = '\0';
		snprintf(t->lines[t->nr_lines++], sizeof(t->lines[0]), "%s",
			 event);
	}
	fclose(f);
}

#endif /* SELFTEST_KVM_HYPERUPCALL_OBSERVE_TRACE_H */
