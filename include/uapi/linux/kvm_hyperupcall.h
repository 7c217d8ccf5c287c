/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * What KVM_GET_HYPERUPCALL_STATE writes and KVM_SET_HYPERUPCALL_STATE reads: a
 * VM's programs, regions and links, so that a VM moves to another process, to
 * the host's next boot, or to a host that has this version of the state and whose
 * verifier takes the programs. A VMM need not look inside.
 *
 * All numbers are in the host's byte order. The header is followed by
 * @nr_progs programs, @nr_regions regions and @nr_links links:
 *
 *	struct kvm_hyperupcall_state_header
 *	for each program, by id
 *		struct kvm_hyperupcall_state_prog
 *		struct bpf_insn[insn_cnt], as the guest gave them
 *	for each region, by id
 *		struct kvm_hyperupcall_state_region
 *		struct kvm_hyperupcall_state_extent[nr_extents]
 *	for each link, event by event, in the order they run
 *		struct kvm_hyperupcall_state_link
 */
#ifndef _UAPI_LINUX_KVM_HYPERUPCALL_H
#define _UAPI_LINUX_KVM_HYPERUPCALL_H

#include <linux/types.h>

#define KVM_HYPERUPCALL_STATE_MAGIC	0x48555043
#define KVM_HYPERUPCALL_STATE_VERSION	1

/**
 * struct kvm_hyperupcall_state_header - the beginning
 * @magic: KVM_HYPERUPCALL_STATE_MAGIC
 * @version: KVM_HYPERUPCALL_STATE_VERSION
 * @size: of the whole state in bytes, with this header
 * @crc: crc32_le() of what follows this field, started with ~0
 * @nr_progs: programs
 * @nr_regions: regions
 * @nr_links: links
 * @next_prog: the id after the last one that a program got
 * @next_region: the same for regions
 * @next_link: the same for links
 * @max_loops: of the policy that the programs were loaded with, as in struct
 *	kvm_hyperupcall_policy
 * @max_run_insns: the same
 * @max_run_insns_global: the same
 * @budget_ns: the same, in nanoseconds
 */
struct kvm_hyperupcall_state_header {
	__u32 magic;
	__u32 version;
	__u64 size;
	__u32 crc;
	__u32 nr_progs;
	__u32 nr_regions;
	__u32 nr_links;
	__u32 next_prog;
	__u32 next_region;
	__u32 next_link;
	__u32 max_loops;
	__u32 max_run_insns;
	__u32 max_run_insns_global;
	__u64 budget_ns;
};

/**
 * struct kvm_hyperupcall_state_prog - a program
 * @id: its id
 * @insn_cnt: BPF instructions that follow
 * @flags: as in struct hyperupcall_load
 * @reserved: zero
 * @name: as in struct hyperupcall_load
 */
struct kvm_hyperupcall_state_prog {
	__u32 id;
	__u32 insn_cnt;
	__u32 flags;
	__u32 reserved;
	char name[16];
};

/**
 * struct kvm_hyperupcall_state_region - a region
 * @id: its id
 * @flags: as in struct hyperupcall_map
 * @offset: where it is in the window, in bytes
 * @nr_pages: its size
 * @nr_extents: extents that follow
 */
struct kvm_hyperupcall_state_region {
	__u32 id;
	__u32 flags;
	__u64 offset;
	__u64 nr_pages;
	__u64 nr_extents;
};

/**
 * struct kvm_hyperupcall_state_extent - pages of a region
 * @first: index of the first of them in the region; extents are in ascending
 *	order. An extent ends where the next page was taken away, does not follow in
 *	the guest or in the VMM, or is too far away from the first
 * @nr_pages: how many
 * @gfn: the guest's frame number of the first; the others follow it
 */
struct kvm_hyperupcall_state_extent {
	__u64 first;
	__u64 nr_pages;
	__u64 gfn;
};

/**
 * struct kvm_hyperupcall_state_link - a link
 * @id: its id
 * @event: enum hyperupcall_event
 * @prog: id of its program
 * @reserved: zero
 * @runs: as in struct hyperupcall_stats, like those that follow
 * @opinions: how often they had an opinion
 * @faults: accesses to offsets that are not mapped
 * @throttled: how often it did not run
 * @run_ns: time they ran for, in nanoseconds
 */
struct kvm_hyperupcall_state_link {
	__u32 id;
	__u32 event;
	__u32 prog;
	__u32 reserved;
	__u64 runs;
	__u64 opinions;
	__u64 faults;
	__u64 throttled;
	__u64 run_ns;
};

#endif /* _UAPI_LINUX_KVM_HYPERUPCALL_H */
