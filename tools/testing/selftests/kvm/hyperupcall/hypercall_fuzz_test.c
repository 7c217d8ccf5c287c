// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hypercalls at random: four vCPUs of a VM make calls about the same programs,
 * links and regions, most of them valid or nearly so, while IPIs run what is
 * linked. In every fourth VM one vCPU yields instead, which is the other event.
 * What a call may answer is known, see hypercall_fuzz_check.h, and after some
 * thousand calls everything can be removed and nothing is left.
 *
 *	hypercall_fuzz_test [CALLS [SEED]]
 *
 * or HUP_FUZZ_COUNT and HUP_FUZZ_SEED. The same seed makes the same calls for
 * each vCPU as long as they get the same answers; when one vCPU's call meets
 * another's is up to the machine.
 */
#include <linux/kvm_para.h>

#include "apic.h"
#include "hypercall_fuzz_check.h"
#include "hypercall_fuzz_generate.h"
#include "hyperv.h"

#define DEFAULT_CALLS	200000

/* The vCPU that yields in some VMs. */
#define YIELDER		3

/* Calls of one VM, all vCPUs together. */
#define ROUND_CALLS	20000

static const char * const finding_names[] = {
	[FUZZ_BAD_ERROR]	= "not an error of this opcode",
	[FUZZ_BAD_OUTPUT]	= "wrong output",
	[FUZZ_OUTPUT_ON_ERROR]	= "output in spite of an error",
	[FUZZ_LEAK_IN_STRUCT]	= "an address of the host in the struct",
	[FUZZ_LEAK_IN_LOG]	= "an address of the host in the log",
	[FUZZ_NOT_REMOVED]	= "cannot be removed",
};

/*
 * Limits that are met often. The usual limits of verification and run time
 * would let a few programs take most of the test's time.
 */
static const struct kvm_hyperupcall_policy policies[] = {
	{
		.max_verified_insns = 8192,
		.max_verified_insns_global = 2048,
		.max_loops = 256,
		.max_run_insns = 16384,
	},
	{
		.max_progs = 6,
		.max_links = 5,
		.max_regions = 7,
		.max_insns = 16,
		.max_insns_global = 8,
		.max_verified_insns = 512,
		.max_verified_insns_global = 64,
		.max_loops = 16,
		.max_run_insns = 1024,
		.mem_percent = 1,
		.mem_percent_global = 1,
	},
	{
		.events = BIT(HYPERUPCALL_EVENT_INTERRUPT),
		.max_progs = 64,
		.max_links = 64,
		.max_verified_insns = 2048,
		.max_loops = 64,
		.max_run_insns = 8192,
		.budget_ns = 20000000,
	},
};

static void fuzz_irq(struct ex_regs *regs)
{
	fuzz_guest.vcpus[x2apic_read_reg(APIC_ID)].irqs++;
	x2apic_write_reg(APIC_EOI, 0);
}

static uint64_t guest_init(uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3)
{
	x2apic_enable();
	return 0;
}

/* An exception's frame must not meet a caller's red zone. */
static noinline void take_irqs(void)
{
	asm volatile("sti; nop; cli" : : : "memory");
}

static void send_ipi(struct fuzz_vcpu *v)
{
	uint32_t vector = FUZZ_VECTOR + fuzz_below(&v->random, FUZZ_VECTORS);
	uint64_t dest = fuzz_below(&v->random, FUZZ_VCPUS);

	switch (fuzz_below(&v->random, 3)) {
	case 0:
		kvm_hypercall(KVM_HC_SEND_IPI, 1 + fuzz_below(&v->random, 15),
			      0, 0, vector);
		break;
	case 1:
		x2apic_write_reg(APIC_ICR, dest << 32 | vector);
		break;
	case 2:
		x2apic_write_reg(APIC_ICR, vector | APIC_DEST_ALLBUT);
		break;
	}
}

static void remember(struct fuzz_vcpu *v, struct fuzz_ids *ids, uint32_t id)
{
	uint32_t i = fuzz_below(&v->random, FUZZ_IDS);

	WRITE_ONCE(ids->ids[i], id);
	/* Close is enough: the vCPUs' ids are close to each other. */
	if (id > READ_ONCE(ids->max))
		WRITE_ONCE(ids->max, id);
	if (ids == &fuzz_guest.regions)
		WRITE_ONCE(fuzz_guest.offsets[i], v->after.map.offset);
}

