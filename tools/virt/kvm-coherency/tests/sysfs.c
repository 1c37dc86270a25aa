// SPDX-License-Identifier: GPL-2.0
/* What the kernel does when a driver is taken from a device or given to it, on a /sys of a test. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../binding.h"
#include "../root.h"
#include "../text.h"
#include "sysfs.h"

static const struct binding *found;

void sysfs_has(const struct binding *binding)
{
	found = binding;
}

static int store(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	if (!file)
		return errno;
	fprintf(file, "%s\n", *text == '\n' ? "(null)" : text);
	fclose(file);
	return 0;
}

/* As the kernel, which goes by the override, and without one by what a driver knows */
static int bind(const char *driver)
{
	char *link = format("%s/sys/bus/pci/devices/%s/driver", root, found->device);
	char *target = format("../../../bus/pci/drivers/%s", driver);
	char *override = root_line("/sys/bus/pci/devices/%s/driver_override", found->device);
	const char *wanted = strcmp(override, "(null)") ? override : found->driver;
	int error = ENODEV;

	if (wanted && !strcmp(wanted, driver))
		error = symlink(target, link) ? errno : 0;
	return error;
}

int __wrap_root_write(const char *text, const char *fmt, ...)
{
	char *path, *name;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&path, fmt, ap) < 0)
		die("out of memory");
	va_end(ap);
	name = format("%s%s", root, path);
	if (!strcmp(last_name(path), "driver_override"))
		return store(name, text);
	*strrchr(path, '/') = 0;
	if (!strcmp(last_name(name), "bind"))
		return bind(last_name(path));
	*strrchr(name, '/') = 0;
	return unlink(name) ? errno : 0;
}
