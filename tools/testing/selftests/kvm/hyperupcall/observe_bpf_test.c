// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest's programs in bpf(2): root sees them, and whose they are, and can do
 * nothing with them.
 */
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <linux/bpf.h>
#include <linux/perf_event.h>

#include "kvm_test_harness.h"
#include "observe_util.h"

static int sys_bpf(int cmd, union bpf_attr *attr)
{
	int r = syscall(SYS_bpf, cmd, attr, sizeof(*attr));

	return r < 0 ? -errno : r;
}

static int next_id(uint32_t id)
{
	union bpf_attr attr = { .start_id = id };
	int r = sys_bpf(BPF_PROG_GET_NEXT_ID, &attr);

	return r ?: attr.next_id;
}

static int fd_of_id(uint32_t id)
{
	union bpf_attr attr = { .prog_id = id };

	return sys_bpf(BPF_PROG_GET_FD_BY_ID, &attr);
}

static int info_of(int fd, struct bpf_prog_info *info)
{
	union bpf_attr attr = {
		.info = { fd, sizeof(*info), (uintptr_t)info },
	};

	return sys_bpf(BPF_OBJ_GET_INFO_BY_FD, &attr);
}

/* A file descriptor of the guest's program of that name, or -ENOENT. */
static int find_prog(const char *name, struct bpf_prog_info *info)
{
	int id, fd;

	for (id = next_id(0); id > 0; id = next_id(id)) {
		fd = fd_of_id(id);
		if (fd < 0)
			continue;
		memset(info, 0, sizeof(*info));
		TEST_ASSERT(!info_of(fd, info) && info->id == id, "info");
		if (!strcmp(info->name, name))
			return fd;
		close(fd);
	}
	return -ENOENT;
}

FIXTURE(bpf) {
	struct hup *h;
	long prog;
	int fd;
	struct bpf_prog_info info;
};

FIXTURE_SETUP(bpf)
{
	self->h = hup_create(2);
	observe_prepare(self->h);
	self->prog = observe_load_faulty(self->h, "guests.prog", 2, 0);
	ASSERT_LT(0, self->prog);
	self->fd = find_prog("guests.prog", &self->info);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(bpf)
{
	close(self->fd);
	if (self->h)
		hup_free(self->h);
}

HUP_TEST(bpf, information)
{
	struct bpf_prog_info other, *info = &self->info;
	int fd;

	EXPECT_EQ(BPF_PROG_TYPE_HYPERUPCALL, info->type);
	EXPECT_EQ(getpid(), info->vmm_pid);
	EXPECT_EQ(6, info->verified_insns);
	EXPECT_EQ(0, info->nr_map_ids);
	EXPECT_EQ(0, info->btf_id);
	EXPECT_LT(0, info->jited_prog_len);
	EXPECT_LT(0, info->xlated_prog_len);
	EXPECT_EQ(true, info->gpl_compatible == 1);

	/* Those of another VM, and those of nobody. */
	fd = find_prog("not.there", &other);
	EXPECT_EQ(-ENOENT, fd);
	EXPECT_LT(0, observe_load_faulty(self->h, "second", 1, 0));
	fd = find_prog("second", &other);
	EXPECT_LE(0, fd);
	EXPECT_NE(info->id, other.id);
	EXPECT_EQ(getpid(), other.vmm_pid);
	close(fd);
}

static const struct bpf_insn return_0[] = {
	BPF_MOV64_IMM(BPF_REG_0, 0), BPF_EXIT_INSN(),
};

static int load_prog(enum bpf_prog_type type, const struct bpf_insn *insns,
		     uint32_t cnt, uint32_t attach_fd)
{
	union bpf_attr attr = {
		.prog_type = type,
		.insns = (uintptr_t)insns,
		.insn_cnt = cnt,
		.license = (uintptr_t)"GPL",
		.attach_prog_fd = attach_fd,
	};

	return sys_bpf(BPF_PROG_LOAD, &attr);
}

/* A process has a program of its own, and cannot say that it is a guest's. */
HUP_TEST(bpf, no_bpf_prog_load)
{
	struct bpf_prog_info info = {};
	int fd;

	EXPECT_EQ(-EINVAL, load_prog(BPF_PROG_TYPE_HYPERUPCALL, return_0, 2, 0));
	fd = load_prog(BPF_PROG_TYPE_SOCKET_FILTER, return_0, 2, 0);
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, info_of(fd, &info));
	EXPECT_EQ(0, info.vmm_pid);
	close(fd);
}

