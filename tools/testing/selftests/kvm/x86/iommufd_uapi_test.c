// SPDX-License-Identifier: GPL-2.0
/*
 * KVM's iommufd device: every error that the uAPI documents, and that a failed call
 * changes nothing. Needs some device bound to vfio-pci, but never attaches it:
 * iommufd_policy_test.c has the errors that depend on attachments.
 */
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/iommufd_coherency.h>

#include "coherency_vm.h"
#include "kvm_util.h"
#include "patient_harness.h"
#include "test_util.h"
#include "vfio_edu.h"

#define FD		KVM_DEV_IOMMUFD_FD
#define FD_ADD		KVM_DEV_IOMMUFD_FD_ADD
#define FD_DEL		KVM_DEV_IOMMUFD_FD_DEL
#define COHERENCY	KVM_DEV_IOMMUFD_COHERENCY
#define STATUS		KVM_DEV_IOMMUFD_COHERENCY_STATUS
#define EVENTFD		KVM_DEV_IOMMUFD_COHERENCY_EVENTFD

/* FOLLOW, FORBID and NO_WBINVD, each as a bit */
#define ALL_POLICIES	0x7

#define EXPECT_ERRNO(error, call)	\
	do {				\
		errno = 0;		\
		EXPECT_EQ(-1, call);	\
		EXPECT_EQ(error, errno);	\
	} while (0)

static int set_attr(int device, u32 group, u64 attr, void *addr)
{
	return __kvm_device_attr_set(device, group, attr, addr);
}

static int get_attr(int device, u32 group, u64 attr, void *addr)
{
	return __kvm_device_attr_get(device, group, attr, addr);
}

/* For a kernel without the feature; all other tests are for one that has it */
TEST(feature_absent)
{
	struct kvm_vm *vm = vm_create_barebones();
	int iommufd = iommufd_open();
	struct vfio_edu edu;

	vfio_edu_open(&edu, 0);
	vfio_edu_bind(&edu, iommufd);
	EXPECT_EQ(0, iommufd_capabilities(iommufd, edu.id) >> 32);
	EXPECT_EQ(0, kvm_check_cap(KVM_CAP_NONCOHERENT_DMA));
	EXPECT_EQ(0, vm_check_cap(vm, KVM_CAP_NONCOHERENT_DMA));
	EXPECT_ERRNO(ENODEV, __kvm_create_device(vm, KVM_DEV_TYPE_IOMMUFD));
	EXPECT_ERRNO(ENODEV, __kvm_test_create_device(vm, KVM_DEV_TYPE_IOMMUFD));
	EXPECT_ERRNO(EINVAL, __vm_enable_cap(vm, KVM_CAP_NONCOHERENT_DMA,
					     KVM_NONCOHERENT_DMA_FOLLOW));
	vfio_edu_close(&edu);
	close(iommufd);
	kvm_vm_free(vm);
}

FIXTURE(uapi)
{
	struct kvm_vm *vm;
	int device;
	int iommufd;
	struct kvm_coherency_status before;
};

FIXTURE_SETUP(uapi)
{
	self->vm = vm_create_barebones();
	self->device = kvm_create_device(self->vm, KVM_DEV_TYPE_IOMMUFD);
	self->iommufd = iommufd_open();
	self->before = coherency_device_status(self->device);
}

FIXTURE_TEARDOWN(uapi)
{
	close(self->device);
	close(self->iommufd);
	kvm_vm_free(self->vm);
}

#define EXPECT_UNCHANGED()							\
	do {									\
		struct kvm_coherency_status now = coherency_device_status(self->device);	\
										\
		EXPECT_EQ(0, memcmp(&now, &self->before, sizeof(now)));		\
	} while (0)

TEST_F(uapi, starts_empty)
{
	EXPECT_EQ(sizeof(self->before), self->before.size);
	EXPECT_EQ(0, self->before.flags);
	EXPECT_EQ(KVM_NONCOHERENT_DMA_FOLLOW, self->before.policy);
	EXPECT_EQ(0, self->before.nr_iommufds);
	EXPECT_EQ(0, self->before.edges);
	EXPECT_EQ(0, self->before.wbinvd_flushed);
	EXPECT_EQ(0, self->before.wbinvd_ignored);
}

