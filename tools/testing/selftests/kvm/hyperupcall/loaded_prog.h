/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the host made of a program: bpf(2) shows root the instructions that the
 * verifier leaves and the machine code that the JIT makes of them.
 */
#ifndef SELFTEST_KVM_LOADED_PROG_H
#define SELFTEST_KVM_LOADED_PROG_H

#include <sys/syscall.h>

#include <linux/bpf.h>

#include "hyperupcall_util.h"

#define LOADED_MAX_INSNS	32768
#define LOADED_MAX_CODE		0x100000

struct loaded_prog {
	unsigned int cnt;
	unsigned int code_len;
	struct bpf_insn insns[LOADED_MAX_INSNS];
	uint8_t code[LOADED_MAX_CODE];
};

/* The program that was loaded last. */
static inline struct loaded_prog *loaded_prog(void)
{
	static struct loaded_prog loaded;
	struct bpf_prog_info info = {
		.xlated_prog_len = sizeof(loaded.insns),
		.xlated_prog_insns = (uintptr_t)loaded.insns,
		.jited_prog_len = sizeof(loaded.code),
		.jited_prog_insns = (uintptr_t)loaded.code,
	};
	union bpf_attr attr = {};
	int fd;

	while (!syscall(SYS_bpf, BPF_PROG_GET_NEXT_ID, &attr, sizeof(attr)))
		attr.start_id = attr.next_id;
	attr = (union bpf_attr) { .prog_id = attr.start_id };
	fd = syscall(SYS_bpf, BPF_PROG_GET_FD_BY_ID, &attr, sizeof(attr));
	TEST_ASSERT(fd >= 0, "BPF_PROG_GET_FD_BY_ID");
	attr = (union bpf_attr) {
		.info = { fd, sizeof(info), (uintptr_t)&info },
	};
	TEST_ASSERT(!syscall(SYS_bpf, BPF_OBJ_GET_INFO_BY_FD, &attr, sizeof(attr)),
		    "BPF_OBJ_GET_INFO_BY_FD");
	close(fd);
	loaded.cnt = info.xlated_prog_len / sizeof(struct bpf_insn);
	loaded.code_len = info.jited_prog_len;
	TEST_ASSERT(loaded.cnt && loaded.cnt <= LOADED_MAX_INSNS && info.xlated_prog_insns,
		    "no instructions");
	TEST_ASSERT(loaded.code_len && loaded.code_len <= LOADED_MAX_CODE &&
		    info.jited_prog_insns, "no machine code");
	return &loaded;
}

/* How many barriers (BPF_NOSPEC) the verifier put into [start, end). */
static inline unsigned int loaded_barriers(const struct loaded_prog *p, unsigned int start,
					   unsigned int end)
{
	unsigned int i, n = 0;

	for (i = start; i < end; i++)
		n += p->insns[i].code == (BPF_ST | 0xc0);
	return n;
}

#endif /* SELFTEST_KVM_LOADED_PROG_H */
