// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random programs on random guest memory. Two VMs, each with a thread and a
 * window of its own, are given the same programs, and each of the two compares
 * what a program did with a model of the contract. An address of the host that
 * reached a place where the guest can see it would make the VMs differ from
 * each other and from the model; memory that is not the program's to write
 * must be as it was.
 *
 * HUP_FUZZ_COUNT programs, 5000 if it is not set, from HUP_FUZZ_SEED, which is
 * printed. HUP_FUZZ_FIRST is the first of them: with a count of 1, the one that
 * failed.
 */
#include <linux/kvm_para.h>

#include "apic.h"
#include "program_generator.h"

#define PAGE		4096
#define NR_VMS		2
#define NR_PAGES	9
#define MAX_FAILURES	10

/* A few programs take long to verify; the others may run for long. */
#define MAX_VERIFIED	4096
#define MAX_RUN		(1024U * 1024)

/* For how many instructions one may count in the length of a run, at most. */
#define MAX_WEIGHT	257

/* Every how many programs one is also linked. */
#define LINK_EACH	10

/* Every how many programs one has a log. */
#define LOG_EACH	8

/* Regions of the window between pages that are not in it. */
static const struct {
	unsigned int page;
	unsigned int nr_pages;
	bool writable;
} layout[MODEL_REGIONS] = {
	{ 1, 2, true },
	{ 4, 1, false },
	{ 6, 2, true },
};

/* What must be the same in all VMs. */
struct outcome {
	long load;		/* 0 or an error */
	uint32_t retval;
	uint64_t faults;
	uint64_t memory;	/* checksums of what the guest can see */
	uint64_t ctx;
	uint64_t log;
};

struct fuzz_vm {
	struct hup *h;
	pthread_t thread;
	struct hup_mem pages;
	uint8_t *model_pages;
	uint32_t offsets[MODEL_REGIONS];
	struct outcome *outcomes;
	struct gen gen;
	struct model model;
	/* how many .. */
	unsigned int nr_valid;
	unsigned int nr_valid_accepted;
	unsigned int nr_mutated_accepted;
	unsigned int nr_modelled;
	unsigned int nr_linked;
	unsigned int nr_failures;
	bool shrinking;		/* failures are counted, and not said */
};

static uint64_t seed, first, count;

static uint64_t env(const char *name, uint64_t value)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 0) : value;
}

/* FNV-1a, a word at a time. */
static uint64_t checksum(const void *from, size_t size)
{
	uint64_t word, sum = 0xcbf29ce484222325ULL;
	size_t i;

	for (i = 0; i < size; i += 8) {
		word = 0;
		memcpy(&word, from + i, size - i < 8 ? size - i : 8);
		sum = (sum ^ word) * 0x100000001b3ULL;
	}
	return sum;
}

static void print_program(const struct gen *g)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	const struct bpf_insn *insn, nop = BPF_JMP_A(0);

	pthread_mutex_lock(&lock);
	for (insn = g->insns; insn < g->insns + g->cnt; insn++) {
		if (!memcmp(insn, &nop, sizeof(nop)))
			continue;
		ksft_print_msg("%3ld: %02x r%d r%d %d %d\n", insn - g->insns,
			       insn->code, insn->dst_reg, insn->src_reg,
			       insn->off, insn->imm);
	}
	pthread_mutex_unlock(&lock);
}

static void print_log(uint64_t i, long err, const char *log)
{
	size_t len = strlen(log), tail = len < 300 ? len : 300;

	ksft_print_msg("program %lu of seed %#lx: %ld, %s\n", i, seed, err,
		       log + len - tail);
}

static void fail(struct fuzz_vm *f, uint64_t i, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	f->nr_failures++;
	if (f->shrinking)
		return;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	ksft_print_msg("program %lu of seed %#lx%s: %s\n", i, seed,
		       f->gen.mutated ? " (mutated)" : "", text);
}

/* Guest memory and event data as they are before a run. */
static void reset(struct fuzz_vm *f, struct fuzz_random *random,
		  struct hyperupcall_ctx *ctx)
{
	uint64_t *words = f->pages.hva;
	unsigned int i;

	for (i = 0; i < f->pages.size / 8; i++) {
		words[i] = fuzz_next(random);
		/* Small numbers and offsets lead somewhere. */
		if (!(words[i] >> 62))
			words[i] = f->offsets[i % MODEL_REGIONS] + i * 8;
		else if (words[i] >> 62 == 1)
			words[i] &= 0xff;
	}
	memcpy(f->model_pages, words, f->pages.size);

	words = (uint64_t *)ctx;
	for (i = 0; i < sizeof(*ctx) / 8; i++)
		words[i] = fuzz_next(random) >> (fuzz_below(random, 4) * 16);
}

