/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What guests may have of something that everybody needs: a maximum for all of
 * them, of which one user gets half.
 */
#ifndef _BPF_USER_SHARE_H
#define _BPF_USER_SHARE_H

#include <linux/uidgid.h>
#include <linux/xarray.h>

/**
 * struct bpf_user_share - who has how much
 * @users: by uid, the sum of a user's charges; its lock protects @total, too
 * @total: the sum of all charges
 */
struct bpf_user_share {
	struct xarray users;
	unsigned long total;
};

#define BPF_USER_SHARE_INIT(name) {						\
	.users = XARRAY_INIT(name.users, XA_FLAGS_LOCK_IRQ),			\
}

bool bpf_user_share_charge(struct bpf_user_share *share, kuid_t uid, unsigned long n,
			   unsigned long max);
void bpf_user_share_uncharge(struct bpf_user_share *share, kuid_t uid, unsigned long n);

#endif /* _BPF_USER_SHARE_H */
