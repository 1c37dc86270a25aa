// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tracks which DMA of an iommufd context is non-coherent.
 *
 * An attachment is a group, or one PASID of it, on a hardware page table. It is
 * non-coherent if the paging domain does not enforce cache coherency, which is
 * fixed when the page table is allocated; a nested one answers for its parent.
 * An access is non-coherent while it has an IOAS if its driver lets a device DMA
 * to what it pins. A device without an IOMMU, which has a group of its own that the
 * IOMMU core knows nothing of, is non-coherent while it is bound, whatever it is
 * attached to. Each is counted in a source of its own, that of its group or
 * access, and in its parent, that of the context.
 *
 * A watch has begun exactly while the count of its source is not zero. The
 * count goes up before the hardware is attached and down after it is detached;
 * a replacement counts the new attachment, replaces, and uncounts the old. So
 * every watch of a source has begun whenever its DMA can be non-coherent.
 *
 * Counts and watches change together under the mutex of the source, which is
 * its parent's, so a watch that is added sees what is attached by then as its
 * first event, and no attachment that follows is lost or seen twice.
 */
#include <linux/cleanup.h>
#include <linux/iommufd.h>
#include <linux/math64.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <uapi/linux/iommufd_coherency.h>

#include "iommufd_private.h"

#define CREATE_TRACE_POINTS
#include <trace/events/iommufd.h>

static struct iommufd_coherency_source *
source_root(struct iommufd_coherency_source *source)
{
	return source->parent ?: source;
}

/*
 * Asks every watch. If one refuses, ends those that agreed before it; no other
 * watch notices.
 */
static int watches_reserve(struct list_head *watches)
{
	struct iommufd_coherency_watch *w;
	int rc;

	list_for_each_entry(w, watches, item) {
		rc = w->ops->reserve(w);
		if (rc)
			goto err_end;
	}
	return 0;

err_end:
	list_for_each_entry_continue_reverse(w, watches, item)
		w->ops->end(w);
	/* -EINVAL would make the automatic choice try the next page table */
	return rc == -EINVAL ? -EPERM : rc;
}

static void watches_begin(struct iommufd_coherency_source *source,
			  struct list_head *watches)
{
	struct iommufd_coherency_watch *w;

	list_for_each_entry(w, watches, item) {
		source_root(source)->nr_begun++;
		w->begun = true;
		w->ops->begin(w);
	}
}

static void watch_revoke(struct iommufd_coherency_watch *w)
{
	if (w->begun && w->ops->revoke)
		w->ops->revoke(w);
}

static void watches_revoke(struct iommufd_coherency_source *source)
{
	struct iommufd_coherency_watch *w;

	list_for_each_entry(w, &source->watches, item)
		watch_revoke(w);
}

static void watch_end(struct iommufd_coherency_source *source,
		      struct iommufd_coherency_watch *w)
{
	if (w->begun)
		source_root(source)->nr_begun--;
	w->ops->end(w);
	w->begun = false;
}

static void watches_end(struct iommufd_coherency_source *source)
{
	struct iommufd_coherency_watch *w;

	list_for_each_entry(w, &source->watches, item)
		watch_end(source, w);
}

/*
 * No watch begins before every watch has agreed, those of the parent included:
 * only the one who attaches sees a refusal.
 */
static noinline int chain_begin(struct iommufd_coherency_source *source)
{
	struct iommufd_coherency_source *s, *asked;
	int rc;

	for (s = source; s; s = s->parent) {
		rc = s->nr_noncoherent ? 0 : watches_reserve(&s->watches);
		if (rc)
			goto err_end;
	}
	for (s = source; s; s = s->parent)
		if (!s->nr_noncoherent)
			watches_begin(s, &s->watches);
	return 0;

err_end:
	for (asked = source; asked != s; asked = asked->parent)
		if (!asked->nr_noncoherent)
			watches_end(asked);
	return rc;
}

/* Every watch is revoked before one is ended, so that they wait together */
static noinline void chain_end(struct iommufd_coherency_source *source)
{
	struct iommufd_coherency_source *s;

	for (s = source; s; s = s->parent)
		if (!s->nr_noncoherent)
			watches_revoke(s);
	for (s = source; s; s = s->parent)
		if (!s->nr_noncoherent)
			watches_end(s);
}

