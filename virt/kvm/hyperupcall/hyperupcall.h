/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The steps of a hyperupcall's life, in the order of the files:
 *
 *	abi.c		hypercall, copy-in and copy-out of the structs
 *	policy.c	what the VMM allows
 *	region.c	guest memory in the window
 *	page.c		a page of it
 *	taken.c		what the VMM takes away from it
 *	dirty.c		what of it is in the dirty log
 *	prog.c		programs
 *	event.c		the table of events
 *	link.c		programs at events
 *	run.c		the hot path
 *	preempt.c	the VCPU_PREEMPT event
 *	reclaim.c	the RECLAIM and AGING events
 *	save.c		all of it for the VMM
 *	restore.c	and back
 *	debugfs.c	the same for people
 *	trace.h		tracepoints
 *	vm.c		creation, reset and end with the VM
 */
#ifndef __KVM_HYPERUPCALL_INTERNAL_H
#define __KVM_HYPERUPCALL_INTERNAL_H

#include <linux/bpf_hyperupcall.h>
#include <linux/bpf_window.h>
#include <linux/kvm_hyperupcall.h>
#include <linux/interval_tree.h>
#include <linux/maple_tree.h>
#include <linux/mutex.h>
#include <linux/ratelimit_types.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

/**
 * struct kvm_hyperupcall_prog - a program of a VM
 * @prog: the verified program
 * @insns: what the guest gave
 * @insn_cnt: how many
 * @flags: HYPERUPCALL_LOAD_GLOBAL
 * @id: its id
 * @nr_links: how many links run it
 */
struct kvm_hyperupcall_prog {
	struct bpf_prog *prog;
	struct bpf_insn *insns;
	u32 insn_cnt;
	u32 flags;
	u32 id;
	u32 nr_links;
};

/* What STATS tells of a link, kept a CPU each. */
struct kvm_hyperupcall_link_stats {
	u64 runs;
	u64 opinions;
	u64 faults;
	u64 throttled;
	u64 run_ns;
};

/**
 * struct kvm_hyperupcall_link - a program at an event
 * @id: its id
 * @event: where it runs
 * @prog: what runs; replaced under RCU
 * @owner: whose @prog it is; under the VM's lock
 * @stats: see struct kvm_hyperupcall_link_stats
 */
struct kvm_hyperupcall_link {
	u32 id;
	enum hyperupcall_event event;
	struct bpf_prog __rcu *prog;
	struct kvm_hyperupcall_prog *owner;
	struct kvm_hyperupcall_link_stats __percpu *stats;
};

/*
 * The links of one event of a VM in the order they run; replaced under RCU. NULL
 * is in the place of one that was unlinked.
 */
struct kvm_hyperupcall_chain {
	struct rcu_head rcu;
	u32 nr_links;
	struct kvm_hyperupcall_link *links[] __counted_by(nr_links);
};

enum kvm_hyperupcall_page_state {
	KVM_HYPERUPCALL_PAGE_NONE,	/* no page; an access is a fault */
	KVM_HYPERUPCALL_PAGE_MAPPED,	/* pinned and in the window */
	KVM_HYPERUPCALL_PAGE_DOUBTFUL,	/* the same, but the VMM may have taken it */
	KVM_HYPERUPCALL_PAGE_GONE,	/* the same, but the VMM has taken it */
};

/**
 * struct kvm_hyperupcall_page - a page of a region
 * @page: pinned, or NULL
 * @state: under the VM's @map_lock
 */
struct kvm_hyperupcall_page {
	struct page *page;
	enum kvm_hyperupcall_page_state state;
};

/**
 * struct kvm_hyperupcall_extent - pages that lie behind each other everywhere
 * @hva: their addresses in the VMM, in the VM's tree of extents
 * @node: in its region's list
 * @taken: in the VM's list while it has pages in doubt, or gone
 * @dropped: in a list while it has pages that left the window and are still pinned
 * @again: pages of it were taken since the last look
 * @region: its region
 * @first: which page of the region is the first
 * @gfn: where the guest has that one
 */
struct kvm_hyperupcall_extent {
	struct interval_tree_node hva;
	struct list_head node;
	struct list_head taken;
	struct list_head dropped;
	bool again;
	struct kvm_hyperupcall_region *region;
	unsigned long first;
	gfn_t gfn;
};

static inline struct kvm_hyperupcall_extent *kvm_hyperupcall_extent(struct interval_tree_node *hva)
{
	return container_of(hva, struct kvm_hyperupcall_extent, hva);
}

static inline unsigned long
kvm_hyperupcall_extent_size(const struct kvm_hyperupcall_extent *extent)
{
	return (extent->hva.last - extent->hva.start + 1) >> PAGE_SHIFT;
}

/**
 * struct kvm_hyperupcall_region - guest memory in the window
 * @extents: its pages, in their order
 * @offset: where it is in the window, in bytes
 * @nr_pages: its size
 * @write: whether programs may store to it
 * @pages: its pages
 */
