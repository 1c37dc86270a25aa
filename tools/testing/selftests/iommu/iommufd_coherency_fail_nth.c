// SPDX-License-Identifier: GPL-2.0
/*
 * All or nothing: calls that bind, attach, replace, detach and watch a mock
 * device, or attach an access, run with each of their allocations, and each
 * failure point of iommufd's selftest, failing once. The model checks that a
 * failed call has changed nothing, and the next try has to succeed.
 *
 * Needs failslab in debugfs.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "coherency_model.h"

#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT	900

#define DEBUGFS		"/sys/kernel/debug/"
#define MAX_FAULTS	400

FIXTURE(fail)
{
	struct model m;
	int dev;		/* capable or not, by the variant */
	int incapable;
	int sibling;
	int loose, nested;	/* page tables */
	int watches[2];
};

/* A failed attach has an edge to undo only where the page table does not enforce coherency */
FIXTURE_VARIANT(fail)
{
	bool capable;
};

FIXTURE_VARIANT_ADD(fail, incapable) { .capable = false };
FIXTURE_VARIANT_ADD(fail, capable) { .capable = true };

static bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool written = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	close(fd);
	return written;
}

FIXTURE_SETUP(fail)
{
	struct model *m = &self->m;
	int i;

	ASSERT_TRUE(write_file(DEBUGFS "failslab/ignore-gfp-wait", "N"));
	ASSERT_TRUE(write_file(DEBUGFS "failslab/verbose", "0"));
	ASSERT_TRUE(write_file(DEBUGFS "fail_iommufd/verbose", "0"));

	model_open(m);
	m->fail_nth_fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, m->fail_nth_fd);
	for (i = 0; i < NR_IOASES; i++)
		model_map(m, 0, i);
	self->dev = model_bind(m, 0, variant->capable, NONE);
	self->sibling = model_bind(m, 0, variant->capable, self->dev);
	self->incapable = model_bind(m, 0, false, NONE);
	self->loose = model_alloc_pt(m, self->incapable, 0);
	self->nested = model_alloc_nested(m, self->incapable, self->loose);
	self->watches[0] = model_watch_ctx(m, 0, 0);
	self->watches[1] = model_watch_dev(m, self->dev, 0);
}

FIXTURE_TEARDOWN(fail)
{
	close(self->m.fail_nth_fd);
	model_close(&self->m);
}

/*
 * Repeats @call with its first, its second .. allocation failing, until it succeeds
 * without an injected failure. If it succeeds in spite of one, @undo undoes it. The
 * model checks each call.
 */
