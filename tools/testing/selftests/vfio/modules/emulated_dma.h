/* SPDX-License-Identifier: GPL-2.0 */
/*
 * ioctls of the device that emulated_dma.c registers with VFIO.
 */
#ifndef SELFTEST_VFIO_EMULATED_DMA_H
#define SELFTEST_VFIO_EMULATED_DMA_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* The device's name in /sys/bus/platform/devices, and in its VFIO group */
#define EMULATED_DMA_NAME	"vfio_emulated_dma"

/* Pins the page at this IOVA, as for DMA, until VFIO calls dma_unmap for it */
#define EMULATED_DMA_PIN	_IOW('e', 0, __u64)
/* When the last page was unpinned: CLOCK_MONOTONIC, in ns; 0: never */
#define EMULATED_DMA_UNPINNED	_IOR('e', 1, __u64)

#endif
