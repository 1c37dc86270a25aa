// SPDX-License-Identifier: GPL-2.0
/*
 * What Linux without live coherency tracking does with a guest's WBINVD, by the
 * count of the flush oracle. KVM asks a VFIO file once, at KVM_DEV_VFIO_FILE_ADD,
 * what the IOMMU behind the device could enforce, but not whether the device is
 * bound or attached. This shows that the oracle sees flushes, and their absence,
 * before other tests rely on it.
 *
 * Usage: wbinvd_upstream FLUSHES, the number that each phase with the file added
 * has to cause: all where the IOMMU cannot enforce coherency, 0 where it can.
 *
 * Needs no library but the C library.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/iommufd.h>
#include <linux/kvm.h>
#include <linux/vfio.h>

#include "oracle.h"

#define GUEST_WBINVDS	100
#define GUEST_MEM_SIZE	0x8000

/* Guest-physical addresses */
#define PML4		0x1000
#define PDPT		0x2000
#define PD		0x3000
#define REAL_CODE	0x4000
#define LONG_CODE	0x5000
#define NOINVD_CODE	0x6000

/* The text of a Linux guest is at the same address as the host's */
#define GUEST_TEXT	0xffffffff81000000ULL

#define PTE_PRESENT_RW	0x3
#define PTE_LARGE	0x80

/* 100 times WBINVD, then tell the host, and again; in real mode */
static const uint8_t real_code[] = {
	0xb9, GUEST_WBINVDS, 0x00,		/* start: mov $100, %cx */
	0x0f, 0x09,				/* again: wbinvd */
	0xe2, 0xfc,				/* loop again */
	0xe6, 0x10,				/* out %al, $0x10 */
	0xeb, 0xf5,				/* jmp start */
};

/* The same in 64-bit mode */
static const uint8_t long_code[] = {
	0xb9, GUEST_WBINVDS, 0x00, 0x00, 0x00,	/* start: mov $100, %ecx */
	0x0f, 0x09,				/* again: wbinvd */
	0xe2, 0xfc,				/* loop again */
	0xe6, 0x10,				/* out %al, $0x10 */
	0xeb, 0xf3,				/* jmp start */
};

/* WBNOINVD in place of WBINVD, in real mode */
static const uint8_t noinvd_code[] = {
	0xb9, GUEST_WBINVDS, 0x00,		/* start: mov $100, %cx */
	0xf3, 0x0f, 0x09,			/* again: wbnoinvd */
	0xe2, 0xfb,				/* loop again */
	0xe6, 0x10,				/* out %al, $0x10 */
	0xeb, 0xf4,				/* jmp start */
};

enum guest_mode {
	REAL_MODE,
	WBNOINVD,
	UPPER_HALF,
};

static int vcpu;
static struct kvm_run *run;
static struct kvm_sregs reset_sregs;

static int check(int ret, const char *what)
{
	if (ret < 0) {
		fprintf(stderr, "wbinvd_upstream: %s: %s\n", what, strerror(errno));
		exit(1);
	}
	return ret;
}

#define checked_ioctl(fd, request, arg)	check(ioctl(fd, request, arg), #request)

/* From 6.12.117 on KVM refuses long mode to a vCPU whose CPUID lacks it */
static void set_cpuid(int kvm)
{
	struct {
		struct kvm_cpuid2 head;
		struct kvm_cpuid_entry2 entries[256];
	} cpuid = { .head.nent = 256 };

	checked_ioctl(kvm, KVM_GET_SUPPORTED_CPUID, &cpuid);
	checked_ioctl(vcpu, KVM_SET_CPUID2, &cpuid);
}

