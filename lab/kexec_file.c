// SPDX-License-Identifier: GPL-2.0
/*
 * kexec_file load|crash KERNEL INITRD COMMAND_LINE
 * kexec_file exec
 *
 * Loads the kernel that is to follow this one, or the one that runs when this
 * one panics; or lets the former follow, with the reboot notifiers called.
 */
#include <fcntl.h>
#include <linux/kexec.h>
#include <linux/reboot.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int fail(const char *what)
{
	perror(what);
	return 1;
}

static int load(char **argv, unsigned long flags)
{
	int kernel, initrd;

	kernel = open(argv[2], O_RDONLY);
	if (kernel < 0)
		return fail(argv[2]);
	initrd = open(argv[3], O_RDONLY);
	if (initrd < 0)
		return fail(argv[3]);
	if (syscall(SYS_kexec_file_load, kernel, initrd, strlen(argv[4]) + 1,
		    argv[4], flags))
		return fail("kexec_file_load");
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 5 && !strcmp(argv[1], "load"))
		return load(argv, 0);
	if (argc == 5 && !strcmp(argv[1], "crash"))
		return load(argv, KEXEC_FILE_ON_CRASH);
	if (argc == 2 && !strcmp(argv[1], "exec")) {
		syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2,
			LINUX_REBOOT_CMD_KEXEC, NULL);
		return fail("reboot");
	}
	fprintf(stderr, "usage: kexec_file load|crash KERNEL INITRD COMMAND_LINE\n"
		"       kexec_file exec\n");
	return 2;
}