static int source_count(struct iommufd_coherency_source *source)
{
	struct iommufd_coherency_source *s;
	int rc;

	lockdep_assert_held(&source_root(source)->lock);

	rc = source_root(source)->nr_watches ? chain_begin(source) : 0;
	if (rc)
		return rc;
	for (s = source; s; s = s->parent)
		s->nr_noncoherent++;
	return 0;
}

static void source_uncount(struct iommufd_coherency_source *source)
{
	struct iommufd_coherency_source *s;

	lockdep_assert_held(&source_root(source)->lock);

	for (s = source; s; s = s->parent)
		WARN_ON(!s->nr_noncoherent--);
	if (source_root(source)->nr_watches)
		chain_end(source);
}

/* Of a group, whose parent is a context: without watches this is all that it costs */
static __always_inline int group_count(struct iommufd_coherency_source *source,
				       struct iommufd_coherency_source *ctx)
{
	int rc;

	lockdep_assert_held(&ctx->lock);

	if (ctx->nr_watches) {
		rc = chain_begin(source);
		if (rc)
			return rc;
	}
	source->nr_noncoherent++;
	ctx->nr_noncoherent++;
	return 0;
}

static __always_inline void
group_uncount(struct iommufd_coherency_source *source,
	      struct iommufd_coherency_source *ctx)
{
	lockdep_assert_held(&ctx->lock);

	WARN_ON(!source->nr_noncoherent--);
	ctx->nr_noncoherent--;
	if (ctx->nr_watches)
		chain_end(source);
}

/*
 * Record what debugfs shows of a source that is not a group: groups are attached
 * and detached so often that they only note it in place, see group_attached(). A
 * source has one record, however often it is counted.
 */
static void attachment_add(struct iommufd_coherency_source *source,
			   struct iommufd_coherency_source *root,
			   const struct iommufd_coherency_attachment *attachment)
{
	lockdep_assert_held(&root->lock);

	source->attachment = *attachment;
	source->attachment.since = ktime_get_coarse_boottime_ns();
	if (list_empty(&source->attachment_item))
		list_add_tail(&source->attachment_item, &root->attachments);
}

/*
 * Of a PASID of a group, on the list in the group's source. They come and go less
 * often than the group as a whole, which has its attachment in place.
 */
struct pasid_attachment {
	struct list_head item;
	struct iommufd_coherency_attachment attachment;
};

static void since_show(struct seq_file *m,
		       const struct iommufd_coherency_attachment *attachment)
{
	u32 ns;
	u64 s = div_u64_rem(attachment->since, NSEC_PER_SEC, &ns);

	seq_printf(m, " since %llu.%09u\n", s, ns);
}

static void attachment_show(struct seq_file *m,
			    const struct iommufd_coherency_attachment *attachment)
{
	if (!strcmp(attachment->type, "access") ||
	    !strcmp(attachment->type, "device"))
		seq_printf(m, "attached: %s %u", attachment->type,
			   attachment->id);
	else
		seq_printf(m, "attached: group %u %s", attachment->id,
			   attachment->type);
	since_show(m, attachment);
}

static void
group_attachment_show(struct seq_file *m, struct iommufd_group *igroup,
		      const struct iommufd_coherency_attachment *attachment)
{
	if (!attachment->hwpt)
		return;
	seq_printf(m, "attached: group %d hwpt %u pasid %u",
		   iommu_group_id(igroup->group), attachment->hwpt,
		   attachment->pasid);
	since_show(m, attachment);
}

static void group_show(struct seq_file *m, struct iommufd_group *igroup)
{
	struct pasid_attachment *p;

	group_attachment_show(m, igroup, &igroup->coherency.attachment);
	list_for_each_entry(p, &igroup->coherency.attachments, item)
		group_attachment_show(m, igroup, &p->attachment);
}

/**
 * iommufd_coherency_source_init - Make a source of which nothing is counted
 * @source: Source
 * @parent: Source of a context, in which @source is counted as well, or NULL.
 *          Outlives @source.
 */
