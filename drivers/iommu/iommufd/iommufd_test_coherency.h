/* SPDX-License-Identifier: GPL-2.0 */
/*
 * IOMMU_TEST_CMD's ops for coherency: mock devices whose DMA an IOMMU keeps
 * coherent, groups of several, failing hardware, accesses whose device does DMA,
 * and watches. The numbers are far from those of iommufd_test.h, so that new ones
 * there do not collide.
 *
 * There is no op for PASIDs: the iommufd of 6.12 has none for devices.
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
 */
enum iommu_test_coherency_op {
	IOMMU_TEST_OP_MOCK_BIND = 0x4e43,
	IOMMU_TEST_OP_MOCK_DETACH,
	IOMMU_TEST_OP_MOCK_FAIL,
	IOMMU_TEST_OP_WATCH,
	IOMMU_TEST_OP_WATCH_STATE,
	IOMMU_TEST_OP_ACCESS_CHANGE,
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
 * struct iommu_test_mock_fail - The hardware fails once
 * @nth: In: the how manyeth change, from now on, of the domain of the device
 *	(an out_idev_id) in iommu_test_cmd.id fails; 0 for none. Blocking counts
 *	as well as attaching; that the former fails makes the core warn.
 *	Out: what was left of the number set before; 0 if it has failed.
 * @error: The errno that it fails with
 */
struct iommu_test_mock_fail {
	__u32 nth;
	__u32 error;
};

/**
 * struct iommu_test_watch - A watch that only counts
 * @out_fd: File that owns the watch; to close it removes the watch. The
 *	watch it keeps the context, also after the iommufd is closed.
 * @refuse: In: errno with which reserve refuses from now on; 0 to agree
 * @begun: Out: non-coherent DMA is possible, says the watch
 * @reserves: Out: how many times it has agreed to reserve
 * @refusals: Out: how many times it has refused to
 * @begins: Out: calls of begin
 * @ends: Out: calls of end, also of those that undo only a reserve
 * @noncoherent: Out: mock devices of the source that the hardware has on a page
 *	table which does not enforce cache coherency, now; and of a context its
 *	accesses of such devices that have an IOAS, or pages of one
 * @slow_ms: In: milliseconds that reserve takes at most from now on, during which
 *	those that were asked before it have reserved and not begun, and poll()
 *	of the file says POLLIN. A write() to it lets reserve go on.
 * @gaps: Out: callbacks during which that was not 0, what adds and removes a
 *	watch excepted; callbacks out of order; and any watches at all that were
 *	removed without an end which they were owed
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

#endif
