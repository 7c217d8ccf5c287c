// SPDX-License-Identifier: GPL-2.0
/*
 * churn [-p PORT] PROCESSES MEGABYTES FOLDER...: would see a page whose content
 * is lost.
 *
 * Each process takes memory of one kind after the other, fills it, and checks
 * and frees it some turns later, until it has filled its share. What is in the
 * memory names the process, the turn and the place. Kinds that need files use
 * the folders, which may be of a disk (there with direct I/O, too) or a tmpfs;
 * one needs a port of the host's vsock, where somebody sends back what comes.
 *
 * Prints how much of each kind there was, and one line a difference, at first;
 * the status is 1 if there was one, 2 if it could not go on.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

#define KIB		1024UL
#define MIB		(1024 * KIB)
#define LINE		64	/* bytes, of which a word is filled */
#define NR_HELD		8	/* pieces that a process has at a time */
#define MAX_REPORTS	10

/* What is told of all processes. */
struct totals {
	unsigned long filled[16];	/* bytes, by kind */
	unsigned long differences;
};

static struct totals *totals;
static unsigned int process;
static char **folders;
static unsigned int nr_folders;
static unsigned int port;

/* A piece of memory of some kind. */
struct piece {
	const struct kind *kind;
	const char *folder;
	unsigned long turn;
	void *mem;
	size_t size;
	int fd;
	int fd2;
};

/**
 * struct kind - a way to use memory
 * @name: its name
 * @size: of a piece, in bytes
 * @needs: what has to be there for it, or nothing
 * @fill: takes a piece and fills it
 * @check: looks at it and frees it
 */
struct kind {
	const char *name;
	size_t size;
	unsigned int *needs;
	void (*fill)(struct piece *p);
	void (*check)(struct piece *p);
};

static void die(const char *what)
{
	fprintf(stderr, "churn: %s: %m\n", what);
	exit(2);
}

static uint64_t word_at(const struct piece *p, size_t offset)
{
	return (uint64_t)process << 56 | p->turn << 32 | offset;
}

static void fill(const struct piece *p, void *mem, size_t size)
{
	size_t offset;

	for (offset = 0; offset < size; offset += LINE)
		*(volatile uint64_t *)(mem + offset) = word_at(p, offset);
}

static void check(const struct piece *p, const void *mem, size_t size)
{
	uint64_t is, want;
	size_t offset;

	for (offset = 0; offset < size; offset += LINE) {
		is = *(volatile uint64_t *)(mem + offset);
		want = word_at(p, offset);
		if (is == want)
			continue;
		if (__atomic_fetch_add(&totals->differences, 1,
				       __ATOMIC_RELAXED) < MAX_REPORTS)
			printf("%s: %#lx instead of %#lx\n", p->kind->name, is,
			       want);
	}
}

static void *map(size_t size, int flags, int fd)
{
	void *mem = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fd, 0);

	if (mem == MAP_FAILED)
		die("mmap");
	return mem;
}

static void fill_anon(struct piece *p)
{
	p->mem = map(p->size, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	fill(p, p->mem, p->size);
}

static void check_anon(struct piece *p)
{
	check(p, p->mem, p->size);
	munmap(p->mem, p->size);
}

static void fill_huge(struct piece *p)
{
	p->mem = map(p->size, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	madvise(p->mem, p->size, MADV_HUGEPAGE);
	fill(p, p->mem, p->size);
}

/* A child sees what was there when it began, and what it writes is its own. */
static void check_fork(struct piece *p)
{
	pid_t pid = fork();
	int status;

	if (pid < 0)
		die("fork");
	if (!pid) {
		check(p, p->mem, p->size);
		p->turn++;
		fill(p, p->mem, p->size / 2);
		usleep(1000);
		check(p, p->mem, p->size / 2);
		_exit(0);
	}
	if (waitpid(pid, &status, 0) != pid || status)
		die("a child");
	check_anon(p);
}

/* A file without a name. */
static int create(const struct piece *p, int flags)
{
	int fd = open(p->folder, O_TMPFILE | O_RDWR | flags, 0600);

	if (fd < 0)
		die(p->folder);
	return fd;
}

static void *buffer(size_t size)
{
	void *mem = map(size, MAP_PRIVATE | MAP_ANONYMOUS, -1);

	return mem;
}

/* Written by write(), read through a mapping. */
static void fill_file(struct piece *p)
{
	void *mem = buffer(p->size);

	p->fd = create(p, 0);
	fill(p, mem, p->size);
	if (pwrite(p->fd, mem, p->size, 0) != (ssize_t)p->size)
		die("write");
	munmap(mem, p->size);
}

static void check_file(struct piece *p)
{
	void *mem = map(p->size, MAP_SHARED, p->fd);

	check(p, mem, p->size);
	munmap(mem, p->size);
	close(p->fd);
}

/* From memory to the disk and back, by the device. */
static void fill_direct(struct piece *p)
{
	p->mem = buffer(p->size);
	p->fd = create(p, O_DIRECT);
	fill(p, p->mem, p->size);
	if (pwrite(p->fd, p->mem, p->size, 0) != (ssize_t)p->size)
		die("direct write");
}

static void check_direct(struct piece *p)
{
	void *mem = buffer(p->size);

	check(p, p->mem, p->size);
	munmap(p->mem, p->size);
	if (pread(p->fd, mem, p->size, 0) != (ssize_t)p->size)
		die("direct read");
	check(p, mem, p->size);
	munmap(mem, p->size);
	close(p->fd);
}

static void send_piece(const struct piece *p)
{
	void *mem = buffer(p->size);

	fill(p, mem, p->size);
	if (write(p->fd, mem, p->size) != (ssize_t)p->size)
		die("socket");
	munmap(mem, p->size);
}

static void check_received(struct piece *p)
{
	void *mem = buffer(p->size);
	size_t done = 0;
	ssize_t n;

	while (done < p->size) {
		n = read(p->fd2, mem + done, p->size - done);
		if (n <= 0)
			die("socket");
		done += n;
	}
	check(p, mem, p->size);
	munmap(mem, p->size);
	close(p->fd);
	close(p->fd2);
}

/* In the kernel's own memory, until somebody reads it. */
static void fill_socket(struct piece *p)
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds))
		die("socketpair");
	p->fd = fds[0];
	p->fd2 = fds[1];
	send_piece(p);
}

