// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the host's administrator sees of a VM's hyperupcalls: tracepoints, KVM's
 * statistics, a file in debugfs, and a message when a VM gets none for good.
 */
#include <fcntl.h>
#include <time.h>

#include "kvm_test_harness.h"
#include "observe_trace.h"
#include "observe_util.h"

#define KVM_DEBUGFS	"/sys/kernel/debug/kvm"

/* KVM names a VM by the process that created it. */
static pid_t vm_pid(void)
{
	return getpid();
}

FIXTURE(trace) {
	struct hup *h;
	struct trace *t;
};

FIXTURE_SETUP(trace)
{
	self->t = malloc(sizeof(*self->t));
	ASSERT_EQ(true, trace_open(self->t));
	self->h = hup_create(2);
	observe_prepare(self->h);
}

FIXTURE_TEARDOWN(trace)
{
	if (self->h)
		hup_free(self->h);
	trace_close(self->t);
	free(self->t);
}

#define EXPECT_LINE(n, format, ...)					\
do {									\
	char __want[256];						\
	int __n = n;							\
									\
	snprintf(__want, sizeof(__want), format, ##__VA_ARGS__);	\
	ASSERT_LT(__n, self->t->nr_lines);				\
	EXPECT_STREQ(__want, self->t->lines[__n]);			\
} while (0)

HUP_TEST(trace, load)
{
	const struct bpf_insn good[] = {
		BPF_MOV64_IMM(BPF_REG_0, 0), BPF_EXIT_INSN(),
	};
	const struct bpf_insn bad[] = { BPF_EXIT_INSN() };
	long prog;

	trace_start(self->t, "kvm_hyperupcall_load");
	prog = observe_load(self->h, "a.good_one", 0, good, 2);
	EXPECT_LT(0, prog);
	EXPECT_EQ(-EACCES, observe_load(self->h, "a_bad_one", 0, bad, 1));
	EXPECT_EQ(-EINVAL, observe_load(self->h, "no name", 0, good, 2));
	/* Sixteen characters have no end. A bad name is not traced. */
	EXPECT_EQ(-EINVAL, observe_load(self->h, "0123456789abcdef", 0, good, 2));
	EXPECT_EQ(-EINVAL, observe_load(self->h, "", 1U << 31, good, 2));
	trace_stop(self->t, vm_pid());

	ASSERT_EQ(5, self->t->nr_lines);
	EXPECT_LINE(0, "kvm_hyperupcall_load: vm %d prog %ld name a.good_one insns 2 err 0",
		    vm_pid(), prog);
	EXPECT_LINE(1, "kvm_hyperupcall_load: vm %d prog 0 name a_bad_one insns 1 err %d",
		    vm_pid(), -EACCES);
	EXPECT_LINE(2, "kvm_hyperupcall_load: vm %d prog 0 name  insns 2 err %d",
		    vm_pid(), -EINVAL);
	EXPECT_LINE(3, "kvm_hyperupcall_load: vm %d prog 0 name  insns 2 err %d",
		    vm_pid(), -EINVAL);
	EXPECT_LINE(4, "kvm_hyperupcall_load: vm %d prog 0 name  insns 2 err %d",
		    vm_pid(), -EINVAL);
}

HUP_TEST(trace, link)
{
	long prog[2], link[2];

	prog[0] = hup_load_return(self->h, 0);
	prog[1] = hup_load_return(self->h, 0);
	trace_start(self->t, "kvm_hyperupcall_link");
	link[0] = hup_link(self->h, prog[0], HYPERUPCALL_EVENT_INTERRUPT);
	link[1] = hup_link(self->h, prog[1], HYPERUPCALL_EVENT_VCPU_PREEMPT);
	hup_replace(self->h, prog[1], HYPERUPCALL_EVENT_INTERRUPT, link[0]);
	EXPECT_EQ(-ENOENT, hup_link(self->h, 77, HYPERUPCALL_EVENT_INTERRUPT));
	trace_stop(self->t, vm_pid());

	ASSERT_EQ(3, self->t->nr_lines);
	EXPECT_LINE(0, "kvm_hyperupcall_link: vm %d link %ld event interrupt prog %ld",
		    vm_pid(), link[0], prog[0]);
	EXPECT_LINE(1, "kvm_hyperupcall_link: vm %d link %ld event vcpu_preempt prog %ld",
		    vm_pid(), link[1], prog[1]);
	EXPECT_LINE(2, "kvm_hyperupcall_link: vm %d link %ld event interrupt prog %ld",
		    vm_pid(), link[0], prog[1]);
}

/* By the guest, and by the end of the VM. */
HUP_TEST(trace, unlink)
{
	long prog = hup_load_return(self->h, 0), link[3];
	int i;

	for (i = 0; i < 3; i++)
		link[i] = hup_link(self->h, prog, HYPERUPCALL_EVENT_INTERRUPT);
	trace_start(self->t, "kvm_hyperupcall_unlink");
	EXPECT_EQ(0, hup_unlink(self->h, link[1]));
	EXPECT_EQ(-ENOENT, hup_unlink(self->h, link[1]));
	hup_free(self->h);
	self->h = NULL;
	trace_stop(self->t, vm_pid());

	ASSERT_EQ(3, self->t->nr_lines);
	EXPECT_LINE(0, "kvm_hyperupcall_unlink: vm %d link %ld", vm_pid(), link[1]);
	EXPECT_LINE(1, "kvm_hyperupcall_unlink: vm %d link %ld", vm_pid(), link[0]);
	EXPECT_LINE(2, "kvm_hyperupcall_unlink: vm %d link %ld", vm_pid(), link[2]);
}

/* An answer is what KVM makes of it, and TEST_RUN is no run of a link. */
HUP_TEST(trace, run)
{
	struct hyperupcall_stats stats;
	uint64_t ns, sum[2] = {};
	uint32_t id, answer;
	long link[2], prog;
	int i, n;

	prog = hup_load_return(self->h, 77);
	link[0] = hup_link(self->h, prog, HYPERUPCALL_EVENT_INTERRUPT);
	link[1] = hup_link(self->h, hup_load_return(self->h, HYPERUPCALL_CONSUMED),
			   HYPERUPCALL_EVENT_INTERRUPT);
	trace_start(self->t, "kvm_hyperupcall_run");
	observe_ipis(self->h, 2);
	EXPECT_EQ(77, hup_run(self->h, prog, 0, 0, NULL));
	trace_stop(self->t, vm_pid());

	ASSERT_EQ(4, self->t->nr_lines);
	for (i = 0; i < 4; i++) {
		n = sscanf(strstr(self->t->lines[i], " link "),
			   " link %u event interrupt answer %u ns %lu",
			   &id, &answer, &ns);
		EXPECT_EQ(3, n)
			TH_LOG("%s", self->t->lines[i]);
		EXPECT_EQ(link[i % 2], id);
		EXPECT_EQ(i % 2 ? HYPERUPCALL_CONSUMED : 0, answer);
		sum[i % 2] += ns;
	}
	for (i = 0; i < 2; i++) {
		hup_stats(self->h, link[i], &stats);
		EXPECT_EQ(sum[i], stats.run_ns);
	}
}

HUP_TEST(trace, fault)
{
	long link[2];

	link[0] = hup_link(self->h, observe_load_faulty(self->h, "five", 5, 0),
			   HYPERUPCALL_EVENT_INTERRUPT);
	link[1] = hup_link(self->h, observe_load_faulty(self->h, "none", 0, 0),
			   HYPERUPCALL_EVENT_INTERRUPT);
	ASSERT_LT(0, link[1]);
	trace_start(self->t, "kvm_hyperupcall_fault");
	observe_ipis(self->h, 2);
	trace_stop(self->t, vm_pid());

	ASSERT_EQ(2, self->t->nr_lines);
	EXPECT_LINE(0, "kvm_hyperupcall_fault: vm %d link %ld faults 5", vm_pid(), link[0]);
	EXPECT_LINE(1, "kvm_hyperupcall_fault: vm %d link %ld faults 5", vm_pid(), link[0]);
}

/* A budget that the first run uses up, whatever the machine. */
static const struct kvm_hyperupcall_policy no_time = { .budget_ns = 1 };

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

HUP_TEST(trace, throttle)
{
	struct hup *h = hup_create_policy(2, &no_time);
	uint64_t start;
	long link;
	int i;

	observe_prepare(h);
	link = hup_link(h, hup_load_return(h, 0), HYPERUPCALL_EVENT_INTERRUPT);
	start = now_ns();
	observe_ipis(h, 1);
	trace_start(self->t, "kvm_hyperupcall_throttle");
	observe_ipis(h, 3);
	trace_stop(self->t, vm_pid());
	/* That took no second, or it says nothing. */
	ASSERT_GT(1000000000, now_ns() - start);

	ASSERT_EQ(3, self->t->nr_lines);
	for (i = 0; i < 3; i++)
		EXPECT_LINE(i, "kvm_hyperupcall_throttle: vm %d link %ld", vm_pid(), link);
	EXPECT_EQ(1, vm_get_stat(h->vm, "hyperupcall_runs"));
	EXPECT_EQ(3, vm_get_stat(h->vm, "hyperupcall_throttled"));
	hup_free(h);
}

FIXTURE(figures) {
	struct hup *h;
	char dir[64];
};

/* Where the host is slow, no run is throttled all the same. */
FIXTURE_SETUP(figures)
{
	static const struct kvm_hyperupcall_policy policy = {
		.budget_ns = 500000000,
	};

	self->h = hup_create_policy(2, &policy);
	observe_prepare(self->h);
	snprintf(self->dir, sizeof(self->dir), KVM_DEBUGFS "/%d-%d", vm_pid(),
		 self->h->vm->fd);
}

FIXTURE_TEARDOWN(figures)
{
	hup_free(self->h);
}

/* The same number from KVM's statistics and from debugfs. */
static uint64_t figure(struct hup *h, const char *dir, const char *name)
{
	uint64_t binary, text = 0;
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "r");
	TEST_ASSERT(f, "cannot open %s: %s", path, strerror(errno));
	TEST_ASSERT(fscanf(f, "%li", (long *)&text) == 1, "cannot read %s", path);
	fclose(f);
	binary = vm_get_stat(h->vm, name);
	TEST_ASSERT(binary == text, "%s: %lu and %lu", name, binary, text);
	return binary;
}

