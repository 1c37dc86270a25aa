/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What iommufd asks of an architecture where DMA bypasses the CPUs' caches.
 */
#ifndef __LINUX_IOMMUFD_FLUSH_H
#define __LINUX_IOMMUFD_FLUSH_H

#include <linux/export.h>

/* To whom it is exported: to iommufd, or to its namespace where modules have no names */
#ifdef EXPORT_SYMBOL_FOR_MODULES
#define EXPORT_SYMBOL_FOR_IOMMUFD(symbol) \
	EXPORT_SYMBOL_FOR_MODULES(symbol, "iommufd")
#else
#define EXPORT_SYMBOL_FOR_IOMMUFD(symbol) EXPORT_SYMBOL_NS_GPL(symbol, IOMMUFD)
#endif

void arch_writeback_invalidate_pfns(unsigned long pfn, unsigned long npfns);

#endif
