// SPDX-License-Identifier: GPL-2.0
/*
 * Pages that non-coherent DMA can reach are flushed: before the first domain that
 * does not enforce coherency maps them, not for a second one, and before they are
 * unpinned, whoever does that, also where a call fails half way. Mock domains tell
 * what they map, and iommufd's selftest compares each flush with that.
 *
 * Needs MOCK_PFN_START_IOVA in drivers/iommu/iommufd/selftest.c
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <linux/iommufd.h>

#include "../kselftest_harness.h"
#include "../../../../drivers/iommu/iommufd/iommufd_test.h"

#define DEBUGFS		"/sys/kernel/debug/"
#define MAX_FAULTS	1000
#define NR_PAGES	16
#define NR_IOASES	3
#define IOVA		MOCK_APERTURE_START

FIXTURE(flush)
{
	int fd;
	int watch;
	int fail_nth;
	size_t page;
	void *mem;
	__u32 ioas[NR_IOASES];
	__u32 loose;		/* a device that cannot have coherency */
	__u32 tight;		/* one that has */
};

enum memory { ANONYMOUS, SHARED, HUGE_PAGE };

FIXTURE_VARIANT(flush)
{
	enum memory memory;
	__u32 temp_memory;
};

FIXTURE_VARIANT_ADD(flush, anonymous) { .memory = ANONYMOUS, .temp_memory = 65536 };
/* A batch holds two runs of pages */
FIXTURE_VARIANT_ADD(flush, small_batches) { .memory = ANONYMOUS, .temp_memory = 32 };
FIXTURE_VARIANT_ADD(flush, shared) { .memory = SHARED, .temp_memory = 65536 };
FIXTURE_VARIANT_ADD(flush, huge_page) { .memory = HUGE_PAGE, .temp_memory = 65536 };

static bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool written = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	close(fd);
	return written;
}

static int test_cmd(int fd, struct iommu_test_cmd *cmd)
{
	cmd->size = sizeof(*cmd);
	return ioctl(fd, IOMMU_TEST_CMD, cmd);
}

static __u32 bind_device(int fd, __u32 flags)
{
	struct iommu_test_cmd cmd = {
		.op = IOMMU_TEST_OP_MOCK_BIND,
		.mock_domain_flags.dev_flags = flags,
	};

	return test_cmd(fd, &cmd) ? 0 : cmd.mock_domain_flags.out_idev_id;
}

/* Of all of iommufd */
static int set_temp_memory(int fd, __u32 bytes)
{
	struct iommu_test_cmd cmd = {
		.op = IOMMU_TEST_OP_SET_TEMP_MEMORY_LIMIT,
		.memory_limit.limit = bytes,
	};

	return test_cmd(fd, &cmd);
}

FIXTURE_SETUP(flush)
{
	struct iommu_test_cmd cmd = { .op = IOMMU_TEST_OP_FLUSH_WATCH };
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE;
	size_t length;
	int i, ret;

	self->page = sysconf(_SC_PAGESIZE);
	length = NR_PAGES * self->page;
	ASSERT_TRUE(write_file(DEBUGFS "failslab/ignore-gfp-wait", "N"));
	ASSERT_TRUE(write_file(DEBUGFS "failslab/verbose", "0"));
	ASSERT_TRUE(write_file(DEBUGFS "fail_iommufd/verbose", "0"));
	self->fail_nth = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->fail_nth);
	self->fd = open("/dev/iommu", O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->fd);

	if (variant->memory == SHARED)
		flags = MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE;
	if (variant->memory == HUGE_PAGE) {
		ASSERT_TRUE(write_file("/proc/sys/vm/nr_hugepages", "1"));
		flags |= MAP_HUGETLB;
		length = 2UL << 20;
	}
	self->mem = mmap(NULL, length, PROT_READ | PROT_WRITE, flags, -1, 0);
	if (self->mem == MAP_FAILED && variant->memory == HUGE_PAGE)
		SKIP(return, "no huge page");
	ASSERT_NE(MAP_FAILED, self->mem);
	memset(self->mem, 1, NR_PAGES * self->page);

	cmd.flush.uptr = (uintptr_t)self->mem;
	cmd.flush.length = NR_PAGES * self->page;
	ret = test_cmd(self->fd, &cmd);
	if (ret && errno == EOPNOTSUPP)
		SKIP(return, "this kernel flushes no pages");
	ASSERT_EQ(0, ret);
	self->watch = cmd.flush.out_fd;
	ASSERT_EQ(0, set_temp_memory(self->fd, variant->temp_memory));

	for (i = 0; i < NR_IOASES; i++) {
		struct iommu_ioas_alloc alloc = { .size = sizeof(alloc) };

		ASSERT_EQ(0, ioctl(self->fd, IOMMU_IOAS_ALLOC, &alloc));
		self->ioas[i] = alloc.out_ioas_id;
	}
	self->loose = bind_device(self->fd, 0);
	self->tight = bind_device(self->fd, MOCK_FLAGS_DEVICE_ENFORCE_COHERENCY);
	ASSERT_NE(0, self->loose);
	ASSERT_NE(0, self->tight);
}

