// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest that loads programs in a loop writes nothing to the host's audit log,
 * where it would push out what others do.
 */
#include <sys/socket.h>
#include <sys/syscall.h>

#include <linux/audit.h>
#include <linux/bpf.h>
#include <linux/netlink.h>

#include "kvm_test_harness.h"
#include "hyperupcall_util.h"

#define NR_LOADS	100

static void audit_enable(int sock)
{
	struct {
		struct nlmsghdr header;
		struct audit_status status;
	} msg = {
		.header = {
			.nlmsg_len = sizeof(msg),
			.nlmsg_type = AUDIT_SET,
			.nlmsg_flags = NLM_F_REQUEST,
		},
		.status = { .mask = AUDIT_STATUS_ENABLED, .enabled = 1 },
	};

	TEST_ASSERT(send(sock, &msg, sizeof(msg), 0) == sizeof(msg),
		    "cannot turn audit on");
}

/* A socket that gets what is logged, or -1 in a kernel without audit. */
static int audit_open(void)
{
	struct sockaddr_nl addr = {
		.nl_family = AF_NETLINK,
		.nl_groups = 1 << (AUDIT_NLGRP_READLOG - 1),
	};
	int sock = socket(AF_NETLINK, SOCK_RAW, NETLINK_AUDIT);

	if (sock < 0)
		return -1;
	TEST_ASSERT(!bind(sock, (struct sockaddr *)&addr, sizeof(addr)),
		    "cannot read the audit log");
	audit_enable(sock);
	return sock;
}

/* Loads a program by bpf(2), which is logged. Returns its id, and its file. */
static unsigned int load_by_syscall(int *fd)
{
	const struct bpf_insn insns[] = {
		BPF_MOV64_IMM(BPF_REG_0, 0), BPF_EXIT_INSN(),
	};
	struct bpf_prog_info info = {};
	union bpf_attr attr = {
		.prog_type = BPF_PROG_TYPE_SOCKET_FILTER,
		.insn_cnt = ARRAY_SIZE(insns),
		.insns = (uintptr_t)insns,
		.license = (uintptr_t)"GPL",
	};

	*fd = syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
	TEST_ASSERT(*fd >= 0, "BPF_PROG_LOAD");
	attr = (union bpf_attr) {
		.info = { *fd, sizeof(info), (uintptr_t)&info },
	};
	TEST_ASSERT(!syscall(SYS_bpf, BPF_OBJ_GET_INFO_BY_FD, &attr, sizeof(attr)),
		    "BPF_OBJ_GET_INFO_BY_FD");
	return info.id;
}

/* How many records of programs are in the log before the one of that program. */
static unsigned int records_before(int sock, unsigned int id)
{
	struct {
		struct nlmsghdr header;
		char text[8192];
	} msg;
	char want[64];
	unsigned int n;
	ssize_t size;

	snprintf(want, sizeof(want), "prog-id=%u op=LOAD", id);
	for (n = 0; ; ) {
		size = recv(sock, &msg, sizeof(msg) - 1, 0);
		TEST_ASSERT(size > 0, "the audit log lost records");
		((char *)&msg)[size] = 0;
		if (msg.header.nlmsg_type != AUDIT_BPF)
			continue;
		if (strstr(msg.text, want))
			return n;
		n++;
	}
}

FIXTURE(audit) {
	struct hup *h;
	int sock;
};

FIXTURE_SETUP(audit)
{
	struct timeval limit = { .tv_sec = 60 };

	self->sock = audit_open();
	if (self->sock < 0)
		SKIP(return, "the kernel has no audit");
	ASSERT_EQ(0, setsockopt(self->sock, SOL_SOCKET, SO_RCVTIMEO, &limit,
				sizeof(limit)));
	self->h = hup_create(1);
}

FIXTURE_TEARDOWN(audit)
{
	hup_free(self->h);
	close(self->sock);
}

HUP_TEST(audit, load_and_unload)
{
	int first, last, i;

	EXPECT_EQ(0, records_before(self->sock, load_by_syscall(&first)));
	for (i = 0; i < NR_LOADS; i++) {
		ASSERT_EQ(0, hup_unload(self->h, hup_load_return(self->h, 0)));
		usleep(30000);
	}
	EXPECT_EQ(0, records_before(self->sock, load_by_syscall(&last)));
	close(first);
	close(last);
}

int main(int argc, char **argv)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_HYPERUPCALL));

	return test_harness_run(argc, argv);
}
