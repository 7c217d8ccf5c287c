// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hyperupcalls on x86: who may make the hypercall, how guest-virtual memory is
 * reached, what is known of a vCPU that does not run, and the INTERRUPT event.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cpu.h>
#include <linux/kvm_host.h>
#include <linux/percpu.h>

#include "hyperupcall.h"
#include "kvm_cache_regs.h"
#include "lapic.h"
#include "smm.h"
#include "x86.h"

static struct kvm_vcpu *kvm_hyperupcall_boot_vcpu(struct kvm *kvm)
{
	return kvm_get_vcpu_by_id(kvm, kvm->arch.bsp_vcpu_id);
}

/**
 * kvm_hyperupcall_emulate - KVM_HC_HYPERUPCALL
 * @vcpu: the calling vCPU, at CPL 0, with kvm->srcu held
 * @a0: opcode
 * @a1: guest-virtual address of its struct
 * @a2: the struct's size
 * @a3: zero
 * @op_64_bit: whether the vCPU is in 64-bit mode
 *
 * Return: what the guest finds in RAX.
 */
unsigned long kvm_hyperupcall_emulate(struct kvm_vcpu *vcpu, unsigned long a0, unsigned long a1,
				      unsigned long a2, unsigned long a3, bool op_64_bit)
{
	int r;

	if (vcpu->kvm->hyperupcall_refused || kvm_arch_has_private_mem(vcpu->kvm) ||
	    vcpu->arch.guest_state_protected)
		return -KVM_EOPNOTSUPP;
	if (!kvm_has_hyperupcall(vcpu->kvm))
		return -KVM_ENOSYS;
	/* The memslots of SMM are others than those that regions come from. */
	if (!op_64_bit || is_smm(vcpu) || is_guest_mode(vcpu))
		return -KVM_EPERM;
	/* Without a boot vCPU nothing would tell that the guest was reset. */
	if (!kvm_hyperupcall_boot_vcpu(vcpu->kvm))
		return -KVM_EPERM;

	/* Verification takes its time, and memslot updates wait for SRCU. */
	kvm_vcpu_srcu_read_unlock(vcpu);
	r = kvm_hyperupcall_hypercall(vcpu, a0, a1, a2, a3);
	kvm_vcpu_srcu_read_lock(vcpu);

	return r;
}

/**
 * kvm_arch_hyperupcall_safe - whether this host may run a guest's programs
 *
 * They may make loads fault in the host, or wait for stores, and on some CPUs such
 * a load shows what others left in the CPU's buffers; see mds.rst and
 * reg-file-data-sampling.rst in Documentation/admin-guide/hw-vuln/ for two of
 * them, and tsa= in kernel-parameters.txt for the third. The buffers are cleared
 * before the guest is entered, and interrupts fill them again.
 */
bool kvm_arch_hyperupcall_safe(void)
{
	return cpu_mitigations_off() ||
	       !(boot_cpu_has_bug(X86_BUG_MDS) || boot_cpu_has_bug(X86_BUG_RFDS) ||
		 boot_cpu_has_bug(X86_BUG_TSA));
}

DEFINE_PER_CPU(bool, kvm_hyperupcall_ran_elsewhere);

/**
 * kvm_arch_hyperupcall_mark_cpu - a program runs on this CPU
 * @kvm: the VM whose program it is
 *
 * What the program leaves in the branch predictors must not serve it against others.
 * User space is entered behind a barrier, as after the guest itself, where the CPU
 * wants that (VMSCAPE). Reclaim runs programs in any thread, and KVM has a barrier
 * only where a CPU changes from one vCPU to another: so the next VM entry gets one,
 * too, unless this is the thread of a vCPU of the same VM. Migration is off.
 */
void kvm_arch_hyperupcall_mark_cpu(struct kvm *kvm)
{
	struct kvm_vcpu *me = kvm_get_running_vcpu();

	if (cpu_feature_enabled(X86_FEATURE_IBPB_EXIT_TO_USER))
		this_cpu_write(x86_ibpb_exit_to_user, true);
	if (!me || me->kvm != kvm)
		this_cpu_write(kvm_hyperupcall_ran_elsewhere, true);
}

