// SPDX-License-Identifier: GPL-2.0
/*
 * kvm-vfio follows live DMA coherency, for VMMs that know only its
 * KVM_DEV_VFIO_FILE_ADD and _DEL: permission goes on and off with the device's
 * non-coherent attachment, whatever the order of calls and whoever makes them.
 *
 * Each test is a process of its own. In each step of a test the guest executes 100
 * WBINVDs, and the test declares to the oracle how many the host has to carry out.
 *
 * Usage: kvm_vfio_coherency_test [noiommu|holes|costs], with snoop=on or snoop=off in
 * the environment: can the IOMMU enforce coherency?
 *   noiommu	for a machine whose device has no IOMMU
 *   holes	for the unpatched kernel: shows what that does in the same steps, with
 *		an IOMMU that cannot enforce coherency
 *   costs	adds and deletes files, for an oracle that counts instructions
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <linux/kvm.h>
#include <linux/vfio.h>

#include "kvm_util.h"
#include "noncoherent_dma.h"
#include "oracle.h"
#include "test_util.h"
#include "vfio_edu.h"
#include "vfio_vm.h"

#define NR_HANDOVERS	20
#define NR_RACES	30
#define NR_OPENS	64
#define NR_COST_ROUNDS	50
#define NR_COST_FILES	1000

/* Checks that the VM's debugfs shows this attachment, if @on, and no other */
static void expect_attached(struct vfio_vm *v, bool on, const char *what)
{
	on = on && vfio_edu_is_noncoherent();
	TEST_ASSERT(vm_state_has(v->vm, "attached: ") == on &&
		    vm_state_has(v->vm, "attached: group %d %s", vfio_edu_group(0), what) == on,
		    "debugfs %s: %s", on ? "lacks" : "has", what);
}

/* The life cycle of a device, by upstream's uAPI alone */
static void test_sequence(void)
{
	struct iommu iommu = iommu_open();
	struct vfio_vm v = vfio_vm_open();
	struct vfio_edu edu;
	uint32_t hwpt;

	vfio_vm_step(&v, false, "no device");
	vfio_edu_open(&edu, 0);
	vfio_vm_add(&v, edu.fd);
	vfio_vm_step(&v, false, "FILE_ADD unbound");
	TEST_ASSERT(vm_state_has(v.vm, "source: vfio-file\n"), "debugfs lacks an unbound file");
	vfio_edu_bind(&edu, iommu.fd);
	vfio_vm_step(&v, false, "bound");
	TEST_ASSERT(vm_state_has(v.vm, "source: vfio-file iommufd %ld\n",
				 iommufd_fdinfo(iommu.fd, "coherency-id")),
		    "debugfs lacks a bound file");
	vfio_edu_attach(&edu, iommu.ioas[0]);
	vfio_vm_step(&v, true, "attached");
	expect_attached(&v, true, "hwpt ");
	vfio_edu_detach(&edu);
	vfio_vm_step(&v, false, "detached");
	expect_attached(&v, false, "hwpt ");
	vfio_edu_attach(&edu, iommu.ioas[0]);
	vfio_vm_step(&v, true, "attached again");
	vfio_vm_del(&v, edu.fd);
	vfio_vm_step(&v, false, "FILE_DEL while attached");
	vfio_vm_add(&v, edu.fd);
	vfio_vm_step(&v, true, "FILE_ADD while attached");

	hwpt = iommufd_hwpt_alloc(iommu.fd, edu.id, iommu.ioas[1]);
	step_begin(true, VFIO_VM_NR_WBINVD, "replaced three times");
	vfio_edu_attach(&edu, iommu.ioas[1]);
	vfio_edu_attach(&edu, iommu.ioas[0]);
	vfio_edu_attach(&edu, hwpt);
	vfio_vm_run(&v);
	step_end();

	close(iommu.fd);
	vfio_vm_step(&v, true, "iommufd closed, device still attached");
	close(v.kvm_vfio);
	vfio_vm_step(&v, false, "kvm-vfio closed");
}

enum op { ADD, BIND, ATTACH, DEL, DETACH, CLOSE };

static const char * const op_names[] = {
	[ADD] = "FILE_ADD",
	[BIND] = "BIND",
	[ATTACH] = "ATTACH",
	[DEL] = "FILE_DEL",
	[DETACH] = "DETACH",
	[CLOSE] = "close",
};

/* Every order of the calls, with a step after each call */
static void orders_run(const enum op *ops, int n)
{
	bool added = false, attached = false;
	struct iommu iommu = iommu_open();
	char name[128] = "";
	struct vfio_vm v = vfio_vm_open();
	struct vfio_edu edu;

	vfio_edu_open(&edu, 0);
	for (int i = 0; i < n; i++) {
		switch (ops[i]) {
		case ADD:
			vfio_vm_add(&v, edu.fd);
			added = true;
			break;
		case BIND:
			vfio_edu_bind(&edu, iommu.fd);
			break;
		case ATTACH:
			vfio_edu_attach(&edu, iommu.ioas[0]);
			attached = true;
			break;
		case DEL:
			vfio_vm_del(&v, edu.fd);
			added = false;
			break;
		case DETACH:
			vfio_edu_detach(&edu);
			attached = false;
			break;
		case CLOSE:
			/* kvm-vfio still holds the file, so nothing ends */
			vfio_edu_close(&edu);
			if (!added)
				attached = false;
			break;
		}
		snprintf(name + strlen(name), sizeof(name) - strlen(name), "%s%s",
			 i ? ", " : "", op_names[ops[i]]);
		vfio_vm_step(&v, added && attached, name);
	}
	close(v.kvm_vfio);
	strcat(name, ", kvm-vfio closed");
	vfio_vm_step(&v, false, name);
	kvm_vm_free(v.vm);
	close(iommu.fd);
	if (edu.fd >= 0)
		vfio_edu_close(&edu);
}

