// SPDX-License-Identifier: GPL-2.0
/* Which driver a device has, by sysfs: changed, and made as it was. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "binding.h"
#include "no_snoop.h"
#include "root.h"
#include "text.h"

#define DEVICE	"/sys/bus/pci/devices/%s"

static char *driver_of(const char *device)
{
	char *link = root_link(DEVICE "/driver", device), *name = NULL;

	if (link)
		name = format("%s", last_name(link));
	free(link);
	return name;
}

/* The kernel says so of an override that there is not */
static char *override_of(const char *device)
{
	char *line = root_line(DEVICE "/driver_override", device);

	if (line && !strcmp(line, "(null)"))
		*line = 0;
	return line;
}

void binding_read(struct binding *binding, const char *device)
{
	*binding = (struct binding){
		.device = format("%s", device),
		.driver = driver_of(device),
		.override = override_of(device),
	};
	if (!binding->override)
		die("%s: driver_override cannot be read: %s", device, strerror(errno));
	binding->control_at = no_snoop_find(device, &binding->control);
}

int binding_release(const char *device)
{
	int error = root_write(device, DEVICE "/driver/unbind", device);

	return error == ENOENT ? 0 : error;
}

/* An empty line takes an override away; a write of no bytes would not reach the kernel */
static int set_override(const char *device, const char *override)
{
	return root_write(*override ? override : "\n", DEVICE "/driver_override", device);
}

static int bind_to(const char *device, const char *driver)
{
	char *now;
	int error = root_write(device, "/sys/bus/pci/drivers/%s/bind", driver);

	if (error)
		return error;
	now = driver_of(device);
	if (!now || strcmp(now, driver))
		error = ENODEV;
	free(now);
	return error;
}

void binding_to_vfio(const char *device)
{
	int error = set_override(device, "vfio-pci");

	if (error)
		die("%s: driver_override cannot be written: %s", device, strerror(error));
	error = bind_to(device, "vfio-pci");
	if (error)
		die("%s: vfio-pci does not take it: %s", device, strerror(error));
}

static int told(int error, const char *device, const char *what)
{
	if (!error)
		return 0;
	fprintf(stderr, "kvm-coherency: %s: %s: %s\n", device, what, strerror(error));
	return -1;
}

int binding_restore(const struct binding *binding)
{
	const char *device = binding->device;
	char *driver = driver_of(device), *override;
	int status = 0;
	bool same = driver && binding->driver ? !strcmp(driver, binding->driver) :
						!driver && !binding->driver;

	if (!same && driver)
		status |= told(binding_release(device), device,
			       "it cannot be taken from its driver");
	if (binding->control_at)
		status |= told(no_snoop_restore(device, binding->control_at, binding->control),
			       device, "Enable No Snoop cannot be made as it was");
	override = override_of(device);
	if (!override || strcmp(override, binding->override))
		status |= told(set_override(device, binding->override), device,
			       "driver_override cannot be made as it was");
	if (!same && binding->driver)
		status |= told(bind_to(device, binding->driver), device,
			       "its driver does not take it back");
	free(override);
	free(driver);
	return status;
}
