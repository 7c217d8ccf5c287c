/* SPDX-License-Identifier: GPL-2.0-only */
#if !defined(_TRACE_KVM_HYPERUPCALL_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_KVM_HYPERUPCALL_H

#include <linux/kvm_host.h>
#include <linux/tracepoint.h>

#undef TRACE_SYSTEM
#define TRACE_SYSTEM kvm

/* A VM is named by the PID of its VMM, as in KVM's debugfs. */

TRACE_EVENT(kvm_hyperupcall_load,
	TP_PROTO(struct kvm *kvm, const char *name, u32 insn_cnt, u32 prog, int err),
	TP_ARGS(kvm, name, insn_cnt, prog, err),

	TP_STRUCT__entry(
		__field(pid_t, vm)
		__string(name, name)
		__field(u32, insn_cnt)
		__field(u32, prog)
		__field(int, err)
	),

	TP_fast_assign(
		__entry->vm = kvm->userspace_pid;
		__assign_str(name);
		__entry->insn_cnt = insn_cnt;
		__entry->prog = prog;
		__entry->err = err;
	),

	TP_printk("vm %d prog %u name %s insns %u err %d", __entry->vm, __entry->prog,
		  __get_str(name), __entry->insn_cnt, __entry->err)
);

TRACE_EVENT(kvm_hyperupcall_link,
	TP_PROTO(struct kvm *kvm, u32 link, const char *event, u32 prog),
	TP_ARGS(kvm, link, event, prog),

	TP_STRUCT__entry(
		__field(pid_t, vm)
		__field(u32, link)
		__string(event, event)
		__field(u32, prog)
	),

	TP_fast_assign(
		__entry->vm = kvm->userspace_pid;
		__entry->link = link;
		__assign_str(event);
		__entry->prog = prog;
	),

	TP_printk("vm %d link %u event %s prog %u", __entry->vm, __entry->link,
		  __get_str(event), __entry->prog)
);

DECLARE_EVENT_CLASS(kvm_hyperupcall_of_link,
	TP_PROTO(struct kvm *kvm, u32 link),
	TP_ARGS(kvm, link),

	TP_STRUCT__entry(
		__field(pid_t, vm)
		__field(u32, link)
	),

	TP_fast_assign(
		__entry->vm = kvm->userspace_pid;
		__entry->link = link;
	),

	TP_printk("vm %d link %u", __entry->vm, __entry->link)
);

DEFINE_EVENT(kvm_hyperupcall_of_link, kvm_hyperupcall_unlink,
	TP_PROTO(struct kvm *kvm, u32 link),
	TP_ARGS(kvm, link)
);

DEFINE_EVENT(kvm_hyperupcall_of_link, kvm_hyperupcall_throttle,
	TP_PROTO(struct kvm *kvm, u32 link),
	TP_ARGS(kvm, link)
);

TRACE_EVENT(kvm_hyperupcall_run,
	TP_PROTO(struct kvm *kvm, u32 link, const char *event, u32 answer, u64 ns),
	TP_ARGS(kvm, link, event, answer, ns),

	TP_STRUCT__entry(
		__field(pid_t, vm)
		__field(u32, link)
		__string(event, event)
		__field(u32, answer)
		__field(u64, ns)
	),

	TP_fast_assign(
		__entry->vm = kvm->userspace_pid;
		__entry->link = link;
		__assign_str(event);
		__entry->answer = answer;
		__entry->ns = ns;
	),

	TP_printk("vm %d link %u event %s answer %u ns %llu", __entry->vm, __entry->link,
		  __get_str(event), __entry->answer, __entry->ns)
);

TRACE_EVENT(kvm_hyperupcall_fault,
	TP_PROTO(struct kvm *kvm, u32 link, u32 faults),
	TP_ARGS(kvm, link, faults),

	TP_STRUCT__entry(
		__field(pid_t, vm)
		__field(u32, link)
		__field(u32, faults)
	),

	TP_fast_assign(
		__entry->vm = kvm->userspace_pid;
		__entry->link = link;
		__entry->faults = faults;
	),

	TP_printk("vm %d link %u faults %u", __entry->vm, __entry->link, __entry->faults)
);

#endif /* _TRACE_KVM_HYPERUPCALL_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH ../../virt/kvm/hyperupcall
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace

/* This part must be outside protection. */
#include <trace/define_trace.h>
