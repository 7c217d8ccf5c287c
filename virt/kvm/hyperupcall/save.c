// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_GET_HYPERUPCALL_STATE: a VM's programs, regions and links as the VMM
 * takes them along. The state is written twice: to nowhere, which tells its
 * size, and to memory of that size.
 */
#include <linux/crc32.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <uapi/linux/kvm_hyperupcall.h>

#include "hyperupcall.h"

/**
 * struct kvm_hyperupcall_writer - where the state goes
 * @buf: memory, or NULL
 * @pos: bytes written so far
 */
struct kvm_hyperupcall_writer {
	void *buf;
	size_t pos;
};

static void kvm_hyperupcall_put(struct kvm_hyperupcall_writer *w, const void *data, size_t size)
{
	if (w->buf)
		memcpy(w->buf + w->pos, data, size);
	w->pos += size;
}

static void kvm_hyperupcall_save_prog(struct kvm_hyperupcall_writer *w,
				      const struct kvm_hyperupcall_prog *prog)
{
	struct kvm_hyperupcall_state_prog state = {
		.id = prog->id,
		.insn_cnt = prog->insn_cnt,
		.flags = prog->flags,
	};

	BUILD_BUG_ON(sizeof(state.name) != sizeof(prog->prog->aux->name));
	memcpy(state.name, prog->prog->aux->name, sizeof(state.name));
	kvm_hyperupcall_put(w, &state, sizeof(state));
	kvm_hyperupcall_put(w, prog->insns, prog->insn_cnt * sizeof(*prog->insns));
}

/* Writes the pages of an extent that are there; returns in how many pieces. */
static u64 kvm_hyperupcall_save_extent(struct kvm_hyperupcall_writer *w,
				       const struct kvm_hyperupcall_extent *extent)
{
	const struct kvm_hyperupcall_page *pages = extent->region->pages + extent->first;
	unsigned long i, n, nr = kvm_hyperupcall_extent_size(extent);
	u64 pieces = 0;

	for (i = 0; i < nr; i += n + 1) {
		struct kvm_hyperupcall_state_extent state = {
			.first = extent->first + i,
			.gfn = extent->gfn + i,
		};

		for (n = 0; i + n < nr && pages[i + n].page; n++)
			;
		if (!n)
			continue;

		state.nr_pages = n;
		kvm_hyperupcall_put(w, &state, sizeof(state));
		pieces++;
	}

	return pieces;
}

static void kvm_hyperupcall_save_region(struct kvm_hyperupcall_writer *w, u32 id,
					const struct kvm_hyperupcall_region *region)
{
	struct kvm_hyperupcall_state_region state = {
		.id = id,
		.flags = region->write ? HYPERUPCALL_MAP_WRITE : 0,
		.offset = region->offset,
		.nr_pages = region->nr_pages,
	};
	const struct kvm_hyperupcall_extent *extent;
	size_t pos = w->pos;

	w->pos += sizeof(state);
	list_for_each_entry(extent, &region->extents, node)
		state.nr_extents += kvm_hyperupcall_save_extent(w, extent);
	if (w->buf)
		memcpy(w->buf + pos, &state, sizeof(state));
}

static void kvm_hyperupcall_save_link(struct kvm_hyperupcall_writer *w,
				      struct kvm_hyperupcall_link *link)
{
	struct hyperupcall_stats stats = {};
	struct kvm_hyperupcall_state_link state = {
		.id = link->id,
		.event = link->event,
		.prog = link->owner->id,
	};

	kvm_hyperupcall_sum_stats(link, &stats);
	state.runs = stats.runs;
	state.opinions = stats.opinions;
	state.faults = stats.faults;
	state.throttled = stats.throttled;
	state.run_ns = stats.run_ns;
	kvm_hyperupcall_put(w, &state, sizeof(state));
}

static void kvm_hyperupcall_save_links(struct kvm_hyperupcall_writer *w,
				       struct kvm_hyperupcall *hu)
{
	struct kvm_hyperupcall_chain *chain;
	u32 event, i;

