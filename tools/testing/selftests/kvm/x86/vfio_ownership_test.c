// SPDX-License-Identifier: GPL-2.0
/*
 * Who owns a device, as agreed in the debate that led to iommufd, shown on real
 * devices: binding is the contract, the group is the unit, the fd is the proof.
 * The name of a test is the rule that it shows.
 *
 * The machine has an edu device in a group of its own (device 0), and behind a
 * PCIe-to-PCI bridge, in one group, two more (1 and 2) and a virtio device.
 *
 * Memory shows whether DMA succeeded, and so do the faults that the emulated IOMMU
 * reports, since no two attempts use the same address. The test prints the expected
 * result of each attempt:
 *
 *   dma: blocked|allowed IOVA WHAT
 *
 * Usage: vfio_ownership_test, with snoop=on or snoop=off in the environment (can the
 * IOMMU enforce coherency?), and bridged=no if the emulated IOMMU lets no DMA through
 * from behind the bridge.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/vfio.h>

#include "kvm_util.h"
#include "test_util.h"
#include "vfio_edu.h"
#include "vfio_vm.h"

#define ALONE		0
#define BRIDGED_1	1
#define BRIDGED_2	2

#define NOBODY		65534

#define HOST_DRIVER	"/sys/bus/pci/drivers/virtio-pci"

static uint64_t *last_iova;

static uint64_t new_iova(void)
{
	return *last_iova += 0x10000;
}

static void *memory(void)
{
	void *mem = mmap(NULL, VFIO_EDU_MEM_SIZE, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	TEST_ASSERT(mem != MAP_FAILED, "mmap failed");
	return mem;
}

static void *map(struct iommu *iommu, int n, uint64_t iova)
{
	void *mem = memory();

	TEST_ASSERT(!__iommufd_ioas_map(iommu->fd, iommu->ioas[n], mem, VFIO_EDU_MEM_SIZE, iova),
		    "IOMMU_IOAS_MAP failed");
	return mem;
}

static void try_dma(bool allowed, struct vfio_edu *edu, void *mem, uint64_t iova,
		    const char *what)
{
	bool reached = vfio_edu_reaches(edu, mem, iova);

	TEST_ASSERT(reached == allowed, "%s: DMA %s", what,
		    reached ? "arrives" : "does not arrive");
	printf("dma: %s 0x%lx %s\n", allowed ? "allowed" : "blocked", iova, what);
}

/* An attempt at an address that was never mapped, which is blocked in any case */
static void dma_unmapped(struct vfio_edu *edu, const char *what)
{
	try_dma(false, edu, memory(), new_iova(), what);
}

/* Mapped addresses, each for one attempt */
#define NR_ATTEMPTS	8

struct window {
	void *mem[NR_ATTEMPTS];
	uint64_t iova[NR_ATTEMPTS];
	unsigned int used;
};

static struct window window_open(struct iommu *iommu)
{
	struct window w = {};

	for (int i = 0; i < NR_ATTEMPTS; i++) {
		w.iova[i] = new_iova();
		w.mem[i] = map(iommu, 0, w.iova[i]);
	}
	return w;
}

static void dma_mapped(struct window *w, bool allowed, struct vfio_edu *edu, const char *what)
{
	TEST_ASSERT(w->used < NR_ATTEMPTS, "More attempts than addresses");
	try_dma(allowed, edu, w->mem[w->used], w->iova[w->used], what);
	w->used++;
}

static void assert_refused(int fd)
{
	struct vfio_device_info info = { .argsz = sizeof(info) };
	struct vfio_region_info region = {
		.argsz = sizeof(region),
		.index = VFIO_PCI_BAR0_REGION_INDEX,
	};
	uint32_t val;

	ASSERT_ERRNO(ioctl(fd, VFIO_DEVICE_GET_INFO, &info), EINVAL);
	ASSERT_ERRNO(ioctl(fd, VFIO_DEVICE_GET_REGION_INFO, &region), EINVAL);
	ASSERT_ERRNO(ioctl(fd, VFIO_DEVICE_RESET), EINVAL);
	ASSERT_ERRNO(pread(fd, &val, sizeof(val), 0), EINVAL);
	ASSERT_ERRNO(pwrite(fd, &val, sizeof(val), 0), EINVAL);
	TEST_ASSERT(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED &&
		    errno == EINVAL, "mmap of an unbound device gave errno %d, not EINVAL", errno);
}

