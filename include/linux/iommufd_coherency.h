/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * iommufd tells its watchers when non-coherent DMA becomes possible, and when
 * it has become impossible again.
 */
#ifndef __LINUX_IOMMUFD_COHERENCY_H
#define __LINUX_IOMMUFD_COHERENCY_H

#include <linux/list.h>
#include <linux/types.h>

struct iommufd_ctx;
struct iommufd_device;
struct iommufd_group;
struct iommufd_coherency_watch;

/**
 * struct iommufd_coherency_ops - What a watcher does about non-coherent DMA
 * @reserve: A source is about to become non-coherent. Returns 0, or a negative
 *           errno that refuses: the attach, or the adding of the watch, then
 *           fails with it. Has no effect that anybody but @end could see.
 *           -EINVAL is taken for -EPERM, as attaching to an IOAS uses it to
 *           mean that another page table should be tried.
 * @begin: Every watch of the source has agreed. When it returns everything must
 *         be in place for non-coherent DMA, which starts next. Cannot fail.
 * @end: Undoes @reserve, and @begin if that ran. No non-coherent DMA of the
 *       source is possible any more.
 *
 * All three run in process context under the iommufd context's coherency mutex
 * and, for an attachment that changes, under the lock of its group. They may
 * sleep, but must not wait for user space, nor take a lock that somebody holds
 * while waiting for user space, nor add or remove a watch.
 */
struct iommufd_coherency_ops {
	int (*reserve)(struct iommufd_coherency_watch *w);
	void (*begin)(struct iommufd_coherency_watch *w);
	void (*end)(struct iommufd_coherency_watch *w);
};

/**
 * struct iommufd_coherency_watch - Ongoing interest in a source
 * @begun: For @end to read: begin has run
 *
 * Embedded in the watcher's own structure; every member is iommufd's to write.
 * The watch owns a reference on its context from the moment that it is added
 * until iommufd_unwatch_coherency() returns.
 */
struct iommufd_coherency_watch {
	bool begun;
	/* private: under the context's coherency mutex */
	struct list_head item;
	struct iommufd_ctx *ictx;
	/* NULL watches the whole context */
	struct iommufd_group *igroup;
	const struct iommufd_coherency_ops *ops;
	bool reserved;
};

int iommufd_ctx_watch_coherency(struct iommufd_ctx *ictx,
				struct iommufd_coherency_watch *w,
				const struct iommufd_coherency_ops *ops);
int iommufd_device_watch_coherency(struct iommufd_device *idev,
				   struct iommufd_coherency_watch *w,
				   const struct iommufd_coherency_ops *ops);
void iommufd_unwatch_coherency(struct iommufd_coherency_watch *w);
bool iommufd_device_enforces_coherency(struct iommufd_device *idev);

#endif
