/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Shared by tests of non-coherent DMA: KVM's iommufd device, the policy, and what
 * shows KVM's work: statistics, debugfs and tracepoints.
 */
#ifndef SELFTEST_KVM_NONCOHERENT_DMA_H
#define SELFTEST_KVM_NONCOHERENT_DMA_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/kvm.h>

#include "kvm_util.h"
#include "processor.h"
#include "test_util.h"

static inline int coherency_device_create(struct kvm_vm *vm)
{
	int fd = __kvm_create_device(vm, KVM_DEV_TYPE_IOMMUFD);

	__TEST_REQUIRE(fd >= 0 || errno != ENODEV, "KVM has no iommufd device");
	TEST_ASSERT(fd >= 0, "KVM_CREATE_DEVICE of the iommufd device: %s", strerror(errno));
	return fd;
}

static inline int __coherency_add(int dev, int iommufd)
{
	int32_t fd = iommufd;

	return __kvm_device_attr_set(dev, KVM_DEV_IOMMUFD_FD, KVM_DEV_IOMMUFD_FD_ADD, &fd);
}

static inline void coherency_add(int dev, int iommufd)
{
	TEST_ASSERT(!__coherency_add(dev, iommufd), "FD_ADD: %s", strerror(errno));
}

static inline int __coherency_del(int dev, int iommufd)
{
	int32_t fd = iommufd;

	return __kvm_device_attr_set(dev, KVM_DEV_IOMMUFD_FD, KVM_DEV_IOMMUFD_FD_DEL, &fd);
}

static inline void coherency_del(int dev, int iommufd)
{
	TEST_ASSERT(!__coherency_del(dev, iommufd), "FD_DEL: %s", strerror(errno));
}

static inline void coherency_eventfd(int dev, int eventfd)
{
	int32_t fd = eventfd;

	kvm_device_attr_set(dev, KVM_DEV_IOMMUFD_COHERENCY,
			    KVM_DEV_IOMMUFD_COHERENCY_EVENTFD, &fd);
}

static inline struct kvm_coherency_status coherency_status(int dev)
{
	struct kvm_coherency_status status = { .size = sizeof(status) };

	kvm_device_attr_get(dev, KVM_DEV_IOMMUFD_COHERENCY,
			    KVM_DEV_IOMMUFD_COHERENCY_STATUS, &status);
	TEST_ASSERT(status.size == sizeof(status), "the kernel knows another status");
	return status;
}

static inline int __coherency_policy(struct kvm_vm *vm, uint64_t policy)
{
	return __vm_enable_cap(vm, KVM_CAP_NONCOHERENT_DMA, policy);
}

static inline void coherency_policy(struct kvm_vm *vm, uint64_t policy)
{
	TEST_ASSERT(!__coherency_policy(vm, policy), "policy %lu: %s", policy,
		    strerror(errno));
}

/*
 * Does a VM without permission ignore guest PAT, so that its edges zap and flush? True
 * on VT-x with EPT, and on SVM while the module guest_pat_ignorable is loaded.
 */
static inline bool guest_pat_is_ignored(void)
{
	return host_cpu_is_intel || !access("/sys/module/guest_pat_ignorable", F_OK);
}

/* Returns a value of the binary statistics behind @fd and closes it */
static inline uint64_t stats_fd_read(int fd, const char *name)
{
	struct kvm_stats_header header;
	struct kvm_stats_desc *descs, *desc;
	uint64_t value = 0;
	uint32_t i;

	TEST_ASSERT(fd >= 0, "KVM_GET_STATS_FD: %s", strerror(errno));
	read_stats_header(fd, &header);
	descs = read_stats_descriptors(fd, &header);
	for (i = 0; i < header.num_desc; i++) {
		desc = get_stats_descriptor(descs, i, &header);
		if (strcmp(desc->name, name))
			continue;
		read_stat_data(fd, &header, desc, &value, 1);
		break;
	}
	TEST_ASSERT(i < header.num_desc, "KVM has no statistic \"%s\"", name);
	free(descs);
	close(fd);
	return value;
}

