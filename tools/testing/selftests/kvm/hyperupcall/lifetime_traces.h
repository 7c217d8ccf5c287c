/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What hyperupcalls leave behind in a host, and should not.
 */
#ifndef SELFTEST_KVM_HYPERUPCALL_LIFETIME_TRACES_H
#define SELFTEST_KVM_HYPERUPCALL_LIFETIME_TRACES_H

#include <dirent.h>
#include <linux/bpf.h>
#include <sys/syscall.h>

#include "test_util.h"

#define DEBUGFS_KVM	"/sys/kernel/debug/kvm"

/**
 * struct traces - what there is in the whole system
 * @progs: BPF programs
 * @pins: pages pinned by get_user_pages()
 * @vms: virtual machines
 */
struct traces {
	long progs;
	long pins;
	long vms;
};

static inline long count_progs(void)
{
	union bpf_attr attr = {};
	long n = 0;

	while (!syscall(SYS_bpf, BPF_PROG_GET_NEXT_ID, &attr, sizeof(attr))) {
		attr.start_id = attr.next_id;
		n++;
	}
	TEST_ASSERT(errno == ENOENT, "BPF_PROG_GET_NEXT_ID");
	return n;
}

/* Statistics of memory are kept a CPU each for a while. */
static inline void refresh_vmstat(void)
{
	FILE *f = fopen("/proc/sys/vm/stat_refresh", "w");

	TEST_ASSERT(f && fputs("1\n", f) >= 0 && !fclose(f),
		    "cannot refresh /proc/vmstat");
}

static inline long count_pins(void)
{
	long value, acquired = -1, released = -1;
	char name[64];
	FILE *f;

	refresh_vmstat();
	f = fopen("/proc/vmstat", "r");
	TEST_ASSERT(f, "cannot read /proc/vmstat");
	while (fscanf(f, "%63s %ld", name, &value) == 2) {
		if (!strcmp(name, "nr_foll_pin_acquired"))
			acquired = value;
		else if (!strcmp(name, "nr_foll_pin_released"))
			released = value;
	}
	fclose(f);
	TEST_ASSERT(acquired >= 0 && released >= 0, "no pins in /proc/vmstat");
	return acquired - released;
}

static inline long count_vms(void)
{
	DIR *dir = opendir(DEBUGFS_KVM);
	struct dirent *entry;
	long n = 0;

	TEST_ASSERT(dir, "no " DEBUGFS_KVM);
	while ((entry = readdir(dir))) {
		if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
			n++;
	}
	closedir(dir);
	return n;
}

static inline struct traces find_traces(void)
{
	return (struct traces) {
		.progs = count_progs(),
		.pins = count_pins(),
		.vms = count_vms(),
	};
}

/* A process is gone before everything that it used is freed. */
static inline struct traces wait_for_traces(const struct traces *want)
{
	struct traces now;
	int i;

	for (i = 0; i < 100; i++) {
		now = find_traces();
		if (!memcmp(&now, want, sizeof(now)))
			break;
		usleep(10000);
	}
	return now;
}

#define EXPECT_TRACES(want)						\
({									\
	const struct traces *__want = (want);				\
	struct traces __now = wait_for_traces(__want);			\
									\
	EXPECT_EQ(__want->progs, __now.progs);				\
	EXPECT_EQ(__want->pins, __now.pins);				\
	EXPECT_EQ(__want->vms, __now.vms);				\
})

#endif /* SELFTEST_KVM_HYPERUPCALL_LIFETIME_TRACES_H */
