// SPDX-License-Identifier: GPL-2.0
/*
 * QEMU's "edu" PCI device behind VFIO and iommufd.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <linux/pci_regs.h>
#include <linux/vfio.h>

#include "test_util.h"
#include "vfio_edu.h"

#define PCI_DEVICES		"/sys/bus/pci/devices"
#define VFIO_PCI_DEVICES	"/sys/bus/pci/drivers/vfio-pci"
#define EDU_VENDOR_DEVICE	"0x12340x11e8"
#define MAX_DEVICES		16
#define MAX_ADDRESS		32

#define EDU_DMA_SRC		0x80
#define EDU_DMA_DST		0x88
#define EDU_DMA_COUNT		0x90
#define EDU_DMA_CMD		0x98
#define EDU_DMA_CMD_RUN		0x1
#define EDU_DMA_CMD_TO_MEM	0x2
#define EDU_BUFFER		0x40000

/* Half of edu's buffer: QEMU 7.2 aborts on a transfer of all of it */
#define EDU_TRANSFER		2048
#define EDU_TIMEOUT_SECONDS	600

bool vfio_edu_is_noncoherent(void)
{
	const char *snoop = getenv("snoop");

	TEST_ASSERT(snoop && (!strcmp(snoop, "off") || !strcmp(snoop, "on")),
		    "Say snoop=off or snoop=on in the environment: can the IOMMU enforce coherency?");
	return !strcmp(snoop, "off");
}

static void sysfs_read(const char *address, const char *attr, char *buf, size_t size)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), PCI_DEVICES "/%s/%s", address, attr);
	f = fopen(path, "r");
	TEST_ASSERT(f, "%s cannot be opened", path);
	TEST_ASSERT(fgets(buf, size, f), "%s is empty", path);
	buf[strcspn(buf, "\n")] = 0;
	fclose(f);
}

static bool is_edu(const char *address)
{
	char ids[32];

	sysfs_read(address, "vendor", ids, sizeof(ids) / 2);
	sysfs_read(address, "device", ids + strlen(ids), sizeof(ids) / 2);
	return !strcmp(ids, EDU_VENDOR_DEVICE);
}

const char *vfio_edu_address(unsigned int n)
{
	static char addresses[MAX_DEVICES][MAX_ADDRESS];
	static unsigned int found;
	struct dirent **entries;
	int nr, i;

	if (!found) {
		nr = scandir(VFIO_PCI_DEVICES, &entries, NULL, alphasort);
		for (i = 0; i < nr; i++) {
			const char *name = entries[i]->d_name;

			if (strchr(name, ':') && found < MAX_DEVICES && is_edu(name))
				snprintf(addresses[found++], MAX_ADDRESS, "%.31s", name);
			free(entries[i]);
		}
		if (nr >= 0)
			free(entries);
	}
	return n < found ? addresses[n] : NULL;
}

int vfio_edu_group(unsigned int n)
{
	const char *address = vfio_edu_address(n);
	char path[128], target[256];
	ssize_t len;

	TEST_ASSERT(address, "There is no edu device %u bound to vfio-pci", n);
	snprintf(path, sizeof(path), PCI_DEVICES "/%s/iommu_group", address);
	len = readlink(path, target, sizeof(target) - 1);
	TEST_ASSERT(len > 0, "%s is no link", path);
	target[len] = 0;
	return atoi(strrchr(target, '/') + 1);
}

static u64 region_offset(int fd, u32 index)
{
	struct vfio_region_info info = { .argsz = sizeof(info), .index = index };
	int ret = ioctl(fd, VFIO_DEVICE_GET_REGION_INFO, &info);

	TEST_ASSERT(!ret, "VFIO_DEVICE_GET_REGION_INFO of region %u failed", index);
	return info.offset;
}

