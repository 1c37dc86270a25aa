/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * For VMMs that compile against the headers of a kernel without KVM's iommufd
 * device: with this file's directory first on the include path,
 * <linux/kvm.h> is the system's KVM uAPI and the additions to it.
 *
 * Not for the kernel tree, whose own linux/kvm.h includes the additions.
 */
#ifndef _KVM_IOMMUFD_WRAPPER_LINUX_KVM_H
#define _KVM_IOMMUFD_WRAPPER_LINUX_KVM_H

#if defined(__GNUC__)
#pragma GCC system_header
#endif
#include_next <linux/kvm.h>
#include <linux/kvm_iommufd.h>

#endif /* _KVM_IOMMUFD_WRAPPER_LINUX_KVM_H */
