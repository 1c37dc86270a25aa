/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A fuzzer of all that can change a VM's permission for non-coherent DMA.
 *
 * A program is a list of calls on slots: two VMs, two iommufds with two address
 * spaces and two page tables each, and devices, which are either iommufd's mocks
 * or real ones behind VFIO. A call names slots and choices, never fds or ids, so
 * that programs are text which means the same in every run, can be cut and be
 * spliced. fuzz_program.c knows the text, fuzz_exec.c what a call does,
 * fuzz_model.c what has to come of it, fuzz_coverage.c what it reached.
 */
#ifndef SELFTEST_KVM_FUZZ_H
#define SELFTEST_KVM_FUZZ_H

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>

#include <linux/kvm.h>
#include <linux/types.h>

#include "test_util.h"

#define FUZZ_MAX_CALLS		48
#define FUZZ_MAX_ARGS		5

#define FUZZ_VMS		2
#define FUZZ_IOMMUS		2
#define FUZZ_PTS		2	/* IOASes, and as many page tables, of an iommufd */
#define FUZZ_MOCKS		3	/* of an iommufd */
#define FUZZ_FILES		4	/* VFIO device files */
#define FUZZ_DEVICES		4	/* behind VFIO: two alone, two that share a group */
#define FUZZ_GROUPS		3
/* The first group prefers a type1 container, the others an iommufd */
#define FUZZ_TYPE1_GROUP	0

/* Which iommufd: by the first ones' slots, by a dup of these, or none at all */
enum {
	FUZZ_FD_ALIAS = FUZZ_IOMMUS,
	FUZZ_FD_NULL = 2 * FUZZ_IOMMUS,
	FUZZ_FD_CLOSED,
	FUZZ_FD_EVENTFD,
	FUZZ_FD_FAULT,
	FUZZ_FD_CHOICES,
};

/* Is it type1 that the group gets in place of that iommufd? Each group can have both. */
static inline bool fuzz_is_type1(u8 group, u8 iommufd)
{
	return group == FUZZ_TYPE1_GROUP ? iommufd < FUZZ_FD_ALIAS : iommufd == FUZZ_FD_NULL;
}

/* Which VFIO file: by the first ones' slots, or a group */
enum {
	FUZZ_FILE_GROUP = FUZZ_FILES,
	FUZZ_FILE_NULL = FUZZ_FILES + FUZZ_GROUPS,
	FUZZ_FILE_CLOSED,
	FUZZ_FILE_FAULT,
	FUZZ_FILE_CHOICES,
};

/* What to attach to: IOASes, page tables, or what is not there */
enum {
	FUZZ_PT_HWPT = FUZZ_PTS,
	FUZZ_PT_BOGUS = 2 * FUZZ_PTS,
	FUZZ_PT_CHOICES,
};

enum fuzz_hwpt {
	FUZZ_HWPT_PLAIN,
	FUZZ_HWPT_PARENT,
	FUZZ_HWPT_NESTED,
	FUZZ_HWPT_CHOICES,
};

enum fuzz_status {
	FUZZ_STATUS_EXACT,
	FUZZ_STATUS_LARGE,
	FUZZ_STATUS_SMALL,
	FUZZ_STATUS_FAULT,
	FUZZ_STATUS_HALF,	/* the size can be read, the rest not be written */
	FUZZ_STATUS_CHOICES,
};

enum fuzz_eventfd {
	FUZZ_EVENTFD_SET,
	FUZZ_EVENTFD_REMOVE,
	FUZZ_EVENTFD_CLOSED,
	FUZZ_EVENTFD_NULL,
	FUZZ_EVENTFD_FAULT,
	FUZZ_EVENTFD_CHOICES,
};

/* Beside those that exist */
enum fuzz_policy {
	FUZZ_POLICY_UNKNOWN = KVM_NONCOHERENT_DMA_NO_WBINVD + 1,
	FUZZ_POLICY_FLAGS,
	FUZZ_POLICY_ARGS,
	FUZZ_POLICY_CHECK,
	FUZZ_POLICY_CHOICES,
};

/* An attribute that each answer is about */
struct fuzz_attr {
	unsigned long ioctl;
	__u32 flags;
	__u32 group;
	__u64 attr;
	int err;		/* negative, or 0 */
};

extern const struct fuzz_attr fuzz_attrs[];
extern const unsigned int fuzz_nr_attrs;
extern const struct fuzz_attr fuzz_vfio_attrs[];
extern const unsigned int fuzz_nr_vfio_attrs;