/* Old VMM binaries depend on this layout */
TEST_F(uapi, layout)
{
	EXPECT_EQ(64, KVM_DEV_TYPE_IOMMUFD);
	EXPECT_EQ(0x4e43, KVM_CAP_NONCOHERENT_DMA);
	EXPECT_EQ(1ULL << 62, IOMMU_HW_CAP_COHERENCY_KNOWN);
	EXPECT_EQ(1ULL << 63, IOMMU_HW_CAP_COHERENCY_ENFORCEABLE);
	EXPECT_EQ(40, sizeof(struct kvm_coherency_status));
	EXPECT_EQ(4, offsetof(struct kvm_coherency_status, flags));
	EXPECT_EQ(8, offsetof(struct kvm_coherency_status, policy));
	EXPECT_EQ(12, offsetof(struct kvm_coherency_status, nr_iommufds));
	EXPECT_EQ(16, offsetof(struct kvm_coherency_status, edges));
	EXPECT_EQ(24, offsetof(struct kvm_coherency_status, wbinvd_flushed));
	EXPECT_EQ(32, offsetof(struct kvm_coherency_status, wbinvd_ignored));
}

TEST_F(uapi, one_device_per_vm)
{
	struct kvm_vm *other = vm_create_barebones();
	int device, vfio;

	coherency_device_status(self->device);
	EXPECT_ERRNO(EBUSY, __kvm_create_device(self->vm, KVM_DEV_TYPE_IOMMUFD));
	EXPECT_EQ(0, __kvm_test_create_device(self->vm, KVM_DEV_TYPE_IOMMUFD));
	EXPECT_UNCHANGED();

	/* Another VM can have one as well, and this VM a new one once the first is closed */
	vfio = kvm_create_device(other, KVM_DEV_TYPE_VFIO);
	device = kvm_create_device(other, KVM_DEV_TYPE_IOMMUFD);
	EXPECT_EQ(0, set_attr(device, FD, FD_ADD, &self->iommufd));
	EXPECT_UNCHANGED();
	close(device);
	close(vfio);
	kvm_vm_free(other);

	EXPECT_EQ(0, set_attr(self->device, FD, FD_ADD, &self->iommufd));
	close(self->device);
	EXPECT_EQ(0, iommufd_watches(self->iommufd));
	self->device = kvm_create_device(self->vm, KVM_DEV_TYPE_IOMMUFD);
	EXPECT_UNCHANGED();
}

TEST_F(uapi, neighbouring_types_are_no_devices)
{
	EXPECT_ERRNO(ENODEV, __kvm_create_device(self->vm, KVM_DEV_TYPE_IOMMUFD - 1));
	EXPECT_ERRNO(ENODEV, __kvm_create_device(self->vm, KVM_DEV_TYPE_IOMMUFD + 1));
	EXPECT_ERRNO(ENODEV, __kvm_test_create_device(self->vm, KVM_DEV_TYPE_IOMMUFD - 1));
	EXPECT_ERRNO(ENODEV, __kvm_test_create_device(self->vm, UINT_MAX));
}

TEST_F(uapi, fd_is_not_open)
{
	int fds[] = { -1, INT_MIN, INT_MAX, dup(self->iommufd), open("/dev/iommu", O_PATH) };
	int i;

	ASSERT_LE(0, fds[4]);
	close(fds[3]);
	for (i = 0; i < ARRAY_SIZE(fds); i++) {
		EXPECT_ERRNO(EBADF, set_attr(self->device, FD, FD_ADD, &fds[i]));
		EXPECT_ERRNO(EBADF, set_attr(self->device, FD, FD_DEL, &fds[i]));
		if (fds[i] != -1)
			EXPECT_ERRNO(EBADF, set_attr(self->device, COHERENCY, EVENTFD, &fds[i]));
	}
	EXPECT_UNCHANGED();
}

TEST_F(uapi, fd_is_not_an_iommufd)
{
	int fds[] = { open("/dev/null", O_RDWR), eventfd(0, 0), self->vm->fd, self->device,
		      open("/dev/vfio/devices/vfio0", O_RDWR), open("/dev/kvm", O_RDWR), };
	int i;

	for (i = 0; i < ARRAY_SIZE(fds); i++) {
		ASSERT_LE(0, fds[i]);
		EXPECT_ERRNO(EINVAL, set_attr(self->device, FD, FD_ADD, &fds[i]));
		EXPECT_ERRNO(EINVAL, set_attr(self->device, FD, FD_DEL, &fds[i]));
	}
	EXPECT_UNCHANGED();
}

