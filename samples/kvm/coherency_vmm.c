// SPDX-License-Identifier: GPL-2.0
/*
 * A reference VMM for KVM's iommufd device.
 *
 * One vCPU, 2 MiB of memory and one assigned PCI device: QEMU's "edu", because
 * its DMA engine takes four register writes. The VMM tells KVM once which
 * iommufd it uses, in kvm_add_iommufd() below, and then does what VMMs do: bind,
 * attach, replace, detach, close. KVM follows by itself: none of these steps has
 * to be reported to it. After each one the guest starts a DMA and executes WBINVD
 * 100 times, and one line has the result:
 *
 *   step: N NAME enforces= dma= want_dma= permission= wbinvd= edges= events=
 *                asked= flushed= ignored=
 *
 * "oracle:" lines declare how often the host should flush its caches, which a
 * counter outside the machine checks (oracle.h).
 *
 * --upstream takes the same steps with KVM's VFIO device, by which VMMs tell KVM
 * about assigned devices without KVM_DEV_TYPE_IOMMUFD.
 *
 * Needs the kernel's own uAPI headers (-isystem $OBJECTS/usr/include) and
 * oracle.h (-I tools/testing/selftests/kvm/include).
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/iommufd.h>
#include <linux/kvm.h>
#include <linux/vfio.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "oracle.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

#define NR_WBINVD	100

#define RAM_SIZE	0x200000	/* guest physical 0; the IOVA is the same */
#define WBINVD_GPA	0x1000
#define DMA_GPA		0x2000
#define DMA_FROM	0x10000
#define DMA_TO		0x11000
#define DMA_SIZE	2048		/* half of edu's buffer: QEMU 7.2 aborts on all of it */
#define BAR_GPA		0xe0000000

#define EDU_BUFFER	0x40000
#define EDU_FROM_RAM	1
#define EDU_TO_RAM	3

#define VTD_ECAP_SC	0x80		/* snoop control */

/*
 * The guest: 32-bit code without paging. Each routine ends in HLT, which brings
 * the vCPU back to the VMM.
 */
static const __u8 guest_wbinvd[] = {		/* ecx: how many times */
	0x0f, 0x09,				/* 1: wbinvd */
	0x49,					/* dec %ecx */
	0x75, 0xfb,				/* jnz 1b */
	0xf4,					/* hlt */
};

/* ebx: BAR0, esi: from, edi: to, ecx: bytes, eax: command */
static const __u8 guest_dma[] = {
	0x89, 0xb3, 0x80, 0, 0, 0,		/* mov %esi, 0x80(%ebx) */
	0x89, 0xbb, 0x88, 0, 0, 0,		/* mov %edi, 0x88(%ebx) */
	0x89, 0x8b, 0x90, 0, 0, 0,		/* mov %ecx, 0x90(%ebx) */
	0x89, 0x83, 0x98, 0, 0, 0,		/* mov %eax, 0x98(%ebx) */
	0xf3, 0x90,				/* 1: pause */
	0xf7, 0x83, 0x98, 0, 0, 0, 1, 0, 0, 0,	/* testl $1, 0x98(%ebx): busy? */
	0x75, 0xf2,				/* jnz 1b */
	0xf4,					/* hlt */
};

struct vmm {
	const char *bdf;
	bool upstream;
	bool enforces;			/* the IOMMU can enforce coherency */
	int vm, vcpu, kvm_device, iommufd, eventfd, trace;
	struct kvm_run *run;
	char *ram;
	__u32 ioas[2];
	int device;			/* VFIO device file, -1 when closed */
	void *bar;			/* BAR0, NULL while it is not mapped */
	size_t bar_size;
};

static int xioctl(int fd, unsigned long request, void *arg, const char *what)
{
	int ret = ioctl(fd, request, arg);

	if (ret < 0)
		err(1, "%s", what);
	return ret;
}