static void test_orders(void)
{
	static const enum op in[][3] = {
		{ ADD, BIND, ATTACH },
		{ BIND, ADD, ATTACH },
		{ BIND, ATTACH, ADD },
	};
	static const enum op out[][3] = {
		{ DETACH, DEL, CLOSE },
		{ DEL, DETACH, CLOSE },
	};
	static const enum op ends[][5] = {
		{ ADD, BIND, ATTACH, DEL, CLOSE },
		{ ADD, BIND, ATTACH, DETACH, CLOSE },
	};
	static const enum op held[] = { ADD, BIND, ATTACH, CLOSE };
	enum op ops[6];

	for (unsigned int i = 0; i < ARRAY_SIZE(in); i++) {
		for (unsigned int o = 0; o < ARRAY_SIZE(out); o++) {
			memcpy(ops, in[i], sizeof(in[i]));
			memcpy(ops + 3, out[o], sizeof(out[o]));
			orders_run(ops, ARRAY_SIZE(ops));
		}
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(ends); i++)
		orders_run(ends[i], ARRAY_SIZE(ends[i]));
	orders_run(held, ARRAY_SIZE(held));
}

static void test_two_vms(void)
{
	struct vfio_vm v1 = vfio_vm_open(), v2 = vfio_vm_open(), other = vfio_vm_open();
	struct iommu iommu = iommu_open();
	struct vfio_edu edu;

	vfio_edu_open(&edu, 0);
	vfio_edu_bind(&edu, iommu.fd);
	vfio_vm_add(&v1, edu.fd);
	vfio_vm_add(&v2, edu.fd);
	vfio_vm_step(&v1, false, "first VM, bound");
	vfio_vm_step(&v2, false, "second VM, bound");
	vfio_edu_attach(&edu, iommu.ioas[0]);
	vfio_vm_step(&v1, true, "first VM, attached");
	vfio_vm_step(&v2, true, "second VM, attached");
	vfio_vm_step(&other, false, "a VM without the file");

	vfio_vm_del(&v1, edu.fd);
	vfio_vm_step(&v1, false, "first VM, FILE_DEL from it");
	vfio_vm_step(&v2, true, "second VM, FILE_DEL from the first");
	vfio_vm_add(&v1, edu.fd);
	vfio_vm_step(&v1, true, "first VM, FILE_ADD again");
	vfio_vm_close(&v1);
	vfio_vm_step(&v2, true, "second VM, the first is gone");
	vfio_edu_detach(&edu);
	vfio_vm_step(&v2, false, "second VM, detached");
}

struct closing {
	struct vfio_vm vm;
	pthread_barrier_t *start;
};

static void *vm_close_thread(void *data)
{
	struct closing *c = data;

	pin_to_cpu(1);
	pthread_barrier_wait(c->start);
	vfio_vm_close(&c->vm);
	return NULL;
}

/* To reset a confidential guest, QEMU creates a new VM and moves the files there */
static void test_handover(void)
{
	struct iommu iommu = iommu_open();
	struct vfio_vm v = vfio_vm_open(), next;
	pthread_barrier_t start;
	struct closing closing;
	pthread_t thread;
	struct vfio_edu edu;
	int vm_fd;

	vfio_edu_open(&edu, 0);
	vfio_edu_bind(&edu, iommu.fd);
	vfio_edu_attach(&edu, iommu.ioas[0]);
	vfio_vm_add(&v, edu.fd);
	vfio_vm_step(&v, true, "old VM");

	/* The old VM stays alive while this fd is open */
	vm_fd = dup(v.vm->fd);
	next = vfio_vm_open();
	vfio_vm_add(&next, edu.fd);
	vfio_vm_close(&v);
	vfio_vm_step(&next, true, "new VM, the old one still held");
	close(vm_fd);
	vfio_vm_step(&next, true, "new VM, the old one gone");

	pthread_barrier_init(&start, NULL, 2);
	step_begin(true, NR_HANDOVERS * VFIO_VM_NR_WBINVD,
		   "new VM while the old one is closing, again and again");
	for (int i = 0; i < NR_HANDOVERS; i++) {
		closing = (struct closing){ .vm = next, .start = &start };
		next = vfio_vm_open();
		TEST_ASSERT(!pthread_create(&thread, NULL, vm_close_thread, &closing),
			    "pthread_create failed");
		pthread_barrier_wait(&start);
		vfio_vm_add(&next, edu.fd);
		pthread_join(thread, NULL);
		vfio_vm_run(&next);
	}
	step_end();
	vfio_edu_detach(&edu);
	vfio_vm_step(&next, false, "last VM, detached");
}

static void owner_work(int sock)
{
	struct iommu iommu = iommu_open();
	struct vfio_edu edu;

	vfio_edu_open(&edu, 0);
	vfio_edu_bind(&edu, iommu.fd);
	fd_send(sock, edu.fd);
	process_await(sock);
	vfio_edu_attach(&edu, iommu.ioas[0]);
	process_tell(sock);
	process_await(sock);
}

/* After CPR QEMU adds a file that its predecessor bound and attached */
static void test_other_owner(void)
{
	struct vfio_vm v = vfio_vm_open();
	struct vfio_edu edu;
	pid_t owner;
	int sock;

	owner = process_start(owner_work, &sock);
	edu.fd = fd_receive(sock);
	vfio_vm_add(&v, edu.fd);
	vfio_vm_step(&v, false, "bound by another process");
	process_tell(sock);
	process_await(sock);
	vfio_vm_step(&v, true, "attached by another process");
	vfio_vm_del(&v, edu.fd);
	vfio_vm_add(&v, edu.fd);
	vfio_vm_step(&v, true, "FILE_ADD of what another process attached");
	process_tell(sock);
	process_reap(owner, sock);
	vfio_vm_step(&v, true, "the other process is gone");
	vfio_edu_detach(&edu);
	vfio_vm_step(&v, false, "detached by this one");
}

/* Two files of one device: only the bound one gives permission */
static void test_second_open(void)
{
	struct vfio_vm v1 = vfio_vm_open(), v2 = vfio_vm_open();
	struct iommu iommu = iommu_open();
	struct vfio_edu edu, second;

	vfio_edu_open(&edu, 0);
	vfio_edu_open(&second, 0);
	vfio_vm_add(&v1, edu.fd);
	vfio_vm_add(&v2, second.fd);
	vfio_edu_bind(&edu, iommu.fd);
	vfio_edu_attach(&edu, iommu.ioas[0]);
	vfio_vm_step(&v1, true, "the file that is bound");
	vfio_vm_step(&v2, false, "another, unbound file of the device");
	vfio_vm_del(&v2, second.fd);
	vfio_vm_add(&v2, second.fd);
	vfio_vm_step(&v2, false, "another, unbound file, FILE_ADD while attached");
	TEST_ASSERT(__vfio_edu_bind(&second, iommu.fd) < 0, "A device was bound twice");
	vfio_vm_step(&v2, false, "another file, whose BIND was refused");

	vfio_vm_del(&v1, edu.fd);
	vfio_edu_close(&edu);
	vfio_edu_bind(&second, iommu.fd);
	vfio_vm_step(&v2, false, "the other file, bound after the first was closed");
	vfio_edu_attach(&second, iommu.ioas[0]);
	vfio_vm_step(&v2, true, "the other file, attached");
	vfio_vm_step(&v1, false, "the VM that had the first file");
}

