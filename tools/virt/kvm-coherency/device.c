// SPDX-License-Identifier: GPL-2.0
/*
 * PCI devices and the IOMMUs they are behind, by libpci and sysfs. Opens none of the
 * devices: it is all as good on a kernel without iommufd.
 */
#include <endian.h>
#include <pci/pci.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "device.h"
#include "root.h"
#include "text.h"

/* VT-d's Extended Capability Register */
#define ECAP_SNOOP_CONTROL	0x80

static noreturn void give_up(char *fmt, ...) __printf(1, 2);
static noreturn void give_up(char *fmt, ...)
{
	char *text;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		text = "out of memory";
	va_end(ap);
	die("PCI devices cannot be listed: %s", text);
}

/* Configuration space that is closed is shown by what it has instead */
static void ignore(char *fmt, ...) __printf(1, 2);
static void ignore(char *fmt, ...)
{
	(void)fmt;
}

/* VFIO puts a device without IOMMU into a group that it makes */
static bool behind_none(struct json_object *device)
{
	char *name;
	bool none;

	if (!json_at(device, "group"))
		return true;
	name = root_line("/sys/kernel/iommu_groups/%lld/name", json_number(device, "group"));
	none = name && !strcmp(name, "vfio-noiommu");
	free(name);
	return none;
}

static void add_iommu(struct json_object *device, const char *name)
{
	char *link = root_link("/sys/bus/pci/devices/%s/iommu", name), *ecap, *features;
	const char *iommu;

	if (!link) {
		bool none = behind_none(device);

		json_add(device, "iommu", NULL);
		json_add(device, "iommu_enforces", NULL);
		if (none)
			json_add_flag(device, "iommu_enforces", false);
		json_add_text(device, "why", none ? "no IOMMU" : "an IOMMU unknown to sysfs");
		return;
	}
	iommu = last_name(link);
	json_add_text(device, "iommu", iommu);
	ecap = root_line("/sys/class/iommu/%s/intel-iommu/ecap", iommu);
	features = root_line("/sys/class/iommu/%s/amd-iommu/features", iommu);
	if (ecap) {
		bool enforces = strtoull(ecap, NULL, 16) & ECAP_SNOOP_CONTROL;

		json_add_flag(device, "iommu_enforces", enforces);
		json_add_text(device, "why", enforces ? "VT-d with snoop control" :
			      "VT-d without snoop control");
	} else if (features) {
		json_add_flag(device, "iommu_enforces", true);
		json_add_text(device, "why", "AMD-Vi, which always can");
	} else {
		json_add(device, "iommu_enforces", NULL);
		json_add_text(device, "why", "neither VT-d nor AMD-Vi");
	}
	free(features);
	free(ecap);
	free(link);
}

static const char *no_snoop(struct pci_dev *dev)
{
	struct pci_cap *express;
	u8 byte;
	u16 control;

	/* Without privileges only the first 64 bytes of configuration space can be read */
	if (!pci_read_block(dev, 0x40, &byte, 1))
		return "unknown, needs root";
	pci_fill_info(dev, PCI_FILL_CAPS);
	express = pci_find_cap(dev, PCI_CAP_ID_EXP, PCI_CAP_NORMAL);
	if (!express)
		return "none";
	if (!pci_read_block(dev, express->addr + PCI_EXP_DEVCTL, (u8 *)&control, 2))
		return "unknown, needs root";
	/* A device that is gone or asleep reads as ones */
	if (control == 0xffff)
		return "unknown, the device does not answer";
	return le16toh(control) & PCI_EXP_DEVCTL_NOSNOOP ? "set" : "clear";
}

static struct json_object *read_device(struct pci_access *access, struct pci_dev *dev)
{
	char class[128], name[256], *link;
	struct json_object *device = json_new();
	char *bdf = format("%04x:%02x:%02x.%d", dev->domain, dev->bus, dev->dev, dev->func);

