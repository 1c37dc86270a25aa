/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * KVM and iommufd: live tracking of non-coherent DMA.
 *
 * Documentation/virt/kvm/devices/iommufd.rst describes every call and error.
 */
#ifndef _UAPI_LINUX_KVM_IOMMUFD_H
#define _UAPI_LINUX_KVM_IOMMUFD_H

#include <linux/types.h>

/* KVM_CREATE_DEVICE: one per VM */
#define KVM_DEV_TYPE_IOMMUFD			64

#define KVM_DEV_IOMMUFD_FD			1
#define   KVM_DEV_IOMMUFD_FD_ADD		1
#define   KVM_DEV_IOMMUFD_FD_DEL		2
#define KVM_DEV_IOMMUFD_COHERENCY		2
#define   KVM_DEV_IOMMUFD_COHERENCY_STATUS	1
#define   KVM_DEV_IOMMUFD_COHERENCY_EVENTFD	2

/* Non-coherent DMA can reach the VM: permission is on */
#define KVM_COHERENCY_NONCOHERENT		(1 << 0)
/* A guest's WBINVD flushes host caches now */
#define KVM_COHERENCY_WBINVD			(1 << 1)

/**
 * struct kvm_coherency_status - KVM_DEV_IOMMUFD_COHERENCY_STATUS
 * @size: in: sizeof(struct kvm_coherency_status) as the caller knows it;
 *        out: bytes that the kernel wrote
 * @flags: KVM_COHERENCY_* that hold at the moment of the call
 * @policy: the VM's KVM_NONCOHERENT_DMA_*
 * @nr_iommufds: iommufds added with KVM_DEV_IOMMUFD_FD_ADD and not deleted
 * @edges: times that permission changed, either way, since the VM was created
 * @wbinvd_flushed: guest WBINVDs that flushed host caches, over all vCPUs
 * @wbinvd_ignored: guest WBINVDs that did nothing, over all vCPUs
 *
 * A buffer smaller than the first version of the structure is EINVAL; of a
 * larger one the part that the kernel knows is written.
 */
struct kvm_coherency_status {
	__u32 size;
	__u32 flags;
	__u32 policy;
	__u32 nr_iommufds;
	__u64 edges;
	__u64 wbinvd_flushed;
	__u64 wbinvd_ignored;
};

/*
 * KVM_CHECK_EXTENSION: a bit mask of (1 << policy) that the VM can have.
 * KVM_ENABLE_CAP on the VM: args[0] is the policy, all else zero.
 */
#define KVM_CAP_NONCOHERENT_DMA			0x4e43
/* Permission follows the live attachments */
#define KVM_NONCOHERENT_DMA_FOLLOW		0
/* Non-coherent attachments are refused with EPERM */
#define KVM_NONCOHERENT_DMA_FORBID		1
/* As FOLLOW, but a guest's WBINVD never flushes */
#define KVM_NONCOHERENT_DMA_NO_WBINVD		2

#endif /* _UAPI_LINUX_KVM_IOMMUFD_H */
