// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages that non-coherent DMA can reach.
 *
 * A page comes from the kernel with lines in the caches: it was zeroed there, and
 * memory may still have what it held for somebody else. DMA that does not snoop
 * reads that. So the lines are written back before the page is visible to the
 * first such DMA. And it returns to the kernel with lines that were cached before
 * a device wrote to memory: reads would hit them, or a late write back would undo
 * what the device wrote. So they are gone before the page is unpinned, when no
 * device can reach it any more.
 *
 * The lines are dropped in both directions. Before DMA to write them back would
 * do, but a clean line that stays is one that the guest has not cached, and would
 * have no reason to flush before it looks for what its device wrote.
 *
 * What was exposed is remembered for struct iopt_pages as a whole and for good. Its
 * pages are pinned once for all IOASes, page tables and accesses that use them, and
 * who unpins one has often not been who exposed it.
 */
#include <linux/iommufd_flush.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>

#include "flush.h"

/* 2 MiB: what is flushed without a look at what else is to be done */
#define MAX_CHUNK	(SZ_2M / PAGE_SIZE)

/*
 * A page that has been found poisoned since it was pinned may be missing in the
 * direct map. Nobody gets its content, and no cached line of it is of use.
 */
static void flush_chunk(unsigned long pfn, unsigned long npfns)
{
	unsigned long end = pfn + npfns;
	unsigned long start = pfn;

	iommufd_test_flushed(pfn, npfns);
	for (; pfn != end; pfn++) {
		if (!PageHWPoison(pfn_to_page(pfn)))
			continue;
		arch_writeback_invalidate_pfns(start, pfn - start);
		start = pfn + 1;
	}
	arch_writeback_invalidate_pfns(start, end - start);
	cond_resched();
}

/* A position in runs of PFNs */
struct pfn_runs {
	const unsigned long *pfns;
	const u32 *npfns;
	/* Pages of the first run that are behind */
	unsigned long behind;
};

/* Goes on by as much as is contiguous, and by @max at most */
static unsigned long runs_next(struct pfn_runs *runs, unsigned long max,
			       unsigned long *pfn)
{
	unsigned long n = min(max, *runs->npfns - runs->behind);

	*pfn = *runs->pfns + runs->behind;
	runs->behind += n;
	if (runs->behind == *runs->npfns) {
		runs->pfns++;
		runs->npfns++;
		runs->behind = 0;
	}
	return n;
}

static void runs_skip(struct pfn_runs *runs, unsigned long npages)
{
	unsigned long pfn;

	while (npages)
		npages -= runs_next(runs, npages, &pfn);
}

static int runs_flush(struct pfn_runs *runs, unsigned long npages, bool killable)
{
	unsigned long pfn, n;

	for (; npages; npages -= n) {
		if (killable && fatal_signal_pending(current))
			return -EINTR;
		n = runs_next(runs, min(npages, MAX_CHUNK), &pfn);
		flush_chunk(pfn, n);
	}
	return 0;
}

/*
 * Areas in the tree have been filled, or are about to be: in the second case none
 * of its domains was counted before. They come in the order of where they start,
 * and may overlap.
 */
int __iopt_pages_expose(struct iopt_pages *pages, unsigned long start_index,
			const unsigned long *pfns, const u32 *npfns,
			unsigned long npages)
{
	unsigned long last_index = start_index + npages - 1;
	struct pfn_runs runs = { .pfns = pfns, .npfns = npfns };
	struct interval_tree_node *node;
	unsigned long end;
	int rc = 0;

	lockdep_assert_held(&pages->mutex);

	if (iommufd_should_fail())
		return -EINTR;
	pages->exposed = true;

	/* What was written before, by whomever, precedes the flush */
	mb();
	for (node = interval_tree_iter_first(&pages->domains_itree, start_index,
					     last_index);
	     node && start_index <= last_index;
	     node = interval_tree_iter_next(node, start_index, last_index)) {
		struct iopt_area *area =
			container_of(node, struct iopt_area, pages_node);

		if (!iopt_is_noncoherent(area->iopt))
			continue;
		if (node->start > start_index) {
			rc = runs_flush(&runs, node->start - start_index, true);
			if (rc)
				goto out;
			start_index = node->start;
		}
		/* Visible already: nothing was written since by the kernel */
		end = min(node->last, last_index) + 1;
		runs_skip(&runs, end - start_index);
		start_index = end;
	}
	if (start_index <= last_index)
		rc = runs_flush(&runs, last_index - start_index + 1, true);
out:
	/* The flush precedes the page table entry */
	mb();
	return rc;
}

int __iopt_pages_expose_list(struct iopt_pages *pages, struct page **list,
			     unsigned long npages)
{
	unsigned long pfn, n;
	int rc = 0;

	lockdep_assert_held(&pages->mutex);

	if (iommufd_should_fail())
		return -EINTR;
	pages->exposed = true;

	/* What was written before precedes the flush */
	mb();
	for (; npages; npages -= n, list += n) {
		if (fatal_signal_pending(current)) {
			rc = -EINTR;
			break;
		}
		pfn = page_to_pfn(list[0]);
		for (n = 1; n < min(npages, MAX_CHUNK); n++)
			if (page_to_pfn(list[n]) != pfn + n)
				break;
		flush_chunk(pfn, n);
	}
	/* The flush precedes what the driver makes of the list */
	mb();
	return rc;
}

/* Nobody may keep pages from being unpinned, not even who is being killed */
void __iopt_pages_conceal(const unsigned long *pfns, const u32 *npfns,
			  unsigned long skip, unsigned long npages)
{
	struct pfn_runs runs = { .pfns = pfns, .npfns = npfns };

	runs_skip(&runs, skip);
	/* What devices wrote, and the end of their access, precede the flush */
	mb();
	runs_flush(&runs, npages, false);
	/* The flush precedes whatever the next owner does */
	mb();
}