enum fuzz_kind {
	FUZZ_VM_OPEN,
	FUZZ_VM_CLOSE,
	FUZZ_RUN,
	FUZZ_POLICY,
	FUZZ_DEV_OPEN,
	FUZZ_DEV_CLOSE,
	FUZZ_ADD,
	FUZZ_DEL,
	FUZZ_STATUS,
	FUZZ_EVENTFD,
	FUZZ_ATTR,
	FUZZ_VFIO_OPEN,
	FUZZ_VFIO_CLOSE,
	FUZZ_VFIO_ATTR,
	FUZZ_FILE_ADD,
	FUZZ_FILE_DEL,
	FUZZ_IOMMU_OPEN,
	FUZZ_IOMMU_CLOSE,
	FUZZ_ALIAS_OPEN,
	FUZZ_ALIAS_CLOSE,
	FUZZ_FDINFO,
	FUZZ_IOAS_ALLOC,
	FUZZ_HWPT_ALLOC,
	FUZZ_DESTROY,
	FUZZ_MOCK_ATTACH,
	FUZZ_MOCK_REPLACE,
	FUZZ_MOCK_DESTROY,
	FUZZ_ACCESS_OPEN,
	FUZZ_ACCESS_REPLACE,
	FUZZ_ACCESS_CLOSE,
	FUZZ_FILE_OPEN,
	FUZZ_FILE_DUP,
	FUZZ_FILE_CLOSE,
	FUZZ_BIND,
	FUZZ_ATTACH,
	FUZZ_DETACH,
	FUZZ_GROUP_OPEN,
	FUZZ_GROUP_CLOSE,
	FUZZ_SET_CONTAINER,
	FUZZ_UNSET_CONTAINER,
	FUZZ_GET_DEVICE,
	FUZZ_KINDS,
};

/* Where a call makes sense */
enum fuzz_machine {
	FUZZ_MOCK = 1,
	FUZZ_REAL = 2,
	FUZZ_BOTH = 3,
};

struct fuzz_info {
	const char *name;
	enum fuzz_machine machines;
	unsigned int weight;	/* how often it is chosen */
	bool faults;		/* may be told to run out of memory */
	unsigned int limits[FUZZ_MAX_ARGS];
};

extern const struct fuzz_info fuzz_infos[FUZZ_KINDS];

struct fuzz_call {
	u8 kind;
	u8 nth;			/* allocation that fails; 0: none */
	u8 arg[FUZZ_MAX_ARGS];
};

struct fuzz_program {
	unsigned int nr;
	struct fuzz_call calls[FUZZ_MAX_CALLS];
};

/* What the machine has and which random numbers come next */
struct fuzz_context {
	enum fuzz_machine machine;
	bool enforces;		/* real devices' IOMMU */
	u64 random;
};

extern struct fuzz_context fuzz;

/* fuzz_program.c */
unsigned int fuzz_any(unsigned int limit);
unsigned int fuzz_nr_args(const struct fuzz_info *info);
void fuzz_program_new(struct fuzz_program *p);
void fuzz_program_mutate(struct fuzz_program *p, const struct fuzz_program *other);
void fuzz_program_cut(struct fuzz_program *p, unsigned int at);
void fuzz_program_write(const struct fuzz_program *p, FILE *file);
/* False if @file holds something that is no program of this machine */
bool fuzz_program_read(struct fuzz_program *p, FILE *file);
void fuzz_call_write(const struct fuzz_call *call, FILE *file);

/*
 * fuzz_exec.c: what a call returned, an errno negative, or that it was left out
 * because what it works on is not there, or is there already
 */
#define FUZZ_SKIPPED		LONG_MIN

void fuzz_exec_init(void);
/* In each thread that executes calls */
void fuzz_exec_thread(void);
long fuzz_exec_call(const struct fuzz_call *call);
/* False if the VM has no device to ask */
bool fuzz_exec_status(unsigned int vm, struct kvm_coherency_status *status);
/* Since the last call of this */
u64 fuzz_exec_events(unsigned int vm);
/*
 * Descriptors of iommufds are kept beside the slots until fuzz_exec_let_go(), which
 * destroys all that is in them, so that nothing can stay attached unseen
 */
void fuzz_exec_keep(bool keep);
void fuzz_exec_let_go(void);
bool fuzz_exec_vm_is_open(unsigned int vm);
/*
 * The calls that close all that can be open, in an order that @variant chooses, but
 * VMs, whose making costs more than all the rest of a program: these become as new
 */
unsigned int fuzz_exec_closing(struct fuzz_call *calls, unsigned int variant);

/* fuzz_model.c: false, and @why, if the answer of a call, or the state after it, is wrong */
void fuzz_model_reset(void);
/* The same after calls that it was not told of: what VMs counted is not known */
void fuzz_model_forget(void);
bool fuzz_model_check(const struct fuzz_call *call, long ret, char *why, size_t size);
u64 fuzz_model_comparisons(void);

/* fuzz_coverage.c */
#define FUZZ_EDGES		262144

struct fuzz_edges {
	u64 bits[FUZZ_EDGES / 64];
};

/* For the calling thread, which has to be the only one to use the rest */
struct fuzz_coverage *fuzz_coverage_open(void);
void fuzz_coverage_start(struct fuzz_coverage *c);
/* Adds what was reached since the start */
void fuzz_coverage_collect(struct fuzz_coverage *c, struct fuzz_edges *edges);
/* That a call of this kind succeeded is as good as an edge: the corpus has one of each */
void fuzz_edges_add_kind(struct fuzz_edges *edges, enum fuzz_kind kind);
/* Adds @from to @to and returns how many that had not */
unsigned int fuzz_edges_merge(struct fuzz_edges *to, const struct fuzz_edges *from);
/* What @from has and @without has not */
void fuzz_edges_subtract(struct fuzz_edges *from, const struct fuzz_edges *without);
bool fuzz_edges_contain(const struct fuzz_edges *edges, const struct fuzz_edges *all);
unsigned int fuzz_edges_count(const struct fuzz_edges *edges);
/* Different places in the kernel that were reached, by any thread */
unsigned int fuzz_coverage_places(void);

#endif /* SELFTEST_KVM_FUZZ_H */
