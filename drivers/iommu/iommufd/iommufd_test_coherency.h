/* SPDX-License-Identifier: GPL-2.0 */
/*
 * IOMMU_TEST_CMD's ops for coherency: mock devices whose DMA an IOMMU keeps
 * coherent, groups of several, failing hardware, accesses whose device does DMA,
 * and watches. The numbers are far from those of iommufd_test.h, so that new ones
 * there do not collide.
 *
 * PASIDs are attached by the ops of iommufd_test.h, where that has any.
 */
#ifndef _UAPI_IOMMUFD_TEST_COHERENCY_H
#define _UAPI_IOMMUFD_TEST_COHERENCY_H

#include <linux/types.h>

/**
 * enum iommu_test_coherency_op - Ops beside those of iommufd_test.h
 * @IOMMU_TEST_OP_MOCK_BIND: Creates a device with the flags of
 *	iommu_test_cmd.mock_domain_flags and binds it. Its group is that of the
 *	device (an out_idev_id) in iommu_test_cmd.id, or with 0 a new one.
 *	IOMMU_TEST_OP_MOCK_DOMAIN_REPLACE attaches a device that is not attached.
 * @IOMMU_TEST_OP_MOCK_DETACH: Detaches the device (an out_idev_id) in
 *	iommu_test_cmd.id, which stays bound. ENXIO: it is not attached.
 * @IOMMU_TEST_OP_MOCK_FAIL: See &struct iommu_test_mock_fail.
 * @IOMMU_TEST_OP_WATCH: Watches the device (an out_idev_id) in
 *	iommu_test_cmd.id, or with 0 the context; &struct iommu_test_watch.
 * @IOMMU_TEST_OP_WATCH_STATE: The state of the watch whose file is
 *	iommu_test_cmd.id; &struct iommu_test_watch.
 * @IOMMU_TEST_OP_ACCESS_CHANGE: Attaches the access whose file is
 *	iommu_test_cmd.id to the IOAS iommu_test_cmd.access_replace_ioas.ioas_id,
 *	replaces the one that it has, or with 0 detaches it. ENXIO: it has none.
 * @IOMMU_TEST_OP_FLUSH_WATCH: Watches how the pages of &struct iommu_test_flush are
 *	flushed. EOPNOTSUPP: this kernel flushes none.
 */
enum iommu_test_coherency_op {
	IOMMU_TEST_OP_MOCK_BIND = 0x4e43,
	IOMMU_TEST_OP_MOCK_DETACH,
	IOMMU_TEST_OP_MOCK_FAIL,
	IOMMU_TEST_OP_WATCH,
	IOMMU_TEST_OP_WATCH_STATE,
	IOMMU_TEST_OP_ACCESS_CHANGE,
	IOMMU_TEST_OP_FLUSH_WATCH,
};

enum {
	/* All page tables that are made for the device enforce cache coherency */
	MOCK_FLAGS_DEVICE_ENFORCE_COHERENCY = 1 << 16,
	/* The IOMMU wants a window for MSIs, which software sets up in each page table */
	MOCK_FLAGS_DEVICE_SW_MSI = 1 << 17,
};

/* That window, within the aperture */
#define MOCK_SW_MSI_START	(MOCK_APERTURE_START + 0x1000000UL)
#define MOCK_SW_MSI_LENGTH	0x100000UL

enum {
	/* A device does DMA to what the access pins, and nobody knows if it snoops */
	MOCK_FLAGS_ACCESS_CREATE_NONCOHERENT_DMA = 1 << 16,
};

/**
 * struct iommu_test_mock_fail - Lets one change of a device's domain fail
 * @nth: In: which change fails, counted from now on, of the device (an out_idev_id)
 *	in iommu_test_cmd.id; 0 for none. Changes to the blocking domain count as
 *	well; the core warns when one of those fails.
 *	Out: changes that the number set before still had to wait for; 0 if it has
 *	failed.
 * @error: The errno that it fails with
 */
struct iommu_test_mock_fail {
	__u32 nth;
	__u32 error;
};

/**
 * struct iommu_test_watch - A watch that counts its callbacks
 * @out_fd: File that owns the watch: closing it removes the watch. The watch keeps
 *	the context after the iommufd is closed.
 * @refuse: In: errno that reserve returns from now on; 0 to agree
 * @begun: Out: the watch has been told that non-coherent DMA is possible
 * @reserves: Out: number of reserves that agreed
 * @refusals: Out: number of reserves that refused
 * @begins: Out: calls of begin
 * @ends: Out: calls of end, including those that undo only a reserve
 * @noncoherent: Out: mock devices of the source that are now on a page table which
 *	does not enforce cache coherency, as the mock hardware has it; for a context
 *	also its accesses for such devices that have an IOAS or pinned pages
 * @slow_ms: In: limit, in milliseconds, of how long reserve waits from now on for
 *	a write() to the file. While it waits, watches that reserved before it have
 *	not begun, and poll() of the file reports POLLIN.
 * @gaps: Out: callbacks at which @noncoherent was not 0, except for those by which a
 *	watch is added or removed; callbacks out of order; and watches, of any file,
 *	that were removed without an end that they were owed
 *
 * Members other than @out_fd are set by both ops and read by the second.
 */
struct iommu_test_watch {
	__s32 out_fd;
	__u32 refuse;
	__u32 begun;
	__u32 reserves;
	__u32 refusals;
	__u32 begins;
	__u32 ends;
	__u32 noncoherent;
	__u32 gaps;
	__u32 slow_ms;
};

/**
 * struct iommu_test_flush - A watch of pages
 * @uptr: The first, which has to be writable
 * @length: In bytes, of 1024 pages at most
 * @out_fd: File that owns the watch: closing it removes the watch, which pins the
 *	pages. A read() gives a &struct iommu_test_flush_page for each.
 */
struct iommu_test_flush {
	__aligned_u64 uptr;
	__aligned_u64 length;
	__s32 out_fd;
};

/**
 * struct iommu_test_flush_page - What happened to a page
 * @flushes: How often it was flushed since the last read()
 * @unflushed: How often the first domain that does not enforce coherency mapped it
 *	without a flush before, since the last read()
 * @late: How often it was flushed while such a domain mapped it, since the last read()
 * @owed: Such a domain mapped it, none does now, and it was not flushed since
 * @mapped: Bytes of it that such domains map now, once for each
 */
struct iommu_test_flush_page {
	__u32 flushes;
	__u32 unflushed;
	__u32 late;
	__u32 owed;
	__u32 mapped;
};

#endif
