// SPDX-License-Identifier: GPL-2.0
/*
 * The reference model records what was opened, added, bound and attached, and
 * computes permission from that after every call. A call is first applied to a copy
 * of the model, to see whether a policy forbids its result.
 *
 * The model does not know which page tables fit which devices, and takes the kernel's
 * word for it. But EPERM is accepted only for a policy, or for a group that has another
 * owner, and a call that fails must change nothing.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "fuzz.h"
#include "vfio_edu.h"

#define MAX_CONTEXTS	64	/* bits in a u64; a program opens fewer */
#define MAX_FILES	64
#define MAX_DEVICES	(FUZZ_DEVICES + FUZZ_MAX_CALLS)
#define NONE		(-1)

/* What an effect predicts for its call, besides 0 and negative errnos */
#define ANY		1
#define FAILS		2

struct model_vm {
	bool open;
	bool dev;
	bool kvm_vfio;
	bool eventfd;
	bool on;
	bool forgotten;		/* the values of the counters are unknown */
	u32 policy;
	u64 added;		/* contexts */
	u64 files;
	u64 edges;
	u64 events;
	u64 flushed;
	u64 ignored;
};

struct model_device {
	int context;		/* it is bound to, or NONE */
	int group;
	unsigned int opens;	/* through its group */
	bool attached;
	bool noncoherent;	/* its page table */
};

enum model_file_type {
	MODEL_DEVICE,		/* a device's cdev */
	MODEL_GROUP,
	MODEL_GROUP_DEVICE,	/* from VFIO_GROUP_GET_DEVICE_FD */
};

struct model_file {
	enum model_file_type type;
	int device;		/* or group */
	int slot;		/* of the iommufd it is bound to, NONE: in no slot */
	bool bound;
};

/* A group in a type1 container is judged by what its IOMMU can enforce */
struct model_group {
	int file;		/* its open file */
	bool container;
	int context;		/* of the container, NONE: type1 */
};

struct model_iommu {
	int context;
	int opened;		/* its last context, also when it is closed */
	int alias;
	bool ioas[FUZZ_PTS];
	bool hwpt[FUZZ_PTS];
	bool hwpt_noncoherent[FUZZ_PTS];
	int mock[FUZZ_MOCKS];
};

struct model {
	struct model_vm vms[FUZZ_VMS];
	struct model_iommu iommus[FUZZ_IOMMUS];
	struct model_device devices[MAX_DEVICES];
	struct model_file files[MAX_FILES];
	struct model_group groups[FUZZ_GROUPS];
	int file[FUZZ_FILES];	/* in the slots */
	int group_file[FUZZ_GROUPS];
	unsigned int nr_contexts;
	unsigned int nr_devices;
	unsigned int nr_files;
	long value;		/* what a successful call returns; -1: anything */
	bool eperm;		/* EPERM may have another reason than a policy */
};

static struct model now;
static u64 comparisons;

/* Is an automatic page table of a device non-coherent? */
static bool is_incapable(void)
{
	return fuzz.machine == FUZZ_MOCK || !fuzz.enforces;
}

static bool group_noncoherent(const struct model *m, int context, int group)
{
	unsigned int i;

	for (i = 0; i < m->nr_devices; i++)
		if (m->devices[i].context == context && m->devices[i].group == group &&
		    m->devices[i].attached && m->devices[i].noncoherent)
			return true;
	return false;
}

static unsigned int noncoherent_attachments(const struct model *m, int context)
{
	unsigned int group, count = 0;

	for (group = 0; group < MAX_DEVICES; group++)
		count += group_noncoherent(m, context, group);
	return count;
}

/* Is a device of the group open through it, and bound to this context? */
static bool group_bound(const struct model *m, int context, int group)
{
	unsigned int i;

	for (i = 0; i < FUZZ_DEVICES; i++)
		if (m->devices[i].group == group && m->devices[i].opens &&
		    m->devices[i].context == context)
			return true;
	return false;
}

static bool group_file_noncoherent(const struct model *m, int group)
{
	unsigned int i;

	if (m->groups[group].container && m->groups[group].context == NONE &&
	    is_incapable())
		return true;
	for (i = 0; i < m->nr_contexts; i++)
		if (group_bound(m, i, group) && group_noncoherent(m, i, group))
			return true;
	return false;
}

