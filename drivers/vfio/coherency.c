// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which VFIO files prove ownership of a device whose DMA is non-coherent, now.
 *
 * A device, and a group, keeps a list of the watches on its files. They get
 * their events from iommufd, by one watch per device or group that lives from
 * bind to unbind, or from an attached access whose driver lets a device DMA
 * into what it pins. What iommufd does not own (a type1 container, no-IOMMU, a
 * group without a container yet) goes by what the IOMMU could enforce.
 *
 * The lists have a lock of their own, so that those who add and remove watches,
 * holding a VM's locks, never wait for dev_set->lock or group_lock: drivers take
 * a VM's lock inside the first. A watched file stays open, so its device stays
 * bound, if it ever was, until all its watches are removed.
 */
#include <linux/iommu.h>
#include <linux/vfio.h>

#include "vfio.h"

static bool watch_concerned(const struct vfio_coherency *coherency,
			    const struct vfio_coherency_watch *w)
{
	/* A second open of a device that another file has bound proves nothing */
	return !w->df || w->df->group || w->df == coherency->binder;
}

static int watch_reserve(struct vfio_coherency_watch *w)
{
	int rc = w->ops->reserve(w);

	w->reserved = !rc;
	return rc;
}

static void watch_begin(struct vfio_coherency_watch *w)
{
	w->begun = true;
	w->ops->begin(w);
}

static void watch_end(struct vfio_coherency_watch *w)
{
	w->ops->end(w);
	w->begun = false;
	w->reserved = false;
}

static void end_all(struct vfio_coherency *coherency)
{
	struct vfio_coherency_watch *w;

	list_for_each_entry(w, &coherency->watches, item)
		if (w->reserved)
			watch_end(w);
}

static int source_reserve(struct vfio_coherency *coherency)
{
	struct vfio_coherency_watch *w;
	int rc;

	lockdep_assert_held(&coherency->lock);

	list_for_each_entry(w, &coherency->watches, item) {
		if (w->reserved || !watch_concerned(coherency, w))
			continue;
		rc = watch_reserve(w);
		if (rc) {
			/* Only the first source finds anybody not reserved */
			end_all(coherency);
			return rc;
		}
	}
	coherency->reserved++;
	return 0;
}

static void source_begin(struct vfio_coherency *coherency)
{
	struct vfio_coherency_watch *w;

	lockdep_assert_held(&coherency->lock);

	coherency->begun++;
	list_for_each_entry(w, &coherency->watches, item)
		if (w->reserved && !w->begun)
			watch_begin(w);
}

static void source_end(struct vfio_coherency *coherency, bool begun)
{
	lockdep_assert_held(&coherency->lock);

	if (begun)
		coherency->begun--;
	if (!--coherency->reserved)
		end_all(coherency);
}

static int source_add(struct vfio_coherency *coherency)
{
	int rc;

	rc = source_reserve(coherency);
	if (!rc)
		source_begin(coherency);
	return rc;
}

static struct vfio_coherency *to_coherency(struct iommufd_coherency_watch *w)
{
	return container_of(w, struct vfio_coherency, watch);
}

static int vfio_iommufd_reserve(struct iommufd_coherency_watch *w)
{
	guard(mutex)(&to_coherency(w)->lock);
	return source_reserve(to_coherency(w));
}

static void vfio_iommufd_begin(struct iommufd_coherency_watch *w)
{
	guard(mutex)(&to_coherency(w)->lock);
	source_begin(to_coherency(w));
}

static void vfio_iommufd_end(struct iommufd_coherency_watch *w)
{
	guard(mutex)(&to_coherency(w)->lock);
	source_end(to_coherency(w), w->begun);
}

static const struct iommufd_coherency_ops vfio_iommufd_ops = {
	.reserve = vfio_iommufd_reserve,
	.begin = vfio_iommufd_begin,
	.end = vfio_iommufd_end,
};

static void coherency_init(struct vfio_coherency *coherency)
{
	mutex_init(&coherency->lock);
	INIT_LIST_HEAD(&coherency->watches);
}

void vfio_coherency_device_init(struct vfio_device *vdev)
{
	coherency_init(&vdev->coherency);
}

#if IS_ENABLED(CONFIG_VFIO_GROUP)
void vfio_coherency_group_init(struct vfio_group *group)
{
	coherency_init(&group->coherency);
}