static void forget(struct fuzz_ids *ids, uint32_t id)
{
	int i;

	for (i = 0; i < FUZZ_IDS; i++) {
		if (READ_ONCE(ids->ids[i]) == id)
			WRITE_ONCE(ids->ids[i], 0);
	}
}

/* What is removed, or was before. */
static void forget_ids(struct fuzz_vcpu *v)
{
	switch (v->call.op) {
	case HYPERUPCALL_UNMAP:
		forget(&fuzz_guest.regions, v->args.unmap.region);
		break;
	case HYPERUPCALL_UNLOAD:
		forget(&fuzz_guest.progs, v->args.unload.prog);
		break;
	case HYPERUPCALL_UNLINK:
		forget(&fuzz_guest.links, v->args.unlink.link);
		break;
	}
}

static void remember_ids(struct fuzz_vcpu *v)
{
	switch (v->call.op) {
	case HYPERUPCALL_MAP:
		remember(v, &fuzz_guest.regions, v->after.map.region);
		break;
	case HYPERUPCALL_LOAD:
		remember(v, &fuzz_guest.progs, v->after.load.prog);
		break;
	case HYPERUPCALL_LINK:
		remember(v, &fuzz_guest.links, v->after.link.link);
		break;
	}
}

static void count_result(struct fuzz_vcpu *v)
{
	unsigned int op = fuzz_known_op(v) ? v->call.op : HUP_NR_OPS;
	int64_t err = -v->call.r;

	if (err < 0 || err > FUZZ_MAX_ERRNO)
		err = FUZZ_MAX_ERRNO;
	v->results[op][err]++;
}

static void call_once(struct fuzz_vcpu *v)
{
	struct fuzz_call *call = &v->call;

	fuzz_generate(v);
	if (v->readable)
		memcpy(&v->args, (void *)call->gva, sizeof(v->args));
	call->r = kvm_hypercall(KVM_HC_HYPERUPCALL, call->op, call->gva,
				call->size, call->a3);
	if (v->readable)
		memcpy(&v->after, (void *)call->gva, sizeof(v->after));
	count_result(v);
	fuzz_check(v);
	if (!call->r && v->readable)
		remember_ids(v);
	if (!call->r || call->r == -ENOENT)
		forget_ids(v);
}

static uint64_t guest_fuzz(uint64_t vcpu, uint64_t calls, uint64_t a2,
			   uint64_t a3)
{
	struct fuzz_vcpu *v = &fuzz_guest.vcpus[vcpu];

	while (calls-- && !v->finding) {
		call_once(v);
		if (fuzz_one_in(&v->random, 32))
			send_ipi(v);
		take_irqs();
	}
	return 0;
}

/* Yields as Windows does, after which this vCPU has no KVM hypercalls. */
static uint64_t guest_yield(uint64_t n, uint64_t a1, uint64_t a2, uint64_t a3)
{
	wrmsr(HV_X64_MSR_GUEST_OS_ID, HYPERV_LINUX_OS_ID);
	while (n--) {
		hyperv_hypercall(HVCALL_NOTIFY_LONG_SPIN_WAIT, 0, 0);
		take_irqs();
	}
	return 0;
}

static void remove_all(struct fuzz_vcpu *v, uint64_t op, uint32_t max)
{
	uint32_t args[2] = {}, id;
	int64_t r;

	for (id = 1; id <= max; id++) {
		args[0] = id;
		r = kvm_hypercall(KVM_HC_HYPERUPCALL, op, (uintptr_t)args,
				  sizeof(args), 0);
		if (r && r != -ENOENT) {
			v->call.op = op;
			v->call.r = r;
			fuzz_found(v, FUZZ_NOT_REMOVED, id);
		}
	}
}

static uint64_t guest_remove_all(uint64_t a0, uint64_t a1, uint64_t a2,
				 uint64_t a3)
{
	struct fuzz_vcpu *v = &fuzz_guest.vcpus[0];
	/* Two vCPUs may have raced to be the maximum. */
	const uint32_t more = 2 * FUZZ_VCPUS;

	remove_all(v, HYPERUPCALL_UNLINK, fuzz_guest.links.max + more);
	remove_all(v, HYPERUPCALL_UNLOAD, fuzz_guest.progs.max + more);
	remove_all(v, HYPERUPCALL_UNMAP, fuzz_guest.regions.max + more);
	return 0;
}

