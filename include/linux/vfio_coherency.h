/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * VFIO tells those who were given a VFIO file when non-coherent DMA becomes
 * possible for what the file proves to own, and when it is impossible again.
 */
#ifndef __LINUX_VFIO_COHERENCY_H
#define __LINUX_VFIO_COHERENCY_H

#include <linux/iommufd_coherency.h>
#include <linux/list.h>

struct file;
struct seq_file;
struct vfio_coherency;

/**
 * struct vfio_file_watch - Ongoing interest in a VFIO file
 * @container_refused: Set by vfio_file_watch_coherency() when it fails because
 *                     of DMA in a container, which goes on nevertheless
 *
 * To be added by vfio_file_watch_coherency(); the other members are VFIO's.
 */
struct vfio_file_watch {
	bool container_refused;
	/* private: watches what is bound to an iommufd, while it is */
	struct iommufd_coherency_watch bound;
	/* private: watches what VFIO knows to do DMA without iommufd */
	struct iommufd_coherency_watch container;
	/* private: under the lock of the file's struct vfio_coherency */
	struct list_head item;
	struct vfio_coherency *coherency;
};

int vfio_file_watch_coherency(struct file *file, struct vfio_file_watch *fw,
			      const struct iommufd_coherency_ops *ops,
			      void *data);
void vfio_file_unwatch_coherency(struct vfio_file_watch *fw);
void vfio_file_show_coherency(struct seq_file *m, struct vfio_file_watch *fw);

#endif
