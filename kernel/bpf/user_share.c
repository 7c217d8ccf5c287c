// SPDX-License-Identifier: GPL-2.0-only
#include <linux/capability.h>
#include <linux/user_namespace.h>

#include "user_share.h"

static unsigned long bpf_user_share_of(struct bpf_user_share *share, unsigned long id)
{
	void *entry = xa_load(&share->users, id);

	return entry ? xa_to_value(entry) : 0;
}

/**
 * bpf_user_share_charge - a user wants some more
 * @share: of what
 * @uid: the user
 * @n: how much
 * @max: what all users may have
 *
 * Half of @max, rounded up, is for one user. The other half is for others, unless
 * the current task may exceed its limits (CAP_SYS_RESOURCE). Does not sleep.
 *
 * Return: true if that is the user's now.
 */
bool bpf_user_share_charge(struct bpf_user_share *share, kuid_t uid, unsigned long n,
			   unsigned long max)
{
	unsigned long flags, id = from_kuid(&init_user_ns, uid);
	bool charged = false;
	unsigned long used;

	xa_lock_irqsave(&share->users, flags);
	used = bpf_user_share_of(share, id) + n;
	if (share->total + n > max ||
	    (used > DIV_ROUND_UP(max, 2) && !capable(CAP_SYS_RESOURCE)))
		goto unlock;
	if (xa_err(__xa_store(&share->users, id, xa_mk_value(used), GFP_NOWAIT | __GFP_ACCOUNT)))
		goto unlock;

	share->total += n;
	charged = true;
unlock:
	xa_unlock_irqrestore(&share->users, flags);
	return charged;
}

/**
 * bpf_user_share_uncharge - a user gives back
 * @share: of what
 * @uid: the user that was charged
 * @n: how much
 *
 * Called in any context but NMI.
 */
void bpf_user_share_uncharge(struct bpf_user_share *share, kuid_t uid, unsigned long n)
{
	unsigned long flags, id = from_kuid(&init_user_ns, uid);
	unsigned long used;

	xa_lock_irqsave(&share->users, flags);
	used = bpf_user_share_of(share, id) - n;
	/* Replacing a value by another one needs no memory. */
	if (used)
		__xa_store(&share->users, id, xa_mk_value(used), GFP_NOWAIT);
	else
		__xa_erase(&share->users, id);
	share->total -= n;
	xa_unlock_irqrestore(&share->users, flags);
}