TEST_F(uapi, added_twice_never_added)
{
	int again = dup(self->iommufd), other = iommufd_open();

	EXPECT_ERRNO(ENOENT, set_attr(self->device, FD, FD_DEL, &self->iommufd));
	EXPECT_EQ(0, set_attr(self->device, FD, FD_ADD, &self->iommufd));
	EXPECT_ERRNO(EEXIST, set_attr(self->device, FD, FD_ADD, &self->iommufd));
	EXPECT_ERRNO(EEXIST, set_attr(self->device, FD, FD_ADD, &again));
	EXPECT_EQ(1, iommufd_watches(self->iommufd));
	EXPECT_ERRNO(ENOENT, set_attr(self->device, FD, FD_DEL, &other));
	EXPECT_EQ(1, coherency_device_status(self->device).nr_iommufds);

	EXPECT_EQ(0, set_attr(self->device, FD, FD_ADD, &other));
	EXPECT_EQ(2, coherency_device_status(self->device).nr_iommufds);
	EXPECT_EQ(0, set_attr(self->device, FD, FD_DEL, &again));
	EXPECT_ERRNO(ENOENT, set_attr(self->device, FD, FD_DEL, &self->iommufd));
	EXPECT_EQ(1, coherency_device_status(self->device).nr_iommufds);
	EXPECT_EQ(0, set_attr(self->device, FD, FD_DEL, &other));
	EXPECT_UNCHANGED();
}

/* Two writable pages, and an unmapped one behind them */
static char *map_pages(void)
{
	size_t page = getpagesize();
	char *mem = mmap(NULL, 3 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			 -1, 0);

	TEST_ASSERT(mem != MAP_FAILED, "mmap failed");
	memset(mem, 0x5a, 2 * page);
	TEST_ASSERT(!munmap(mem + 2 * page, page), "munmap failed");
	return mem;
}

TEST_F(uapi, fd_in_unreadable_memory)
{
	char *mem = map_pages();
	void *bad[] = {
		NULL,
		mem + 2 * getpagesize(),
		mem + 2 * getpagesize() - 2,	/* half of it is mapped */
		(void *)0x8000000000000000,	/* not canonical */
		(void *)0xffff888000000000,	/* a kernel address */
		(void *)-4096L,
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_ERRNO(EFAULT, set_attr(self->device, FD, FD_ADD, bad[i]));
		EXPECT_ERRNO(EFAULT, set_attr(self->device, FD, FD_DEL, bad[i]));
		EXPECT_ERRNO(EFAULT, set_attr(self->device, COHERENCY, EVENTFD, bad[i]));
		EXPECT_ERRNO(EFAULT, get_attr(self->device, COHERENCY, STATUS, bad[i]));
	}
	EXPECT_UNCHANGED();

	/* An fd in the last mapped bytes can be read */
	memcpy(mem + 2 * getpagesize() - 4, &self->iommufd, 4);
	EXPECT_EQ(0, set_attr(self->device, FD, FD_ADD, mem + 2 * getpagesize() - 4));
	EXPECT_EQ(0, set_attr(self->device, FD, FD_DEL, mem + 2 * getpagesize() - 4));
	EXPECT_UNCHANGED();
}

TEST_F(uapi, status_in_unwritable_memory)
{
	size_t page = getpagesize(), size = sizeof(struct kvm_coherency_status);
	struct kvm_coherency_status *status;
	char *mem = map_pages(), *p;

	/* Read-only: the size can be read, but nothing written */
	status = (void *)(mem + page);
	status->size = size;
	ASSERT_EQ(0, mprotect(mem + page, page, PROT_READ));
	EXPECT_ERRNO(EFAULT, get_attr(self->device, COHERENCY, STATUS, status));
	EXPECT_EQ(size, status->size);
	for (p = (char *)status + 4; p < (char *)status + size; p++)
		EXPECT_EQ(0x5a, *p);

	/* The end of the struct, or all but its size, is not mapped */
	ASSERT_EQ(0, mprotect(mem + page, page, PROT_READ | PROT_WRITE));
	status = (void *)(mem + 2 * page - size + 8);
	status->size = size;
	EXPECT_ERRNO(EFAULT, get_attr(self->device, COHERENCY, STATUS, status));
	status = (void *)(mem + 2 * page - 4);
	status->size = size;
	EXPECT_ERRNO(EFAULT, get_attr(self->device, COHERENCY, STATUS, status));
	EXPECT_UNCHANGED();

	/* Just before the unmapped page it fits */
	status = (void *)(mem + 2 * page - size);
	status->size = size;
	EXPECT_EQ(0, get_attr(self->device, COHERENCY, STATUS, status));
	EXPECT_EQ(0, memcmp(status, &self->before, size));
}

