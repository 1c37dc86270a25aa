/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What an architecture does for a VM that non-coherent DMA can reach.
 */
#ifndef __LINUX_KVM_NONCOHERENT_DMA_H
#define __LINUX_KVM_NONCOHERENT_DMA_H

#include <linux/types.h>

struct eventfd_ctx;
struct iommufd_coherency_ops;
struct kvm;
struct kvm_coherency_status;

/* For watches whose data is the VM */
extern const struct iommufd_coherency_ops kvm_coherency_ops;

#ifdef __KVM_HAVE_ARCH_NONCOHERENT_DMA
/*
 * Every source of non-coherent DMA reserves, registers before the DMA can
 * begin, is revoked when it cannot happen any more, and unreserves, which waits
 * until the guest flushes no more. Only to reserve can fail, by the VM's policy
 * or type, and nobody else sees that. All may sleep and none waits for user space.
 */
int kvm_arch_reserve_noncoherent_dma(struct kvm *kvm);
void kvm_arch_revoke_noncoherent_dma(struct kvm *kvm);
void kvm_arch_unreserve_noncoherent_dma(struct kvm *kvm);

/* Fills in all but size and nr_iommufds */
void kvm_arch_get_coherency_status(struct kvm *kvm,
				   struct kvm_coherency_status *status);

/*
 * The eventfd gains 1 at every edge from whatever source. The caller's
 * reference becomes the VM's; the one that it replaces is put.
 */
void kvm_arch_set_coherency_eventfd(struct kvm *kvm,
				    struct eventfd_ctx *eventfd);
#else
#include <linux/eventfd.h>

/* No guest of these architectures has an instruction that needs permission */
static inline int kvm_arch_reserve_noncoherent_dma(struct kvm *kvm)
{
	return 0;
}

static inline void kvm_arch_revoke_noncoherent_dma(struct kvm *kvm)
{
}

static inline void kvm_arch_unreserve_noncoherent_dma(struct kvm *kvm)
{
}

static inline void
kvm_arch_get_coherency_status(struct kvm *kvm,
			      struct kvm_coherency_status *status)
{
}

static inline void kvm_arch_set_coherency_eventfd(struct kvm *kvm,
						  struct eventfd_ctx *eventfd)
{
	if (eventfd)
		eventfd_ctx_put(eventfd);
}
#endif

#endif