/* Whatever the test does with the descriptor, it runs nowhere. */
HUP_TEST(bpf, does_not_run)
{
	struct hyperupcall_ctx ctx = {};
	uint8_t data[256] = {};
	union bpf_attr attr = {
		.test = {
			.prog_fd = self->fd,
			.data_size_in = sizeof(data),
			.data_in = (uintptr_t)data,
			.repeat = 1,
		},
	};

	EXPECT_GT(0, sys_bpf(BPF_PROG_TEST_RUN, &attr));
	attr.test.data_size_in = 0;
	attr.test.data_in = 0;
	EXPECT_GT(0, sys_bpf(BPF_PROG_TEST_RUN, &attr));
	attr.test.ctx_size_in = sizeof(ctx);
	attr.test.ctx_in = (uintptr_t)&ctx;
	EXPECT_GT(0, sys_bpf(BPF_PROG_TEST_RUN, &attr));
	attr.test.flags = BPF_F_TEST_RUN_ON_CPU;
	EXPECT_GT(0, sys_bpf(BPF_PROG_TEST_RUN, &attr));
}

/* At no hook, and on no target: files, a socket, a map, itself. */
HUP_TEST(bpf, is_not_attached)
{
	union bpf_attr map = {
		.map_type = BPF_MAP_TYPE_SOCKMAP,
		.key_size = 4,
		.value_size = 4,
		.max_entries = 1,
	};
	int targets[] = {
		0, 1, open("/sys/fs/cgroup", O_RDONLY), open("/", O_RDONLY),
		open("/proc/self/ns/net", O_RDONLY),
		socket(AF_UNIX, SOCK_DGRAM, 0), sys_bpf(BPF_MAP_CREATE, &map),
		self->fd,
	};
	union bpf_attr attr;
	int type, i;

	for (type = 0; type < __MAX_BPF_ATTACH_TYPE; type++) {
		for (i = 0; i < ARRAY_SIZE(targets); i++) {
			attr = (union bpf_attr) {
				.link_create = {
					.prog_fd = self->fd,
					.target_fd = targets[i],
					.attach_type = type,
				},
			};
			EXPECT_GT(0, sys_bpf(BPF_LINK_CREATE, &attr))
				TH_LOG("attach type %d, target %d", type, i);
			attr = (union bpf_attr) {
				.target_fd = targets[i],
				.attach_bpf_fd = self->fd,
				.attach_type = type,
			};
			EXPECT_GT(0, sys_bpf(BPF_PROG_ATTACH, &attr))
				TH_LOG("attach type %d, target %d", type, i);
		}
	}
	for (i = 2; i < ARRAY_SIZE(targets) - 1; i++) {
		if (targets[i] >= 0)
			close(targets[i]);
	}
}

HUP_TEST(bpf, is_no_tracepoint_program)
{
	static const char * const names[] = { "sched_switch", "sys_enter", "" };
	union bpf_attr attr;
	int i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		attr = (union bpf_attr) {
			.raw_tracepoint = {
				.name = (uintptr_t)names[i],
				.prog_fd = self->fd,
			},
		};
		EXPECT_GT(0, sys_bpf(BPF_RAW_TRACEPOINT_OPEN, &attr));
	}
	attr = (union bpf_attr) { .raw_tracepoint.prog_fd = self->fd };
	EXPECT_GT(0, sys_bpf(BPF_RAW_TRACEPOINT_OPEN, &attr));
}

HUP_TEST(bpf, is_no_filter)
{
	struct perf_event_attr event = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(event),
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_period = 1000000,
	};
	int sock = socket(AF_UNIX, SOCK_DGRAM, 0), perf;

	ASSERT_LE(0, sock);
	EXPECT_EQ(-1, setsockopt(sock, SOL_SOCKET, SO_ATTACH_BPF, &self->fd,
				 sizeof(self->fd)));
	EXPECT_EQ(-1, setsockopt(sock, SOL_SOCKET, SO_ATTACH_REUSEPORT_EBPF,
				 &self->fd, sizeof(self->fd)));
	close(sock);

	perf = syscall(SYS_perf_event_open, &event, 0, -1, -1, 0);
	ASSERT_LE(0, perf);
	EXPECT_EQ(-1, ioctl(perf, PERF_EVENT_IOC_SET_BPF, self->fd));
	close(perf);
}