static void test_bind_fails(void)
{
	struct iommu iommu = iommu_open(), taken = iommu_open();
	struct vfio_edu edu, second;
	struct vfio_vm v = vfio_vm_open();

	vfio_edu_open(&edu, 0);
	vfio_edu_open(&second, 0);
	vfio_vm_add(&v, edu.fd);
	ASSERT_ERRNO(__vfio_edu_bind(&edu, -1), EINVAL);
	vfio_vm_step(&v, false, "BIND to no file");
	TEST_ASSERT(__vfio_edu_bind(&edu, edu.fd) < 0, "A device was bound to itself");
	vfio_vm_step(&v, false, "BIND to what is no iommufd");
	vfio_edu_bind(&second, taken.fd);
	vfio_edu_attach(&second, taken.ioas[0]);
	TEST_ASSERT(__vfio_edu_bind(&edu, iommu.fd) < 0, "A device was bound twice");
	vfio_vm_step(&v, false, "BIND of what another file has bound");
	TEST_ASSERT(__vfio_edu_attach(&edu, iommu.ioas[0]) < 0, "An unbound file was attached");
	vfio_vm_step(&v, false, "ATTACH of an unbound file");
	vfio_vm_del(&v, edu.fd);
	vfio_vm_step(&v, false, "FILE_DEL after that");

	vfio_vm_add(&v, edu.fd);
	vfio_edu_close(&second);
	vfio_edu_bind(&edu, iommu.fd);
	TEST_ASSERT(__vfio_edu_attach(&edu, UINT32_MAX) < 0, "Attached to nothing");
	vfio_vm_step(&v, false, "ATTACH that fails");
	vfio_edu_attach(&edu, iommu.ioas[0]);
	vfio_vm_step(&v, true, "BIND and ATTACH that do not fail");
	TEST_ASSERT(__vfio_edu_attach(&edu, UINT32_MAX) < 0, "Replaced by nothing");
	vfio_vm_step(&v, true, "replacement that fails");
}

static void test_file_del(void)
{
	struct iommu iommu = iommu_open();
	struct vfio_vm v = vfio_vm_open();
	struct vfio_edu edu;
	int fd;

	vfio_edu_open(&edu, 0);
	ASSERT_ERRNO(__vfio_vm_del(&v, edu.fd), ENOENT);
	vfio_vm_add(&v, edu.fd);
	ASSERT_ERRNO(__vfio_vm_add(&v, edu.fd), EEXIST);
	vfio_edu_bind(&edu, iommu.fd);
	vfio_edu_attach(&edu, iommu.ioas[0]);
	ASSERT_ERRNO(__vfio_vm_add(&v, edu.fd), EEXIST);
	vfio_vm_step(&v, true, "added twice");
	vfio_edu_detach(&edu);
	vfio_vm_del(&v, edu.fd);
	vfio_vm_step(&v, false, "FILE_DEL of what was detached returns 0");
	ASSERT_ERRNO(__vfio_vm_del(&v, edu.fd), ENOENT);
	vfio_vm_step(&v, false, "FILE_DEL twice");

	/* kvm-vfio holds the bound file after its fd is closed, and with it the attachment */
	vfio_vm_add(&v, edu.fd);
	vfio_edu_attach(&edu, iommu.ioas[0]);
	fd = dup(edu.fd);
	vfio_edu_close(&edu);
	vfio_vm_step(&v, true, "one of two fds closed");
	vfio_vm_del(&v, fd);
	vfio_vm_step(&v, false, "FILE_DEL by the other fd");
	close(fd);

	ASSERT_ERRNO(__vfio_vm_add(&v, -1), EBADF);
	ASSERT_ERRNO(__vfio_vm_del(&v, -1), EBADF);
	ASSERT_ERRNO(__vfio_vm_add(&v, iommu.fd), EINVAL);
	vfio_vm_step(&v, false, "calls that fail");
}

enum kill_point { KILL_ADDED, KILL_BOUND, KILL_ATTACHED, KILL_DETACHED, KILL_RUNNING, KILL_POINTS };

static const char * const kill_names[] = {
	[KILL_ADDED] = "FILE_ADD",
	[KILL_BOUND] = "BIND",
	[KILL_ATTACHED] = "ATTACH",
	[KILL_DETACHED] = "DETACH",
	[KILL_RUNNING] = "a WBINVD",
};

static enum kill_point kill_point;

static void victim_work(int sock)
{
	struct iommu iommu = iommu_open();
	struct vfio_vm v = vfio_vm_open();
	struct vfio_edu edu;

	vfio_edu_open(&edu, 0);
	vfio_vm_add(&v, edu.fd);
	if (kill_point >= KILL_BOUND)
		vfio_edu_bind(&edu, iommu.fd);
	if (kill_point >= KILL_ATTACHED)
		vfio_edu_attach(&edu, iommu.ioas[0]);
	if (kill_point == KILL_DETACHED)
		vfio_edu_detach(&edu);
	process_tell(sock);
	if (kill_point == KILL_RUNNING)
		for (;;)
			vfio_vm_run(&v);
	process_await(sock);
}

static void test_killed(void)
{
	struct vfio_vm before = vfio_vm_open(), after;
	struct iommu iommu = iommu_open();
	struct vfio_edu edu;
	char name[64];
	pid_t victim;
	int sock;

	for (kill_point = 0; kill_point < KILL_POINTS; kill_point++) {
		victim = process_start(victim_work, &sock);
		process_await(sock);
		kill(victim, SIGKILL);
		process_reap(victim, sock);

		snprintf(name, sizeof(name), "VMM killed after %s, old VM", kill_names[kill_point]);
		vfio_vm_step(&before, false, name);
		after = vfio_vm_open();
		vfio_edu_open(&edu, 0);
		vfio_vm_add(&after, edu.fd);
		vfio_edu_bind(&edu, iommu.fd);
		snprintf(name, sizeof(name), "VMM killed after %s, new VM", kill_names[kill_point]);
		vfio_vm_step(&after, false, name);
		vfio_edu_attach(&edu, iommu.ioas[0]);
		snprintf(name, sizeof(name), "VMM killed after %s, attached",
			 kill_names[kill_point]);
		vfio_vm_step(&after, true, name);
		vfio_vm_close(&after);
		vfio_edu_close(&edu);
	}
}

