// SPDX-License-Identifier: GPL-2.0-only
/*
 * The table of events. A new event is one entry here, one hook where it
 * happens, its context in the UAPI header, a paragraph and a test.
 */
#include "hyperupcall.h"

const struct kvm_hyperupcall_event kvm_hyperupcall_events[] = {
	[HYPERUPCALL_EVENT_VMEXIT] = {
		.name		= "vmexit",
		.nr_answers	= HYPERUPCALL_DENY,
	},
	[HYPERUPCALL_EVENT_VMENTRY] = {
		.name		= "vmentry",
		.nr_answers	= HYPERUPCALL_PASS,
	},
	[HYPERUPCALL_EVENT_INTERRUPT] = {
		.name		= "interrupt",
		.nr_answers	= HYPERUPCALL_CONSUMED,
		.supported	= true,
	},
	[HYPERUPCALL_EVENT_PAGE_MAP] = {
		.name		= "page_map",
		.nr_answers	= HYPERUPCALL_DENY,
	},
	[HYPERUPCALL_EVENT_RECLAIM] = {
		.name		= "reclaim",
		.nr_answers	= HYPERUPCALL_KEEP,
		.global		= true,
		.supported	= true,
	},
	[HYPERUPCALL_EVENT_AGING] = {
		.name		= "aging",
		.nr_answers	= HYPERUPCALL_OLD,
		.global		= true,
		.supported	= true,
	},
	[HYPERUPCALL_EVENT_VCPU_PREEMPT] = {
		.name		= "vcpu_preempt",
		.nr_answers	= HYPERUPCALL_CRITICAL,
		.global		= true,
		.supported	= true,
	},
};

/* A bit mask of the events that this kernel has hooks for. */
u64 kvm_hyperupcall_supported_events(void)
{
	u64 events = 0;
	int i;

	for (i = 0; i < ARRAY_SIZE(kvm_hyperupcall_events); i++) {
		if (kvm_hyperupcall_events[i].supported)
			events |= BIT_ULL(i);
	}

	return events;
}
