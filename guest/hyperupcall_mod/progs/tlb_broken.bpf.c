// SPDX-License-Identifier: GPL-2.0
/*
 * The TLB program without the flush, to test the test: a checker for lost
 * flushes has to fail with it. Built with HYPERUPCALL_TEST=1 only.
 */
#define TLB_BROKEN
#include "tlb.bpf.c"
