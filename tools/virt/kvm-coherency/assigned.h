/* SPDX-License-Identifier: GPL-2.0 */
#ifndef ASSIGNED_H
#define ASSIGNED_H

#include <stdint.h>

/**
 * struct assigned - A device of vfio-pci and the iommufd that it is used with
 * @iommufd: The iommufd, -1 if it is not open
 * @device: The device's file, -1 if it is not open
 * @ioas: Two address spaces without memory: the device's DMA reaches nothing
 */
struct assigned {
	int iommufd;
	int device;
	uint32_t ioas[2];
};

/* Each dies if the kernel does not do it, and says why */
void assigned_open_iommufd(struct assigned *assigned);
void assigned_open_device(struct assigned *assigned, const char *device);
void assigned_bind(struct assigned *assigned);
/* To an address space; one that is attached goes over to it */
void assigned_attach(struct assigned *assigned, unsigned int ioas);
void assigned_detach(struct assigned *assigned);

void assigned_close_device(struct assigned *assigned);
void assigned_close(struct assigned *assigned);

#endif
