/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A reference model of iommufd's non-coherent DMA, on mock devices.
 *
 * Each function makes one ioctl and updates the model's state: lists of devices,
 * page tables and watches. After each call the expected return value and the
 * expected state of each watch are computed from these lists, and the first
 * difference ends the program.
 */
#ifndef SELFTEST_IOMMU_COHERENCY_MODEL_H
#define SELFTEST_IOMMU_COHERENCY_MODEL_H

#include <stdbool.h>
#include <linux/iommufd.h>
#include "../../../../drivers/iommu/iommufd/iommufd_test.h"

#define NR_CTXS		2
#define NR_IOASES	2
#define NR_DEVS		8
#define NR_PTS		24
#define NR_WATCHES	8
#define NR_ACCESSES	4

#define NONE		(-1)

struct model_pt {
	bool used;
	int ctx;
	int ioas;		/* NONE: nested */
	int parent;		/* NONE: not nested */
	__u32 id;
	bool automatic;
	bool enforces;
};

struct model_dev {
	bool used;
	int ctx;
	int group;
	bool capable;
	__u32 stdev;
	__u32 idev;
	int pt;			/* NONE: bound, not attached */
};

/* The access of a driver whose device does DMA to pinned pages, if @dma; else CPU accesses only */
struct model_access {
	bool used;
	int ctx;
	bool dma;
	int fd;
	int ioas;		/* NONE: not attached */
};

struct model_watch {
	bool used;
	int ctx;
	int group;		/* NONE: the whole context */
	unsigned int order;	/* in which watches were added */
	__u32 refuse;
	struct iommu_test_watch seen;
};

struct model {
	struct {
		int fd;
		int fdinfo;
		__u32 ioas[NR_IOASES];
		void *mem[NR_IOASES];	/* mapped in each, or NULL */
	} ctxs[NR_CTXS];
	struct model_dev devs[NR_DEVS];
	struct model_pt pts[NR_PTS];
	struct model_watch watches[NR_WATCHES];
	struct model_access accesses[NR_ACCESSES];
	int next_group;
	unsigned int next_order;

	/* Make the next domain change of this device fail, with this errno */
	int fail_dev;
	int fail_error;
	/* Fail this allocation of the next call; injected: it got that far */
	unsigned int fail_nth;
	int fail_nth_fd;
	bool injected;

	/* For the message about a difference */
	unsigned long seed;
	unsigned long step;
	/* Counts, so that a test can check that it covered something */
	unsigned long changes, hw_failures, refusals, begins;
};

/* Where to attach a device: to a page table, or to an IOAS with the automatic choice */
struct model_target {
	int pt;
	int ioas;
};

#define TO_PT(pt_)	((struct model_target){ .pt = (pt_), .ioas = NONE })
#define TO_IOAS(ioas_)	((struct model_target){ .pt = NONE, .ioas = (ioas_) })

void model_open(struct model *m);
void model_close(struct model *m);

/*
 * Return the index of the new object, or a negative errno. A call may fail only if
 * the model says so, or because a failure was injected.
 */
int model_bind(struct model *m, int ctx, bool capable, int sibling);
int model_alloc_pt(struct model *m, int dev, int ioas);
int model_alloc_nested(struct model *m, int dev, int parent);
int model_watch_ctx(struct model *m, int ctx, __u32 refuse);
int model_watch_dev(struct model *m, int dev, __u32 refuse);

int model_change(struct model *m, int dev, struct model_target to);
int model_detach(struct model *m, int dev);
int model_unbind(struct model *m, int dev);
int model_free_pt(struct model *m, int pt);

/*
 * Creates an access attached to an IOAS in which model_map() has mapped pages. It pins
 * pages whenever it gets an IOAS, and they stay pinned until it loses that IOAS.
 */
int model_access(struct model *m, int ctx, int ioas, bool dma);
/* Attaches the access, replaces its IOAS, or with NONE detaches it */
int model_access_change(struct model *m, int access, int ioas);
/* Tries to attach it to an IOAS that maps half a page, which accesses that pin cannot use */
int model_access_misfit(struct model *m, int access);
void model_access_close(struct model *m, int access);
void model_unwatch(struct model *m, int watch);
void model_refuse(struct model *m, int watch, __u32 refuse);

/* Maps pages in an IOAS, so that page tables have something to map */
void model_map(struct model *m, int ctx, int ioas);

/* Should the watch have begun; how many groups and accesses of a context are non-coherent? */
bool model_noncoherent(const struct model *m, int watch);
int model_nr_noncoherent(const struct model *m, int ctx);

struct iommu_test_watch watch_state(struct model *m, int watch);
long ctx_fdinfo(const struct model *m, int ctx, const char *key);

#endif /* SELFTEST_IOMMU_COHERENCY_MODEL_H */
