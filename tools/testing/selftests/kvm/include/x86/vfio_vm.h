/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A VM with KVM's VFIO device, the only one that today's VMMs use, and a guest that
 * executes WBINVD; and the runner for tests that consist of steps with it.
 */
#ifndef SELFTEST_KVM_VFIO_VM_H
#define SELFTEST_KVM_VFIO_VM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "assert_errno.h"
#include "kvm_util.h"

/* WBINVDs of the guest in each run */
#define VFIO_VM_NR_WBINVD	100

struct vfio_vm {
	struct kvm_vm *vm;
	struct kvm_vcpu *vcpu;
	int kvm_vfio;
};

struct vfio_vm vfio_vm_open(void);
void vfio_vm_close(struct vfio_vm *v);
void vfio_vm_run(struct vfio_vm *v);

/* KVM_DEV_VFIO_FILE_ADD and _DEL of a device or group */
int __vfio_vm_add(struct vfio_vm *v, int fd);
void vfio_vm_add(struct vfio_vm *v, int fd);
int __vfio_vm_del(struct vfio_vm *v, int fd);
void vfio_vm_del(struct vfio_vm *v, int fd);

/* An iommufd with two address spaces to attach to */
struct iommu {
	int fd;
	uint32_t ioas[2];
};

struct iommu iommu_open(void);

/* The VFIO group of the @n-th edu device, and that device by VFIO_GROUP_GET_DEVICE_FD */
int vfio_group_open(unsigned int n);
int vfio_group_device(int group, unsigned int n);
void vfio_group_set_container(int group, int container);
/* Puts the group into a new type1 container */
int vfio_group_type1(int group);

/*
 * Opens an oracle phase of the current test: guests have to execute @wbinvds WBINVDs. The
 * host has to flush as often if the VM has permission (@on) and the IOMMU cannot enforce
 * coherency, and never otherwise.
 */
void step_begin(bool on, long wbinvds, const char *name);
/* The same for a step in which permission changes, and is there for @flushes of them */
void step_begin_some(long flushes, long wbinvds, const char *name);
void step_end(void);

/* One such phase with one run of the guest */
void vfio_vm_step(struct vfio_vm *v, bool on, const char *name);

struct step_test {
	const char *name;
	void (*run)(void);
	const char *(*skip)(void);	/* returns why the test is skipped, or NULL */
};

/*
 * Runs each test in a process of its own, on one CPU, and prints a TAP point for
 * it. Returns main()'s exit status.
 */
int run_tests(const struct step_test *tests, size_t nr);

/* Forks another process for a test, connected by a socket */
pid_t process_start(void (*work)(int sock), int *sock);
void process_tell(int sock);
void process_await(int sock);
void process_reap(pid_t pid, int sock);

void pin_to_cpu(int cpu);

#endif /* SELFTEST_KVM_VFIO_VM_H */