static bool file_noncoherent(const struct model *m, const struct model_file *file)
{
	const struct model_device *device = &m->devices[file->device];

	if (file->type == MODEL_GROUP)
		return group_file_noncoherent(m, file->device);
	if (file->type == MODEL_GROUP_DEVICE && device->context == NONE)
		return is_incapable();
	return (file->bound || file->type == MODEL_GROUP_DEVICE) &&
	       group_noncoherent(m, device->context, device->group);
}

static bool vm_is_on(const struct model *m, const struct model_vm *vm)
{
	unsigned int i;

	for (i = 0; i < m->nr_contexts; i++)
		if (vm->added >> i & 1 && noncoherent_attachments(m, i))
			return true;
	for (i = 0; i < m->nr_files; i++)
		if (vm->files >> i & 1 && file_noncoherent(m, &m->files[i]))
			return true;
	return false;
}

/* Updates permission; returns false if a policy forbids it */
static bool settle(struct model *m)
{
	struct model_vm *vm;
	bool on;

	for (vm = m->vms; vm < m->vms + FUZZ_VMS; vm++) {
		on = vm_is_on(m, vm);
		if (on && vm->policy == KVM_NONCOHERENT_DMA_FORBID)
			return false;
		if (on == vm->on)
			continue;
		vm->on = on;
		vm->edges++;
		vm->events += vm->eventfd;
	}
	return true;
}

/* Forgets the VM with its last reference, but for events that are not read yet */
static void vm_put(struct model_vm *vm)
{
	if (!vm->open && !vm->dev && !vm->kvm_vfio)
		*vm = (struct model_vm){ .events = vm->events };
}

static void unbind(struct model *m, int device)
{
	m->devices[device].attached = false;
	m->devices[device].context = NONE;
}

static bool file_is_held(const struct model *m, int file)
{
	unsigned int i;

	for (i = 0; i < FUZZ_FILES; i++)
		if (m->file[i] == file)
			return true;
	for (i = 0; i < FUZZ_GROUPS; i++)
		if (m->group_file[i] == file)
			return true;
	for (i = 0; i < FUZZ_VMS; i++)
		if (m->vms[i].files >> file & 1)
			return true;
	return false;
}

static bool group_is_open(const struct model *m, int group)
{
	unsigned int i;

	for (i = 0; i < FUZZ_DEVICES; i++)
		if (m->devices[i].group == group && m->devices[i].opens)
			return true;
	return false;
}

/* In a type1 container an open device holds the group's file as well */
static void group_put(struct model *m, int group)
{
	struct model_group *g = &m->groups[group];

	if (g->file == NONE || file_is_held(m, g->file))
		return;
	if (g->container && g->context == NONE && group_is_open(m, group))
		return;
	*g = (struct model_group){ .file = NONE, .context = NONE };
}

static void group_device_close(struct model *m, int device)
{
	if (--m->devices[device].opens)
		return;
	unbind(m, device);
	group_put(m, m->devices[device].group);
}

static void file_put(struct model *m, int id)
{
	struct model_file *file = &m->files[id];

	if (file_is_held(m, id))
		return;
	if (file->type == MODEL_GROUP)
		group_put(m, file->device);
	else if (file->type == MODEL_GROUP_DEVICE)
		group_device_close(m, file->device);
	else if (file->bound)
		unbind(m, file->device);
	file->bound = false;
}

static int effect_vm_open(struct model *m, const u8 *arg)
{
	m->vms[arg[0]].open = true;
	return 0;
}

static int effect_vm_close(struct model *m, const u8 *arg)
{
	m->vms[arg[0]].open = false;
	vm_put(&m->vms[arg[0]]);
	return 0;
}

static int effect_run(struct model *m, const u8 *arg)
{
	struct model_vm *vm = &m->vms[arg[0]];

	if (vm->on && vm->policy != KVM_NONCOHERENT_DMA_NO_WBINVD)
		vm->flushed += arg[1] + 1;
	else
		vm->ignored += arg[1] + 1;
	return 0;
}