static void test_unbound(void)
{
	struct vfio_vm v = vfio_vm_open();
	struct iommu iommu = iommu_open();
	struct vfio_edu edu, owner;

	vfio_edu_open(&edu, ALONE);
	assert_refused(edu.fd);
	ASSERT_ERRNO(__vfio_edu_attach(&edu, iommu.ioas[0]), EINVAL);
	vfio_vm_add(&v, edu.fd);
	vfio_vm_step(&v, false, "opened, given to KVM");
	assert_refused(edu.fd);

	vfio_edu_open(&owner, ALONE);
	vfio_edu_bind(&owner, iommu.fd);
	vfio_edu_attach(&owner, iommu.ioas[0]);
	assert_refused(edu.fd);
	vfio_vm_step(&v, false, "opened, attached by another file");
}

static void bound_run(unsigned int device)
{
	struct vfio_vm v = vfio_vm_open();
	struct iommu iommu = iommu_open();
	struct window w = window_open(&iommu);
	struct vfio_edu edu;

	vfio_edu_open(&edu, device);
	vfio_vm_add(&v, edu.fd);
	vfio_edu_bind(&edu, iommu.fd);
	dma_mapped(&w, false, &edu, "bound");
	vfio_vm_step(&v, false, "bound");
	vfio_edu_attach(&edu, iommu.ioas[0]);
	dma_mapped(&w, true, &edu, "attached");
	vfio_vm_step(&v, true, "attached");
	dma_unmapped(&edu, "attached, address not mapped");
	vfio_edu_detach(&edu);
	dma_mapped(&w, false, &edu, "detached");
	vfio_vm_step(&v, false, "detached");
	vfio_edu_attach(&edu, iommu.ioas[0]);
	dma_mapped(&w, true, &edu, "attached again");
	vfio_vm_step(&v, true, "attached again");
}

static void test_bound(void)
{
	bound_run(ALONE);
}

/* Binds the virtio device behind the bridge to its driver, or unbinds it; 0 or errno */
static int __host_driver(const char *file)
{
	const char *edu = vfio_edu_address(BRIDGED_1);
	const char *bus = strrchr(edu, ':') + 1;
	char path[128], address[32];
	int fd, ret;

	snprintf(address, sizeof(address), "%.*s03.0", (int)(bus - edu), edu);
	snprintf(path, sizeof(path), HOST_DRIVER "/%s", file);
	fd = open(path, O_WRONLY);
	TEST_ASSERT(fd >= 0, "%s cannot be opened", path);
	ret = write(fd, address, strlen(address)) < 0 ? errno : 0;
	close(fd);
	return ret;
}

static bool host_driver_bound(void)
{
	const char *edu = vfio_edu_address(BRIDGED_1);
	char path[128];

	snprintf(path, sizeof(path), HOST_DRIVER "/%.*s03.0",
		 (int)(strrchr(edu, ':') + 1 - edu), edu);
	return !access(path, F_OK);
}

static void host_driver_unbind(void)
{
	TEST_ASSERT(!host_driver_bound() || !__host_driver("unbind"),
		    "The virtio device cannot be unbound from its driver");
}