#define FOR_EACH_FAULT(call, undo)						\
({										\
	unsigned int nth, nr_failed = 0;					\
	int ret;								\
										\
	for (nth = 1;; nth++) {							\
		ASSERT_GT(MAX_FAULTS, nth);					\
		self->m.fail_nth = nth;						\
		ret = (call);							\
		if (ret < 0) {							\
			ASSERT_TRUE(self->m.injected);				\
			nr_failed++;						\
		} else if (self->m.injected) {					\
			undo;							\
		} else {							\
			break;							\
		}								\
	}									\
	TH_LOG(#call ": %u allocations, %u failures", nth - 1, nr_failed);	\
	nr_failed;								\
})

static void expect_watches(struct __test_metadata *_metadata, FIXTURE_DATA(fail) * self,
			   bool begun)
{
	EXPECT_EQ(begun, watch_state(&self->m, self->watches[0]).begun);
	EXPECT_EQ(begun, watch_state(&self->m, self->watches[1]).begun);
}

TEST_F(fail, bind)
{
	struct model *m = &self->m;

	EXPECT_LT(0, FOR_EACH_FAULT(model_bind(m, 0, variant->capable, NONE),
				    model_unbind(m, ret)));
	model_change(m, self->dev, TO_IOAS(0));
	/* Join a group that is attached */
	EXPECT_LT(0, FOR_EACH_FAULT(model_bind(m, 0, variant->capable, self->dev),
				    model_unbind(m, ret)));
	expect_watches(_metadata, self, !variant->capable);
}

TEST_F(fail, page_tables)
{
	struct model *m = &self->m;

	EXPECT_LT(0, FOR_EACH_FAULT(model_alloc_pt(m, self->dev, 0), model_free_pt(m, ret)));
	EXPECT_LT(0, FOR_EACH_FAULT(model_alloc_nested(m, self->dev, self->loose),
				    model_free_pt(m, ret)));
}

TEST_F(fail, attach)
{
	struct model *m = &self->m;
	int targets[] = { self->loose, self->nested, model_alloc_pt(m, self->dev, 1) };
	int i;

	for (i = 0; i < ARRAY_SIZE(targets); i++) {
		EXPECT_LT(0, FOR_EACH_FAULT(model_change(m, self->dev, TO_PT(targets[i])),
					    model_detach(m, self->dev)));
		expect_watches(_metadata, self, !m->pts[targets[i]].enforces);
		model_detach(m, self->dev);
	}
}

TEST_F(fail, attach_automatically)
{
	struct model *m = &self->m;

	EXPECT_LT(0, FOR_EACH_FAULT(model_change(m, self->dev, TO_IOAS(0)),
				    model_detach(m, self->dev)));
	expect_watches(_metadata, self, !variant->capable);
	/* Join the page table of its sibling */
	EXPECT_LT(0, FOR_EACH_FAULT(model_change(m, self->sibling, TO_IOAS(0)),
				    model_detach(m, self->sibling)));
	EXPECT_EQ(m->devs[self->dev].pt, m->devs[self->sibling].pt);
}

TEST_F(fail, attach_to_a_shared_automatic_page_table)
{
	struct model *m = &self->m;
	int other = model_bind(m, 0, variant->capable, NONE);

	model_change(m, other, TO_IOAS(0));
	EXPECT_LT(0, FOR_EACH_FAULT(model_change(m, self->dev, TO_IOAS(0)),
				    model_detach(m, self->dev)));
	EXPECT_EQ(m->devs[other].pt, m->devs[self->dev].pt);
}

/* Both devices of the group are attached: a failure has to leave both where they were */
TEST_F(fail, replace)
{
	struct model *m = &self->m;
	int own = model_alloc_pt(m, self->dev, 1);
	struct model_target targets[] = {
		TO_PT(self->loose), TO_PT(self->nested), TO_PT(own), TO_IOAS(0), TO_IOAS(1),
	};
	int from, to;

	model_change(m, self->dev, TO_PT(self->loose));
	model_change(m, self->sibling, TO_PT(self->loose));
	for (from = 0; from < ARRAY_SIZE(targets); from++) {
		for (to = 0; to < ARRAY_SIZE(targets); to++) {
			model_change(m, self->dev, targets[from]);
			if (from == to)
				continue;
			EXPECT_LT(0, FOR_EACH_FAULT(model_change(m, self->dev, targets[to]),
						    model_change(m, self->dev, targets[from])));
		}
	}
}

TEST_F(fail, detach)
{
	struct model *m = &self->m;

	model_change(m, self->dev, TO_IOAS(0));
	/* Detaching cannot fail, but the test op's look-up of the device can */
	EXPECT_EQ(1, FOR_EACH_FAULT(model_detach(m, self->dev),
				    model_change(m, self->dev, TO_IOAS(0))));
	expect_watches(_metadata, self, false);
	model_change(m, self->dev, TO_IOAS(0));
	EXPECT_EQ(0, FOR_EACH_FAULT(model_unbind(m, self->dev),
				    (self->dev = model_bind(m, 0, variant->capable, NONE),
				     model_change(m, self->dev, TO_IOAS(0)))));
	expect_watches(_metadata, self, false);
}

TEST_F(fail, watch)
{
	struct model *m = &self->m;

	EXPECT_LT(0, FOR_EACH_FAULT(model_watch_ctx(m, 0, 0), model_unwatch(m, ret)));
	EXPECT_LT(0, FOR_EACH_FAULT(model_watch_dev(m, self->dev, 0), model_unwatch(m, ret)));
	/* The watch begins at once, and has to end if a later step fails */
	model_change(m, self->dev, TO_PT(self->loose));
	EXPECT_LT(0, FOR_EACH_FAULT(model_watch_ctx(m, 0, 0), model_unwatch(m, ret)));
	EXPECT_LT(0, FOR_EACH_FAULT(model_watch_dev(m, self->dev, 0), model_unwatch(m, ret)));
}

TEST_F(fail, access)
{
	struct model *m = &self->m;
	int access = NONE;

	EXPECT_LT(0, FOR_EACH_FAULT((access = model_access(m, 0, 0, true)),
				    model_access_close(m, ret)));
	EXPECT_LT(0, FOR_EACH_FAULT(model_access_change(m, access, 1),
				    model_access_change(m, access, 0)));
	EXPECT_TRUE(watch_state(m, self->watches[0]).begun);
	EXPECT_EQ(0, FOR_EACH_FAULT(model_access_change(m, access, NONE),
				    model_access_change(m, access, 1)));
	EXPECT_LT(0, FOR_EACH_FAULT(model_access_change(m, access, 0),
				    model_access_change(m, access, NONE)));
	EXPECT_TRUE(watch_state(m, self->watches[0]).begun);
	EXPECT_FALSE(watch_state(m, self->watches[1]).begun);
}

FIXTURE(msi)
{
	int fd;
	int fail_nth_fd;
	__u32 ioas;
	__u32 stdev;
	__u32 pts[2];
};

FIXTURE_SETUP(msi)
{
	struct iommu_ioas_alloc ioas = { .size = sizeof(ioas) };
	struct iommu_test_cmd bind = {
		.size = sizeof(bind),
		.op = IOMMU_TEST_OP_MOCK_BIND,
		.mock_domain_flags.dev_flags = MOCK_FLAGS_DEVICE_SW_MSI,
	};
	struct iommu_hwpt_alloc hwpt = { .size = sizeof(hwpt) };
	int i;

	ASSERT_TRUE(write_file(DEBUGFS "failslab/ignore-gfp-wait", "N"));
	ASSERT_TRUE(write_file(DEBUGFS "failslab/verbose", "0"));
	ASSERT_TRUE(write_file(DEBUGFS "fail_iommufd/verbose", "0"));
	self->fail_nth_fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	self->fd = open("/dev/iommu", O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->fail_nth_fd);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, ioctl(self->fd, IOMMU_IOAS_ALLOC, &ioas));
	self->ioas = ioas.out_ioas_id;
	ASSERT_EQ(0, ioctl(self->fd, IOMMU_TEST_CMD, &bind));
	self->stdev = bind.mock_domain_flags.out_stdev_id;
	hwpt.dev_id = bind.mock_domain_flags.out_idev_id;
	hwpt.pt_id = self->ioas;
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, ioctl(self->fd, IOMMU_HWPT_ALLOC, &hwpt));
		self->pts[i] = hwpt.out_hwpt_id;
	}
}

