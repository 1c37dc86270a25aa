// SPDX-License-Identifier: GPL-2.0-only
/*
 * Cache lines of pages that go to, or come back from, DMA that does not snoop.
 */
#include <linux/iommufd_flush.h>
#include <linux/mm.h>
#include <linux/pfn.h>
#include <linux/processor.h>

#include <asm/special_insns.h>

/**
 * arch_writeback_invalidate_pfns() - Write back and drop the lines of pages
 * @pfn: the first
 * @npfns: how many; contiguous, all in the direct map
 *
 * No cache of any CPU has a line of them any more after a barrier, mb(), that
 * follows: the caller has it, once for as many calls as it makes, and one before
 * the first. CLFLUSHOPT, where there is one, is not ordered otherwise, which
 * is why it is fast. A task that is moved to another CPU in between has had a
 * locked instruction on the first, which orders it, too.
 *
 * The line goes whatever the page was mapped with when it was cached, and from
 * every cache in the coherency domain: nothing has to be done on other CPUs.
 */
void arch_writeback_invalidate_pfns(unsigned long pfn, unsigned long npfns)
{
	const unsigned long line = boot_cpu_data.x86_clflush_size;
	char *p = __va(PFN_PHYS(pfn));
	char *end = p + PFN_PHYS(npfns);

	for (; p < end; p += line)
		clflushopt(p);
}
EXPORT_SYMBOL_FOR_IOMMUFD(arch_writeback_invalidate_pfns);