FIXTURE_TEARDOWN(flush)
{
	EXPECT_EQ(0, set_temp_memory(self->fd, 65536));
	close(self->fd);
	close(self->watch);
	close(self->fail_nth);
	munmap(self->mem, variant->memory == HUGE_PAGE ? 2UL << 20 : NR_PAGES * self->page);
}

/* Return an ID, or 0; the other calls 0 or -1 */

static __u32 alloc_pt(FIXTURE_DATA(flush) * self, __u32 dev, int ioas)
{
	struct iommu_hwpt_alloc cmd = {
		.size = sizeof(cmd),
		.dev_id = dev,
		.pt_id = self->ioas[ioas],
	};

	return ioctl(self->fd, IOMMU_HWPT_ALLOC, &cmd) ? 0 : cmd.out_hwpt_id;
}

static int destroy(FIXTURE_DATA(flush) * self, __u32 id)
{
	struct iommu_destroy cmd = { .size = sizeof(cmd), .id = id };

	return ioctl(self->fd, IOMMU_DESTROY, &cmd);
}

static int map_bytes(FIXTURE_DATA(flush) * self, int ioas, size_t offset, size_t length)
{
	struct iommu_ioas_map cmd = {
		.size = sizeof(cmd),
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_WRITEABLE |
			 IOMMU_IOAS_MAP_READABLE,
		.ioas_id = self->ioas[ioas],
		.user_va = (uintptr_t)self->mem + offset,
		.length = length,
		.iova = IOVA + offset,
	};

	return ioctl(self->fd, IOMMU_IOAS_MAP, &cmd);
}

static int map(FIXTURE_DATA(flush) * self, int ioas)
{
	return map_bytes(self, ioas, 0, NR_PAGES * self->page);
}

static int copy(FIXTURE_DATA(flush) * self, int from, int to, int first, int nr)
{
	struct iommu_ioas_copy cmd = {
		.size = sizeof(cmd),
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_WRITEABLE |
			 IOMMU_IOAS_MAP_READABLE,
		.src_ioas_id = self->ioas[from],
		.dst_ioas_id = self->ioas[to],
		.src_iova = IOVA + first * self->page,
		.dst_iova = IOVA + first * self->page,
		.length = nr * self->page,
	};

	return ioctl(self->fd, IOMMU_IOAS_COPY, &cmd);
}

static int unmap(FIXTURE_DATA(flush) * self, int ioas)
{
	struct iommu_ioas_unmap cmd = {
		.size = sizeof(cmd),
		.ioas_id = self->ioas[ioas],
		.iova = 0,
		.length = UINT64_MAX,
	};

	return ioctl(self->fd, IOMMU_IOAS_UNMAP, &cmd);
}