/* Nor does another program hook into it, or in front of it. */
HUP_TEST(bpf, is_no_target)
{
	EXPECT_GT(0, load_prog(BPF_PROG_TYPE_EXT, return_0, 2, self->fd));
	EXPECT_GT(0, load_prog(BPF_PROG_TYPE_TRACING, return_0, 2, self->fd));
	EXPECT_GT(0, load_prog(BPF_PROG_TYPE_LSM, return_0, 2, self->fd));
}

static int create_prog_array(void)
{
	union bpf_attr attr = {
		.map_type = BPF_MAP_TYPE_PROG_ARRAY,
		.key_size = 4,
		.value_size = 4,
		.max_entries = 1,
	};

	return sys_bpf(BPF_MAP_CREATE, &attr);
}

static int put_prog(int map, int prog)
{
	uint32_t key = 0;
	union bpf_attr attr = {
		.map_fd = map,
		.key = (uintptr_t)&key,
		.value = (uintptr_t)&prog,
	};

	return sys_bpf(BPF_MAP_UPDATE_ELEM, &attr);
}

/* A program that calls what is in @map. */
static int load_caller(enum bpf_prog_type type, int map)
{
	const struct bpf_insn insns[] = {
		BPF_LD_MAP_FD(BPF_REG_2, map),
		BPF_MOV64_IMM(BPF_REG_3, 0),
		BPF_RAW_INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_tail_call),
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(),
	};

	return load_prog(type, insns, ARRAY_SIZE(insns), 0);
}

/* An array of programs has those of one type, and only that type calls it. */
HUP_TEST(bpf, is_not_called)
{
	static const enum bpf_prog_type types[] = {
		BPF_PROG_TYPE_SOCKET_FILTER, BPF_PROG_TYPE_KPROBE,
		BPF_PROG_TYPE_TRACEPOINT, BPF_PROG_TYPE_RAW_TRACEPOINT,
		BPF_PROG_TYPE_XDP,
	};
	int map, fd, i;

	for (i = 0; i < ARRAY_SIZE(types); i++) {
		map = create_prog_array();
		ASSERT_LE(0, map);
		fd = load_caller(types[i], map);
		ASSERT_LE(0, fd) TH_LOG("type %d: %d", types[i], fd);
		EXPECT_GT(0, put_prog(map, self->fd)) TH_LOG("type %d", types[i]);
		close(fd);
		close(map);

		/* The other way round it may be there, and nobody calls it. */
		map = create_prog_array();
		put_prog(map, self->fd);
		fd = load_caller(types[i], map);
		if (fd >= 0) {
			EXPECT_GT(0, put_prog(map, self->fd));
			close(fd);
		}
		close(map);
	}
}

/* The descriptor keeps the program, not the VM, its window or its id there. */
HUP_TEST(bpf, outlives_the_vm)
{
	struct bpf_prog_info info = {};
	uint32_t id = self->info.id;
	struct hup *h;
	int fd, i;

	ASSERT_LT(0, hup_link(self->h, self->prog, HYPERUPCALL_EVENT_INTERRUPT));
	hup_free(self->h);
	self->h = NULL;

	/* Another VM runs its own programs meanwhile. */
	h = hup_create(2);
	observe_prepare(h);
	ASSERT_LT(0, hup_link(h, observe_load_faulty(h, "other", 2, 0),
			      HYPERUPCALL_EVENT_INTERRUPT));
	observe_ipis(h, 10);
	hup_free(h);

	EXPECT_EQ(0, info_of(self->fd, &info));
	EXPECT_EQ(id, info.id);
	EXPECT_EQ(getpid(), info.vmm_pid);
	fd = fd_of_id(id);
	EXPECT_LE(0, fd);
	close(fd);
	close(self->fd);

	/* It goes after a grace period. */
	for (i = 0; i < 2000; i++) {
		fd = fd_of_id(id);
		if (fd < 0)
			break;
		close(fd);
		usleep(1000);
	}
	EXPECT_EQ(-ENOENT, fd);
	self->fd = -1;
}