struct kvm_hyperupcall_region {
	struct list_head extents;
	u64 offset;
	unsigned long nr_pages;
	bool write;
	struct kvm_hyperupcall_page pages[] __counted_by(nr_pages);
};

static inline u64 kvm_hyperupcall_page_offset(const struct kvm_hyperupcall_region *region,
					      unsigned long i)
{
	return region->offset + ((u64)i << PAGE_SHIFT);
}

/**
 * struct kvm_hyperupcall_spent - what RECLAIM and AGING have cost a CPU of late
 * @last: when @ns was last right, in jiffies
 * @ns: nanoseconds; as time passes they are forgotten
 */
struct kvm_hyperupcall_spent {
	unsigned long last;
	u64 ns;
};

/**
 * struct kvm_hyperupcall - a VM's hyperupcalls
 * @kvm: the VM
 * @policy: what is allowed; constant once there is a vCPU
 * @vcpu_idx: by the id of a vCPU its index; also of ids that no vCPU has
 * @turns: how often the guest may load a program, see bpf_hyperupcall_wait()
 * @restore_turns: the same for the VMM that restores them
 * @lock: protects what hypercalls change: all that follows but @chains'
 *	readers and what @map_lock protects. See Documentation/virt/kvm/locking.rst
 *	for what it nests in.
 * @progs: struct kvm_hyperupcall_prog by id
 * @nr_progs: how many
 * @nr_insns: BPF instructions that all of them have
 * @next_prog: where the search for a free id starts
 * @links: struct kvm_hyperupcall_link by id
 * @nr_links: how many
 * @next_link: as @next_prog
 * @chains: by event; read under RCU
 * @regions: struct kvm_hyperupcall_region by id
 * @nr_regions: how many
 * @next_region: as @next_prog
 * @nr_pages: pages of all regions
 * @resets: how often the guest's kernel may have gone; written without the lock
 * @resets_done: how many of these are over
 * @period_ns: when the current second of the budget began
 * @used_ns: time that all links and TEST_RUN ran for in this second
 * @spent: time that RECLAIM and AGING of this VM took, a CPU each
 * @nr_running: vCPUs in KVM_RUN that will enter the guest
 * @nr_queries: RECLAIM and AGING events under way
 * @window: allocated with the first region or program
 * @offsets: which pages of the window are taken
 * @map_lock: protects the window's contents, the tree of extents, the state of
 *	their pages, @taken and @invalidate_seq; taken in MMU notifiers
 * @extents: of all regions, by their addresses in the VMM
 * @extents_seq: grows when @extents changes
 * @nr_extents: how many
 * @taken: those with pages that are doubtful or gone
 * @taken_seq: grows when there are more of them; read without the lock
 * @invalidate_seq: grows when anything is taken away from the guest
 * @revalidate: looks at what is @taken
 * @revalidate_delay: jiffies until it looks
 */
struct kvm_hyperupcall {
	struct kvm *kvm;
	struct kvm_hyperupcall_policy policy;
	u16 vcpu_idx[KVM_MAX_VCPU_IDS];
	struct ratelimit_state turns;
	struct ratelimit_state restore_turns;

	struct mutex lock;	/* what hypercalls change */
	struct xarray progs;
	u32 nr_progs;
	u32 nr_insns;
	u32 next_prog;
	struct xarray links;
	u32 nr_links;
	u32 next_link;
	struct kvm_hyperupcall_chain __rcu *chains[__HYPERUPCALL_EVENT_MAX];
	struct xarray regions;
	u32 nr_regions;
	u32 next_region;
	unsigned long nr_pages;
	atomic_t resets;
	int resets_done;
	atomic64_t period_ns;
	atomic64_t used_ns;
	struct kvm_hyperupcall_spent __percpu *spent;
	atomic_t nr_running;
	atomic_t nr_queries;
	struct bpf_window *window;
	struct maple_tree offsets;

	spinlock_t map_lock;	/* what MMU notifiers look at */
	struct rb_root_cached extents;
	unsigned long extents_seq;
	u32 nr_extents;
	struct list_head taken;
	unsigned long taken_seq;
	unsigned long invalidate_seq;
	struct delayed_work revalidate;
	unsigned long revalidate_delay;
};

/**
 * struct kvm_hyperupcall_event - an event
 * @name: as in SEC("hyperupcall/<name>")
 * @nr_answers: opinions are 1 to this
 * @global: it serves the host: one link, and smaller limits
 * @supported: it has a hook
 */
struct kvm_hyperupcall_event {
	const char *name;
	u32 nr_answers;
	bool global;
	bool supported;
};

extern const struct kvm_hyperupcall_event kvm_hyperupcall_events[__HYPERUPCALL_EVENT_MAX];
u64 kvm_hyperupcall_supported_events(void);

/* policy.c */
bool kvm_hyperupcall_on(void);
bool kvm_hyperupcall_enabled_for_all(void);
void kvm_hyperupcall_default_policy(struct kvm_hyperupcall_policy *policy);
int kvm_hyperupcall_read_policy(struct kvm_hyperupcall_policy *policy, u64 user, u64 size);
unsigned long kvm_hyperupcall_max_pages(struct kvm_hyperupcall *hu);
unsigned long kvm_hyperupcall_max_pages_global(struct kvm_hyperupcall *hu);