/* A VM's figures are the sums of its links', also of those that are gone. */
HUP_TEST(figures, sums)
{
	struct hup *h = self->h;
	struct hyperupcall_stats stats[2];
	uint64_t ns;
	long prog, link[2];
	int i;

	EXPECT_EQ(0, figure(h, self->dir, "hyperupcall_runs"));
	EXPECT_EQ(0, figure(h, self->dir, "hyperupcall_ns"));
	EXPECT_EQ(0, figure(h, self->dir, "hyperupcall_faults"));
	EXPECT_EQ(0, figure(h, self->dir, "hyperupcall_throttled"));

	prog = observe_load_faulty(h, "three", 3, 0);
	for (i = 0; i < 2; i++)
		link[i] = hup_link(h, prog, HYPERUPCALL_EVENT_INTERRUPT);
	observe_ipis(h, 4);
	hup_run(h, prog, 0, 0, NULL);
	for (i = 0; i < 2; i++)
		hup_stats(h, link[i], &stats[i]);
	ns = stats[0].run_ns + stats[1].run_ns;
	EXPECT_LT(0, ns);
	EXPECT_EQ(8, figure(h, self->dir, "hyperupcall_runs"));
	EXPECT_EQ(ns, figure(h, self->dir, "hyperupcall_ns"));
	EXPECT_EQ(24, figure(h, self->dir, "hyperupcall_faults"));
	EXPECT_EQ(0, figure(h, self->dir, "hyperupcall_throttled"));

	EXPECT_EQ(0, hup_unlink(h, link[0]));
	EXPECT_EQ(0, hup_unlink(h, link[1]));
	EXPECT_EQ(8, figure(h, self->dir, "hyperupcall_runs"));
	EXPECT_EQ(ns, figure(h, self->dir, "hyperupcall_ns"));
}

