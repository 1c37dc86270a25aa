// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which DMA of an iommufd context is non-coherent, now.
 *
 * An attachment is a group, or one PASID of it, on a hardware page table. It is
 * non-coherent if the paging domain does not enforce cache coherency, which is
 * fixed when the page table is allocated; a nested one answers for its parent.
 * The context counts its non-coherent attachments, in all and by group.
 *
 * A watch has begun exactly while the count of its source is not zero. The
 * count goes up before the hardware is attached and down after it is detached;
 * a replacement counts the new attachment, replaces, and uncounts the old. So
 * all of a watch's time contains all of the DMA's time.
 *
 * Counts and watches change together under one mutex of the context, so a watch
 * that is added sees what is attached by then as its first event, and no
 * attachment that follows is lost or seen twice.
 */
#include <linux/iommufd.h>
#include <linux/iommufd_coherency.h>
#include <linux/sched.h>
#include <linux/seq_file.h>

#include "iommufd_private.h"

#define CREATE_TRACE_POINTS
#include <trace/events/iommufd.h>

void iommufd_coherency_init(struct iommufd_ctx *ictx)
{
	mutex_init(&ictx->coherency.lock);
	INIT_LIST_HEAD(&ictx->coherency.watches);
	INIT_LIST_HEAD(&ictx->coherency.holds);
}

static bool hwpt_is_noncoherent(struct iommufd_hw_pagetable *hwpt)
{
	struct iommufd_hwpt_paging *hwpt_paging;

	if (!hwpt)
		return false;
	hwpt_paging = find_hwpt_paging(hwpt);
	return !hwpt_paging || !hwpt_paging->enforce_cache_coherency;
}

static bool watch_concerns(const struct iommufd_coherency_watch *w,
			   const struct iommufd_group *igroup)
{
	return !w->igroup || w->igroup == igroup;
}

static bool source_is_noncoherent(const struct iommufd_coherency_watch *w)
{
	return w->igroup ? w->igroup->coherency.noncoherent :
			   w->ictx->coherency.noncoherent;
}

static int watch_reserve(struct iommufd_coherency_watch *w)
{
	int rc = w->ops->reserve(w);

	/* The automatic choice of a page table would try the next one */
	if (rc == -EINVAL)
		rc = -EPERM;
	w->reserved = !rc;
	return rc;
}

static void watch_begin(struct iommufd_coherency_watch *w)
{
	w->begun = true;
	w->ops->begin(w);
}

static void watch_end(struct iommufd_coherency_watch *w)
{
	w->ops->end(w);
	w->begun = false;
	w->reserved = false;
}

/*
 * Nobody begins before everybody has agreed: a refusal must be seen by none but
 * the one who attaches.
 */
static int coherency_count(struct iommufd_ctx *ictx,
			   struct iommufd_group *igroup)
{
	struct iommufd_coherency *coherency = &ictx->coherency;
	struct iommufd_coherency_watch *w;
	int rc;

	lockdep_assert_held(&coherency->lock);

	list_for_each_entry(w, &coherency->watches, item) {
		if (w->begun || !watch_concerns(w, igroup))
			continue;
		rc = watch_reserve(w);
		if (rc)
			goto err_end;
	}

	coherency->noncoherent++;
	if (igroup)
		igroup->coherency.noncoherent++;
	list_for_each_entry(w, &coherency->watches, item)
		if (w->reserved && !w->begun)
			watch_begin(w);
	return 0;

err_end:
	list_for_each_entry(w, &coherency->watches, item)
		if (w->reserved && !w->begun)
			watch_end(w);
	return rc;
}

static void coherency_uncount(struct iommufd_ctx *ictx,
			      struct iommufd_group *igroup)
{
	struct iommufd_coherency *coherency = &ictx->coherency;
	struct iommufd_coherency_watch *w;

	lockdep_assert_held(&coherency->lock);

	WARN_ON(!coherency->noncoherent);
	coherency->noncoherent--;
	if (igroup)
		igroup->coherency.noncoherent--;
	list_for_each_entry(w, &coherency->watches, item)
		if (w->begun && !source_is_noncoherent(w))
			watch_end(w);
}

static struct iommufd_coherency_hold *current_hold(struct iommufd_group *igroup)
{
	struct iommufd_coherency_hold *hold;

	lockdep_assert_held(&igroup->ictx->coherency.lock);

	list_for_each_entry(hold, &igroup->ictx->coherency.holds, item)
		if (hold->owner == current && hold->igroup == igroup)
			return hold;
	return NULL;
}

/*
 * The caller is about to choose a page table of an IOAS for the device, and
 * releases the hold when it is done, whether or not one was found.
 */
void iommufd_coherency_hold(struct iommufd_device *idev,
			    struct iommufd_coherency_hold *hold)
{
	struct iommufd_coherency *coherency = &idev->igroup->ictx->coherency;

	hold->owner = current;
	hold->igroup = idev->igroup;
	hold->counted = false;

	mutex_lock(&coherency->lock);
	list_add(&hold->item, &coherency->holds);
	mutex_unlock(&coherency->lock);
}