static int shared_fd;

static void sharer_work(int sock)
{
	struct vfio_vm v = vfio_vm_open();

	vfio_vm_add(&v, shared_fd);
	process_tell(sock);
	for (;;)
		vfio_vm_run(&v);
}

/* Two VMMs have the file and one is killed: the other's permission does not change */
static void test_killed_sharer(void)
{
	struct iommu iommu = iommu_open();
	struct vfio_vm v = vfio_vm_open();
	struct vfio_edu edu;
	pid_t victim;
	int sock;

	vfio_edu_open(&edu, 0);
	vfio_edu_bind(&edu, iommu.fd);
	vfio_edu_attach(&edu, iommu.ioas[0]);
	shared_fd = edu.fd;
	victim = process_start(sharer_work, &sock);
	process_await(sock);
	kill(victim, SIGKILL);
	process_reap(victim, sock);
	vfio_vm_step(&v, false, "another VMM with the file killed, file not added here");
	vfio_vm_add(&v, edu.fd);
	victim = process_start(sharer_work, &sock);
	process_await(sock);
	kill(victim, SIGKILL);
	process_reap(victim, sock);
	vfio_vm_step(&v, true, "another VMM with the file killed, file added here");
	vfio_edu_detach(&edu);
	vfio_vm_step(&v, false, "detached after that");
}

static void group_unset_container(int group)
{
	TEST_ASSERT(!ioctl(group, VFIO_GROUP_UNSET_CONTAINER), "VFIO_GROUP_UNSET_CONTAINER failed");
}

/* A device that is not bound to an iommufd is judged by what its IOMMU can enforce */
static void test_type1(void)
{
	int group, container, device;
	struct vfio_vm v = vfio_vm_open(), late = vfio_vm_open();

	group = vfio_group_open(0);
	vfio_vm_add(&v, group);
	vfio_vm_step(&v, false, "group without a container");
	container = vfio_group_type1(group);
	vfio_vm_step(&v, true, "container set");
	expect_attached(&v, true, "container since ");
	group_unset_container(group);
	vfio_vm_step(&v, false, "container unset");
	expect_attached(&v, false, "container since ");
	vfio_vm_add(&late, group);
	vfio_vm_step(&late, false, "container unset, FILE_ADD");
	vfio_vm_del(&late, group);
	close(container);
	container = vfio_group_type1(group);
	vfio_vm_step(&v, true, "container set again");
	device = vfio_group_device(group, 0);
	vfio_vm_step(&v, true, "device opened");
	vfio_vm_add(&late, group);
	vfio_vm_step(&late, true, "group with an open device, FILE_ADD");
	vfio_vm_del(&late, group);
	vfio_vm_step(&late, false, "group with an open device, FILE_DEL");
	vfio_vm_add(&late, device);
	vfio_vm_step(&late, true, "device file of such a group, FILE_ADD");
	vfio_vm_del(&late, device);
	vfio_vm_step(&late, false, "device file of such a group, FILE_DEL");
	vfio_vm_add(&late, device);
	close(device);
	vfio_vm_step(&late, true, "device file of such a group, held by KVM");
	vfio_vm_close(&late);

	vfio_vm_step(&v, true, "device closed");
	device = vfio_group_device(group, 0);
	vfio_vm_step(&v, true, "device opened again");
	close(device);
	vfio_vm_del(&v, group);
	vfio_vm_step(&v, false, "FILE_DEL");
	close(group);
	close(container);
}

/* The unbound file says nothing about the other file of the same device */
static void test_type1_second_open(void)
{
	struct vfio_vm v = vfio_vm_open(), other = vfio_vm_open();
	int group, container, device;
	struct vfio_edu edu;

	group = vfio_group_open(0);
	container = vfio_group_type1(group);
	device = vfio_group_device(group, 0);
	vfio_edu_open(&edu, 0);
	vfio_vm_add(&v, device);
	vfio_vm_step(&v, true, "device file of the group");
	vfio_vm_add(&other, edu.fd);
	vfio_vm_step(&v, true, "device file of the group, another file added elsewhere");
	vfio_vm_step(&other, false, "another, unbound file of the device");
	vfio_vm_del(&other, edu.fd);
	vfio_vm_step(&v, true, "device file of the group, another file deleted elsewhere");
	vfio_vm_del(&v, device);
	vfio_vm_add(&other, edu.fd);
	vfio_vm_add(&v, device);
	vfio_vm_step(&v, true, "device file of the group, another file added before");
	vfio_vm_step(&other, false, "another, unbound file of the device, added before");
	vfio_vm_del(&v, device);
	close(device);
	close(group);
	close(container);
}

/* In an iommufd as container the device is bound to it, and followed live */
static void test_compat(void)
{
	struct vfio_vm v = vfio_vm_open(), late = vfio_vm_open();
	int group, iommufd, device;

	group = vfio_group_open(0);
	iommufd = iommufd_open();
	vfio_group_set_container(group, iommufd);
	vfio_vm_add(&v, group);
	vfio_vm_step(&v, false, "group in an iommufd's container, FILE_ADD");
	device = vfio_group_device(group, 0);
	vfio_vm_step(&v, true, "device opened");
	vfio_vm_add(&late, group);
	vfio_vm_step(&late, true, "group with an open device, FILE_ADD");
	vfio_vm_add(&late, device);
	vfio_vm_step(&late, true, "and its device file");
	vfio_vm_del(&late, group);
	vfio_vm_step(&late, true, "group deleted, device file left");
	vfio_vm_del(&late, device);
	vfio_vm_step(&late, false, "both deleted");
	TEST_ASSERT(vm_state_has(v.vm, "source: vfio-file iommufd %ld\n",
				 iommufd_fdinfo(iommufd, "coherency-id")),
		    "debugfs lacks the iommufd of the group");
	close(device);
	vfio_vm_step(&v, false, "device closed");
	TEST_ASSERT(vm_state_has(v.vm, "source: vfio-file\n"),
		    "The group is watched in an iommufd that it left");
	device = vfio_group_device(group, 0);
	vfio_vm_step(&v, true, "device opened again");
	vfio_vm_del(&v, group);
	vfio_vm_step(&v, false, "FILE_DEL while open");
	close(device);
	close(group);

	group = vfio_group_open(0);
	vfio_vm_add(&v, group);
	vfio_vm_step(&v, false, "group without a container");
	vfio_group_set_container(group, iommufd);
	vfio_vm_step(&v, false, "container set");
	device = vfio_group_device(group, 0);
	vfio_vm_step(&v, true, "container set, device opened");
	close(device);
	vfio_vm_step(&v, false, "container set, device closed");
	close(group);
	vfio_vm_close(&v);
	close(iommufd);
}

