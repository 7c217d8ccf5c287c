// SPDX-License-Identifier: GPL-2.0-only
/*
 * A VMM is killed, becomes another program or leaves its VM to a child, in the
 * middle of whatever its guest does with hyperupcalls: no program is left, no
 * page pinned, no VM.
 */
#include <sys/wait.h>

#include "apic.h"
#include "kvm_test_harness.h"
#include "lifetime_traces.h"
#include "missing_memory.h"
#include "reclaim_fixture.h"
#include "whole_window.h"
#include "window_programs.h"

#define VECTOR		0xa5
#define NR_KILLS	5

/* How this program is told that a VMM became it, and to do nothing. */
#define WAIT		"--wait"

static uint64_t guest_enable_apic(uint64_t a0, uint64_t a1, uint64_t a2,
				  uint64_t a3)
{
	x2apic_enable();
	return 0;
}

static uint64_t guest_fire(uint64_t target, uint64_t a1, uint64_t a2,
			   uint64_t a3)
{
	for (;;) {
		x2apic_write_reg(APIC_ICR, target << 32 | VECTOR);
		cpu_relax();
	}
	return 0;
}

/* Makes the same hypercall again and again. */
static uint64_t guest_repeat(uint64_t op, uint64_t gva, uint64_t size,
			     uint64_t a3)
{
	for (;;) {
		kvm_hypercall(KVM_HC_HYPERUPCALL, op, gva, size, 0);
		cpu_relax();
	}
	return 0;
}

static uint64_t put(struct hup *h, unsigned int vcpu, const void *arg,
		    size_t size)
{
	size_t off = vcpu * 512;

	memcpy(h->data.hva + off, arg, size);
	return h->data.gva + off;
}

static void repeat(struct hup *h, unsigned int vcpu, uint64_t op,
		   const void *arg, size_t size)
{
	hup_start(h, vcpu, guest_repeat, op, put(h, vcpu, arg, size), size, 0);
}

/* The same for hypercalls in turns with those that undo them. */
static uint64_t guest_do_and_undo(uint64_t ops, uint64_t gva, uint64_t size,
				  uint64_t id_offset)
{
	struct hyperupcall_unlink undo = {};

	/* All that undo something have the same struct. */
	kvm_static_assert(sizeof(undo) == sizeof(struct hyperupcall_unmap));
	kvm_static_assert(sizeof(undo) == sizeof(struct hyperupcall_unload));

	for (;;) {
		kvm_hypercall(KVM_HC_HYPERUPCALL, (uint32_t)ops, gva, size, 0);
		undo.link = *(uint32_t *)(gva + id_offset);
		kvm_hypercall(KVM_HC_HYPERUPCALL, ops >> 32, (uintptr_t)&undo,
			      sizeof(undo), 0);
		cpu_relax();
	}
	return 0;
}

static void do_and_undo(struct hup *h, unsigned int vcpu, uint64_t op,
			uint64_t undo, const void *arg, size_t size,
			size_t id_offset)
{
	hup_start(h, vcpu, guest_do_and_undo, op | undo << 32,
		  put(h, vcpu, arg, size), size, id_offset);
}

#define DO_AND_UNDO(h, vcpu, op, undo, arg, id)				\
	do_and_undo(h, vcpu, HYPERUPCALL_##op, HYPERUPCALL_##undo,	\
		    &(arg), sizeof(arg), offsetof(typeof(arg), id))

/* One vCPU sends IPIs to the other. */
static void start_firing(struct hup *h, uint64_t *word)
{
	hup_guest(h, 0, guest_enable_apic, 0, 0, 0, 0);
	hup_guest(h, 1, guest_enable_apic, 0, 0, 0, 0);
	hup_start(h, 0, guest_fire, 1, 0, 0, 0);
	while (!READ_ONCE(*word))
		usleep(100);
}