static void test_not_viable(void)
{
	struct vfio_vm v = vfio_vm_open();
	struct iommu iommu = iommu_open();
	struct vfio_edu edu;

	TEST_ASSERT(host_driver_bound(), "No virtio device behind the bridge has its driver");
	vfio_edu_open(&edu, BRIDGED_1);
	vfio_vm_add(&v, edu.fd);
	ASSERT_ERRNO(__vfio_edu_bind(&edu, iommu.fd), EPERM);
	assert_refused(edu.fd);
	vfio_vm_step(&v, false, "refused");
	host_driver_unbind();
	vfio_edu_bind(&edu, iommu.fd);
	vfio_edu_attach(&edu, iommu.ioas[0]);
	vfio_vm_step(&v, true, "host driver unbound, attached");
}

static void test_host_driver(void)
{
	struct vfio_vm v = vfio_vm_open();
	struct iommu iommu = iommu_open();
	struct vfio_edu edu;
	int err;

	host_driver_unbind();
	vfio_edu_open(&edu, BRIDGED_1);
	vfio_vm_add(&v, edu.fd);
	vfio_edu_bind(&edu, iommu.fd);
	err = __host_driver("bind");
	TEST_ASSERT(err == EBUSY, "The driver's probe gave errno %d, not EBUSY", err);
	vfio_edu_attach(&edu, iommu.ioas[0]);
	err = __host_driver("bind");
	TEST_ASSERT(err == EBUSY, "The driver's probe gave errno %d, not EBUSY", err);
	TEST_ASSERT(!host_driver_bound(), "The driver has the device");
	vfio_vm_step(&v, true, "attached, after the driver was refused");
	vfio_vm_del(&v, edu.fd);
	vfio_edu_close(&edu);
	err = __host_driver("bind");
	TEST_ASSERT(!err, "The driver's probe gave errno %d after the owner left", err);
	host_driver_unbind();
}

static void test_one_page_table(void)
{
	struct iommu iommu = iommu_open();
	struct vfio_edu first, second;
	uint32_t hwpt;

	host_driver_unbind();
	TEST_ASSERT(vfio_edu_group(BRIDGED_1) == vfio_edu_group(BRIDGED_2) &&
		    vfio_edu_group(ALONE) != vfio_edu_group(BRIDGED_1),
		    "The machine has other groups than this test wants");
	vfio_edu_open(&first, BRIDGED_1);
	vfio_edu_open(&second, BRIDGED_2);
	vfio_edu_bind(&first, iommu.fd);
	vfio_edu_bind(&second, iommu.fd);
	vfio_edu_attach(&first, iommu.ioas[0]);
	ASSERT_ERRNO(__vfio_edu_attach(&second, iommu.ioas[1]), EINVAL);
	hwpt = iommufd_hwpt_alloc(iommu.fd, second.id, iommu.ioas[1]);
	ASSERT_ERRNO(__vfio_edu_attach(&second, hwpt), EINVAL);
	vfio_edu_attach(&second, iommu.ioas[0]);
	vfio_edu_detach(&first);
	ASSERT_ERRNO(__vfio_edu_attach(&first, iommu.ioas[1]), EINVAL);
	vfio_edu_detach(&second);
	vfio_edu_attach(&first, iommu.ioas[1]);
	vfio_edu_attach(&second, iommu.ioas[1]);
}

