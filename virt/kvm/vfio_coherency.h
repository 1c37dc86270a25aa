/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __KVM_VFIO_COHERENCY_H
#define __KVM_VFIO_COHERENCY_H

#include <linux/kconfig.h>

struct file;
struct kvm;

#if IS_ENABLED(CONFIG_KVM_IOMMUFD)
#include <linux/vfio_coherency.h>

int kvm_vfio_watch(struct vfio_file_watch *fw, struct kvm *kvm,
		   struct file *file);
void kvm_vfio_unwatch(struct vfio_file_watch *fw);
#else
struct vfio_file_watch {};

static inline int kvm_vfio_watch(struct vfio_file_watch *fw, struct kvm *kvm,
				 struct file *file)
{
	return 0;
}

static inline void kvm_vfio_unwatch(struct vfio_file_watch *fw)
{
}
#endif

#endif
