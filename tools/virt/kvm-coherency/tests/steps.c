// SPDX-License-Identifier: GPL-2.0
/*
 * kvm-coherency try, whole, on a /sys of a test, with KVM, VFIO and iommufd as they should be:
 * a device that is attached makes the guest flush. BENT in the environment has something go
 * another way: "count" (KVM flushes when it should not, and does not when it should), "time"
 * (the times tell nothing) or "bind" (the device cannot be bound).
 */
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../root.h"
#include "../text.h"
#include "pretended.h"
#include "sysfs.h"

/* What debugfs has the VM under, behind the process's number */
#define VM	77

static bool attached;
static unsigned int flushed, ignored;

static bool bent(const char *how)
{
	const char *what = getenv("BENT");

	return what && !strcmp(what, how);
}

static char *debugfs(const char *file)
{
	return format("%s/sys/kernel/debug/kvm/%d-%d/%s", root, getpid(), VM, file);
}

static void tell(const char *file, const char *fmt, ...) __printf(2, 3);
static void tell(const char *file, const char *fmt, ...)
{
	char *path = debugfs(file);
	FILE *to = fopen(path, "w");
	va_list ap;

	if (!to)
		die("%s: %s", path, strerror(errno));
	va_start(ap, fmt);
	vfprintf(to, fmt, ap);
	va_end(ap);
	fclose(to);
	free(path);
}

static void tell_all(void)
{
	tell("noncoherent_dma", "permission: %s\npolicy: follow\nloosest policy: follow\n",
	     attached ? "on" : "off");
	tell("wbinvd_flushed", "%u\n", flushed);
	tell("wbinvd_ignored", "%u\n", ignored);
	tell("noncoherent_dma_edges", "0\n");
}

void __wrap_guardian_start(const struct binding *binding)
{
	sysfs_has(binding);
	__real_guardian_start(binding);
}

void __wrap_guest_open(struct guest *guest)
{
	char *dir = debugfs("");

	guest->vm = VM;
	if (mkdir(dir, 0755))
		die("%s: %s", dir, strerror(errno));
	free(dir);
	tell_all();
}

void __wrap_guest_close(struct guest *guest)
{
	static const char *const files[] = {
		"noncoherent_dma", "wbinvd_flushed", "wbinvd_ignored", "noncoherent_dma_edges", "",
	};
	unsigned int i;

	for (i = 0; guest->vm == VM && i < sizeof(files) / sizeof(*files); i++)
		remove(debugfs(files[i]));
}

void __wrap_guest_add_file(struct guest *guest, int file)
{
	(void)guest;
	(void)file;
}

long long __wrap_guest_execute(struct guest *guest, enum guest_instruction instruction)
{
	(void)guest;
	if (instruction == GUEST_CPUID)
		return 10000;
	if (attached != bent("count"))
		flushed++;
	else
		ignored++;
	tell_all();
	return bent("time") ? 45000 : attached ? 500000 : 11000;
}

void __wrap_assigned_open_iommufd(struct assigned *assigned)
{
	(void)assigned;
}

void __wrap_assigned_open_device(struct assigned *assigned, const char *name)
{
	(void)assigned;
	(void)name;
}

void __wrap_assigned_bind(struct assigned *assigned)
{
	(void)assigned;
	if (bent("bind"))
		die("the device cannot be bound: bent");
}

void __wrap_assigned_attach(struct assigned *assigned, unsigned int ioas)
{
	(void)assigned;
	(void)ioas;
	attached = true;
	tell_all();
}

void __wrap_assigned_detach(struct assigned *assigned)
{
	(void)assigned;
	attached = false;
	tell_all();
}