static inline uint64_t vm_stat(struct kvm_vm *vm, const char *name)
{
	return stats_fd_read(vm_get_stats_fd(vm), name);
}

static inline uint64_t vcpu_stat(struct kvm_vcpu *vcpu, const char *name)
{
	return stats_fd_read(vcpu_get_stats_fd(vcpu), name);
}

/* Returns the same from the VM's directory in debugfs, as kvm_stat reads it */
static inline uint64_t debugfs_stat(struct kvm_vm *vm, const char *name)
{
	uint64_t value;
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "/sys/kernel/debug/kvm/%d-%d/%s", getpid(), vm->fd, name);
	file = fopen(path, "r");
	TEST_ASSERT(file, "open %s: %s", path, strerror(errno));
	TEST_ASSERT(fscanf(file, "%lu", &value) == 1, "%s holds no number", path);
	fclose(file);
	return value;
}

/* Does a line of the VM's debugfs file noncoherent_dma begin with this? */
__printf(2, 3)
static inline bool vm_state_has(struct kvm_vm *vm, const char *fmt, ...)
{
	char path[128], start[128], line[128];
	bool found = false;
	va_list ap;
	FILE *file;

	va_start(ap, fmt);
	vsnprintf(start, sizeof(start), fmt, ap);
	va_end(ap);
	snprintf(path, sizeof(path), "/sys/kernel/debug/kvm/%d-%d/noncoherent_dma", getpid(),
		 vm->fd);
	file = fopen(path, "r");
	TEST_ASSERT(file, "open %s: %s", path, strerror(errno));
	while (!found && fgets(line, sizeof(line), file))
		found = !strncmp(line, start, strlen(start));
	fclose(file);
	return found;
}

/* Returns how many VMs there are, of all processes: each has a directory in debugfs */
static inline unsigned int vms_alive(void)
{
	DIR *vms = opendir("/sys/kernel/debug/kvm");
	struct dirent *entry;
	unsigned int nr = 0;

	TEST_ASSERT(vms, "KVM has no directory in debugfs");
	while ((entry = readdir(vms)))
		nr += entry->d_name[0] != '.' && !!strchr(entry->d_name, '-');
	closedir(vms);
	return nr;
}

#define TRACING "/sys/kernel/tracing/"

static inline void trace_write(const char *file, const char *text)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), TRACING "%s", file);
	fd = open(path, O_WRONLY | O_TRUNC);
	TEST_ASSERT(fd >= 0, "open %s: %s", path, strerror(errno));
	TEST_ASSERT(write(fd, text, strlen(text)) == (ssize_t)strlen(text), "write %s: %s", path,
		    strerror(errno));
	close(fd);
}

/* @event is system/name */
static inline void trace_event(const char *event, bool on)
{
	char file[96];

	snprintf(file, sizeof(file), "events/%s/enable", event);
	trace_write(file, on ? "1" : "0");
}

static inline void trace_clear(void)
{
	int fd = open(TRACING "trace", O_WRONLY | O_TRUNC);

	TEST_ASSERT(fd >= 0, "open " TRACING "trace: %s", strerror(errno));
	close(fd);
}

/*
 * Calls @line for every line of the trace that has @event, with the text after the
 * event's name. Returns the number of lines.
 */
static inline unsigned int trace_lines(const char *event,
				       void (*line)(const char *text, void *data), void *data)
{
	unsigned int lines = 0;
	char buf[512], *text;
	char name[64];
	FILE *file;

	snprintf(name, sizeof(name), ": %s: ", event);
	file = fopen(TRACING "trace", "r");
	TEST_ASSERT(file, "open " TRACING "trace: %s", strerror(errno));
	while (fgets(buf, sizeof(buf), file)) {
		text = strstr(buf, name);
		if (buf[0] == '#' || !text)
			continue;
		lines++;
		if (line)
			line(text + strlen(name), data);
	}
	fclose(file);
	return lines;
}

#endif /* SELFTEST_KVM_NONCOHERENT_DMA_H */