static void test_group_permission(void)
{
	struct vfio_vm v1 = vfio_vm_open(), v2 = vfio_vm_open(), other = vfio_vm_open();
	struct iommu iommu = iommu_open(), alone_iommu = iommu_open();
	struct vfio_edu first, second, alone;

	host_driver_unbind();
	vfio_edu_open(&first, BRIDGED_1);
	vfio_edu_open(&second, BRIDGED_2);
	vfio_edu_open(&alone, ALONE);
	vfio_vm_add(&v1, first.fd);
	vfio_vm_add(&v2, second.fd);
	vfio_vm_add(&other, alone.fd);
	vfio_edu_bind(&alone, alone_iommu.fd);
	vfio_edu_bind(&first, iommu.fd);
	vfio_edu_bind(&second, iommu.fd);
	vfio_vm_step(&v1, false, "both bound, VM of the first");
	vfio_vm_step(&v2, false, "both bound, VM of the second");
	vfio_edu_attach(&second, iommu.ioas[0]);
	vfio_vm_step(&v1, true, "second attached, VM of the first");
	vfio_vm_step(&v2, true, "second attached, VM of the second");
	vfio_vm_step(&other, false, "second attached, VM of another group");
	ASSERT_ERRNO(__vfio_edu_attach(&first, iommu.ioas[1]), EINVAL);
	vfio_vm_step(&v1, true, "first refused, VM of the first");
	vfio_edu_attach(&first, iommu.ioas[0]);
	vfio_edu_detach(&second);
	vfio_vm_step(&v1, true, "second left, VM of the first");
	vfio_vm_step(&v2, true, "second left, VM of the second");
	vfio_edu_detach(&first);
	vfio_vm_step(&v1, false, "last left, VM of the first");
	vfio_vm_step(&v2, false, "last left, VM of the second");

	vfio_edu_attach(&first, iommu.ioas[0]);
	vfio_edu_attach(&second, iommu.ioas[0]);
	vfio_vm_del(&v2, second.fd);
	vfio_edu_close(&second);
	vfio_vm_step(&v1, true, "second closed, VM of the first");
	vfio_vm_step(&v2, false, "second closed, the VM that had it");
	vfio_edu_detach(&first);
	vfio_vm_step(&v1, false, "second closed, first detached");
	vfio_vm_step(&other, false, "VM of another group, all along");
}

static void test_one_owner(void)
{
	struct iommu mine = iommu_open(), theirs = iommu_open();
	struct vfio_edu first, second;
	struct vfio_vm v = vfio_vm_open();

	host_driver_unbind();
	vfio_edu_open(&first, BRIDGED_1);
	vfio_edu_open(&second, BRIDGED_2);
	vfio_vm_add(&v, second.fd);
	vfio_edu_bind(&first, mine.fd);
	ASSERT_ERRNO(__vfio_edu_bind(&second, theirs.fd), EPERM);
	vfio_edu_attach(&first, mine.ioas[0]);
	ASSERT_ERRNO(__vfio_edu_bind(&second, theirs.fd), EPERM);
	vfio_vm_step(&v, false, "VM of the one that was refused");
	vfio_edu_close(&first);
	vfio_edu_bind(&second, theirs.fd);
	vfio_edu_attach(&second, theirs.ioas[0]);
	vfio_vm_step(&v, true, "attached after the other owner left");
	vfio_edu_open(&first, BRIDGED_1);
	ASSERT_ERRNO(__vfio_edu_bind(&first, mine.fd), EPERM);
}

/* Binding the second device would give its VM permission, by the first one's attachment */
static void test_refused_bind(void)
{
	struct vfio_vm v = vfio_vm_open(), other = vfio_vm_open();
	struct iommu iommu = iommu_open();
	struct vfio_edu first, second;

	host_driver_unbind();
	vfio_edu_open(&first, BRIDGED_1);
	vfio_edu_open(&second, BRIDGED_2);
	TEST_ASSERT(!__vm_enable_cap(v.vm, KVM_CAP_NONCOHERENT_DMA, KVM_NONCOHERENT_DMA_FORBID),
		    "KVM_CAP_NONCOHERENT_DMA failed");
	vfio_vm_add(&other, second.fd);
	vfio_vm_add(&v, second.fd);
	vfio_edu_bind(&first, iommu.fd);
	vfio_edu_attach(&first, iommu.ioas[0]);
	if (vfio_edu_is_noncoherent())
		ASSERT_ERRNO(__vfio_edu_bind(&second, iommu.fd), EPERM);
	vfio_vm_step(&other, false, "bind refused, another VM with the file");
	vfio_vm_del(&v, second.fd);
	vfio_edu_bind(&second, iommu.fd);
	vfio_vm_step(&other, true, "bound, the other VM");
}

