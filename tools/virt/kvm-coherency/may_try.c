// SPDX-License-Identifier: GPL-2.0
/* Which devices kvm-coherency try keeps away from, and what it needs. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "device.h"
#include "in_use.h"
#include "may_try.h"
#include "root.h"
#include "text.h"
#include "vm.h"

#define NO_DEVICE	"no PCI device that is not a bridge is %s: see \"kvm-coherency check\""
#define NO_GROUP	"%s is in no IOMMU group: turn the IOMMU on, in the firmware and on the kernel's command line"

/* As sysfs has it: the domain may be left out */
static char *name_in_sysfs(const char *name)
{
	unsigned int domain, bus, slot, function;
	int end = 0;

	if (sscanf(name, "%x:%x:%x.%u%n", &domain, &bus, &slot, &function, &end) == 4 && end &&
	    !name[end])
		return format("%04x:%02x:%02x.%u", domain, bus, slot, function);
	end = 0;
	if (sscanf(name, "%x:%x.%u%n", &bus, &slot, &function, &end) == 3 && end && !name[end])
		return format("0000:%02x:%02x.%u", bus, slot, function);
	die("\"%s\" is no address of a PCI device, as 0000:00:05.0 is", name);
}

static struct json_object *named(struct json_object *devices, const char *name)
{
	size_t i, nr = json_object_array_length(devices);
	struct json_object *found = NULL;
	char *device = name_in_sysfs(name);

	for (i = 0; i < nr && !found; i++) {
		found = json_object_array_get_idx(devices, i);
		if (strcmp(json_text(found, "device"), device))
			found = NULL;
	}
	if (!found)
		die(NO_DEVICE, device);
	free(device);
	return found;
}

/* By what is changed first */
static void require_root(const char *device)
{
	char *path = format("%s/sys/bus/pci/devices/%s/driver_override", root, device);

	if (access(path, W_OK))
		die("%s: %s%s", path, strerror(errno),
		    errno == EACCES || errno == EPERM ? ": this needs root" : "");
	free(path);
}

/* It dies on a kernel where nothing could be said about VMs */
static void require_feature(const struct open_files *files)
{
	json_object_put(vms_read(files));
}

static void require_vfio(void)
{
	DIR *dir = root_dir("/sys/bus/pci/drivers/vfio-pci");

	if (!dir)
		die("there is no driver vfio-pci: modprobe vfio-pci");
	closedir(dir);
}

/* VFIO's drivers, and one that does nothing */
static bool harmless(const char *driver)
{
	return !driver || strstr(driver, "vfio") || !strcmp(driver, "pci-stub");
}

static void require_group(struct json_object *devices, struct json_object *device)
{
	const char *name = json_text(device, "device");
	struct json_object *members;
	size_t i;

	if (!json_at(device, "group"))
		die(NO_GROUP, name);
	members = devices_of_group(devices, json_number(device, "group"));
	for (i = 0; i < json_object_array_length(members); i++) {
		struct json_object *member = json_object_array_get_idx(members, i);

		if (strcmp(json_text(member, "device"), name) &&
		    !harmless(json_text(member, "driver")))
			die("%s is in one IOMMU group with %s, which has the driver %s", name,
			    json_text(member, "device"), json_text(member, "driver"));
	}
	json_object_put(members);
}

struct json_object *may_try(struct json_object *devices, const char *name, bool take)
{
	struct json_object *device = named(devices, name);
	const char *driver = json_text(device, "driver");
	struct open_files files;
	char *use;

	name = json_text(device, "device");
	require_root(name);
	open_files_read(&files);
	require_feature(&files);
	require_group(devices, device);
	require_vfio();
	use = in_use(name, &files);
	if (use)
		die("%s is in use: %s", name, use);
	if (driver && !take)
		die("%s has the driver %s: --take has it taken away for the time of the trial",
		    name, driver);
	open_files_free(&files);
	return device;
}
