// SPDX-License-Identifier: GPL-2.0-only
/*
 * A VMM may have its kernel look again and again whether it has taken memory
 * away. That is a worker's time, which nobody is charged for: it rests between.
 */
#include <glob.h>
#include <time.h>

#include "kvm_test_harness.h"
#include "taken_memory.h"

#define NR_LOOKED_AT	512	/* pages, which takes less than a tick */
#define DURATION_NS	2000000000

/* The first word of a file of a process, which may be gone. */
static void read_word(const char *proc, const char *name, char word[32])
{
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", proc, name);
	word[0] = 0;
	f = fopen(path, "r");
	if (!f)
		return;
	if (fscanf(f, "%31s", word) != 1)
		word[0] = 0;
	fclose(f);
}

/* What workers of unbound queues have had of the CPUs, in nanoseconds. */
static uint64_t worker_ns(void)
{
	uint64_t sum = 0;
	char word[32];
	glob_t procs;
	size_t i;

	TEST_ASSERT(!glob("/proc/[0-9]*", 0, NULL, &procs), "/proc");
	for (i = 0; i < procs.gl_pathc; i++) {
		read_word(procs.gl_pathv[i], "comm", word);
		if (strncmp(word, "kworker/u", 9))
			continue;
		read_word(procs.gl_pathv[i], "schedstat", word);
		sum += strtoull(word, NULL, 10);
	}
	globfree(&procs);
	return sum;
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return timespec_to_ns(now);
}

FIXTURE(rest) {
	struct hup *h;
	struct hup_mem mem;
};

FIXTURE_SETUP(rest)
{
	static const struct kvm_hyperupcall_policy policy = {
		.mem_percent = 100,
	};

	self->h = hup_create_policy(1, &policy);
	self->mem = hup_add_slot(self->h, VM_MEM_SRC_ANONYMOUS, SLOT,
				 NR_LOOKED_AT, 0);
	memset(self->mem.hva, 1, self->mem.size);
	ASSERT_LT(0, hup_map(self->h, self->mem.gva, self->mem.size, 0, NULL));
}

FIXTURE_TEARDOWN(rest)
{
	hup_free(self->h);
}

/* Pages that the host may drop are in doubt, but these are pinned and stay. */
static void put_in_doubt(struct hup_mem *mem, size_t size)
{
	TEST_ASSERT(!madvise(mem->hva, size, MADV_FREE), "MADV_FREE");
}

HUP_TEST(rest, longer_than_it_works)
{
	uint64_t start = now_ns(), worked = worker_ns();

	while (now_ns() - start < DURATION_NS) {
		put_in_doubt(&self->mem, self->mem.size);
		usleep(6000);
	}

	worked = worker_ns() - worked;
	EXPECT_LT(0, worked);
	EXPECT_GT((now_ns() - start) / 8, worked);
}

int main(int argc, char **argv)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_HYPERUPCALL));

	return test_harness_run(argc, argv);
}