/* To the host and back, which vhost reads and writes for the guest. */
static void fill_vsock(struct piece *p)
{
	struct sockaddr_vm addr = {
		.svm_family = AF_VSOCK,
		.svm_cid = VMADDR_CID_HOST,
		.svm_port = port,
	};

	p->fd = socket(AF_VSOCK, SOCK_STREAM, 0);
	p->fd2 = dup(p->fd);
	if (connect(p->fd, (struct sockaddr *)&addr, sizeof(addr)))
		die("vsock");
	send_piece(p);
}

static const struct kind kinds[] = {
	{ "anonymous", 3 * MIB, NULL, fill_anon, check_anon },
	{ "huge", 4 * MIB, NULL, fill_huge, check_anon },
	{ "file", 2 * MIB, &nr_folders, fill_file, check_file },
	{ "forked", 1 * MIB, NULL, fill_anon, check_fork },
	{ "socket", 96 * KIB, NULL, fill_socket, check_received },
	{ "direct", 1 * MIB, &nr_folders, fill_direct, check_direct },
	/* Nobody has to wait for so much to be read. */
	{ "vsock", 192 * KIB, &port, fill_vsock, check_received },
};

static void churn(unsigned long bytes)
{
	struct piece held[NR_HELD] = {};
	unsigned long filled = 0, turn;
	struct piece *p;
	size_t kind;

	for (turn = 1; filled < bytes; turn++) {
		kind = turn % ARRAY_SIZE(kinds);
		if (kinds[kind].needs && !*kinds[kind].needs)
			continue;
		p = &held[turn % NR_HELD];
		if (p->kind)
			p->kind->check(p);

		p->kind = &kinds[kind];
		p->turn = turn;
		/* Each kind comes to each folder. */
		if (nr_folders)
			p->folder = folders[turn / ARRAY_SIZE(kinds) % nr_folders];
		p->size = kinds[kind].size;
		p->kind->fill(p);
		filled += p->size;
		__atomic_fetch_add(&totals->filled[kind], p->size,
				   __ATOMIC_RELAXED);
	}

	for (p = held; p < held + NR_HELD; p++) {
		if (p->kind)
			p->kind->check(p);
	}
}

static unsigned long filled_by_all(void)
{
	unsigned long bytes = 0;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		bytes += totals->filled[i];
	return bytes;
}

static int wait_for_all(void)
{
	int status, failed = 0;

	while (wait(&status) > 0)
		failed |= status;
	return failed;
}

int main(int argc, char **argv)
{
	unsigned long nr_processes, bytes;
	size_t i;

	if (argc > 2 && !strcmp(argv[1], "-p")) {
		port = strtoul(argv[2], NULL, 0);
		argc -= 2;
		argv += 2;
	}
	if (argc < 3) {
		fprintf(stderr,
			"usage: churn [-p PORT] PROCESSES MEGABYTES FOLDER...\n");
		return 2;
	}
	nr_processes = strtoul(argv[1], NULL, 0);
	bytes = strtoul(argv[2], NULL, 0) * MIB;
	folders = argv + 3;
	nr_folders = argc - 3;
	setvbuf(stdout, NULL, _IOLBF, 0);

	totals = map(sizeof(*totals), MAP_SHARED | MAP_ANONYMOUS, -1);
	for (process = 1; process <= nr_processes; process++) {
		pid_t pid = fork();

		if (pid < 0)
			die("fork");
		if (!pid) {
			churn(bytes / nr_processes);
			_exit(0);
		}
	}

	if (wait_for_all())
		return 2;
	if (filled_by_all() < bytes / nr_processes * nr_processes) {
		fprintf(stderr, "churn: not all was filled\n");
		return 2;
	}
	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		printf("%s=%luM ", kinds[i].name, totals->filled[i] / MIB);
	printf("differences=%lu\n", totals->differences);
	return totals->differences != 0;
}
