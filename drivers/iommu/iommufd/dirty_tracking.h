/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __IOMMUFD_DIRTY_TRACKING_H
#define __IOMMUFD_DIRTY_TRACKING_H

#include <linux/iommu.h>

/*
 * The IOMMU drivers set what they found dirty by iova_bitmap_set(). Without
 * IOMMUFD_DRIVER they were compiled with the one that does nothing: whatever
 * they claim, every page would look clean.
 */
static inline bool iommufd_can_track_dirty(struct device *dev)
{
	return IS_ENABLED(CONFIG_IOMMUFD_DRIVER) &&
	       device_iommu_capable(dev, IOMMU_CAP_DIRTY_TRACKING);
}

#endif
