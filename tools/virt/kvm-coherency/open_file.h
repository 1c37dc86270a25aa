/* SPDX-License-Identifier: GPL-2.0 */
#ifndef OPEN_FILE_H
#define OPEN_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum open_kind {
	OPEN_VM,
	OPEN_VCPU,
	OPEN_IOMMUFD,
	OPEN_VFIO_DEVICE,
	OPEN_VFIO_GROUP,
};

/**
 * struct open_file - A descriptor of a process that has to do with VMs or their devices
 * @pid: Process
 * @fd: Descriptor
 * @kind: What it is of
 * @id: Of a vCPU its number, of an iommufd its coherency-id, of a group its number, or -1
 *	if it is unknown
 * @device: Of a VFIO device the name that sysfs has of it, else NULL
 */
struct open_file {
	pid_t pid;
	int fd;
	enum open_kind kind;
	long long id;
	char *device;
};

/**
 * struct open_files - All of them
 * @file: In the order of processes
 * @nr: How many
 * @closed: How many processes do not let themselves be looked into
 */
struct open_files {
	struct open_file *file;
	size_t nr;
	unsigned int closed;
};

void open_files_read(struct open_files *files);
void open_files_free(struct open_files *files);

/* Says on stderr that there may be more */
void open_files_warn(const struct open_files *files);

/* Are two descriptors of one open file? No, if the kernel does not tell. */
bool open_files_same(const struct open_file *a, const struct open_file *b);

#endif
