// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_SET_HYPERUPCALL_STATE: a VM's programs, regions and links as another VM
 * had them.
 *
 * The state comes from the VMM, which may have it from anywhere: everything in
 * it goes through the same checks as what a guest asks for, and programs are
 * verified again. It is taken whole or not at all.
 */
#include <linux/crc32.h>
#include <linux/percpu.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <uapi/linux/kvm_hyperupcall.h>

#include "hyperupcall.h"

#define KVM_HYPERUPCALL_STATE_MAX	SZ_64M

/* After the last id the search for a free one starts anew. */
#define KVM_HYPERUPCALL_NEXT_MAX	((u32)INT_MAX + 1)

/**
 * struct kvm_hyperupcall_reader - where the state comes from
 * @pos: what was not read yet
 * @left: how many bytes
 */
struct kvm_hyperupcall_reader {
	const void *pos;
	size_t left;
};

/* The next @size bytes, or NULL if there are fewer. */
static const void *kvm_hyperupcall_get(struct kvm_hyperupcall_reader *r, size_t size)
{
	const void *pos = r->pos;

	if (size > r->left)
		return NULL;

	r->pos += size;
	r->left -= size;
	return pos;
}

/*
 * Makes the next search for a free id find this one, if nobody has it. What
 * got another one is refused by the caller.
 */
static int kvm_hyperupcall_want_id(u32 *next, u32 id)
{
	if (!id || id > INT_MAX)
		return -EINVAL;

	*next = id;
	return 0;
}

static int kvm_hyperupcall_restore_insns(struct kvm_hyperupcall *hu,
					 const struct kvm_hyperupcall_state_prog *state,
					 struct bpf_hyperupcall_load *bpf)
{
	struct kvm_hyperupcall_prog *prog;
	int err;

	err = bpf_hyperupcall_wait(&hu->restore_turns);
	prog = err ? ERR_PTR(err) : kvm_hyperupcall_prog_create(hu, bpf, state->flags);
	if (IS_ERR(prog)) {
		kvfree(bpf->insns);
		return PTR_ERR(prog);
	}

	err = kvm_hyperupcall_want_id(&hu->next_prog, state->id);
	err = err ?: kvm_hyperupcall_prog_add(hu, prog);
	if (err) {
		kvm_hyperupcall_prog_free(prog);
		return err;
	}

	return prog->id == state->id ? 0 : -EINVAL;
}

/* A helper that only newer hosts have is no damage. */
static bool kvm_hyperupcall_knows_helpers(const struct bpf_insn *insns, u32 insn_cnt)
{
	u32 i;

	for (i = 0; i < insn_cnt; i++) {
		if (insns[i].code == (BPF_JMP | BPF_CALL) && !insns[i].src_reg &&
		    (u32)insns[i].imm >= __HYPERUPCALL_HELPER_MAX)
			return false;
	}

	return true;
}

static int kvm_hyperupcall_restore_prog(struct kvm_hyperupcall *hu,
					struct kvm_hyperupcall_reader *r)
{
	const struct kvm_hyperupcall_state_prog *state;
	struct bpf_hyperupcall_load bpf = {};
	const void *insns;
	size_t size;
	int err;

	state = kvm_hyperupcall_get(r, sizeof(*state));
	if (!state || state->reserved)
		return -EINVAL;
	size = array_size(state->insn_cnt, sizeof(struct bpf_insn));
	insns = kvm_hyperupcall_get(r, size);
	if (!insns)
		return -EINVAL;
	if (state->flags & ~HYPERUPCALL_LOAD_GLOBAL)
		return -EOPNOTSUPP;
	err = kvm_hyperupcall_check_prog(hu, state->name, state->insn_cnt, state->flags);
	if (err)
		return err;
	if (!kvm_hyperupcall_knows_helpers(insns, state->insn_cnt))
		return -EOPNOTSUPP;

	memcpy(bpf.name, state->name, sizeof(bpf.name));
	bpf.insn_cnt = state->insn_cnt;
	bpf.insns = kvmemdup(insns, size, GFP_KERNEL_ACCOUNT);
	if (!bpf.insns)
		return -ENOMEM;