void iommufd_coherency_source_init(struct iommufd_coherency_source *source,
				   struct iommufd_coherency_source *parent)
{
	static atomic64_t last_id;

	*source = (struct iommufd_coherency_source){ .parent = parent };
	INIT_LIST_HEAD(&source->watches);
	INIT_LIST_HEAD(&source->attachments);
	INIT_LIST_HEAD(&source->attachment_item);
	mutex_init(&source->lock);
	if (!parent)
		source->id = atomic64_inc_return(&last_id);
}
EXPORT_SYMBOL_GPL(iommufd_coherency_source_init);

/**
 * iommufd_coherency_count - Non-coherent DMA is about to become possible
 * @source: Source that does it
 * @attachment: What debugfs shows of it
 *
 * For DMA that does not go through a page table of iommufd. Takes the mutex of
 * the source, and may sleep.
 *
 * Returns 0, or what &iommufd_coherency_ops.reserve refused with; nobody else has
 * noticed then. Undone by iommufd_coherency_uncount().
 */
int iommufd_coherency_count(struct iommufd_coherency_source *source,
			    const struct iommufd_coherency_attachment *attachment)
{
	struct iommufd_coherency_source *root = source_root(source);
	int rc;

	mutex_lock(&root->lock);
	rc = source_count(source);
	if (!rc)
		attachment_add(source, root, attachment);
	mutex_unlock(&root->lock);
	return rc;
}
EXPORT_SYMBOL_GPL(iommufd_coherency_count);

/**
 * iommufd_coherency_uncount - Non-coherent DMA is not possible any more
 * @source: Source that was counted by iommufd_coherency_count()
 */
void iommufd_coherency_uncount(struct iommufd_coherency_source *source)
{
	struct iommufd_coherency_source *root = source_root(source);

	mutex_lock(&root->lock);
	source_uncount(source);
	if (!source->nr_noncoherent)
		list_del_init(&source->attachment_item);
	mutex_unlock(&root->lock);
}
EXPORT_SYMBOL_GPL(iommufd_coherency_uncount);

/* Made by iommufd for a device that has no group of the IOMMU core */
static bool has_no_iommu(struct iommufd_group *igroup)
{
	return !igroup->group;
}

static __always_inline bool
hwpt_is_noncoherent(struct iommufd_hw_pagetable *hwpt)
{
	struct iommufd_hwpt_paging *hwpt_paging;

	if (hwpt_is_paging(hwpt))
		return !to_hwpt_paging(hwpt)->enforce_cache_coherency;
	hwpt_paging = find_hwpt_paging(hwpt);
	return !hwpt_paging || !hwpt_paging->enforce_cache_coherency;
}

static noinline void do_trace_change(struct iommufd_group *igroup, ioasid_t pasid,
				     u32 hwpt, bool on)
{
	trace_iommufd_coherency(igroup->ictx->coherency.id,
				iommu_group_id(igroup->group), pasid, hwpt, on);
}

static __always_inline void
trace_change(struct iommufd_group *igroup, ioasid_t pasid,
	     const struct iommufd_hw_pagetable *hwpt, bool on)
{
	if (trace_iommufd_coherency_enabled())
		do_trace_change(igroup, pasid, hwpt->obj.id, on);
}

static struct pasid_attachment *find_pasid(struct iommufd_group *igroup,
					   ioasid_t pasid)
{
	struct pasid_attachment *p;

	list_for_each_entry(p, &igroup->coherency.attachments, item)
		if (p->attachment.pasid == pasid)
			return p;
	return NULL;
}

/* Makes room for what group_attached() notes, so that it cannot fail */
static int group_attaches(struct iommufd_group *igroup, ioasid_t pasid)
{
	struct pasid_attachment *p;

	lockdep_assert_held(&source_root(&igroup->coherency)->lock);

	if (pasid == IOMMU_NO_PASID)
		return 0;
	p = kzalloc(sizeof(*p), GFP_KERNEL_ACCOUNT);
	if (!p)
		return -ENOMEM;
	p->attachment.pasid = pasid;
	list_add_tail(&p->item, &igroup->coherency.attachments);
	return 0;
}