/* An access of a device that does DMA, or of a CPU; returns its file */
static int new_access(FIXTURE_DATA(flush) * self, int ioas, bool dma)
{
	struct iommu_test_cmd cmd = {
		.op = IOMMU_TEST_OP_CREATE_ACCESS,
		.id = self->ioas[ioas],
		.create_access.flags = MOCK_FLAGS_ACCESS_CREATE_NEEDS_PIN_PAGES |
				       (dma ? MOCK_FLAGS_ACCESS_CREATE_NONCOHERENT_DMA : 0),
	};

	return test_cmd(self->fd, &cmd) ? -1 : (int)cmd.create_access.out_access_fd;
}

/* Returns an ID, which may be 0, or -1 */
static int pin(FIXTURE_DATA(flush) * self, int access, int first, int nr)
{
	struct iommu_test_cmd cmd = {
		.op = IOMMU_TEST_OP_ACCESS_PAGES,
		.id = access,
		.access_pages.iova = IOVA + first * self->page,
		.access_pages.length = nr * self->page,
		.access_pages.uptr = (uintptr_t)self->mem + first * self->page,
	};

	return test_cmd(self->fd, &cmd) ? -1 : (int)cmd.access_pages.out_access_pages_id;
}

static int unpin(FIXTURE_DATA(flush) * self, int access, int id)
{
	struct iommu_test_cmd cmd = {
		.op = IOMMU_TEST_OP_DESTROY_ACCESS_PAGES,
		.id = access,
		.destroy_access_pages.access_pages_id = id,
	};

	return test_cmd(self->fd, &cmd);
}

static void read_watch(struct __test_metadata *_metadata, FIXTURE_DATA(flush) * self,
		       struct iommu_test_flush_page *pages)
{
	ASSERT_EQ(NR_PAGES * sizeof(*pages), read(self->watch, pages, NR_PAGES * sizeof(*pages)));
}

/*
 * Since the last time each of these pages was flushed @flushes times, all others not at
 * all; and at any time none was mapped unflushed, or flushed while it was mapped. Pages
 * that are still pinned somewhere may be @owed a flush.
 */
static void expect(struct __test_metadata *_metadata, FIXTURE_DATA(flush) * self,
		   int first, int nr, __u32 flushes, bool owed)
{
	struct iommu_test_flush_page pages[NR_PAGES];
	int i;

	read_watch(_metadata, self, pages);
	for (i = 0; i < NR_PAGES; i++) {
		EXPECT_EQ(i >= first && i < first + nr ? flushes : 0, pages[i].flushes) {
			TH_LOG("page %d", i);
		}
		EXPECT_EQ(0, pages[i].unflushed);
		EXPECT_EQ(0, pages[i].late);
		EXPECT_EQ(owed, pages[i].owed);
	}
}

#define EXPECT_FLUSHES(nr)		expect(_metadata, self, 0, NR_PAGES, nr, false)
#define EXPECT_OWED()			expect(_metadata, self, 0, NR_PAGES, 0, true)
#define EXPECT_SOME(first, nr, n)	expect(_metadata, self, first, nr, n, false)

TEST_F(flush, map_and_unmap)
{
	int i;

	ASSERT_NE(0, alloc_pt(self, self->loose, 0));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, map(self, 0));
		EXPECT_FLUSHES(1);
		ASSERT_EQ(0, unmap(self, 0));
		EXPECT_FLUSHES(1);
	}
}

TEST_F(flush, coherent_pays_nothing)
{
	__u32 pt = alloc_pt(self, self->tight, 0);

	ASSERT_NE(0, pt);
	ASSERT_EQ(0, map(self, 0));
	ASSERT_NE(0, alloc_pt(self, self->tight, 0));
	ASSERT_EQ(0, destroy(self, pt));
	ASSERT_EQ(0, unmap(self, 0));
	EXPECT_FLUSHES(0);
}

TEST_F(flush, part_of_a_page)
{
	ASSERT_NE(0, alloc_pt(self, self->loose, 0));
	ASSERT_EQ(0, map_bytes(self, 0, 5 * self->page / 2, 2 * self->page));
	EXPECT_SOME(2, 3, 1);
	ASSERT_EQ(0, unmap(self, 0));
	EXPECT_SOME(2, 3, 1);
}