	return kvm_hyperupcall_restore_insns(hu, state, &bpf);
}

/* Return: how many pages were mapped, or a negative errno. */
static long kvm_hyperupcall_restore_extent(struct kvm_hyperupcall *hu,
					   struct kvm_hyperupcall_region *region, u64 from,
					   const struct kvm_hyperupcall_state_extent *state)
{
	u64 i;
	int r;

	if (state->first < from || state->first >= region->nr_pages || !state->nr_pages ||
	    state->nr_pages > region->nr_pages - state->first)
		return -EINVAL;

	for (i = 0; i < state->nr_pages; i++) {
		r = kvm_hyperupcall_page_map(hu, region, state->first + i, state->gfn + i);
		if (r)
			return r;
		cond_resched();
	}

	return state->nr_pages;
}

static int kvm_hyperupcall_restore_extents(struct kvm_hyperupcall *hu,
					   struct kvm_hyperupcall_region *region, u64 nr,
					   struct kvm_hyperupcall_reader *r)
{
	const struct kvm_hyperupcall_state_extent *state;
	u64 from = 0;
	long n;

	for (; nr; nr--) {
		state = kvm_hyperupcall_get(r, sizeof(*state));
		if (!state)
			return -EINVAL;
		n = kvm_hyperupcall_restore_extent(hu, region, from, state);
		if (n < 0)
			return n;
		from = state->first + n;
	}

	return 0;
}

/*
 * How many pages the extents of a region have, which are to be read yet: holes have
 * no charge. Return: -EINVAL for more than the region has.
 */
static long kvm_hyperupcall_count_pages(const struct kvm_hyperupcall_reader *r,
					const struct kvm_hyperupcall_state_region *region)
{
	const struct kvm_hyperupcall_state_extent *extent = r->pos;
	u64 i, nr_pages = 0;

	if (region->nr_extents > r->left / sizeof(*extent))
		return -EINVAL;

	for (i = 0; i < region->nr_extents; i++) {
		if (extent[i].nr_pages > region->nr_pages - nr_pages)
			return -EINVAL;
		nr_pages += extent[i].nr_pages;
	}

	return nr_pages;
}

/* A page that was mapped takes its part of the charge along. */
static void kvm_hyperupcall_unaccount_rest(struct kvm_hyperupcall *hu,
					   const struct kvm_hyperupcall_region *region,
					   unsigned long nr_charged)
{
	unsigned long i;

	for (i = 0; i < region->nr_pages; i++)
		nr_charged -= !!region->pages[i].page;
	kvm_hyperupcall_unaccount(hu, nr_charged);
}

static int kvm_hyperupcall_restore_pages(struct kvm_hyperupcall *hu,
					 const struct kvm_hyperupcall_state_region *state,
					 struct kvm_hyperupcall_reader *r)
{
	long nr_charged = kvm_hyperupcall_count_pages(r, state);
	struct kvm_hyperupcall_region *region;
	u32 id;
	int err;

	if (nr_charged < 0)
		return nr_charged;

	region = kvm_hyperupcall_region_alloc(hu, state->offset, state->nr_pages, nr_charged,
					      state->flags & HYPERUPCALL_MAP_WRITE);
	if (IS_ERR(region))
		return PTR_ERR(region) == -EEXIST ? -EINVAL : PTR_ERR(region);

	err = kvm_hyperupcall_restore_extents(hu, region, state->nr_extents, r);
	kvm_hyperupcall_unaccount_rest(hu, region, nr_charged);
	err = err ?: kvm_hyperupcall_want_id(&hu->next_region, state->id);
	err = err ?: kvm_hyperupcall_region_add(hu, region, &id);
	if (err) {
		kvm_hyperupcall_region_free(hu, region);
		return err;
	}

	return id == state->id ? 0 : -EINVAL;
}

static int kvm_hyperupcall_restore_region(struct kvm_hyperupcall *hu,
					  struct kvm_hyperupcall_reader *r)
{
	const struct kvm_hyperupcall_state_region *state;

