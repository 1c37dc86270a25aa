// SPDX-License-Identifier: GPL-2.0
/*
 * Who holds VMs, iommufds and VFIO's files open.
 *
 * What a descriptor is of is told by the number of its character device, which /sys/dev
 * translates: the text of the link under /proc/PID/fd is a path as the process sees it,
 * which in a chroot or a container can be any. Files without inode of their own, as VMs,
 * have a text that no path can be.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "open_file.h"
#include "root.h"
#include "text.h"

/* Is it the link to, or the path of, a directory @name with a number behind it? */
static bool numbered(const char *path, const char *name, long long *number)
{
	size_t length = strlen(name);
	char *end;

	path = last_name(path);
	if (strncmp(path, name, length) || !isdigit((unsigned char)path[length]))
		return false;
	*number = strtoll(path + length, &end, 10);
	return !*end;
}

/* The name of the directory that @levels are above the end of @path, NULL if none is */
static char *above(const char *path, unsigned int levels)
{
	char *copy = format("%s", path), *name = NULL, *slash;

	for (;;) {
		slash = strrchr(copy, '/');
		if (!slash)
			break;
		if (!levels--) {
			name = format("%s", slash + 1);
			break;
		}
		*slash = 0;
	}
	free(copy);
	return name;
}

static bool above_is(const char *path, const char *name)
{
	char *parent = above(path, 1);
	bool same = parent && !strcmp(parent, name);

	free(parent);
	return same;
}

/* By where sysfs has the character device; false if it is none of interest */
static bool classify_device(unsigned int major, unsigned int minor, struct open_file *file)
{
	char *path = root_link("/sys/dev/char/%u:%u", major, minor);
	bool found = true;

	if (!path)
		return false;
	if (above_is(path, "misc") && !strcmp(last_name(path), "iommu")) {
		file->kind = OPEN_IOMMUFD;
	} else if (above_is(path, "vfio-dev") && numbered(path, "vfio", &file->id)) {
		file->kind = OPEN_VFIO_DEVICE;
		file->device = above(path, 2);
		found = file->device;
	} else if (above_is(path, "vfio") &&
		   (numbered(path, "", &file->id) || numbered(path, "noiommu-", &file->id))) {
		file->kind = OPEN_VFIO_GROUP;
	} else {
		found = false;
	}
	free(path);
	return found;
}

static bool classify(struct open_file *file)
{
	char *text = root_link("/proc/%d/fd/%d", file->pid, file->fd);
	bool is_path, found = false;
	struct statx st;
	char *path;

	if (!text)
		return false;
	is_path = strncmp(text, "anon_inode:", 11);
	if (!strcmp(text, "anon_inode:kvm-vm")) {
		file->kind = OPEN_VM;
		found = true;
	} else if (!is_path && numbered(text + 11, "kvm-vcpu:", &file->id)) {
		file->kind = OPEN_VCPU;
		found = true;
	}
	free(text);
	if (!is_path)
		return found;

	/* Does not ask a server which may be gone */
	path = format("%s/proc/%d/fd/%d", root, file->pid, file->fd);
	if (!statx(AT_FDCWD, path, AT_STATX_DONT_SYNC, STATX_TYPE, &st) && S_ISCHR(st.stx_mode))
		found = classify_device(st.stx_rdev_major, st.stx_rdev_minor, file);
	free(path);
	if (found && file->kind == OPEN_IOMMUFD)
		file->id = root_number("coherency-id:", "/proc/%d/fdinfo/%d", file->pid,
				       file->fd);
	return found;
}

static void add(struct open_files *files, const struct open_file *file)
{
	struct open_file *more;

	more = reallocarray(files->file, files->nr + 1, sizeof(*more));
	if (!more)
		die("out of memory");
	more[files->nr++] = *file;
	files->file = more;
}

static bool is_number(const char *name)
{
	return *name && name[strspn(name, "0123456789")] == 0;
}

static void read_process(struct open_files *files, pid_t pid)
{
	DIR *dir = root_dir("/proc/%d/fd", pid);
	struct dirent *entry;

	if (!dir) {
		/* One that has ended meanwhile is not of interest */
		if (errno == EACCES || errno == EPERM)
			files->closed++;
		return;
	}
	while ((entry = readdir(dir))) {
		struct open_file file = { .pid = pid, .fd = atoi(entry->d_name), .id = -1 };

		if (is_number(entry->d_name) && classify(&file))
			add(files, &file);
	}
	closedir(dir);
}

static int compare(const void *a, const void *b)
{
	const struct open_file *x = a, *y = b;

	return x->pid != y->pid ? (x->pid > y->pid) - (x->pid < y->pid) :
				  (x->fd > y->fd) - (x->fd < y->fd);
}

void open_files_read(struct open_files *files)
{
	DIR *dir = root_dir("/proc");
	struct dirent *entry;

	*files = (struct open_files){};
	if (!dir)
		die("%s/proc: %s", root, strerror(errno));
	while ((entry = readdir(dir)))
		if (is_number(entry->d_name))
			read_process(files, atoi(entry->d_name));
	closedir(dir);
	if (files->nr)
		qsort(files->file, files->nr, sizeof(*files->file), compare);
}

void open_files_free(struct open_files *files)
{
	size_t i;

	for (i = 0; i < files->nr; i++)
		free(files->file[i].device);
	free(files->file);
}

void open_files_warn(const struct open_files *files)
{
	if (files->closed)
		fprintf(stderr, "kvm-coherency: %u processes cannot be looked into\n",
			files->closed);
}

bool open_files_same(const struct open_file *a, const struct open_file *b)
{
	return !syscall(SYS_kcmp, a->pid, b->pid, KCMP_FILE, a->fd, b->fd);
}