int vfio_device_open(const char *device)
{
	struct dirent *entry;
	char path[300];
	DIR *dir;
	int fd;

	snprintf(path, sizeof(path), "%s/vfio-dev", device);
	dir = opendir(path);
	TEST_ASSERT(dir, "%s is not there: is CONFIG_VFIO_DEVICE_CDEV on?", path);
	do {
		entry = readdir(dir);
		TEST_ASSERT(entry, "%s has no VFIO device", path);
		/* That of a device without IOMMU begins with noiommu- */
	} while (!strstr(entry->d_name, "vfio"));
	snprintf(path, sizeof(path), "/dev/vfio/devices/%s", entry->d_name);
	closedir(dir);

	fd = open(path, O_RDWR | O_CLOEXEC);
	TEST_ASSERT(fd >= 0, "%s cannot be opened", path);
	return fd;
}

void vfio_edu_open(struct vfio_edu *edu, unsigned int n)
{
	const char *address = vfio_edu_address(n);
	char path[128];

	TEST_ASSERT(address, "There is no edu device %u bound to vfio-pci", n);
	snprintf(path, sizeof(path), PCI_DEVICES "/%s", address);
	*edu = (struct vfio_edu){ .fd = vfio_device_open(path) };
}

void vfio_edu_close(struct vfio_edu *edu)
{
	TEST_ASSERT(!close(edu->fd), "close of a VFIO device file failed");
	edu->fd = -1;
}

void vfio_edu_start(struct vfio_edu *edu)
{
	u16 command;
	ssize_t len;

	edu->config = region_offset(edu->fd, VFIO_PCI_CONFIG_REGION_INDEX);
	edu->bar0 = region_offset(edu->fd, VFIO_PCI_BAR0_REGION_INDEX);

	/* Without bus mastering edu moves no data, and all DMA would look blocked */
	len = pread(edu->fd, &command, sizeof(command), edu->config + PCI_COMMAND);
	TEST_ASSERT(len == sizeof(command), "Read of the command register failed");
	command |= PCI_COMMAND_MASTER;
	len = pwrite(edu->fd, &command, sizeof(command), edu->config + PCI_COMMAND);
	TEST_ASSERT(len == sizeof(command), "Write of the command register failed");
}

int __vfio_edu_bind(struct vfio_edu *edu, int iommufd)
{
	struct vfio_device_bind_iommufd bind = { .argsz = sizeof(bind), .iommufd = iommufd };
	int ret = ioctl(edu->fd, VFIO_DEVICE_BIND_IOMMUFD, &bind);

	if (ret)
		return ret;
	edu->id = bind.out_devid;
	vfio_edu_start(edu);
	return 0;
}

void vfio_edu_bind(struct vfio_edu *edu, int iommufd)
{
	int ret = __vfio_edu_bind(edu, iommufd);

	TEST_ASSERT(!ret, "VFIO_DEVICE_BIND_IOMMUFD failed");
}

int __vfio_edu_attach(struct vfio_edu *edu, u32 pt_id)
{
	struct vfio_device_attach_iommufd_pt attach = {
		.argsz = sizeof(attach),
		.pt_id = pt_id,
	};

	return ioctl(edu->fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach);
}

void vfio_edu_attach(struct vfio_edu *edu, u32 pt_id)
{
	int ret = __vfio_edu_attach(edu, pt_id);

	TEST_ASSERT(!ret, "VFIO_DEVICE_ATTACH_IOMMUFD_PT failed");
}

int __vfio_edu_detach(struct vfio_edu *edu)
{
	struct vfio_device_detach_iommufd_pt detach = { .argsz = sizeof(detach) };

	return ioctl(edu->fd, VFIO_DEVICE_DETACH_IOMMUFD_PT, &detach);
}

void vfio_edu_detach(struct vfio_edu *edu)
{
	int ret = __vfio_edu_detach(edu);

	TEST_ASSERT(!ret, "VFIO_DEVICE_DETACH_IOMMUFD_PT failed");
}