bool kvm_arch_hyperupcall_gva_valid(struct kvm_vcpu *vcpu, gva_t gva)
{
	return !is_noncanonical_address(gva, vcpu, 0);
}

int kvm_arch_hyperupcall_read(struct kvm_vcpu *vcpu, gva_t gva, void *data, u32 len)
{
	struct x86_exception e;
	int r;

	if (!kvm_arch_hyperupcall_gva_valid(vcpu, gva) ||
	    !kvm_arch_hyperupcall_gva_valid(vcpu, gva + len - 1))
		return -EFAULT;

	kvm_vcpu_srcu_read_lock(vcpu);
	r = kvm_read_guest_virt(vcpu, gva, data, len, &e);
	kvm_vcpu_srcu_read_unlock(vcpu);
	return r == X86EMUL_CONTINUE ? 0 : -EFAULT;
}

int kvm_arch_hyperupcall_write(struct kvm_vcpu *vcpu, gva_t gva, const void *data, u32 len)
{
	struct x86_exception e;
	int r;

	if (!kvm_arch_hyperupcall_gva_valid(vcpu, gva) ||
	    !kvm_arch_hyperupcall_gva_valid(vcpu, gva + len - 1))
		return -EFAULT;

	kvm_vcpu_srcu_read_lock(vcpu);
	r = kvm_write_guest_virt_system(vcpu, gva, (void *)data, len, &e);
	kvm_vcpu_srcu_read_unlock(vcpu);
	return r == X86EMUL_CONTINUE ? 0 : -EFAULT;
}

int kvm_arch_hyperupcall_translate(struct kvm_vcpu *vcpu, gva_t gva, bool write, gpa_t *gpa)
{
	struct x86_exception e;

	if (!kvm_arch_hyperupcall_gva_valid(vcpu, gva))
		return -EINVAL;

	kvm_vcpu_srcu_read_lock(vcpu);
	if (write)
		*gpa = kvm_mmu_gva_to_gpa_write(vcpu, gva, &e);
	else
		*gpa = kvm_mmu_gva_to_gpa_system(vcpu, gva, &e);
	kvm_vcpu_srcu_read_unlock(vcpu);

	return *gpa == INVALID_GPA ? -EFAULT : 0;
}

/**
 * kvm_hyperupcall_cr0_changed - the guest wrote CR0 of a vCPU
 * @vcpu: the vCPU
 * @old_cr0: CR0 before
 * @cr0: CR0 after
 *
 * When the boot vCPU leaves paged mode the guest's kernel is gone: what it
 * registered by virtual address means nothing any more. Another vCPU does so
 * at every CPU hotplug. RSM leaves paged mode only to enter it again, so look
 * at what became of it before the next VM entry.
 */
void kvm_hyperupcall_cr0_changed(struct kvm_vcpu *vcpu, unsigned long old_cr0, unsigned long cr0)
{
	if ((old_cr0 & X86_CR0_PG) && !(cr0 & X86_CR0_PG) && kvm_vcpu_is_reset_bsp(vcpu))
		kvm_make_request(KVM_REQ_HYPERUPCALL_RESET, vcpu);
}

/* SMM and nested guests have a CR0 of their own. */
static bool kvm_hyperupcall_has_own_cr0(struct kvm_vcpu *vcpu)
{
	return !is_smm(vcpu) && !is_guest_mode(vcpu);
}

/* No program of the VM runs at an event until kvm_hyperupcall_reset(). */
static void kvm_hyperupcall_mark_reset(struct kvm_vcpu *vcpu)
{
	kvm_hyperupcall_want_reset(vcpu->kvm);
	/* Pairs with the barrier in kvm_arch_hyperupcall_reset_pending(). */
	smp_wmb();
}