	state = kvm_hyperupcall_get(r, sizeof(*state));
	if (!state)
		return -EINVAL;
	if (state->flags & ~HYPERUPCALL_MAP_WRITE)
		return -EOPNOTSUPP;
	if (!state->offset || !PAGE_ALIGNED(state->offset) || state->offset >= SZ_4G ||
	    !state->nr_pages || state->nr_pages > (SZ_4G - state->offset) >> PAGE_SHIFT)
		return -EINVAL;

	return kvm_hyperupcall_restore_pages(hu, state, r);
}

static void kvm_hyperupcall_restore_stats(struct kvm_hyperupcall_link *link,
					  const struct kvm_hyperupcall_state_link *state)
{
	this_cpu_add(link->stats->runs, state->runs);
	this_cpu_add(link->stats->opinions, state->opinions);
	this_cpu_add(link->stats->faults, state->faults);
	this_cpu_add(link->stats->throttled, state->throttled);
	this_cpu_add(link->stats->run_ns, state->run_ns);
}

static int kvm_hyperupcall_restore_link(struct kvm_hyperupcall *hu,
					struct kvm_hyperupcall_reader *r)
{
	const struct kvm_hyperupcall_state_link *state;
	struct hyperupcall_link args = {};
	int err;

	state = kvm_hyperupcall_get(r, sizeof(*state));
	if (!state || state->reserved)
		return -EINVAL;
	if (state->event >= __HYPERUPCALL_EVENT_MAX)
		return -EOPNOTSUPP;

	args.prog = state->prog;
	args.event = state->event;
	err = kvm_hyperupcall_want_id(&hu->next_link, state->id);
	err = err ?: kvm_hyperupcall_link(hu, &args);
	if (err == -ENOENT || err == -EEXIST)
		return -EINVAL;
	if (err)
		return err;
	if (args.link != state->id)
		return -EINVAL;

	kvm_hyperupcall_restore_stats(xa_load(&hu->links, args.link), state);
	return 0;
}

static int kvm_hyperupcall_restore_each(struct kvm_hyperupcall *hu,
					struct kvm_hyperupcall_reader *r, u32 nr,
					int (*one)(struct kvm_hyperupcall *hu,
						   struct kvm_hyperupcall_reader *r))
{
	int err = 0;

	for (; nr && !err; nr--)
		err = one(hu, r);
	return err;
}

static int kvm_hyperupcall_read_state(struct kvm_hyperupcall *hu, const void *buf, size_t size)
{
	const struct kvm_hyperupcall_state_header *header = buf;
	struct kvm_hyperupcall_reader r = { .pos = header + 1, .left = size - sizeof(*header) };
	int err;

	err = kvm_hyperupcall_restore_each(hu, &r, header->nr_progs,
					   kvm_hyperupcall_restore_prog);
	err = err ?: kvm_hyperupcall_restore_each(hu, &r, header->nr_regions,
						  kvm_hyperupcall_restore_region);
	err = err ?: kvm_hyperupcall_restore_each(hu, &r, header->nr_links,
						  kvm_hyperupcall_restore_link);
	if (err)
		return err;
	if (r.left)
		return -EINVAL;

	hu->next_prog = header->next_prog;
	hu->next_region = header->next_region;
	hu->next_link = header->next_link;
	return 0;
}

static bool kvm_hyperupcall_state_is_empty(const struct kvm_hyperupcall_state_header *header)
{
	return !header->nr_progs && !header->nr_regions && !header->nr_links;
}

static int kvm_hyperupcall_check_state(const void *buf, size_t size)
{
	const struct kvm_hyperupcall_state_header *header = buf;
	size_t crc_end = offsetofend(struct kvm_hyperupcall_state_header, crc);

	if (header->magic != KVM_HYPERUPCALL_STATE_MAGIC)
		return -EINVAL;
	/* In another version the rest may be something else. */
	if (header->version != KVM_HYPERUPCALL_STATE_VERSION)
		return -EOPNOTSUPP;
	if (header->size != size ||
	    (kvm_hyperupcall_state_is_empty(header) && size != sizeof(*header)) ||
	    header->next_prog > KVM_HYPERUPCALL_NEXT_MAX ||
	    header->next_region > KVM_HYPERUPCALL_NEXT_MAX ||
	    header->next_link > KVM_HYPERUPCALL_NEXT_MAX)
		return -EINVAL;
	if (header->crc != crc32_le(~0, buf + crc_end, size - crc_end))
		return -EINVAL;

	return 0;
}