void iommufd_coherency_release(struct iommufd_coherency_hold *hold)
{
	struct iommufd_ctx *ictx = hold->igroup->ictx;

	mutex_lock(&ictx->coherency.lock);
	list_del(&hold->item);
	if (hold->counted)
		coherency_uncount(ictx, hold->igroup);
	mutex_unlock(&ictx->coherency.lock);
}

/*
 * Before the hardware changes from @old to @new. Returns a watcher's refusal,
 * or -EINVAL where a page table is being chosen automatically and this one
 * would take coherency from a device that can have it; nothing has changed
 * then. A group that is on such a page table already does not come here.
 */
int iommufd_coherency_before(struct iommufd_device *idev, ioasid_t pasid,
			     struct iommufd_hw_pagetable *old,
			     struct iommufd_hw_pagetable *new)
{
	struct iommufd_group *igroup = idev->igroup;
	struct iommufd_ctx *ictx = igroup->ictx;
	struct iommufd_coherency_hold *hold;
	int rc = 0;

	lockdep_assert_held(&igroup->lock);

	if (!hwpt_is_noncoherent(new))
		return 0;

	mutex_lock(&ictx->coherency.lock);
	hold = current_hold(igroup);
	if (hold && idev->enforce_cache_coherency) {
		rc = -EINVAL;
		goto out_unlock;
	}

	if (!hwpt_is_noncoherent(old)) {
		if (hold && hold->counted)
			hold->counted = false;
		else
			rc = coherency_count(ictx, igroup);
		if (rc)
			goto out_unlock;
	}
	trace_iommufd_coherency(ictx, iommu_group_id(igroup->group), pasid,
				new->obj.id, true);

out_unlock:
	mutex_unlock(&ictx->coherency.lock);
	return rc;
}

/*
 * After the hardware has changed from @old to @new, or with @rc has failed to
 * and is still at @old.
 */
void iommufd_coherency_after(struct iommufd_device *idev, ioasid_t pasid,
			     struct iommufd_hw_pagetable *old,
			     struct iommufd_hw_pagetable *new, int rc)
{
	struct iommufd_hw_pagetable *gone = rc ? new : old;
	struct iommufd_hw_pagetable *stays = rc ? old : new;
	struct iommufd_group *igroup = idev->igroup;
	struct iommufd_ctx *ictx = igroup->ictx;
	struct iommufd_coherency_hold *hold;

	lockdep_assert_held(&igroup->lock);

	if (!hwpt_is_noncoherent(gone))
		return;

	mutex_lock(&ictx->coherency.lock);
	trace_iommufd_coherency(ictx, iommu_group_id(igroup->group), pasid,
				gone->obj.id, false);
	if (hwpt_is_noncoherent(stays))
		goto out_unlock;

	hold = rc ? current_hold(igroup) : NULL;
	if (hold)
		hold->counted = true;
	else
		coherency_uncount(ictx, igroup);

out_unlock:
	mutex_unlock(&ictx->coherency.lock);
}

/*
 * An access whose driver lets a device DMA into what it pins is about to get an
 * IOAS. Returns a watcher's refusal; nothing has changed then. Such DMA belongs
 * to no group of this context, so that only those who watch all of it see it.
 */
int iommufd_coherency_access_attach(struct iommufd_access *access)
{
	struct iommufd_ctx *ictx = access->ictx;
	int rc;

	if (!access->ops->noncoherent_dma)
		return 0;

	mutex_lock(&ictx->coherency.lock);
	rc = coherency_count(ictx, NULL);
	if (!rc)
		trace_iommufd_coherency(ictx, -1, IOMMU_NO_PASID,
					access->obj.id, true);
	mutex_unlock(&ictx->coherency.lock);
	return rc;
}

/* After the access has lost the IOAS, or has failed to get it */
void iommufd_coherency_access_detach(struct iommufd_access *access)
{
	struct iommufd_ctx *ictx = access->ictx;

	if (!access->ops->noncoherent_dma)
		return;

	mutex_lock(&ictx->coherency.lock);
	trace_iommufd_coherency(ictx, -1, IOMMU_NO_PASID, access->obj.id, false);
	coherency_uncount(ictx, NULL);
	mutex_unlock(&ictx->coherency.lock);
}

static int coherency_watch(struct iommufd_coherency_watch *w)
{
	struct iommufd_coherency *coherency = &w->ictx->coherency;
	int rc = 0;

	mutex_lock(&coherency->lock);
	if (source_is_noncoherent(w)) {
		rc = watch_reserve(w);
		if (rc)
			goto out_unlock;
		watch_begin(w);
	}
	list_add_tail(&w->item, &coherency->watches);

out_unlock:
	mutex_unlock(&coherency->lock);
	return rc;
}

/**
 * iommufd_ctx_watch_coherency - Watch all DMA of an iommufd context
 * @ictx: iommufd context to watch; the caller holds a reference
 * @w: Watch to add, not added anywhere else
 * @ops: What to do about non-coherent DMA
 *
 * If the context has a non-coherent attachment already then the watch has begun
 * when this returns. May sleep.
 *
 * Returns 0, or what &iommufd_coherency_ops.reserve refused with; the watch is
 * not added then. Undone by iommufd_unwatch_coherency().
 */
