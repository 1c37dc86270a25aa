// SPDX-License-Identifier: GPL-2.0
/*
 * A VFIO device without an IOMMU of its own whose driver lets a device do DMA to pinned
 * pages, as kvmgt does: its VM has permission exactly while the device has an IOAS,
 * through its cdev or its group, and until the driver has unpinned the last page.
 *
 * Each test is a process of its own. In each step of a test the guest executes 100
 * WBINVDs, and the test declares to the oracle how many the host has to carry out.
 *
 * Needs the module of tools/testing/selftests/vfio/modules, and snoop=off in the
 * environment: no IOMMU can make such DMA coherent.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/iommufd.h>
#include <linux/vfio.h>

#include "../../vfio/modules/emulated_dma.h"
#include "kvm_util.h"
#include "noncoherent_dma.h"
#include "test_util.h"
#include "vfio_edu.h"
#include "vfio_vm.h"

#define DEVICE	"/sys/bus/platform/devices/" EMULATED_DMA_NAME

static int bind(int fd, int iommufd)
{
	struct vfio_device_bind_iommufd bind = { .argsz = sizeof(bind), .iommufd = iommufd };

	return ioctl(fd, VFIO_DEVICE_BIND_IOMMUFD, &bind);
}

static int attach(int fd, uint32_t ioas)
{
	struct vfio_device_attach_iommufd_pt attach = { .argsz = sizeof(attach), .pt_id = ioas };

	return ioctl(fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach);
}

static void detach(int fd)
{
	struct vfio_device_detach_iommufd_pt detach = { .argsz = sizeof(detach) };

	TEST_ASSERT(!ioctl(fd, VFIO_DEVICE_DETACH_IOMMUFD_PT, &detach),
		    "VFIO_DEVICE_DETACH_IOMMUFD_PT: %s", strerror(errno));
}

static void pin(int fd)
{
	uint64_t iova = VFIO_EDU_IOVA;

	TEST_ASSERT(!ioctl(fd, EMULATED_DMA_PIN, &iova), "EMULATED_DMA_PIN: %s", strerror(errno));
}

static uint64_t unpinned(int fd)
{
	uint64_t ns;

	TEST_ASSERT(!ioctl(fd, EMULATED_DMA_UNPINNED, &ns), "EMULATED_DMA_UNPINNED: %s",
		    strerror(errno));
	return ns;
}

/* Returns when permission went off, in us of the trace's clock. It has to be one edge. */
static uint64_t permission_off(void)
{
	unsigned long sec, usec;
	char line[512], *name;
	uint64_t off = 0;
	FILE *file;

	file = fopen(TRACING "trace", "r");
	TEST_ASSERT(file, "open " TRACING "trace: %s", strerror(errno));
	while (fgets(line, sizeof(line), file)) {
		name = strstr(line, ": kvm_noncoherent_dma: ");
		if (!name || !strstr(name, "permission=off"))
			continue;
		*name = 0;
		TEST_ASSERT(sscanf(strrchr(line, ' '), "%lu.%lu", &sec, &usec) == 2,
			    "no time in the trace: %s", line);
		TEST_ASSERT(!off, "permission went off twice");
		off = sec * 1000000 + usec;
	}
	fclose(file);
	TEST_ASSERT(off, "permission did not go off");
	return off;
}

static void trace_begin(void)
{
	trace_write("trace_clock", "mono");
	trace_clear();
	trace_event("kvm/kvm_noncoherent_dma", true);
}

/* Checks that permission went off, but not before @ns */
static void trace_end(uint64_t ns)
{
	uint64_t off;

	trace_event("kvm/kvm_noncoherent_dma", false);
	off = permission_off();
	TEST_ASSERT(ns, "nothing was pinned");
	TEST_ASSERT(off >= ns / 1000, "permission went off %lu us before the page was given back",
		    ns / 1000 - off);
}

/* The IOAS of a group's container */
static uint32_t compat_ioas(int iommufd)
{
	struct iommu_vfio_ioas cmd = { .size = sizeof(cmd), .op = IOMMU_VFIO_IOAS_GET };

	TEST_ASSERT(!ioctl(iommufd, IOMMU_VFIO_IOAS, &cmd), "IOMMU_VFIO_IOAS: %s", strerror(errno));
	return cmd.ioas_id;
}