/* After group_attaches(). @hwpt is the ID of a non-coherent HWPT */
static __always_inline void
group_attached(struct iommufd_group *igroup, ioasid_t pasid, u32 hwpt)
{
	struct iommufd_coherency_attachment *attachment =
		pasid == IOMMU_NO_PASID ? &igroup->coherency.attachment :
					  &find_pasid(igroup, pasid)->attachment;

	lockdep_assert_held(&source_root(&igroup->coherency)->lock);

	attachment->hwpt = hwpt;
	attachment->since = ktime_get_coarse_boottime_ns();
}

/* On no HWPT, or a coherent one: the ID is 0 then, which is no object's */
static __always_inline void group_detached(struct iommufd_group *igroup, ioasid_t pasid)
{
	struct pasid_attachment *p;

	lockdep_assert_held(&source_root(&igroup->coherency)->lock);

	if (pasid == IOMMU_NO_PASID) {
		igroup->coherency.attachment.hwpt = 0;
		return;
	}
	p = find_pasid(igroup, pasid);
	list_del(&p->item);
	kfree(p);
}

/*
 * What nearly all changes are: a group that was on nothing, or will be. Spelled
 * out, because without watches they are to cost next to nothing, and not inlined,
 * because few registers need saving here.
 */
static noinline int group_attach(struct iommufd_group *igroup,
				 const struct iommufd_hw_pagetable *hwpt)
{
	struct iommufd_coherency_source *source = &igroup->coherency;
	struct iommufd_coherency_source *ctx = source->parent;
	int rc;

	mutex_lock(&ctx->lock);
	rc = group_count(source, ctx);
	if (!rc)
		group_attached(igroup, IOMMU_NO_PASID, hwpt->obj.id);
	mutex_unlock(&ctx->lock);
	if (!rc)
		trace_change(igroup, IOMMU_NO_PASID, hwpt, true);
	return rc;
}

static noinline void group_detach(struct iommufd_group *igroup,
				  const struct iommufd_hw_pagetable *hwpt)
{
	struct iommufd_coherency_source *source = &igroup->coherency;
	struct iommufd_coherency_source *ctx = source->parent;

	trace_change(igroup, IOMMU_NO_PASID, hwpt, false);
	mutex_lock(&ctx->lock);
	group_detached(igroup, IOMMU_NO_PASID);
	group_uncount(source, ctx);
	mutex_unlock(&ctx->lock);
}

/* All others: replacements, PASIDs, and the tries of an automatic choice */
static noinline int group_change(struct iommufd_device *idev, ioasid_t pasid,
				 struct iommufd_hw_pagetable *old,
				 struct iommufd_hw_pagetable *new)
{
	struct iommufd_coherency_source *source = &idev->igroup->coherency;
	struct iommufd_coherency_source *ctx = source->parent;
	int rc = 0;

	if (!old || !hwpt_is_noncoherent(old)) {
		mutex_lock(&ctx->lock);
		rc = group_attaches(idev->igroup, pasid);
		if (rc)
			goto out_unlock;
		if (idev->coherency_hold.counted)
			idev->coherency_hold.counted = false;
		else
			rc = group_count(source, ctx);
		if (rc)
			group_detached(idev->igroup, pasid);
		else
			group_attached(idev->igroup, pasid, new->obj.id);
out_unlock:
		mutex_unlock(&ctx->lock);
	}
	if (!rc)
		trace_change(idev->igroup, pasid, new, true);
	return rc;
}

static noinline void group_changed(struct iommufd_device *idev, ioasid_t pasid,
				   struct iommufd_hw_pagetable *gone,
				   struct iommufd_hw_pagetable *stays, bool failed)
{
	struct iommufd_coherency_source *source = &idev->igroup->coherency;
	struct iommufd_coherency_source *ctx = source->parent;