static void set_hole(struct hup *h, vm_vaddr_t gva)
{
	*vm_get_page_table_entry(h->vm, gva) = 0;
}

static void set_read_only(struct hup *h, vm_vaddr_t gva)
{
	*vm_get_page_table_entry(h->vm, gva) &= ~PTE_WRITABLE_MASK;
}

static void prepare_vcpu(struct hup *h, struct fuzz_vcpu *v, vm_vaddr_t base)
{
	v->base = base;
	set_read_only(h, base + FUZZ_STRUCT_READ_ONLY * PAGE_SIZE);
	set_hole(h, base + FUZZ_STRUCT_HOLE * PAGE_SIZE);
	set_hole(h, base + FUZZ_LOG_HOLE * PAGE_SIZE);
}

/* Returns the guest's copy of its state. */
static struct fuzz_guest *prepare(struct hup *h, uint64_t seed)
{
	struct fuzz_guest *g = addr_gva2hva(h->vm, (vm_vaddr_t)&fuzz_guest);
	struct hup_mem arena;
	int i;

	arena = hup_add_slot(h, VM_MEM_SRC_ANONYMOUS, 10, FUZZ_ARENA_PAGES, 0);
	TEST_ASSERT(arena.gva >= FUZZ_ARENA_MIN, "arena at %#lx", arena.gva);
	set_read_only(h, arena.gva + FUZZ_DATA_READ_ONLY * PAGE_SIZE);
	set_hole(h, arena.gva + FUZZ_DATA_HOLE * PAGE_SIZE);
	g->arena = arena.gva;
	for (i = 0; i < FUZZ_VCPUS; i++) {
		prepare_vcpu(h, &g->vcpus[i], arena.gva +
			     (FUZZ_DATA_PAGES + i * FUZZ_OWN_PAGES) * PAGE_SIZE);
		fuzz_seed(&g->vcpus[i].random, seed * FUZZ_VCPUS + i);
		hup_guest(h, i, guest_init, 0, 0, 0, 0);
	}
	for (i = 0; i < FUZZ_VECTORS; i++)
		vm_install_exception_handler(h->vm, FUZZ_VECTOR + i, fuzz_irq);
	return g;
}

static void report_finding(const struct fuzz_vcpu *v, const char *log)
{
	const struct fuzz_call *call = &v->call;
	int i;

	if (!v->finding)
		return;
	ksft_print_msg("%s: %#lx\n", finding_names[v->finding], v->value);
	ksft_print_msg("call %#lx, struct at %#lx, size %#lx, a3 %#lx: %ld\n",
		       call->op, call->gva, call->size, call->a3, call->r);
	ksft_print_msg("the vCPU's pages start at %#lx\n", v->base);
	for (i = 0; i < ARRAY_SIZE(v->args.quads); i++)
		ksft_print_msg("struct + %3d: %016llx -> %016llx\n", 8 * i,
			       v->args.quads[i], v->after.quads[i]);
	if (v->finding == FUZZ_LEAK_IN_LOG)
		ksft_print_msg("log: %.*s\n", FUZZ_LOG_SIZE, log);
}

static void report_findings(struct hup *h, const struct fuzz_guest *g)
{
	bool found = false;
	int i;

	for (i = 0; i < FUZZ_VCPUS; i++) {
		const struct fuzz_vcpu *v = &g->vcpus[i];

		report_finding(v, addr_gva2hva(h->vm, v->base +
					       FUZZ_LOG * PAGE_SIZE));
		found |= v->finding;
	}
	TEST_ASSERT(!found, "see above");
}

static void check_empty(struct hup *h, unsigned long locked_kb)
{
	struct hyperupcall_query q;

	hup_query(h, &q);
	TEST_ASSERT(!q.nr_progs && !q.nr_links && !q.nr_regions && !q.mem,
		    "left: %u programs, %u links, %u regions, %llu bytes",
		    q.nr_progs, q.nr_links, q.nr_regions, q.mem);
	TEST_ASSERT_EQ(hup_locked_kb(), locked_kb);
}

/* The sum of all rounds. */
static struct {
	uint64_t calls;
	uint64_t irqs;
	uint64_t runs;
	uint64_t throttled;
	uint64_t results[HUP_NR_OPS + 1][FUZZ_MAX_ERRNO + 1];
} total;