static int effect_policy(struct model *m, const u8 *arg)
{
	struct model_vm *vm = &m->vms[arg[0]];

	switch (arg[1]) {
	case FUZZ_POLICY_CHECK:
		m->value = 1 << KVM_NONCOHERENT_DMA_FOLLOW | 1 << KVM_NONCOHERENT_DMA_FORBID |
			   1 << KVM_NONCOHERENT_DMA_NO_WBINVD;
		return 0;
	case FUZZ_POLICY_UNKNOWN:
	case FUZZ_POLICY_FLAGS:
	case FUZZ_POLICY_ARGS:
		return -EINVAL;
	}
	if (arg[1] == KVM_NONCOHERENT_DMA_FORBID && vm->on)
		return -EBUSY;
	vm->policy = arg[1];
	return 0;
}

static int effect_dev_open(struct model *m, const u8 *arg)
{
	struct model_vm *vm = &m->vms[arg[0]];

	if (vm->dev)
		return -EBUSY;
	vm->dev = true;
	return 0;
}

static int effect_dev_close(struct model *m, const u8 *arg)
{
	struct model_vm *vm = &m->vms[arg[0]];

	vm->added = 0;
	/* The device still signals its last edge */
	settle(m);
	vm->eventfd = false;
	vm->dev = false;
	vm_put(vm);
	return 0;
}

/* The context, or NONE and an errno */
static int context_of(const struct model *m, u8 which, int *err)
{
	int context;

	*err = 0;
	switch (which) {
	case FUZZ_FD_NULL:
	case FUZZ_FD_EVENTFD:
		*err = -EINVAL;
		return NONE;
	case FUZZ_FD_FAULT:
		*err = -EFAULT;
		return NONE;
	case FUZZ_FD_CLOSED:
		*err = -EBADF;
		return NONE;
	}
	context = which >= FUZZ_FD_ALIAS ? m->iommus[which - FUZZ_FD_ALIAS].alias :
					   m->iommus[which].context;
	if (context == NONE)
		*err = -EBADF;
	return context;
}

static int effect_add(struct model *m, const u8 *arg)
{
	struct model_vm *vm = &m->vms[arg[0]];
	int err, context = context_of(m, arg[1], &err);

	if (err)
		return err;
	if (vm->added >> context & 1)
		return -EEXIST;
	vm->added |= 1ULL << context;
	return 0;
}

static int effect_del(struct model *m, const u8 *arg)
{
	struct model_vm *vm = &m->vms[arg[0]];
	int err, context = context_of(m, arg[1], &err);

	if (err)
		return err;
	if (!(vm->added >> context & 1))
		return -ENOENT;
	vm->added &= ~(1ULL << context);
	return 0;
}

static int effect_status(struct model *m, const u8 *arg)
{
	static const int errs[FUZZ_STATUS_CHOICES] = {
		[FUZZ_STATUS_SMALL] = -EINVAL,
		[FUZZ_STATUS_FAULT] = -EFAULT,
		[FUZZ_STATUS_HALF] = -EFAULT,
	};

	return errs[arg[1]];
}

static int effect_eventfd(struct model *m, const u8 *arg)
{
	static const int errs[FUZZ_EVENTFD_CHOICES] = {
		[FUZZ_EVENTFD_CLOSED] = -EBADF,
		[FUZZ_EVENTFD_NULL] = -EINVAL,
		[FUZZ_EVENTFD_FAULT] = -EFAULT,
	};

	if (!errs[arg[1]])
		m->vms[arg[0]].eventfd = arg[1] == FUZZ_EVENTFD_SET;
	return errs[arg[1]];
}

static int effect_attr(struct model *m, const u8 *arg)
{
	return fuzz_attrs[arg[1]].err;
}

static int effect_vfio_open(struct model *m, const u8 *arg)
{
	struct model_vm *vm = &m->vms[arg[0]];

	if (vm->kvm_vfio)
		return -EBUSY;
	vm->kvm_vfio = true;
	return 0;
}

