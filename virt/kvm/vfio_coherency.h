/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __KVM_VFIO_COHERENCY_H
#define __KVM_VFIO_COHERENCY_H

#include <linux/kconfig.h>

struct file;
struct kvm;

#if IS_ENABLED(CONFIG_KVM_IOMMUFD)
#include <linux/kvm_noncoherent_dma.h>
#include <linux/vfio_coherency.h>

struct kvm_vfio_watch {
	struct kvm *kvm;
	struct vfio_file_watch file;
	struct kvm_coherency_entry entry;
};

int kvm_vfio_watch(struct kvm_vfio_watch *w, struct kvm *kvm,
		   struct file *file);
void kvm_vfio_unwatch(struct kvm_vfio_watch *w);
#else
struct kvm_vfio_watch {};

static inline int kvm_vfio_watch(struct kvm_vfio_watch *w, struct kvm *kvm,
				 struct file *file)
{
	return 0;
}

static inline void kvm_vfio_unwatch(struct kvm_vfio_watch *w)
{
}
#endif

#endif
