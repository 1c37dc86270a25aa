/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A reference model of which DMA of iommufds is non-coherent, on mock devices.
 *
 * Each function changes the kernel's state by one ioctl, and the model's: lists
 * of devices, page tables and watches. What the ioctl has to return, and what
 * each watch has to be afterwards, is worked out anew from these lists, and the
 * first difference ends the program.
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

/* Of a driver whose device does DMA to what it pins, if @dma, or that of a CPU */
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
	unsigned int order;	/* of adding */
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

	/* The next change of this device's domain is to fail, with this errno */
	int fail_dev;
	int fail_error;
	/* This allocation of the next call is to fail; was there one to fail? */
	unsigned int fail_nth;
	int fail_nth_fd;
	bool injected;

	/* For the message when something differs */
	unsigned long seed;
	unsigned long step;
	/* What has happened, so that a test can see that it was worth its time */
	unsigned long changes, hw_failures, refusals, begins;
};

/* Where to attach a device to: a page table, or automatically to an IOAS */
struct model_target {
	int pt;
	int ioas;
};

#define TO_PT(pt_)	((struct model_target){ .pt = (pt_), .ioas = NONE })
#define TO_IOAS(ioas_)	((struct model_target){ .pt = NONE, .ioas = (ioas_) })

void model_open(struct model *m);
void model_close(struct model *m);

/*
 * Indexes of what was made, or a negative errno. A call has to fail only if the
 * model says so, or because a failure was injected.
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
 * An access, attached to an address space of a context where model_map() has pages.
 * Whenever it gets one it pins pages, which stay pinned until it loses it.
 */
int model_access(struct model *m, int ctx, int ioas, bool dma);
/* Attaches it, replaces what it has, or with NONE detaches it */
int model_access_change(struct model *m, int access, int ioas);
/* Tries to attach it where no access that pins pages can be: to a mapping of half a page */
int model_access_misfit(struct model *m, int access);
void model_access_close(struct model *m, int access);
void model_unwatch(struct model *m, int watch);
void model_refuse(struct model *m, int watch, __u32 refuse);

/* Pages in an address space, so that page tables have something to map */
void model_map(struct model *m, int ctx, int ioas);

/* What the watch is to be, and how many groups and accesses of a context are non-coherent */
bool model_noncoherent(const struct model *m, int watch);
int model_nr_noncoherent(const struct model *m, int ctx);

struct iommu_test_watch watch_state(struct model *m, int watch);
long ctx_fdinfo(const struct model *m, int ctx, const char *key);

#endif /* SELFTEST_IOMMU_COHERENCY_MODEL_H */