TEST_F(flush, second_domain_adds_nothing)
{
	__u32 pts[3];
	int i;

	for (i = 0; i < 2; i++)
		ASSERT_NE(0, pts[i] = alloc_pt(self, self->loose, 0));
	ASSERT_EQ(0, map(self, 0));
	EXPECT_FLUSHES(1);
	ASSERT_NE(0, pts[2] = alloc_pt(self, self->loose, 0));
	EXPECT_FLUSHES(0);
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, destroy(self, pts[i]));
		EXPECT_FLUSHES(0);
	}
	/* The last one unpins */
	ASSERT_EQ(0, destroy(self, pts[2]));
	EXPECT_FLUSHES(1);
	ASSERT_EQ(0, unmap(self, 0));
	EXPECT_FLUSHES(0);
}

TEST_F(flush, domain_joins)
{
	__u32 pt;

	ASSERT_EQ(0, map(self, 0));
	EXPECT_FLUSHES(0);
	ASSERT_NE(0, pt = alloc_pt(self, self->loose, 0));
	EXPECT_FLUSHES(1);
	ASSERT_EQ(0, destroy(self, pt));
	EXPECT_FLUSHES(1);
}

/* The coherent domain has them first, and last: it unpins them */
TEST_F(flush, domain_joins_a_coherent_one)
{
	__u32 pt;

	ASSERT_NE(0, alloc_pt(self, self->tight, 0));
	ASSERT_EQ(0, map(self, 0));
	EXPECT_FLUSHES(0);
	ASSERT_NE(0, pt = alloc_pt(self, self->loose, 0));
	EXPECT_FLUSHES(1);
	ASSERT_EQ(0, destroy(self, pt));
	EXPECT_OWED();
	/* They were not unpinned, but what they held since may be in the caches */
	ASSERT_NE(0, pt = alloc_pt(self, self->loose, 0));
	EXPECT_FLUSHES(1);
	ASSERT_EQ(0, destroy(self, pt));
	EXPECT_OWED();
	ASSERT_EQ(0, unmap(self, 0));
	EXPECT_FLUSHES(1);
}

TEST_F(flush, copied_from_a_noncoherent_ioas)
{
	__u32 pt;

	ASSERT_NE(0, alloc_pt(self, self->loose, 0));
	ASSERT_EQ(0, map(self, 0));
	EXPECT_FLUSHES(1);
	ASSERT_EQ(0, copy(self, 0, 1, 0, NR_PAGES));
	ASSERT_NE(0, pt = alloc_pt(self, self->loose, 1));
	EXPECT_FLUSHES(0);
	ASSERT_EQ(0, unmap(self, 0));
	EXPECT_FLUSHES(0);
	ASSERT_EQ(0, destroy(self, pt));
	EXPECT_FLUSHES(1);
}

TEST_F(flush, copied_to_a_noncoherent_ioas)
{
	ASSERT_NE(0, alloc_pt(self, self->tight, 0));
	ASSERT_NE(0, alloc_pt(self, self->loose, 1));
	ASSERT_EQ(0, map(self, 0));
	EXPECT_FLUSHES(0);
	ASSERT_EQ(0, copy(self, 0, 1, 0, NR_PAGES));
	EXPECT_FLUSHES(1);
	ASSERT_EQ(0, unmap(self, 1));
	EXPECT_OWED();
	ASSERT_EQ(0, unmap(self, 0));
	EXPECT_FLUSHES(1);
}