static void test_cdev(void)
{
	struct vfio_vm v = vfio_vm_open(), by_iommufd = vfio_vm_open();
	int fd = vfio_device_open(DEVICE), kvm_iommufd;
	struct iommu iommu = iommu_open();

	kvm_iommufd = coherency_device_create(by_iommufd.vm);
	coherency_add(kvm_iommufd, iommu.fd);
	iommufd_ioas_map(iommu.fd, iommu.ioas[0]);
	vfio_vm_add(&v, fd);
	vfio_vm_step(&v, false, "FILE_ADD unbound");
	TEST_ASSERT(!bind(fd, iommu.fd), "BIND: %s", strerror(errno));
	vfio_vm_step(&v, false, "bound");
	ASSERT_ERRNO(attach(fd, UINT32_MAX), ENOENT);
	vfio_vm_step(&v, false, "ATTACH that fails");
	TEST_ASSERT(!attach(fd, iommu.ioas[0]), "ATTACH: %s", strerror(errno));
	vfio_vm_step(&v, true, "attached");
	vfio_vm_step(&by_iommufd, true, "attached, a VM that has the iommufd");
	ASSERT_ERRNO(attach(fd, UINT32_MAX), ENOENT);
	vfio_vm_step(&v, true, "replacement that fails");
	TEST_ASSERT(!attach(fd, iommu.ioas[1]), "ATTACH: %s", strerror(errno));
	vfio_vm_step(&v, true, "replaced");
	TEST_ASSERT(!attach(fd, iommu.ioas[0]), "ATTACH: %s", strerror(errno));

	/* Only @v loses permission by the detach below, so the trace has one edge */
	close(kvm_iommufd);
	vfio_vm_step(&by_iommufd, false, "KVM's iommufd device closed");
	pin(fd);
	trace_begin();
	detach(fd);
	trace_end(unpinned(fd));
	vfio_vm_step(&v, false, "detached");
	vfio_vm_close(&v);
	vfio_vm_close(&by_iommufd);
	close(fd);
}

static int group_open(void)
{
	char path[64], target[256] = {};

	TEST_ASSERT(readlink(DEVICE "/iommu_group", target, sizeof(target) - 1) > 0,
		    DEVICE "/iommu_group: %s", strerror(errno));
	snprintf(path, sizeof(path), "/dev/vfio/%s", strrchr(target, '/') + 1);
	return open_path_or_exit(path, O_RDWR);
}

static int group_device(int group)
{
	int fd = ioctl(group, VFIO_GROUP_GET_DEVICE_FD, EMULATED_DMA_NAME);

	TEST_ASSERT(fd >= 0, "VFIO_GROUP_GET_DEVICE_FD: %s", strerror(errno));
	return fd;
}

/* The device is closed while attached: VFIO unbinds it, which detaches it */
static void test_group(void)
{
	struct vfio_vm v = vfio_vm_open();
	int group, fd, other, iommufd;
	uint64_t ns;

	group = group_open();
	iommufd = iommufd_open();
	vfio_group_set_container(group, iommufd);
	vfio_vm_add(&v, group);
	vfio_vm_step(&v, false, "group in an iommufd's container");
	fd = group_device(group);
	vfio_vm_step(&v, true, "device opened by its group");
	iommufd_ioas_map(iommufd, compat_ioas(iommufd));
	pin(fd);

	trace_begin();
	close(fd);
	/* The file is closed: ask through another one when the page was unpinned */
	other = group_device(group);
	ns = unpinned(other);
	trace_end(ns);
	close(other);
	vfio_vm_step(&v, false, "device closed");
	vfio_vm_close(&v);
	close(group);
	close(iommufd);
}

