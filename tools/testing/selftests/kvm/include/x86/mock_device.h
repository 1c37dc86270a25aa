/* SPDX-License-Identifier: GPL-2.0 */
/*
 * iommufd's mock devices as a source of non-coherent DMA, for machines without
 * an IOMMU. Their IOMMU cannot enforce cache coherency, so every attachment is
 * non-coherent. They need CONFIG_IOMMUFD_TEST, and on 6.12 a machine with no
 * real IOMMU in use.
 */
#ifndef SELFTEST_KVM_MOCK_DEVICE_H
#define SELFTEST_KVM_MOCK_DEVICE_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/iommufd.h>
#include "../../../../../../drivers/iommu/iommufd/iommufd_test.h"

#include "test_util.h"

/* Limits how long reserve waits for mock_watch_let_go(), and mock_watch_wait() for reserve */
#define MOCK_SLOW_MS	30000

struct mock_iommufd {
	int fd;
	uint32_t ioas;
};

static inline struct mock_iommufd mock_iommufd_open(void)
{
	struct iommu_ioas_alloc cmd = { .size = sizeof(cmd) };
	struct mock_iommufd mock;

	mock.fd = open_path_or_exit("/dev/iommu", O_RDWR);
	TEST_ASSERT(!ioctl(mock.fd, IOMMU_IOAS_ALLOC, &cmd), "IOMMU_IOAS_ALLOC: %s",
		    strerror(errno));
	mock.ioas = cmd.out_ioas_id;
	return mock;
}

static inline void mock_iommufd_close(struct mock_iommufd *mock)
{
	close(mock->fd);
	mock->fd = -1;
}

/* Allocates another IOAS to attach to */
static inline uint32_t mock_ioas_alloc(struct mock_iommufd *mock)
{
	struct iommu_ioas_alloc cmd = { .size = sizeof(cmd) };

	TEST_ASSERT(!ioctl(mock->fd, IOMMU_IOAS_ALLOC, &cmd), "IOMMU_IOAS_ALLOC: %s",
		    strerror(errno));
	return cmd.out_ioas_id;
}

static inline int __mock_destroy(struct mock_iommufd *mock, uint32_t id)
{
	struct iommu_destroy cmd = { .size = sizeof(cmd), .id = id };

	return ioctl(mock->fd, IOMMU_DESTROY, &cmd);
}

/* Creates a device, binds it and attaches it to @pt; a device id or -1 and errno */
static inline int __mock_attach(struct mock_iommufd *mock, uint32_t pt)
{
	struct iommu_test_cmd cmd = {
		.size = sizeof(cmd),
		.op = IOMMU_TEST_OP_MOCK_DOMAIN,
		.id = pt,
	};

	if (ioctl(mock->fd, IOMMU_TEST_CMD, &cmd))
		return -1;
	return cmd.mock_domain.out_stdev_id;
}

static inline uint32_t mock_attach(struct mock_iommufd *mock)
{
	int dev = __mock_attach(mock, mock->ioas);

	TEST_ASSERT(dev >= 0, "attach of a mock device: %s", strerror(errno));
	return dev;
}

/* Detaches and unbinds the device */
static inline void mock_detach(struct mock_iommufd *mock, uint32_t dev)
{
	TEST_ASSERT(!__mock_destroy(mock, dev), "detach of a mock device: %s", strerror(errno));
}

static inline int mock_replace(struct mock_iommufd *mock, uint32_t dev, uint32_t pt)
{
	struct iommu_test_cmd cmd = {
		.size = sizeof(cmd),
		.op = IOMMU_TEST_OP_MOCK_DOMAIN_REPLACE,
		.id = dev,
		.mock_domain_replace.pt_id = pt,
	};

	return ioctl(mock->fd, IOMMU_TEST_CMD, &cmd);
}

/* Returns the fd of a watch on the iommufd whose reserve waits for mock_watch_let_go() */
static inline int mock_slow_watch(struct mock_iommufd *mock)
{
	struct iommu_test_cmd cmd = {
		.size = sizeof(cmd),
		.op = IOMMU_TEST_OP_WATCH,
		.watch.slow_ms = MOCK_SLOW_MS,
	};

	TEST_ASSERT(!ioctl(mock->fd, IOMMU_TEST_CMD, &cmd), "IOMMU_TEST_OP_WATCH: %s",
		    strerror(errno));
	return cmd.watch.out_fd;
}

/* Waits until the watch is asked to reserve, which blocks the caller of reserve */
static inline void mock_watch_wait(int watch)
{
	struct pollfd asked = { .fd = watch, .events = POLLIN };

	TEST_ASSERT(poll(&asked, 1, MOCK_SLOW_MS) == 1, "nobody asked the slow watch");
}

static inline void mock_watch_let_go(int watch)
{
	TEST_ASSERT(write(watch, "", 1) == 1, "the slow watch was not waited for: %s",
		    strerror(errno));
}

/* Returns the fd of an access whose device does DMA to pinned pages, as kvmgt's do */
static inline int mock_access_open(struct mock_iommufd *mock)
{
	struct iommu_test_cmd cmd = {
		.size = sizeof(cmd),
		.op = IOMMU_TEST_OP_CREATE_ACCESS,
		.id = mock->ioas,
		.create_access.flags = MOCK_FLAGS_ACCESS_CREATE_NONCOHERENT_DMA,
	};

	return ioctl(mock->fd, IOMMU_TEST_CMD, &cmd) ? -1 : (int)cmd.create_access.out_access_fd;
}

/* Attaches the access to an IOAS, or with 0 detaches it */
static inline int mock_access_change(struct mock_iommufd *mock, int access, uint32_t ioas)
{
	struct iommu_test_cmd cmd = {
		.size = sizeof(cmd),
		.op = IOMMU_TEST_OP_ACCESS_CHANGE,
		.id = access,
		.access_replace_ioas.ioas_id = ioas,
	};

	return ioctl(mock->fd, IOMMU_TEST_CMD, &cmd);
}

#endif /* SELFTEST_KVM_MOCK_DEVICE_H */