/* What is exposed already is left out, in the middle and at both ends */
TEST_F(flush, copied_in_parts)
{
	struct iommu_test_flush_page pages[NR_PAGES];
	int i;

	ASSERT_NE(0, alloc_pt(self, self->tight, 0));
	ASSERT_NE(0, alloc_pt(self, self->loose, 1));
	ASSERT_NE(0, alloc_pt(self, self->loose, 2));
	ASSERT_EQ(0, map(self, 0));
	ASSERT_EQ(0, copy(self, 0, 1, 0, 2));
	EXPECT_SOME(0, 2, 1);
	ASSERT_EQ(0, copy(self, 0, 1, 5, 4));
	EXPECT_SOME(5, 4, 1);
	ASSERT_EQ(0, copy(self, 0, 1, 15, 1));
	EXPECT_SOME(15, 1, 1);
	ASSERT_EQ(0, copy(self, 0, 2, 0, NR_PAGES));
	read_watch(_metadata, self, pages);
	for (i = 0; i < NR_PAGES; i++) {
		EXPECT_EQ(!(i < 2 || (i >= 5 && i < 9) || i == 15), pages[i].flushes);
		EXPECT_EQ(0, pages[i].unflushed);
	}
	ASSERT_EQ(0, unmap(self, 0));
	ASSERT_EQ(0, unmap(self, 1));
	EXPECT_FLUSHES(0);
	ASSERT_EQ(0, unmap(self, 2));
	EXPECT_FLUSHES(1);
}

TEST_F(flush, access_of_a_cpu)
{
	int access, id;
	__u32 pt;

	ASSERT_EQ(0, map(self, 0));
	ASSERT_LE(0, access = new_access(self, 0, false));
	ASSERT_LE(0, id = pin(self, access, 0, NR_PAGES));
	ASSERT_EQ(0, unpin(self, access, id));
	EXPECT_FLUSHES(0);

	/* It pins them first, and unpins them last */
	ASSERT_LE(0, id = pin(self, access, 0, NR_PAGES));
	ASSERT_NE(0, pt = alloc_pt(self, self->loose, 0));
	EXPECT_FLUSHES(1);
	ASSERT_EQ(0, destroy(self, pt));
	EXPECT_OWED();
	ASSERT_EQ(0, unpin(self, access, id));
	EXPECT_FLUSHES(1);
	close(access);
}

TEST_F(flush, access_of_a_device)
{
	int cpu, dma, id, cpu_id;
	__u32 pt;

	ASSERT_EQ(0, map(self, 0));
	ASSERT_LE(0, dma = new_access(self, 0, true));
	ASSERT_LE(0, cpu = new_access(self, 0, false));
	ASSERT_LE(0, id = pin(self, dma, 3, 4));
	EXPECT_SOME(3, 4, 1);
	ASSERT_EQ(0, unpin(self, dma, id));
	EXPECT_SOME(3, 4, 1);

	/* Also where a CPU has an access to the same range */
	ASSERT_LE(0, cpu_id = pin(self, cpu, 3, 4));
	ASSERT_LE(0, id = pin(self, dma, 3, 4));
	EXPECT_SOME(3, 4, 1);
	ASSERT_EQ(0, unpin(self, dma, id));
	EXPECT_FLUSHES(0);
	ASSERT_EQ(0, unpin(self, cpu, cpu_id));
	EXPECT_SOME(3, 4, 1);

	/* A coherent domain keeps what it pinned */
	ASSERT_LE(0, id = pin(self, dma, 3, 4));
	EXPECT_SOME(3, 4, 1);
	ASSERT_NE(0, pt = alloc_pt(self, self->tight, 0));
	ASSERT_EQ(0, unpin(self, dma, id));
	EXPECT_FLUSHES(0);
	ASSERT_EQ(0, destroy(self, pt));
	EXPECT_FLUSHES(1);
	close(dma);
	close(cpu);
}

TEST_F(flush, closed)
{
	int access;

	ASSERT_NE(0, alloc_pt(self, self->loose, 0));
	ASSERT_NE(0, alloc_pt(self, self->tight, 1));
	ASSERT_EQ(0, map(self, 0));
	ASSERT_EQ(0, copy(self, 0, 1, 0, NR_PAGES));
	ASSERT_LE(0, access = new_access(self, 1, false));
	ASSERT_LE(0, pin(self, access, 0, 4));
	EXPECT_FLUSHES(1);
	close(access);
	EXPECT_FLUSHES(0);
	close(self->fd);
	EXPECT_FLUSHES(1);
	self->fd = open("/dev/iommu", O_RDWR | O_CLOEXEC);
}

