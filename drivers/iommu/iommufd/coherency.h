/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * State of, and hooks for, drivers/iommu/iommufd/coherency.c.
 */
#ifndef __IOMMUFD_COHERENCY_H
#define __IOMMUFD_COHERENCY_H

#include <linux/iommu.h>
#include <linux/iommufd_coherency.h>

struct iommufd_group;
struct iommufd_hw_pagetable;
struct seq_file;
struct file;

/*
 * In struct iommufd_device: spans one automatic choice of a page table. Its
 * failed tries leave their count here, so that the choice as a whole causes at
 * most one edge each way however many page tables are tried. Only the thread
 * that attaches the device has to do with it.
 */
struct iommufd_coherency_hold {
	bool active;
	bool counted;
};

/*
 * The caller is about to choose a page table of an IOAS for the device, and
 * calls iommufd_coherency_release() when it is done.
 */
static inline void iommufd_coherency_hold(struct iommufd_coherency_hold *hold)
{
	hold->active = true;
}

void iommufd_coherency_release_counted(struct iommufd_coherency_hold *hold);

static inline void
iommufd_coherency_release(struct iommufd_coherency_hold *hold)
{
	hold->active = false;
	if (hold->counted)
		iommufd_coherency_release_counted(hold);
}

int iommufd_coherency_before(struct iommufd_device *idev, ioasid_t pasid,
			     struct iommufd_hw_pagetable *old,
			     struct iommufd_hw_pagetable *new);
void iommufd_coherency_gone(struct iommufd_device *idev, ioasid_t pasid,
			    struct iommufd_hw_pagetable *gone,
			    struct iommufd_hw_pagetable *stays, bool failed);

/*
 * After the hardware has changed from @old to @new, or with @rc has failed to
 * and is still at @old. Inlined: of most attaches there is nothing left to do.
 */
static inline void
iommufd_coherency_after(struct iommufd_device *idev, ioasid_t pasid,
			struct iommufd_hw_pagetable *old,
			struct iommufd_hw_pagetable *new, int rc)
{
	if (rc)
		iommufd_coherency_gone(idev, pasid, new, old, true);
	else if (old)
		iommufd_coherency_gone(idev, pasid, old, new, false);
}

bool iommufd_coherency_is_on(struct iommufd_group *igroup,
			     const struct iommufd_hw_pagetable *hwpt);
int iommufd_coherency_noiommu_bind(struct iommufd_group *igroup, u32 id);
void iommufd_coherency_noiommu_unbind(struct iommufd_group *igroup);
int iommufd_coherency_access_attach(struct iommufd_access *access);
void iommufd_coherency_access_detach(struct iommufd_access *access);
u64 iommufd_coherency_hw_capabilities(const struct iommufd_device *idev);
void iommufd_coherency_show_fdinfo(struct seq_file *m, struct file *filp);

#endif