/**
 * kvm_hyperupcall_request_reset - INIT, a shutdown or the VMM writes CR0 of a vCPU
 * @vcpu: the vCPU
 * @cr0: CR0 after
 *
 * That is how a VM is reset, whatever mode the vCPU is in. The boot vCPU may
 * have left paged mode long ago, while others went on registering. What the VMM
 * writes in SMM or in a nested guest is no reset by itself; what became of it is
 * looked at before the next VM entry.
 *
 * What was registered is dropped then, and not here, where kvm->srcu may be
 * held: the VMM's thread that has to bring a page for another vCPU's hypercall
 * may wait for the readers.
 */
void kvm_hyperupcall_request_reset(struct kvm_vcpu *vcpu, unsigned long cr0)
{
	/* A vCPU that is being created may have the boot vCPU's id, which is an error. */
	if ((cr0 & X86_CR0_PG) || vcpu != kvm_hyperupcall_boot_vcpu(vcpu->kvm))
		return;

	if (kvm_hyperupcall_has_own_cr0(vcpu))
		kvm_hyperupcall_mark_reset(vcpu);
	kvm_make_request(KVM_REQ_HYPERUPCALL_RESET, vcpu);
}

static bool kvm_hyperupcall_reset_is_due(struct kvm_vcpu *vcpu)
{
	return kvm_hyperupcall_wants_reset(vcpu->kvm) ||
	       (kvm_vcpu_is_reset_bsp(vcpu) && !is_paging(vcpu) &&
		kvm_hyperupcall_has_own_cr0(vcpu));
}

/*
 * A vCPU in paged mode whose state is the guest's own. A vCPU that has not
 * entered the guest since it was created, or since KVM_SET_HYPERUPCALL_STATE, has
 * the state that the VMM gave it, and gets the rest of it.
 */
static bool kvm_hyperupcall_may_rewind(struct kvm_vcpu *vcpu)
{
	return is_paging(vcpu) &&
	       vcpu->stat.exits != READ_ONCE(vcpu->arch.hyperupcall.exits);
}

/* The VMM goes back to a snapshot: what KVM has belongs to another kernel. */
static void kvm_hyperupcall_rewind(struct kvm_vcpu *vcpu)
{
	kvm_hyperupcall_mark_reset(vcpu);
	kvm_make_request(KVM_REQ_HYPERUPCALL_RESET, vcpu);
}

/**
 * kvm_hyperupcall_set_sregs - the VMM writes the control registers of a vCPU
 * @vcpu: the vCPU, which has the old ones
 * @sregs: the new ones
 *
 * A VMM that writes back what it has read changes nothing, and neither does a
 * debugger that sets general-purpose registers. Other page tables or descriptor
 * tables come with other memory.
 */
void kvm_hyperupcall_set_sregs(struct kvm_vcpu *vcpu, const struct kvm_sregs *sregs)
{
	struct desc_ptr gdt, idt;

	/* A VMM may start another vCPU with page tables of its own, in a kernel that goes on. */
	if (!kvm_has_hyperupcall(vcpu->kvm) || !kvm_vcpu_is_reset_bsp(vcpu) ||
	    !kvm_hyperupcall_may_rewind(vcpu))
		return;

	kvm_x86_call(get_gdt)(vcpu, &gdt);
	kvm_x86_call(get_idt)(vcpu, &idt);
	if (kvm_read_cr3(vcpu) != sregs->cr3 || gdt.address != sregs->gdt.base ||
	    idt.address != sregs->idt.base)
		kvm_hyperupcall_rewind(vcpu);
}

/**
 * kvm_hyperupcall_set_tsc - the VMM writes the TSC of a vCPU
 * @vcpu: the vCPU
 * @tsc: what it will be
 *
 * Time that the guest has seen pass does not come back, unless the VMM goes back
 * to a snapshot. Does not sleep.
 */
void kvm_hyperupcall_set_tsc(struct kvm_vcpu *vcpu, u64 tsc)
{
	if (kvm_has_hyperupcall(vcpu->kvm) && kvm_hyperupcall_may_rewind(vcpu) &&
	    tsc < vcpu->arch.last_guest_tsc)
		kvm_hyperupcall_rewind(vcpu);
}