/* Does the call get as far as its fault @nth? Then *ret is what it returned */
static bool fails(FIXTURE_DATA(flush) * self, int nth, int (*call)(FIXTURE_DATA(flush) *, __u32 *),
		  __u32 *id, int *ret)
{
	char left[16] = {};

	if (dprintf(self->fail_nth, "%d", nth) < 0)
		return false;
	*ret = call(self, id);
	if (pread(self->fail_nth, left, sizeof(left) - 1, 0) <= 0)
		return false;
	dprintf(self->fail_nth, "0");
	return atoi(left) == 0;
}

/*
 * Each fault of the call in turn. What it has mapped by then was flushed before, and
 * flushed again when it was taken back.
 */
static void each_fault(struct __test_metadata *_metadata, FIXTURE_DATA(flush) * self,
		       int (*call)(FIXTURE_DATA(flush) *, __u32 *),
		       int (*undo)(FIXTURE_DATA(flush) *, __u32))
{
	struct iommu_test_flush_page pages[NR_PAGES];
	int nth, ret = -1, i, failures = 0;
	__u32 id = 0;
	bool failed;

	for (nth = 1;; nth++) {
		ASSERT_GT(MAX_FAULTS, nth);
		failed = fails(self, nth, call, &id, &ret);
		failures += ret != 0;
		if (!ret)
			ASSERT_EQ(0, undo(self, id));
		read_watch(_metadata, self, pages);
		for (i = 0; i < NR_PAGES; i++) {
			EXPECT_EQ(0, pages[i].unflushed);
			EXPECT_EQ(0, pages[i].late) {
				TH_LOG("fault %d, page %d", nth, i);
			}
			EXPECT_EQ(0, pages[i].owed) {
				TH_LOG("fault %d, page %d", nth, i);
			}
			EXPECT_EQ(0, pages[i].mapped);
		}
		if (!failed)
			break;
	}
	EXPECT_EQ(0, ret);
	EXPECT_LT(0, failures);
	TH_LOG("%d faults, %d failures", nth - 1, failures);
}

static int call_map(FIXTURE_DATA(flush) * self, __u32 *id)
{
	return map(self, 0);
}

static int undo_map(FIXTURE_DATA(flush) * self, __u32 id)
{
	return unmap(self, 0);
}

TEST_F(flush, map_fails)
{
	int i;

	for (i = 0; i < 3; i++)
		ASSERT_NE(0, alloc_pt(self, self->loose, 0));
	each_fault(_metadata, self, call_map, undo_map);
}

static int call_alloc_pt(FIXTURE_DATA(flush) * self, __u32 *id)
{
	*id = alloc_pt(self, self->loose, 0);
	return *id ? 0 : -1;
}

TEST_F(flush, join_fails)
{
	/* Two areas: the first is taken back where the second fails */
	ASSERT_EQ(0, map_bytes(self, 0, 0, 8 * self->page));
	ASSERT_EQ(0, map_bytes(self, 0, 8 * self->page, 8 * self->page));
	each_fault(_metadata, self, call_alloc_pt, destroy);
}

static int access_that_fails;

static int call_pin(FIXTURE_DATA(flush) * self, __u32 *id)
{
	int pinned = pin(self, access_that_fails, 0, NR_PAGES);

	*id = pinned;
	return pinned < 0 ? -1 : 0;
}

static int undo_pin(FIXTURE_DATA(flush) * self, __u32 id)
{
	return unpin(self, access_that_fails, id);
}

TEST_F(flush, access_fails)
{
	ASSERT_EQ(0, map_bytes(self, 0, 0, 8 * self->page));
	ASSERT_EQ(0, map_bytes(self, 0, 8 * self->page, 8 * self->page));
	access_that_fails = new_access(self, 0, true);
	ASSERT_LE(0, access_that_fails);
	each_fault(_metadata, self, call_pin, undo_pin);
	close(access_that_fails);
}

TEST_HARNESS_MAIN
