/* SPDX-License-Identifier: GPL-2.0 */
/*
 * ioctls of the device that emulated_dma.c registers with VFIO.
 */
#ifndef SELFTEST_VFIO_EMULATED_DMA_H
#define SELFTEST_VFIO_EMULATED_DMA_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* Its directory is this in /sys/bus/platform/devices, and the name of it in its group */
#define EMULATED_DMA_NAME	"vfio_emulated_dma"

/* Pins the page at this IOVA, as for DMA that goes on until VFIO takes the page back */
#define EMULATED_DMA_PIN	_IOW('e', 0, __u64)
/* When the last page was given back: CLOCK_MONOTONIC, in ns; 0: never */
#define EMULATED_DMA_UNPINNED	_IOR('e', 1, __u64)

#endif
