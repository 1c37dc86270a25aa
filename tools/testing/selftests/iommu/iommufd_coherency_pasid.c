// SPDX-License-Identifier: GPL-2.0
/*
 * When do watches begin and end where a device is attached by PASIDs, and where its
 * page table belongs to a virtual IOMMU? Tested on mock devices.
 *
 * Needs IOMMU_TEST_OP_PASID_ATTACH in drivers/iommu/iommufd/iommufd_test.h
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include <linux/iommufd.h>
#include "../../../../drivers/iommu/iommufd/iommufd_test.h"

/* Emulated machines and debug kernels are slow: only a hang should time out */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT	600

struct mock {
	__u32 stdev;
	__u32 idev;
};

static int test_op(int iommufd, __u32 op, struct iommu_test_cmd *cmd)
{
	cmd->size = sizeof(*cmd);
	cmd->op = op;
	return ioctl(iommufd, IOMMU_TEST_CMD, cmd) ? -errno : 0;
}

static int bind(int iommufd, bool capable, struct mock *dev)
{
	struct iommu_test_cmd cmd = {
		.mock_domain_flags.dev_flags = MOCK_FLAGS_DEVICE_PASID |
			(capable ? MOCK_FLAGS_DEVICE_ENFORCE_COHERENCY : 0),
	};
	int ret = test_op(iommufd, IOMMU_TEST_OP_MOCK_BIND, &cmd);

	dev->stdev = cmd.mock_domain_flags.out_stdev_id;
	dev->idev = cmd.mock_domain_flags.out_idev_id;
	return ret;
}

/* Replaces what the device is on */
static int attach(int iommufd, const struct mock *dev, __u32 pt)
{
	struct iommu_test_cmd cmd = { .id = dev->stdev, .mock_domain_replace.pt_id = pt };

	return test_op(iommufd, IOMMU_TEST_OP_MOCK_DOMAIN_REPLACE, &cmd);
}

static int detach(int iommufd, const struct mock *dev)
{
	struct iommu_test_cmd cmd = { .id = dev->idev };

	return test_op(iommufd, IOMMU_TEST_OP_MOCK_DETACH, &cmd);
}

static int pasid_attach(int iommufd, const struct mock *dev, __u32 pasid, __u32 pt)
{
	struct iommu_test_cmd cmd = {
		.id = dev->stdev, .pasid_attach = { .pasid = pasid, .pt_id = pt },
	};

	return test_op(iommufd, IOMMU_TEST_OP_PASID_ATTACH, &cmd);
}

static int pasid_replace(int iommufd, const struct mock *dev, __u32 pasid, __u32 pt)
{
	struct iommu_test_cmd cmd = {
		.id = dev->stdev, .pasid_replace = { .pasid = pasid, .pt_id = pt },
	};

	return test_op(iommufd, IOMMU_TEST_OP_PASID_REPLACE, &cmd);
}

static int pasid_detach(int iommufd, const struct mock *dev, __u32 pasid)
{
	struct iommu_test_cmd cmd = { .id = dev->stdev, .pasid_detach.pasid = pasid };

	return test_op(iommufd, IOMMU_TEST_OP_PASID_DETACH, &cmd);
}

/* With @pt 0: is the PASID on none? */
static int pasid_check(int iommufd, const struct mock *dev, __u32 pasid, __u32 pt)
{
	struct iommu_test_cmd cmd = {
		.id = dev->stdev, .pasid_check = { .pasid = pasid, .hwpt_id = pt },
	};

	return test_op(iommufd, IOMMU_TEST_OP_PASID_CHECK_HWPT, &cmd);
}

static int fail_next(int iommufd, const struct mock *dev, int error)
{
	struct iommu_test_cmd cmd = {
		.id = dev->idev, .mock_fail = { .nth = 1, .error = error },
	};

	return test_op(iommufd, IOMMU_TEST_OP_MOCK_FAIL, &cmd);
}

/* Returns the watch's file; without a device it watches the context */
static int watch(int iommufd, const struct mock *dev)
{
	struct iommu_test_cmd cmd = { .id = dev ? dev->idev : 0 };
	int ret = test_op(iommufd, IOMMU_TEST_OP_WATCH, &cmd);

	return ret ?: cmd.watch.out_fd;
}

/* Lets the watch refuse with @refuse from now on */
static struct iommu_test_watch state(int iommufd, int watch, int refuse)
{
	struct iommu_test_cmd cmd = { .id = watch, .watch.refuse = refuse };

	if (test_op(iommufd, IOMMU_TEST_OP_WATCH_STATE, &cmd))
		cmd.watch.gaps = -1;
	return cmd.watch;
}