static void edu_write(struct vfio_edu *edu, unsigned int reg, u32 val)
{
	ssize_t len = pwrite(edu->fd, &val, sizeof(val), edu->bar0 + reg);

	TEST_ASSERT(len == sizeof(val), "Write of edu's register 0x%x failed", reg);
}

static u32 edu_read(struct vfio_edu *edu, unsigned int reg)
{
	u32 val;
	ssize_t len = pread(edu->fd, &val, sizeof(val), edu->bar0 + reg);

	TEST_ASSERT(len == sizeof(val), "Read of edu's register 0x%x failed", reg);
	return val;
}

static time_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec;
}

void vfio_edu_dma(struct vfio_edu *edu, enum vfio_edu_dma direction, u64 iova, size_t size)
{
	bool to_mem = direction == VFIO_EDU_TO_MEM;
	time_t deadline = now() + EDU_TIMEOUT_SECONDS;

	edu_write(edu, EDU_DMA_SRC, to_mem ? EDU_BUFFER : iova);
	edu_write(edu, EDU_DMA_DST, to_mem ? iova : EDU_BUFFER);
	edu_write(edu, EDU_DMA_COUNT, size);
	edu_write(edu, EDU_DMA_CMD, EDU_DMA_CMD_RUN | (to_mem ? EDU_DMA_CMD_TO_MEM : 0));
	while (edu_read(edu, EDU_DMA_CMD) & EDU_DMA_CMD_RUN) {
		TEST_ASSERT(now() < deadline, "edu does not end its DMA");
		sched_yield();
	}
}

bool vfio_edu_reaches(struct vfio_edu *edu, void *mem, u64 iova)
{
	const u8 untouched = 0xee;
	u8 expected[EDU_TRANSFER], *byte = mem;
	size_t i;

	/* Edu's buffer keeps its content: a failed DMA must not return what an older one left */
	TEST_ASSERT(getrandom(expected, EDU_TRANSFER, GRND_INSECURE) == EDU_TRANSFER,
		    "getrandom failed");
	memcpy(mem, expected, EDU_TRANSFER);
	vfio_edu_dma(edu, VFIO_EDU_FROM_MEM, iova, EDU_TRANSFER);
	memset(mem, untouched, EDU_TRANSFER);
	vfio_edu_dma(edu, VFIO_EDU_TO_MEM, iova, EDU_TRANSFER);

	if (!memcmp(mem, expected, EDU_TRANSFER))
		return true;
	for (i = 0; i < EDU_TRANSFER; i++)
		TEST_ASSERT(byte[i] == untouched,
			    "DMA was neither complete nor blocked: byte %zu is 0x%x, not 0x%x or 0x%x",
			    i, byte[i], expected[i], untouched);
	return false;
}

int iommufd_open(void)
{
	int fd = open("/dev/iommu", O_RDWR | O_CLOEXEC);

	TEST_ASSERT(fd >= 0, "/dev/iommu cannot be opened: is CONFIG_IOMMUFD on?");
	return fd;
}

u32 iommufd_ioas_alloc(int iommufd)
{
	struct iommu_ioas_alloc alloc = { .size = sizeof(alloc) };
	int ret = ioctl(iommufd, IOMMU_IOAS_ALLOC, &alloc);

	TEST_ASSERT(!ret, "IOMMU_IOAS_ALLOC failed");
	return alloc.out_ioas_id;
}

u32 iommufd_ioas_ranges(int iommufd, u32 ioas)
{
	struct iommu_ioas_iova_ranges cmd = { .size = sizeof(cmd), .ioas_id = ioas };
	int ret = ioctl(iommufd, IOMMU_IOAS_IOVA_RANGES, &cmd);

	TEST_ASSERT(!ret || errno == EMSGSIZE, "IOMMU_IOAS_IOVA_RANGES failed");
	return cmd.num_iovas;
}

