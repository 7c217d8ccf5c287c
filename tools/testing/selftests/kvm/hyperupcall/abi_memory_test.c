// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where the host has no memory: the kernel's fault injection lets a call's
 * first allocation fail, then its second, until it needs no more. Each time the
 * call says so, or does what it should, and a call that failed left nothing.
 */
#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

#include "abi_calls.h"
#include "kvm_test_harness.h"

/* More allocations than any call makes. */
#define MAX_ALLOCATIONS	2000

#define DEBUGFS		"/sys/kernel/debug/"

static int write_file(const char *path, const char *s)
{
	int fd = open(path, O_WRONLY), r;

	if (fd < 0)
		return -1;
	r = write(fd, s, strlen(s)) < 0 ? -1 : 0;
	close(fd);
	return r;
}

/* Without these, only allocations that may not sleep fail. */
static bool prepare_injection(void)
{
	struct statfs fs;

	if (statfs(DEBUGFS, &fs) || fs.f_type != DEBUGFS_MAGIC)
		mount("debugfs", DEBUGFS, "debugfs", 0, NULL);
	return !access("/proc/self/fail-nth", W_OK) &&
	       !write_file(DEBUGFS "failslab/ignore-gfp-wait", "N") &&
	       !write_file(DEBUGFS "failslab/verbose", "0") &&
	       !write_file(DEBUGFS "fail_page_alloc/ignore-gfp-wait", "N") &&
	       !write_file(DEBUGFS "fail_page_alloc/min-order", "0") &&
	       !write_file(DEBUGFS "fail_page_alloc/verbose", "0");
}

/* Of the thread's allocations in KVM_RUN which one fails, and whether it did. */
static int fail_fd;
static int fail_n;
static bool fail_done;

static void fail_nth(int n)
{
	char buf[16];
	int len = snprintf(buf, sizeof(buf), "%d", n);

	TEST_ASSERT(pwrite(fail_fd, buf, len, 0) == len, "fail-nth");
}

static bool failed(void)
{
	char buf[16] = {};

	TEST_ASSERT(pread(fail_fd, buf, sizeof(buf) - 1, 0) > 0, "fail-nth");
	fail_nth(0);
	return !atoi(buf);
}

static void run_and_fail(struct kvm_vcpu *vcpu)
{
	int r;

	fail_nth(fail_n);
	r = __vcpu_run(vcpu) ? errno : 0;
	fail_done = failed();
	/* KVM needs memory of its own, and says so to the VMM. */
	if (r == ENOMEM)
		vcpu_run(vcpu);
	else
		TEST_ASSERT(!r, "KVM_RUN: %s", strerror(r));
}

static long abi_do_and_fail(struct abi_vm *vm, struct abi_call *c, int n)
{
	long r;

	fail_n = n;
	vm->h->vcpus[0].run = run_and_fail;
	r = abi_do(vm, c);
	vm->h->vcpus[0].run = NULL;
	return r;
}

FIXTURE(abi_memory) {
	struct abi_vm vm;
};

FIXTURE_VARIANT(abi_memory) {
	uint64_t op;
};

FIXTURE_VARIANT_ADD(abi_memory, QUERY) { .op = HYPERUPCALL_QUERY };
FIXTURE_VARIANT_ADD(abi_memory, MAP) { .op = HYPERUPCALL_MAP };
FIXTURE_VARIANT_ADD(abi_memory, UNMAP) { .op = HYPERUPCALL_UNMAP };
FIXTURE_VARIANT_ADD(abi_memory, LOAD) { .op = HYPERUPCALL_LOAD };
FIXTURE_VARIANT_ADD(abi_memory, UNLOAD) { .op = HYPERUPCALL_UNLOAD };
FIXTURE_VARIANT_ADD(abi_memory, LINK) { .op = HYPERUPCALL_LINK };
FIXTURE_VARIANT_ADD(abi_memory, UNLINK) { .op = HYPERUPCALL_UNLINK };
FIXTURE_VARIANT_ADD(abi_memory, STATS) { .op = HYPERUPCALL_STATS };
FIXTURE_VARIANT_ADD(abi_memory, TEST_RUN) { .op = HYPERUPCALL_TEST_RUN };

FIXTURE_SETUP(abi_memory)
{
	self->vm = abi_create(NULL);
	fail_fd = open("/proc/thread-self/fail-nth", O_RDWR);
	ASSERT_LE(0, fail_fd);
}

FIXTURE_TEARDOWN(abi_memory)
{
	close(fail_fd);
	hup_free(self->vm.h);
}

/* Two links, so that one can be removed from a chain that stays. */
HUP_TEST(abi_memory, no_memory)
{
	struct abi_vm *vm = &self->vm;
	struct hyperupcall_query before;
	int n, errors = 0;
	struct abi_call c;
	long r;

	ASSERT_LT(0, hup_link(vm->h, vm->linked_prog,
			      HYPERUPCALL_EVENT_INTERRUPT));
	before = abi_state(vm);
	for (n = 1; n < MAX_ALLOCATIONS; n++) {
		c = abi_valid_call(vm, variant->op);
		r = abi_do_and_fail(vm, &c, n);
		EXPECT_EQ(true, !r || r == -ENOMEM)
			TH_LOG("allocation %d: %ld", n, r);
		if (!r)
			abi_undo(vm, &c);
		else
			errors++;
		EXPECT_EQ(true, abi_state_is(vm, &before))
			TH_LOG("allocation %d: %ld", n, r);
		if (!fail_done)
			break;
	}
	EXPECT_GT(MAX_ALLOCATIONS, n);
	EXPECT_EQ(0, r);
	TH_LOG("%s: %d allocations, %d times no memory",
	       hup_op_names[variant->op], n - 1, errors);
	if (variant->op == HYPERUPCALL_LOAD || variant->op == HYPERUPCALL_MAP ||
	    variant->op == HYPERUPCALL_LINK)
		EXPECT_LT(0, errors);
	/* A guest gets rid of what it has, whatever the host has not. */
	if (variant->op == HYPERUPCALL_UNMAP ||
	    variant->op == HYPERUPCALL_UNLOAD ||
	    variant->op == HYPERUPCALL_UNLINK)
		EXPECT_EQ(0, errors);
}

int main(int argc, char **argv)
{
	int r;

	TEST_REQUIRE(kvm_has_cap(KVM_CAP_HYPERUPCALL));
	__TEST_REQUIRE(prepare_injection(), "no fault injection");

	/* So that who reads the console knows why the kernel has no memory. */
	write_file("/dev/kmsg", "<4>abi_memory_test: allocations fail\n");
	r = test_harness_run(argc, argv);
	write_file("/dev/kmsg", "<4>abi_memory_test: allocations succeed\n");
	return r;
}
