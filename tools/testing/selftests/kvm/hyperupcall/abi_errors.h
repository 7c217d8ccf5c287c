/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The rows of abi_errors_test: what is wrong with a call, and the error that
 * gives.
 */
#ifndef SELFTEST_KVM_HYPERUPCALL_ABI_ERRORS_H
#define SELFTEST_KVM_HYPERUPCALL_ABI_ERRORS_H

#include "abi_spoil.h"

/**
 * struct error - a row
 * @op: the opcode; rows of common_errors are for all of them
 * @err: what the call must return, positive
 * @why: what is wrong
 * @spoil: makes it so, given a valid call
 * @policy: the VM's, NULL for the default
 * @cpl3: whether the caller is in user mode
 */
struct error {
	uint64_t op;
	int err;
	const char *why;
	void (*spoil)(struct abi_vm *vm, struct abi_call *c);
	const struct kvm_hyperupcall_policy *policy;
	bool cpl3;
};

static const struct error common_errors[] = {
	{ .err = EPERM, .why = "CPL 3", .spoil = nothing, .cpl3 = true },
	{ .err = EFAULT, .why = "not mapped", .spoil = struct_not_mapped },
	{ .err = EINVAL, .why = "too short", .spoil = struct_too_short },
	{ .err = EINVAL, .why = "a3", .spoil = fourth_argument },
	{ .err = EINVAL, .why = "unknown flag", .spoil = unknown_flag },
	{ .err = E2BIG, .why = "tail is not zero", .spoil = tail_not_zero },
};

#define POLICY(name, ...)						\
	static const struct kvm_hyperupcall_policy name = { __VA_ARGS__ }

/* The VM's own two programs, link and region are at the limit. */
POLICY(two_progs, .max_progs = 2);
POLICY(four_insns, .max_insns = 4, .max_insns_total = 4);
POLICY(one_link, .max_links = 1);
POLICY(one_region, .max_regions = 1);

/* A row's program is over the limit. */
POLICY(hundred_insns, .max_insns = 100);
POLICY(hundred_insns_global, .max_insns_global = 100);
POLICY(hundred_verified, .max_verified_insns = 100);
POLICY(hundred_verified_global, .max_verified_insns_global = 100);
POLICY(hundred_run, .max_run_insns = 100);
POLICY(hundred_run_global, .max_run_insns_global = 100);

/* A run takes longer. */
POLICY(one_ns, .budget_ns = 1);

POLICY(little_memory, .mem_percent_global = 1);
POLICY(no_preempt, .events = BIT(HYPERUPCALL_EVENT_INTERRUPT));

#define ERROR(OP, _err, _why, _spoil, ...)				\
	{ .op = HYPERUPCALL_##OP, .err = _err, .why = _why,		\
	  .spoil = _spoil, __VA_ARGS__ }