/**
 * kvm_hyperupcall_confirm_reset - the VMM has written all that decides of a reset
 * @vcpu: a vCPU in KVM_RUN, which has its registers and its mode now
 *
 * For kvm_arch_hyperupcall_reset_pending(), until the reset is done.
 */
void kvm_hyperupcall_confirm_reset(struct kvm_vcpu *vcpu)
{
	if (kvm_test_request(KVM_REQ_HYPERUPCALL_RESET, vcpu) &&
	    kvm_hyperupcall_reset_is_due(vcpu))
		kvm_hyperupcall_mark_reset(vcpu);
}

/**
 * kvm_hyperupcall_finish_reset - drop what is to be dropped before the VM entry
 * @vcpu: a loaded vCPU, without kvm->srcu
 *
 * May sleep. In an ioctl that resets a vCPU, for the VMM may expect that nothing
 * is pinned when its call returns, and in those after which nothing would tell
 * that there was a reset.
 *
 * Return: zero, or -EINTR with a signal pending, and it is still to be done.
 */
int kvm_hyperupcall_finish_reset(struct kvm_vcpu *vcpu)
{
	if (!kvm_test_request(KVM_REQ_HYPERUPCALL_RESET, vcpu) ||
	    !kvm_hyperupcall_reset_is_due(vcpu))
		return 0;

	kvm_hyperupcall_mark_reset(vcpu);
	if (kvm_hyperupcall_reset(vcpu->kvm))
		return -EINTR;

	kvm_clear_request(KVM_REQ_HYPERUPCALL_RESET, vcpu);
	return 0;
}

/**
 * kvm_arch_hyperupcall_finish_reset - finish a reset of a VM's boot vCPU
 * @kvm: the VM
 *
 * May sleep. Takes in an INIT, as KVM_GET_MP_STATE does: what the VMM reads of
 * the vCPU may be of before and after it, and what it reads of the hyperupcalls
 * is of after it. A vCPU that is in an ioctl finishes its reset itself.
 *
 * Return: zero, or -EINTR with a signal pending, and the reset is still to be done.
 */
int kvm_arch_hyperupcall_finish_reset(struct kvm *kvm)
{
	struct kvm_vcpu *vcpu = kvm_hyperupcall_boot_vcpu(kvm);
	struct kvm_mp_state mp_state;
	int r;

	if (!vcpu || !mutex_trylock(&vcpu->mutex))
		return 0;

	r = kvm_arch_vcpu_ioctl_get_mpstate(vcpu, &mp_state);
	mutex_unlock(&vcpu->mutex);
	return r;
}

/**
 * kvm_arch_hyperupcall_may_restore - whether a VM has the registers of its boot vCPU
 * @kvm: the VM
 *
 * Registers that come after the hyperupcalls may look like a reset, which drops
 * them; a reset that came before was one of another kernel.
 *
 * May sleep. Return: zero, or -EBUSY if there is no boot vCPU, if it is in an
 * ioctl, or if it is not in paged mode, not in SMM and not in a nested guest.
 */
int kvm_arch_hyperupcall_may_restore(struct kvm *kvm)
{
	struct kvm_vcpu *vcpu = kvm_hyperupcall_boot_vcpu(kvm);
	int r = 0;

	if (!vcpu || !mutex_trylock(&vcpu->mutex))
		return -EBUSY;

	vcpu_load(vcpu);
	if (!is_paging(vcpu) && kvm_hyperupcall_has_own_cr0(vcpu))
		r = -EBUSY;
	vcpu_put(vcpu);
	mutex_unlock(&vcpu->mutex);
	return r;
}

/**
 * kvm_arch_hyperupcall_restored - a VM has other hyperupcalls than before
 * @kvm: the VM
 *
 * The VMM may write what it has left out of the vCPUs' state.
 */
void kvm_arch_hyperupcall_restored(struct kvm *kvm)
{
	struct kvm_vcpu *vcpu;
	unsigned long i;

	kvm_for_each_vcpu(i, vcpu, kvm)
		WRITE_ONCE(vcpu->arch.hyperupcall.exits, READ_ONCE(vcpu->stat.exits));
}

