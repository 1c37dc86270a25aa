/* SPDX-License-Identifier: GPL-2.0 */
#ifndef DEVICE_H
#define DEVICE_H

#include "as_json.h"

struct pci_access;

/* libpci below root, with all devices scanned; NULL on a machine without PCI */
struct pci_access *device_access(void);

/**
 * devices_read - The machine's PCI devices, but for bridges
 *
 * Returns a list of objects with
 *  - device, description, class, driver: names; driver is null if there is none
 *  - group, iommu: null if there is none
 *  - iommu_enforces: can the IOMMU enforce coherency? false if there is none, null if it is
 *    unknown
 *  - why: what it is that can or cannot, in words
 *  - no_snoop: the device's Enable No Snoop bit: "set", "clear", "none" if it has no such
 *    bit, or "unknown, needs root"
 */
struct json_object *devices_read(void);

/* Those of a group, of what devices_read() returned */
struct json_object *devices_of_group(struct json_object *devices, long long group);

/*
 * All IOMMUs that have devices: objects with iommu, iommu_enforces, why, as above, and
 * how many devices there are
 */
struct json_object *iommus_of(struct json_object *devices);

#endif