/*
 * The file through which the device was bound is closed, while the group keeps the
 * device bound. The next file may reuse its memory in the kernel, and must not be taken
 * for the binder.
 */
static void test_compat_second_open(void)
{
	struct vfio_vm v = vfio_vm_open(), other = vfio_vm_open();
	struct vfio_edu edus[NR_OPENS];
	int group, iommufd, first, second;

	group = vfio_group_open(0);
	iommufd = iommufd_open();
	vfio_group_set_container(group, iommufd);
	first = vfio_group_device(group, 0);
	second = vfio_group_device(group, 0);
	vfio_vm_add(&v, second);
	vfio_vm_step(&v, true, "opened twice");
	close(first);
	vfio_vm_step(&v, true, "the first is closed");
	for (int i = 0; i < NR_OPENS; i++) {
		vfio_edu_open(&edus[i], 0);
		vfio_vm_add(&other, edus[i].fd);
	}
	vfio_vm_step(&other, false, "unbound files of the device");
	close(second);
	vfio_vm_step(&v, true, "held by KVM");
	vfio_vm_close(&v);
	vfio_vm_close(&other);
	for (int i = 0; i < NR_OPENS; i++)
		vfio_edu_close(&edus[i]);
	close(group);
	close(iommufd);
}

/* One watch of the group covers both of its devices, which are edu 2 and 3 */
static void test_compat_two_devices(void)
{
	struct vfio_vm v = vfio_vm_open();
	int group, iommufd, first, second;

	group = vfio_group_open(2);
	iommufd = iommufd_open();
	vfio_group_set_container(group, iommufd);
	vfio_vm_add(&v, group);
	first = vfio_group_device(group, 2);
	second = vfio_group_device(group, 3);
	vfio_vm_step(&v, true, "both devices opened");
	close(first);
	vfio_vm_step(&v, true, "one of them closed");
	close(second);
	vfio_vm_step(&v, false, "both closed");
	vfio_vm_close(&v);
	close(group);
	close(iommufd);
}

#define MTTY	"/sys/class/mdev_bus/mtty"
#define UUID	"6b766d2d-7666-696f-2d65-64752d746573"

static const char *skip_mdev(void)
{
	return access(MTTY, F_OK) ? "this kernel has no sample mdev driver" : NULL;
}

static void sysfs_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	TEST_ASSERT(fd >= 0, "%s cannot be opened", path);
	TEST_ASSERT(write(fd, text, strlen(text)) == (ssize_t)strlen(text),
		    "%s cannot be written", path);
	close(fd);
}

static int mdev_group_open(void)
{
	char path[256] = {};
	ssize_t len = readlink("/sys/bus/mdev/devices/" UUID "/iommu_group", path,
			       sizeof(path) - 1);
	int fd;

	TEST_ASSERT(len > 0, "An mdev has no group");
	fd = openat(open("/dev/vfio", O_PATH | O_CLOEXEC), strrchr(path, '/') + 1, O_RDWR);
	TEST_ASSERT(fd >= 0, "The group of an mdev cannot be opened");
	return fd;
}

/* In this mediated device the CPU moves the data, so it is coherent, attached or not */
static void test_mdev(void)
{
	struct vfio_device_bind_iommufd bind = { .argsz = sizeof(bind) };
	struct vfio_device_attach_iommufd_pt attach = { .argsz = sizeof(attach) };
	struct vfio_vm v = vfio_vm_open();
	struct iommu iommu = iommu_open();
	int group, fd;

	sysfs_write(MTTY "/mdev_supported_types/mtty-1/create", UUID);
	fd = vfio_device_open("/sys/bus/mdev/devices/" UUID);
	vfio_vm_add(&v, fd);
	vfio_vm_step(&v, false, "FILE_ADD unbound");
	bind.iommufd = iommu.fd;
	TEST_ASSERT(!ioctl(fd, VFIO_DEVICE_BIND_IOMMUFD, &bind), "BIND of an mdev failed");
	vfio_vm_step(&v, false, "bound");
	attach.pt_id = iommu.ioas[0];
	TEST_ASSERT(!ioctl(fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach), "ATTACH of an mdev failed");
	vfio_vm_step(&v, false, "attached");
	vfio_vm_del(&v, fd);
	vfio_vm_add(&v, fd);
	vfio_vm_step(&v, false, "FILE_ADD while attached");
	vfio_vm_del(&v, fd);
	close(fd);

	group = mdev_group_open();
	vfio_group_set_container(group, iommu.fd);
	fd = ioctl(group, VFIO_GROUP_GET_DEVICE_FD, UUID);
	TEST_ASSERT(fd >= 0, "VFIO_GROUP_GET_DEVICE_FD of an mdev failed");
	vfio_vm_add(&v, group);
	vfio_vm_add(&v, fd);
	vfio_vm_step(&v, false, "opened by its group");
	vfio_vm_close(&v);
	close(fd);
	close(group);
	sysfs_write("/sys/bus/mdev/devices/" UUID "/remove", "1");
}

static const char *skip_forbid(void)
{
	struct kvm_vm *vm = vm_create_barebones();
	int policies = vm_check_cap(vm, KVM_CAP_NONCOHERENT_DMA);

	kvm_vm_free(vm);
	return policies & (1 << KVM_NONCOHERENT_DMA_FORBID) ? NULL : "no such policy here";
}

static void policy_set(struct vfio_vm *v, uint64_t policy)
{
	TEST_ASSERT(!__vm_enable_cap(v->vm, KVM_CAP_NONCOHERENT_DMA, policy),
		    "KVM_CAP_NONCOHERENT_DMA failed");
}