/**
 * kvm_arch_hyperupcall_reset_pending - whether the guest's kernel may be gone
 * @kvm: the VM
 *
 * KVM_RUN takes registers that the VMM left in the kvm_run page when it is under
 * way already, and drops what was registered just before the VM entry. Called in
 * any context.
 */
bool kvm_arch_hyperupcall_reset_pending(struct kvm *kvm)
{
	struct kvm_vcpu *vcpu = kvm_hyperupcall_boot_vcpu(kvm);

	if (!vcpu)
		return true;
	if (READ_ONCE(vcpu->run->kvm_dirty_regs) & (KVM_SYNC_X86_SREGS | KVM_SYNC_X86_EVENTS))
		return true;

	/* KVM_RUN wants a reset before it clears a bit. */
	smp_rmb();
	return kvm_hyperupcall_wants_reset(kvm);
}

/**
 * kvm_hyperupcall_check_reset - KVM_REQ_HYPERUPCALL_RESET
 * @vcpu: the boot vCPU on its way into the guest, with kvm->srcu held
 *
 * Return: zero, or -EINTR with a signal pending; the request is made again then.
 */
int kvm_hyperupcall_check_reset(struct kvm_vcpu *vcpu)
{
	int r;

	if (!kvm_hyperupcall_reset_is_due(vcpu))
		return 0;

	/* The guest's MOV to CR0 marks nothing, and another vCPU may hold hu->lock for long. */
	kvm_hyperupcall_mark_reset(vcpu);
	/* Memslot updates wait for SRCU. */
	kvm_vcpu_srcu_read_unlock(vcpu);
	r = kvm_hyperupcall_reset(vcpu->kvm);
	kvm_vcpu_srcu_read_lock(vcpu);

	if (r) {
		kvm_make_request(KVM_REQ_HYPERUPCALL_RESET, vcpu);
		kvm_handle_signal_exit(vcpu);
	}
	return r;
}

/*
 * The emulator keeps translations that no flush takes back, and code that the
 * guest may have patched meanwhile. KVM is in the middle of an instruction
 * nearly everywhere between a VM exit and the next VM entry. It is not after an
 * external interrupt, see kvm_steal_time_set_preempted(), nor while the vCPU
 * blocks, nor between two ioctls of the VMM unless the second one has to complete what
 * the first one began.
 */
static bool kvm_hyperupcall_between_insns(struct kvm_vcpu *vcpu)
{
	if (!vcpu->scheduled_out)
		return !vcpu->arch.complete_userspace_io;

	return vcpu->stat.generic.blocking ||
	       (vcpu->wants_to_run && vcpu->arch.at_instruction_boundary);
}

/*
 * Whether an interrupt that came now would be the next thing the vCPU does. An
 * exception or another event whose delivery had begun comes before it, even
 * if RFLAGS.IF is set.
 */
static bool kvm_hyperupcall_interruptible(struct kvm_vcpu *vcpu)
{
	return !kvm_event_needs_reinjection(vcpu) && !kvm_is_exception_pending(vcpu) &&
	       kvm_x86_call(interrupt_allowed)(vcpu, false) > 0;
}

/**
 * kvm_hyperupcall_vcpu_put - a vCPU loses its physical CPU
 * @vcpu: the vCPU, whose state is still loaded
 *
 * Keeps what a program may want to know of a vCPU that does not run; some of
 * it can be read on Intel by the CPU that holds the VMCS only. Registers are
 * read between two instructions alone: a vCPU that is preempted on its way into
 * or out of a nested guest has register caches that must not be filled.
 *
 * Pairs with kvm_hyperupcall_vcpu_load(): an odd sequence says that the vCPU is
 * loaded. It is that for hours, which is not what a seqcount_t is for.
 */
