// SPDX-License-Identifier: GPL-2.0
/*
 * If vmlinux was built without IOMMUFD_DRIVER, iommufd must not trust a driver's
 * claim to track dirty pages: every page would be reported clean.
 *
 * Needs such a kernel, modules/dirty_tracking_claim.ko loaded, and QEMU's edu
 * device behind VT-d as the only one bound to vfio-pci. Run with -v fixed where
 * iommufd has the fix, and with -v unpatched where it still accepts the claim,
 * which shows that -v fixed can fail.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>

#include <linux/iommufd.h>
#include <linux/vfio.h>

#include "../kselftest_harness.h"

#define PARAMETERS	"/sys/module/dirty_tracking_claim/parameters/"

/* -1 if the module is not loaded, or the parameter cannot be read */
static int parameter(const char *path)
{
	FILE *f = fopen(path, "r");
	int value = -1;

	if (!f)
		return -1;
	if (fscanf(f, "%d", &value) != 1)
		value = -1;
	fclose(f);
	return value;
}

static int driver_claims(void)
{
	return parameter(PARAMETERS "claims");
}

static int driver_allocs(void)
{
	return parameter(PARAMETERS "allocs");
}

FIXTURE(dirty_tracking)
{
	int iommufd;
	int device;
	__u32 dev_id;
	__u32 ioas_id;
};

FIXTURE_VARIANT(dirty_tracking)
{
	bool believed;
};

FIXTURE_VARIANT_ADD(dirty_tracking, fixed) { .believed = false };
FIXTURE_VARIANT_ADD(dirty_tracking, unpatched) { .believed = true };

FIXTURE_SETUP(dirty_tracking)
{
	struct vfio_device_bind_iommufd bind = { .argsz = sizeof(bind) };
	struct iommu_ioas_alloc ioas = { .size = sizeof(ioas) };

	ASSERT_EQ(1, driver_claims());

	self->iommufd = open("/dev/iommu", O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->iommufd);
	self->device = open("/dev/vfio/devices/vfio0", O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->device);
	bind.iommufd = self->iommufd;
	ASSERT_EQ(0, ioctl(self->device, VFIO_DEVICE_BIND_IOMMUFD, &bind));
	self->dev_id = bind.out_devid;
	ASSERT_EQ(0, ioctl(self->iommufd, IOMMU_IOAS_ALLOC, &ioas));
	self->ioas_id = ioas.out_ioas_id;
}

FIXTURE_TEARDOWN(dirty_tracking)
{
	close(self->device);
	close(self->iommufd);
}

static int hwpt_alloc(FIXTURE_DATA(dirty_tracking) * self, __u32 flags)
{
	struct iommu_hwpt_alloc alloc = {
		.size = sizeof(alloc),
		.flags = flags,
		.dev_id = self->dev_id,
		.pt_id = self->ioas_id,
	};

	return ioctl(self->iommufd, IOMMU_HWPT_ALLOC, &alloc);
}

TEST_F(dirty_tracking, capability)
{
	struct iommu_hw_info info = { .size = sizeof(info), .dev_id = self->dev_id };

	ASSERT_EQ(0, ioctl(self->iommufd, IOMMU_GET_HW_INFO, &info));
	EXPECT_EQ(variant->believed, !!(info.out_capabilities & IOMMU_HW_CAP_DIRTY_TRACKING));
}

TEST_F(dirty_tracking, allocation)
{
	int allocs = driver_allocs();

	/* The count of asked-for page tables works at all */
	ASSERT_EQ(0, hwpt_alloc(self, 0));
	ASSERT_EQ(allocs + 1, driver_allocs());

	/* The driver refuses as well, since its hardware lacks what it claims */
	EXPECT_EQ(-1, hwpt_alloc(self, IOMMU_HWPT_ALLOC_DIRTY_TRACKING));
	EXPECT_EQ(EOPNOTSUPP, errno);
	EXPECT_EQ(allocs + 1 + variant->believed, driver_allocs());
}

TEST_HARNESS_MAIN