	trace_change(idev->igroup, pasid, gone, false);
	mutex_lock(&ctx->lock);
	if (stays && hwpt_is_noncoherent(stays)) {
		if (!failed)
			group_attached(idev->igroup, pasid, stays->obj.id);
	} else {
		group_detached(idev->igroup, pasid);
		if (failed && idev->coherency_hold.active)
			idev->coherency_hold.counted = true;
		else
			group_uncount(source, ctx);
	}
	mutex_unlock(&ctx->lock);
}

/*
 * Before the hardware changes from @old, or nothing, to @new: a detach has nothing to
 * ask. Returns a watcher's refusal; nothing has changed then.
 */
int iommufd_coherency_before(struct iommufd_device *idev, ioasid_t pasid,
			     struct iommufd_hw_pagetable *old,
			     struct iommufd_hw_pagetable *new)
{
	lockdep_assert_held(&idev->igroup->lock);

	if (has_no_iommu(idev->igroup) || !hwpt_is_noncoherent(new))
		return 0;
	if (old || pasid != IOMMU_NO_PASID || idev->coherency_hold.counted)
		return group_change(idev, pasid, old, new);
	return group_attach(idev->igroup, new);
}

/*
 * The hardware has left @gone and is attached to @stays. When a try of the
 * automatic choice has failed, its count is kept for the next try.
 */
void iommufd_coherency_gone(struct iommufd_device *idev, ioasid_t pasid,
			    struct iommufd_hw_pagetable *gone,
			    struct iommufd_hw_pagetable *stays, bool failed)
{
	lockdep_assert_held(&idev->igroup->lock);

	if (has_no_iommu(idev->igroup) || !hwpt_is_noncoherent(gone))
		return;
	if (stays || pasid != IOMMU_NO_PASID || failed)
		group_changed(idev, pasid, gone, stays, failed);
	else
		group_detach(idev->igroup, gone);
}

/* Drops the count of a failed try, which no later try has taken over */
void iommufd_coherency_release_counted(struct iommufd_coherency_hold *hold)
{
	struct iommufd_device *idev =
		container_of(hold, struct iommufd_device, coherency_hold);

	hold->counted = false;
	iommufd_coherency_uncount(&idev->igroup->coherency);
}

/* Is the group on this HWPT, as a whole or by a PASID, and the HWPT non-coherent? */
bool iommufd_coherency_is_on(struct iommufd_group *igroup,
			     const struct iommufd_hw_pagetable *hwpt)
{
	struct iommufd_coherency_source *source = &igroup->coherency;
	struct pasid_attachment *p;

	guard(mutex)(&source_root(source)->lock);
	if (source->attachment.hwpt == hwpt->obj.id)
		return true;
	list_for_each_entry(p, &source->attachments, item)
		if (p->attachment.hwpt == hwpt->obj.id)
			return true;
	return false;
}

static int object_attach(struct iommufd_coherency_source *source,
			 const char *type, u32 id)
{
	int rc;

	rc = iommufd_coherency_count(source,
				     &(struct iommufd_coherency_attachment){
						.type = type,
						.id = id,
				     });
	if (!rc)
		trace_iommufd_coherency(source_root(source)->id, -1,
					IOMMU_NO_PASID, id, true);
	return rc;
}

static void object_detach(struct iommufd_coherency_source *source)
{
	trace_iommufd_coherency(source_root(source)->id, -1, IOMMU_NO_PASID,
				source->attachment.id, false);
	iommufd_coherency_uncount(source);
}

/*
 * A device without an IOMMU, @id, is about to be bound. Returns a watcher's
 * refusal; nothing has changed then.
 */
int iommufd_coherency_noiommu_bind(struct iommufd_group *igroup, u32 id)
{
	return object_attach(&igroup->coherency, "device", id);
}

/* After the device was unbound: nobody can make it do DMA any more */
void iommufd_coherency_noiommu_unbind(struct iommufd_group *igroup)
{
	object_detach(&igroup->coherency);
}

/* iommufd's own, which pin what an IOMMU reads, have no driver and so no ops */
static bool access_is_noncoherent(const struct iommufd_access *access)
{
	return access->ops && access->ops->noncoherent_dma;
}

/*
 * An access whose driver lets a device DMA into what it pins is about to get an
 * IOAS, and nothing that could still fail lies between. Returns a watcher's
 * refusal; nothing has changed then.
 */