static int effect_vfio_close(struct model *m, const u8 *arg)
{
	struct model_vm *vm = &m->vms[arg[0]];
	u64 files = vm->files;
	unsigned int i;

	vm->files = 0;
	for (i = 0; i < m->nr_files; i++)
		if (files >> i & 1)
			file_put(m, i);
	settle(m);
	vm->kvm_vfio = false;
	vm_put(vm);
	return 0;
}

static int effect_vfio_attr(struct model *m, const u8 *arg)
{
	return fuzz_vfio_attrs[arg[1]].err;
}

static int file_of(const struct model *m, u8 which)
{
	if (which < FUZZ_FILES)
		return m->file[which];
	return which < FUZZ_FILE_NULL ? m->group_file[which - FUZZ_FILE_GROUP] : NONE;
}

static int effect_file_add(struct model *m, const u8 *arg)
{
	struct model_vm *vm = &m->vms[arg[0]];
	int file = file_of(m, arg[1]);

	if (arg[1] == FUZZ_FILE_FAULT)
		return -EFAULT;
	if (arg[1] == FUZZ_FILE_NULL)
		return -EINVAL;
	if (file == NONE)
		return -EBADF;
	if (vm->files >> file & 1)
		return -EEXIST;
	vm->files |= 1ULL << file;
	return 0;
}

static int effect_file_del(struct model *m, const u8 *arg)
{
	struct model_vm *vm = &m->vms[arg[0]];
	int file = file_of(m, arg[1]);

	if (arg[1] == FUZZ_FILE_FAULT)
		return -EFAULT;
	if (arg[1] == FUZZ_FILE_NULL)
		return -ENOENT;
	if (file == NONE)
		return -EBADF;
	if (!(vm->files >> file & 1))
		return -ENOENT;
	vm->files &= ~(1ULL << file);
	file_put(m, file);
	return 0;
}

static int effect_iommu_open(struct model *m, const u8 *arg)
{
	struct model_iommu *iommu = &m->iommus[arg[0]];
	unsigned int i;

	*iommu = (struct model_iommu){ .context = m->nr_contexts, .opened = m->nr_contexts,
				       .alias = iommu->alias };
	m->nr_contexts++;
	for (i = 0; i < FUZZ_MOCKS; i++)
		iommu->mock[i] = NONE;
	return 0;
}

/* What happens in the context from now on is visible only to those that still hold it */
static int effect_iommu_close(struct model *m, const u8 *arg)
{
	m->iommus[arg[0]].context = NONE;
	return 0;
}

static int effect_alias_open(struct model *m, const u8 *arg)
{
	m->iommus[arg[0]].alias = m->iommus[arg[0]].context;
	return 0;
}

static int effect_alias_close(struct model *m, const u8 *arg)
{
	m->iommus[arg[0]].alias = NONE;
	return 0;
}

/* Is the file's device, or one of its group's, bound to this context? Sets @group. */
static bool file_bound(const struct model *m, const struct model_file *file, int context,
		       int *group)
{
	const struct model_device *device = &m->devices[file->device];

	*group = file->type == MODEL_GROUP ? file->device : device->group;
	if (file->type == MODEL_GROUP)
		return group_bound(m, context, *group);
	return device->context == context && (file->bound || file->type == MODEL_GROUP_DEVICE);
}

static int effect_fdinfo(struct model *m, const u8 *arg)
{
	int context = m->iommus[arg[0]].context;
	unsigned int attachments = noncoherent_attachments(m, context);
	unsigned int i, file, watches = 0, begun = 0;
	int group;

	for (i = 0; i < FUZZ_VMS; i++)
		watches += m->vms[i].added >> context & 1;
	if (attachments)
		begun = watches;
	for (i = 0; i < FUZZ_VMS; i++) {
		for (file = 0; file < m->nr_files; file++) {
			if (!(m->vms[i].files >> file & 1) ||
			    !file_bound(m, &m->files[file], context, &group))
				continue;
			watches++;
			begun += group_noncoherent(m, context, group);
		}
	}
	m->value = begun << 16 | watches << 8 | attachments;
	return 0;
}

static int effect_ioas_alloc(struct model *m, const u8 *arg)
{
	m->iommus[arg[0]].ioas[arg[1]] = true;
	return 0;
}

