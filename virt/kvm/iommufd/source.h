/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __KVM_IOMMUFD_SOURCE_H
#define __KVM_IOMMUFD_SOURCE_H

#include <linux/iommufd_coherency.h>
#include <linux/kvm_host.h>
#include <linux/kvm_noncoherent_dma.h>

struct iommufd_ctx;

/* An iommufd that was added to a VM, with a reference on it */
struct kvm_iommufd_source {
	struct list_head node;
	struct kvm *kvm;
	struct iommufd_ctx *ictx;
	struct iommufd_coherency_watch watch;
	struct kvm_coherency_entry entry;
};

/*
 * Where KVM has to be told that a VM has assigned devices, an iommufd that was added
 * is one, as a file is that was given to kvm-vfio. Elsewhere KVM finds out by itself.
 */
static inline void assignment_begin(struct kvm *kvm)
{
#ifdef __KVM_HAVE_ARCH_ASSIGNED_DEVICE
	kvm_arch_start_assignment(kvm);
#endif
}

static inline void assignment_end(struct kvm *kvm)
{
#ifdef __KVM_HAVE_ARCH_ASSIGNED_DEVICE
	kvm_arch_end_assignment(kvm);
#endif
}

struct kvm_iommufd_source *kvm_iommufd_source_create(struct kvm *kvm,
						     struct iommufd_ctx *ictx);
void kvm_iommufd_source_destroy(struct kvm_iommufd_source *source);

#endif
