/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A VM that moves: its vCPUs and its hyperupcalls are saved, and a VM with the
 * same memory at the same addresses goes on where it was.
 */
#ifndef SELFTEST_KVM_HYPERUPCALL_STATE_MOVE_H
#define SELFTEST_KVM_HYPERUPCALL_STATE_MOVE_H

#include "state_util.h"

struct moved_vcpu {
	struct kvm_x86_state *state;
	struct kvm_lapic_state lapic;
};

struct moving {
	struct moved_vcpu vcpus[HUP_MAX_VCPUS];
	union state hyperupcalls;
	uint64_t size;
};

static inline struct moving *move_out(struct hup *h)
{
	struct moving *m = calloc(1, sizeof(*m));
	unsigned int i;

	TEST_ASSERT(m, "no memory");
	for (i = 0; i < h->nr_vcpus; i++) {
		vcpu_ioctl(h->vcpus[i].vcpu, KVM_GET_LAPIC, &m->vcpus[i].lapic);
		m->vcpus[i].state = vcpu_save_state(h->vcpus[i].vcpu);
	}
	m->size = state_save(h, &m->hyperupcalls);
	return m;
}

/*
 * A new VM in the place of the old one, of which this process has no file
 * descriptors any more. Boot vCPUs enter paged mode before the programs come.
 */
static inline void move_vm(struct hup *h, const struct kvm_hyperupcall_policy *policy,
			   const struct moving *m)
{
	struct hup_vcpu *hv;
	unsigned int i;
	int r;

	hup_release(h);
	kvm_vm_restart(h->vm);
	r = hup_enable(h->vm, policy, policy ? sizeof(*policy) : 0);
	TEST_ASSERT(!r, "KVM_CAP_HYPERUPCALL: %s", strerror(-r));
	for (i = 0; i < h->nr_vcpus; i++) {
		hv = &h->vcpus[i];
		hv->vcpu = vm_vcpu_recreate(h->vm, i);
		hv->stats_fd = vcpu_get_stats_fd(hv->vcpu);
		vcpu_load_state(hv->vcpu, m->vcpus[i].state);
		vcpu_ioctl(hv->vcpu, KVM_SET_LAPIC, &m->vcpus[i].lapic);
	}
}

static inline void move_in(struct hup *h, const struct kvm_hyperupcall_policy *policy,
			   const struct moving *m)
{
	long r;

	move_vm(h, policy, m);
	r = state_set(h, &m->hyperupcalls, m->size);
	TEST_ASSERT(!r, "KVM_SET_HYPERUPCALL_STATE: %s", strerror(-r));
}

static inline void move_free(struct hup *h, struct moving *m)
{
	unsigned int i;

	for (i = 0; i < h->nr_vcpus; i++)
		kvm_x86_state_cleanup(m->vcpus[i].state);
	free(m);
}

#endif /* SELFTEST_KVM_HYPERUPCALL_STATE_MOVE_H */
