// SPDX-License-Identifier: GPL-2.0
/*
 * A VM whose permission is checked by every interface that reports it.
 */
#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <unistd.h>

#include "coherency_vm.h"
#include "kvm_util.h"
#include "oracle.h"
#include "processor.h"
#include "test_util.h"
#include "ucall_common.h"
#include "vfio_edu.h"

static void guest_code(void)
{
	int i;

	for (;;) {
		for (i = 0; i < COHERENCY_NR_WBINVD; i++)
			asm volatile("wbinvd" : : : "memory");
		GUEST_SYNC(0);
	}
}

void coherency_vm_create(struct coherency_vm *c)
{
	cpu_set_t cpu;
	int ret;

	CPU_ZERO(&cpu);
	CPU_SET(0, &cpu);
	ret = sched_setaffinity(0, sizeof(cpu), &cpu);
	TEST_ASSERT(!ret, "sched_setaffinity failed");

	*c = (struct coherency_vm){};
	c->vm = vm_create_with_one_vcpu(&c->vcpu, guest_code);
	c->device = kvm_create_device(c->vm, KVM_DEV_TYPE_IOMMUFD);
	c->eventfd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	TEST_ASSERT(c->eventfd >= 0, "eventfd failed");
	ret = __coherency_device_eventfd(c->device, c->eventfd);
	TEST_ASSERT(!ret, KVM_IOCTL_ERROR(KVM_DEV_IOMMUFD_COHERENCY_EVENTFD, ret));
}

void coherency_device_close(struct coherency_vm *c)
{
	TEST_ASSERT(!close(c->device), "close of KVM's iommufd device failed");
	c->device = -1;
	c->nr_iommufds = 0;
}

void coherency_vm_destroy(struct coherency_vm *c)
{
	if (c->device >= 0)
		coherency_device_close(c);
	kvm_vm_free(c->vm);
	close(c->eventfd);
	c->vm = NULL;
}

/*
 * flock() locks a file, not an fd: the lock lasts until the last reference to the file
 * is dropped, whoever holds it.
 */
static void lock_file(int fd, const char *what)
{
	TEST_ASSERT(!flock(fd, LOCK_EX | LOCK_NB), "Somebody still holds %s", what);
}

/* KVM's debugfs has a directory for each VM until its last reference is dropped */
static void expect_no_vm(void)
{
	struct dirent *entry;
	char start[16];
	DIR *dir;

	snprintf(start, sizeof(start), "%d-", getpid());
	dir = opendir("/sys/kernel/debug/kvm");
	TEST_ASSERT(dir, "KVM is not in debugfs");
	while ((entry = readdir(dir)))
		TEST_ASSERT(strncmp(entry->d_name, start, strlen(start)),
			    "Somebody still holds the VM %s", entry->d_name);
	closedir(dir);
}

void coherency_fixture_create(struct coherency_fixture *f)
{
	coherency_vm_create(&f->c);
	f->iommufd = iommufd_open();
	lock_file(f->iommufd, "an iommufd");
	f->ioas = iommufd_ioas_alloc(f->iommufd);
	f->mem = iommufd_ioas_map(f->iommufd, f->ioas);
	vfio_edu_open(&f->edu, 0);
	lock_file(f->edu.fd, "a VFIO device");
	vfio_edu_bind(&f->edu, f->iommufd);
	f->watches = iommufd_watches(f->iommufd);
}

void coherency_fixture_destroy(struct coherency_fixture *f)
{
	if (f->c.vm)
		coherency_vm_destroy(&f->c);
	if (f->edu.fd >= 0)
		vfio_edu_close(&f->edu);
	if (f->iommufd >= 0)
		close(f->iommufd);

	expect_no_vm();
	f->iommufd = iommufd_open();
	lock_file(f->iommufd, "the iommufd");
	close(f->iommufd);
	vfio_edu_open(&f->edu, 0);
	lock_file(f->edu.fd, "the VFIO device");
	vfio_edu_close(&f->edu);
}

static int set_fd(struct coherency_vm *c, u64 attr, int fd)
{
	return __kvm_device_attr_set(c->device, KVM_DEV_IOMMUFD_FD, attr, &fd);
}

int __coherency_vm_add(struct coherency_vm *c, int iommufd)
{
	int ret = set_fd(c, KVM_DEV_IOMMUFD_FD_ADD, iommufd);

	if (!ret)
		c->nr_iommufds++;
	return ret;
}

void coherency_vm_add(struct coherency_vm *c, int iommufd)
{
	int ret = __coherency_vm_add(c, iommufd);

	TEST_ASSERT(!ret, KVM_IOCTL_ERROR(KVM_DEV_IOMMUFD_FD_ADD, ret));
}

int __coherency_vm_del(struct coherency_vm *c, int iommufd)
{
	int ret = set_fd(c, KVM_DEV_IOMMUFD_FD_DEL, iommufd);

	if (!ret)
		c->nr_iommufds--;
	return ret;
}

void coherency_vm_del(struct coherency_vm *c, int iommufd)
{
	int ret = __coherency_vm_del(c, iommufd);

	TEST_ASSERT(!ret, KVM_IOCTL_ERROR(KVM_DEV_IOMMUFD_FD_DEL, ret));
}

int __coherency_vm_policy(struct coherency_vm *c, u64 policy)
{
	int ret = __vm_enable_cap(c->vm, KVM_CAP_NONCOHERENT_DMA, policy);

	if (!ret)
		c->policy = policy;
	return ret;
}

