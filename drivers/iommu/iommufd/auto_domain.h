/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which automatic page tables of an IOAS a device is tried on.
 */
#ifndef __IOMMUFD_AUTO_DOMAIN_H
#define __IOMMUFD_AUTO_DOMAIN_H

#include <linux/kconfig.h>

/*
 * One that does not enforce cache coherency was made for a device that cannot
 * have it. It would take coherency from a device that can, unless the group of
 * that device is on it already and has none.
 */
static inline bool
iommufd_auto_domain_suits(struct iommufd_device *idev,
			  struct iommufd_hwpt_paging *hwpt_paging)
{
	if (!IS_ENABLED(CONFIG_KVM_IOMMUFD) || !idev->enforce_cache_coherency ||
	    hwpt_paging->enforce_cache_coherency)
		return true;

	return iommufd_coherency_is_on(idev->igroup, &hwpt_paging->common);
}

#endif
