// SPDX-License-Identifier: GPL-2.0
/*
 * shootdown munmap|membarrier THREADS SECONDS: one thread causes an IPI to
 * every CPU that runs this process, over and over, while the others compute.
 *
 * munmap:	map, touch and unmap 16 pages: a TLB shootdown
 * membarrier:	a private expedited membarrier: an IPI that is no TLB flush
 *
 * There is one thread on each CPU. Computing threads never pause: they are
 * what a flush has to interrupt. If file descriptor 3 is open, the lines
 * "mark begin" and "mark end" go there just before and after the loop, and an
 * answer is waited for. Prints one line of NAME=VALUE words.
 */
#define _GNU_SOURCE
#include <linux/membarrier.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define NR_PAGES	16
#define MARK_FD		3

static pthread_barrier_t start;
static atomic_int running;
static atomic_bool stop;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static unsigned long long now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

static void run_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die("sched_setaffinity");
}

/* How many call-function interrupts the CPUs took. */
static unsigned long long calls_received(void)
{
	unsigned long long sum = 0;
	char line[1024];
	FILE *f;

	f = fopen("/proc/interrupts", "r");
	if (!f)
		die("/proc/interrupts");
	while (fgets(line, sizeof(line), f)) {
		char *p = strchr(line, ':'), *end;

		if (!strstr(line, "CAL:"))
			continue;
		for (p++; ; p = end) {
			unsigned long long n = strtoull(p, &end, 10);

			if (end == p)
				break;
			sum += n;
		}
	}
	fclose(f);
	return sum;
}

static void tell(const char *word)
{
	char answer[16];

	if (dprintf(MARK_FD, "mark %s\n", word) < 0)
		return;
	if (read(MARK_FD, answer, sizeof(answer)) <= 0)
		die("control port");
}

static void *compute(void *cpu)
{
	unsigned long x = 1;

	run_on((long)cpu);
	pthread_barrier_wait(&start);
	running++;
	while (!stop)
		x = x * 6364136223846793005UL + 1;
	return (void *)x;
}

static void do_munmap(void)
{
	long page = sysconf(_SC_PAGESIZE);
	char *p;

	p = mmap(NULL, NR_PAGES * page, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		die("mmap");
	for (int i = 0; i < NR_PAGES; i++)
		p[i * page] = 1;
	if (munmap(p, NR_PAGES * page))
		die("munmap");
}

static void membarrier(int cmd)
{
	if (syscall(SYS_membarrier, cmd, 0, 0))
		die("membarrier");
}

static void do_membarrier(void)
{
	membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED);
}

int main(int argc, char **argv)
{
	unsigned long long ns, begin, limit, received, ops = 0;
	void (*op)(void);
	int threads;

	if (argc != 4) {
		fprintf(stderr, "usage: shootdown munmap|membarrier THREADS SECONDS\n");
		return 2;
	}
	op = strcmp(argv[1], "membarrier") ? do_munmap : do_membarrier;
	threads = atoi(argv[2]);
	limit = strtod(argv[3], NULL) * 1e9;

	membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED);
	run_on(0);
	pthread_barrier_init(&start, NULL, threads);
	for (long cpu = 1; cpu < threads; cpu++) {
		pthread_t thread;

		if (pthread_create(&thread, NULL, compute, (void *)cpu))
			die("pthread_create");
	}
	received = calls_received();
	tell("begin");
	pthread_barrier_wait(&start);
	/* A thread that is not there yet would make the first IPIs cheap. */
	while (running < threads - 1)
		sched_yield();
	begin = now_ns();
	do {
		op();
		ops++;
		ns = now_ns() - begin;
	} while (ns < limit);
	stop = true;
	tell("end");
	received = calls_received() - received;
	printf("ops=%llu ns=%llu received=%llu\n", ops, ns, received);
	return 0;
}
