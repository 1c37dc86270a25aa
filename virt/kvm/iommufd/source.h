/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __KVM_IOMMUFD_SOURCE_H
#define __KVM_IOMMUFD_SOURCE_H

#include <linux/iommufd_coherency.h>
#include <linux/kvm_noncoherent_dma.h>

struct iommufd_ctx;
struct kvm;

/* An iommufd that was added to a VM, with a reference on it */
struct kvm_iommufd_source {
	struct list_head node;
	struct kvm *kvm;
	struct iommufd_ctx *ictx;
	struct iommufd_coherency_watch watch;
	struct kvm_coherency_entry entry;
};

struct kvm_iommufd_source *kvm_iommufd_source_create(struct kvm *kvm,
						     struct iommufd_ctx *ictx);
void kvm_iommufd_source_destroy(struct kvm_iommufd_source *source);

#endif
