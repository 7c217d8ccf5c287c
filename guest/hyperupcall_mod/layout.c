// SPDX-License-Identifier: GPL-2.0
/*
 * Layout of structs that no header of the guest kernel shows to modules, from
 * its BTF, for the module. Kbuild makes layout.h of it, as of constants.c.
 */
#include "vmlinux.h"

#define DEFINE(sym, val) \
	asm volatile("\n.ascii \"->" #sym " %0 " #val "\"" : : "i" (val))
#define FIELD(type, field) \
	DEFINE(type##_##field, __builtin_offsetof(struct type, field))

int main(void)
{
	FIELD(pcpu_chunk, base_addr);
	FIELD(pcpu_chunk, nr_pages);
	return 0;
}
