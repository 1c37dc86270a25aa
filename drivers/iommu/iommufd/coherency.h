/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * State of, and hooks for, drivers/iommu/iommufd/coherency.c.
 */
#ifndef __IOMMUFD_COHERENCY_H
#define __IOMMUFD_COHERENCY_H

#include <linux/iommu.h>
#include <linux/list.h>
#include <linux/mutex.h>

struct iommufd_access;
struct iommufd_ctx;
struct iommufd_device;
struct iommufd_group;
struct iommufd_hw_pagetable;
struct seq_file;
struct file;

/* In struct iommufd_ctx */
struct iommufd_coherency {
	/* Taken inside the lock of any group; held over watchers' callbacks */
	struct mutex lock;
	/* Non-coherent attachments of all groups and accesses */
	unsigned int noncoherent;
	struct list_head watches;
	struct list_head holds;
};

/* In struct iommufd_group */
struct iommufd_group_coherency {
	/* Non-coherent attachments: one per PASID, under iommufd_coherency.lock */
	unsigned int noncoherent;
};

/*
 * Spans one automatic choice of a page table by one task. Its failed tries
 * leave their count here, so that the choice as a whole causes at most one edge
 * each way however many page tables are tried.
 */
struct iommufd_coherency_hold {
	struct list_head item;
	struct task_struct *owner;
	struct iommufd_group *igroup;
	bool counted;
};

void iommufd_coherency_init(struct iommufd_ctx *ictx);
void iommufd_coherency_hold(struct iommufd_device *idev,
			    struct iommufd_coherency_hold *hold);
void iommufd_coherency_release(struct iommufd_coherency_hold *hold);
int iommufd_coherency_before(struct iommufd_device *idev, ioasid_t pasid,
			     struct iommufd_hw_pagetable *old,
			     struct iommufd_hw_pagetable *new);
void iommufd_coherency_after(struct iommufd_device *idev, ioasid_t pasid,
			     struct iommufd_hw_pagetable *old,
			     struct iommufd_hw_pagetable *new, int rc);
int iommufd_coherency_access_attach(struct iommufd_access *access);
void iommufd_coherency_access_detach(struct iommufd_access *access);
void iommufd_coherency_show_fdinfo(struct seq_file *m, struct file *filp);

/*
 * Evaluates @op, which attaches the group of @idev to @new in place of @old and
 * gives 0 or an errno, between what has to happen before it and after it.
 * Either page table may be NULL; the lock of the group is held.
 */
#define iommufd_coherency_change(idev, pasid, old, new, op)                    \
({                                                                             \
	struct iommufd_device *__idev = (idev);                                \
	struct iommufd_hw_pagetable *__old = (old);                            \
	struct iommufd_hw_pagetable *__new = (new);                            \
	ioasid_t __pasid = (pasid);                                            \
	int __rc = iommufd_coherency_before(__idev, __pasid, __old, __new);    \
									       \
	if (!__rc) {                                                           \
		__rc = (op);                                                   \
		iommufd_coherency_after(__idev, __pasid, __old, __new, __rc);  \
	}                                                                      \
	__rc;                                                                  \
})

#endif
