/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A VM with one vCPU and KVM's iommufd device, whose guest executes WBINVD.
 * coherency_vm_expect() is one step of a test: everything that tells about
 * permission, and the flushes that the machine executes, has to agree.
 */
#ifndef SELFTEST_KVM_COHERENCY_VM_H
#define SELFTEST_KVM_COHERENCY_VM_H

#include <stdbool.h>

#include <linux/compiler.h>
#include <linux/types.h>

#include "kvm_util.h"
#include "vfio_edu.h"

/* By the guest, in each step */
#define COHERENCY_NR_WBINVD	100

struct coherency_vm {
	struct kvm_vm *vm;
	struct kvm_vcpu *vcpu;
	int device;		/* KVM_DEV_TYPE_IOMMUFD; -1: closed */
	int eventfd;		/* set on the device */

	/* What the next step is compared with */
	u32 policy;
	u32 nr_iommufds;
	u64 edges;
	u64 flushed;
	u64 ignored;
};

/* Pins the calling thread, which is to run the vCPU, to one CPU: counts are exact */
void coherency_vm_create(struct coherency_vm *c);
/* Closes what is still open of the VM and of its device */
void coherency_vm_destroy(struct coherency_vm *c);

/*
 * What most tests begin with: a VM, and a device that is bound to an iommufd
 * which the VM does not know yet. Nothing is attached.
 */
struct coherency_fixture {
	struct coherency_vm c;
	struct vfio_edu edu;
	int iommufd;
	u32 ioas;
	void *mem;		/* mapped in it at VFIO_EDU_IOVA */
	long watches;		/* on the iommufd, before a VM has any */
};

void coherency_fixture_create(struct coherency_fixture *f);
/*
 * Fails the test if the VM, the iommufd or the device's file is still held by
 * anybody. What the test has closed has an fd of -1.
 */
void coherency_fixture_destroy(struct coherency_fixture *f);

/* Also what is expected of nr_iommufds follows */
int __coherency_vm_add(struct coherency_vm *c, int iommufd);
void coherency_vm_add(struct coherency_vm *c, int iommufd);
int __coherency_vm_del(struct coherency_vm *c, int iommufd);
void coherency_vm_del(struct coherency_vm *c, int iommufd);

/* KVM_CAP_NONCOHERENT_DMA; what is expected of the policy follows */
int __coherency_vm_policy(struct coherency_vm *c, u64 policy);
void coherency_vm_policy(struct coherency_vm *c, u64 policy);

int __coherency_device_eventfd(int device, int eventfd);
void coherency_device_close(struct coherency_vm *c);
struct kvm_coherency_status coherency_device_status(int device);

/* Times that the eventfd was signalled since it was read last */
u64 coherency_eventfd_read(int eventfd);

/* By KVM's binary statistics of a VM or vCPU */
u64 coherency_stat(int fd, const char *name);

/*
 * Permission is @on after @edges more edges: says the status, the eventfd, the
 * statistics and, to the number of WBINVDs, the machine. Where the IOMMU
 * enforces coherency, permission is never on, whatever the arguments say.
 */
__printf(4, 5)
void coherency_vm_expect(struct coherency_vm *c, bool on, unsigned int edges,
			 const char *fmt, ...);

/* Runs the guest for one step's WBINVDs and checks nothing */
void coherency_vm_run(struct coherency_vm *c);

/*
 * Everything until coherency_quiet_end() is to flush no cache, while a guest is
 * @running that asks for it, or none
 */
__printf(2, 3)
void coherency_quiet_begin(bool running, const char *fmt, ...);
void coherency_quiet_end(void);

#endif /* SELFTEST_KVM_COHERENCY_VM_H */