static const struct error errors[] = {
	ERROR(MAP, EINVAL, "address not aligned", map_unaligned_gva),
	ERROR(MAP, EINVAL, "size not aligned", map_unaligned_size),
	ERROR(MAP, EINVAL, "no size", map_no_size),
	ERROR(MAP, EINVAL, "wraps", map_wraps),
	ERROR(MAP, EINVAL, "wraps to the start", map_wraps_to_the_start),
	ERROR(MAP, EINVAL, "starts noncanonical", map_starts_noncanonical),
	ERROR(MAP, EINVAL, "ends noncanonical", map_ends_noncanonical),
	ERROR(MAP, EINVAL, "across the canonical hole", map_across_the_hole),
	ERROR(MAP, EFAULT, "not mapped", map_not_mapped),
	ERROR(MAP, EFAULT, "last page not mapped", map_last_not_mapped),
	ERROR(MAP, EFAULT, "read-only to the guest", map_guest_read_only),
	ERROR(MAP, EFAULT, "MMIO", map_mmio),
	ERROR(MAP, EFAULT, "read-only memslot", map_read_only_memslot),
	ERROR(MAP, EFAULT, "cannot be pinned", map_no_vmm_memory),
	ERROR(MAP, ENOSPC, "larger than the window", map_larger_than_window),
	ERROR(MAP, ENOSPC, "too many regions", nothing, &one_region),
	ERROR(MAP, EDQUOT, "over max_mem", map_more_than_allowed),
	ERROR(MAP, EDQUOT, "over max_mem_global", map_more_than_global),
	ERROR(MAP, EDQUOT, "over RLIMIT_MEMLOCK", map_over_rlimit),

	ERROR(UNMAP, ENOENT, "no such region", no_such_region),
	ERROR(UNMAP, ENOENT, "region 0", no_region),
	ERROR(UNMAP, ENOENT, "region is gone", region_is_gone),

	ERROR(LOAD, EACCES, "register not written", load_unread_register),
	ERROR(LOAD, EINVAL, "malformed instruction", load_malformed),
	ERROR(LOAD, EINVAL, "names a map of the host", load_map_fd),
	ERROR(LOAD, EINVAL, "no instructions", load_no_insns),
	ERROR(LOAD, EINVAL, "bad name", load_bad_name),
	ERROR(LOAD, EINVAL, "name without end", load_endless_name),
	ERROR(LOAD, EINVAL, "log too small", load_small_log),
	ERROR(LOAD, EINVAL, "log too large", load_large_log),
	ERROR(LOAD, EINVAL, "level without log", load_no_log),
	ERROR(LOAD, EINVAL, "log without level", load_no_log_level),
	ERROR(LOAD, EINVAL, "unknown log level", load_bad_log_level),
	ERROR(LOAD, EFAULT, "insns not mapped", load_insns_not_mapped),
	ERROR(LOAD, EFAULT, "insns half mapped", load_insns_half_mapped),
	ERROR(LOAD, EFAULT, "insns wrap", load_insns_wrap),
	ERROR(LOAD, EFAULT, "log not mapped", load_log_not_mapped),
	ERROR(LOAD, EFAULT, "log read-only", load_log_read_only),
	ERROR(LOAD, E2BIG, "insns", load_long, &hundred_insns),
	ERROR(LOAD, E2BIG, "2^32 - 1 insns", load_absurdly_long),
	ERROR(LOAD, E2BIG, "insns, global", load_long_global,
	      &hundred_insns_global),
	ERROR(LOAD, E2BIG, "verified insns", load_loop, &hundred_verified),
	ERROR(LOAD, E2BIG, "verified insns, global", load_loop_global,
	      &hundred_verified_global),
	ERROR(LOAD, E2BIG, "insns of a run", load_loop, &hundred_run),
	ERROR(LOAD, E2BIG, "insns of a run, global", load_loop_global,
	      &hundred_run_global),
	ERROR(LOAD, E2BIG, "calls too deep", load_deep_calls),
	ERROR(LOAD, ENOSPC, "too many programs", nothing, &two_progs),
	ERROR(LOAD, ENOSPC, "over max_insns_total", nothing, &four_insns),

	ERROR(UNLOAD, ENOENT, "no such program", no_such_prog),
	ERROR(UNLOAD, ENOENT, "program 0", no_prog),
	ERROR(UNLOAD, ENOENT, "program is gone", prog_is_gone),
	ERROR(UNLOAD, EBUSY, "program is linked", prog_is_linked),

	ERROR(LINK, ENOENT, "no such program", no_such_prog),
	ERROR(LINK, ENOENT, "program is gone", prog_is_gone),
	ERROR(LINK, ENOENT, "replaces nothing", link_replaces_nothing),
	ERROR(LINK, EINVAL, "replaces at another event",
	      link_replaces_at_other_event),
	ERROR(LINK, EINVAL, "no such event", link_no_event),
	ERROR(LINK, EINVAL, "event 2^32 - 1", link_absurd_event),
	ERROR(LINK, EOPNOTSUPP, "unsupported event", link_unsupported_event),
	ERROR(LINK, EACCES, "event not allowed", link_global, &no_preempt),
	ERROR(LINK, EEXIST, "a second global link", link_global_twice),
	ERROR(LINK, E2BIG, "insns, global", link_long_global,
	      &hundred_insns_global),
	ERROR(LINK, E2BIG, "verified insns, global", link_loop_global,
	      &hundred_verified_global),
	ERROR(LINK, E2BIG, "insns of a run, global", link_loop_global,
	      &hundred_run_global),
	ERROR(LINK, EDQUOT, "over max_mem_global", link_with_much_memory,
	      &little_memory),
	ERROR(LINK, ENOSPC, "too many links", nothing, &one_link),

	ERROR(UNLINK, ENOENT, "no such link", no_such_link),
	ERROR(UNLINK, ENOENT, "link 2^32 - 1", no_link),
	ERROR(UNLINK, ENOENT, "link is gone", link_is_gone),

	ERROR(STATS, ENOENT, "no such link", no_such_link),
	ERROR(STATS, ENOENT, "link is gone", link_is_gone),

	ERROR(TEST_RUN, ENOENT, "no such program", no_such_prog),
	ERROR(TEST_RUN, ENOENT, "program 0", no_prog),
	ERROR(TEST_RUN, ENOENT, "program is gone", prog_is_gone),
	ERROR(TEST_RUN, EDQUOT, "the second is used up", second_is_used_up, &one_ns),
};

#endif /* SELFTEST_KVM_HYPERUPCALL_ABI_ERRORS_H */