#define IOCTL(fd, request, arg) xioctl(fd, request, arg, #request)

static int xopen(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		err(1, "%s", path);
	return fd;
}

/* Writes a line to the kernel's trace, to match its events with the steps. */
static void trace(struct vmm *v, const char *fmt, ...)
{
	va_list ap;

	if (v->trace < 0)
		return;
	va_start(ap, fmt);
	vdprintf(v->trace, fmt, ap);
	va_end(ap);
}

/*
 * All that a VMM has to add. Returns the KVM device, or -1 with ENODEV on a
 * kernel without it.
 */
static int kvm_add_iommufd(int vm, int iommufd)
{
	struct kvm_create_device dev = { .type = KVM_DEV_TYPE_IOMMUFD };
	struct kvm_device_attr add = { .group = KVM_DEV_IOMMUFD_FD,
				       .attr = KVM_DEV_IOMMUFD_FD_ADD,
				       .addr = (uintptr_t)&iommufd };

	if (ioctl(vm, KVM_CREATE_DEVICE, &dev))
		return -1;
	if (ioctl(dev.fd, KVM_SET_DEVICE_ATTR, &add)) {
		close(dev.fd);
		return -1;
	}
	return dev.fd;
}

/* Optional: KVM signals this eventfd whenever the VM's permission changes. */
static void kvm_add_eventfd(struct vmm *v)
{
	struct kvm_device_attr attr = { .group = KVM_DEV_IOMMUFD_COHERENCY,
					.attr = KVM_DEV_IOMMUFD_COHERENCY_EVENTFD,
					.addr = (uintptr_t)&v->eventfd };

	v->eventfd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (v->eventfd < 0)
		err(1, "eventfd");
	IOCTL(v->kvm_device, KVM_SET_DEVICE_ATTR, &attr);
}

/* Optional: the VM's permission and KVM's statistics about it. */
static struct kvm_coherency_status kvm_status(struct vmm *v)
{
	struct kvm_coherency_status status = { .size = sizeof(status) };
	struct kvm_device_attr attr = { .group = KVM_DEV_IOMMUFD_COHERENCY,
					.attr = KVM_DEV_IOMMUFD_COHERENCY_STATUS,
					.addr = (uintptr_t)&status };

	IOCTL(v->kvm_device, KVM_GET_DEVICE_ATTR, &attr);
	return status;
}

/* Without KVM's iommufd device: one call for each device file and change. */
static void kvm_vfio_file(struct vmm *v, __u64 attr)
{
	struct kvm_device_attr file = { .group = KVM_DEV_VFIO_FILE, .attr = attr,
					.addr = (uintptr_t)&v->device };

	IOCTL(v->kvm_device, KVM_SET_DEVICE_ATTR, &file);
}

static void kvm_memory(struct vmm *v, int slot, __u64 gpa, void *mem, size_t size)
{
	struct kvm_userspace_memory_region region = {
		.slot = slot,
		.guest_phys_addr = gpa,
		.memory_size = size,
		.userspace_addr = (uintptr_t)mem,
	};

	IOCTL(v->vm, KVM_SET_USER_MEMORY_REGION, &region);
}

static void vm_create(struct vmm *v)
{
	struct kvm_segment flat = { .limit = 0xffffffff, .present = 1, .type = 3,
				    .s = 1, .db = 1, .g = 1, .selector = 0x10 };
	int kvm = xopen("/dev/kvm");
	struct kvm_sregs sregs;
	int size;

	v->vm = IOCTL(kvm, KVM_CREATE_VM, NULL);
	v->ram = mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (v->ram == MAP_FAILED)
		err(1, "guest memory");
	memcpy(v->ram + WBINVD_GPA, guest_wbinvd, sizeof(guest_wbinvd));
	memcpy(v->ram + DMA_GPA, guest_dma, sizeof(guest_dma));
	kvm_memory(v, 0, 0, v->ram, RAM_SIZE);

	v->vcpu = IOCTL(v->vm, KVM_CREATE_VCPU, NULL);
	size = IOCTL(kvm, KVM_GET_VCPU_MMAP_SIZE, NULL);
	v->run = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, v->vcpu, 0);
	if (v->run == MAP_FAILED)
		err(1, "vCPU state");

	IOCTL(v->vcpu, KVM_GET_SREGS, &sregs);
	sregs.ds = flat;
	sregs.es = flat;
	sregs.ss = flat;
	sregs.cs = flat;
	sregs.cs.type = 11;
	sregs.cs.selector = 0x8;
	sregs.cr0 |= 1;
	IOCTL(v->vcpu, KVM_SET_SREGS, &sregs);
	close(kvm);
}