/* The file "hyperupcalls" of a VM, or an empty string. */
static void read_list(const char *dir, char *text, size_t size)
{
	char path[128];
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), "%s/hyperupcalls", dir);
	f = fopen(path, "r");
	TEST_ASSERT(f, "cannot open %s: %s", path, strerror(errno));
	n = fread(text, 1, size - 1, f);
	text[n] = '\0';
	fclose(f);
}

HUP_TEST(figures, list)
{
	struct hup *h = self->h;
	struct hyperupcall_stats stats;
	char text[4096], want[4096], *at;
	uint32_t offset[2];
	long prog[2], region[2], link;
	int n, id, i;

	read_list(self->dir, text, sizeof(text));
	EXPECT_STREQ("", text);

	prog[0] = observe_load_faulty(h, "faulty_one", 2, HYPERUPCALL_CONSUMED);
	prog[1] = observe_load_faulty(h, "", 0, 0);
	region[0] = hup_map(h, h->data.gva, 3 * PAGE_SIZE, HYPERUPCALL_MAP_WRITE,
			    &offset[0]);
	region[1] = hup_map(h, h->data.gva, PAGE_SIZE, 0, &offset[1]);
	link = hup_link(h, prog[0], HYPERUPCALL_EVENT_INTERRUPT);
	observe_ipis(h, 3);
	hup_stats(h, link, &stats);

	read_list(self->dir, text, sizeof(text));
	at = strstr(text, " bpf_id ");
	ASSERT_NE(NULL, at);
	id = atoi(at + strlen(" bpf_id "));
	EXPECT_LT(0, id);
	n = snprintf(want, sizeof(want),
		     "prog %ld name faulty_one insns 6 verified 6 links 1 bpf_id %d\n"
		     "prog %ld name  insns 4 verified 4 links 0 bpf_id %d\n",
		     prog[0], id, prog[1], id + 1);
	n += snprintf(want + n, sizeof(want) - n,
		      "region %ld offset 0x%x size 0x3000 rw\n"
		      "region %ld offset 0x%x size 0x1000 ro\n",
		      region[0], offset[0], region[1], offset[1]);
	snprintf(want + n, sizeof(want) - n,
		 "link %ld event interrupt prog %ld runs 3 opinions 3 faults 6 throttled 0 run_ns %llu\n",
		 link, prog[0], stats.run_ns);
	EXPECT_STREQ(want, text);

	EXPECT_EQ(0, hup_unlink(h, link));
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(0, hup_unload(h, prog[i]));
		EXPECT_EQ(0, hup_unmap(h, region[i]));
	}
	read_list(self->dir, text, sizeof(text));
	EXPECT_STREQ("", text);
}