void kvm_hyperupcall_vcpu_put(struct kvm_vcpu *vcpu)
{
	struct kvm_vcpu_hyperupcall *hu = &vcpu->arch.hyperupcall;

	if (!kvm_has_hyperupcall(vcpu->kvm))
		return;

	hu->between_insns = kvm_hyperupcall_between_insns(vcpu);
	hu->has_regs = hu->between_insns && !is_guest_mode(vcpu) && !is_smm(vcpu);
	if (hu->has_regs) {
		hu->regs = (struct hyperupcall_regs) {
			.rip = kvm_rip_read(vcpu),
			.rsp = kvm_rsp_read(vcpu),
			.rflags = kvm_get_rflags(vcpu),
			.cr3 = kvm_read_cr3(vcpu),
			.cpl = kvm_x86_call(get_cpl)(vcpu),
			.flags = kvm_hyperupcall_interruptible(vcpu) ?
				 HYPERUPCALL_REGS_INTERRUPTIBLE : 0,
		};
	}
	/* Pairs with the acquire in kvm_hyperupcall_read_snapshot(). */
	smp_store_release(&hu->seq, hu->seq + 1);
}

/**
 * kvm_hyperupcall_vcpu_load - a vCPU gets a physical CPU
 * @vcpu: the vCPU
 */
void kvm_hyperupcall_vcpu_load(struct kvm_vcpu *vcpu)
{
	struct kvm_vcpu_hyperupcall *hu = &vcpu->arch.hyperupcall;

	if (!kvm_has_hyperupcall(vcpu->kvm))
		return;

	WRITE_ONCE(hu->seq, hu->seq + 1);
	/* Before the next kvm_hyperupcall_vcpu_put() writes anything. */
	smp_wmb();
}

static bool kvm_hyperupcall_vcpu_loaded(struct kvm_vcpu *vcpu)
{
	return READ_ONCE(vcpu->arch.hyperupcall.seq) & 1;
}

enum hyperupcall_vcpu_state kvm_arch_hyperupcall_vcpu_state(struct kvm_vcpu *vcpu)
{
	switch (READ_ONCE(vcpu->arch.mp_state)) {
	case KVM_MP_STATE_HALTED:
		return HYPERUPCALL_VCPU_HALTED;
	case KVM_MP_STATE_RUNNABLE:
		break;
	default:
		return HYPERUPCALL_VCPU_STOPPED;
	}

	if (kvm_hyperupcall_vcpu_loaded(vcpu))
		return HYPERUPCALL_VCPU_RUNNING;

	return READ_ONCE(vcpu->scheduled_out) ? HYPERUPCALL_VCPU_PREEMPTED :
						HYPERUPCALL_VCPU_STOPPED;
}

/*
 * Copies what kvm_hyperupcall_vcpu_put() kept. Returns true if the vCPU had no
 * physical CPU at some moment during the call; the copy is of that moment.
 */
static bool kvm_hyperupcall_read_snapshot(struct kvm_vcpu *vcpu, struct kvm_vcpu_hyperupcall *copy)
{
	struct kvm_vcpu_hyperupcall *hu = &vcpu->arch.hyperupcall;
	u32 seq;

	/* Pairs with the release in kvm_hyperupcall_vcpu_put(). */
	seq = smp_load_acquire(&hu->seq);
	/* The second look at the sequence finds a copy that was written meanwhile. */
	*copy = data_race(*hu);
	/* Pairs with the barrier in kvm_hyperupcall_vcpu_load(). */
	smp_rmb();
	return !(seq & 1) && READ_ONCE(hu->seq) == seq;
}

int kvm_arch_hyperupcall_vcpu_regs(struct kvm_vcpu *vcpu, struct hyperupcall_regs *regs)
{
	struct kvm_vcpu_hyperupcall hu;

	if (!kvm_hyperupcall_read_snapshot(vcpu, &hu) || !hu.has_regs)
		return -EBUSY;

	*regs = hu.regs;
	return 0;
}

/*
 * On Intel a vCPU that may run nested guests has translations under two VPIDs,
 * and a request flushes one of them. On AMD every nested transition flushes,
 * see nested_svm_transition_tlb_flush().
 */
static bool kvm_hyperupcall_may_nest(struct kvm_vcpu *vcpu)
{
	return READ_ONCE(vcpu->arch.cr4) & X86_CR4_VMXE;
}