static void test_forbid(void)
{
	struct vfio_vm v = vfio_vm_open(), other = vfio_vm_open();
	struct iommu iommu = iommu_open();
	int group, container, device;
	struct vfio_edu edu;
	void *mem;

	policy_set(&v, KVM_NONCOHERENT_DMA_FORBID);
	mem = iommufd_ioas_map(iommu.fd, iommu.ioas[0]);

	vfio_edu_open(&edu, 0);
	vfio_vm_add(&v, edu.fd);
	vfio_vm_add(&other, edu.fd);
	vfio_edu_bind(&edu, iommu.fd);
	vfio_vm_step(&v, false, "bound");
	if (!vfio_edu_is_noncoherent()) {
		vfio_edu_attach(&edu, iommu.ioas[0]);
		TEST_ASSERT(vfio_edu_reaches(&edu, mem, VFIO_EDU_IOVA), "DMA does not arrive");
		vfio_vm_step(&v, false, "coherent attachment");
		return;
	}

	ASSERT_ERRNO(__vfio_edu_attach(&edu, iommu.ioas[0]), EPERM);
	TEST_ASSERT(!vfio_edu_reaches(&edu, mem, VFIO_EDU_IOVA), "Refused, and DMA arrives");
	vfio_vm_step(&v, false, "attach is refused");
	vfio_vm_step(&other, false, "another VM with the file sees nothing of that");
	vfio_vm_del(&v, edu.fd);
	vfio_edu_attach(&edu, iommu.ioas[0]);
	vfio_vm_step(&other, true, "attached after FILE_DEL from that VM");
	ASSERT_ERRNO(__vfio_vm_add(&v, edu.fd), EPERM);
	TEST_ASSERT(!vm_state_has(v.vm, "not enforced"), "an iommufd is taken for type1");
	vfio_vm_step(&v, false, "FILE_ADD of what is attached is refused");
	ASSERT_ERRNO(__vfio_vm_del(&v, edu.fd), ENOENT);
	vfio_vm_step(&other, true, "the other VM keeps its permission");
	ASSERT_ERRNO(__vm_enable_cap(other.vm, KVM_CAP_NONCOHERENT_DMA,
				     KVM_NONCOHERENT_DMA_FORBID), EBUSY);

	vfio_edu_detach(&edu);
	vfio_vm_add(&v, edu.fd);
	ASSERT_ERRNO(__vfio_edu_attach(&edu, iommu.ioas[0]), EPERM);
	vfio_vm_step(&v, false, "attach is refused again");
	policy_set(&v, KVM_NONCOHERENT_DMA_FOLLOW);
	vfio_edu_attach(&edu, iommu.ioas[0]);
	vfio_vm_step(&v, true, "attached under FOLLOW");
	vfio_vm_del(&v, edu.fd);
	vfio_vm_del(&other, edu.fd);
	vfio_edu_close(&edu);

	policy_set(&v, KVM_NONCOHERENT_DMA_FORBID);
	group = vfio_group_open(0);
	container = vfio_group_type1(group);
	device = vfio_group_device(group, 0);
	ASSERT_ERRNO(__vfio_vm_add(&v, group), EPERM);
	TEST_ASSERT(vm_state_has(v.vm, "not enforced: type1\n"), "FORBID is said to be enforced");
	policy_set(&v, KVM_NONCOHERENT_DMA_FOLLOW);
	policy_set(&v, KVM_NONCOHERENT_DMA_FORBID);
	TEST_ASSERT(!vm_state_has(v.vm, "not enforced"), "FOLLOW leaves a remark");
	ASSERT_ERRNO(__vfio_vm_add(&v, device), EPERM);
	TEST_ASSERT(vm_state_has(v.vm, "not enforced: type1\n"), "FORBID is said to be enforced");
	vfio_vm_step(&v, false, "FILE_ADD of a type1 group is refused");
	policy_set(&v, KVM_NONCOHERENT_DMA_FOLLOW);
	policy_set(&v, KVM_NONCOHERENT_DMA_FORBID);
	close(device);
	close(group);
	close(container);

	/* In a type1 container the group is judged by its IOMMU again, from SET_CONTAINER on */
	group = vfio_group_open(0);
	vfio_group_set_container(group, iommu.fd);
	vfio_vm_add(&v, group);
	group_unset_container(group);
	container = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
	ASSERT_ERRNO(ioctl(group, VFIO_GROUP_SET_CONTAINER, &container), EPERM);
	TEST_ASSERT(!vm_state_has(v.vm, "not enforced"), "what never began goes on");
	vfio_vm_step(&v, false, "type1 in place of an iommufd is refused");
	close(group);
	close(container);
}

/* The VM with the file has reserved when another VM refuses the attach */
static void test_refused_for_iommufd(void)
{
	struct vfio_vm v = vfio_vm_open(), forbids = vfio_vm_open();
	struct iommu iommu = iommu_open();
	struct vfio_edu edu;
	int device;

	vfio_edu_open(&edu, 0);
	vfio_vm_add(&v, edu.fd);
	vfio_edu_bind(&edu, iommu.fd);
	policy_set(&forbids, KVM_NONCOHERENT_DMA_FORBID);
	device = coherency_device_create(forbids.vm);
	coherency_add(device, iommu.fd);
	if (vfio_edu_is_noncoherent())
		ASSERT_ERRNO(__vfio_edu_attach(&edu, iommu.ioas[0]), EPERM);
	vfio_vm_step(&v, false, "attach is refused for a VM that has the iommufd");
	/* Fails with EBUSY if something is still reserved in this VM */
	policy_set(&v, KVM_NONCOHERENT_DMA_FORBID);
	policy_set(&v, KVM_NONCOHERENT_DMA_FOLLOW);

	vfio_vm_del(&v, edu.fd);
	close(device);
	vfio_edu_attach(&edu, iommu.ioas[0]);
	vfio_vm_add(&v, edu.fd);
	vfio_vm_step(&v, true, "FILE_ADD after an attach that was not refused");
}

/* The previous file stays bound until the other thread drops it, too */
static void bind_in_turn(struct vfio_edu *edu, int iommufd)
{
	while (__vfio_edu_bind(edu, iommufd)) {
		TEST_ASSERT(errno == EINVAL, "VFIO_DEVICE_BIND_IOMMUFD failed");
		sched_yield();
	}
}