/* Runs a guest routine to its HLT. */
static void guest_run(struct vmm *v, __u64 routine, struct kvm_regs regs)
{
	regs.rip = routine;
	regs.rflags = 2;
	IOCTL(v->vcpu, KVM_SET_REGS, &regs);
	do {
		if (ioctl(v->vcpu, KVM_RUN, NULL) && errno != EINTR)
			err(1, "KVM_RUN");
	} while (v->run->exit_reason == KVM_EXIT_INTR);
	if (v->run->exit_reason != KVM_EXIT_HLT)
		errx(1, "the guest stopped with exit reason %u instead of HLT",
		     v->run->exit_reason);
}

/* The guest makes the device copy memory to itself, and back to another address. */
static bool dma_arrives(struct vmm *v, int step)
{
	struct kvm_regs in = { .rbx = BAR_GPA, .rsi = DMA_FROM, .rdi = EDU_BUFFER,
			       .rcx = DMA_SIZE, .rax = EDU_FROM_RAM };
	struct kvm_regs out = { .rbx = BAR_GPA, .rsi = EDU_BUFFER, .rdi = DMA_TO,
				.rcx = DMA_SIZE, .rax = EDU_TO_RAM };
	char untouched[DMA_SIZE];

	if (!v->bar)
		return false;
	memset(untouched, 0xff, DMA_SIZE);
	memset(v->ram + DMA_TO, 0xff, DMA_SIZE);
	memset(v->ram + DMA_FROM, step, DMA_SIZE);
	guest_run(v, DMA_GPA, in);
	guest_run(v, DMA_GPA, out);
	if (!memcmp(v->ram + DMA_TO, v->ram + DMA_FROM, DMA_SIZE))
		return true;
	if (memcmp(v->ram + DMA_TO, untouched, DMA_SIZE))
		errx(1, "step %d: DMA was neither complete nor blocked", step);
	return false;
}

/* Creates an IOAS that maps guest memory at its guest physical address. */
static __u32 ioas_create(struct vmm *v)
{
	struct iommu_ioas_alloc alloc = { .size = sizeof(alloc) };
	struct iommu_ioas_map map = {
		.size = sizeof(map),
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE |
			 IOMMU_IOAS_MAP_WRITEABLE,
		.user_va = (uintptr_t)v->ram,
		.length = RAM_SIZE,
		.iova = 0,
	};

	IOCTL(v->iommufd, IOMMU_IOAS_ALLOC, &alloc);
	map.ioas_id = alloc.out_ioas_id;
	IOCTL(v->iommufd, IOMMU_IOAS_MAP, &map);
	return alloc.out_ioas_id;
}

static void device_open(struct vmm *v)
{
	char dir[128], path[512];
	struct dirent *entry;
	DIR *d;

	snprintf(dir, sizeof(dir), "/sys/bus/pci/devices/%s/vfio-dev", v->bdf);
	d = opendir(dir);
	if (!d)
		err(1, "%s: bind the device to vfio-pci first", dir);
	do {
		entry = readdir(d);
		if (!entry)
			errx(1, "%s: no VFIO device file (CONFIG_VFIO_DEVICE_CDEV)", dir);
	} while (strncmp(entry->d_name, "vfio", 4));
	snprintf(path, sizeof(path), "/dev/vfio/devices/%s", entry->d_name);
	closedir(d);

	v->device = xopen(path);
	if (v->upstream)
		kvm_vfio_file(v, KVM_DEV_VFIO_FILE_ADD);
}

