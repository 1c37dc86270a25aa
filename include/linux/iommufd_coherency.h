/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * iommufd tells its watchers when non-coherent DMA becomes possible, and when
 * it has become impossible again.
 */
#ifndef __LINUX_IOMMUFD_COHERENCY_H
#define __LINUX_IOMMUFD_COHERENCY_H

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/types.h>

struct iommufd_access;
struct iommufd_ctx;
struct iommufd_device;
struct iommufd_coherency_watch;
struct seq_file;

/**
 * struct iommufd_coherency_ops - What a watcher does about non-coherent DMA
 * @reserve: A source is about to become non-coherent. Returns 0, or a negative
 *           errno that refuses: the attach, or the adding of the watch, then
 *           fails with it. Has no effect that anybody but @end could see.
 *           -EINVAL is taken for -EPERM, as attaching to an IOAS uses it to
 *           mean that another page table should be tried.
 * @begin: Every watch has agreed. When it returns everything must be in place
 *         for non-coherent DMA, which starts next. Cannot fail.
 * @revoke: No non-coherent DMA of the source is possible any more. Of a watch
 *          that has begun, takes back what @begin allowed, and leaves it to @end
 *          to wait for those who still use it: where several watches end, all
 *          are revoked first, and one wait can serve them all. May be NULL.
 * @end: Undoes @reserve, and @begin if that ran. When it returns, nobody uses
 *       what @begin allowed.
 *
 * All run in process context under the mutex of the source and, for an
 * attachment that changes, under the lock of its group or access. They may
 * sleep, but must not wait for user space, nor take a lock that somebody holds
 * while waiting for user space, nor add or remove a watch.
 */
struct iommufd_coherency_ops {
	int (*reserve)(struct iommufd_coherency_watch *w);
	void (*begin)(struct iommufd_coherency_watch *w);
	void (*revoke)(struct iommufd_coherency_watch *w);
	void (*end)(struct iommufd_coherency_watch *w);
};

/**
 * struct iommufd_coherency_attachment - What debugfs shows of an attachment
 * @type: "access" or "device", or a word that is shown behind the group
 * @id: Number of the iommu group; of an access or device its object ID
 */
struct iommufd_coherency_attachment {
	const char *type;
	u32 id;
	/* private: of a group in place of the above, object ID of its HWPT or 0 */
	u32 hwpt;
	u32 pasid;
	/* private: CLOCK_BOOTTIME in ns, as of the last tick */
	u64 since;
};

/**
 * struct iommufd_coherency_source - What can be the origin of non-coherent DMA
 *
 * A context, or one of the groups and accesses in it, whose parent it then is;
 * or, without parent, what another subsystem knows to do DMA. Every member is
 * private to coherency.c.
 */
struct iommufd_coherency_source {
	/* private: shares its parent's mutex */
	struct iommufd_coherency_source *parent;
	/* private: non-coherent attachments of the source and its children */
	unsigned int nr_noncoherent;
	/* private: begun while nr_noncoherent is not zero */
	struct list_head watches;
	/*
	 * private: what debugfs shows, under the mutex; but for groups on the
	 * list of the one without parent. A group has its PASIDs on a list.
	 */
	struct iommufd_coherency_attachment attachment;
	struct list_head attachment_item;
	struct list_head attachments;
	/*
	 * private: without parent only. The mutex is taken inside the lock of
	 * any group or access, and held over watchers' callbacks. The numbers
	 * are of the source and its children. The ID counts up and is not used
	 * again.
	 */
	struct mutex lock;
	u64 id;
	unsigned int nr_watches;
	unsigned int nr_begun;
};

/**
 * struct iommufd_coherency_watch - Ongoing interest in a source
 * @data: The watcher's
 * @begun: For @end to read: begin has run
 *
 * To be initialized by iommufd_coherency_watch_init().
 */
struct iommufd_coherency_watch {
	void *data;
	bool begun;
	/* private: under the mutex of the source; NULL while it is on none */
	struct iommufd_coherency_source *source;
	struct list_head item;
	const struct iommufd_coherency_ops *ops;
};

/**
 * iommufd_coherency_watch_init - Make a watch that watches nothing yet
 * @w: Watch
 * @ops: What to do about non-coherent DMA
 * @data: For the watcher's callbacks
 */
static inline void
iommufd_coherency_watch_init(struct iommufd_coherency_watch *w,
			     const struct iommufd_coherency_ops *ops,
			     void *data)
{
	*w = (struct iommufd_coherency_watch){ .ops = ops, .data = data };
}

void iommufd_coherency_source_init(struct iommufd_coherency_source *source,
				   struct iommufd_coherency_source *parent);
int iommufd_coherency_count(struct iommufd_coherency_source *source,
			    const struct iommufd_coherency_attachment *attachment);
void iommufd_coherency_uncount(struct iommufd_coherency_source *source);

struct iommufd_coherency_source *
iommufd_ctx_coherency(struct iommufd_ctx *ictx);
struct iommufd_coherency_source *
iommufd_device_coherency(struct iommufd_device *idev);
struct iommufd_coherency_source *
iommufd_access_coherency(struct iommufd_access *access);

int iommufd_watch_coherency_all(struct iommufd_coherency_source *source,
				struct list_head *watches);
int iommufd_watch_coherency(struct iommufd_coherency_source *source,
			    struct iommufd_coherency_watch *w);
void iommufd_unwatch_coherency(struct iommufd_coherency_watch *w);
u64 iommufd_coherency_watch_id(struct iommufd_coherency_watch *w);
void iommufd_coherency_show_watch(struct seq_file *m,
				  struct iommufd_coherency_watch *w);
void iommufd_ctx_show_coherency(struct seq_file *m, struct iommufd_ctx *ictx);

#endif
