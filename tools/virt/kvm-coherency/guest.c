// SPDX-License-Identifier: GPL-2.0
/*
 * A guest that executes one instruction and halts, in 32-bit code without paging. The clock
 * is the host's, around KVM_RUN.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"
#include "text.h"

#define MEMORY		0x10000
#define CODE		0x1000
#define CODE_STEP	16

static const unsigned char code[][3] = {
	[GUEST_CPUID] = { 0x0f, 0xa2, 0xf4 },	/* cpuid; hlt */
	[GUEST_WBINVD] = { 0x0f, 0x09, 0xf4 },	/* wbinvd; hlt */
};

static int call(int fd, unsigned long request, void *arg, const char *what)
{
	int ret = ioctl(fd, request, arg);

	if (ret < 0)
		die("%s: %s", what, strerror(errno));
	return ret;
}

#define CALL(fd, request, arg)	call(fd, request, arg, #request)

static void *map(size_t size, int fd, const char *what)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_SHARED | (fd < 0 ? MAP_ANONYMOUS : 0), fd, 0);

	if (memory == MAP_FAILED)
		die("%s: %s", what, strerror(errno));
	return memory;
}

static void flat_segments(struct guest *guest)
{
	struct kvm_segment data = { .limit = 0xffffffff, .selector = 16, .type = 3, .present = 1,
				    .db = 1, .s = 1, .g = 1 };
	struct kvm_sregs sregs;

	CALL(guest->vcpu, KVM_GET_SREGS, &sregs);
	sregs.ds = data;
	sregs.es = data;
	sregs.fs = data;
	sregs.gs = data;
	sregs.ss = data;
	sregs.cs = data;
	sregs.cs.selector = 8;
	sregs.cs.type = 11;
	sregs.cr0 |= 1;
	CALL(guest->vcpu, KVM_SET_SREGS, &sregs);
}

static void set_memory(struct guest *guest)
{
	struct kvm_userspace_memory_region region = { .memory_size = MEMORY };
	unsigned int i;

	guest->memory = map(MEMORY, -1, "memory of the guest");
	for (i = 0; i < sizeof(code) / sizeof(*code); i++)
		memcpy(guest->memory + CODE + i * CODE_STEP, code[i], sizeof(code[i]));
	region.userspace_addr = (uintptr_t)guest->memory;
	CALL(guest->vm, KVM_SET_USER_MEMORY_REGION, &region);
}

void guest_open(struct guest *guest)
{
	struct kvm_create_device vfio = { .type = KVM_DEV_TYPE_VFIO };
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	if (kvm < 0)
		die("/dev/kvm: %s", strerror(errno));
	guest->vm = CALL(kvm, KVM_CREATE_VM, NULL);
	set_memory(guest);
	guest->vcpu = CALL(guest->vm, KVM_CREATE_VCPU, NULL);
	guest->run_size = CALL(kvm, KVM_GET_VCPU_MMAP_SIZE, NULL);
	guest->run = map(guest->run_size, guest->vcpu, "the vCPU");
	flat_segments(guest);
	CALL(guest->vm, KVM_CREATE_DEVICE, &vfio);
	guest->kvm_vfio = vfio.fd;
	close(kvm);
}

void guest_close(struct guest *guest)
{
	/* The mapping holds the VM, and that the files it was told of */
	if (guest->run)
		munmap(guest->run, guest->run_size);
	if (guest->memory)
		munmap(guest->memory, MEMORY);
	if (guest->kvm_vfio >= 0)
		close(guest->kvm_vfio);
	if (guest->vcpu >= 0)
		close(guest->vcpu);
	if (guest->vm >= 0)
		close(guest->vm);
}

void guest_add_file(struct guest *guest, int file)
{
	/* Files of devices have the numbers that those of groups had first */
	struct kvm_device_attr attr = { .group = KVM_DEV_VFIO_GROUP,
					.attr = KVM_DEV_VFIO_GROUP_ADD,
					.addr = (uintptr_t)&file };

	CALL(guest->kvm_vfio, KVM_SET_DEVICE_ATTR, &attr);
}

long long guest_execute(struct guest *guest, enum guest_instruction instruction)
{
	struct kvm_regs regs = { .rip = CODE + instruction * CODE_STEP, .rflags = 2 };
	struct timespec begin, end;

	CALL(guest->vcpu, KVM_SET_REGS, &regs);
	clock_gettime(CLOCK_MONOTONIC, &begin);
	while (ioctl(guest->vcpu, KVM_RUN, NULL))
		if (errno != EINTR)
			die("KVM_RUN: %s", strerror(errno));
	clock_gettime(CLOCK_MONOTONIC, &end);
	if (guest->run->exit_reason != KVM_EXIT_HLT)
		die("the guest stopped with exit reason %u", guest->run->exit_reason);
	return (end.tv_sec - begin.tv_sec) * 1000000000LL + end.tv_nsec - begin.tv_nsec;
}
