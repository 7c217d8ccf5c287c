/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_BPF_WINDOW_H
#define _LINUX_BPF_WINDOW_H

#include <linux/filter.h>
#include <linux/jump_label_ratelimit.h>
#include <linux/sizes.h>

struct bpf_window;
struct page;

/*
 * A window is 4 GiB of kernel address space that a program addresses with
 * 32-bit offsets. Half of the guard lies on each side, so that the signed
 * 16-bit offset of a load or store cannot leave it.
 */
#define BPF_WINDOW_GUARD \
	round_up(1ull << sizeof_field(struct bpf_insn, off) * 8, PAGE_SIZE << 1)
#define BPF_WINDOW_AREA		(SZ_4G + BPF_WINDOW_GUARD)

/* True while there is a window, and for a second after the last one. */
extern struct static_key_false_deferred bpf_window_key;

struct bpf_window *bpf_window_alloc(void);
void bpf_window_free(struct bpf_window *window);
u64 bpf_window_start(const struct bpf_window *window);
int bpf_window_populate(struct bpf_window *window, u64 offset, unsigned long nr_pages);
void bpf_window_set(struct bpf_window *window, u64 offset, struct page *page, bool write);
void bpf_window_clear(struct bpf_window *window, u64 offset, unsigned long nr_pages);
void bpf_window_enter(struct bpf_window *window);

#endif /* _LINUX_BPF_WINDOW_H */