TEST_F(uapi, status_sizes)
{
	const u32 size = sizeof(struct kvm_coherency_status);
	const u32 small[] = { 0, 1, 4, size / 2, size - 8, size - 1 };
	const u32 large[] = { size, size + 1, size + 8, 4096, INT_MAX, UINT_MAX };
	struct {
		struct kvm_coherency_status status;
		u8 canary[64];
	} buf, filled;
	int i;

	memset(&filled, 0x5a, sizeof(filled));
	for (i = 0; i < ARRAY_SIZE(small); i++) {
		buf = filled;
		buf.status.size = small[i];
		EXPECT_ERRNO(EINVAL, get_attr(self->device, COHERENCY, STATUS, &buf));
		EXPECT_EQ(small[i], buf.status.size);
		EXPECT_EQ(0, memcmp(&buf.status.flags, &filled.status.flags, sizeof(buf) - 4));
	}
	for (i = 0; i < ARRAY_SIZE(large); i++) {
		buf = filled;
		buf.status.size = large[i];
		EXPECT_EQ(0, get_attr(self->device, COHERENCY, STATUS, &buf));
		EXPECT_EQ(size, buf.status.size);
		EXPECT_EQ(0, memcmp(&buf.status, &self->before, size));
		EXPECT_EQ(0, memcmp(buf.canary, filled.canary, sizeof(buf.canary)));
	}
}

static const struct {
	u32 group;
	u64 attr;
} known[] = {
	{ FD, FD_ADD },
	{ FD, FD_DEL },
	{ COHERENCY, STATUS },
	{ COHERENCY, EVENTFD },
}, unknown[] = {
	{ 0, 0 },
	{ 0, 1 },
	{ FD, 0 },
	{ FD, 3 },
	{ FD, 1ULL << 32 | FD_ADD },
	{ FD, ~0ULL },
	{ COHERENCY, 0 },
	{ COHERENCY, 3 },
	{ COHERENCY, 1ULL << 32 | STATUS },
	{ COHERENCY, 1ULL << 32 | EVENTFD },
	{ 3, 1 },
	{ ~0U, 1 },
};

TEST_F(uapi, known_attributes)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(known); i++)
		EXPECT_EQ(0, __kvm_has_device_attr(self->device, known[i].group, known[i].attr));
	EXPECT_UNCHANGED();
}

TEST_F(uapi, unknown_attributes)
{
	/* Valid as the argument of any known attribute */
	union {
		int fd;
		struct kvm_coherency_status status;
	} arg = { .status.size = sizeof(arg.status) }, fd = { .fd = self->iommufd };
	int i;

	for (i = 0; i < ARRAY_SIZE(unknown); i++) {
		EXPECT_ERRNO(ENXIO, __kvm_has_device_attr(self->device, unknown[i].group,
							  unknown[i].attr));
		EXPECT_ERRNO(ENXIO, set_attr(self->device, unknown[i].group, unknown[i].attr,
					     &fd));
		EXPECT_ERRNO(ENXIO, get_attr(self->device, unknown[i].group, unknown[i].attr,
					     &arg));
		/* ENXIO even with a bad address, which must not be read */
		EXPECT_ERRNO(ENXIO, set_attr(self->device, unknown[i].group, unknown[i].attr,
					     NULL));
	}
	/* Attributes that can only be set, or only be read */
	EXPECT_ERRNO(ENXIO, get_attr(self->device, FD, FD_ADD, &arg));
	EXPECT_ERRNO(ENXIO, get_attr(self->device, FD, FD_DEL, &arg));
	EXPECT_ERRNO(ENXIO, get_attr(self->device, COHERENCY, EVENTFD, &arg));
	EXPECT_ERRNO(ENXIO, set_attr(self->device, COHERENCY, STATUS, &arg));
	EXPECT_UNCHANGED();
}

/* Flags are reserved: unknown ones have to fail */
TEST_F(uapi, flags_of_an_attribute)
{
	static const unsigned long ioctls[] = {
		KVM_SET_DEVICE_ATTR, KVM_GET_DEVICE_ATTR, KVM_HAS_DEVICE_ATTR,
	};
	union {
		int fd;
		struct kvm_coherency_status status;
	} arg;
	int i, j, bit;

	for (i = 0; i < ARRAY_SIZE(known); i++) {
		struct kvm_device_attr attr = {
			.group = known[i].group,
			.attr = known[i].attr,
			.addr = (u64)&arg,
		};

		if (known[i].attr == STATUS && known[i].group == COHERENCY)
			arg.status.size = sizeof(arg.status);
		else
			arg.fd = known[i].group == FD ? self->iommufd : -1;
		for (bit = 0; bit < 32; bit++) {
			attr.flags = 1U << bit;
			for (j = 0; j < ARRAY_SIZE(ioctls); j++)
				EXPECT_ERRNO(EINVAL, ioctl(self->device, ioctls[j], &attr));
		}
	}
	EXPECT_UNCHANGED();
}

