/* SPDX-License-Identifier: GPL-2.0-only */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM iommufd

#if !defined(_TRACE_IOMMUFD_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_IOMMUFD_H

#include <linux/tracepoint.h>

/*
 * One line per change: a group's (or one of its PASIDs') DMA through a page
 * table that does not enforce cache coherency is about to begin, or has ended.
 * The context goes by the number that its fdinfo has as coherency-id. A group of
 * -1 is no group: an access, whose ID is then in place of an HWPT's.
 */
TRACE_EVENT(iommufd_coherency,
	    TP_PROTO(u64 ictx, int group, u32 pasid, u32 hwpt, bool on),
	    TP_ARGS(ictx, group, pasid, hwpt, on),

	    TP_STRUCT__entry(__field(u64, ictx)
			     __field(int, group)
			     __field(u32, pasid)
			     __field(u32, hwpt)
			     __field(bool, on)),

	    TP_fast_assign(__entry->ictx = ictx;
			   __entry->group = group;
			   __entry->pasid = pasid;
			   __entry->hwpt = hwpt;
			   __entry->on = on;),

	    TP_printk("ctx=%llu group=%d pasid=%u hwpt=%u noncoherent=%s",
		      __entry->ictx, __entry->group, __entry->pasid,
		      __entry->hwpt, __entry->on ? "on" : "off")
);

#endif /* _TRACE_IOMMUFD_H */

#include <trace/define_trace.h>
