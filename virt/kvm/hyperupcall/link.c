// SPDX-License-Identifier: GPL-2.0-only
/*
 * Links: which programs run at which event, and in which order.
 *
 * Events look at an event's chain under RCU. A link is added to a chain by
 * replacing the chain, and is taken out of it in place, since UNLINK must not
 * need memory. What is taken out, a link or a link's program, runs no more after
 * a grace period.
 */
#include <linux/mmu_notifier.h>
#include <linux/percpu.h>
#include <linux/slab.h>

#include "hyperupcall.h"
#include "trace.h"

/* A guest links and unlinks as it likes; patching text is the host's business. */
struct static_key_false_deferred kvm_hyperupcall_keys[] = {
	[0 ... __HYPERUPCALL_EVENT_MAX - 1] = {
		.key = { STATIC_KEY_INIT_FALSE },
		.timeout = HZ,
	},
};

/* The links of an event, or NULL; for those who hold hu->lock. */
struct kvm_hyperupcall_chain *kvm_hyperupcall_chain(struct kvm_hyperupcall *hu,
						    enum hyperupcall_event event)
{
	return rcu_dereference_protected(hu->chains[event], lockdep_is_held(&hu->lock));
}

static struct kvm_hyperupcall_chain *kvm_hyperupcall_chain_alloc(u32 nr_links)
{
	struct kvm_hyperupcall_chain *chain;

	chain = kzalloc(struct_size(chain, links, nr_links), GFP_KERNEL_ACCOUNT);
	if (chain)
		chain->nr_links = nr_links;
	return chain;
}

static void kvm_hyperupcall_event_get(enum hyperupcall_event event)
{
	static_branch_inc(&kvm_hyperupcall_keys[event].key);
	if (event == HYPERUPCALL_EVENT_RECLAIM)
		mmu_notifier_discard_get();
}

static void kvm_hyperupcall_event_put(enum hyperupcall_event event)
{
	static_branch_slow_dec_deferred(&kvm_hyperupcall_keys[event]);
	if (event == HYPERUPCALL_EVENT_RECLAIM)
		mmu_notifier_discard_put();
}

static void kvm_hyperupcall_set_chain(struct kvm_hyperupcall *hu, enum hyperupcall_event event,
				      struct kvm_hyperupcall_chain *chain)
{
	struct kvm_hyperupcall_chain *old = kvm_hyperupcall_chain(hu, event);

	rcu_assign_pointer(hu->chains[event], chain);

	if (chain && !old)
		kvm_hyperupcall_event_get(event);
	else if (old && !chain)
		kvm_hyperupcall_event_put(event);

	if (old)
		kfree_rcu(old, rcu);
}

/* How many links a chain has but @link; NULL is none. */
static u32 kvm_hyperupcall_count_links(const struct kvm_hyperupcall_chain *chain,
				       const struct kvm_hyperupcall_link *link)
{
	u32 i, nr = 0;

	for (i = 0; chain && i < chain->nr_links; i++)
		nr += chain->links[i] && chain->links[i] != link;
	return nr;
}

static int kvm_hyperupcall_chain_add(struct kvm_hyperupcall *hu, struct kvm_hyperupcall_link *link)
{
	struct kvm_hyperupcall_chain *old = kvm_hyperupcall_chain(hu, link->event);
	struct kvm_hyperupcall_chain *new;
	u32 i, n = 0;

	new = kvm_hyperupcall_chain_alloc(kvm_hyperupcall_count_links(old, NULL) + 1);
	if (!new)
		return -ENOMEM;

	for (i = 0; old && i < old->nr_links; i++) {
		if (old->links[i])
			new->links[n++] = old->links[i];
	}
	new->links[n] = link;
	kvm_hyperupcall_set_chain(hu, link->event, new);
	return 0;
}

/* Needs no memory: the chain stays as long as it was, until the next link comes. */
static void kvm_hyperupcall_chain_del(struct kvm_hyperupcall *hu, struct kvm_hyperupcall_link *link)
{
	struct kvm_hyperupcall_chain *chain = kvm_hyperupcall_chain(hu, link->event);
	u32 i;

	if (!kvm_hyperupcall_count_links(chain, link)) {
		kvm_hyperupcall_set_chain(hu, link->event, NULL);
		return;
	}

	for (i = 0; i < chain->nr_links; i++) {
		if (chain->links[i] == link)
			WRITE_ONCE(chain->links[i], NULL);
	}
}