/* A nested page table is as coherent as its parent */
static int effect_hwpt_alloc(struct model *m, const u8 *arg)
{
	struct model_iommu *iommu = &m->iommus[arg[0]];

	iommu->hwpt[arg[1]] = true;
	iommu->hwpt_noncoherent[arg[1]] = is_incapable();
	if (arg[2] >= FUZZ_PT_HWPT && arg[2] < FUZZ_PT_BOGUS)
		iommu->hwpt_noncoherent[arg[1]] =
			iommu->hwpt_noncoherent[arg[2] - FUZZ_PT_HWPT];
	return ANY;
}

static int effect_destroy(struct model *m, const u8 *arg)
{
	struct model_iommu *iommu = &m->iommus[arg[0]];

	if (arg[1] == FUZZ_PT_BOGUS)
		return -ENOENT;
	if (arg[1] < FUZZ_PT_HWPT)
		iommu->ioas[arg[1]] = false;
	else
		iommu->hwpt[arg[1] - FUZZ_PT_HWPT] = false;
	return ANY;
}

/* Predicts an attach of @device to @pt, which changes the page table of its whole group */
static int attach(struct model *m, struct model_device *device, struct model_iommu *iommu, u8 pt)
{
	bool noncoherent = is_incapable();
	unsigned int i;
	int ret = 0;

	if (!iommu || pt == FUZZ_PT_BOGUS)
		return FAILS;
	if (pt >= FUZZ_PT_HWPT) {
		noncoherent = iommu->hwpt_noncoherent[pt - FUZZ_PT_HWPT];
		ret = ANY;
	}
	for (i = 0; i < m->nr_devices; i++) {
		if (m->devices[i].group != device->group || !m->devices[i].attached)
			continue;
		/* A second device of the group has to join the first one's page table */
		if (&m->devices[i] != device)
			ret = ANY;
		m->devices[i].noncoherent = noncoherent;
	}
	device->attached = true;
	device->noncoherent = noncoherent;
	return ret;
}

static int effect_mock_attach(struct model *m, const u8 *arg)
{
	struct model_iommu *iommu = &m->iommus[arg[0]];
	int id = m->nr_devices++;

	m->devices[id].context = iommu->context;
	m->devices[id].group = id;
	iommu->mock[arg[1]] = id;
	return attach(m, &m->devices[id], iommu, arg[2]);
}

static int effect_mock_replace(struct model *m, const u8 *arg)
{
	struct model_iommu *iommu = &m->iommus[arg[0]];

	return attach(m, &m->devices[iommu->mock[arg[1]]], iommu, arg[2]);
}

static int effect_mock_destroy(struct model *m, const u8 *arg)
{
	struct model_iommu *iommu = &m->iommus[arg[0]];

	m->devices[iommu->mock[arg[1]]].attached = false;
	iommu->mock[arg[1]] = NONE;
	return 0;
}

/* These accesses are used by the CPU alone, so they are no attachments */
static int effect_access(struct model *m, const u8 *arg)
{
	return ANY;
}

static int new_file(struct model *m, enum model_file_type type, int device)
{
	m->files[m->nr_files] = (struct model_file){ .type = type, .device = device, .slot = NONE };
	return m->nr_files++;
}

static int effect_file_open(struct model *m, const u8 *arg)
{
	m->file[arg[0]] = new_file(m, MODEL_DEVICE, arg[1]);
	return 0;
}

static int effect_file_dup(struct model *m, const u8 *arg)
{
	return 0;
}

static int effect_file_close(struct model *m, const u8 *arg)
{
	int file = m->file[arg[0]];

	m->file[arg[0]] = NONE;
	file_put(m, file);
	return 0;
}

static int effect_bind(struct model *m, const u8 *arg)
{
	struct model_file *file = &m->files[m->file[arg[0]]];
	struct model_device *device = &m->devices[file->device];
	int err, context = context_of(m, arg[1], &err);
	unsigned int i;

	if (err || file->bound || file->type != MODEL_DEVICE || device->context != NONE ||
	    device->opens || m->groups[device->group].file != NONE)
		return FAILS;
	/* A group has one owner */
	for (i = 0; i < FUZZ_DEVICES; i++) {
		if (m->devices[i].group != device->group || m->devices[i].context == NONE ||
		    m->devices[i].context == context)
			continue;
		m->eperm = true;
		return FAILS;
	}
	file->bound = true;
	file->slot = arg[1] < FUZZ_FD_ALIAS ? arg[1] : NONE;
	device->context = context;
	return 0;
}

