/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the guest's half of the hypercall fuzzer holds every call to: an error
 * is a documented one and leaves the struct alone, what comes back is within
 * the limits, and nothing looks like an address of the host.
 */
#ifndef SELFTEST_KVM_HYPERUPCALL_HYPERCALL_FUZZ_CHECK_H
#define SELFTEST_KVM_HYPERUPCALL_HYPERCALL_FUZZ_CHECK_H

#include "hypercall_fuzz_shared.h"

static bool fuzz_known_op(const struct fuzz_vcpu *v)
{
	return v->call.op < HUP_NR_OPS;
}

static void fuzz_found(struct fuzz_vcpu *v, enum fuzz_finding finding,
		       uint64_t value)
{
	if (!v->finding) {
		v->finding = finding;
		v->value = value;
	}
}

static bool fuzz_error_expected(const struct fuzz_vcpu *v)
{
	const struct fuzz_call *call = &v->call;

	if (!fuzz_known_op(v))
		return call->r == -EOPNOTSUPP;
	if (call->a3)
		return call->r == -EINVAL;
	if (!call->r)
		return true;
	/* The caller is at CPL 0, and only LINK has more to support. */
	if (call->r == -EPERM ||
	    (call->r == -EOPNOTSUPP && call->op != HYPERUPCALL_LINK))
		return false;
	return hup_error_documented(call->op, call->r);
}

static bool fuzz_query_ok(const struct hyperupcall_query *q)
{
	return q->abi == HYPERUPCALL_ABI && !q->flags && !q->reserved &&
	       q->nr_progs <= q->max_progs && q->nr_links <= q->max_links &&
	       q->nr_regions <= q->max_regions && q->mem <= q->max_mem &&
	       q->budget_left_ns <= q->budget_ns;
}

static bool fuzz_map_ok(const struct hyperupcall_map *map)
{
	return map->region && map->offset && !(map->offset % PAGE_SIZE) &&
	       map->offset + map->size < 1ULL << 32;
}

static bool fuzz_output_ok(const struct fuzz_vcpu *v)
{
	const union hup_args *after = &v->after;

	switch (v->call.op) {
	case HYPERUPCALL_QUERY:
		return fuzz_query_ok(&after->query);
	case HYPERUPCALL_MAP:
		return fuzz_map_ok(&after->map);
	case HYPERUPCALL_LOAD:
		return after->load.prog;
	case HYPERUPCALL_LINK:
		return after->link.link;
	case HYPERUPCALL_TEST_RUN:
		return after->test_run.retval <= ~0U &&
		       !memcmp(&after->test_run.ctx, &v->args.test_run.ctx,
			       sizeof(after->test_run.ctx));
	default:
		return true;
	}
}

/* The upper half of the canonical addresses; the guest uses the lower. */
static bool fuzz_looks_like_host(uint64_t value)
{
	return value >= 0xffff800000000000ULL;
}

static void fuzz_check_leak(struct fuzz_vcpu *v)
{
	int i;

	for (i = 0; i < hup_op_sizes[v->call.op] / 8; i++) {
		if (v->after.quads[i] != v->args.quads[i] &&
		    fuzz_looks_like_host(v->after.quads[i]))
			fuzz_found(v, FUZZ_LEAK_IN_STRUCT, v->after.quads[i]);
	}
}

static int fuzz_hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

/*
 * In a log, numbers of the program look like addresses easily: bounds, masks
 * and sign-extended constants. What is in the direct map or in vmalloc space
 * looks like nothing else.
 */
static void fuzz_check_log(struct fuzz_vcpu *v, uint64_t log)
{
	const char *c = (const char *)log, *end = c + FUZZ_LOG_SIZE;
	uint64_t value = 0;
	int digits = 0;

	for (; c < end && *c; c++) {
		int digit = fuzz_hex_digit(*c);

		if (digit >= 0) {
			value = value << 4 | digit;
			digits++;
			continue;
		}
		if (digits == 16 && value >= 0xffff888000000000ULL &&
		    value < 0xfffffe0000000000ULL && ~value & (~value + 1))
			fuzz_found(v, FUZZ_LEAK_IN_LOG, value);
		value = 0;
		digits = 0;
	}
}

static void fuzz_check_struct(struct fuzz_vcpu *v)
{
	union hup_args *after = &v->after;

	/* Which is written whether the program was refused or not. */
	if (v->call.op == HYPERUPCALL_LOAD && v->call.r)
		after->load.log_true_size = v->args.load.log_true_size;

	/* If only a part can be written, it may be. */
	if (v->call.r && (v->writable || v->call.r != -EFAULT) &&
	    memcmp(after, &v->args, hup_op_sizes[v->call.op]))
		fuzz_found(v, FUZZ_OUTPUT_ON_ERROR, 0);
	if (!v->call.r && !fuzz_output_ok(v))
		fuzz_found(v, FUZZ_BAD_OUTPUT, 0);
	fuzz_check_leak(v);
}

/* Looks at what became of @v->call. */
static void fuzz_check(struct fuzz_vcpu *v)
{
	const struct fuzz_call *call = &v->call;

	if (!fuzz_error_expected(v))
		fuzz_found(v, FUZZ_BAD_ERROR, 0);
	if (!fuzz_known_op(v))
		return;
	if (v->readable)
		fuzz_check_struct(v);
	if (call->op == HYPERUPCALL_LOAD && v->args.load.log_buf)
		fuzz_check_log(v, v->base + FUZZ_LOG * PAGE_SIZE);
}

#endif /* SELFTEST_KVM_HYPERUPCALL_HYPERCALL_FUZZ_CHECK_H */