bool kvm_hyperupcall_has_global_link(struct kvm_hyperupcall *hu)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(hu->chains); i++) {
		if (kvm_hyperupcall_events[i].global && kvm_hyperupcall_chain(hu, i))
			return true;
	}

	return false;
}

/* Whether the VM, as it is, may have this program at a global event. */
static int kvm_hyperupcall_check_global(struct kvm_hyperupcall *hu,
					const struct kvm_hyperupcall_prog *prog)
{
	if (prog->insn_cnt > hu->policy.max_insns_global ||
	    prog->prog->aux->verified_insns > hu->policy.max_verified_insns_global ||
	    prog->prog->aux->run_insns > hu->policy.max_run_insns_global)
		return -E2BIG;
	if (hu->nr_pages > kvm_hyperupcall_max_pages_global(hu))
		return -EDQUOT;

	return 0;
}

static void kvm_hyperupcall_link_set_prog(struct kvm_hyperupcall_link *link,
					  struct kvm_hyperupcall_prog *prog)
{
	if (link->owner)
		link->owner->nr_links--;
	prog->nr_links++;
	link->owner = prog;
	rcu_assign_pointer(link->prog, prog->prog);
}

static void kvm_hyperupcall_trace_link(struct kvm_hyperupcall *hu,
				       const struct kvm_hyperupcall_link *link)
{
	trace_kvm_hyperupcall_link(hu->kvm, link->id, kvm_hyperupcall_events[link->event].name,
				   link->owner->id);
}

static int kvm_hyperupcall_link_replace(struct kvm_hyperupcall *hu,
					struct kvm_hyperupcall_prog *prog,
					const struct hyperupcall_link *args)
{
	struct kvm_hyperupcall_link *link = xa_load(&hu->links, args->link);

	if (!link)
		return -ENOENT;
	if (link->event != args->event)
		return -EINVAL;

	kvm_hyperupcall_link_set_prog(link, prog);
	kvm_hyperupcall_trace_link(hu, link);
	synchronize_rcu();
	return 0;
}

static void kvm_hyperupcall_link_free(struct kvm_hyperupcall_link *link)
{
	free_percpu(link->stats);
	kfree(link);
}

static struct kvm_hyperupcall_link *kvm_hyperupcall_link_alloc(enum hyperupcall_event event)
{
	struct kvm_hyperupcall_link *link;

	link = kzalloc(sizeof(*link), GFP_KERNEL_ACCOUNT);
	if (!link)
		return NULL;

	link->event = event;
	link->stats = alloc_percpu_gfp(struct kvm_hyperupcall_link_stats, GFP_KERNEL_ACCOUNT);
	if (!link->stats) {
		kfree(link);
		return NULL;
	}

	return link;
}

static int kvm_hyperupcall_link_add(struct kvm_hyperupcall *hu, struct kvm_hyperupcall_prog *prog,
				    enum hyperupcall_event event, u32 *id)
{
	struct kvm_hyperupcall_link *link;
	int r;

	if (kvm_hyperupcall_events[event].global && kvm_hyperupcall_chain(hu, event))
		return -EEXIST;
	if (hu->nr_links >= hu->policy.max_links)
		return -ENOSPC;

	link = kvm_hyperupcall_link_alloc(event);
	if (!link)
		return -ENOMEM;

	r = xa_alloc_cyclic(&hu->links, id, link, XA_LIMIT(1, INT_MAX), &hu->next_link,
			    GFP_KERNEL_ACCOUNT);
	if (r < 0)
		goto free;

	link->id = *id;
	kvm_hyperupcall_link_set_prog(link, prog);
	r = kvm_hyperupcall_chain_add(hu, link);
	if (r)
		goto erase;

	hu->nr_links++;
	kvm_hyperupcall_trace_link(hu, link);
	return 0;

erase:
	prog->nr_links--;
	xa_erase(&hu->links, *id);
free:
	kvm_hyperupcall_link_free(link);
	return r;
}

