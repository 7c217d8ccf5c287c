// SPDX-License-Identifier: GPL-2.0
/*
 * Macros of the guest kernel that its BTF does not have, for programs. Kbuild
 * compiles this to assembly and makes constants.h of it.
 */
#define COMPILE_OFFSETS
#include <linux/kbuild.h>
#include <asm/irq_vectors.h>
#include <linux/pgtable.h>
#include <linux/mmzone.h>
#include <linux/page-flags.h>
#include <asm/page_types.h>
#include <asm-generic/qspinlock_types.h>

int main(void)
{
	DEFINE(PAGE_SHIFT, PAGE_SHIFT);
	DEFINE(NR_PAGE_ORDERS, NR_PAGE_ORDERS);
	DEFINE(PTRS_PER_PTE, PTRS_PER_PTE);
	DEFINE(PAGE_MAPPING_ANON, PAGE_MAPPING_ANON);
	DEFINE(CALL_FUNCTION_VECTOR, CALL_FUNCTION_VECTOR);
	DEFINE(CALL_FUNCTION_SINGLE_VECTOR, CALL_FUNCTION_SINGLE_VECTOR);
	DEFINE(X86_PLATFORM_IPI_VECTOR, X86_PLATFORM_IPI_VECTOR);
	DEFINE(_Q_LOCKED_VAL, _Q_LOCKED_VAL);
	return 0;
}
