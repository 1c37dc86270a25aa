/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * VFIO tells those who were given a VFIO file when non-coherent DMA becomes
 * possible for what the file proves to own, and when it is impossible again.
 */
#ifndef __LINUX_VFIO_COHERENCY_H
#define __LINUX_VFIO_COHERENCY_H

#include <linux/iommufd_coherency.h>
#include <linux/list.h>
#include <linux/mutex.h>

struct file;
struct vfio_coherency_watch;
struct vfio_device_file;

/**
 * struct vfio_coherency_ops - What a watcher does about non-coherent DMA
 * @reserve: As &iommufd_coherency_ops.reserve
 * @begin: As &iommufd_coherency_ops.begin
 * @end: As &iommufd_coherency_ops.end
 *
 * All run under VFIO's watch lock of the device or group, mostly inside of the
 * locks that &struct iommufd_coherency_ops names, and are bound by its rules.
 */
struct vfio_coherency_ops {
	int (*reserve)(struct vfio_coherency_watch *w);
	void (*begin)(struct vfio_coherency_watch *w);
	void (*end)(struct vfio_coherency_watch *w);
};

/**
 * struct vfio_coherency - What is watched: a VFIO device or a VFIO group
 *
 * Every member is VFIO's.
 */
struct vfio_coherency {
	/* private: taken inside of iommufd's coherency mutex, outside of a VM's */
	struct mutex lock;
	struct list_head watches;
	/* Sources that have reserved and begun: iommufd, an access, the capability */
	unsigned int reserved;
	unsigned int begun;
	/* The capability rule is in force, and finds that nothing enforces */
	bool incapable;
	/* A group: its container is an iommufd */
	bool iommufd;
	/* A device: the file that it is bound through */
	const struct vfio_device_file *binder;
	/* Bound devices; by dev_set->lock of a device, group_lock of a group */
	unsigned int bound;
	struct iommufd_coherency_watch watch;
};

/**
 * struct vfio_coherency_watch - Ongoing interest in a VFIO file
 * @remove: Set by vfio_file_watch_coherency(), undoes it. No callback of the
 *          watch runs when it has returned. May sleep.
 * @begun: For @end to read: begin has run
 *
 * Embedded in the watcher's own structure.
 */
struct vfio_coherency_watch {
	void (*remove)(struct vfio_coherency_watch *w);
	bool begun;
	/* private: under the lock of what is watched */
	struct list_head item;
	struct vfio_coherency *coherency;
	/* NULL for a group file */
	const struct vfio_device_file *df;
	const struct vfio_coherency_ops *ops;
	bool reserved;
};

int vfio_file_watch_coherency(struct file *file,
			      struct vfio_coherency_watch *w,
			      const struct vfio_coherency_ops *ops);

#endif
