/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What selftest.c's mock devices need for selftest_coherency.c.
 */
#ifndef __IOMMUFD_SELFTEST_COHERENCY_H
#define __IOMMUFD_SELFTEST_COHERENCY_H

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/types.h>

struct device;
struct file;
struct iommu_group;
struct iommu_test_cmd;
struct iommufd_access;
struct iommufd_device;
struct iommufd_ucmd;

/* Embedded in each mock device */
struct mock_coherency {
	/* Serializes attach, replace and detach */
	struct mutex lock;
	bool attached;
	/* The group to join when the device is added, or NULL for a new one */
	struct iommu_group *group;
	bool sw_msi;
	/*
	 * The hardware is on a page table that does not enforce coherency.
	 * Written under the mutex of the core's iommu_group.
	 */
	bool noncoherent;
	/* So many of its PASIDs are; likewise */
	unsigned int noncoherent_pasids;
	/* Protected by fail_lock in selftest_coherency.c */
	unsigned int fail_nth;
	int fail_error;
};

struct mock_coherency *mock_dev_coherency(struct device *dev);

/* Can its device do DMA now, i.e. does it have an IOAS or pinned pages? */
bool mock_access_is_noncoherent(struct iommufd_access *access);
/* Returns the access of a file; the caller has to fput() @file */
struct iommufd_access *mock_access_get(int fd, struct file **file);

void mock_coherency_init(struct mock_coherency *coherency,
			 struct iommu_group *group, unsigned long dev_flags);
struct iommu_group *mock_coherency_device_group(struct device *dev);
void mock_coherency_get_resv_regions(struct device *dev, struct list_head *head);
int mock_coherency_should_fail(struct mock_coherency *coherency);
int mock_coherency_change(struct mock_coherency *coherency,
			  struct iommufd_device *idev, u32 *pt_id);
int mock_coherency_detach(struct mock_coherency *coherency,
			  struct iommufd_device *idev);
struct iommu_group *iommufd_test_group_get(struct iommufd_ucmd *ucmd,
					   u32 idev_id);
int iommufd_test_coherency(struct iommufd_ucmd *ucmd);

void mock_noncoherent_map(phys_addr_t start, size_t length);
void mock_noncoherent_unmap(phys_addr_t start, size_t length);
int iommufd_test_flush_watch(struct iommufd_ucmd *ucmd);

#endif
