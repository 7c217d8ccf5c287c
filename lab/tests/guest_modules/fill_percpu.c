// SPDX-License-Identifier: GPL-2.0
/*
 * fill_percpu.ko: takes what is free of the first chunk of per-CPU memory, so that
 * what is allocated next is in another one.
 */
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/smp.h>

static void __percpu *pieces[4096];

static void fill_percpu_exit(void)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(pieces); i++)
		free_percpu(pieces[i]);
}

static int __init fill_percpu_init(void)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(pieces); i++) {
		pieces[i] = alloc_percpu(call_single_data_t);
		if (!pieces[i]) {
			fill_percpu_exit();
			return -ENOMEM;
		}
	}
	return 0;
}

module_init(fill_percpu_init);
module_exit(fill_percpu_exit);
MODULE_DESCRIPTION("Fills the first chunk of per-CPU memory, for tests");
MODULE_LICENSE("GPL");