int iommufd_coherency_access_attach(struct iommufd_access *access)
{
	if (!access_is_noncoherent(access))
		return 0;
	return object_attach(&access->coherency, "access", access->obj.id);
}

/* After the access has lost the IOAS */
void iommufd_coherency_access_detach(struct iommufd_access *access)
{
	if (access_is_noncoherent(access))
		object_detach(&access->coherency);
}

/**
 * iommufd_ctx_coherency - All DMA of an iommufd context
 * @ictx: iommufd context
 *
 * Returns the source, which lives as long as the context.
 */
struct iommufd_coherency_source *
iommufd_ctx_coherency(struct iommufd_ctx *ictx)
{
	return &ictx->coherency;
}
EXPORT_SYMBOL_GPL(iommufd_ctx_coherency);

/**
 * iommufd_device_coherency - The DMA of one device
 * @idev: Bound device
 *
 * Devices of one iommu group share their page table, and so their source: it
 * follows what the group is attached to, by whichever of its devices.
 *
 * Returns the source, which lives while a device of the group is bound.
 */
struct iommufd_coherency_source *
iommufd_device_coherency(struct iommufd_device *idev)
{
	return &idev->igroup->coherency;
}
EXPORT_SYMBOL_GPL(iommufd_device_coherency);

/**
 * iommufd_access_coherency - The DMA into what an access pins
 * @access: Access
 *
 * Returns the source, which lives as long as the access.
 */
struct iommufd_coherency_source *
iommufd_access_coherency(struct iommufd_access *access)
{
	return &access->coherency;
}
EXPORT_SYMBOL_GPL(iommufd_access_coherency);

/**
 * iommufd_watch_coherency_all - Watch a source, all together or none
 * @source: Source to watch; it lives until all its watches are removed. Of NULL
 *          nothing happens.
 * @watches: Watches that are on no source, linked by their item
 *
 * If the source is non-coherent already then the watches have begun when this
 * returns. Takes the mutex of the source, and may sleep.
 *
 * Returns 0, or what &iommufd_coherency_ops.reserve of one refused with; none is
 * added then, and none has begun. Undone by iommufd_unwatch_coherency() of each.
 */
int iommufd_watch_coherency_all(struct iommufd_coherency_source *source,
				struct list_head *watches)
{
	struct iommufd_coherency_source *root;
	struct iommufd_coherency_watch *w;
	int rc;

	if (!source)
		return 0;
	root = source_root(source);

	guard(mutex)(&root->lock);
	if (source->nr_noncoherent) {
		rc = watches_reserve(watches);
		if (rc)
			return rc;
		watches_begin(source, watches);
	}
	list_for_each_entry(w, watches, item) {
		w->source = source;
		root->nr_watches++;
	}
	list_splice_tail(watches, &source->watches);
	return 0;
}
EXPORT_SYMBOL_GPL(iommufd_watch_coherency_all);

/**
 * iommufd_watch_coherency - Watch a source
 * @source: As of iommufd_watch_coherency_all()
 * @w: Watch that is on no source
 *
 * Returns as iommufd_watch_coherency_all().
 */
int iommufd_watch_coherency(struct iommufd_coherency_source *source,
			    struct iommufd_coherency_watch *w)
{
	LIST_HEAD(watches);

	if (!source)
		return 0;
	list_add(&w->item, &watches);
	return iommufd_watch_coherency_all(source, &watches);
}
EXPORT_SYMBOL_GPL(iommufd_watch_coherency);

/**
 * iommufd_unwatch_coherency - Remove a watch
 * @w: Watch; nothing is done if it is on no source
 *
 * A watch that has begun is ended. No callback of the watch runs when this has
 * returned. May sleep; must not be called from a callback.
 */
void iommufd_unwatch_coherency(struct iommufd_coherency_watch *w)
{
	struct iommufd_coherency_source *source = w->source;

	if (!source)
		return;
	guard(mutex)(&source_root(source)->lock);
	list_del(&w->item);
	source_root(source)->nr_watches--;
	if (w->begun) {
		watch_revoke(w);
		watch_end(source, w);
	}
	w->source = NULL;
}
EXPORT_SYMBOL_GPL(iommufd_unwatch_coherency);

