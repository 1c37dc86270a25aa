// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tracks which VFIO files own a device whose DMA is non-coherent.
 *
 * A file has a list of watches. When a device is bound through the file, they
 * are added to iommufd's source for that device. What has no such source is in
 * group_coherency.c.
 *
 * Adding and removing a watch never waits for dev_set->lock or group_lock: KVM
 * holds a VM's lock then, and drivers take a VM's lock inside dev_set->lock. A
 * watched file stays open until its watches are removed.
 */
#include <linux/cleanup.h>
#include <linux/iommufd.h>
#include <linux/seq_file.h>
#include <linux/vfio.h>

#include "vfio.h"

void vfio_coherency_init(struct vfio_coherency *coherency)
{
	mutex_init(&coherency->lock);
	INIT_LIST_HEAD(&coherency->watches);
}

/* NULL for what is not bound to an iommufd */
static struct iommufd_coherency_source *device_source(struct vfio_device *vdev)
{
	if (vdev->iommufd_device)
		return iommufd_device_coherency(vdev->iommufd_device);
	if (vdev->iommufd_access)
		return iommufd_access_coherency(vdev->iommufd_access);
	if (vfio_device_is_noiommu(vdev))
		return vfio_coherency_noiommu(vdev);
	return NULL;
}

/* Without an IOMMU: iommufd knows of the device only if it was bound by its own file */
static bool counted_by_group(const struct vfio_device_file *df)
{
	return df->group && vfio_device_is_noiommu(df->device);
}

static void detach_all(struct vfio_device *vdev)
{
/* Where VFIO attaches PASIDs */
#ifdef VFIO_DEVICE_ATTACH_PASID
	int pasid;

	while (vdev->iommufd_device &&
	       (pasid = ida_find_first(&vdev->pasids)) >= 0)
		vdev->ops->pasid_detach_ioas(vdev, pasid);
#endif
	vdev->ops->detach_ioas(vdev);
}

/* The group file binds the device files that VFIO_GROUP_GET_DEVICE_FD returns */
static struct vfio_coherency *binder_coherency(struct vfio_device_file *df)
{
	return df->group ? &vfio_group_coherency(df->group)->file : &df->coherency;
}

/*
 * A device was bound through the file, and is what the file's watches watch from
 * now on. Fails with the refusal of one of them.
 */
int vfio_coherency_follow(struct vfio_coherency *coherency,
			  struct iommufd_coherency_source *source)
{
	struct vfio_file_watch *fw;
	LIST_HEAD(watches);
	int rc;

	guard(mutex)(&coherency->lock);
	/* Devices bound through a group share iommufd's group: one source */
	if (!coherency->nr_bound) {
		list_for_each_entry(fw, &coherency->watches, item)
			list_add_tail(&fw->bound.item, &watches);
		rc = iommufd_watch_coherency_all(source, &watches);
		if (rc)
			return rc;
		coherency->source = source;
	}
	coherency->nr_bound++;
	return 0;
}

/* Undoes vfio_coherency_follow() */
void vfio_coherency_unfollow(struct vfio_coherency *coherency)
{
	struct vfio_file_watch *fw;

	guard(mutex)(&coherency->lock);
	if (--coherency->nr_bound)
		return;
	coherency->source = NULL;
	list_for_each_entry(fw, &coherency->watches, item)
		iommufd_unwatch_coherency(&fw->bound);
}

/*
 * The device was bound to an iommufd through @df. If a watch refuses, unbinds it
 * and returns the refusal: another device of the group is non-coherent already,
 * or this one has no IOMMU.
 */
int vfio_coherency_bound(struct vfio_device_file *df)
{
	struct vfio_device *vdev = df->device;
	int rc;

	lockdep_assert_held(&vdev->dev_set->lock);
	if (counted_by_group(df))
		return vfio_coherency_noiommu_bound(df);
	rc = vfio_coherency_follow(binder_coherency(df), device_source(vdev));
	if (rc)
		vdev->ops->unbind_iommufd(vdev);
	return rc;
}

/*
 * The device is about to be unbound. Detach it first, so that permission ends
 * after the detach, and leave the unbind to the caller: it frees the source.
 */
