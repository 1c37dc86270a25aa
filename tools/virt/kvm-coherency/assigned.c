// SPDX-License-Identifier: GPL-2.0
/*
 * The steps that a VMM takes with a device, by VFIO's device file and iommufd. What they
 * pass is declared here: headers of distributions that are otherwise good enough have
 * nothing of iommufd.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "assigned.h"
#include "root.h"
#include "text.h"

struct bind {
	uint32_t size;
	uint32_t flags;
	int32_t iommufd;
	uint32_t out_id;
};

struct attach {
	uint32_t size;
	uint32_t flags;
	uint32_t page_table;
};

struct detach {
	uint32_t size;
	uint32_t flags;
};

struct ioas_alloc {
	uint32_t size;
	uint32_t flags;
	uint32_t out_id;
};

#define DEVICE_BIND	_IO(';', 118)
#define DEVICE_ATTACH	_IO(';', 119)
#define DEVICE_DETACH	_IO(';', 120)
#define IOAS_ALLOC	_IO(';', 0x81)

#define NO_FILE		"%s: VFIO has no file of its own for it: the kernel is without CONFIG_VFIO_DEVICE_CDEV"
#define REFUSED		"the device cannot be attached: %s: the policy may forbid non-coherent DMA, or interrupts cannot be remapped"

void assigned_open_iommufd(struct assigned *assigned)
{
	unsigned int i;

	assigned->iommufd = open("/dev/iommu", O_RDWR | O_CLOEXEC);
	if (assigned->iommufd < 0)
		die("/dev/iommu: %s: modprobe iommufd", strerror(errno));
	for (i = 0; i < 2; i++) {
		struct ioas_alloc alloc = { .size = sizeof(alloc) };

		if (ioctl(assigned->iommufd, IOAS_ALLOC, &alloc))
			die("no address space: %s", strerror(errno));
		assigned->ioas[i] = alloc.out_id;
	}
}

/* The name of its file; NULL if it has none */
static char *file_name(const char *device)
{
	DIR *dir = root_dir("/sys/bus/pci/devices/%s/vfio-dev", device);
	struct dirent *entry;
	char *name = NULL;

	if (!dir)
		return NULL;
	while (!name && (entry = readdir(dir)))
		if (!strncmp(entry->d_name, "vfio", 4))
			name = format("/dev/vfio/devices/%s", entry->d_name);
	closedir(dir);
	return name;
}

void assigned_open_device(struct assigned *assigned, const char *device)
{
	char *name = file_name(device);

	if (!name)
		die(NO_FILE, device);
	assigned->device = open(name, O_RDWR | O_CLOEXEC);
	if (assigned->device < 0)
		die("%s: %s", name, errno == EBUSY ? "the device is in use" : strerror(errno));
	free(name);
}

void assigned_bind(struct assigned *assigned)
{
	struct bind bind = { .size = sizeof(bind), .iommufd = assigned->iommufd };

	if (!ioctl(assigned->device, DEVICE_BIND, &bind))
		return;
	if (errno == EBUSY)
		die("the device cannot be bound: it, or another one of its group, is in use");
	die("the device cannot be bound: %s", strerror(errno));
}

void assigned_attach(struct assigned *assigned, unsigned int ioas)
{
	struct attach attach = { .size = sizeof(attach), .page_table = assigned->ioas[ioas] };

	if (!ioctl(assigned->device, DEVICE_ATTACH, &attach))
		return;
	if (errno == EPERM)
		die(REFUSED, strerror(errno));
	die("the device cannot be attached: %s", strerror(errno));
}

void assigned_detach(struct assigned *assigned)
{
	struct detach detach = { .size = sizeof(detach) };

	if (ioctl(assigned->device, DEVICE_DETACH, &detach))
		die("the device cannot be detached: %s", strerror(errno));
}

void assigned_close_device(struct assigned *assigned)
{
	if (assigned->device >= 0)
		close(assigned->device);
	assigned->device = -1;
}

void assigned_close(struct assigned *assigned)
{
	assigned_close_device(assigned);
	if (assigned->iommufd >= 0)
		close(assigned->iommufd);
	assigned->iommufd = -1;
}