static int effect_attach(struct model *m, const u8 *arg)
{
	struct model_file *file = &m->files[m->file[arg[0]]];
	struct model_device *device = &m->devices[file->device];
	struct model_iommu *iommu = NULL;

	if (file->type != MODEL_DEVICE)
		return FAILS;
	if (!file->bound)
		return -EINVAL;
	/* The device keeps the context and its page tables, also when the fd is closed */
	if (file->slot != NONE && m->iommus[file->slot].opened == device->context)
		iommu = &m->iommus[file->slot];
	return attach(m, device, iommu, arg[1]);
}

static int effect_detach(struct model *m, const u8 *arg)
{
	struct model_file *file = &m->files[m->file[arg[0]]];

	if (file->type != MODEL_DEVICE)
		return FAILS;
	if (!file->bound)
		return -EINVAL;
	m->devices[file->device].attached = false;
	return 0;
}

/* EBUSY if the group is open already, or one of its devices is bound by its cdev */
static int effect_group_open(struct model *m, const u8 *arg)
{
	struct model_group *group = &m->groups[arg[0]];
	unsigned int i;

	if (group->file != NONE)
		return -EBUSY;
	for (i = 0; i < m->nr_files; i++)
		if (m->files[i].bound && m->devices[m->files[i].device].group == arg[0])
			return -EBUSY;
	group->file = new_file(m, MODEL_GROUP, arg[0]);
	m->group_file[arg[0]] = group->file;
	return 0;
}

static int effect_group_close(struct model *m, const u8 *arg)
{
	int file = m->group_file[arg[0]];

	m->group_file[arg[0]] = NONE;
	file_put(m, file);
	return 0;
}

static int effect_set_container(struct model *m, const u8 *arg)
{
	struct model_group *group = &m->groups[arg[0]];
	bool type1 = fuzz_is_type1(arg[0], arg[1]);
	int err = 0, context = NONE;

	if (!type1)
		context = context_of(m, arg[1], &err);
	if (err || group->container)
		return FAILS;
	/* Devices that stayed open when an iommufd was unset belong to it until they are closed */
	if (type1 && group_is_open(m, arg[0]))
		return FAILS;
	group->container = true;
	group->context = context;
	return 0;
}

static int effect_unset_container(struct model *m, const u8 *arg)
{
	struct model_group *group = &m->groups[arg[0]];

	if (!group->container)
		return -EINVAL;
	if (group->context == NONE && group_is_open(m, arg[0]))
		return -EBUSY;
	group->container = false;
	group->context = NONE;
	return 0;
}

static int effect_get_device(struct model *m, const u8 *arg)
{
	struct model_device *device = &m->devices[arg[1]];
	struct model_group *group = &m->groups[device->group];
	unsigned int i;

	if (!group->container)
		return -EINVAL;
	/* Devices of the group may still be bound to an older container */
	for (i = 0; i < FUZZ_DEVICES; i++)
		if (m->devices[i].group == device->group && m->devices[i].context != NONE &&
		    m->devices[i].context != group->context)
			m->eperm = true;
	m->file[arg[0]] = new_file(m, MODEL_GROUP_DEVICE, arg[1]);
	if (device->opens++ || group->context == NONE)
		return m->eperm ? ANY : 0;
	device->context = group->context;
	device->attached = true;
	device->noncoherent = is_incapable();
	return m->eperm ? ANY : 0;
}