	for (event = 0; event < ARRAY_SIZE(hu->chains); event++) {
		chain = kvm_hyperupcall_chain(hu, event);
		for (i = 0; chain && i < chain->nr_links; i++) {
			if (chain->links[i])
				kvm_hyperupcall_save_link(w, chain->links[i]);
		}
	}
}

static void kvm_hyperupcall_save_header(struct kvm_hyperupcall_writer *w,
					struct kvm_hyperupcall *hu)
{
	struct kvm_hyperupcall_state_header *header = w->buf;
	size_t crc_end = offsetofend(struct kvm_hyperupcall_state_header, crc);

	*header = (struct kvm_hyperupcall_state_header) {
		.magic = KVM_HYPERUPCALL_STATE_MAGIC,
		.version = KVM_HYPERUPCALL_STATE_VERSION,
		.size = w->pos,
		.nr_progs = hu->nr_progs,
		.nr_regions = hu->nr_regions,
		.nr_links = hu->nr_links,
		.next_prog = hu->next_prog,
		.next_region = hu->next_region,
		.next_link = hu->next_link,
		.max_loops = hu->policy.max_loops,
		.max_run_insns = hu->policy.max_run_insns,
		.max_run_insns_global = hu->policy.max_run_insns_global,
		.budget_ns = hu->policy.budget_ns,
	};
	header->crc = crc32_le(~0, w->buf + crc_end, w->pos - crc_end);
}

static void kvm_hyperupcall_write_state(struct kvm_hyperupcall_writer *w,
					struct kvm_hyperupcall *hu)
{
	struct kvm_hyperupcall_region *region;
	struct kvm_hyperupcall_prog *prog;
	unsigned long id;

	w->pos = sizeof(struct kvm_hyperupcall_state_header);
	xa_for_each(&hu->progs, id, prog)
		kvm_hyperupcall_save_prog(w, prog);
	xa_for_each(&hu->regions, id, region)
		kvm_hyperupcall_save_region(w, id, region);
	kvm_hyperupcall_save_links(w, hu);
	if (w->buf)
		kvm_hyperupcall_save_header(w, hu);
}

static int kvm_hyperupcall_alloc_state(struct kvm_hyperupcall_writer *w,
				       struct kvm_hyperupcall *hu)
{
	u64 waited_ns;

	/* What the VMM took away before must not be looked for after. */
	kvm_hyperupcall_decide(hu, hu->kvm->mm, &waited_ns);

	kvm_hyperupcall_write_state(w, hu);
	w->buf = kvzalloc(w->pos, GFP_KERNEL_ACCOUNT);
	if (!w->buf)
		return -ENOMEM;

	kvm_hyperupcall_write_state(w, hu);
	return 0;
}

/**
 * kvm_hyperupcall_save - KVM_GET_HYPERUPCALL_STATE
 * @kvm: the VM
 * @user: how much room there is and where; in @size, also with -E2BIG, what
 *	the state takes
 *
 * Return: zero, -EFAULT, -E2BIG, -ENOMEM, -EINTR, or -ENOTTY if the VM has no
 * hyperupcalls.
 */
long kvm_hyperupcall_save(struct kvm *kvm, struct kvm_hyperupcall_state __user *user)
{
	/* Pairs with the release in vm.c. */
	struct kvm_hyperupcall *hu = smp_load_acquire(&kvm->hyperupcall);
	struct kvm_hyperupcall_writer w = {};
	struct kvm_hyperupcall_state args;
	int r;

	if (!hu)
		return -ENOTTY;
	if (copy_from_user(&args, user, sizeof(args)))
		return -EFAULT;

	r = kvm_arch_hyperupcall_finish_reset(kvm);
	if (r)
		return r;
	if (mutex_lock_killable(&hu->lock))
		return -EINTR;
	kvm_hyperupcall_finish_resets(hu);
	r = kvm_hyperupcall_alloc_state(&w, hu);
	mutex_unlock(&hu->lock);
	if (r)
		return r;

	if (put_user(w.pos, &user->size))
		r = -EFAULT;
	else if (args.size < w.pos)
		r = -E2BIG;
	else if (copy_to_user(u64_to_user_ptr(args.data), w.buf, w.pos))
		r = -EFAULT;

	kvfree(w.buf);
	return r;
}