/*
 * Limits that no check of a program fails by: with less, may_goto would go on less
 * often than the guest was told, and links would be throttled earlier.
 */
static bool kvm_hyperupcall_policy_suffices(const struct kvm_hyperupcall_policy *policy,
					    const struct kvm_hyperupcall_state_header *header)
{
	return policy->max_loops >= header->max_loops &&
	       policy->max_run_insns >= header->max_run_insns &&
	       policy->max_run_insns_global >= header->max_run_insns_global &&
	       policy->budget_ns >= header->budget_ns;
}

static int kvm_hyperupcall_restore_locked(struct kvm_hyperupcall *hu, const void *buf, size_t size)
{
	u32 next_prog = hu->next_prog, next_region = hu->next_region, next_link = hu->next_link;
	int r;

	lockdep_assert_held(&hu->lock);

	if (kvm_hyperupcall_refused(hu->kvm))
		return -EOPNOTSUPP;
	if (!kvm_hyperupcall_state_is_empty(buf)) {
		if (hu->nr_progs || hu->nr_regions || hu->nr_links)
			return -EEXIST;
		if (!kvm_hyperupcall_policy_suffices(&hu->policy, buf))
			return -E2BIG;
	} else {
		kvm_hyperupcall_clear(hu);
	}

	r = kvm_hyperupcall_read_state(hu, buf, size);
	if (!r) {
		kvm_arch_hyperupcall_restored(hu->kvm);
		return 0;
	}

	kvm_hyperupcall_clear(hu);
	hu->next_prog = next_prog;
	hu->next_region = next_region;
	hu->next_link = next_link;
	return r;
}

/**
 * kvm_hyperupcall_restore - KVM_SET_HYPERUPCALL_STATE
 * @kvm: a VM with its memslots and no programs, regions and links, and with the
 *	registers of its boot vCPU
 * @user: the state and its size
 *
 * A state without programs, regions and links drops those that the VM has.
 *
 * Return: zero, -EFAULT, -EINVAL for a damaged state, -EOPNOTSUPP for what this
 * host does not know or a confidential VM, -EEXIST if the VM has something
 * already, -EBUSY if the boot vCPU has no registers yet, -E2BIG if the VM's policy
 * allows less than that of the state's VM, -EINTR, -ENOTTY if the VM has no
 * hyperupcalls, or what the guest would get that registers the same.
 */
long kvm_hyperupcall_restore(struct kvm *kvm, const struct kvm_hyperupcall_state __user *user)
{
	/* Pairs with the release in vm.c. */
	struct kvm_hyperupcall *hu = smp_load_acquire(&kvm->hyperupcall);
	struct kvm_hyperupcall_state args;
	void *buf;
	int r;

	if (!hu)
		return -ENOTTY;
	if (copy_from_user(&args, user, sizeof(args)))
		return -EFAULT;
	if (args.size < sizeof(struct kvm_hyperupcall_state_header) ||
	    args.size > KVM_HYPERUPCALL_STATE_MAX)
		return -EINVAL;

	buf = kvmalloc(args.size, GFP_KERNEL_ACCOUNT);
	if (!buf)
		return -ENOMEM;

	r = -EFAULT;
	if (copy_from_user(buf, u64_to_user_ptr(args.data), args.size))
		goto free;
	r = kvm_hyperupcall_check_state(buf, args.size);
	if (r)
		goto free;

	r = kvm_arch_hyperupcall_finish_reset(kvm);
	if (r)
		goto free;

	r = -EINTR;
	if (mutex_lock_killable(&hu->lock))
		goto free;
	kvm_hyperupcall_finish_resets(hu);
	/* A boot vCPU that waits for the lock to reset the VM is in an ioctl. */
	r = kvm_hyperupcall_state_is_empty(buf) ? 0 : kvm_arch_hyperupcall_may_restore(kvm);
	r = r ?: kvm_hyperupcall_restore_locked(hu, buf, args.size);
	mutex_unlock(&hu->lock);
free:
	kvfree(buf);
	return r;
}