static int (*const effects[FUZZ_KINDS])(struct model *m, const u8 *arg) = {
	[FUZZ_VM_OPEN] = effect_vm_open,
	[FUZZ_VM_CLOSE] = effect_vm_close,
	[FUZZ_RUN] = effect_run,
	[FUZZ_POLICY] = effect_policy,
	[FUZZ_DEV_OPEN] = effect_dev_open,
	[FUZZ_DEV_CLOSE] = effect_dev_close,
	[FUZZ_ADD] = effect_add,
	[FUZZ_DEL] = effect_del,
	[FUZZ_STATUS] = effect_status,
	[FUZZ_EVENTFD] = effect_eventfd,
	[FUZZ_ATTR] = effect_attr,
	[FUZZ_VFIO_OPEN] = effect_vfio_open,
	[FUZZ_VFIO_CLOSE] = effect_vfio_close,
	[FUZZ_VFIO_ATTR] = effect_vfio_attr,
	[FUZZ_FILE_ADD] = effect_file_add,
	[FUZZ_FILE_DEL] = effect_file_del,
	[FUZZ_IOMMU_OPEN] = effect_iommu_open,
	[FUZZ_IOMMU_CLOSE] = effect_iommu_close,
	[FUZZ_ALIAS_OPEN] = effect_alias_open,
	[FUZZ_ALIAS_CLOSE] = effect_alias_close,
	[FUZZ_FDINFO] = effect_fdinfo,
	[FUZZ_IOAS_ALLOC] = effect_ioas_alloc,
	[FUZZ_HWPT_ALLOC] = effect_hwpt_alloc,
	[FUZZ_DESTROY] = effect_destroy,
	[FUZZ_MOCK_ATTACH] = effect_mock_attach,
	[FUZZ_MOCK_REPLACE] = effect_mock_replace,
	[FUZZ_MOCK_DESTROY] = effect_mock_destroy,
	[FUZZ_ACCESS_OPEN] = effect_access,
	[FUZZ_ACCESS_REPLACE] = effect_access,
	[FUZZ_ACCESS_CLOSE] = effect_access,
	[FUZZ_FILE_OPEN] = effect_file_open,
	[FUZZ_FILE_DUP] = effect_file_dup,
	[FUZZ_FILE_CLOSE] = effect_file_close,
	[FUZZ_BIND] = effect_bind,
	[FUZZ_ATTACH] = effect_attach,
	[FUZZ_DETACH] = effect_detach,
	[FUZZ_GROUP_OPEN] = effect_group_open,
	[FUZZ_GROUP_CLOSE] = effect_group_close,
	[FUZZ_SET_CONTAINER] = effect_set_container,
	[FUZZ_UNSET_CONTAINER] = effect_unset_container,
	[FUZZ_GET_DEVICE] = effect_get_device,
};

void fuzz_model_reset(void)
{
	struct model_vm vms[FUZZ_VMS];
	unsigned int i;

	memcpy(vms, now.vms, sizeof(vms));
	memset(&now, 0, sizeof(now));
	for (i = 0; i < FUZZ_VMS; i++)
		if (vms[i].open)
			now.vms[i] = (struct model_vm){
				.open = true,
				.forgotten = vms[i].forgotten,
				.edges = vms[i].edges,
				.flushed = vms[i].flushed,
				.ignored = vms[i].ignored,
			};
	for (i = 0; i < FUZZ_IOMMUS; i++)
		now.iommus[i] = (struct model_iommu){ .context = NONE, .opened = NONE,
						      .alias = NONE };
	for (i = 0; i < FUZZ_FILES; i++)
		now.file[i] = NONE;
	for (i = 0; i < FUZZ_GROUPS; i++) {
		now.group_file[i] = NONE;
		now.groups[i] = (struct model_group){ .file = NONE, .context = NONE };
	}
	/* Real devices and their groups exist from the start */
	for (i = 0; i < FUZZ_DEVICES; i++) {
		now.devices[i].context = NONE;
		now.devices[i].group = i < FUZZ_GROUPS ? i : FUZZ_GROUPS - 1;
	}
	now.nr_devices = FUZZ_DEVICES;
}

void fuzz_model_forget(void)
{
	unsigned int i;

	for (i = 0; i < FUZZ_VMS; i++) {
		now.vms[i].open = fuzz_exec_vm_is_open(i);
		now.vms[i].forgotten = true;
		fuzz_exec_events(i);
	}
	fuzz_model_reset();
}

u64 fuzz_model_comparisons(void)
{
	return comparisons;
}

