// SPDX-License-Identifier: GPL-2.0
/*
 * A VM with KVM's VFIO device, and the runner for tests that consist of steps with it.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/kvm.h>
#include <linux/vfio.h>

#include "kvm_util.h"
#include "noncoherent_dma.h"
#include "oracle.h"
#include "processor.h"
#include "test_util.h"
#include "ucall_common.h"
#include "vfio_edu.h"
#include "vfio_vm.h"

static void guest_code(void)
{
	int i;

	for (;;) {
		for (i = 0; i < VFIO_VM_NR_WBINVD; i++)
			asm volatile("wbinvd" ::: "memory");
		GUEST_SYNC(0);
	}
}

struct vfio_vm vfio_vm_open(void)
{
	struct vfio_vm v;

	v.vm = vm_create_with_one_vcpu(&v.vcpu, guest_code);
	v.kvm_vfio = kvm_create_device(v.vm, KVM_DEV_TYPE_VFIO);
	return v;
}

void vfio_vm_close(struct vfio_vm *v)
{
	close(v->kvm_vfio);
	kvm_vm_free(v->vm);
}

void vfio_vm_run(struct vfio_vm *v)
{
	struct ucall uc;

	vcpu_run(v->vcpu);
	TEST_ASSERT(get_ucall(v->vcpu, &uc) == UCALL_SYNC, "The guest stopped with exit reason %u",
		    v->vcpu->run->exit_reason);
}

int __vfio_vm_add(struct vfio_vm *v, int fd)
{
	return __kvm_device_attr_set(v->kvm_vfio, KVM_DEV_VFIO_FILE, KVM_DEV_VFIO_FILE_ADD, &fd);
}

void vfio_vm_add(struct vfio_vm *v, int fd)
{
	TEST_ASSERT(!__vfio_vm_add(v, fd), "KVM_DEV_VFIO_FILE_ADD failed");
}

int __vfio_vm_del(struct vfio_vm *v, int fd)
{
	return __kvm_device_attr_set(v->kvm_vfio, KVM_DEV_VFIO_FILE, KVM_DEV_VFIO_FILE_DEL, &fd);
}

void vfio_vm_del(struct vfio_vm *v, int fd)
{
	TEST_ASSERT(!__vfio_vm_del(v, fd), "KVM_DEV_VFIO_FILE_DEL failed");
}

struct iommu iommu_open(void)
{
	struct iommu iommu = { .fd = iommufd_open() };

	for (int i = 0; i < 2; i++)
		iommu.ioas[i] = iommufd_ioas_alloc(iommu.fd);
	return iommu;
}

int vfio_group_open(unsigned int n)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/dev/vfio/%d", vfio_edu_group(n));
	fd = open(path, O_RDWR | O_CLOEXEC);
	TEST_ASSERT(fd >= 0, "%s cannot be opened", path);
	return fd;
}

int vfio_group_device(int group, unsigned int n)
{
	int fd = ioctl(group, VFIO_GROUP_GET_DEVICE_FD, vfio_edu_address(n));

	TEST_ASSERT(fd >= 0, "VFIO_GROUP_GET_DEVICE_FD failed");
	return fd;
}

void vfio_group_set_container(int group, int container)
{
	TEST_ASSERT(!ioctl(group, VFIO_GROUP_SET_CONTAINER, &container),
		    "VFIO_GROUP_SET_CONTAINER failed");
}

int vfio_group_type1(int group)
{
	int container = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);

	TEST_ASSERT(container >= 0, "/dev/vfio/vfio cannot be opened");
	vfio_group_set_container(group, container);
	TEST_ASSERT(!ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU),
		    "VFIO_SET_IOMMU failed");
	return container;
}

/* Number, from 1, and name of the current test */
static unsigned int test_number;
static const char *test_name;

void step_begin_some(long flushes, long wbinvds, const char *name)
{
	oracle_phase_guest(test_number, vfio_edu_is_noncoherent() ? flushes : 0, wbinvds,
			   "%s: %s", test_name, name);
}

void step_begin(bool on, long wbinvds, const char *name)
{
	step_begin_some(on ? wbinvds : 0, wbinvds, name);
}

void step_end(void)
{
	oracle_end();
}

void vfio_vm_step(struct vfio_vm *v, bool on, const char *name)
{
	step_begin(on, VFIO_VM_NR_WBINVD, name);
	vfio_vm_run(v);
	step_end();
}

void pin_to_cpu(int cpu)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	TEST_ASSERT(!sched_setaffinity(0, sizeof(cpus), &cpus), "sched_setaffinity failed");
}

int run_tests(const struct step_test *tests, size_t nr)
{
	int status, failed = 0;
	const char *skip;
	pid_t pid;

	/* A guest's WBINVD flushes each CPU that it ran on: on one CPU counts are exact */
	pin_to_cpu(0);
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("1..%zu\n", nr);
	oracle_end();

	for (test_number = 1; test_number <= nr; test_number++) {
		const struct step_test *test = &tests[test_number - 1];

		test_name = test->name;
		skip = test->skip ? test->skip() : NULL;
		if (skip) {
			printf("ok %u - %s # SKIP %s\n", test_number, test_name, skip);
			continue;
		}
		pid = fork();
		TEST_ASSERT(pid >= 0, "fork failed");
		if (!pid) {
			test->run();
			exit(0);
		}
		TEST_ASSERT(waitpid(pid, &status, 0) == pid, "waitpid failed");
		/* The test may have died within a phase */
		oracle_end();
		/* Somebody may hold one that has no descriptor left */
		if (vms_alive()) {
			printf("# a VM is left\n");
			status = 1;
		}
		failed |= status;
		printf("%sok %u - %s\n", status ? "not " : "", test_number, test_name);
	}
	return failed ? 1 : 0;
}

pid_t process_start(void (*work)(int sock), int *sock)
{
	int socks[2];
	pid_t pid;

	TEST_ASSERT(!socketpair(AF_UNIX, SOCK_STREAM, 0, socks), "socketpair failed");
	pid = fork();
	TEST_ASSERT(pid >= 0, "fork failed");
	if (!pid) {
		close(socks[0]);
		work(socks[1]);
		exit(0);
	}
	close(socks[1]);
	*sock = socks[0];
	return pid;
}

void process_tell(int sock)
{
	TEST_ASSERT(send(sock, "", 1, MSG_NOSIGNAL) == 1, "The other process is gone");
}

void process_await(int sock)
{
	char byte;

	TEST_ASSERT(read(sock, &byte, 1) == 1, "The other process is gone");
}

void process_reap(pid_t pid, int sock)
{
	TEST_ASSERT(waitpid(pid, NULL, 0) == pid, "waitpid failed");
	close(sock);
}