/* One of everything, and the word that a linked program counts in. */
static uint64_t *populate(struct hup *h)
{
	uint64_t *word = h->data.hva + PAGE_SIZE;
	struct hup_asm a = {};
	uint32_t offset;
	long prog;

	TEST_ASSERT(hup_map(h, h->data.gva, h->data.size,
			    HYPERUPCALL_MAP_WRITE, &offset) > 0, "MAP");
	hup_emit_count(&a, offset + PAGE_SIZE);
	hup_emit_return(&a, HYPERUPCALL_CONSUMED);
	prog = hup_load_asm(h, &a);
	TEST_ASSERT(hup_link(h, prog, HYPERUPCALL_EVENT_INTERRUPT) > 0, "LINK");
	TEST_ASSERT(hup_link(h, prog, HYPERUPCALL_EVENT_VCPU_PREEMPT) > 0,
		    "LINK");
	return word;
}

/* What the guest is in the middle of. Each returns and leaves it to that. */
static void be_idle(void)
{
	populate(hup_create(2));
}

static void be_interrupted(void)
{
	struct hup *h = hup_create(2);

	start_firing(h, populate(h));
}

/* Some hundred thousand instructions are verified, and again. */
static void be_verifying(void)
{
	struct hup *h = hup_create(2);
	const struct bpf_insn insns[] = {
		BPF_MOV64_IMM(BPF_REG_6, 0),
		BPF_ALU64_IMM(BPF_ADD, BPF_REG_6, 1),
		BPF_JMP_IMM(BPF_JLT, BPF_REG_6, 30000, -2),
		BPF_MOV64_IMM(BPF_REG_0, 0),
		BPF_EXIT_INSN(),
	};
	struct hyperupcall_load load = {
		.insns = h->insns.gva,
		.insn_cnt = ARRAY_SIZE(insns),
		.name = "long",
	};
	struct hyperupcall_query query = {};

	populate(h);
	memcpy(h->insns.hva, insns, sizeof(insns));
	DO_AND_UNDO(h, 0, LOAD, UNLOAD, load, prog);
	/* And one that waits for its turn. */
	repeat(h, 1, HYPERUPCALL_QUERY, &query, sizeof(query));
}

/* The longest program, each of whose instructions the verifier replaces by four. */
static void be_loading(void)
{
	struct hup *h = hup_create(1);
	struct bpf_insn *insns = h->insns.hva;
	struct hyperupcall_load load = {
		.insns = h->insns.gva,
		.insn_cnt = HUP_MAX_INSNS,
	};
	int i;

	populate(h);
	insns[0] = BPF_MOV64_IMM(BPF_REG_0, 1);
	insns[1] = BPF_MOV64_IMM(BPF_REG_2, 1);
	for (i = 2; i < HUP_MAX_INSNS - 1; i++)
		insns[i] = BPF_ALU64_REG(BPF_DIV, BPF_REG_0, BPF_REG_2);
	insns[i] = BPF_EXIT_INSN();
	DO_AND_UNDO(h, 0, LOAD, UNLOAD, load, prog);
}

static void be_mapping(void)
{
	struct hup *h = hup_create(1);
	struct hyperupcall_map map = {
		.gva = h->insns.gva,
		.size = h->insns.size,
		.flags = HYPERUPCALL_MAP_WRITE,
	};

	populate(h);
	DO_AND_UNDO(h, 0, MAP, UNMAP, map, region);
}

static void be_mapping_much(void)
{
	struct hup_mem real;
	struct hup *h = whole_window_create(&real);
	struct hyperupcall_map map = {
		.gva = WHOLE_WINDOW_GVA,
		.size = WHOLE_WINDOW_SIZE,
		.flags = HYPERUPCALL_MAP_WRITE,
	};

	DO_AND_UNDO(h, 0, MAP, UNMAP, map, region);
}