void coherency_vm_policy(struct coherency_vm *c, u64 policy)
{
	int ret = __coherency_vm_policy(c, policy);

	TEST_ASSERT(!ret, KVM_IOCTL_ERROR(KVM_ENABLE_CAP, ret));
}

int __coherency_device_eventfd(int device, int eventfd)
{
	return __kvm_device_attr_set(device, KVM_DEV_IOMMUFD_COHERENCY,
				     KVM_DEV_IOMMUFD_COHERENCY_EVENTFD, &eventfd);
}

struct kvm_coherency_status coherency_device_status(int device)
{
	struct kvm_coherency_status status = { .size = sizeof(status) };

	kvm_device_attr_get(device, KVM_DEV_IOMMUFD_COHERENCY,
			    KVM_DEV_IOMMUFD_COHERENCY_STATUS, &status);
	TEST_ASSERT(status.size == sizeof(status), "KVM wrote %u bytes of status", status.size);
	return status;
}

u64 coherency_eventfd_read(int eventfd)
{
	u64 events;

	if (read(eventfd, &events, sizeof(events)) == sizeof(events))
		return events;
	TEST_ASSERT(errno == EAGAIN, "read of an eventfd failed");
	return 0;
}

u64 coherency_stat(int fd, const char *name)
{
	struct kvm_stats_desc *descs, *desc;
	struct kvm_stats_header header;
	u64 val;
	bool found;
	int stats;
	int i;

	/* Not cached: an fd for statistics holds its VM */
	stats = ioctl(fd, KVM_GET_STATS_FD, NULL);
	TEST_ASSERT(stats >= 0, KVM_IOCTL_ERROR(KVM_GET_STATS_FD, stats));
	read_stats_header(stats, &header);
	descs = read_stats_descriptors(stats, &header);
	for (i = 0, found = false; i < header.num_desc && !found; i++) {
		desc = get_stats_descriptor(descs, i, &header);
		found = !strcmp(desc->name, name);
		if (found)
			read_stat_data(stats, &header, desc, &val, 1);
	}
	TEST_ASSERT(found, "KVM has no statistic %s", name);
	free(descs);
	close(stats);
	return val;
}

void coherency_vm_run(struct coherency_vm *c)
{
	struct ucall uc;

	vcpu_run(c->vcpu);
	if (get_ucall(c->vcpu, &uc) == UCALL_ABORT)
		REPORT_GUEST_ASSERT(uc);
	TEST_ASSERT(uc.cmd == UCALL_SYNC, "The guest made ucall %lu", uc.cmd);
}

static void check(const char *name, const char *what, u64 seen, u64 expected)
{
	TEST_ASSERT(seen == expected, "%s: %s is %lu and should be %lu", name, what,
		    (unsigned long)seen, (unsigned long)expected);
}

static void check_stat(const char *name, int fd, const char *stat, u64 expected)
{
	check(name, stat, coherency_stat(fd, stat), expected);
}

static void check_state(struct coherency_vm *c, bool on, const char *name)
{
	struct kvm_coherency_status status;
	u32 flags = 0;

	if (on)
		flags |= KVM_COHERENCY_NONCOHERENT;
	if (on && c->policy != KVM_NONCOHERENT_DMA_NO_WBINVD)
		flags |= KVM_COHERENCY_WBINVD;

	if (c->device >= 0) {
		status = coherency_device_status(c->device);
		check(name, "status.flags", status.flags, flags);
		check(name, "status.policy", status.policy, c->policy);
		check(name, "status.nr_iommufds", status.nr_iommufds, c->nr_iommufds);
		check(name, "status.edges", status.edges, c->edges);
		check(name, "status.wbinvd_flushed", status.wbinvd_flushed, c->flushed);
		check(name, "status.wbinvd_ignored", status.wbinvd_ignored, c->ignored);
	}
	if (c->vm->fd >= 0) {
		check_stat(name, c->vm->fd, "noncoherent_dma_permission", on);
		check_stat(name, c->vm->fd, "noncoherent_dma_edges", c->edges);
	}
	check_stat(name, c->vcpu->fd, "wbinvd_flushed", c->flushed);
	check_stat(name, c->vcpu->fd, "wbinvd_ignored", c->ignored);
}

static unsigned int new_phase(void)
{
	static unsigned int id;

	return ++id;
}

void coherency_vm_expect(struct coherency_vm *c, bool on, unsigned int edges,
			 const char *fmt, ...)
{
	bool flushes;
	char name[200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(name, sizeof(name), fmt, ap);
	va_end(ap);

	if (!vfio_edu_is_noncoherent()) {
		on = false;
		edges = 0;
	}
	flushes = on && c->policy != KVM_NONCOHERENT_DMA_NO_WBINVD;

	c->edges += edges;
	check(name, "eventfd", coherency_eventfd_read(c->eventfd), edges);
	check_state(c, on, name);

	oracle_phase_guest(new_phase(), flushes ? COHERENCY_NR_WBINVD : 0, COHERENCY_NR_WBINVD,
			   "%s", name);
	coherency_vm_run(c);
	oracle_end();

	if (flushes)
		c->flushed += COHERENCY_NR_WBINVD;
	else
		c->ignored += COHERENCY_NR_WBINVD;
	check(name, "eventfd", coherency_eventfd_read(c->eventfd), 0);
	check_state(c, on, name);
}

void coherency_quiet_begin(bool running, const char *fmt, ...)
{
	char name[200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(name, sizeof(name), fmt, ap);
	va_end(ap);
	if (running)
		oracle_phase(new_phase(), 0, "%s", name);
	else
		oracle_phase_guest(new_phase(), 0, 0, "%s", name);
}

void coherency_quiet_end(void)
{
	oracle_end();
}
