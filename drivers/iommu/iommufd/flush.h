/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Hooks for drivers/iommu/iommufd/flush.c, which keeps caches and memory in step
 * for pages that non-coherent DMA can reach.
 */
#ifndef __IOMMUFD_FLUSH_H
#define __IOMMUFD_FLUSH_H

#include <linux/compiler.h>
#include <linux/kconfig.h>
#include <linux/types.h>

#include "io_pagetable.h"

int __iopt_pages_expose(struct iopt_pages *pages, unsigned long start_index,
			const unsigned long *pfns, const u32 *npfns,
			unsigned long npages);
int __iopt_pages_expose_list(struct iopt_pages *pages, struct page **list,
			     unsigned long npages);
void __iopt_pages_conceal(const unsigned long *pfns, const u32 *npfns,
			  unsigned long skip, unsigned long npages);

/*
 * Other architectures have no way to flush a page, or none that the IOMMU API
 * asks them for, and go on as they were.
 */
static inline bool iopt_flushes(void)
{
	return IS_ENABLED(CONFIG_IOMMUFD_CACHE_FLUSH);
}

/* Is a page in its areas visible to non-coherent DMA? */
static inline bool iopt_is_noncoherent(struct io_pagetable *iopt)
{
	return iopt_flushes() && READ_ONCE(iopt->nr_noncoherent);
}

/*
 * A domain that does not enforce coherency is counted from when it has been
 * filled until it begins to be emptied: while another IOAS sees the count, the
 * pages of this one's areas have been flushed and can still be seen by a device.
 */
static inline void iopt_noncoherent_filled(struct io_pagetable *iopt)
{
	lockdep_assert_held_write(&iopt->domains_rwsem);
	WRITE_ONCE(iopt->nr_noncoherent, iopt->nr_noncoherent + 1);
}

static inline void iopt_noncoherent_emptied(struct io_pagetable *iopt)
{
	lockdep_assert_held_write(&iopt->domains_rwsem);
	WRITE_ONCE(iopt->nr_noncoherent, iopt->nr_noncoherent - 1);
}

/**
 * iopt_pages_expose() - Pages are about to become visible to non-coherent DMA
 * @pages: whose they are
 * @start_index: of the first
 * @pfns: first PFN of each contiguous run
 * @npfns: length of each
 * @npages: the sum of the lengths
 *
 * Flushes those that are not visible to such DMA yet. From here on whoever unpins
 * a page of @pages flushes it.
 *
 * Return: 0, or -EINTR if the task is being killed
 */
static inline int iopt_pages_expose(struct iopt_pages *pages,
				    unsigned long start_index,
				    const unsigned long *pfns, const u32 *npfns,
				    unsigned long npages)
{
	if (!iopt_flushes())
		return 0;
	return __iopt_pages_expose(pages, start_index, pfns, npfns, npages);
}

/**
 * iopt_pages_expose_list() - The same, for an access whose device does DMA
 * @pages: whose they are
 * @list: the pages
 * @npages: how many
 *
 * Return: 0, or -EINTR if the task is being killed
 */
static inline int iopt_pages_expose_list(struct iopt_pages *pages,
					 struct page **list,
					 unsigned long npages)
{
	if (!iopt_flushes())
		return 0;
	return __iopt_pages_expose_list(pages, list, npages);
}

/**
 * iopt_pages_conceal() - Pages are about to be unpinned, for good
 * @pages: whose they are
 * @pfns: first PFN of each contiguous run
 * @npfns: length of each
 * @skip: pages at the beginning of the runs that stay
 * @npages: pages behind those that are unpinned
 *
 * No device can reach them any more: whatever they hold now is in memory, and no
 * line that was cached before a device wrote is left.
 */
static inline void iopt_pages_conceal(struct iopt_pages *pages,
				      const unsigned long *pfns,
				      const u32 *npfns, unsigned long skip,
				      unsigned long npages)
{
	if (iopt_flushes() && pages->exposed)
		__iopt_pages_conceal(pfns, npfns, skip, npages);
}

#ifdef CONFIG_IOMMUFD_TEST
void iommufd_test_flushed(unsigned long pfn, unsigned long npfns);
#else
static inline void iommufd_test_flushed(unsigned long pfn, unsigned long npfns)
{
}
#endif

#endif
