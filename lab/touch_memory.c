// SPDX-License-Identifier: GPL-2.0
/*
 * touch_memory MEGABYTES [TIMES PAUSE]: takes that much memory into use, writes
 * to each page, and gives it back; so many times, with so many milliseconds
 * between. Prints how long one took on average, as ns=VALUE.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define PAGE_SIZE	4096UL

static unsigned long now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000UL + ts.tv_nsec;
}

static int use(size_t size)
{
	volatile char *mem;
	size_t offset;

	mem = mmap(NULL, size, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (mem == MAP_FAILED)
		return -1;
	for (offset = 0; offset < size; offset += PAGE_SIZE)
		mem[offset] = 1;
	return munmap((void *)mem, size);
}

int main(int argc, char **argv)
{
	unsigned long i, start, ns = 0, times = 1, pause = 0;
	size_t size;

	if (argc < 2) {
		fprintf(stderr, "usage: touch_memory MEGABYTES [TIMES PAUSE]\n");
		return 2;
	}
	size = strtoul(argv[1], NULL, 0) << 20;
	if (argc > 3) {
		times = strtoul(argv[2], NULL, 0);
		pause = strtoul(argv[3], NULL, 0);
	}

	for (i = 0; i < times; i++) {
		if (i)
			usleep(pause * 1000);
		start = now();
		if (use(size)) {
			perror("touch_memory");
			return 1;
		}
		ns += now() - start;
	}
	printf("ns=%lu\n", ns / times);
	return 0;
}