/* region.c: called with hu->lock held */
struct kvm_hyperupcall_region *kvm_hyperupcall_region_alloc(struct kvm_hyperupcall *hu, u64 offset,
							    unsigned long nr_pages,
							    unsigned long nr_charged, bool write);
void kvm_hyperupcall_wait_for_programs(struct kvm_hyperupcall *hu);
void kvm_hyperupcall_region_free(struct kvm_hyperupcall *hu, struct kvm_hyperupcall_region *region);
void kvm_hyperupcall_unaccount(struct kvm_hyperupcall *hu, unsigned long nr_pages);
int kvm_hyperupcall_region_add(struct kvm_hyperupcall *hu, struct kvm_hyperupcall_region *region,
			       u32 *id);
int kvm_hyperupcall_map(struct kvm_hyperupcall *hu, struct kvm_vcpu *vcpu,
			struct hyperupcall_map *map);
int kvm_hyperupcall_unmap(struct kvm_hyperupcall *hu, u32 id);
void kvm_hyperupcall_unmap_all(struct kvm_hyperupcall *hu);

/* page.c */
int kvm_hyperupcall_page_map(struct kvm_hyperupcall *hu, struct kvm_hyperupcall_region *region,
			     unsigned long i, gfn_t gfn);
void kvm_hyperupcall_page_unpin(struct kvm_hyperupcall_region *region, unsigned long i);
unsigned long kvm_hyperupcall_sample_seq(struct kvm_hyperupcall *hu);
bool kvm_hyperupcall_was_invalidated(struct kvm_hyperupcall *hu, unsigned long seq);

/* taken.c */
bool kvm_hyperupcall_decide(struct kvm_hyperupcall *hu, struct mm_struct *mm, u64 *waited_ns);
void kvm_hyperupcall_revalidate(struct work_struct *work);

/* dirty.c */
void kvm_hyperupcall_mark_dirty(const struct kvm_memory_slot *slot, gfn_t gfn,
				unsigned long nr_pages);
void kvm_hyperupcall_extent_mark_dirty(struct kvm_hyperupcall *hu,
				       const struct kvm_hyperupcall_extent *extent);
bool kvm_hyperupcall_logs_no_stores(struct kvm *kvm);

/* prog.c: called with hu->lock held */
int kvm_hyperupcall_check_prog(struct kvm_hyperupcall *hu, const char *name, u32 insn_cnt,
			       u32 flags);
struct kvm_hyperupcall_prog *kvm_hyperupcall_prog_create(struct kvm_hyperupcall *hu,
							 struct bpf_hyperupcall_load *bpf,
							 u32 flags);
void kvm_hyperupcall_prog_free(struct kvm_hyperupcall_prog *prog);
int kvm_hyperupcall_prog_add(struct kvm_hyperupcall *hu, struct kvm_hyperupcall_prog *prog);
int kvm_hyperupcall_load(struct kvm_hyperupcall *hu, struct kvm_vcpu *vcpu,
			 struct hyperupcall_load *load);
int kvm_hyperupcall_unload(struct kvm_hyperupcall *hu, u32 id);
void kvm_hyperupcall_unload_all(struct kvm_hyperupcall *hu);

/* link.c: called with hu->lock held */
int kvm_hyperupcall_link(struct kvm_hyperupcall *hu, struct hyperupcall_link *link);
int kvm_hyperupcall_unlink(struct kvm_hyperupcall *hu, u32 id);
void kvm_hyperupcall_unlink_all(struct kvm_hyperupcall *hu);
bool kvm_hyperupcall_has_global_link(struct kvm_hyperupcall *hu);
int kvm_hyperupcall_link_stats(struct kvm_hyperupcall *hu, struct hyperupcall_stats *stats);
void kvm_hyperupcall_sum_stats(struct kvm_hyperupcall_link *link, struct hyperupcall_stats *stats);
struct kvm_hyperupcall_chain *kvm_hyperupcall_chain(struct kvm_hyperupcall *hu,
						    enum hyperupcall_event event);

/* run.c */
u64 kvm_hyperupcall_clock(void);
u64 kvm_hyperupcall_elapsed(u64 start);
int kvm_hyperupcall_test_run(struct kvm_hyperupcall *hu, struct bpf_prog *prog,
			     struct hyperupcall_test_run *run);

u64 kvm_hyperupcall_budget_left(struct kvm_hyperupcall *hu);

/* vm.c */
bool kvm_hyperupcall_refused(struct kvm *kvm);
int kvm_hyperupcall_get_window(struct kvm_hyperupcall *hu);
void kvm_hyperupcall_clear(struct kvm_hyperupcall *hu);
void kvm_hyperupcall_finish_resets(struct kvm_hyperupcall *hu);

#endif /* __KVM_HYPERUPCALL_INTERNAL_H */
