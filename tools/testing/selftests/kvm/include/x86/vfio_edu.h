/* SPDX-License-Identifier: GPL-2.0 */
/*
 * QEMU's "edu" PCI device behind VFIO and iommufd, for tests that need a real
 * device: every step that a VMM takes is one call, and the DMA engine tells
 * whether the device reaches memory.
 *
 * As in the rest of the library, a name without underscores asserts success;
 * with them it returns what the ioctl returned, and errno is left as it was.
 *
 * No BAR is ever mapped, so that nothing but vfio_edu::fd holds the device file.
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
 * Can the IOMMU of this machine not enforce coherency? The environment says
 * so, by snoop=off or snoop=on, and not the kernel under test.
 */
bool vfio_edu_is_noncoherent(void);

/* PCI address of the @n-th device that is bound to vfio-pci, NULL if there are fewer */
const char *vfio_edu_address(unsigned int n);
/* Number of its iommu group */
int vfio_edu_group(unsigned int n);

/* The file of any VFIO device, by its directory in sysfs */
int vfio_device_open(const char *device);

void vfio_edu_open(struct vfio_edu *edu, unsigned int n);
void vfio_edu_close(struct vfio_edu *edu);

/*
 * Finds the registers of a device that a file gives access to, and turns bus
 * mastering on. vfio_edu_bind() does that; a file from a group needs it.
 */
void vfio_edu_start(struct vfio_edu *edu);

/* Bus mastering is on when vfio_edu_bind() returns, and DMA blocked */
int __vfio_edu_bind(struct vfio_edu *edu, int iommufd);
void vfio_edu_bind(struct vfio_edu *edu, int iommufd);

/* To an IOAS or a hardware page table; replaces what the device is attached to */
int __vfio_edu_attach(struct vfio_edu *edu, u32 pt_id);
void vfio_edu_attach(struct vfio_edu *edu, u32 pt_id);
int __vfio_edu_detach(struct vfio_edu *edu);
void vfio_edu_detach(struct vfio_edu *edu);

/* One transfer, to its end; what came of it is in memory */
void vfio_edu_dma(struct vfio_edu *edu, enum vfio_edu_dma direction, u64 iova, size_t size);

/*
 * Has the device copy VFIO_EDU_MEM_SIZE / 2 bytes at @mem to itself and back.
 * True if they came back, false if memory was left alone; anything between
 * fails the test.
 */
bool vfio_edu_reaches(struct vfio_edu *edu, void *mem, u64 iova);

int iommufd_open(void);
u32 iommufd_ioas_alloc(int iommufd);
/* How many ranges of IOVAs may be mapped: more if something in between is reserved */
u32 iommufd_ioas_ranges(int iommufd, u32 ioas);
int __iommufd_ioas_map(int iommufd, u32 ioas, void *mem, size_t size, u64 iova);
/* New memory of VFIO_EDU_MEM_SIZE, mapped at VFIO_EDU_IOVA */
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
 * Watches on the iommufd, and those of them that have begun. VFIO has some of
 * its own on bound devices, so that only differences tell about VMs.
 */
long iommufd_watches(int iommufd);
long iommufd_watches_begun(int iommufd);

/* Over a Unix socket */
void fd_send(int sock, int fd);
int fd_receive(int sock);

#endif /* SELFTEST_KVM_VFIO_EDU_H */