TEST_F(uapi, not_an_eventfd)
{
	int fds[] = { open("/dev/null", O_RDWR), self->iommufd, self->vm->fd, self->device };
	int none = -1, good = eventfd(0, EFD_NONBLOCK), i;

	for (i = 0; i < ARRAY_SIZE(fds); i++)
		EXPECT_ERRNO(EINVAL, set_attr(self->device, COHERENCY, EVENTFD, &fds[i]));
	EXPECT_EQ(0, set_attr(self->device, COHERENCY, EVENTFD, &none));
	EXPECT_EQ(0, set_attr(self->device, COHERENCY, EVENTFD, &good));
	EXPECT_EQ(0, set_attr(self->device, COHERENCY, EVENTFD, &good));
	EXPECT_EQ(0, set_attr(self->device, COHERENCY, EVENTFD, &none));
	EXPECT_EQ(0, set_attr(self->device, COHERENCY, EVENTFD, &none));
	EXPECT_EQ(0, coherency_eventfd_read(good));
	EXPECT_UNCHANGED();
}

TEST_F(uapi, capability)
{
	EXPECT_EQ(ALL_POLICIES, kvm_check_cap(KVM_CAP_NONCOHERENT_DMA));
	EXPECT_EQ(ALL_POLICIES, vm_check_cap(self->vm, KVM_CAP_NONCOHERENT_DMA));
}

TEST_F(uapi, policies)
{
	static const u64 bad[] = {
		3, 4, 31, 32, 33, 63, 64, 65, 1ULL << 32, 1ULL << 32 | 1, 1ULL << 63, ~0ULL,
	};
	u64 policy;
	int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		EXPECT_ERRNO(EINVAL, __vm_enable_cap(self->vm, KVM_CAP_NONCOHERENT_DMA, bad[i]));
	EXPECT_UNCHANGED();

	/* Ends with FOLLOW, the default, which EXPECT_UNCHANGED() expects */
	for (policy = KVM_NONCOHERENT_DMA_NO_WBINVD + 1; policy-- > 0;) {
		EXPECT_EQ(0, __vm_enable_cap(self->vm, KVM_CAP_NONCOHERENT_DMA, policy));
		EXPECT_EQ(policy, coherency_device_status(self->device).policy);
		EXPECT_EQ(0, __vm_enable_cap(self->vm, KVM_CAP_NONCOHERENT_DMA, policy));
	}
	EXPECT_UNCHANGED();
}

TEST_F(uapi, capability_arguments)
{
	int i;

	for (i = 0; i < 32; i++) {
		struct kvm_enable_cap cap = {
			.cap = KVM_CAP_NONCOHERENT_DMA,
			.flags = 1U << i,
			.args[0] = KVM_NONCOHERENT_DMA_FORBID,
		};

		EXPECT_ERRNO(EINVAL, ioctl(self->vm->fd, KVM_ENABLE_CAP, &cap));
	}
	for (i = 1; i < 4; i++) {
		struct kvm_enable_cap cap = {
			.cap = KVM_CAP_NONCOHERENT_DMA,
			.args[0] = KVM_NONCOHERENT_DMA_FORBID,
		};

		cap.args[i] = 1;
		EXPECT_ERRNO(EINVAL, ioctl(self->vm->fd, KVM_ENABLE_CAP, &cap));
		cap.args[i] = 1ULL << 63;
		EXPECT_ERRNO(EINVAL, ioctl(self->vm->fd, KVM_ENABLE_CAP, &cap));
	}
	EXPECT_UNCHANGED();
}

/* A vCPU has no policy: the capability is the VM's */
TEST(capability_of_a_vcpu)
{
	struct kvm_enable_cap cap = {
		.cap = KVM_CAP_NONCOHERENT_DMA,
		.args[0] = KVM_NONCOHERENT_DMA_NO_WBINVD,
	};
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;

	vm = vm_create_with_one_vcpu(&vcpu, NULL);
	EXPECT_ERRNO(EINVAL, ioctl(vcpu->fd, KVM_ENABLE_CAP, &cap));
	kvm_vm_free(vm);
}

TEST_HARNESS_MAIN