/**
 * kvm_hyperupcall_link - HYPERUPCALL_LINK
 * @hu: the VM's hyperupcalls
 * @args: in and out, see there for the errors
 */
int kvm_hyperupcall_link(struct kvm_hyperupcall *hu, struct hyperupcall_link *args)
{
	struct kvm_hyperupcall_prog *prog;
	int r;

	lockdep_assert_held(&hu->lock);

	if (args->flags & ~HYPERUPCALL_LINK_REPLACE || args->event >= __HYPERUPCALL_EVENT_MAX)
		return -EINVAL;
	args->event = array_index_nospec(args->event, __HYPERUPCALL_EVENT_MAX);
	if (!kvm_hyperupcall_events[args->event].supported)
		return -EOPNOTSUPP;
	if (!kvm_hyperupcall_on())
		return -EPERM;
	if (!(hu->policy.events & BIT_ULL(args->event)))
		return -EACCES;

	prog = xa_load(&hu->progs, args->prog);
	if (!prog)
		return -ENOENT;

	if (kvm_hyperupcall_events[args->event].global) {
		r = kvm_hyperupcall_check_global(hu, prog);
		if (r)
			return r;
	}

	if (args->flags & HYPERUPCALL_LINK_REPLACE)
		return kvm_hyperupcall_link_replace(hu, prog, args);

	return kvm_hyperupcall_link_add(hu, prog, args->event, &args->link);
}

/**
 * kvm_hyperupcall_unlink - HYPERUPCALL_UNLINK
 * @hu: the VM's hyperupcalls
 * @id: the link's id
 */
int kvm_hyperupcall_unlink(struct kvm_hyperupcall *hu, u32 id)
{
	struct kvm_hyperupcall_link *link;

	lockdep_assert_held(&hu->lock);

	link = xa_load(&hu->links, id);
	if (!link)
		return -ENOENT;

	kvm_hyperupcall_chain_del(hu, link);
	xa_erase(&hu->links, id);
	hu->nr_links--;
	link->owner->nr_links--;
	trace_kvm_hyperupcall_unlink(hu->kvm, id);
	synchronize_rcu();
	kvm_hyperupcall_link_free(link);
	return 0;
}

/* Needs no memory, so that it cannot fail. */
void kvm_hyperupcall_unlink_all(struct kvm_hyperupcall *hu)
{
	struct kvm_hyperupcall_link *link;
	unsigned long id;
	int i;

	lockdep_assert_held(&hu->lock);

	if (!hu->nr_links)
		return;

	for (i = 0; i < ARRAY_SIZE(hu->chains); i++)
		kvm_hyperupcall_set_chain(hu, i, NULL);
	synchronize_rcu();

	xa_for_each(&hu->links, id, link) {
		xa_erase(&hu->links, id);
		link->owner->nr_links--;
		trace_kvm_hyperupcall_unlink(hu->kvm, id);
		kvm_hyperupcall_link_free(link);
	}
	hu->nr_links = 0;
}

/**
 * kvm_hyperupcall_sum_stats - what all CPUs counted for a link
 * @link: the link
 * @stats: to which it is added
 */
void kvm_hyperupcall_sum_stats(struct kvm_hyperupcall_link *link, struct hyperupcall_stats *stats)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		const struct kvm_hyperupcall_link_stats *one = per_cpu_ptr(link->stats, cpu);

		stats->runs += READ_ONCE(one->runs);
		stats->opinions += READ_ONCE(one->opinions);
		stats->faults += READ_ONCE(one->faults);
		stats->throttled += READ_ONCE(one->throttled);
		stats->run_ns += READ_ONCE(one->run_ns);
	}
}

/**
 * kvm_hyperupcall_link_stats - HYPERUPCALL_STATS
 * @hu: the VM's hyperupcalls
 * @args: in and out
 */
int kvm_hyperupcall_link_stats(struct kvm_hyperupcall *hu, struct hyperupcall_stats *args)
{
	struct kvm_hyperupcall_link *link;

	lockdep_assert_held(&hu->lock);

	if (args->flags)
		return -EINVAL;
	link = xa_load(&hu->links, args->link);
	if (!link)
		return -ENOENT;

	*args = (struct hyperupcall_stats) { .link = args->link };
	kvm_hyperupcall_sum_stats(link, args);
	return 0;
}
