/* SPDX-License-Identifier: GPL-2.0-only */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM kvm
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE kvm_noncoherent_dma

#if !defined(_TRACE_KVM_NONCOHERENT_DMA_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_KVM_NONCOHERENT_DMA_H

#include <linux/tracepoint.h>

/* An edge, when all of its work is done. @flushed: CPUs, at the edge itself */
TRACE_EVENT(kvm_noncoherent_dma,
	    TP_PROTO(pid_t vm, bool on, bool zapped, unsigned int flushed),
	    TP_ARGS(vm, on, zapped, flushed),

	    TP_STRUCT__entry(__field(pid_t, vm)
			     __field(bool, on)
			     __field(bool, zapped)
			     __field(unsigned int, flushed)),

	    TP_fast_assign(__entry->vm = vm;
			   __entry->on = on;
			   __entry->zapped = zapped;
			   __entry->flushed = flushed;),

	    TP_printk("vm=%d permission=%s zapped=%d flushed_cpus=%u",
		      __entry->vm, __entry->on ? "on" : "off", __entry->zapped,
		      __entry->flushed)
);

/* A guest's WBINVD or WBNOINVD. @flushed: CPUs, none if it was ignored */
TRACE_EVENT(kvm_wbinvd,
	    TP_PROTO(unsigned int vcpu_id, unsigned int flushed),
	    TP_ARGS(vcpu_id, flushed),

	    TP_STRUCT__entry(__field(unsigned int, vcpu_id)
			     __field(unsigned int, flushed)),

	    TP_fast_assign(__entry->vcpu_id = vcpu_id;
			   __entry->flushed = flushed;),

	    TP_printk("vcpu=%u flushed_cpus=%u", __entry->vcpu_id,
		      __entry->flushed)
);

#endif /* _TRACE_KVM_NONCOHERENT_DMA_H */

#include <trace/define_trace.h>