FIXTURE_TEARDOWN(msi)
{
	close(self->fail_nth_fd);
	close(self->fd);
}

static int change(FIXTURE_DATA(msi) * self, int pt)
{
	struct iommu_test_cmd cmd = {
		.size = sizeof(cmd),
		.op = IOMMU_TEST_OP_MOCK_DOMAIN_REPLACE,
		.id = self->stdev,
		.mock_domain_replace.pt_id = self->pts[pt],
	};

	return ioctl(self->fd, IOMMU_TEST_CMD, &cmd);
}

/* The number of IOVA ranges that may be mapped: 2 while the MSI window is reserved */
static int nr_ranges(FIXTURE_DATA(msi) * self)
{
	struct iommu_ioas_iova_ranges cmd = { .size = sizeof(cmd), .ioas_id = self->ioas };

	return ioctl(self->fd, IOMMU_IOAS_IOVA_RANGES, &cmd) && errno == EMSGSIZE ?
	       (int)cmd.num_iovas : -1;
}

/* Returns false if the replacement made fewer than @nth allocations */
static bool change_faulty(FIXTURE_DATA(msi) * self, int nth, int *ret)
{
	char left[16] = {};

	if (dprintf(self->fail_nth_fd, "%d", nth) < 0)
		return false;
	*ret = change(self, 1);
	if (pread(self->fail_nth_fd, left, sizeof(left) - 1, 0) <= 0)
		return false;
	dprintf(self->fail_nth_fd, "0");
	return atoi(left) == 0;
}

/* A failed replacement within an IOAS leaves the MSI window reserved there */
TEST_F(msi, stays_reserved)
{
	int nth, ret = 0, failures = 0;

	ASSERT_EQ(1, nr_ranges(self));
	ASSERT_EQ(0, change(self, 0));
	ASSERT_EQ(2, nr_ranges(self));
	for (nth = 1; change_faulty(self, nth, &ret); nth++) {
		ASSERT_GT(MAX_FAULTS, nth);
		EXPECT_EQ(2, nr_ranges(self));
		failures += ret < 0;
		if (!ret)
			ASSERT_EQ(0, change(self, 0));
	}
	EXPECT_EQ(0, ret);
	EXPECT_LT(0, failures);
	EXPECT_EQ(2, nr_ranges(self));
}

TEST_HARNESS_MAIN