static int alloc_pt(int iommufd, const struct mock *dev, __u32 from, __u32 flags, __u32 *id)
{
	struct iommu_hwpt_selftest data = { .iotlb = IOMMU_TEST_IOTLB_DEFAULT };
	bool nested = !flags;
	struct iommu_hwpt_alloc cmd = {
		.size = sizeof(cmd), .flags = flags, .dev_id = dev->idev, .pt_id = from,
		.data_type = nested ? IOMMU_HWPT_DATA_SELFTEST : IOMMU_HWPT_DATA_NONE,
		.data_len = nested ? sizeof(data) : 0,
		.data_uptr = nested ? (uintptr_t)&data : 0,
	};
	int ret = ioctl(iommufd, IOMMU_HWPT_ALLOC, &cmd) ? -errno : 0;

	*id = cmd.out_hwpt_id;
	return ret;
}

static long nr_attachments(int iommufd)
{
	static const char key[] = "noncoherent-attachments:";
	char path[64], text[1024] = {};
	const char *found;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", iommufd);
	fd = open(path, O_RDONLY);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		return -1;
	close(fd);
	found = strstr(text, key);
	return found ? atol(found + strlen(key)) : -1;
}

#define NR_WATCHES	2

FIXTURE(attached)
{
	int iommufd;
	__u32 ioas;
	struct mock capable, incapable;
	/* Page tables for each kind of device */
	__u32 enforcing, loose;
	/* One of the context, one of the capable device */
	int watches[NR_WATCHES];
};

FIXTURE_SETUP(attached)
{
	struct iommu_ioas_alloc alloc = { .size = sizeof(alloc) };

	self->iommufd = open("/dev/iommu", O_RDWR);
	ASSERT_LE(0, self->iommufd);
	ASSERT_EQ(0, ioctl(self->iommufd, IOMMU_IOAS_ALLOC, &alloc));
	self->ioas = alloc.out_ioas_id;
	ASSERT_EQ(0, bind(self->iommufd, true, &self->capable));
	ASSERT_EQ(0, bind(self->iommufd, false, &self->incapable));
	ASSERT_EQ(0, alloc_pt(self->iommufd, &self->capable, self->ioas,
			      IOMMU_HWPT_ALLOC_PASID, &self->enforcing));
	ASSERT_EQ(0, alloc_pt(self->iommufd, &self->incapable, self->ioas,
			      IOMMU_HWPT_ALLOC_PASID, &self->loose));
	self->watches[0] = watch(self->iommufd, NULL);
	ASSERT_LE(0, self->watches[0]);
	self->watches[1] = watch(self->iommufd, &self->capable);
	ASSERT_LE(0, self->watches[1]);
}

FIXTURE_TEARDOWN(attached)
{
	int i;

	for (i = 0; i < NR_WATCHES; i++) {
		EXPECT_EQ(0, state(self->iommufd, self->watches[i], 0).gaps);
		close(self->watches[i]);
	}
	close(self->iommufd);
}

static void expect_watches(struct __test_metadata *_metadata, FIXTURE_DATA(attached) * self,
			   int line, bool begun, unsigned int begins)
{
	int i;

	for (i = 0; i < NR_WATCHES; i++) {
		struct iommu_test_watch now = state(self->iommufd, self->watches[i], 0);

		EXPECT_EQ(begun, now.begun) {
			TH_LOG("line %d, watch %d", line, i);
		}
		EXPECT_EQ(begun, !!now.noncoherent) {
			TH_LOG("line %d, watch %d: the hardware", line, i);
		}
		EXPECT_EQ(begins, now.begins) {
			TH_LOG("line %d, watch %d", line, i);
		}
		EXPECT_EQ(begun, now.reserves - now.ends) {
			TH_LOG("line %d, watch %d", line, i);
		}
	}
}

#define EXPECT_WATCHES(begun, begins) \
	expect_watches(_metadata, self, __LINE__, begun, begins)
#define EXPECT_ATTACHMENTS(nr) \
	EXPECT_EQ(nr, nr_attachments(self->iommufd))

/* The device is non-coherent from its first PASID to its last, itself included */
TEST_F(attached, each_pasid_counts)
{
	int fd = self->iommufd;

	ASSERT_EQ(0, pasid_attach(fd, &self->capable, 100, self->loose));
	EXPECT_WATCHES(true, 1);
	ASSERT_EQ(0, attach(fd, &self->capable, self->loose));
	ASSERT_EQ(0, pasid_attach(fd, &self->capable, 200, self->loose));
	EXPECT_ATTACHMENTS(3);
	EXPECT_WATCHES(true, 1);
	ASSERT_EQ(0, pasid_detach(fd, &self->capable, 100));
	ASSERT_EQ(0, detach(fd, &self->capable));
	EXPECT_ATTACHMENTS(1);
	EXPECT_WATCHES(true, 1);
	ASSERT_EQ(0, pasid_detach(fd, &self->capable, 200));
	EXPECT_ATTACHMENTS(0);
	EXPECT_WATCHES(false, 1);
}

