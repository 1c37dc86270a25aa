/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A VM with one vCPU and KVM's iommufd device, whose guest executes WBINVD.
 * coherency_vm_expect() is one step of a test: everything that reports permission
 * has to agree with it, and so do the flushes that the machine executes.
 */
#ifndef SELFTEST_KVM_COHERENCY_VM_H
#define SELFTEST_KVM_COHERENCY_VM_H

#include <stdbool.h>

#include <linux/compiler.h>
#include <linux/types.h>

#include "kvm_util.h"
#include "vfio_edu.h"

/* WBINVDs of the guest in each step */
#define COHERENCY_NR_WBINVD	100

struct coherency_vm {
	struct kvm_vm *vm;
	struct kvm_vcpu *vcpu;
	int device;		/* KVM_DEV_TYPE_IOMMUFD; -1: closed */
	int eventfd;		/* set on the device */

	/* What the next step expects */
	u32 policy;
	u32 nr_iommufds;
	u64 edges;
	u64 flushed;
	u64 ignored;
};

/* Pins the calling thread, which has to run the vCPU, to one CPU: that makes counts exact */
void coherency_vm_create(struct coherency_vm *c);
/* Closes the VM's device, unless its fd is -1, and the VM */
void coherency_vm_destroy(struct coherency_vm *c);

/*
 * What most tests start from: a VM, and a device bound to an iommufd that has not
 * been added to the VM. Nothing is attached.
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
 * Fails the test if anything still holds the VM, the iommufd or the device's file.
 * The test sets fds that it has closed itself to -1.
 */
void coherency_fixture_destroy(struct coherency_fixture *f);

/* Success also updates the expected nr_iommufds */
int __coherency_vm_add(struct coherency_vm *c, int iommufd);
void coherency_vm_add(struct coherency_vm *c, int iommufd);
int __coherency_vm_del(struct coherency_vm *c, int iommufd);
void coherency_vm_del(struct coherency_vm *c, int iommufd);

/* Sets KVM_CAP_NONCOHERENT_DMA; success also updates the expected policy */
int __coherency_vm_policy(struct coherency_vm *c, u64 policy);
void coherency_vm_policy(struct coherency_vm *c, u64 policy);

int __coherency_device_eventfd(int device, int eventfd);
void coherency_device_close(struct coherency_vm *c);
struct kvm_coherency_status coherency_device_status(int device);

/* How often the eventfd was signalled since the last read */
u64 coherency_eventfd_read(int eventfd);

/* A value of the binary statistics of a VM or vCPU */
u64 coherency_stat(int fd, const char *name);

/*
 * Checks that permission is @on after @edges more edges, by the status, the eventfd, the
 * statistics and the exact number of flushes that the machine executes. Where the IOMMU
 * enforces coherency, permission must never be on, whatever the arguments say.
 */
__printf(4, 5)
void coherency_vm_expect(struct coherency_vm *c, bool on, unsigned int edges,
			 const char *fmt, ...);

/* Runs the guest for one step's WBINVDs and checks nothing */
void coherency_vm_run(struct coherency_vm *c);

/*
 * Nothing may flush a cache until coherency_quiet_end(). @running: a guest executes
 * WBINVD meanwhile.
 */
__printf(2, 3)
void coherency_quiet_begin(bool running, const char *fmt, ...);
void coherency_quiet_end(void);

#endif /* SELFTEST_KVM_COHERENCY_VM_H */