static void *attach_thread(void *data)
{
	struct iommu iommu = iommu_open();
	struct vfio_edu *edu = data;

	pin_to_cpu(1);
	for (int i = 0; i < NR_RACES; i++) {
		bind_in_turn(edu, iommu.fd);
		vfio_edu_attach(edu, iommu.ioas[0]);
		vfio_edu_attach(edu, iommu.ioas[1]);
		vfio_edu_detach(edu);
		vfio_edu_close(edu);
		vfio_edu_open(edu, 0);
	}
	bind_in_turn(edu, iommu.fd);
	vfio_edu_attach(edu, iommu.ioas[0]);
	close(iommu.fd);
	return NULL;
}

/* Files are added and deleted while the device is opened and closed */
static void test_races(void)
{
	struct vfio_vm v1 = vfio_vm_open(), v2 = vfio_vm_open();
	unsigned long added = 0;
	struct vfio_edu edu;
	pthread_t thread;

	vfio_edu_open(&edu, 0);
	TEST_ASSERT(!pthread_create(&thread, NULL, attach_thread, &edu), "pthread_create failed");
	while (pthread_tryjoin_np(thread, NULL)) {
		int fd = dup(edu.fd);

		/* There is no file to add between a close and the next open */
		if (fd < 0)
			continue;
		vfio_vm_add(&v1, fd);
		vfio_vm_add(&v2, fd);
		if (!(added++ % NR_RACES))
			vfio_vm_run(&v1);
		vfio_vm_del(&v1, fd);
		vfio_vm_del(&v2, fd);
		close(fd);
	}
	TEST_ASSERT(added, "No file was ever added in time");
	vfio_vm_step(&v1, false, "first VM, after the race");
	vfio_vm_add(&v1, edu.fd);
	vfio_vm_step(&v1, true, "first VM, FILE_ADD");
	vfio_vm_step(&v2, false, "second VM, after the race");
	vfio_edu_detach(&edu);
	vfio_vm_step(&v1, false, "first VM, detached");
}

#define NOIOMMU_GROUP	"/dev/vfio/noiommu-0"

/*
 * Without an IOMMU nothing enforces coherency: a device is non-coherent in a type1
 * container, and in an iommufd from bind to unbind.
 */
static void test_noiommu(void)
{
	struct vfio_vm v = vfio_vm_open(), late = vfio_vm_open(), context = vfio_vm_open();
	int group, container, device, iommufd;

	group = open(NOIOMMU_GROUP, O_RDWR | O_CLOEXEC);
	TEST_ASSERT(group >= 0, NOIOMMU_GROUP " cannot be opened");
	vfio_vm_add(&v, group);
	vfio_vm_step(&v, false, "group without a container");
	container = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
	TEST_ASSERT(container >= 0, "/dev/vfio/vfio cannot be opened");
	vfio_group_set_container(group, container);
	TEST_ASSERT(!ioctl(container, VFIO_SET_IOMMU, VFIO_NOIOMMU_IOMMU), "VFIO_SET_IOMMU failed");
	vfio_vm_step(&v, true, "container set");
	device = vfio_group_device(group, 0);
	vfio_vm_step(&v, true, "device opened");
	vfio_vm_add(&late, device);
	vfio_vm_step(&late, true, "device file");
	vfio_vm_del(&late, device);
	vfio_vm_step(&late, false, "device file deleted");
	close(device);
	vfio_vm_del(&v, group);
	vfio_vm_step(&v, false, "FILE_DEL");
	close(group);
	close(container);

	group = open(NOIOMMU_GROUP, O_RDWR | O_CLOEXEC);
	TEST_ASSERT(group >= 0, NOIOMMU_GROUP " cannot be opened");
	iommufd = iommufd_open();
	vfio_group_set_container(group, iommufd);
	vfio_vm_add(&v, group);
	vfio_vm_step(&v, false, "group in an iommufd's container");
	coherency_add(coherency_device_create(context.vm), iommufd);
	device = vfio_group_device(group, 0);
	vfio_vm_step(&v, true, "device opened in an iommufd's container");
	TEST_ASSERT(vm_state_has(v.vm, "attached: group ") &&
		    vm_state_has(context.vm, "attached: group "), "debugfs lacks a device");
	vfio_vm_step(&context, true, "device opened, VM with the iommufd");
	vfio_vm_add(&late, device);
	vfio_vm_step(&late, true, "device file in an iommufd's container");
	vfio_vm_del(&late, device);
	/* The device stays bound to the iommufd, and may be the only one to hold it */
	group_unset_container(group);
	vfio_vm_step(&v, true, "container unset, device open");
	vfio_vm_step(&context, true, "container unset, device open, VM with the iommufd");
	close(device);
	vfio_vm_step(&v, false, "device closed");
	vfio_vm_step(&context, false, "device closed, VM with the iommufd");

	policy_set(&context, KVM_NONCOHERENT_DMA_FORBID);
	vfio_group_set_container(group, iommufd);
	ASSERT_ERRNO(ioctl(group, VFIO_GROUP_GET_DEVICE_FD, vfio_edu_address(0)), EPERM);
	vfio_vm_step(&v, false, "refused for another VM's sake");
	policy_set(&context, KVM_NONCOHERENT_DMA_FOLLOW);
	device = vfio_group_device(group, 0);
	vfio_vm_step(&v, true, "allowed again");
	close(device);
	vfio_vm_close(&late);
	vfio_vm_close(&context);
	vfio_vm_del(&v, group);
	vfio_vm_step(&v, false, "FILE_DEL in an iommufd's container");
	close(iommufd);
	close(group);
}

#define NOIOMMU_CDEV	"/dev/vfio/devices/noiommu-vfio0"

