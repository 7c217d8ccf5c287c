// SPDX-License-Identifier: GPL-2.0-only
/*
 * Programs that the verifier accepts, with what they do, and programs that it
 * refuses, with what its log says. A new case is one entry in a table.
 */
#include "verifier_case.h"

#include "verifier_arithmetic.h"
#include "verifier_atomics.h"
#include "verifier_calls.h"
#include "verifier_context.h"
#include "verifier_flow.h"
#include "verifier_loops.h"
#include "verifier_helpers.h"
#include "verifier_malformed.h"
#include "verifier_secrets.h"
#include "verifier_speculation.h"
#include "verifier_stack.h"
#include "verifier_window.h"

struct verifier_suite {
	const char *name;
	const struct prog_case *cases;
	unsigned int nr_cases;
};

#define SUITE(name)	{ #name, name##_cases, ARRAY_SIZE(name##_cases) }

static const struct verifier_suite suites[] = {
	SUITE(arithmetic),
	SUITE(stack),
	SUITE(context),
	SUITE(window),
	SUITE(atomics),
	SUITE(secrets),
	SUITE(helpers),
	SUITE(flow),
	SUITE(loops),
	SUITE(calls),
	SUITE(malformed),
	SUITE(speculation),
};

/* Numbers at which something overflows, changes its sign or is zero. */
static const uint64_t numbers[] = {
	0, 1, 2, 7, 31, 32, 63, 64, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff,
	INT32_MAX, 1ULL << 31, UINT32_MAX, 1ULL << 32, -7ULL, -1ULL,
	INT64_MAX, 1ULL << 63, 0x0123456789abcdefULL,
};

/* No other program here ends with an instruction that is all zeros. */
static unsigned int insn_cnt(const struct prog_case *c)
{
	static const struct bpf_insn zero;
	unsigned int n = MAX_INSNS;

	while (!memcmp(&c->insns[n - 1], &zero, sizeof(zero)))
		n--;
	return n;
}

static long load_case(struct hup *h, const struct prog_case *c)
{
	static struct bpf_insn built[MAX_BUILT_INSNS];

	if (c->build)
		return hup_load(h, built, c->build(built, &c->tested));
	return hup_load(h, c->insns, insn_cnt(c));
}

static uint32_t run(struct hup *h, long prog, struct hyperupcall_ctx *ctx)
{
	struct hyperupcall_test_run run = { .ctx = *ctx };
	long r = hup_test_run(h, prog, &run);

	TEST_ASSERT(!r, "TEST_RUN returned %ld", r);
	return run.retval;
}

static bool check_retval(struct hup *h, long prog, uint32_t expected)
{
	struct hyperupcall_ctx ctx = {
		.event = CTX_EVENT,
		.vcpu = CTX_VCPU,
		.data = { CTX_DATA0 },
	};
	uint32_t retval = run(h, prog, &ctx);

	if (retval == expected)
		return true;
	ksft_print_msg("returned %#x, not %#x\n", retval, expected);
	return false;
}

static void fill(struct world *w, uint64_t a, uint64_t b)
{
	unsigned int i;

	w->a = a;
	w->b = b;
	for (i = 0; i < WORLD_WORDS; i++)
		w->mem[i] = (a + i) * 0x9e3779b97f4a7c15ULL ^ b << (4 * i % 64);
	/* Something for a comparison to find. */
	w->mem[0] = a;
}

static bool check_input(struct hup *h, long prog, const struct prog_case *c,
			uint32_t offset, uint64_t a, uint64_t b)
{
	struct hyperupcall_ctx ctx = { .data = { a, b, [6] = offset } };
	struct world w = { .tested = &c->tested };
	uint32_t retval;

	fill(&w, a, b);
	memcpy(h->data.hva, w.mem, sizeof(w.mem));
	retval = run(h, prog, &ctx);
	c->same(&w);
	if (retval == w.result && !memcmp(h->data.hva, w.mem, sizeof(w.mem)))
		return true;
	ksft_print_msg("with %#lx and %#lx returned %#x, C %#x; memory %s\n",
		       a, b, retval, w.result,
		       memcmp(h->data.hva, w.mem, sizeof(w.mem)) ?
		       "differs" : "is the same");
	return false;
}

/* Each number with itself, and with some of the others. */
static bool check_same(struct hup *h, long prog, const struct prog_case *c,
		       uint32_t offset)
{
	const unsigned int n = ARRAY_SIZE(numbers);
	unsigned int i, j;

	for (i = 0; i < n; i++) {
		for (j = 0; j < n; j += 7) {
			if (!check_input(h, prog, c, offset, numbers[i],
					 numbers[(i + j) % n]))
				return false;
		}
	}
	return true;
}

static bool check_good(struct hup *h, const struct prog_case *c,
		       uint32_t offset)
{
	long prog = load_case(h, c);
	bool good;

	if (prog < 0) {
		ksft_print_msg("LOAD returned %ld: %s\n", prog,
			       (char *)h->log.hva);
		return false;
	}
	if (c->same)
		good = check_same(h, prog, c, offset);
	else
		good = check_retval(h, prog, c->retval);
	TEST_ASSERT(!hup_unload(h, prog), "UNLOAD failed");
	return good;
}

static bool check_bad(struct hup *h, const struct prog_case *c)
{
	const char *log = h->log.hva;
	long r = load_case(h, c);

	if (r == c->err && strstr(log, c->msg))
		return true;
	ksft_print_msg("LOAD returned %ld, '%s' is not in: %s\n", r, c->msg,
		       log);
	if (r > 0)
		hup_unload(h, r);
	return false;
}

static void check_suite(struct hup *h, const struct verifier_suite *s,
			uint32_t offset)
{
	const struct prog_case *c;
	bool ok;

	for (c = s->cases; c < s->cases + s->nr_cases; c++) {
		ok = c->err ? check_bad(h, c) : check_good(h, c, offset);
		ksft_test_result(ok, "%s, %s: %s\n", s->name,
				 c->err ? "bad" : "good", c->name);
	}
}

int main(void)
{
	unsigned int i, n = 0;
	uint32_t offset;
	struct hup *h;

	TEST_REQUIRE(kvm_has_cap(KVM_CAP_HYPERUPCALL));

	for (i = 0; i < ARRAY_SIZE(suites); i++)
		n += suites[i].nr_cases;
	ksft_print_header();
	ksft_set_plan(n);

	h = hup_create(1);
	TEST_ASSERT(hup_map(h, h->data.gva, getpagesize(),
			    HYPERUPCALL_MAP_WRITE, &offset) > 0, "MAP failed");
	for (i = 0; i < ARRAY_SIZE(suites); i++)
		check_suite(h, &suites[i], offset);
	hup_free(h);

	ksft_finished();
}