TEST_F(attached, pasids_are_replaced)
{
	int fd = self->iommufd;
	__u32 other;

	ASSERT_EQ(0, alloc_pt(fd, &self->incapable, self->ioas, IOMMU_HWPT_ALLOC_PASID, &other));
	ASSERT_EQ(0, pasid_attach(fd, &self->capable, 100, self->enforcing));
	EXPECT_WATCHES(false, 0);
	ASSERT_EQ(0, pasid_replace(fd, &self->capable, 100, self->loose));
	EXPECT_WATCHES(true, 1);
	ASSERT_EQ(0, pasid_replace(fd, &self->capable, 100, other));
	EXPECT_ATTACHMENTS(1);
	EXPECT_WATCHES(true, 1);
	ASSERT_EQ(0, pasid_replace(fd, &self->capable, 100, self->enforcing));
	EXPECT_WATCHES(false, 1);
	ASSERT_EQ(0, pasid_detach(fd, &self->capable, 100));
	EXPECT_WATCHES(false, 1);
}

/* Who refuses one PASID leaves the device and its other PASIDs as they are */
TEST_F(attached, pasid_is_refused)
{
	int fd = self->iommufd;

	ASSERT_EQ(0, attach(fd, &self->capable, self->enforcing));
	ASSERT_EQ(0, pasid_attach(fd, &self->capable, 100, self->enforcing));
	state(fd, self->watches[1], EPERM);
	EXPECT_EQ(-EPERM, pasid_attach(fd, &self->capable, 200, self->loose));
	EXPECT_EQ(0, pasid_check(fd, &self->capable, 200, 0));
	state(fd, self->watches[1], EPERM);
	EXPECT_EQ(-EPERM, pasid_replace(fd, &self->capable, 100, self->loose));
	EXPECT_EQ(0, pasid_check(fd, &self->capable, 100, self->enforcing));
	EXPECT_ATTACHMENTS(0);
	EXPECT_WATCHES(false, 0);
	ASSERT_EQ(0, pasid_detach(fd, &self->capable, 100));
}

TEST_F(attached, hardware_fails)
{
	int fd = self->iommufd, i;

	ASSERT_EQ(0, fail_next(fd, &self->capable, EIO));
	EXPECT_EQ(-EIO, pasid_attach(fd, &self->capable, 100, self->loose));
	EXPECT_EQ(0, pasid_check(fd, &self->capable, 100, 0));
	EXPECT_ATTACHMENTS(0);
	EXPECT_WATCHES(false, 1);

	ASSERT_EQ(0, pasid_attach(fd, &self->capable, 100, self->loose));
	ASSERT_EQ(0, fail_next(fd, &self->capable, EIO));
	EXPECT_EQ(-EIO, pasid_replace(fd, &self->capable, 100, self->enforcing));
	EXPECT_EQ(0, pasid_check(fd, &self->capable, 100, self->loose));
	EXPECT_ATTACHMENTS(1);
	EXPECT_WATCHES(true, 2);
	for (i = 200; i < 203; i++)
		ASSERT_EQ(0, pasid_attach(fd, &self->capable, i, self->loose));
	EXPECT_ATTACHMENTS(4);
	for (i = 200; i < 203; i++)
		ASSERT_EQ(0, pasid_detach(fd, &self->capable, i));
	ASSERT_EQ(0, pasid_detach(fd, &self->capable, 100));
	EXPECT_WATCHES(false, 2);
}

/* A page table of a virtual IOMMU is on the page table of which that was made */
TEST_F(attached, virtual_iommu)
{
	const struct mock *makers[] = { &self->capable, &self->incapable };
	int fd = self->iommufd, i;

	for (i = 0; i < 2; i++) {
		struct iommu_viommu_alloc viommu = {
			.size = sizeof(viommu), .type = IOMMU_VIOMMU_TYPE_SELFTEST,
			.dev_id = self->capable.idev,
		};
		struct iommu_vdevice_alloc vdev = {
			.size = sizeof(vdev), .dev_id = self->capable.idev, .virt_id = 0x99,
		};
		struct iommu_destroy destroy = { .size = sizeof(destroy) };
		__u32 nested, parent;

		ASSERT_EQ(0, alloc_pt(fd, makers[i], self->ioas, IOMMU_HWPT_ALLOC_NEST_PARENT,
				      &parent));
		viommu.hwpt_id = parent;
		ASSERT_EQ(0, ioctl(fd, IOMMU_VIOMMU_ALLOC, &viommu));
		vdev.viommu_id = viommu.out_viommu_id;
		ASSERT_EQ(0, ioctl(fd, IOMMU_VDEVICE_ALLOC, &vdev));
		/* Neither is an attachment */
		EXPECT_ATTACHMENTS(0);
		EXPECT_WATCHES(false, 0);

		ASSERT_EQ(0, alloc_pt(fd, &self->capable, viommu.out_viommu_id, 0, &nested));
		ASSERT_EQ(0, attach(fd, &self->capable, nested));
		EXPECT_ATTACHMENTS(i);
		EXPECT_WATCHES(i, i);
		ASSERT_EQ(0, detach(fd, &self->capable));
		EXPECT_WATCHES(false, i);

		destroy.id = vdev.out_vdevice_id;
		ASSERT_EQ(0, ioctl(fd, IOMMU_DESTROY, &destroy));
	}
}

TEST_HARNESS_MAIN
