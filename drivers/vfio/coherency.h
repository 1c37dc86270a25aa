/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Hooks of drivers/vfio/coherency.c, all of them nothing where KVM does not
 * follow the coherency of iommufd attachments.
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

void vfio_coherency_device_init(struct vfio_device *vdev);
void vfio_coherency_group_init(struct vfio_group *group);
int vfio_coherency_group_container(struct vfio_group *group, bool iommufd);
int vfio_coherency_bound(struct vfio_device_file *df);
void vfio_coherency_unbound(struct vfio_device_file *df);
int vfio_coherency_access_attach(struct vfio_device *vdev);
void vfio_coherency_access_detach(struct vfio_device *vdev);
#else
static inline void vfio_coherency_device_init(struct vfio_device *vdev)
{
}

static inline void vfio_coherency_group_init(struct vfio_group *group)
{
}

static inline int vfio_coherency_group_container(struct vfio_group *group,
						 bool iommufd)
{
	return 0;
}

static inline int vfio_coherency_bound(struct vfio_device_file *df)
{
	return 0;
}

static inline void vfio_coherency_unbound(struct vfio_device_file *df)
{
}

static inline int vfio_coherency_access_attach(struct vfio_device *vdev)
{
	return 0;
}

static inline void vfio_coherency_access_detach(struct vfio_device *vdev)
{
}
#endif

#endif