static void check_memory(struct fuzz_vm *f, uint64_t i)
{
	const uint8_t *real = f->pages.hva, *model = f->model_pages;
	size_t at = 0;

	if (!memcmp(real, model, f->pages.size))
		return;
	while (real[at] == model[at])
		at++;
	fail(f, i, "byte %#lx of page %lu is %#x, the model says %#x",
	     at % PAGE, at / PAGE, real[at], model[at]);
}

/* Pages that no program may have changed, whatever the model says. */
static void check_guards(struct fuzz_vm *f, uint64_t i, const uint8_t *before)
{
	bool writable[NR_PAGES] = {};
	unsigned int r, page;

	for (r = 0; r < MODEL_REGIONS; r++) {
		for (page = 0; page < layout[r].nr_pages; page++)
			writable[layout[r].page + page] = layout[r].writable;
	}
	for (page = 0; page < NR_PAGES; page++) {
		if (!writable[page] &&
		    memcmp(f->pages.hva + page * PAGE, before + page * PAGE,
			   PAGE))
			fail(f, i, "page %u was written", page);
	}
}

static enum model_outcome run_model(struct fuzz_vm *f,
				    const struct hyperupcall_ctx *ctx)
{
	struct model *m = &f->model;
	unsigned int r;

	m->insns = f->gen.insns;
	m->cnt = f->gen.cnt;
	m->ctx = *ctx;
	m->nr_vcpus = f->h->nr_vcpus;
	for (r = 0; r < MODEL_REGIONS; r++) {
		m->regions[r].offset = f->offsets[r];
		m->regions[r].size = layout[r].nr_pages * PAGE;
		m->regions[r].writable = layout[r].writable;
		m->regions[r].bytes = f->model_pages + layout[r].page * PAGE;
	}
	return model_run(m);
}

/*
 * The host ends a loop of may_goto when its iterations, times what the verifier
 * has followed, are over the policy's limit. The model does not.
 */
static bool is_modelled(struct fuzz_vm *f, enum model_outcome outcome)
{
	const char *words = strstr(f->h->log.hva, "processed ");
	unsigned int verified = MAX_VERIFIED;

	if (words)
		sscanf(words, "processed %u insns", &verified);
	return outcome == MODEL_RETURNED &&
	       (!f->model.loops ||
		verified * MAX_WEIGHT <= MAX_RUN / (f->model.loops + 1));
}

static void compare(struct fuzz_vm *f, uint64_t i, enum model_outcome outcome,
		    uint64_t faults, const uint8_t *before)
{
	check_guards(f, i, before);
	if (outcome == MODEL_WRONG)
		fail(f, i, "the verifier let pass %s, before instruction %u",
		     f->model.why, f->model.pc);
	if (!is_modelled(f, outcome))
		return;
	f->nr_modelled++;
	if (faults != f->model.faults)
		fail(f, i, "%lu faults, the model says %lu", faults,
		     f->model.faults);
	check_memory(f, i);
}

static void test_run(struct fuzz_vm *f, uint64_t i, long prog,
		     struct fuzz_random *random, struct outcome *o)
{
	static __thread uint8_t before[NR_PAGES * PAGE];
	struct hyperupcall_test_run run = {};
	struct hyperupcall_ctx ctx;
	enum model_outcome outcome;
	long r;

	reset(f, random, &ctx);
	memcpy(before, f->model_pages, sizeof(before));
	outcome = run_model(f, &ctx);

	run.ctx = ctx;
	r = hup_test_run(f->h, prog, &run);
	TEST_ASSERT(!r, "TEST_RUN returned %ld", r);
	o->retval = run.retval;
	o->faults = run.faults;
	o->memory = checksum(f->pages.hva, f->pages.size);
	o->ctx = checksum(&run.ctx, sizeof(run.ctx));

	compare(f, i, outcome, run.faults, before);
	if (memcmp(&run.ctx, &ctx, sizeof(ctx)))
		fail(f, i, "the event data changed");
	if (run.retval >> 32)
		fail(f, i, "returned more than 32 bits: %#llx", run.retval);
	if (is_modelled(f, outcome) && run.retval != f->model.retval)
		fail(f, i, "returned %#llx, the model says %#x", run.retval,
		     f->model.retval);
}

static uint64_t guest_send_ipi(uint64_t dest, uint64_t icr, uint64_t a2,
			       uint64_t a3)
{
	return kvm_hypercall(KVM_HC_SEND_IPI, 1ULL << dest, 0, 0, icr);
}

static uint64_t guest_enable_apic(uint64_t a0, uint64_t a1, uint64_t a2,
				  uint64_t a3)
{
	x2apic_enable();
	return 0;
}