HUP_TEST(figures, list_of_a_vm_without)
{
	struct hup *off = hup_create_off(1);
	char dir[64], text[64];

	snprintf(dir, sizeof(dir), KVM_DEBUGFS "/%d-%d", vm_pid(), off->vm->fd);
	read_list(dir, text, sizeof(text));
	EXPECT_STREQ("", text);
	hup_free(off);
}

/* Who has the file open keeps the VM's programs alive, and nothing else. */
HUP_TEST(figures, list_open_at_the_end)
{
	struct hup *h = hup_create(1);
	char path[128], text[4096];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), KVM_DEBUGFS "/%d-%d/hyperupcalls", vm_pid(),
		 h->vm->fd);
	EXPECT_LT(0, hup_load_return(h, 0));
	fd = open(path, O_RDONLY);
	ASSERT_LE(0, fd);
	hup_free(h);
	n = read(fd, text, sizeof(text) - 1);
	EXPECT_LT(0, n);
	text[n > 0 ? n : 0] = '\0';
	EXPECT_NE(NULL, strstr(text, "name selftest insns 2 "));
	close(fd);
	EXPECT_EQ(-1, open(path, O_RDONLY));
	EXPECT_EQ(ENOENT, errno);
}

FIXTURE(message) {
	int fd;
};

FIXTURE_SETUP(message)
{
	self->fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, lseek(self->fd, 0, SEEK_END));
}

FIXTURE_TEARDOWN(message)
{
	close(self->fd);
}

static unsigned int count_messages(int fd, const char *pattern)
{
	unsigned int nr = 0;
	char record[8192];
	ssize_t n;

	while ((n = read(fd, record, sizeof(record) - 1)) > 0) {
		record[n] = '\0';
		nr += !!strstr(record, pattern);
	}
	TEST_ASSERT(errno == EAGAIN, "/dev/kmsg: %s", strerror(errno));
	return nr;
}

#define NR_REFUSALS	100

HUP_TEST(message, refused_vm)
{
	struct kvm_vm *vm;
	char pattern[128];
	unsigned int nr;
	int i;

	ASSERT_NE(0, kvm_check_cap(KVM_CAP_VM_TYPES) & BIT(KVM_X86_SW_PROTECTED_VM));
	snprintf(pattern, sizeof(pattern),
		 "VM of process %d gets no hyperupcalls: its memory is private",
		 getpid());
	vm = vm_create_barebones_type(KVM_X86_SW_PROTECTED_VM);
	EXPECT_EQ(-EOPNOTSUPP, hup_enable(vm, NULL, 0));
	EXPECT_EQ(1, count_messages(self->fd, pattern));
	for (i = 0; i < NR_REFUSALS; i++)
		EXPECT_EQ(-EOPNOTSUPP, hup_enable(vm, NULL, 0));
	nr = count_messages(self->fd, pattern);
	EXPECT_GT(NR_REFUSALS / 2, nr) TH_LOG("%u messages", nr);
	kvm_vm_free(vm);
}

/* Others who get none may ask again, and nothing is said. */
HUP_TEST(message, others)
{
	struct hup *h = hup_create_off(1);
	struct kvm_vm *vm = vm_create_barebones();

	EXPECT_EQ(-EBUSY, hup_enable(h->vm, NULL, 0));
	EXPECT_EQ(-EINVAL, hup_enable(vm, (void *)8, 0));
	EXPECT_EQ(0, count_messages(self->fd, "hyperupcalls"));
	kvm_vm_free(vm);
	hup_free(h);
}

int main(int argc, char **argv)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_HYPERUPCALL));

	return test_harness_run(argc, argv);
}