/* The last file to be closed was opened when the group was in another container */
static void test_container(void)
{
	struct vfio_vm v = vfio_vm_open();
	int group, first, last, iommufd, container;

	group = group_open();
	iommufd = iommufd_open();
	vfio_group_set_container(group, iommufd);
	vfio_vm_add(&v, group);
	first = group_device(group);
	vfio_vm_step(&v, true, "opened in an iommufd's container");
	TEST_ASSERT(!ioctl(group, VFIO_GROUP_UNSET_CONTAINER), "VFIO_GROUP_UNSET_CONTAINER: %s",
		    strerror(errno));
	container = vfio_group_type1(group);
	last = group_device(group);
	close(first);
	TEST_ASSERT(iommufd_fdinfo(iommufd, "noncoherent-attachments") == 1,
		    "the first of two files to be closed has detached the device");
	close(last);
	TEST_ASSERT(!iommufd_fdinfo(iommufd, "noncoherent-attachments"),
		    "a device that is closed is still attached");
	TEST_ASSERT(!ioctl(group, VFIO_GROUP_UNSET_CONTAINER), "VFIO_GROUP_UNSET_CONTAINER: %s",
		    strerror(errno));
	vfio_vm_step(&v, false, "closed in a type1 container");

	vfio_group_set_container(group, iommufd);
	last = group_device(group);
	vfio_vm_step(&v, true, "opened in an iommufd's container again");
	close(last);
	vfio_vm_close(&v);
	close(container);
	close(group);
	close(iommufd);
}

static void test_forbid(void)
{
	struct vfio_vm v = vfio_vm_open(), other = vfio_vm_open();
	int fd = vfio_device_open(DEVICE);
	struct iommu iommu = iommu_open();

	coherency_policy(v.vm, KVM_NONCOHERENT_DMA_FORBID);
	vfio_vm_add(&other, fd);
	vfio_vm_add(&v, fd);
	TEST_ASSERT(!bind(fd, iommu.fd), "BIND: %s", strerror(errno));
	ASSERT_ERRNO(attach(fd, iommu.ioas[0]), EPERM);
	vfio_vm_step(&v, false, "attach is refused");
	vfio_vm_step(&other, false, "another VM with the file sees nothing of that");
	coherency_policy(v.vm, KVM_NONCOHERENT_DMA_FOLLOW);
	TEST_ASSERT(!attach(fd, iommu.ioas[0]), "ATTACH: %s", strerror(errno));
	vfio_vm_step(&v, true, "attached under FOLLOW");
	vfio_vm_close(&v);
	vfio_vm_close(&other);
	close(fd);
}

static void declare_coherent(const char *value)
{
	int fd = open("/sys/module/emulated_dma/parameters/coherent", O_WRONLY);

	TEST_ASSERT(fd >= 0 && write(fd, value, 1) == 1, "coherent=%s: %s", value, strerror(errno));
	close(fd);
}

/* If the driver declares that its DMA snoops, it gives no permission, and is not refused */
static void test_coherent(void)
{
	struct vfio_vm v = vfio_vm_open(), forbids = vfio_vm_open();
	int fd = vfio_device_open(DEVICE);
	struct iommu iommu = iommu_open();

	coherency_policy(forbids.vm, KVM_NONCOHERENT_DMA_FORBID);
	vfio_vm_add(&v, fd);
	vfio_vm_add(&forbids, fd);
	declare_coherent("1");
	TEST_ASSERT(!bind(fd, iommu.fd), "BIND: %s", strerror(errno));
	declare_coherent("0");
	TEST_ASSERT(!attach(fd, iommu.ioas[0]), "ATTACH: %s", strerror(errno));
	vfio_vm_step(&v, false, "attached, declared coherent");
	vfio_vm_step(&forbids, false, "attached, declared coherent, a VM that forbids");
	detach(fd);
	vfio_vm_step(&v, false, "detached, declared coherent");
	vfio_vm_close(&v);
	vfio_vm_close(&forbids);
	close(fd);
}

static const struct step_test tests[] = {
	{ "cdev", test_cdev },
	{ "group", test_group },
	{ "container", test_container },
	{ "FORBID", test_forbid },
	{ "declared coherent", test_coherent },
};

int main(void)
{
	return run_tests(tests, ARRAY_SIZE(tests));
}
