// SPDX-License-Identifier: GPL-2.0
/* What would be lost if a PCI device were taken from its driver. */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "in_use.h"
#include "root.h"
#include "text.h"

/* Whatever of a class is below the device: calls @used with its name until it says something */
static char *below(const char *class, const char *device, char *(*used)(const char *name))
{
	DIR *dir = root_dir("/sys/class/%s", class);
	char *part = format("/%s/", device), *words = NULL, *link;
	struct dirent *entry;

	while (dir && !words && (entry = readdir(dir))) {
		link = root_link("/sys/class/%s/%s", class, entry->d_name);
		if (link && strstr(link, part))
			words = used(entry->d_name);
		free(link);
	}
	if (dir)
		closedir(dir);
	free(part);
	return words;
}

/*
 * The kernel lets nobody open a disk exclusively of which a part is mounted, swapped to or
 * belongs to another disk. One that cannot be asked is taken for used.
 */
static char *used_disk(const char *name)
{
	char *path, *partition = root_line("/sys/class/block/%s/partition", name);
	struct stat st;
	int fd;

	if (partition) {
		free(partition);
		return NULL;
	}
	path = format("/dev/%s", name);
	fd = open(path, O_RDONLY | O_EXCL | O_NONBLOCK | O_CLOEXEC);
	free(path);
	/* A drive without medium */
	if (fd < 0 && errno == ENOMEDIUM)
		return NULL;
	if (fd < 0)
		return format("its disk %s is in use (%s)", name, strerror(errno));
	if (fstat(fd, &st) || !S_ISBLK(st.st_mode)) {
		close(fd);
		return format("its disk %s cannot be found in /dev", name);
	}
	close(fd);
	return NULL;
}

static char *used_interface(const char *name)
{
	char *flags = root_line("/sys/class/net/%s/flags", name);
	bool up = flags && strtoul(flags, NULL, 16) & IFF_UP;

	free(flags);
	return up ? format("its network interface %s is up", name) : NULL;
}

static long number(const char *device, const char *name)
{
	char *line = root_line("/sys/bus/pci/devices/%s/%s", device, name);
	long value = line ? strtol(line, NULL, 10) : 0;

	free(line);
	return value;
}

static char *held(const char *device, const struct open_files *files)
{
	char *link = root_link("/sys/bus/pci/devices/%s/iommu_group", device);
	long long group = link ? atoll(last_name(link)) : -1;
	size_t i;

	free(link);
	for (i = 0; i < files->nr; i++) {
		const struct open_file *file = &files->file[i];

		if (file->kind == OPEN_VFIO_DEVICE && !strcmp(file->device, device))
			return format("process %d has it open", file->pid);
		if (file->kind == OPEN_VFIO_GROUP && file->id == group)
			return format("process %d has its group open", file->pid);
	}
	return NULL;
}

char *in_use(const char *device, const struct open_files *files)
{
	char *words = held(device, files);

	if (!words)
		words = below("net", device, used_interface);
	if (!words)
		words = below("block", device, used_disk);
	if (!words && number(device, "sriov_numvfs"))
		words = format("it has virtual functions, which would go");
	if (!words && number(device, "boot_vga"))
		words = format("it has the console");
	return words;
}
