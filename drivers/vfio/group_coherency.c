// SPDX-License-Identifier: GPL-2.0-only
/*
 * DMA of VFIO groups that iommufd does not track: of a group in a VFIO container,
 * which counts as non-coherent if its IOMMU cannot enforce coherency, and of a
 * device without IOMMU, from bind to unbind.
 */
#include <linux/iommu.h>
#include <linux/iommufd.h>
#include <linux/vfio.h>

#include "vfio.h"

void vfio_coherency_group_init(struct vfio_group *group)
{
	vfio_coherency_init(&group->coherency.file);
	iommufd_coherency_source_init(&group->coherency.container, NULL);
}

struct vfio_group_coherency *vfio_group_coherency(struct vfio_group *group)
{
	return &group->coherency;
}

static int group_count(struct vfio_group *group,
		       struct iommufd_coherency_source *source, const char *type)
{
	return iommufd_coherency_count(source,
				       &(struct iommufd_coherency_attachment){
						.type = type,
						.id = iommu_group_id(group->iommu_group),
				       });
}

/*
 * Called before the group enters a VFIO container, after it has left one, and
 * before one of its devices is opened. Returns a watch's refusal, and then
 * nothing has changed. Leaving is never refused.
 */
int vfio_coherency_group_container(struct vfio_group *group, bool container)
{
	struct vfio_group_coherency *coherency = &group->coherency;
	bool incapable = container && !vfio_group_enforced_coherent(group);
	int rc = 0;

	lockdep_assert_held(&group->group_lock);
	if (incapable && !coherency->incapable)
		rc = group_count(group, &coherency->container, "container");
	else if (!incapable && coherency->incapable)
		iommufd_coherency_uncount(&coherency->container);
	if (!rc)
		coherency->incapable = incapable;
	return rc;
}

/* NULL while the device is not bound */
struct iommufd_coherency_source *vfio_coherency_noiommu(struct vfio_device *vdev)
{
	struct vfio_group_coherency *coherency = &vdev->group->coherency;

	return coherency->ictx ? &coherency->noiommu : NULL;
}

/* Fails with the refusal of a watch: the device has no IOMMU */
int vfio_coherency_noiommu_bound(struct vfio_device_file *df)
{
	struct vfio_group *group = df->device->group;
	struct vfio_group_coherency *coherency = &group->coherency;
	int rc;

	iommufd_coherency_source_init(&coherency->noiommu,
				      iommufd_ctx_coherency(df->iommufd));
	/* Cannot fail: nothing is counted in this source yet */
	vfio_coherency_follow(&coherency->file, &coherency->noiommu);
	rc = group_count(group, &coherency->noiommu, "no-iommu");
	if (rc) {
		vfio_coherency_unfollow(&coherency->file);
		return rc;
	}
	/* The group may lose its container before the device is unbound */
	coherency->ictx = df->iommufd;
	iommufd_ctx_get(coherency->ictx);
	return 0;
}

void vfio_coherency_noiommu_unbind(struct vfio_device_file *df)
{
	struct vfio_group_coherency *coherency = &df->device->group->coherency;

	iommufd_coherency_uncount(&coherency->noiommu);
	vfio_coherency_unfollow(&coherency->file);
	iommufd_ctx_put(coherency->ictx);
	coherency->ictx = NULL;
}