/* The same by an event: an IPI from vCPU 0 to vCPU 1, which is in the VMM. */
static void link_run(struct fuzz_vm *f, uint64_t i, long prog,
		     struct fuzz_random *random)
{
	static __thread uint8_t before[NR_PAGES * PAGE];
	struct hyperupcall_ctx ctx, ignored;
	struct hyperupcall_stats stats;
	uint8_t vector = 0x40 + i % 64;
	enum model_outcome outcome;
	long link;

	memset(&ctx, 0, sizeof(ctx));
	ctx.event = HYPERUPCALL_EVENT_INTERRUPT;
	ctx.interrupt.vector = vector;
	ctx.interrupt.target = 1;
	ctx.interrupt.target_state = HYPERUPCALL_VCPU_STOPPED;

	reset(f, random, &ignored);
	memcpy(before, f->model_pages, sizeof(before));
	link = hup_link(f->h, prog, HYPERUPCALL_EVENT_INTERRUPT);
	TEST_ASSERT(link > 0, "LINK returned %ld", link);
	hup_guest(f->h, 0, guest_send_ipi, 1, vector, 0, 0);
	hup_stats(f->h, link, &stats);
	TEST_ASSERT(!hup_unlink(f->h, link), "UNLINK failed");
	if (stats.runs + stats.throttled != 1)
		fail(f, i, "%llu runs by one interrupt", stats.runs);
	if (!stats.runs)
		return;

	f->nr_linked++;
	outcome = run_model(f, &ctx);
	compare(f, i, outcome, stats.faults, before);
	if (is_modelled(f, outcome) &&
	    stats.opinions != (f->model.retval == HYPERUPCALL_DELIVER ||
			       f->model.retval == HYPERUPCALL_CONSUMED))
		fail(f, i, "%llu opinions, the model returned %#x",
		     stats.opinions, f->model.retval);
}

/*
 * The log takes most of the time of a LOAD, so that only some programs have
 * one; those with may_goto need it, see is_modelled().
 */
static long load_program(struct fuzz_vm *f, uint64_t i)
{
	struct gen *g = &f->gen;
	struct hyperupcall_load load = {
		.insns = f->h->insns.gva,
		.insn_cnt = g->cnt,
		.name = "fuzz",
	};
	long r;

	if (g->may_goto || g->mutated || !(i % LOG_EACH)) {
		load.log_buf = f->h->log.gva;
		load.log_size = f->h->log.size;
		load.log_level = 1;
	}
	memcpy(f->h->insns.hva, g->insns, g->cnt * sizeof(g->insns[0]));
	*(char *)f->h->log.hva = 0;
	r = hup_op(f->h, HYPERUPCALL_LOAD, &load, sizeof(load));
	return r ?: load.prog;
}

/* Loads and runs what the generator holds; says whether it was loaded. */
static bool run_program(struct fuzz_vm *f, uint64_t i, struct outcome *o)
{
	struct fuzz_random random;
	long prog;

	/* The same memory and data in all VMs, but not the program's numbers. */
	fuzz_seed(&random, seed ^ ~i);
	prog = load_program(f, i);
	o->log = checksum(f->h->log.hva, strlen(f->h->log.hva));
	if (prog < 0) {
		o->load = prog;
		if (getenv("HUP_FUZZ_VERBOSE") && !f->gen.mutated &&
		    !f->shrinking)
			print_log(i, prog, f->h->log.hva);
		return false;
	}

	test_run(f, i, prog, &random, o);
	if (!(i % LINK_EACH))
		link_run(f, i, prog, &random);
	TEST_ASSERT(!hup_unload(f->h, prog), "UNLOAD failed");
	return true;
}

/* Prints the failed program without the instructions that do not matter. */
static void shrink(struct fuzz_vm *f, uint64_t i)
{
	unsigned int failures = f->nr_failures;
	struct gen *g = &f->gen;
	struct bpf_insn insn;
	struct outcome o;
	int at;

	f->shrinking = true;
	for (at = g->cnt - 1; at >= 0; at--) {
		insn = g->insns[at];
		g->insns[at] = BPF_JMP_A(0);
		f->nr_failures = 0;
		if (!run_program(f, i, &o) || !f->nr_failures)
			g->insns[at] = insn;
	}
	f->shrinking = false;
	f->nr_failures = failures;
	print_program(g);
}

static void check_program(struct fuzz_vm *f, uint64_t i)
{
	unsigned int failures = f->nr_failures;
	struct gen *g = &f->gen;
	bool accepted;

	gen_program(g, seed, i, f->offsets);
	accepted = run_program(f, i, &f->outcomes[i - first]);
	f->nr_valid += !g->mutated;
	f->nr_valid_accepted += accepted && !g->mutated;
	f->nr_mutated_accepted += accepted && g->mutated;
	if (f->nr_failures != failures)
		shrink(f, i);
}

