/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _ASM_X86_KVM_NONCOHERENT_DMA_H
#define _ASM_X86_KVM_NONCOHERENT_DMA_H

#include <linux/cpumask.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/types.h>

struct eventfd_ctx;

/*
 * Written under the lock, which orders edges and so is held until the work of
 * an edge is done. vCPUs read sources and policy without it, see
 * kvm_noncoherent_dma_wbinvd().
 */
struct kvm_noncoherent_dma {
	/* Inside the locks of every source of edges, outside of mmu_lock */
	struct mutex lock;
	/* Registered sources: permission is on while there is one */
	unsigned int sources;
	/* Reserved sources, whether or not they are registered */
	unsigned int reserved;
	/*
	 * Permission has gone, and the edge is not done: it waits for a grace
	 * period after @revoked_at, as the RCU functions for polling have it.
	 */
	bool revoked;
	unsigned long revoked_at;
	/* KVM_NONCOHERENT_DMA_* */
	u32 policy;
	/*
	 * What the VM began with, than which policy cannot be looser: constant
	 * once the VM is made, see kvm_noncoherent_dma_forbid().
	 */
	u32 ceiling;
	/* A source was refused whose DMA goes on; since policy refuses sources */
	bool not_enforced;
	struct eventfd_ctx *eventfd;
	/* Since the VM was made; anybody with debugfs can clear the statistic */
	u64 edges;
	/* For the flush of an edge, which cannot fail to allocate it */
	struct cpumask edge_cpus;
	/* What was added to the VM, see noncoherent_dma_show() */
	struct mutex entries_lock;
	struct list_head entries;
};

#endif
