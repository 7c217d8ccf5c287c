// SPDX-License-Identifier: GPL-2.0
/*
 * shootdown_check THREADS SECONDS: would see a lost TLB flush.
 *
 * One thread maps a page at a fixed address, waits until another has used it,
 * and takes it away in one of several ways. Once that system call has
 * returned, nobody may reach the page through that address any more:
 *
 * - Readers: each page carries the number of its generation. Before it reads
 *   the page, a reader reads which generation was retired last. To find that
 *   one in the page, or an older one, or something that never was there (the
 *   page belongs to another mapping now), is to have used a stale translation.
 *
 * - Writers: each counts in its own word of the page. The mapper sees the same
 *   page through another mapping, where no word may change any more.
 *
 * A stale translation is seen while its CPU stays in the guest: on emulated
 * SVM every VM entry flushes. So readers never make a system call, and need a
 * CPU of their own beside the mapper's, thus at least two CPUs in L1. PAUSE
 * makes the single-threaded emulator turn to the next CPU.
 *
 * There is one thread on each CPU. Prints one line of NAME=VALUE words; the
 * status is 1 if a flush was lost, 2 if the test could not tell.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

#define PAGE_SIZE	4096UL
#define NR_PAGES	64
#define MAX_THREADS	64
#define MAX_REPORTS	10
#define PAUSES		200
#define MAX_SLEEPS	50

#define TAG		0x4755000000000000UL	/* marks a generation */
#define REUSED		0x6b6b6b6b6b6b6b6bUL	/* in a page that was reused */

/* One page: the generation, and a word a thread to count in. */
struct page {
	atomic_ulong generation;
	atomic_ulong count[MAX_THREADS];
};

static struct page *const window = (void *)0x200000000000UL;
static struct page *const aside = (void *)0x210000000000UL;

static int memory;			/* a memfd of NR_PAGES pages ... */
static char *other_view;		/* ... as nobody takes away */

static atomic_ulong retired;	/* no older one may be read */
static atomic_ulong touched;	/* the last one that was used */
static atomic_bool mapped;
static atomic_bool stop;
static atomic_ulong lost;

static __thread sigjmp_buf no_page;

static void die(const char *what)
{
	perror(what);
	exit(2);
}

static void pause_cpu(void)
{
	__builtin_ia32_pause();
}

static void report(const char *how, const char *what, unsigned long is,
		   unsigned long was)
{
	if (lost++ < MAX_REPORTS)
		printf("lost flush: %s, %s, %#lx after %#lx\n", what, how, is,
		       was);
}

static void run_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die("sched_setaffinity");
}

static void map_window(int flags, int fd, off_t offset)
{
	if (mmap(window, PAGE_SIZE, PROT_READ | PROT_WRITE, flags | MAP_FIXED,
		 fd, offset) == MAP_FAILED)
		die("mmap");
}

/* The ways to take a page away. */

static void do_munmap(void)
{
	if (munmap(window, PAGE_SIZE))
		die("munmap");
}

static void do_protect_read(void)
{
	if (mprotect(window, PAGE_SIZE, PROT_READ))
		die("mprotect");
}

static void do_protect_none(void)
{
	if (mprotect(window, PAGE_SIZE, PROT_NONE))
		die("mprotect");
}