static struct vfio_coherency *coherency_of_group(struct vfio_group *group)
{
	return &group->coherency;
}

static struct vfio_coherency *group_coherency(struct vfio_device *vdev)
{
	return &vdev->group->coherency;
}

static bool group_is_incapable(struct vfio_group *group)
{
	lockdep_assert_held(&group->coherency.lock);

	if (group->coherency.iommufd && group->type != VFIO_NO_IOMMU)
		return false;
	return !vfio_group_enforced_coherent(group);
}
#else
static struct vfio_coherency *coherency_of_group(struct vfio_group *group)
{
	return NULL;
}

static struct vfio_coherency *group_coherency(struct vfio_device *vdev)
{
	return NULL;
}

static bool group_is_incapable(struct vfio_group *group)
{
	return false;
}
#endif

/* The capability rule as one more source */
static int settle_capability(struct vfio_coherency *coherency, bool incapable)
{
	int rc = 0;

	lockdep_assert_held(&coherency->lock);

	if (incapable && !coherency->incapable)
		rc = source_add(coherency);
	else if (!incapable && coherency->incapable)
		source_end(coherency, true);
	if (!rc)
		coherency->incapable = incapable;
	return rc;
}

/*
 * The container of the group is, or is about to be, an iommufd or not, or one
 * of its devices is about to be opened. Returns a watcher's refusal; nothing has
 * changed for anybody's permission then. Called with group_lock held.
 */
int vfio_coherency_group_container(struct vfio_group *group, bool iommufd)
{
	struct vfio_coherency *coherency = coherency_of_group(group);

	guard(mutex)(&coherency->lock);
	coherency->iommufd = iommufd;
	return settle_capability(coherency, !list_empty(&coherency->watches) &&
				 group_is_incapable(group));
}

static int coherency_bound(struct vfio_coherency *coherency,
			   struct vfio_device *vdev)
{
	int rc = 0;

	/* Of a group one watch serves all devices: they share iommufd's group */
	if (!coherency->bound)
		rc = iommufd_device_watch_coherency(vdev->iommufd_device,
						    &coherency->watch,
						    &vfio_iommufd_ops);
	if (!rc)
		coherency->bound++;
	return rc;
}

static void coherency_unbound(struct vfio_coherency *coherency)
{
	if (coherency->bound && !--coherency->bound)
		iommufd_unwatch_coherency(&coherency->watch);
}

static void set_binder(struct vfio_device_file *df, bool bound)
{
	struct vfio_coherency *coherency = &df->device->coherency;

	/* Of a group's files, which concern all their watchers, another may unbind it */
	guard(mutex)(&coherency->lock);
	coherency->binder = bound && !df->group ? df : NULL;
}

/*
 * The device was bound to an iommufd through @df. Returns the refusal of a
 * watcher whose VM must stay coherent while the group of the device, by another
 * of its devices, is not; nobody else has noticed then. Called with
 * dev_set->lock held, and group_lock if the file came from a group.
 */
int vfio_coherency_bound(struct vfio_device_file *df)
{
	struct vfio_device *vdev = df->device;
	int rc;

	lockdep_assert_held(&vdev->dev_set->lock);

	set_binder(df, true);
	/* An emulated device has no page table; see its attach and detach */
	if (!vdev->iommufd_device)
		return 0;

	rc = coherency_bound(&vdev->coherency, vdev);
	if (rc)
		goto err_binder;
	if (df->group) {
		rc = coherency_bound(group_coherency(vdev), vdev);
		if (rc)
			goto err_device;
	}
	return 0;

err_device:
	coherency_unbound(&vdev->coherency);
err_binder:
	set_binder(df, false);
	return rc;
}

/* After the unbind, so that its detach is over when permission ends */
void vfio_coherency_unbound(struct vfio_device_file *df)
{
	struct vfio_device *vdev = df->device;

	lockdep_assert_held(&vdev->dev_set->lock);

	if (df->group && vdev->coherency.bound)
		coherency_unbound(group_coherency(vdev));
	coherency_unbound(&vdev->coherency);
	set_binder(df, false);
}

static int access_attach(struct vfio_coherency *coherency)
{
	guard(mutex)(&coherency->lock);
	return source_add(coherency);
}

static void access_detach(struct vfio_coherency *coherency)
{
	guard(mutex)(&coherency->lock);
	source_end(coherency, true);
}