/**
 * kvm_arch_hyperupcall_flush_tlb - ask for a flush of a vCPU's guest TLB
 * @vcpu: the vCPU
 *
 * The request is made first, and the sequence is looked at after that. A vCPU
 * that gets a physical CPU makes its sequence odd first and looks at its
 * requests after that, behind the barrier in vcpu_enter_guest() (see
 * Documentation/virt/kvm/vcpu-requests.rst), so that one of the two sees the
 * other. A vCPU without a physical CPU may be in the middle of an instruction
 * that KVM emulates with translations from before the flush.
 *
 * Return: true if the vCPU executes no guest instruction, and no rest of one,
 * before the flush.
 */
bool kvm_arch_hyperupcall_flush_tlb(struct kvm_vcpu *vcpu)
{
	struct kvm_vcpu *me = kvm_get_running_vcpu();
	struct kvm_vcpu_hyperupcall hu;

	if (kvm_hyperupcall_may_nest(vcpu))
		return false;

	kvm_make_request(KVM_REQ_TLB_FLUSH_GUEST, vcpu);
	/* Pairs with the barrier behind vcpu->mode = IN_GUEST_MODE. */
	smp_mb__after_atomic();
	if (!kvm_hyperupcall_read_snapshot(vcpu, &hu) || !hu.between_insns ||
	    kvm_hyperupcall_may_nest(vcpu))
		return false;

	/* Reclaim asks on behalf of any VM. */
	if (me && me->kvm == vcpu->kvm)
		++me->stat.hyperupcall_flushes;
	return true;
}

/**
 * kvm_hyperupcall_consumes_ipi - offer an IPI to the guest's programs
 * @sender: the vCPU that sends it
 * @target: another vCPU, for which it was accepted
 * @irq: the IPI
 *
 * Called where the IPI would enter the target's IRR.
 *
 * Return: true if the target must not see it.
 */
bool kvm_hyperupcall_consumes_ipi(struct kvm_vcpu *sender, struct kvm_vcpu *target,
				  const struct kvm_lapic_irq *irq)
{
	struct hyperupcall_ctx ctx;

	if (!kvm_hyperupcall_linked(target->kvm, HYPERUPCALL_EVENT_INTERRUPT))
		return false;
	/* A VMM that writes the sender's ICR has stopped the guest. */
	if (!sender->wants_to_run)
		return false;
	/*
	 * Programs may take longer than interrupts can be off. The fastpath asked
	 * kvm_hyperupcall_wants_ipis() when there was no link yet.
	 */
	if (irqs_disabled())
		return false;
	if (irq->delivery_mode != APIC_DM_FIXED || irq->trig_mode || !kvm_lapic_enabled(target))
		return false;
	/* The programs are the kernel's, which knows nothing of what SMM sends. */
	if (is_smm(sender))
		return false;

	/* All of it, for the guest sees all of it. */
	memset(&ctx, 0, sizeof(ctx));
	ctx.event = HYPERUPCALL_EVENT_INTERRUPT;
	ctx.vcpu = sender->vcpu_id;
	ctx.interrupt.vector = irq->vector;
	ctx.interrupt.target = target->vcpu_id;
	ctx.interrupt.target_state = kvm_arch_hyperupcall_vcpu_state(target);
	if (kvm_hyperupcall_run(target->kvm, &ctx) != HYPERUPCALL_CONSUMED)
		return false;

	++sender->stat.ipis_consumed;
	return true;
}

/**
 * kvm_hyperupcall_spares_yield - whether there is no reason to yield to a vCPU
 * @target: a vCPU that was preempted
 *
 * A guest yields to the target of an IPI that it just sent. If its hyperupcall
 * consumed the IPI, and the target has no other interrupt and was not kicked,
 * nobody waits for the target.
 */
bool kvm_hyperupcall_spares_yield(struct kvm_vcpu *target)
{
	return kvm_hyperupcall_linked(target->kvm, HYPERUPCALL_EVENT_INTERRUPT) &&
	       !READ_ONCE(target->arch.apic->irr_pending) &&
	       !READ_ONCE(target->arch.interrupt.injected) &&
	       !READ_ONCE(target->arch.pv.pv_unhalted);
}