static int create_vm(void)
{
	int kvm = check(open("/dev/kvm", O_RDWR), "open /dev/kvm");
	int vm = checked_ioctl(kvm, KVM_CREATE_VM, 0);
	struct kvm_userspace_memory_region slot = { .memory_size = GUEST_MEM_SIZE };
	uint8_t *mem;
	size_t size;

	mem = mmap(NULL, GUEST_MEM_SIZE, PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	check(mem == MAP_FAILED ? -1 : 0, "mmap of guest memory");
	memcpy(mem + REAL_CODE, real_code, sizeof(real_code));
	memcpy(mem + LONG_CODE, long_code, sizeof(long_code));
	memcpy(mem + NOINVD_CODE, noinvd_code, sizeof(noinvd_code));
	/* GUEST_TEXT to guest-physical 0, by one large page */
	((uint64_t *)(mem + PML4))[GUEST_TEXT >> 39 & 511] = PDPT | PTE_PRESENT_RW;
	((uint64_t *)(mem + PDPT))[GUEST_TEXT >> 30 & 511] = PD | PTE_PRESENT_RW;
	((uint64_t *)(mem + PD))[GUEST_TEXT >> 21 & 511] = PTE_LARGE | PTE_PRESENT_RW;

	slot.userspace_addr = (uintptr_t)mem;
	checked_ioctl(vm, KVM_SET_USER_MEMORY_REGION, &slot);
	vcpu = checked_ioctl(vm, KVM_CREATE_VCPU, 0);
	set_cpuid(kvm);
	checked_ioctl(vcpu, KVM_GET_SREGS, &reset_sregs);
	size = checked_ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	run = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
	check(run == MAP_FAILED ? -1 : 0, "mmap of the vCPU");
	return vm;
}

static void set_mode(enum guest_mode mode)
{
	struct kvm_sregs sregs = reset_sregs;
	struct kvm_regs regs = { .rip = REAL_CODE, .rflags = 2 };

	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	if (mode == WBNOINVD)
		regs.rip = NOINVD_CODE;
	if (mode == UPPER_HALF) {
		sregs.cs.selector = 8;
		sregs.cs.limit = 0xffffffff;
		sregs.cs.type = 11;
		sregs.cs.l = 1;
		sregs.cs.g = 1;
		sregs.cr0 = 0x80000001;		/* PG, PE */
		sregs.cr3 = PML4;
		sregs.cr4 = 0x20;		/* PAE */
		sregs.efer = 0x500;		/* LMA, LME */
		regs.rip = GUEST_TEXT + LONG_CODE;
	}
	checked_ioctl(vcpu, KVM_SET_SREGS, &sregs);
	checked_ioctl(vcpu, KVM_SET_REGS, &regs);
}

static void phase(unsigned int id, long expect, enum guest_mode mode, const char *name)
{
	set_mode(mode);
	oracle_phase(id, expect, "%s", name);
	checked_ioctl(vcpu, KVM_RUN, 0);
	oracle_end();

	if (run->exit_reason != KVM_EXIT_IO || run->io.port != 0x10) {
		fprintf(stderr, "wbinvd_upstream: guest stopped with exit reason %u\n",
			run->exit_reason);
		exit(1);
	}
}

static void vfio_file(int kvm_vfio, unsigned long attr, int fd, const char *what)
{
	struct kvm_device_attr args = {
		.group = KVM_DEV_VFIO_FILE,
		.attr = attr,
		.addr = (uintptr_t)&fd,
	};

	check(ioctl(kvm_vfio, KVM_SET_DEVICE_ATTR, &args), what);
}

int main(int argc, char **argv)
{
	struct kvm_create_device create = { .type = KVM_DEV_TYPE_VFIO };
	struct iommu_ioas_alloc ioas = { .size = sizeof(ioas) };
	struct vfio_device_bind_iommufd bind = { .argsz = sizeof(bind) };
	struct vfio_device_attach_iommufd_pt attach = { .argsz = sizeof(attach) };
	struct vfio_device_detach_iommufd_pt detach = { .argsz = sizeof(detach) };
	int iommufd, device, vm;
	cpu_set_t one_cpu;
	long flushes;

	if (argc != 2) {
		fprintf(stderr, "usage: wbinvd_upstream FLUSHES\n");
		return 1;
	}
	flushes = strtol(argv[1], NULL, 10);

	/* A guest's WBINVD flushes each CPU that it ran on: on one CPU counts are exact */
	CPU_ZERO(&one_cpu);
	CPU_SET(0, &one_cpu);
	check(sched_setaffinity(0, sizeof(one_cpu), &one_cpu), "sched_setaffinity");

	vm = create_vm();
	check(ioctl(vm, KVM_CREATE_DEVICE, &create), "KVM_CREATE_DEVICE of kvm-vfio");
	device = check(open("/dev/vfio/devices/vfio0", O_RDWR), "open /dev/vfio/devices/vfio0");
	iommufd = check(open("/dev/iommu", O_RDWR), "open /dev/iommu");

	phase(1, 0, REAL_MODE, "unpatched, no device");

	vfio_file(create.fd, KVM_DEV_VFIO_FILE_ADD, device, "KVM_DEV_VFIO_FILE_ADD");
	phase(2, flushes, REAL_MODE, "unpatched, file added, not bound");

	bind.iommufd = iommufd;
	checked_ioctl(device, VFIO_DEVICE_BIND_IOMMUFD, &bind);
	phase(3, flushes, REAL_MODE, "unpatched, bound, DMA blocked");

	checked_ioctl(iommufd, IOMMU_IOAS_ALLOC, &ioas);
	attach.pt_id = ioas.out_ioas_id;
	checked_ioctl(device, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach);
	phase(4, flushes, REAL_MODE, "unpatched, attached");
	phase(5, flushes, UPPER_HALF, "unpatched, attached, guest in the kernel's addresses");
	phase(6, flushes, WBNOINVD, "unpatched, attached, WBNOINVD");

	checked_ioctl(device, VFIO_DEVICE_DETACH_IOMMUFD_PT, &detach);
	phase(7, flushes, REAL_MODE, "unpatched, detached");

	vfio_file(create.fd, KVM_DEV_VFIO_FILE_DEL, device, "KVM_DEV_VFIO_FILE_DEL");
	phase(8, 0, REAL_MODE, "unpatched, file deleted");
	phase(9, 0, UPPER_HALF, "unpatched, file deleted, guest in the kernel's addresses");
	return 0;
}