int __iommufd_ioas_map(int iommufd, u32 ioas, void *mem, size_t size, u64 iova)
{
	struct iommu_ioas_map map = {
		.size = sizeof(map),
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE |
			 IOMMU_IOAS_MAP_WRITEABLE,
		.ioas_id = ioas,
		.user_va = (uintptr_t)mem,
		.length = size,
		.iova = iova,
	};

	return ioctl(iommufd, IOMMU_IOAS_MAP, &map);
}

void *iommufd_ioas_map(int iommufd, u32 ioas)
{
	void *mem = mmap(NULL, VFIO_EDU_MEM_SIZE, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int ret;

	TEST_ASSERT(mem != MAP_FAILED, "mmap failed");
	ret = __iommufd_ioas_map(iommufd, ioas, mem, VFIO_EDU_MEM_SIZE, VFIO_EDU_IOVA);
	TEST_ASSERT(!ret, "IOMMU_IOAS_MAP failed");
	return mem;
}

int __iommufd_hwpt_alloc(int iommufd, u32 dev_id, u32 pt_id, u32 flags,
			 u32 *hwpt)
{
	struct iommu_hwpt_alloc alloc = {
		.size = sizeof(alloc),
		.flags = flags,
		.dev_id = dev_id,
		.pt_id = pt_id,
	};
	int ret = ioctl(iommufd, IOMMU_HWPT_ALLOC, &alloc);

	*hwpt = alloc.out_hwpt_id;
	return ret;
}

u32 iommufd_hwpt_alloc(int iommufd, u32 dev_id, u32 pt_id)
{
	u32 hwpt;
	int ret = __iommufd_hwpt_alloc(iommufd, dev_id, pt_id, 0, &hwpt);

	TEST_ASSERT(!ret, "IOMMU_HWPT_ALLOC failed");
	return hwpt;
}

int __iommufd_destroy(int iommufd, u32 id)
{
	struct iommu_destroy destroy = { .size = sizeof(destroy), .id = id };

	return ioctl(iommufd, IOMMU_DESTROY, &destroy);
}

u64 iommufd_capabilities(int iommufd, u32 dev_id)
{
	struct iommu_hw_info info = { .size = sizeof(info), .dev_id = dev_id };

	TEST_ASSERT(!ioctl(iommufd, IOMMU_GET_HW_INFO, &info), "IOMMU_GET_HW_INFO: %s",
		    strerror(errno));
	return info.out_capabilities;
}

long iommufd_fdinfo(int iommufd, const char *key)
{
	size_t len = strlen(key);
	char path[64], line[256];
	long val = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", iommufd);
	f = fopen(path, "r");
	TEST_ASSERT(f, "%s cannot be opened", path);
	while (val < 0 && fgets(line, sizeof(line), f))
		if (!strncmp(line, key, len) && line[len] == ':')
			val = strtol(line + len + 1, NULL, 10);
	fclose(f);
	return val;
}

long iommufd_watches(int iommufd)
{
	return iommufd_fdinfo(iommufd, "coherency-watches");
}

long iommufd_watches_begun(int iommufd)
{
	return iommufd_fdinfo(iommufd, "coherency-watches-begun");
}

void fd_send(int sock, int fd)
{
	char byte = 0, control[CMSG_SPACE(sizeof(fd))] = {};
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	TEST_ASSERT(sendmsg(sock, &msg, 0) == 1, "sendmsg failed");
}

int fd_receive(int sock)
{
	char byte, control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg;
	int fd;

	TEST_ASSERT(recvmsg(sock, &msg, 0) == 1, "recvmsg failed: did the sender die?");
	cmsg = CMSG_FIRSTHDR(&msg);
	TEST_ASSERT(cmsg && cmsg->cmsg_type == SCM_RIGHTS, "No fd came with the message");
	memcpy(&fd, CMSG_DATA(cmsg), sizeof(fd));
	return fd;
}
