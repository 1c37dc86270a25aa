/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A fuzzer of everything that can change a VM's permission.
 *
 * A program is a list of calls on slots: two VMs, two iommufds with two IOASes and
 * two page tables each, and devices, which are either iommufd's mock devices or
 * real ones behind VFIO. A call names slots and choices, never fds or ids, so the
 * text of a program means the same in every run, and can be cut and spliced.
 * fuzz_program.c parses and generates the text, fuzz_exec.c executes calls,
 * fuzz_model.c predicts their results, fuzz_coverage.c collects what they reached.
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

/* Which iommufd: the slots themselves, a dup of the fd in a slot, or not an iommufd */
enum {
	FUZZ_FD_ALIAS = FUZZ_IOMMUS,
	FUZZ_FD_NULL = 2 * FUZZ_IOMMUS,
	FUZZ_FD_CLOSED,
	FUZZ_FD_EVENTFD,
	FUZZ_FD_FAULT,
	FUZZ_FD_CHOICES,
};

/* Does that choice mean a type1 container for the group? Each group can have both kinds. */
static inline bool fuzz_is_type1(u8 group, u8 iommufd)
{
	return group == FUZZ_TYPE1_GROUP ? iommufd < FUZZ_FD_ALIAS : iommufd == FUZZ_FD_NULL;
}

/* Which VFIO file: the slots of device files themselves, a group's file, or neither */
enum {
	FUZZ_FILE_GROUP = FUZZ_FILES,
	FUZZ_FILE_NULL = FUZZ_FILES + FUZZ_GROUPS,
	FUZZ_FILE_CLOSED,
	FUZZ_FILE_FAULT,
	FUZZ_FILE_CHOICES,
};

/* What to attach to: IOASes, then page tables, then an id that does not exist */
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
	FUZZ_STATUS_HALF,	/* the size is readable, the rest is not mapped */
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

/* Choices beyond the policies that exist */
enum fuzz_policy {
	FUZZ_POLICY_UNKNOWN = KVM_NONCOHERENT_DMA_NO_WBINVD + 1,
	FUZZ_POLICY_FLAGS,
	FUZZ_POLICY_ARGS,
	FUZZ_POLICY_CHECK,
	FUZZ_POLICY_CHOICES,
};

/* An attribute call and its result */
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

/* The machines on which a call makes sense */
enum fuzz_machine {
	FUZZ_MOCK = 1,
	FUZZ_REAL = 2,
	FUZZ_BOTH = 3,
};

struct fuzz_info {
	const char *name;
	enum fuzz_machine machines;
	unsigned int weight;	/* how often it is chosen */
	bool faults;		/* may run with a failing allocation */
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

/* The machine, and the state of the random number generator */
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
/* False if @file is not a program for this machine */
bool fuzz_program_read(struct fuzz_program *p, FILE *file);
void fuzz_call_write(const struct fuzz_call *call, FILE *file);

/*
 * fuzz_exec.c: returns what a call returned, or a negative errno, or FUZZ_SKIPPED if its
 * slots are empty where it needs them filled, or the other way round
 */
#define FUZZ_SKIPPED		LONG_MIN

void fuzz_exec_init(void);
/* Has to run first in each thread that executes calls */
void fuzz_exec_thread(void);
long fuzz_exec_call(const struct fuzz_call *call);
/* False if the VM has no device to ask */
bool fuzz_exec_status(unsigned int vm, struct kvm_coherency_status *status);
/* Events on the VM's eventfd since the last call of this function */
u64 fuzz_exec_events(unsigned int vm);
/*
 * Keeps a second fd of each iommufd until fuzz_exec_let_go() destroys all objects in
 * them, so that nothing stays attached in an iommufd that lost its slot
 */
void fuzz_exec_keep(bool keep);
void fuzz_exec_let_go(void);
bool fuzz_exec_vm_is_open(unsigned int vm);
/*
 * The calls that close everything that can be open, in an order that @variant chooses.
 * VMs stay open, since creating one costs more than the rest of a program, and are
 * reset to their initial state.
 */
unsigned int fuzz_exec_closing(struct fuzz_call *calls, unsigned int variant);

/* fuzz_model.c: fuzz_model_check() is false, with @why, if a result or the state is wrong */
void fuzz_model_reset(void);
/* The same after calls that the model did not see: the VMs' counters are unknown */
void fuzz_model_forget(void);
bool fuzz_model_check(const struct fuzz_call *call, long ret, char *why, size_t size);
u64 fuzz_model_comparisons(void);

/* fuzz_coverage.c */
#define FUZZ_EDGES		262144

struct fuzz_edges {
	u64 bits[FUZZ_EDGES / 64];
};

/* Traces the calling thread, which must be the only one to use the functions below */
struct fuzz_coverage *fuzz_coverage_open(void);
void fuzz_coverage_start(struct fuzz_coverage *c);
/* Adds to @edges what was reached since fuzz_coverage_start() */
void fuzz_coverage_collect(struct fuzz_coverage *c, struct fuzz_edges *edges);
/* A call of this kind succeeded: counts like an edge, so that the corpus has each kind once */
void fuzz_edges_add_kind(struct fuzz_edges *edges, enum fuzz_kind kind);
/* Adds @from to @to and returns how many of them were new */
unsigned int fuzz_edges_merge(struct fuzz_edges *to, const struct fuzz_edges *from);
/* Removes from @from what @without has */
void fuzz_edges_subtract(struct fuzz_edges *from, const struct fuzz_edges *without);
bool fuzz_edges_contain(const struct fuzz_edges *edges, const struct fuzz_edges *all);
unsigned int fuzz_edges_count(const struct fuzz_edges *edges);
/* The number of different places in the kernel that any thread reached */
unsigned int fuzz_coverage_places(void);

#endif /* SELFTEST_KVM_FUZZ_H */