static struct vfio_region_info device_region(struct vmm *v, __u32 index)
{
	struct vfio_region_info info = { .argsz = sizeof(info), .index = index };

	IOCTL(v->device, VFIO_DEVICE_GET_REGION_INFO, &info);
	return info;
}

/* Gives the VMM and the guest access to the device. Its DMA is still blocked. */
static void device_bind(struct vmm *v)
{
	struct vfio_device_bind_iommufd bind = { .argsz = sizeof(bind),
						 .iommufd = v->iommufd };
	struct vfio_region_info config, bar;
	__u16 command;

	IOCTL(v->device, VFIO_DEVICE_BIND_IOMMUFD, &bind);

	config = device_region(v, VFIO_PCI_CONFIG_REGION_INDEX);
	if (pread(v->device, &command, 2, config.offset + 4) != 2)
		err(1, "read of the command register");
	command |= 1 << 2;	/* without bus mastering edu moves no data */
	if (pwrite(v->device, &command, 2, config.offset + 4) != 2)
		err(1, "write of the command register");

	bar = device_region(v, VFIO_PCI_BAR0_REGION_INDEX);
	v->bar_size = bar.size;
	v->bar = mmap(NULL, bar.size, PROT_READ | PROT_WRITE, MAP_SHARED,
		      v->device, bar.offset);
	if (v->bar == MAP_FAILED)
		err(1, "BAR0");
	kvm_memory(v, 1, BAR_GPA, v->bar, v->bar_size);
}

/* Attaches the device, or replaces the IOAS that it is attached to. */
static void device_attach_ioas(struct vmm *v, __u32 ioas)
{
	struct vfio_device_attach_iommufd_pt attach = { .argsz = sizeof(attach),
							.pt_id = ioas };

	IOCTL(v->device, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach);
}

static void device_attach(struct vmm *v)
{
	device_attach_ioas(v, v->ioas[0]);
}

static void device_replace(struct vmm *v)
{
	device_attach_ioas(v, v->ioas[1]);
}

static void device_detach(struct vmm *v)
{
	struct vfio_device_detach_iommufd_pt detach = { .argsz = sizeof(detach) };

	IOCTL(v->device, VFIO_DEVICE_DETACH_IOMMUFD_PT, &detach);
}

/* The mapping of BAR0 holds the device file, too: unmap it before the close. */
static void device_close(struct vmm *v)
{
	kvm_memory(v, 1, BAR_GPA, NULL, 0);
	munmap(v->bar, v->bar_size);
	v->bar = NULL;
	if (v->upstream)
		kvm_vfio_file(v, KVM_DEV_VFIO_FILE_DEL);
	close(v->device);
	v->device = -1;
}

static const struct step {
	const char *name;
	void (*enter)(struct vmm *v);
	bool dma;			/* the device can reach memory */
} steps[] = {
	{ .name = "opened", .enter = device_open },
	{ .name = "bound", .enter = device_bind },
	{ .name = "attached", .enter = device_attach, .dma = true },
	{ .name = "replaced", .enter = device_replace, .dma = true },
	{ .name = "detached", .enter = device_detach },
	{ .name = "re-attached", .enter = device_attach, .dma = true },
	{ .name = "closed", .enter = device_close },
};

static const char *yes(bool b)
{
	return b ? "yes" : "no";
}

