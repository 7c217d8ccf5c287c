// SPDX-License-Identifier: GPL-2.0
/*
 * hold_page FILE: in L2, takes a page of memory above 4 GiB and keeps it where it
 * is: it is in a pipe, so that its memory block does not go offline. FILE says the
 * block; the page is given back when FILE.stop exists.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#define PAGE_SIZE	4096UL
#define NR_PAGES	4096
#define ABOVE		0x100000000UL

static void die(const char *what)
{
	perror(what);
	exit(1);
}

/* The physical address of a page that is there. */
static uint64_t physical(const char *page)
{
	int fd = open("/proc/self/pagemap", O_RDONLY);
	uint64_t entry;

	if (fd < 0 || pread(fd, &entry, sizeof(entry),
			    (uintptr_t)page / PAGE_SIZE * sizeof(entry)) !=
		      sizeof(entry))
		die("pagemap");
	close(fd);
	return (entry & ((1UL << 55) - 1)) * PAGE_SIZE;
}

static uint64_t block_size(void)
{
	FILE *file = fopen("/sys/devices/system/memory/block_size_bytes", "r");
	unsigned long size;

	if (!file || fscanf(file, "%lx", &size) != 1)
		die("block_size_bytes");
	fclose(file);
	return size;
}

static char *find_page(void)
{
	char *pages = mmap(NULL, NR_PAGES * PAGE_SIZE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (pages == MAP_FAILED)
		die("mmap");
	for (int i = 0; i < NR_PAGES; i++) {
		pages[i * PAGE_SIZE] = 1;
		if (physical(pages + i * PAGE_SIZE) >= ABOVE)
			return pages + i * PAGE_SIZE;
	}
	fprintf(stderr, "no page above 4 GiB\n");
	exit(1);
}

int main(int argc, char **argv)
{
	struct iovec page = { .iov_len = PAGE_SIZE };
	char stop[256];
	FILE *file;
	int fds[2];

	if (argc != 2) {
		fprintf(stderr, "usage: hold_page FILE\n");
		return 1;
	}
	snprintf(stop, sizeof(stop), "%s.stop", argv[1]);

	page.iov_base = find_page();
	if (pipe(fds) || vmsplice(fds[1], &page, 1, 0) != (ssize_t)PAGE_SIZE)
		die("vmsplice");
	file = fopen(argv[1], "w");
	if (!file)
		die(argv[1]);
	fprintf(file, "%lu\n", physical(page.iov_base) / block_size());
	fclose(file);

	while (access(stop, F_OK))
		usleep(100000);
	return 0;
}