void vfio_coherency_unbind(struct vfio_device_file *df)
{
	struct vfio_device *vdev = df->device;

	lockdep_assert_held(&vdev->dev_set->lock);
	if (counted_by_group(df)) {
		vfio_coherency_noiommu_unbind(df);
		return;
	}
	detach_all(vdev);
	vfio_coherency_unfollow(binder_coherency(df));
}

/**
 * vfio_file_watch_coherency - Watch the DMA of what a VFIO file owns
 * @file: VFIO device or group file; it stays open until the watch is removed
 * @fw: Watch to add, not added anywhere else
 * @ops: What to do about non-coherent DMA. The callbacks may run for two
 *       sources at a time, of which each begins and ends by itself.
 * @data: &iommufd_coherency_watch.data for the callbacks
 *
 * A file is followed while a device is bound to an iommufd through it, and in a
 * container of VFIO's by what the IOMMU could enforce. If DMA is non-coherent
 * already then the callbacks have run when this returns. Takes no lock that is
 * held while waiting for user space or for a VM's lock. May sleep.
 *
 * Returns 0; -EINVAL if the file is not a VFIO file; or what
 * &iommufd_coherency_ops.reserve refused with. Undone by
 * vfio_file_unwatch_coherency().
 */
int vfio_file_watch_coherency(struct file *file, struct vfio_file_watch *fw,
			      const struct iommufd_coherency_ops *ops,
			      void *data)
{
	struct iommufd_coherency_source *container, *source = NULL;
	struct vfio_group *group = vfio_group_from_file(file);
	struct vfio_device_file *df;
	int rc;

	if (group) {
		fw->coherency = &vfio_group_coherency(group)->file;
	} else if (file->f_op == &vfio_device_fops) {
		df = file->private_data;
		group = df->group;
		fw->coherency = &df->coherency;
		/* A group's device is open, and so bound, as long as the file */
		if (group)
			source = device_source(df->device);
	} else {
		return -EINVAL;
	}
	container = group ? &vfio_group_coherency(group)->container : NULL;
	iommufd_coherency_watch_init(&fw->bound, ops, data);
	iommufd_coherency_watch_init(&fw->container, ops, data);
	fw->container_refused = false;

	guard(mutex)(&fw->coherency->lock);
	rc = iommufd_watch_coherency(source ?: fw->coherency->source,
				     &fw->bound);
	if (rc)
		return rc;
	rc = iommufd_watch_coherency(container, &fw->container);
	fw->container_refused = rc;
	if (rc)
		iommufd_unwatch_coherency(&fw->bound);
	else
		list_add(&fw->item, &fw->coherency->watches);
	return rc;
}
EXPORT_SYMBOL_GPL(vfio_file_watch_coherency);

/**
 * vfio_file_unwatch_coherency - Remove a watch of a VFIO file
 * @fw: Watch that was added
 *
 * No callback of the watch runs when this has returned. May sleep.
 */
void vfio_file_unwatch_coherency(struct vfio_file_watch *fw)
{
	guard(mutex)(&fw->coherency->lock);
	list_del(&fw->item);
	iommufd_unwatch_coherency(&fw->bound);
	iommufd_unwatch_coherency(&fw->container);
}
EXPORT_SYMBOL_GPL(vfio_file_unwatch_coherency);

/**
 * vfio_file_show_coherency - Print what a watched file owns
 * @m: File to print to
 * @fw: Watch that was added, and that the caller keeps
 *
 * Prints a line for the file, and one for each non-coherent attachment. Takes
 * VFIO's lock of the file's watches, and the mutex of a source inside it.
 */
void vfio_file_show_coherency(struct seq_file *m, struct vfio_file_watch *fw)
{
	u64 id;

	guard(mutex)(&fw->coherency->lock);
	id = iommufd_coherency_watch_id(&fw->bound);
	if (id)
		seq_printf(m, "source: vfio-file iommufd %llu\n", id);
	else
		seq_puts(m, "source: vfio-file\n");
	iommufd_coherency_show_watch(m, &fw->bound);
	iommufd_coherency_show_watch(m, &fw->container);
}
EXPORT_SYMBOL_GPL(vfio_file_show_coherency);