static void add_results(const struct fuzz_vcpu *v)
{
	int op, err;

	total.irqs += v->irqs;
	for (op = 0; op <= HUP_NR_OPS; op++) {
		for (err = 0; err <= FUZZ_MAX_ERRNO; err++) {
			total.results[op][err] += v->results[op][err];
			total.calls += v->results[op][err];
		}
	}
}

static struct hup *create_vm(const struct kvm_hyperupcall_policy *policy,
			     bool yielder)
{
	struct hup *h = hup_create_vm(FUZZ_VCPUS);

	TEST_ASSERT(!hup_enable(h->vm, policy, sizeof(*policy)), "policy");
	hup_add_vcpus(h);
	if (yielder)
		vcpu_set_hv_cpuid(h->vcpus[YIELDER].vcpu);
	hup_boot(h);
	return h;
}

static void run_vcpus(struct hup *h, uint64_t calls, bool yielder)
{
	int i;

	for (i = 0; i < FUZZ_VCPUS; i++) {
		if (i == YIELDER && yielder)
			hup_start(h, i, guest_yield, calls / 16, 0, 0, 0);
		else
			hup_start(h, i, guest_fuzz, i, calls / FUZZ_VCPUS, 0,
				  0);
	}
	for (i = 0; i < FUZZ_VCPUS; i++)
		hup_join(h, i);
}

static void fuzz_round(uint64_t seed, uint64_t calls)
{
	const bool yielder = !(seed % 4);
	unsigned long locked_kb = hup_locked_kb();
	struct fuzz_guest *g;
	struct hup *h;
	int i;

	h = create_vm(&policies[seed % ARRAY_SIZE(policies)], yielder);
	g = prepare(h, seed);
	run_vcpus(h, calls, yielder);
	report_findings(h, g);
	total.runs += vm_get_stat(h->vm, "hyperupcall_runs");
	total.throttled += vm_get_stat(h->vm, "hyperupcall_throttled");

	hup_guest(h, 0, guest_remove_all, 0, 0, 0, 0);
	report_findings(h, g);
	check_empty(h, locked_kb);
	for (i = 0; i < FUZZ_VCPUS; i++)
		add_results(&g->vcpus[i]);
	hup_free(h);
	TEST_ASSERT_EQ(hup_locked_kb(), locked_kb);
}

static void print_results(void)
{
	char line[512];
	int op, err, n;

	for (op = 0; op <= HUP_NR_OPS; op++) {
		n = snprintf(line, sizeof(line), "%-8s",
			     op < HUP_NR_OPS ? hup_op_names[op] : "unknown");
		for (err = 0; err < FUZZ_MAX_ERRNO; err++) {
			if (total.results[op][err])
				n += snprintf(line + n, sizeof(line) - n,
					      "  %s %lu",
					      err ? strerrorname_np(err) : "ok",
					      total.results[op][err]);
		}
		ksft_print_msg("%s\n", line);
	}
	ksft_print_msg("%lu calls, %lu IPIs received\n", total.calls,
		       total.irqs);
	ksft_print_msg("linked programs ran %lu times, throttled %lu times\n",
		       total.runs, total.throttled);
}

static uint64_t parameter(const char *arg, const char *env, uint64_t otherwise)
{
	const char *s = arg ? arg : getenv(env);

	return s && *s ? strtoull(s, NULL, 0) : otherwise;
}

int main(int argc, char **argv)
{
	uint64_t calls, seed;

	TEST_REQUIRE(kvm_has_cap(KVM_CAP_HYPERUPCALL));

	calls = parameter(argc > 1 ? argv[1] : NULL, "HUP_FUZZ_COUNT",
			  DEFAULT_CALLS);
	seed = parameter(argc > 2 ? argv[2] : NULL, "HUP_FUZZ_SEED", 1);

	ksft_print_header();
	ksft_set_plan(1);
	ksft_print_msg("%lu calls, seed %lu\n", calls, seed);
	for (; total.calls < calls; seed++)
		fuzz_round(seed, ROUND_CALLS);
	print_results();
	TEST_ASSERT(total.runs && total.irqs, "no event had a program");
	ksft_test_result_pass("hypercalls\n");
	ksft_finished();
}