static const char *expected_text(int expected)
{
	switch (expected) {
	case 0:
		return "success";
	case ANY:
		return "success or an errno";
	case FAILS:
		return "an errno";
	default:
		return strerror(-expected);
	}
}

/* May the call have returned @ret? */
static bool is_expected(const struct fuzz_call *call, int expected, bool forbidden, bool eperm,
			long ret)
{
	bool fault = call->nth && ret < 0;

	if (ret == -EPERM)
		return forbidden || eperm;
	if (forbidden)
		return fault;
	if (expected == ANY)
		return true;
	if (expected == FAILS)
		return ret < 0;
	if (!expected)
		return ret >= 0 || fault;
	return ret == expected || (fault && ret == -ENOMEM);
}

static bool compare(char *why, size_t size, const char *what, unsigned int vm, u64 is, u64 expected)
{
	comparisons++;
	if (is == expected)
		return true;
	snprintf(why, size, "VM %u: %s is %llu and should be %llu", vm, what,
		 (unsigned long long)is, (unsigned long long)expected);
	return false;
}

/*
 * @undone: an attach that failed in hardware, or for lack of memory, may have caused an
 * edge on and off. One that was refused must cause none.
 */
static bool check_vm(struct model_vm *vm, unsigned int i, bool undone, char *why, size_t size)
{
	struct kvm_coherency_status status;
	u64 events = fuzz_exec_events(i);
	u32 flags = 0;

	if (!vm->dev)
		goto out_events;
	if (!fuzz_exec_status(i, &status)) {
		snprintf(why, size, "VM %u: no status", i);
		return false;
	}
	if (vm->forgotten) {
		vm->forgotten = false;
		vm->edges = status.edges;
		vm->flushed = status.wbinvd_flushed;
		vm->ignored = status.wbinvd_ignored;
	}
	if (undone && status.edges == vm->edges + 2) {
		vm->edges += 2;
		vm->events += vm->eventfd ? 2 : 0;
	}
	if (vm->on)
		flags |= KVM_COHERENCY_NONCOHERENT;
	if (vm->on && vm->policy != KVM_NONCOHERENT_DMA_NO_WBINVD)
		flags |= KVM_COHERENCY_WBINVD;
	if (!compare(why, size, "flags", i, status.flags, flags) ||
	    !compare(why, size, "policy", i, status.policy, vm->policy) ||
	    !compare(why, size, "nr_iommufds", i, status.nr_iommufds,
		     __builtin_popcountll(vm->added)) ||
	    !compare(why, size, "edges", i, status.edges, vm->edges) ||
	    !compare(why, size, "wbinvd_flushed", i, status.wbinvd_flushed, vm->flushed) ||
	    !compare(why, size, "wbinvd_ignored", i, status.wbinvd_ignored, vm->ignored))
		return false;

out_events:
	if (!compare(why, size, "the eventfd", i, events, vm->events))
		return false;
	vm->events = 0;
	return true;
}

bool fuzz_model_check(const struct fuzz_call *call, long ret, char *why, size_t size)
{
	static struct model next;
	bool forbidden = false;
	unsigned int i;
	int expected;

	if (ret == FUZZ_SKIPPED)
		return true;
	next = now;
	next.value = -1;
	next.eperm = false;
	expected = effects[call->kind](&next, call->arg);
	if (expected == 0 || expected == ANY)
		forbidden = !settle(&next);

	comparisons++;
	if (!is_expected(call, expected, forbidden, next.eperm, ret)) {
		snprintf(why, size, "%s: %s, and should be %s", fuzz_infos[call->kind].name,
			 ret < 0 ? strerror(-ret) : "success",
			 forbidden ? strerror(EPERM) : expected_text(expected));
		return false;
	}
	if (ret >= 0 && next.value >= 0 &&
	    !compare(why, size, fuzz_infos[call->kind].name, call->arg[0], ret, next.value))
		return false;
	if (ret >= 0)
		now = next;
	for (i = 0; i < FUZZ_VMS; i++)
		if (!check_vm(&now.vms[i], i, ret < 0 && ret != -EPERM, why, size))
			return false;
	return true;
}