static void be_waiting_for_memory(void)
{
	struct hup *h = hup_create(2);
	struct hyperupcall_query query = {};
	struct hyperupcall_map map = {};
	struct hup_mem missing;
	int uffd;

	populate(h);
	uffd = missing_add_slot(h, 2, &missing);
	map.gva = missing.gva;
	map.size = missing.size;
	repeat(h, 0, HYPERUPCALL_MAP, &map, sizeof(map));
	missing_wait(uffd);
	/* And one that waits for the first. */
	repeat(h, 1, HYPERUPCALL_QUERY, &query, sizeof(query));
}

static void be_running(void)
{
	struct hyperupcall_test_run run = {};
	struct hup *h = hup_create(1);
	struct hup_asm a = {};

	populate(h);
	hup_emit_address(&a, BPF_REG_2, 0x70000000);
	hup_emit(&a, BPF_LDX_MEM(BPF_DW, BPF_REG_3, BPF_REG_2, 0));
	hup_emit(&a, HUP_MAY_GOTO(1));
	hup_emit(&a, BPF_JMP_IMM(BPF_JA, 0, 0, -3));
	hup_emit_return(&a, 0);
	run.prog = hup_load_asm(h, &a);
	repeat(h, 0, HYPERUPCALL_TEST_RUN, &run, sizeof(run));
}

/* A link comes and goes, another is replaced. */
static void be_linking(void)
{
	struct hup *h = hup_create(2);
	struct hyperupcall_link link = {
		.prog = hup_load_return(h, HYPERUPCALL_CONSUMED),
		.event = HYPERUPCALL_EVENT_INTERRUPT,
	};

	struct hyperupcall_link replace = link;

	populate(h);
	replace.link = hup_link(h, link.prog, HYPERUPCALL_EVENT_INTERRUPT);
	replace.flags = HYPERUPCALL_LINK_REPLACE;
	DO_AND_UNDO(h, 0, LINK, UNLINK, link, link);
	repeat(h, 1, HYPERUPCALL_LINK, &replace, sizeof(replace));
}

static void *reclaim_all(void *arg)
{
	struct reclaim *r = arg;

	for (;;) {
		reclaim_fill(r);
		reclaim_pageout(r->mem.hva, r->mem.size);
	}
	return NULL;
}

/* The host takes pages, and asks for each of them whether it may. */
static void be_reclaimed(void)
{
	struct reclaim *r = reclaim_create();
	pthread_t thread;
	int i;

	r->mem = hup_add_slot(r->h, VM_MEM_SRC_ANONYMOUS, RECLAIM_SLOT,
			      RECLAIM_PAGES, 0);
	for (i = 0; i < RECLAIM_PAGES; i++)
		reclaim_answer(r, i, HYPERUPCALL_DISCARD, HYPERUPCALL_DISCARD);
	reclaim_link_slow(r, RECLAIM_MAX_SPINS);
	pthread_create(&thread, NULL, reclaim_all, r);
	while (!READ_ONCE(r->data->asked[0]))
		usleep(100);
}

/* Runs @fn in a child that stays until it is killed. */
static pid_t start_vmm(void (*fn)(void))
{
	int ready[2];
	pid_t pid;
	char c;

	TEST_ASSERT(!pipe(ready), "pipe");
	pid = fork();
	TEST_ASSERT(pid >= 0, "fork");
	if (!pid) {
		fn();
		TEST_ASSERT(write(ready[1], "", 1) == 1, "write");
		for (;;)
			pause();
	}
	close(ready[1]);
	TEST_ASSERT(read(ready[0], &c, 1) == 1, "the VMM failed");
	close(ready[0]);
	return pid;
}

static void kill_vmm(pid_t pid)
{
	int status;

	TEST_ASSERT(!kill(pid, SIGKILL), "kill");
	TEST_ASSERT(waitpid(pid, &status, 0) == pid, "waitpid");
	TEST_ASSERT(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL,
		    "the VMM ended with %#x", status);
}