static void do_map_over(void)
{
	map_window(MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void do_mremap(void)
{
	if (mremap(window, PAGE_SIZE, PAGE_SIZE, MREMAP_MAYMOVE | MREMAP_FIXED,
		   aside) == MAP_FAILED)
		die("mremap");
}

static void do_dontneed(void)
{
	if (madvise(window, PAGE_SIZE, MADV_DONTNEED))
		die("madvise");
}

static const struct way {
	const char *name;
	void (*take)(void);
	bool shared;		/* a page of the memfd, or an anonymous one */
	bool readable;		/* readers may go on */
} ways[] = {
	{ "munmap",			do_munmap,	 .shared = true },
	{ "munmap of private memory",	do_munmap,	 .shared = false },
	{ "mprotect(PROT_READ)",	do_protect_read, .shared = true,
							 .readable = true },
	{ "mprotect(PROT_NONE)",	do_protect_none, .shared = true },
	{ "mmap(MAP_FIXED)",		do_map_over,	 .shared = true },
	{ "mremap",			do_mremap,	 .shared = true },
	{ "madvise(MADV_DONTNEED)",	do_dontneed,	 .shared = false },
};

static const char *way_name(unsigned long generation)
{
	return ways[generation % ARRAY_SIZE(ways)].name;
}

static void on_fault(int signal)
{
	(void)signal;
	siglongjmp(no_page, 1);
}

/* A page that is not there is what a flush is for: wait for the next. */
static void *use(void *arg)
{
	long cpu = (long)arg;
	unsigned long before, found, generation;

	run_on(cpu);
	sigsetjmp(no_page, 0);
	while (!mapped && !stop)
		pause_cpu();
	while (!stop) {
		before = retired;
		found = window->generation;
		generation = found & ~TAG;
		if (found && ((found & TAG) != TAG || generation <= before))
			report("read", way_name(before), found, before);
		window->count[cpu]++;
		if ((found & TAG) == TAG && generation > touched)
			touched = generation;
		pause_cpu();
	}
	return NULL;
}

/* Makes the kernel use the page again, if it is free, for somebody else. */
static void reuse_memory(void)
{
	unsigned long *p;

	p = mmap(NULL, 4 * PAGE_SIZE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		die("mmap");
	for (unsigned long i = 0; i < 4 * PAGE_SIZE / sizeof(*p); i++)
		p[i] = REUSED;
	for (int i = 0; i < PAUSES; i++)
		pause_cpu();
	if (munmap(p, 4 * PAGE_SIZE))
		die("munmap");
}

/* Nobody may write to the page any more. */
static void watch(const struct page *page, const char *name)
{
	unsigned long count[MAX_THREADS];

	for (int i = 0; i < MAX_THREADS; i++)
		count[i] = page->count[i];
	for (int i = 0; i < PAUSES; i++)
		pause_cpu();
	for (int i = 0; i < MAX_THREADS; i++)
		if (page->count[i] != count[i])
			report("write", name, page->count[i], count[i]);
}

/*
 * Pausing is best: whoever uses the page is in the guest then. If all others
 * wait for our CPU, only sleeping helps.
 */
static bool wait_for_use(unsigned long generation)
{
	for (int sleeps = 0; sleeps < MAX_SLEEPS; sleeps++) {
		for (int i = 0; i < 50 * PAUSES && touched < generation; i++)
			pause_cpu();
		if (touched >= generation)
			return true;
		usleep(1000);
	}
	return false;
}

/* Returns whether another thread used the page while it was there. */
static bool take_away(unsigned long generation)
{
	const struct way *way = &ways[generation % ARRAY_SIZE(ways)];
	off_t offset = generation % NR_PAGES * PAGE_SIZE;
	struct page *page = (void *)(other_view + offset);
	bool used;

	if (way->shared) {
		page->generation = generation | TAG;
		map_window(MAP_SHARED, memory, offset);
	} else {
		map_window(MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		window->generation = generation | TAG;
	}
	mapped = true;
	used = wait_for_use(generation);
	way->take();
	if (!way->readable)
		retired = generation;
	if (way->shared)
		watch(page, way->name);
	else
		reuse_memory();
	mapped = false;
	munmap(window, PAGE_SIZE);
	retired = generation;
	return used;
}

int main(int argc, char **argv)
{
	struct sigaction fault = {
		.sa_handler = on_fault,
		.sa_flags = SA_NODEFER,
	};
	unsigned long generation = 0, used = 0;
	time_t end;
	int threads;

	if (argc != 3) {
		fprintf(stderr, "usage: shootdown_check THREADS SECONDS\n");
		return 2;
	}
	threads = atoi(argv[1]);
	if (threads < 2 || threads > MAX_THREADS)
		return 2;
	end = time(NULL) + atoi(argv[2]);

	memory = memfd_create("shootdown", 0);
	if (memory < 0 || ftruncate(memory, NR_PAGES * PAGE_SIZE))
		die("memfd");
	other_view = mmap(NULL, NR_PAGES * PAGE_SIZE, PROT_READ | PROT_WRITE,
			  MAP_SHARED, memory, 0);
	if (other_view == MAP_FAILED)
		die("mmap");
	sigaction(SIGSEGV, &fault, NULL);
	sigaction(SIGBUS, &fault, NULL);

	run_on(0);
	for (long cpu = 1; cpu < threads; cpu++) {
		pthread_t thread;

		if (pthread_create(&thread, NULL, use, (void *)cpu))
			die("pthread_create");
	}
	while (time(NULL) < end)
		used += take_away(++generation);
	stop = true;
	printf("taken=%lu used=%lu lost=%lu\n", generation, used, lost);
	if (lost)
		return 1;
	return used ? 0 : 2;
}
