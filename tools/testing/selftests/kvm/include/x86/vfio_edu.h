/* SPDX-License-Identifier: GPL-2.0 */
/*
 * QEMU's "edu" PCI device behind VFIO and iommufd, for tests that need a real
 * device: every step that a VMM takes is one call, and the DMA engine shows
 * whether the device reaches memory.
 *
 * As in the rest of the library, a function without leading underscores asserts
 * success. With them it returns what the ioctl returned, and preserves its errno.
 *
 * No BAR is ever mapped, so only vfio_edu::fd holds the device file.
 */
#ifndef SELFTEST_KVM_VFIO_EDU_H
#define SELFTEST_KVM_VFIO_EDU_H

#include <stdbool.h>
#include <stddef.h>

#include <linux/iommufd.h>
#include <linux/types.h>

/* The device reaches 28 bits of IOVA */
#define VFIO_EDU_IOVA		0x100000
#define VFIO_EDU_MEM_SIZE	4096

enum vfio_edu_dma {
	VFIO_EDU_FROM_MEM,
	VFIO_EDU_TO_MEM,
};

struct vfio_edu {
	int fd;			/* -1: closed */
	u32 id;		/* of the device in the iommufd that it is bound to */
	u64 config;	/* offsets in the device file */
	u64 bar0;
};

/*
 * True if the IOMMU of this machine cannot enforce coherency. snoop=off or snoop=on in
 * the environment says so: the kernel under test is not trusted with it.
 */
bool vfio_edu_is_noncoherent(void);

/* PCI address of the @n-th device that is bound to vfio-pci, NULL if there are fewer */
const char *vfio_edu_address(unsigned int n);
/* Number of the device's iommu group */
int vfio_edu_group(unsigned int n);

/* Opens the cdev of any VFIO device, given by its directory in sysfs */
int vfio_device_open(const char *device);

void vfio_edu_open(struct vfio_edu *edu, unsigned int n);
void vfio_edu_close(struct vfio_edu *edu);

/*
 * Finds the registers of a device and turns bus mastering on. vfio_edu_bind() calls it;
 * callers that got the file from a group call it themselves.
 */
void vfio_edu_start(struct vfio_edu *edu);

/* When vfio_edu_bind() returns, bus mastering is on and the IOMMU blocks DMA */
int __vfio_edu_bind(struct vfio_edu *edu, int iommufd);
void vfio_edu_bind(struct vfio_edu *edu, int iommufd);

/* Attaches to an IOAS or a HWPT; replaces the page table of a device that is attached */
int __vfio_edu_attach(struct vfio_edu *edu, u32 pt_id);
void vfio_edu_attach(struct vfio_edu *edu, u32 pt_id);
int __vfio_edu_detach(struct vfio_edu *edu);
void vfio_edu_detach(struct vfio_edu *edu);

/* Does one transfer and waits for its end; only memory shows whether it succeeded */
void vfio_edu_dma(struct vfio_edu *edu, enum vfio_edu_dma direction, u64 iova, size_t size);

/*
 * Makes the device copy VFIO_EDU_MEM_SIZE / 2 bytes at @mem to itself and back. True if
 * they came back, false if memory did not change; anything else fails the test.
 */
bool vfio_edu_reaches(struct vfio_edu *edu, void *mem, u64 iova);

int iommufd_open(void);
u32 iommufd_ioas_alloc(int iommufd);
/* The number of IOVA ranges that may be mapped: reserved IOVAs split a range */
u32 iommufd_ioas_ranges(int iommufd, u32 ioas);
int __iommufd_ioas_map(int iommufd, u32 ioas, void *mem, size_t size, u64 iova);
/* Allocates VFIO_EDU_MEM_SIZE bytes and maps them at VFIO_EDU_IOVA */
void *iommufd_ioas_map(int iommufd, u32 ioas);
int __iommufd_hwpt_alloc(int iommufd, u32 dev_id, u32 pt_id, u32 flags,
			 u32 *hwpt);
u32 iommufd_hwpt_alloc(int iommufd, u32 dev_id, u32 pt_id);
int __iommufd_destroy(int iommufd, u32 id);

/* out_capabilities of IOMMU_GET_HW_INFO for a device that is bound */
u64 iommufd_capabilities(int iommufd, u32 dev_id);

/* The number behind "@key:" in the fdinfo of a file, -1 without such a line */
long iommufd_fdinfo(int iommufd, const char *key);

/*
 * The number of watches on the iommufd, and of those that have begun. VFIO itself watches
 * bound devices, so only differences say something about VMs.
 */
long iommufd_watches(int iommufd);
long iommufd_watches_begun(int iommufd);

/* Over a Unix socket */
void fd_send(int sock, int fd);
int fd_receive(int sock);

#endif /* SELFTEST_KVM_VFIO_EDU_H */
