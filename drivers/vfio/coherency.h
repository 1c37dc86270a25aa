/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * State of, and hooks for, coherency.c and group_coherency.c, all of them nothing
 * where KVM does not follow the coherency of iommufd attachments.
 */
#ifndef __VFIO_COHERENCY_H
#define __VFIO_COHERENCY_H

#include <linux/kconfig.h>
#include <linux/types.h>

struct vfio_device;
struct vfio_device_file;
struct vfio_group;

#if IS_ENABLED(CONFIG_KVM_IOMMUFD)
#include <linux/vfio_coherency.h>

/* In struct vfio_device_file, and in struct vfio_group for its file */
struct vfio_coherency {
	/* Taken outside of the mutex of any source */
	struct mutex lock;
	/* Of struct vfio_file_watch */
	struct list_head watches;
	/* What iommufd says of the devices bound through the file, if any is */
	struct iommufd_coherency_source *source;
	unsigned int nr_bound;
};

/* In struct vfio_group; but for the file under group_lock */
struct vfio_group_coherency {
	struct vfio_coherency file;
	/* Counted while in a container of VFIO's and nothing enforces coherency */
	struct iommufd_coherency_source container;
	bool incapable;
	/* The one device of a no-IOMMU group, while it is bound to the context */
	struct iommufd_coherency_source noiommu;
	struct iommufd_ctx *ictx;
};

void vfio_coherency_init(struct vfio_coherency *coherency);
void vfio_coherency_group_init(struct vfio_group *group);
int vfio_coherency_group_container(struct vfio_group *group, bool container);
int vfio_coherency_bound(struct vfio_device_file *df);
void vfio_coherency_unbind(struct vfio_device_file *df);

/* Of coherency.c for group_coherency.c, and the other way round */
int vfio_coherency_follow(struct vfio_coherency *coherency,
			  struct iommufd_coherency_source *source);
void vfio_coherency_unfollow(struct vfio_coherency *coherency);
struct iommufd_coherency_source *vfio_coherency_noiommu(struct vfio_device *vdev);
int vfio_coherency_noiommu_bound(struct vfio_device_file *df);
void vfio_coherency_noiommu_unbind(struct vfio_device_file *df);
#if IS_ENABLED(CONFIG_VFIO_GROUP)
struct vfio_group_coherency *vfio_group_coherency(struct vfio_group *group);
#else
static inline struct vfio_group_coherency *
vfio_group_coherency(struct vfio_group *group)
{
	return NULL;
}
#endif
#else
struct vfio_coherency {};
struct vfio_group_coherency {};

static inline void vfio_coherency_init(struct vfio_coherency *coherency)
{
}

static inline void vfio_coherency_group_init(struct vfio_group *group)
{
}

static inline int vfio_coherency_group_container(struct vfio_group *group,
						 bool container)
{
	return 0;
}

static inline int vfio_coherency_bound(struct vfio_device_file *df)
{
	return 0;
}

static inline void vfio_coherency_unbind(struct vfio_device_file *df)
{
}
#endif

#endif