/* What it is attached to makes no difference: no IOMMU uses that page table */
static void test_noiommu_cdev(void)
{
	struct vfio_vm v = vfio_vm_open(), context = vfio_vm_open();
	int iommufd = iommufd_open();
	struct vfio_edu edu;

	coherency_add(coherency_device_create(context.vm), iommufd);
	vfio_edu_open(&edu, 0);
	vfio_vm_add(&v, edu.fd);
	vfio_vm_step(&v, false, "opened by its own file");
	vfio_edu_bind(&edu, iommufd);
	vfio_vm_step(&v, true, "bound");
	vfio_vm_step(&context, true, "bound, VM with the iommufd");
	TEST_ASSERT(vm_state_has(v.vm, "attached: device %u", edu.id) &&
		    vm_state_has(context.vm, "attached: device %u", edu.id),
		    "debugfs lacks a device");
	vfio_edu_attach(&edu, iommufd_ioas_alloc(iommufd));
	vfio_vm_step(&v, true, "attached");
	TEST_ASSERT(iommufd_fdinfo(iommufd, "noncoherent-attachments") == 1,
		    "A device without IOMMU counts twice");
	vfio_edu_detach(&edu);
	vfio_vm_step(&v, true, "detached, still bound");
	vfio_vm_del(&v, edu.fd);
	vfio_edu_close(&edu);
	vfio_vm_step(&v, false, "closed");
	vfio_vm_step(&context, false, "closed, VM with the iommufd");

	policy_set(&context, KVM_NONCOHERENT_DMA_FORBID);
	vfio_edu_open(&edu, 0);
	ASSERT_ERRNO(__vfio_edu_bind(&edu, iommufd), EPERM);
	vfio_vm_step(&context, false, "refused");
	vfio_edu_close(&edu);
	vfio_vm_close(&context);
	vfio_vm_close(&v);
	close(iommufd);
}

/*
 * The unpatched kernel asks only once, and only what the IOMMU could enforce. Tests
 * above take the same steps, and expect the opposite.
 */
static void test_hole_unbound(void)
{
	struct vfio_vm first = vfio_vm_open(), second = vfio_vm_open();
	struct vfio_edu edu;

	vfio_edu_open(&edu, 0);
	vfio_vm_step(&first, false, "no device");
	vfio_vm_add(&first, edu.fd);
	vfio_vm_step(&first, true, "FILE_ADD unbound permits");
	vfio_vm_add(&second, edu.fd);
	vfio_vm_step(&second, true, "FILE_ADD unbound permits a second VM");
}

static void test_hole_sampled(void)
{
	struct iommu iommu = iommu_open();
	struct vfio_vm v = vfio_vm_open();
	struct vfio_edu edu;

	vfio_edu_open(&edu, 0);
	vfio_vm_add(&v, edu.fd);
	vfio_edu_bind(&edu, iommu.fd);
	vfio_vm_step(&v, true, "bound permits, before any attach");
	vfio_edu_attach(&edu, iommu.ioas[0]);
	vfio_vm_step(&v, true, "attached");
	vfio_edu_detach(&edu);
	vfio_vm_step(&v, true, "detached permits on");
	vfio_vm_del(&v, edu.fd);
	vfio_edu_attach(&edu, iommu.ioas[0]);
	vfio_vm_step(&v, false, "FILE_DEL");
}

static void test_hole_mdev(void)
{
	struct vfio_vm v = vfio_vm_open();
	int fd;

	sysfs_write(MTTY "/mdev_supported_types/mtty-1/create", UUID);
	fd = vfio_device_open("/sys/bus/mdev/devices/" UUID);
	vfio_vm_add(&v, fd);
	vfio_vm_step(&v, true, "FILE_ADD unbound permits, though it never does DMA");
	vfio_vm_close(&v);
	close(fd);
	sysfs_write("/sys/bus/mdev/devices/" UUID "/remove", "1");
}

/* One phase for each round: in most of them no interrupt adds to the count */
static void costs_run(struct vfio_vm *v, int fd, unsigned int others)
{
	oracle_rounds(others + 1, NR_COST_ROUNDS, "0/0", "FILE_ADD and FILE_DEL, %u other files",
		      others);
	for (int i = 0; i < NR_COST_ROUNDS; i++) {
		oracle_mark(others + 1);
		vfio_vm_add(v, fd);
		vfio_vm_del(v, fd);
		oracle_end();
	}
}

/* With coherent files, since upstream stops looking at the first non-coherent one */
static void costs(void)
{
	struct rlimit limit = { NR_COST_FILES + 100, NR_COST_FILES + 100 };
	struct vfio_edu edu, other;
	struct vfio_vm v = vfio_vm_open();

	TEST_ASSERT(!setrlimit(RLIMIT_NOFILE, &limit), "setrlimit failed");
	vfio_edu_open(&edu, 0);
	/* Not counted: work that is done only the first time */
	vfio_vm_add(&v, edu.fd);
	vfio_vm_del(&v, edu.fd);
	costs_run(&v, edu.fd, 0);
	for (int i = 0; i < NR_COST_FILES; i++) {
		vfio_edu_open(&other, 0);
		vfio_vm_add(&v, other.fd);
	}
	costs_run(&v, edu.fd, NR_COST_FILES);
}

static const struct step_test tests[] = {
	{ "sequence", test_sequence },
	{ "orders", test_orders },
	{ "two VMs", test_two_vms },
	{ "handover", test_handover },
	{ "other owner", test_other_owner },
	{ "second open", test_second_open },
	{ "BIND fails", test_bind_fails },
	{ "FILE_DEL", test_file_del },
	{ "killed", test_killed },
	{ "killed sharer", test_killed_sharer },
	{ "type1", test_type1 },
	{ "type1, second open", test_type1_second_open },
	{ "compat", test_compat },
	{ "compat, second open", test_compat_second_open },
	{ "compat, two devices", test_compat_two_devices },
	{ "mdev", test_mdev, skip_mdev },
	{ "FORBID", test_forbid, skip_forbid },
	{ "refused for an iommufd", test_refused_for_iommufd, skip_forbid },
	{ "races", test_races },
};

static const struct step_test noiommu_tests[] = {
	{ "no-IOMMU", test_noiommu },
	/* The last one: not every kernel binds such a device by its own file */
	{ "no-IOMMU, its own file", test_noiommu_cdev },
};

static const struct step_test hole_tests[] = {
	{ "hole: unbound", test_hole_unbound },
	{ "hole: sampled once", test_hole_sampled },
	{ "hole: mdev", test_hole_mdev, skip_mdev },
};

int main(int argc, char **argv)
{
	if (argc == 1)
		return run_tests(tests, ARRAY_SIZE(tests));
	if (!strcmp(argv[1], "holes"))
		return run_tests(hole_tests, ARRAY_SIZE(hole_tests));
	if (!strcmp(argv[1], "noiommu"))
		return run_tests(noiommu_tests,
				 ARRAY_SIZE(noiommu_tests) - !!access(NOIOMMU_CDEV, F_OK));
	TEST_ASSERT(!strcmp(argv[1], "costs"), "What is \"%s\"?", argv[1]);
	costs();
	return 0;
}
