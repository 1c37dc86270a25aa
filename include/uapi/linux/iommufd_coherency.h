/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * iommufd: what user space can know of a device's cache coherency. Beside
 * linux/iommufd.h, whose numbers these are far above.
 *
 * Documentation/virt/kvm/devices/iommufd.rst says how a VMM uses them.
 */
#ifndef _UAPI_LINUX_IOMMUFD_COHERENCY_H
#define _UAPI_LINUX_IOMMUFD_COHERENCY_H

#include <linux/types.h>

/*
 * struct iommu_hw_info.out_capabilities: the kernel knows the coherency of the
 * device's DMA. A kernel that does not set this says nothing by the other bit.
 */
#define IOMMU_HW_CAP_COHERENCY_KNOWN		((__u64)1 << 62)
/*
 * The IOMMU can enforce cache coherency for the device, and every hardware page
 * table that is allocated for it does. The device can also be attached to one
 * that was allocated for a device without this bit, and is non-coherent then;
 * the reverse attach fails with EINVAL.
 */
#define IOMMU_HW_CAP_COHERENCY_ENFORCEABLE	((__u64)1 << 63)

#endif /* _UAPI_LINUX_IOMMUFD_COHERENCY_H */
