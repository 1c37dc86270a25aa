// SPDX-License-Identifier: GPL-2.0
/*
 * Takes a device as kvm-coherency try does, on a /sys of a test, and is killed on the way:
 * the guardian has to make it as it was. Writing to that /sys does what the kernel would do.
 *
 * killed ROOT DEVICE guarded|released|probing|given|failed|ended
 */
#include <errno.h>
#include <fcntl.h>
#include <pci/pci.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../binding.h"
#include "../guardian.h"
#include "../no_snoop.h"
#include "../root.h"
#include "../text.h"

int __wrap_root_write(const char *text, const char *fmt, ...) __printf(2, 3);

static const char *device;
/* The one that knows the device without being told */
static const char *own_driver;

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
	char *link = format("%s/sys/bus/pci/devices/%s/driver", root, device);
	char *target = format("../../../bus/pci/drivers/%s", driver);
	char *override = root_line("/sys/bus/pci/devices/%s/driver_override", device);
	const char *wanted = strcmp(override, "(null)") ? override : own_driver;
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

static void at(const char *here, const char *wanted)
{
	if (!strcmp(here, wanted))
		kill(getpid(), SIGKILL);
}

int main(int argc, char **argv)
{
	struct binding found;

	if (argc != 4)
		return 3;
	root = argv[1];
	device = argv[2];
	binding_read(&found, device);
	own_driver = found.driver;
	guardian_start(&found);
	at("guarded", argv[3]);
	if (binding_release(device))
		die("it is not released");
	at("released", argv[3]);
	if (found.control_at)
		no_snoop_restore(device, found.control_at, found.control ^ PCI_EXP_DEVCTL_NOSNOOP);
	at("probing", argv[3]);
	printf("%s\n", no_snoop_try(device, found.control_at, found.control));
	binding_to_vfio(device);
	at("given", argv[3]);
	if (!strcmp(argv[3], "failed"))
		exit(1);
	return guardian_end() ? 1 : 0;
}