static void step_run(struct vmm *v, int n)
{
	struct kvm_regs asked = { .rcx = NR_WBINVD };
	struct kvm_coherency_status before, after;
	const struct step *s = &steps[n - 1];
	__u64 events = 0;
	bool dma;

	trace(v, "step %d %s\n", n, s->name);
	s->enter(v);
	trace(v, "done %d\n", n);
	dma = dma_arrives(v, n);

	if (!v->upstream)
		before = kvm_status(v);
	oracle_phase(n, s->dma && !v->enforces ? NR_WBINVD : 0, "%s", s->name);
	trace(v, "wbinvd %d\n", n);
	guest_run(v, WBINVD_GPA, asked);
	oracle_end();
	trace(v, "wbinvd_end %d\n", n);

	printf("step: %d %s enforces=%s dma=%s want_dma=%s ", n, s->name,
	       yes(v->enforces), v->bar ? yes(dma) : "-", yes(s->dma));
	if (v->upstream) {
		printf("permission=- wbinvd=- edges=- events=- asked=%d flushed=- ignored=-\n",
		       NR_WBINVD);
		return;
	}
	after = kvm_status(v);
	if (read(v->eventfd, &events, sizeof(events)) < 0 && errno != EAGAIN)
		err(1, "eventfd");
	printf("permission=%s wbinvd=%s edges=%llu events=%llu ",
	       after.flags & KVM_COHERENCY_NONCOHERENT ? "on" : "off",
	       after.flags & KVM_COHERENCY_WBINVD ? "on" : "off",
	       (unsigned long long)after.edges, (unsigned long long)events);
	printf("asked=%d flushed=%llu ignored=%llu\n", NR_WBINVD,
	       (unsigned long long)(after.wbinvd_flushed - before.wbinvd_flushed),
	       (unsigned long long)(after.wbinvd_ignored - before.wbinvd_ignored));
}

/* VT-d has a capability bit for snoop control; other IOMMUs on x86 can always enforce coherency. */
static bool iommu_enforces(const char *bdf)
{
	unsigned long long ecap;
	char path[128];
	FILE *f;
	int n;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/iommu/intel-iommu/ecap", bdf);
	f = fopen(path, "r");
	if (!f)
		return true;
	n = fscanf(f, "%llx", &ecap);
	fclose(f);
	if (n != 1)
		errx(1, "%s: not a number", path);
	return ecap & VTD_ECAP_SC;
}

int main(int argc, char **argv)
{
	struct kvm_create_device kvm_vfio = { .type = KVM_DEV_TYPE_VFIO };
	struct vmm v = { .bdf = argv[argc - 1], .device = -1 };
	cpu_set_t cpu;

	v.upstream = argc == 3 && !strcmp(argv[1], "--upstream");
	if (argc != 2 + v.upstream)
		errx(2, "usage: coherency_vmm [--upstream] PCI-ADDRESS");
	setvbuf(stdout, NULL, _IOLBF, 0);

	/* A vCPU that stays on one CPU flushes only that one: counts are exact. */
	CPU_ZERO(&cpu);
	CPU_SET(0, &cpu);
	if (sched_setaffinity(0, sizeof(cpu), &cpu))
		err(1, "sched_setaffinity");

	v.trace = open("/sys/kernel/tracing/trace_marker", O_WRONLY | O_CLOEXEC);
	v.enforces = iommu_enforces(v.bdf);
	v.iommufd = xopen("/dev/iommu");
	vm_create(&v);
	for (int i = 0; i < 2; i++)
		v.ioas[i] = ioas_create(&v);

	oracle_end();
	if (v.upstream) {
		IOCTL(v.vm, KVM_CREATE_DEVICE, &kvm_vfio);
		v.kvm_device = kvm_vfio.fd;
	} else {
		v.kvm_device = kvm_add_iommufd(v.vm, v.iommufd);
		if (v.kvm_device < 0)
			err(1, "KVM's iommufd device (on a kernel without it: --upstream)");
		kvm_add_eventfd(&v);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(steps); i++)
		step_run(&v, i + 1);
	return 0;
}
