// SPDX-License-Identifier: GPL-2.0-only
/*
 * The file "hyperupcalls" in a VM's debugfs directory: its programs, regions
 * and links, a line each.
 */
#include <linux/debugfs.h>
#include <linux/seq_file.h>

#include "hyperupcall.h"

static void kvm_hyperupcall_show_progs(struct seq_file *m, struct kvm_hyperupcall *hu)
{
	struct kvm_hyperupcall_prog *prog;
	unsigned long id;

	xa_for_each(&hu->progs, id, prog)
		seq_printf(m, "prog %lu name %s insns %u verified %u links %u bpf_id %u\n",
			   id, prog->prog->aux->name, prog->insn_cnt,
			   prog->prog->aux->verified_insns, prog->nr_links,
			   prog->prog->aux->id);
}

static void kvm_hyperupcall_show_regions(struct seq_file *m, struct kvm_hyperupcall *hu)
{
	struct kvm_hyperupcall_region *region;
	unsigned long id;

	xa_for_each(&hu->regions, id, region)
		seq_printf(m, "region %lu offset 0x%llx size 0x%llx %s\n", id, region->offset,
			   (u64)region->nr_pages << PAGE_SHIFT, region->write ? "rw" : "ro");
}

static void kvm_hyperupcall_show_links(struct seq_file *m, struct kvm_hyperupcall *hu)
{
	struct kvm_hyperupcall_link *link;
	unsigned long id;

	xa_for_each(&hu->links, id, link) {
		struct hyperupcall_stats stats = {};

		kvm_hyperupcall_sum_stats(link, &stats);
		seq_printf(m, "link %lu event %s prog %u runs %llu opinions %llu faults %llu throttled %llu run_ns %llu\n",
			   id, kvm_hyperupcall_events[link->event].name, link->owner->id,
			   stats.runs, stats.opinions, stats.faults, stats.throttled,
			   stats.run_ns);
	}
}

static int kvm_hyperupcall_show(struct seq_file *m, void *v)
{
	struct kvm *kvm = m->private;
	/* Pairs with the release in vm.c. */
	struct kvm_hyperupcall *hu = smp_load_acquire(&kvm->hyperupcall);

	if (!hu)
		return 0;
	if (mutex_lock_killable(&hu->lock))
		return -EINTR;

	kvm_hyperupcall_show_progs(m, hu);
	kvm_hyperupcall_show_regions(m, hu);
	kvm_hyperupcall_show_links(m, hu);
	mutex_unlock(&hu->lock);
	return 0;
}

static int kvm_hyperupcall_open(struct inode *inode, struct file *file)
{
	struct kvm *kvm = inode->i_private;
	int r;

	if (!kvm_get_kvm_safe(kvm))
		return -ENOENT;

	r = single_open(file, kvm_hyperupcall_show, kvm);
	if (r < 0)
		kvm_put_kvm(kvm);

	return r;
}

static int kvm_hyperupcall_release(struct inode *inode, struct file *file)
{
	struct kvm *kvm = inode->i_private;

	kvm_put_kvm(kvm);

	return single_release(inode, file);
}

static const struct file_operations kvm_hyperupcall_fops = {
	.owner		= THIS_MODULE,
	.open		= kvm_hyperupcall_open,
	.read		= seq_read,
	.llseek		= seq_lseek,
	.release	= kvm_hyperupcall_release,
};

/**
 * kvm_hyperupcall_create_debugfs - list a VM's hyperupcalls
 * @kvm: a VM with a directory, which takes the file away with it
 */
void kvm_hyperupcall_create_debugfs(struct kvm *kvm)
{
	debugfs_create_file("hyperupcalls", 0444, kvm->debugfs_dentry, kvm,
			    &kvm_hyperupcall_fops);
}