static void *fuzz(void *arg)
{
	struct fuzz_vm *f = arg;
	uint64_t i;

	for (i = first; i < first + count && f->nr_failures < MAX_FAILURES; i++)
		check_program(f, i);
	return NULL;
}

static void fuzz_vm_create(struct fuzz_vm *f)
{
	const struct kvm_hyperupcall_policy policy = {
		.max_verified_insns = MAX_VERIFIED,
		.max_run_insns = MAX_RUN,
		.budget_ns = 500000000,
	};
	struct hup *h = hup_create_policy(2, &policy);
	unsigned int r;
	long region;

	f->h = h;
	hup_guest(h, 1, guest_enable_apic, 0, 0, 0, 0);
	/* It is not in the middle of an instruction, as the model has it. */
	vcpu_run_complete_io(h->vcpus[1].vcpu);
	f->pages.size = NR_PAGES * PAGE;
	f->pages.gva = vm_vaddr_alloc(h->vm, f->pages.size, KVM_UTIL_MIN_VADDR);
	f->pages.hva = addr_gva2hva(h->vm, f->pages.gva);
	f->model_pages = malloc(f->pages.size);
	f->outcomes = calloc(count, sizeof(*f->outcomes));
	TEST_ASSERT(f->model_pages && f->outcomes, "no memory");

	for (r = 0; r < MODEL_REGIONS; r++) {
		region = hup_map(h, f->pages.gva + layout[r].page * PAGE,
				 layout[r].nr_pages * PAGE,
				 layout[r].writable ? HYPERUPCALL_MAP_WRITE : 0,
				 &f->offsets[r]);
		TEST_ASSERT(region > 0, "MAP returned %ld", region);
	}
}

static bool check_same(struct fuzz_vm *a, struct fuzz_vm *b)
{
	uint64_t i, nr_different = 0;

	for (i = 0; i < count && nr_different < MAX_FAILURES; i++) {
		const struct outcome *x = &a->outcomes[i], *y = &b->outcomes[i];

		if (!memcmp(x, y, sizeof(*x)))
			continue;
		nr_different++;
		ksft_print_msg("program %lu of seed %#lx: LOAD %ld, %ld\n",
			       first + i, seed, x->load, y->load);
		ksft_print_msg("returned %#x, %#x; faults %lu, %lu\n",
			       x->retval, y->retval, x->faults, y->faults);
		ksft_print_msg("memory %s, context %s, log %s\n",
			       x->memory == y->memory ? "same" : "differs",
			       x->ctx == y->ctx ? "same" : "differs",
			       x->log == y->log ? "same" : "differs");
	}
	return !nr_different;
}

int main(void)
{
	static struct fuzz_vm vms[NR_VMS];
	struct timespec now;
	unsigned int i;

	TEST_REQUIRE(kvm_has_cap(KVM_CAP_HYPERUPCALL));

	clock_gettime(CLOCK_REALTIME, &now);
	seed = env("HUP_FUZZ_SEED", now.tv_sec * 1000000007ULL ^ now.tv_nsec);
	first = env("HUP_FUZZ_FIRST", 0);
	count = env("HUP_FUZZ_COUNT", 5000);

	ksft_print_header();
	ksft_set_plan(NR_VMS + 2);
	ksft_print_msg("HUP_FUZZ_SEED=%#lx HUP_FUZZ_FIRST=%lu HUP_FUZZ_COUNT=%lu\n",
		       seed, first, count);

	for (i = 0; i < NR_VMS; i++)
		fuzz_vm_create(&vms[i]);
	TEST_ASSERT(!memcmp(vms[0].offsets, vms[1].offsets,
			    sizeof(vms[0].offsets)), "offsets differ");
	for (i = 0; i < NR_VMS; i++)
		TEST_ASSERT(!pthread_create(&vms[i].thread, NULL, fuzz,
					    &vms[i]), "pthread_create");
	for (i = 0; i < NR_VMS; i++) {
		pthread_join(vms[i].thread, NULL);
		ksft_print_msg("VM %u accepted %u of %u valid programs, %u mutated ones\n",
			       i, vms[i].nr_valid_accepted, vms[i].nr_valid,
			       vms[i].nr_mutated_accepted);
		ksft_print_msg("%u runs followed by the model, %u by interrupts\n",
			       vms[i].nr_modelled, vms[i].nr_linked);
		ksft_test_result(!vms[i].nr_failures, "VM %u\n", i);
	}
	ksft_test_result(check_same(&vms[0], &vms[1]), "VMs agree\n");
	ksft_test_result(vms[0].nr_valid_accepted * 10 >= vms[0].nr_valid * 6,
			 "most valid programs accepted\n");

	for (i = 0; i < NR_VMS; i++) {
		hup_free(vms[i].h);
		free(vms[i].model_pages);
		free(vms[i].outcomes);
	}
	ksft_finished();
}