static void test_opened_by_group(void)
{
	struct vfio_vm v = vfio_vm_open();
	int group, first, second;

	host_driver_unbind();
	group = vfio_group_open(BRIDGED_1);
	vfio_group_set_container(group, iommufd_open());
	vfio_vm_add(&v, group);
	first = vfio_group_device(group, BRIDGED_1);
	second = vfio_group_device(group, BRIDGED_2);
	vfio_vm_step(&v, true, "both opened");
	close(first);
	vfio_vm_step(&v, true, "one closed");
	close(second);
	vfio_vm_step(&v, false, "both closed");
}

/* The IOMMU cannot tell the DMA of the two edu devices behind the bridge apart */
static void test_bridged(void)
{
	struct iommu iommu = iommu_open();
	struct window w = window_open(&iommu);
	struct vfio_edu first, second;

	host_driver_unbind();
	vfio_edu_open(&first, BRIDGED_1);
	vfio_edu_open(&second, BRIDGED_2);
	vfio_edu_bind(&first, iommu.fd);
	vfio_edu_bind(&second, iommu.fd);
	dma_mapped(&w, false, &first, "both bound");
	dma_mapped(&w, false, &second, "both bound");
	vfio_edu_attach(&first, iommu.ioas[0]);
	vfio_edu_attach(&second, iommu.ioas[0]);
	dma_mapped(&w, true, &first, "both attached");
	dma_mapped(&w, true, &second, "both attached");
	vfio_edu_detach(&first);
	dma_mapped(&w, true, &second, "the other detached");
	vfio_edu_detach(&second);
	dma_mapped(&w, false, &first, "both detached");
	dma_mapped(&w, false, &second, "both detached");
}

static const char *skip_bridged(void)
{
	const char *bridged = getenv("bridged");

	if (bridged && !strcmp(bridged, "no"))
		return "this emulated IOMMU lets no DMA through from behind a bridge";
	return NULL;
}

/* Makes type1's calls, which both kinds of containers support */
static void container_run(int group, int container, int unset_error)
{
	struct vfio_iommu_type1_dma_unmap unmap = {
		.argsz = sizeof(unmap),
		.size = VFIO_EDU_MEM_SIZE,
	};
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map),
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
		.size = VFIO_EDU_MEM_SIZE,
		.iova = new_iova(),
	};
	struct vfio_vm v = vfio_vm_open();
	struct vfio_edu edu;
	void *mem = memory();

	edu.fd = vfio_group_device(group, ALONE);
	vfio_edu_start(&edu);
	vfio_vm_add(&v, group);
	try_dma(false, &edu, mem, new_iova(), "device opened, nothing mapped");
	map.vaddr = (uintptr_t)mem;
	TEST_ASSERT(!ioctl(container, VFIO_IOMMU_MAP_DMA, &map), "VFIO_IOMMU_MAP_DMA failed");
	try_dma(true, &edu, mem, map.iova, "device opened, memory mapped");
	vfio_vm_step(&v, true, "device opened");

	ASSERT_ERRNO(__vfio_edu_attach(&edu, 0), ENOTTY);
	TEST_ASSERT((ioctl(group, VFIO_GROUP_UNSET_CONTAINER) ? errno : 0) == unset_error,
		    "VFIO_GROUP_UNSET_CONTAINER with an open device gave errno %d, not %d",
		    errno, unset_error);
	vfio_vm_step(&v, true, "device opened, container asked to leave");

	unmap.iova = map.iova;
	TEST_ASSERT(!ioctl(container, VFIO_IOMMU_UNMAP_DMA, &unmap), "VFIO_IOMMU_UNMAP_DMA failed");
	dma_unmapped(&edu, "device opened, memory unmapped");
	vfio_vm_del(&v, group);
	vfio_vm_step(&v, false, "FILE_DEL");
	close(edu.fd);
	close(group);
	close(container);
	vfio_vm_close(&v);
}

static void test_type1(void)
{
	int group = vfio_group_open(ALONE);

	container_run(group, vfio_group_type1(group), EBUSY);
}