int iommufd_ctx_watch_coherency(struct iommufd_ctx *ictx,
				struct iommufd_coherency_watch *w,
				const struct iommufd_coherency_ops *ops)
{
	int rc;

	*w = (struct iommufd_coherency_watch){ .ictx = ictx, .ops = ops };
	iommufd_ctx_get(ictx);
	rc = coherency_watch(w);
	if (rc)
		iommufd_ctx_put(ictx);
	return rc;
}
EXPORT_SYMBOL_GPL(iommufd_ctx_watch_coherency);

/**
 * iommufd_device_watch_coherency - Watch the DMA of one device
 * @idev: Bound device; it stays bound until this returns
 * @w: Watch to add, not added anywhere else
 * @ops: What to do about non-coherent DMA
 *
 * Devices of one iommu group share their page table, so the watch follows what
 * the group of @idev is attached to, by whichever of its devices. It may outlive
 * the unbind of @idev. May sleep.
 *
 * Returns 0, or what &iommufd_coherency_ops.reserve refused with; the watch is
 * not added then. Undone by iommufd_unwatch_coherency().
 */
int iommufd_device_watch_coherency(struct iommufd_device *idev,
				   struct iommufd_coherency_watch *w,
				   const struct iommufd_coherency_ops *ops)
{
	struct iommufd_group *igroup = idev->igroup;
	struct iommufd_ctx *ictx = igroup->ictx;
	int rc;

	*w = (struct iommufd_coherency_watch){
		.ictx = ictx, .igroup = igroup, .ops = ops,
	};
	/* A group does not hold its context, so the watch holds both */
	iommufd_ctx_get(ictx);
	kref_get(&igroup->ref);
	rc = coherency_watch(w);
	if (rc) {
		iommufd_put_group(igroup);
		iommufd_ctx_put(ictx);
	}
	return rc;
}
EXPORT_SYMBOL_GPL(iommufd_device_watch_coherency);

/**
 * iommufd_unwatch_coherency - Remove a watch
 * @w: Watch that was added
 *
 * A watch that has begun is ended. No callback of the watch runs when this has
 * returned. May sleep; must not be called from a callback.
 */
void iommufd_unwatch_coherency(struct iommufd_coherency_watch *w)
{
	struct iommufd_coherency *coherency = &w->ictx->coherency;

	mutex_lock(&coherency->lock);
	list_del(&w->item);
	if (w->begun)
		watch_end(w);
	mutex_unlock(&coherency->lock);

	if (w->igroup)
		iommufd_put_group(w->igroup);
	iommufd_ctx_put(w->ictx);
}
EXPORT_SYMBOL_GPL(iommufd_unwatch_coherency);

/**
 * iommufd_device_enforces_coherency - Is no DMA of the device non-coherent now?
 * @idev: Bound device; it stays bound until this returns
 *
 * The answer is about what the group of @idev is attached to, not about what
 * its IOMMU could do. It may change as soon as it is given, unless the caller
 * excludes attach, detach and replace of the group. May sleep.
 *
 * Returns false while a page table that does not enforce cache coherency is
 * attached, true otherwise, so also while all DMA is blocked.
 */
bool iommufd_device_enforces_coherency(struct iommufd_device *idev)
{
	struct iommufd_group *igroup = idev->igroup;
	bool enforces;

	mutex_lock(&igroup->ictx->coherency.lock);
	enforces = !igroup->coherency.noncoherent;
	mutex_unlock(&igroup->ictx->coherency.lock);
	return enforces;
}
EXPORT_SYMBOL_GPL(iommufd_device_enforces_coherency);

/* What a person sees who asks why a VM's WBINVD flushes, or does not */
void iommufd_coherency_show_fdinfo(struct seq_file *m, struct file *filp)
{
	struct iommufd_ctx *ictx = filp->private_data;
	struct iommufd_coherency *coherency = &ictx->coherency;
	struct iommufd_coherency_watch *w;
	struct iommufd_group *igroup;
	unsigned int begun = 0;
	unsigned long index;

	mutex_lock(&coherency->lock);
	list_for_each_entry(w, &coherency->watches, item)
		begun += w->begun;
	seq_printf(m, "noncoherent-attachments:\t%u\n", coherency->noncoherent);
	seq_printf(m, "coherency-watches:\t%zu\n",
		   list_count_nodes(&coherency->watches));
	seq_printf(m, "coherency-watches-begun:\t%u\n", begun);

	/* A group is taken out of the array before it is freed */
	xa_lock(&ictx->groups);
	xa_for_each(&ictx->groups, index, igroup)
		if (igroup->coherency.noncoherent)
			seq_printf(m, "noncoherent-group:\t%lu %u\n", index,
				   igroup->coherency.noncoherent);
	xa_unlock(&ictx->groups);
	mutex_unlock(&coherency->lock);
}