/*
 * For IOMMU_GET_HW_INFO. A page table that is made for the device enforces cache
 * coherency if the second bit is set: see iommufd_hwpt_paging_alloc().
 */
u64 iommufd_coherency_hw_capabilities(const struct iommufd_device *idev)
{
	if (!IS_ENABLED(CONFIG_KVM_IOMMUFD))
		return 0;
	return IOMMU_HW_CAP_COHERENCY_KNOWN |
	       (idev->enforce_cache_coherency ?
			IOMMU_HW_CAP_COHERENCY_ENFORCEABLE : 0);
}

/**
 * iommufd_coherency_watch_id - Identify what a watch is on
 * @w: Watch, which the caller keeps on its source, or on none
 *
 * Returns the number that the iommufd's fdinfo has as coherency-id, 0 for a
 * watch that is on no source.
 */
u64 iommufd_coherency_watch_id(struct iommufd_coherency_watch *w)
{
	return w->source ? source_root(w->source)->id : 0;
}
EXPORT_SYMBOL_GPL(iommufd_coherency_watch_id);

/**
 * iommufd_coherency_show_watch - Print what is attached where a watch is
 * @m: File to print to
 * @w: Watch, which the caller keeps on its source, or on none; not on a context
 *
 * Prints a line for each non-coherent attachment. Takes the mutex of the
 * source, so it waits for an edge that is under way.
 */
void iommufd_coherency_show_watch(struct seq_file *m,
				  struct iommufd_coherency_watch *w)
{
	struct iommufd_coherency_source *source = w->source;

	if (!source)
		return;

	guard(mutex)(&source_root(source)->lock);
	if (!list_empty(&source->attachment_item))
		attachment_show(m, &source->attachment);
	else if (source->attachment.hwpt || !list_empty(&source->attachments))
		group_show(m, container_of(source, struct iommufd_group, coherency));
}
EXPORT_SYMBOL_GPL(iommufd_coherency_show_watch);

/**
 * iommufd_ctx_show_coherency - Print what is attached in a context
 * @m: File to print to
 * @ictx: iommufd context
 *
 * As iommufd_coherency_show_watch().
 */
void iommufd_ctx_show_coherency(struct seq_file *m, struct iommufd_ctx *ictx)
{
	struct iommufd_coherency_source *source;
	struct iommufd_group *igroup;
	unsigned long index;

	guard(mutex)(&ictx->coherency.lock);
	list_for_each_entry(source, &ictx->coherency.attachments, attachment_item)
		attachment_show(m, &source->attachment);

	/* A group is taken out of the array before it is freed */
	xa_lock(&ictx->groups);
	xa_for_each(&ictx->groups, index, igroup)
		group_show(m, igroup);
	xa_unlock(&ictx->groups);
}
EXPORT_SYMBOL_GPL(iommufd_ctx_show_coherency);

/* Expose coherency state in fdinfo for debugging */
void iommufd_coherency_show_fdinfo(struct seq_file *m, struct file *filp)
{
	struct iommufd_ctx *ictx = filp->private_data;
	struct iommufd_group *igroup;
	unsigned long index;

	guard(mutex)(&ictx->coherency.lock);
	seq_printf(m, "coherency-id:\t%llu\n", ictx->coherency.id);
	seq_printf(m, "noncoherent-attachments:\t%u\n",
		   ictx->coherency.nr_noncoherent);
	seq_printf(m, "coherency-watches:\t%u\n", ictx->coherency.nr_watches);
	seq_printf(m, "coherency-watches-begun:\t%u\n",
		   ictx->coherency.nr_begun);

	xa_lock(&ictx->groups);
	xa_for_each(&ictx->groups, index, igroup)
		if (igroup->coherency.nr_noncoherent)
			seq_printf(m, "noncoherent-group:\t%lu %u\n", index,
				   igroup->coherency.nr_noncoherent);
	xa_unlock(&ictx->groups);
}