/*
 * An emulated device gets access to an IOAS. Without dma_unmap only the CPU will
 * touch the memory; with it, a device may DMA to what is pinned, and nobody
 * knows whether it snoops. Called with dev_set->lock held, before the attach.
 */
int vfio_coherency_access_attach(struct vfio_device *vdev)
{
	int rc;

	if (!vdev->ops->dma_unmap)
		return 0;
	rc = access_attach(&vdev->coherency);
	if (rc || !group_coherency(vdev))
		return rc;
	rc = access_attach(group_coherency(vdev));
	if (rc)
		access_detach(&vdev->coherency);
	return rc;
}

/* After the detach of what vfio_coherency_access_attach() allowed */
void vfio_coherency_access_detach(struct vfio_device *vdev)
{
	if (!vdev->ops->dma_unmap)
		return;
	if (group_coherency(vdev))
		access_detach(group_coherency(vdev));
	access_detach(&vdev->coherency);
}

/* The capability rule is only in force for files that can come under it */
static void drop_capability(struct vfio_coherency *coherency)
{
	struct vfio_coherency_watch *w;

	lockdep_assert_held(&coherency->lock);

	if (!coherency->incapable)
		return;
	list_for_each_entry(w, &coherency->watches, item)
		if (!w->df || w->df->group)
			return;
	settle_capability(coherency, false);
}

static void vfio_file_unwatch_coherency(struct vfio_coherency_watch *w)
{
	struct vfio_coherency *coherency = w->coherency;

	guard(mutex)(&coherency->lock);
	list_del(&w->item);
	if (w->reserved)
		watch_end(w);
	drop_capability(coherency);
}

/* A device file that a group gave and that is not bound to an iommufd */
static bool device_is_incapable(const struct vfio_device_file *df)
{
	const struct vfio_device *vdev = df->device;

	if (!df->group || vdev->iommufd_device || vdev->iommufd_access)
		return false;
	return !device_iommu_capable(vdev->dev,
				     IOMMU_CAP_ENFORCE_CACHE_COHERENCY);
}

static int watch_add(struct vfio_coherency *coherency,
		     struct vfio_coherency_watch *w, struct vfio_group *group)
{
	int rc = 0;

	guard(mutex)(&coherency->lock);
	if (group)
		rc = settle_capability(coherency, group_is_incapable(group));
	else if (device_is_incapable(w->df))
		rc = settle_capability(coherency, true);
	if (rc)
		return rc;

	if (coherency->reserved && watch_concerned(coherency, w)) {
		rc = watch_reserve(w);
		if (rc)
			goto err_capability;
		if (coherency->begun)
			watch_begin(w);
	}
	list_add(&w->item, &coherency->watches);
	return 0;

err_capability:
	drop_capability(coherency);
	return rc;
}

/**
 * vfio_file_watch_coherency - Watch the DMA of what a VFIO file owns
 * @file: VFIO device or group file; it stays open until the watch is removed
 * @w: Watch to add, not added anywhere else
 * @ops: What to do about non-coherent DMA
 *
 * A device file is followed from when it is bound to an iommufd, a group file
 * while devices are opened through it. If DMA is non-coherent already then the
 * watch has begun when this returns. Takes no lock of VFIO that is held while
 * waiting for user space or for a VM's lock. May sleep.
 *
 * Returns 0; -EINVAL if the file is not a VFIO file; or what
 * &vfio_coherency_ops.reserve refused with. Undone by @w's remove.
 */
int vfio_file_watch_coherency(struct file *file,
			      struct vfio_coherency_watch *w,
			      const struct vfio_coherency_ops *ops)
{
	struct vfio_group *group = vfio_group_from_file(file);
	struct vfio_coherency *coherency;
	struct vfio_device_file *df = NULL;

	if (group) {
		coherency = coherency_of_group(group);
	} else if (file->f_op == &vfio_device_fops) {
		df = file->private_data;
		coherency = &df->device->coherency;
	} else {
		return -EINVAL;
	}

	*w = (struct vfio_coherency_watch){
		.remove = vfio_file_unwatch_coherency,
		.coherency = coherency,
		.df = df,
		.ops = ops,
	};
	return watch_add(coherency, w, group);
}
EXPORT_SYMBOL_GPL(vfio_file_watch_coherency);