/* Lines of /proc/kallsyms with @name. */
static int count_symbols(const char *name)
{
	FILE *f = fopen("/proc/kallsyms", "r");
	char line[512];
	int n = 0;

	TEST_ASSERT(f, "cannot read /proc/kallsyms");
	while (fgets(line, sizeof(line), f))
		n += !!strstr(line, name);
	fclose(f);
	return n;
}

/* Who reads /proc/kallsyms waits for each symbol before, those of guests none. */
HUP_TEST(bpf, has_no_symbol)
{
	union bpf_attr attr = {
		.prog_type = BPF_PROG_TYPE_SOCKET_FILTER,
		.insns = (uintptr_t)return_0,
		.insn_cnt = ARRAY_SIZE(return_0),
		.license = (uintptr_t)"GPL",
		.prog_name = "hosts_prog",
	};
	int fd = sys_bpf(BPF_PROG_LOAD, &attr);

	ASSERT_LE(0, fd);
	EXPECT_EQ(0, count_symbols("guests.prog"));
	EXPECT_EQ(1, count_symbols("hosts_prog"));
	close(fd);
}

/* Loads, of the host and of a guest, that this thread's perf_event_open() tells of. */
HUP_TEST(bpf, makes_no_records)
{
	struct perf_event_attr event = {
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_DUMMY,
		.size = sizeof(event),
		.ksymbol = 1,
		.bpf_event = 1,
	};
	int perf = syscall(SYS_perf_event_open, &event, 0, -1, -1, 0);
	struct perf_event_mmap_page *page;
	uint64_t head;
	long prog;
	int fd;

	ASSERT_LE(0, perf);
	page = mmap(NULL, 2 * getpagesize(), PROT_READ | PROT_WRITE, MAP_SHARED, perf, 0);
	ASSERT_NE(MAP_FAILED, page);

	prog = hup_load_return(self->h, 0);
	EXPECT_LT(0, prog);
	EXPECT_EQ(0, hup_unload(self->h, prog));
	head = READ_ONCE(page->data_head);
	EXPECT_EQ(0, head);

	fd = load_prog(BPF_PROG_TYPE_SOCKET_FILTER, return_0, ARRAY_SIZE(return_0), 0);
	ASSERT_LE(0, fd);
	head = READ_ONCE(page->data_head);
	EXPECT_NE(0, head);
	close(fd);
	munmap(page, 2 * getpagesize());
	close(perf);
}

/* The kernel's number of a helper says which kernel it is. */
HUP_TEST(bpf, log_has_no_number_of_the_kernel)
{
	struct bpf_insn insns[] = {
		BPF_MOV64_IMM(BPF_REG_1, 0),
		HUP_CALL(VCPU_STATE),
		BPF_LDX_MEM(BPF_DW, BPF_REG_0, BPF_REG_0, 0),
		BPF_EXIT_INSN(),
	};
	const char *log = self->h->log.hva;

	EXPECT_EQ(-EACCES, hup_load(self->h, insns, ARRAY_SIZE(insns)));
	EXPECT_NE(NULL, strstr(log, "call bpf_hyperupcall_vcpu_state"));
	EXPECT_EQ(NULL, strchr(log, '#')) TH_LOG("%s", log);
}

HUP_TEST(bpf, outlives_unload)
{
	struct hyperupcall_test_run run = {};
	struct bpf_prog_info info = {};
	struct hyperupcall_query q;

	EXPECT_EQ(0, hup_unload(self->h, self->prog));
	EXPECT_EQ(0, info_of(self->fd, &info));
	EXPECT_EQ(self->info.id, info.id);
	hup_query(self->h, &q);
	EXPECT_EQ(0, q.nr_progs);
	EXPECT_EQ(-ENOENT, hup_test_run(self->h, self->prog, &run));
}

int main(int argc, char **argv)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_HYPERUPCALL));

	return test_harness_run(argc, argv);
}