static void test_compat(void)
{
	int group = vfio_group_open(ALONE), iommufd = iommufd_open();

	vfio_group_set_container(group, iommufd);
	container_run(group, iommufd, 0);
}

static void unprivileged_work(int sock)
{
	struct vfio_edu edu;
	struct iommu iommu;
	struct vfio_vm v;
	struct window w;

	TEST_ASSERT(!setgid(NOBODY) && !setuid(NOBODY), "setuid failed");
	ASSERT_ERRNO(open("/dev/iommu", O_RDWR), EACCES);
	iommu.fd = fd_receive(sock);
	edu.fd = fd_receive(sock);
	iommu.ioas[0] = iommufd_ioas_alloc(iommu.fd);
	w = window_open(&iommu);
	v = vfio_vm_open();
	vfio_vm_add(&v, edu.fd);
	vfio_edu_bind(&edu, iommu.fd);
	dma_mapped(&w, false, &edu, "unprivileged, bound");
	vfio_edu_attach(&edu, iommu.ioas[0]);
	dma_mapped(&w, true, &edu, "unprivileged, attached");
	vfio_vm_step(&v, true, "unprivileged, attached");
	process_tell(sock);

	process_await(sock);
	dma_mapped(&w, true, &edu, "unprivileged, root has closed both");
	vfio_vm_step(&v, true, "unprivileged, root has closed both");
	process_tell(sock);
	process_await(sock);
}

static void test_passed(void)
{
	struct iommu iommu = { .fd = iommufd_open() }, next;
	struct vfio_vm v = vfio_vm_open();
	struct vfio_edu edu;
	struct window w;
	pid_t pid;
	int sock;

	TEST_ASSERT(!chmod("/dev/kvm", 0666), "chmod of /dev/kvm failed");
	vfio_edu_open(&edu, ALONE);
	pid = process_start(unprivileged_work, &sock);
	fd_send(sock, iommu.fd);
	fd_send(sock, edu.fd);
	process_await(sock);
	vfio_edu_close(&edu);
	close(iommu.fd);
	process_tell(sock);
	process_await(sock);

	next = iommu_open();
	vfio_edu_open(&edu, ALONE);
	ASSERT_ERRNO(__vfio_edu_bind(&edu, next.fd), EINVAL);
	process_tell(sock);
	process_reap(pid, sock);
	vfio_edu_bind(&edu, next.fd);
	w = window_open(&next);
	vfio_vm_add(&v, edu.fd);
	dma_mapped(&w, false, &edu, "new owner, bound");
	vfio_vm_step(&v, false, "new owner, bound");
}

static const struct step_test tests[] = {
	{ "an opened, unbound device file proves nothing and its I/O is refused", test_unbound },
	{ "a bound device's DMA is blocked until it is attached", test_bound },
	{ "a group with a device on a host driver is not viable", test_not_viable },
	{ "a host driver cannot probe into a group that a user owns", test_host_driver },
	{ "devices of one group share one page table", test_one_page_table },
	{ "DMA from behind a bridge is the group's", test_bridged, skip_bridged },
	{ "permission is the group's and ends when the last device leaves", test_group_permission },
	{ "a group has one owner: two iommufds cannot have devices of it", test_one_owner },
	{ "a VM that must stay coherent gets no device whose group is not", test_refused_bind },
	{ "permission goes with the last device that a group opened", test_opened_by_group },
	{ "the group and container path works: type1", test_type1 },
	{ "the group and container path works: iommufd's container", test_compat },
	{ "an iommufd that is passed on is authority, up to the last reference", test_passed },
};

int main(void)
{
	last_iova = mmap(NULL, sizeof(*last_iova), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	TEST_ASSERT(last_iova != MAP_FAILED, "mmap failed");
	*last_iova = VFIO_EDU_IOVA;
	return run_tests(tests, ARRAY_SIZE(tests));
}