FIXTURE(killed) {
	struct traces before;
};

FIXTURE_VARIANT(killed) {
	void (*be)(void);
};

FIXTURE_VARIANT_ADD(killed, idle) { .be = be_idle };
FIXTURE_VARIANT_ADD(killed, interrupted) { .be = be_interrupted };
FIXTURE_VARIANT_ADD(killed, verifying) { .be = be_verifying };
FIXTURE_VARIANT_ADD(killed, loading) { .be = be_loading };
FIXTURE_VARIANT_ADD(killed, mapping) { .be = be_mapping };
FIXTURE_VARIANT_ADD(killed, mapping_much) { .be = be_mapping_much };
FIXTURE_VARIANT_ADD(killed, waiting_for_memory) { .be = be_waiting_for_memory };
FIXTURE_VARIANT_ADD(killed, running) { .be = be_running };
FIXTURE_VARIANT_ADD(killed, linking) { .be = be_linking };
FIXTURE_VARIANT_ADD(killed, reclaimed) { .be = be_reclaimed };

FIXTURE_SETUP(killed)
{
	self->before = find_traces();
}

FIXTURE_TEARDOWN(killed)
{
}

HUP_TEST(killed, leaves_no_trace)
{
	struct traces now;
	pid_t pid;
	int i;

	for (i = 0; i < NR_KILLS; i++) {
		pid = start_vmm(variant->be);
		now = find_traces();
		EXPECT_EQ(self->before.vms + 1, now.vms);
		usleep(1 << i * 4);
		kill_vmm(pid);
		EXPECT_TRACES(&self->before);
	}
}

FIXTURE(left) {
	struct traces before;
};

FIXTURE_SETUP(left)
{
	self->before = find_traces();
}

FIXTURE_TEARDOWN(left)
{
}

/* VM and vCPUs stay open in the program that comes. */
static void leave_open(void)
{
	struct hup *h = hup_create(2);

	start_firing(h, populate(h));
	fcntl(h->vm->fd, F_SETFD, 0);
	fcntl(h->vcpus[0].vcpu->fd, F_SETFD, 0);
	fcntl(h->vcpus[1].vcpu->fd, F_SETFD, 0);
}

/* Where a VMM says who its child is. */
static pid_t *the_child;

static void have_a_child(void)
{
	pid_t pid;

	leave_open();
	pid = fork();
	if (pid) {
		*the_child = pid;
		return;
	}
	for (;;)
		pause();
}

/* The descriptors are what is left: a VM that has lost its memory. */
HUP_TEST(left, by_exec)
{
	struct traces want = self->before;
	int ready[2];
	pid_t pid;
	char c;

	ASSERT_EQ(0, pipe2(ready, O_CLOEXEC));
	pid = fork();
	if (!pid) {
		leave_open();
		execl("/proc/self/exe", "waiter", WAIT, NULL);
		_exit(1);
	}
	close(ready[1]);
	/* The pipe closes with exec(). */
	ASSERT_EQ(0, read(ready[0], &c, 1));
	want.vms++;
	EXPECT_TRACES(&want);
	kill_vmm(pid);
	EXPECT_TRACES(&self->before);
}

/* A child has the descriptors, and not the memory. */
HUP_TEST(left, to_a_child)
{
	struct traces want = self->before;
	pid_t pid;

	the_child = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, the_child);
	pid = start_vmm(have_a_child);
	ASSERT_LT(0, *the_child);
	kill_vmm(pid);
	want.vms++;
	EXPECT_TRACES(&want);
	ASSERT_EQ(0, kill(*the_child, SIGKILL));
	EXPECT_TRACES(&self->before);
}

int main(int argc, char **argv)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_HYPERUPCALL));

	/* A VMM became this. */
	if (argc == 2 && !strcmp(argv[1], WAIT)) {
		for (;;)
			pause();
	}

	return test_harness_run(argc, argv);
}