	json_add_text(device, "device", bdf);
	json_add_text(device, "class",
		      pci_lookup_name(access, class, sizeof(class),
				      PCI_LOOKUP_CLASS | PCI_LOOKUP_NO_HWDB, dev->device_class));
	json_add_text(device, "description",
		      pci_lookup_name(access, name, sizeof(name),
				      PCI_LOOKUP_VENDOR | PCI_LOOKUP_DEVICE | PCI_LOOKUP_NO_HWDB,
				      dev->vendor_id, dev->device_id));
	link = root_link("/sys/bus/pci/devices/%s/driver", bdf);
	json_add_text(device, "driver", link ? last_name(link) : NULL);
	free(link);
	link = root_link("/sys/bus/pci/devices/%s/iommu_group", bdf);
	if (link)
		json_add_number(device, "group", atoll(last_name(link)));
	else
		json_add(device, "group", NULL);
	free(link);
	add_iommu(device, bdf);
	json_add_text(device, "no_snoop", no_snoop(dev));
	free(bdf);
	return device;
}

static int compare(const void *a, const void *b)
{
	struct json_object *x = *(struct json_object *const *)a;
	struct json_object *y = *(struct json_object *const *)b;

	return strcmp(json_text(x, "device"), json_text(y, "device"));
}

struct pci_access *device_access(void)
{
	struct pci_access *access;
	char *path;
	DIR *dir;

	dir = root_dir("/sys/bus/pci/devices");
	if (!dir)
		return NULL;
	closedir(dir);

	access = pci_alloc();
	access->method = PCI_ACCESS_SYS_BUS_PCI;
	access->error = give_up;
	access->warning = ignore;
	path = format("%s/sys/bus/pci", root);
	pci_set_param(access, "sysfs.path", path);
	free(path);
	pci_init(access);
	pci_scan_bus(access);
	return access;
}

struct json_object *devices_read(void)
{
	struct pci_access *access = device_access();
	struct json_object *devices = json_list();
	struct pci_dev *dev;

	/* A machine without PCI has no such devices */
	if (!access)
		return devices;
	for (dev = access->devices; dev; dev = dev->next) {
		pci_fill_info(dev, PCI_FILL_IDENT | PCI_FILL_CLASS);
		/* Bridges pass on what others do */
		if (dev->device_class >> 8 != PCI_BASE_CLASS_BRIDGE)
			json_append(devices, read_device(access, dev));
	}
	pci_cleanup(access);
	json_object_array_sort(devices, compare);
	return devices;
}

struct json_object *devices_of_group(struct json_object *devices, long long group)
{
	size_t i, nr = json_object_array_length(devices);
	struct json_object *found = json_list();

	for (i = 0; i < nr; i++) {
		struct json_object *device = json_object_array_get_idx(devices, i);

		if (json_at(device, "group") && json_number(device, "group") == group)
			json_append(found, json_object_get(device));
	}
	return found;
}

static struct json_object *iommu_named(struct json_object *iommus, const char *name)
{
	size_t i, nr = json_object_array_length(iommus);

	for (i = 0; i < nr; i++) {
		struct json_object *iommu = json_object_array_get_idx(iommus, i);

		if (!strcmp(json_text(iommu, "iommu"), name))
			return iommu;
	}
	return NULL;
}

struct json_object *iommus_of(struct json_object *devices)
{
	size_t i, nr = json_object_array_length(devices);
	struct json_object *iommus = json_list(), *iommu;

	for (i = 0; i < nr; i++) {
		struct json_object *device = json_object_array_get_idx(devices, i);
		const char *name = json_text(device, "iommu");

		if (!name)
			continue;
		iommu = iommu_named(iommus, name);
		if (!iommu) {
			iommu = json_new();
			json_add_text(iommu, "iommu", name);
			json_add(iommu, "iommu_enforces",
				 json_object_get(json_at(device, "iommu_enforces")));
			json_add_text(iommu, "why", json_text(device, "why"));
			json_add_number(iommu, "devices", 0);
			json_append(iommus, iommu);
		}
		json_add_number(iommu, "devices", json_number(iommu, "devices") + 1);
	}
	return iommus;
}
