// SPDX-License-Identifier: GPL-2.0
/*
 * The life cycle of permission on a real device: a guest's WBINVD flushes the
 * host's caches exactly while the device is attached to a page table that does
 * not enforce coherency, whatever the order of a VMM's calls.
 *
 * Every step compares the status, the eventfd, the statistics and, by the flush
 * oracle, what the machine executed. Needs two edu devices bound to vfio-pci,
 * two more in one iommu group, and snoop=off or snoop=on in the environment.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "coherency_vm.h"
#include "kvm_util.h"
#include "patient_harness.h"
#include "test_util.h"
#include "vfio_edu.h"

/* The counts in the fdinfo are 0 if the IOMMU can enforce coherency */
#define EXPECT_FDINFO(iommufd, key, expected) \
	EXPECT_EQ(vfio_edu_is_noncoherent() ? (expected) : 0, iommufd_fdinfo(iommufd, key))

FIXTURE(life)
{
	struct coherency_vm c;
	struct vfio_edu edu;
	int iommufd;
	u32 ioas;
	void *mem;
};

/* How the device gets its page table: from the IOAS, or by IOMMU_HWPT_ALLOC */
FIXTURE_VARIANT(life)
{
	bool manual;
};

FIXTURE_VARIANT_ADD(life, ioas)
{
	.manual = false,
};

FIXTURE_VARIANT_ADD(life, hwpt)
{
	.manual = true,
};

FIXTURE_SETUP(life)
{
	coherency_vm_create(&self->c);
	self->iommufd = iommufd_open();
	self->ioas = iommufd_ioas_alloc(self->iommufd);
	self->mem = iommufd_ioas_map(self->iommufd, self->ioas);
	self->edu.fd = -1;
}

FIXTURE_TEARDOWN(life)
{
	if (self->c.vm)
		coherency_vm_destroy(&self->c);
	if (self->edu.fd >= 0)
		vfio_edu_close(&self->edu);
	close(self->iommufd);
}

static u32 page_table(struct vfio_edu *edu, int iommufd, u32 ioas, bool manual)
{
	return manual ? iommufd_hwpt_alloc(iommufd, edu->id, ioas) : ioas;
}

static void open_bind_attach(struct vfio_edu *edu, unsigned int n, int iommufd, u32 ioas)
{
	vfio_edu_open(edu, n);
	vfio_edu_bind(edu, iommufd);
	vfio_edu_attach(edu, ioas);
}

TEST_F(life, added_before_open)
{
	struct coherency_vm *c = &self->c;
	u32 other, pt;
	void *other_mem;

	other = iommufd_ioas_alloc(self->iommufd);
	other_mem = iommufd_ioas_map(self->iommufd, other);

	coherency_vm_expect(c, false, 0, "no iommufd yet");
	coherency_vm_add(c, self->iommufd);
	coherency_vm_expect(c, false, 0, "iommufd added");
	vfio_edu_open(&self->edu, 0);
	coherency_vm_expect(c, false, 0, "device open, not bound");
	vfio_edu_bind(&self->edu, self->iommufd);
	coherency_vm_expect(c, false, 0, "bound, DMA blocked");
	EXPECT_FALSE(vfio_edu_reaches(&self->edu, self->mem, VFIO_EDU_IOVA));

	pt = page_table(&self->edu, self->iommufd, self->ioas, variant->manual);
	coherency_vm_expect(c, false, 0, "page table there, not attached");
	vfio_edu_attach(&self->edu, pt);
	coherency_vm_expect(c, true, 1, "attached");
	EXPECT_TRUE(vfio_edu_reaches(&self->edu, self->mem, VFIO_EDU_IOVA));

	pt = page_table(&self->edu, self->iommufd, other, variant->manual);
	coherency_quiet_begin(false, "the replacing itself");
	vfio_edu_attach(&self->edu, pt);
	coherency_quiet_end();
	coherency_vm_expect(c, true, 0, "replaced, same coherency: no edge");
	EXPECT_TRUE(vfio_edu_reaches(&self->edu, other_mem, VFIO_EDU_IOVA));
	EXPECT_FDINFO(self->iommufd, "noncoherent-attachments", 1);

	vfio_edu_detach(&self->edu);
	coherency_vm_expect(c, false, 1, "detached");
	EXPECT_FALSE(vfio_edu_reaches(&self->edu, other_mem, VFIO_EDU_IOVA));
	vfio_edu_attach(&self->edu, self->ioas);
	coherency_vm_expect(c, true, 1, "attached again");
	vfio_edu_close(&self->edu);
	coherency_vm_expect(c, false, 1, "device closed while attached");

	/* The next open of the device starts without the old attachment */
	vfio_edu_open(&self->edu, 0);
	vfio_edu_bind(&self->edu, self->iommufd);
	coherency_vm_expect(c, false, 0, "bound again");
	vfio_edu_attach(&self->edu, self->ioas);
	coherency_vm_expect(c, true, 1, "attached after a close");
}

TEST_F(life, added_while_attached)
{
	struct coherency_vm *c = &self->c;

	vfio_edu_open(&self->edu, 0);
	vfio_edu_bind(&self->edu, self->iommufd);
	vfio_edu_attach(&self->edu, page_table(&self->edu, self->iommufd, self->ioas,
					       variant->manual));
	coherency_vm_expect(c, false, 0, "attached, KVM was not told");
	coherency_vm_add(c, self->iommufd);
	coherency_vm_expect(c, true, 1, "iommufd added while attached");
	coherency_vm_del(c, self->iommufd);
	coherency_vm_expect(c, false, 1, "iommufd deleted while attached");
	EXPECT_TRUE(vfio_edu_reaches(&self->edu, self->mem, VFIO_EDU_IOVA));
	coherency_vm_add(c, self->iommufd);
	coherency_vm_expect(c, true, 1, "iommufd added again");
	vfio_edu_detach(&self->edu);
	coherency_vm_expect(c, false, 1, "detached after all that");
	coherency_vm_del(c, self->iommufd);
	coherency_vm_expect(c, false, 0, "iommufd deleted while nothing is attached");
}

/* Tests that do not depend on how the device gets its page table */
FIXTURE(cycle)
{
	struct coherency_vm c;
	struct vfio_edu edu[2];
	int iommufd;
	u32 ioas;
	void *mem;
};

FIXTURE_SETUP(cycle)
{
	coherency_vm_create(&self->c);
	self->iommufd = iommufd_open();
	self->ioas = iommufd_ioas_alloc(self->iommufd);
	self->mem = iommufd_ioas_map(self->iommufd, self->ioas);
	self->edu[0].fd = -1;
	self->edu[1].fd = -1;
}

FIXTURE_TEARDOWN(cycle)
{
	int i;

	if (self->c.vm)
		coherency_vm_destroy(&self->c);
	for (i = 0; i < 2; i++)
		if (self->edu[i].fd >= 0)
			vfio_edu_close(&self->edu[i]);
	close(self->iommufd);
}

TEST_F(cycle, ioas_and_hwpt_replace_each_other)
{
	struct coherency_vm *c = &self->c;
	u32 hwpt[2], pt[6];
	int i;

	coherency_vm_add(c, self->iommufd);
	vfio_edu_open(&self->edu[0], 0);
	vfio_edu_bind(&self->edu[0], self->iommufd);
	for (i = 0; i < 2; i++)
		hwpt[i] = iommufd_hwpt_alloc(self->iommufd, self->edu[0].id, self->ioas);

	pt[0] = hwpt[0];
	pt[1] = self->ioas;
	pt[2] = hwpt[1];
	pt[3] = hwpt[1];	/* the device is on it already */
	pt[4] = hwpt[0];
	pt[5] = self->ioas;

	vfio_edu_attach(&self->edu[0], pt[0]);
	coherency_vm_expect(c, true, 1, "attached to an HWPT");
	for (i = 1; i < ARRAY_SIZE(pt); i++) {
		vfio_edu_attach(&self->edu[0], pt[i]);
		coherency_vm_expect(c, true, 0, "replacement %d: no edge", i);
		EXPECT_FDINFO(self->iommufd, "noncoherent-attachments", 1);
	}
	EXPECT_TRUE(vfio_edu_reaches(&self->edu[0], self->mem, VFIO_EDU_IOVA));
	vfio_edu_detach(&self->edu[0]);
	coherency_vm_expect(c, false, 1, "detached after replacements");
}

TEST_F(cycle, two_iommufds)
{
	struct coherency_vm *c = &self->c;
	int other = iommufd_open();
	u32 other_ioas = iommufd_ioas_alloc(other);
	int i;

	iommufd_ioas_map(other, other_ioas);
	coherency_vm_add(c, self->iommufd);
	coherency_vm_add(c, other);
	coherency_vm_expect(c, false, 0, "two iommufds added");
	open_bind_attach(&self->edu[0], 0, self->iommufd, self->ioas);
	coherency_vm_expect(c, true, 1, "attached in the first of two iommufds");
	open_bind_attach(&self->edu[1], 1, other, other_ioas);
	coherency_vm_expect(c, true, 0, "attached in both iommufds: no edge");
	vfio_edu_detach(&self->edu[0]);
	coherency_vm_expect(c, true, 0, "detached in the first, not in the second");
	vfio_edu_attach(&self->edu[0], self->ioas);
	coherency_vm_del(c, other);
	coherency_vm_expect(c, true, 0, "second iommufd deleted, first attached");
	vfio_edu_detach(&self->edu[0]);
	coherency_vm_expect(c, false, 1, "only a deleted iommufd is attached");
	coherency_vm_add(c, other);
	coherency_vm_expect(c, true, 1, "second iommufd added again");
	for (i = 1; i >= 0; i--)
		vfio_edu_close(&self->edu[i]);
	coherency_vm_expect(c, false, 1, "both devices closed");
	close(other);
}

TEST_F(cycle, two_devices_on_one_iommufd)
{
	struct coherency_vm *c = &self->c;

	coherency_vm_add(c, self->iommufd);
	open_bind_attach(&self->edu[0], 0, self->iommufd, self->ioas);
	coherency_vm_expect(c, true, 1, "first of two devices attached");
	open_bind_attach(&self->edu[1], 1, self->iommufd, self->ioas);
	coherency_vm_expect(c, true, 0, "both devices attached: no edge");
	EXPECT_FDINFO(self->iommufd, "noncoherent-attachments", 2);
	EXPECT_TRUE(vfio_edu_reaches(&self->edu[1], self->mem, VFIO_EDU_IOVA));
	vfio_edu_detach(&self->edu[0]);
	coherency_vm_expect(c, true, 0, "one of two devices detached");
	EXPECT_FDINFO(self->iommufd, "noncoherent-attachments", 1);
	vfio_edu_close(&self->edu[1]);
	coherency_vm_expect(c, false, 1, "the other device closed");
	EXPECT_FDINFO(self->iommufd, "noncoherent-attachments", 0);
}

/* The first two devices that share an iommu group */
static bool find_group(unsigned int *first)
{
	unsigned int n;

	for (n = 0; vfio_edu_address(n + 1); n++) {
		if (vfio_edu_group(n) == vfio_edu_group(n + 1)) {
			*first = n;
			return true;
		}
	}
	return false;
}

/* They share a page table, so it is one attachment */
TEST_F(cycle, two_devices_of_one_group)
{
	u32 other_ioas = iommufd_ioas_alloc(self->iommufd);
	int other_iommufd = iommufd_open();
	struct coherency_vm *c = &self->c;
	unsigned int n;

	if (!find_group(&n))
		SKIP(return, "no two edu devices share a group");

	coherency_vm_add(c, self->iommufd);
	open_bind_attach(&self->edu[0], n, self->iommufd, self->ioas);
	coherency_vm_expect(c, true, 1, "first device of a group attached");
	EXPECT_FDINFO(self->iommufd, "noncoherent-attachments", 1);

	vfio_edu_open(&self->edu[1], n + 1);
	EXPECT_EQ(-1, __vfio_edu_bind(&self->edu[1], other_iommufd));
	EXPECT_EQ(EPERM, errno);
	vfio_edu_bind(&self->edu[1], self->iommufd);
	EXPECT_EQ(-1, __vfio_edu_attach(&self->edu[1], other_ioas));
	EXPECT_EQ(EINVAL, errno);
	coherency_vm_expect(c, true, 0, "second device of a group refused");
	EXPECT_FDINFO(self->iommufd, "noncoherent-attachments", 1);

	vfio_edu_attach(&self->edu[1], self->ioas);
	coherency_vm_expect(c, true, 0, "both devices of a group attached");
	EXPECT_FDINFO(self->iommufd, "noncoherent-attachments", 1);
	EXPECT_TRUE(vfio_edu_reaches(&self->edu[0], self->mem, VFIO_EDU_IOVA));
	EXPECT_TRUE(vfio_edu_reaches(&self->edu[1], self->mem, VFIO_EDU_IOVA));

	vfio_edu_detach(&self->edu[0]);
	coherency_vm_expect(c, true, 0, "one device of a group detached");
	EXPECT_FDINFO(self->iommufd, "noncoherent-attachments", 1);
	vfio_edu_close(&self->edu[1]);
	coherency_vm_expect(c, false, 1, "the other device of a group closed");
	EXPECT_FDINFO(self->iommufd, "noncoherent-attachments", 0);
	close(other_iommufd);
}

TEST_F(cycle, two_vms_on_one_iommufd)
{
	struct coherency_vm *c = &self->c, other;
	long watches;

	coherency_vm_create(&other);
	open_bind_attach(&self->edu[0], 0, self->iommufd, self->ioas);
	watches = iommufd_watches(self->iommufd);
	coherency_vm_add(c, self->iommufd);
	coherency_vm_expect(c, true, 1, "first VM, attached");
	coherency_vm_expect(&other, false, 0, "second VM, iommufd not added");
	coherency_vm_add(&other, self->iommufd);
	coherency_vm_expect(&other, true, 1, "second VM, iommufd added");
	coherency_vm_expect(c, true, 0, "first VM, with the second");
	EXPECT_EQ(watches + 2, iommufd_watches(self->iommufd));
	EXPECT_FDINFO(self->iommufd, "coherency-watches-begun", watches + 2);
	vfio_edu_detach(&self->edu[0]);
	coherency_vm_expect(c, false, 1, "first VM, detached");
	coherency_vm_expect(&other, false, 1, "second VM, detached");
	vfio_edu_attach(&self->edu[0], self->ioas);
	coherency_vm_expect(c, true, 1, "first VM, attached again");
	coherency_vm_expect(&other, true, 1, "second VM, attached again");
	coherency_vm_del(c, self->iommufd);
	coherency_vm_expect(c, false, 1, "first VM, iommufd deleted");
	coherency_vm_expect(&other, true, 0, "second VM, iommufd deleted from the first");
	coherency_vm_destroy(&other);
	EXPECT_EQ(watches, iommufd_watches(self->iommufd));
	coherency_vm_add(c, self->iommufd);
	coherency_vm_expect(c, true, 1, "first VM, second VM destroyed");
}

TEST_F(cycle, other_iommufd_is_nobodys_business)
{
	struct coherency_vm *c = &self->c, other;
	int other_iommufd = iommufd_open();

	coherency_vm_create(&other);
	coherency_vm_add(&other, other_iommufd);
	coherency_vm_add(c, self->iommufd);
	open_bind_attach(&self->edu[0], 0, self->iommufd, self->ioas);
	coherency_vm_expect(c, true, 1, "the VM whose iommufd is attached");
	coherency_vm_expect(&other, false, 0, "a VM with another iommufd");
	vfio_edu_detach(&self->edu[0]);
	coherency_vm_expect(&other, false, 0, "a VM with another iommufd, detached");
	coherency_vm_destroy(&other);
	close(other_iommufd);
}

TEST_F(cycle, same_iommufd_twice)
{
	struct coherency_vm *c = &self->c;
	int again = dup(self->iommufd);
	long watches;

	coherency_vm_add(c, self->iommufd);
	EXPECT_EQ(-1, __coherency_vm_add(c, self->iommufd));
	EXPECT_EQ(EEXIST, errno);
	EXPECT_EQ(-1, __coherency_vm_add(c, again));
	EXPECT_EQ(EEXIST, errno);
	open_bind_attach(&self->edu[0], 0, self->iommufd, self->ioas);
	coherency_vm_expect(c, true, 1, "attached, added twice");
	watches = iommufd_watches(self->iommufd);
	EXPECT_EQ(-1, __coherency_vm_add(c, again));
	EXPECT_EQ(EEXIST, errno);
	EXPECT_EQ(watches, iommufd_watches(self->iommufd));

	/* Any fd of the iommufd deletes it */
	coherency_vm_del(c, again);
	coherency_vm_expect(c, false, 1, "deleted once");
	EXPECT_EQ(-1, __coherency_vm_del(c, self->iommufd));
	EXPECT_EQ(ENOENT, errno);
	EXPECT_EQ(watches - 1, iommufd_watches(self->iommufd));
	close(again);
}

static void do_wait(struct __test_metadata *_metadata, pid_t pid)
{
	int status;

	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(0, status);
}

/* The process that opened the iommufd exits before it is used */
TEST_F(cycle, passed_over_a_socket)
{
	struct coherency_vm *c = &self->c;
	int sv[2], passed;
	u32 ioas;
	void *mem;
	pid_t pid;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sv));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		fd_send(sv[1], iommufd_open());
		_exit(0);
	}
	do_wait(_metadata, pid);
	passed = fd_receive(sv[0]);

	coherency_vm_add(c, passed);
	ioas = iommufd_ioas_alloc(passed);
	mem = iommufd_ioas_map(passed, ioas);
	coherency_vm_expect(c, false, 0, "iommufd of a process that is gone");
	open_bind_attach(&self->edu[0], 0, passed, ioas);
	coherency_vm_expect(c, true, 1, "attached in an iommufd that was passed");
	EXPECT_TRUE(vfio_edu_reaches(&self->edu[0], mem, VFIO_EDU_IOVA));

	/* KVM and VFIO hold it now */
	close(passed);
	coherency_vm_expect(c, true, 0, "the passed iommufd closed");
	vfio_edu_close(&self->edu[0]);
	coherency_vm_expect(c, false, 1, "the device in the passed iommufd closed");
}

/* The process that attached exits. The VM of the process that received the fd lives on. */
TEST_F(cycle, passed_while_attached)
{
	struct coherency_vm *c = &self->c;
	int sv[2], passed;
	pid_t pid;
	char byte;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sv));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		int iommufd = iommufd_open();
		u32 ioas = iommufd_ioas_alloc(iommufd);

		close(sv[0]);
		iommufd_ioas_map(iommufd, ioas);
		open_bind_attach(&self->edu[0], 0, iommufd, ioas);
		fd_send(sv[1], iommufd);
		/* Wait until the other end is closed */
		_exit(read(sv[1], &byte, 1) != 0);
	}
	close(sv[1]);
	passed = fd_receive(sv[0]);
	coherency_vm_add(c, passed);
	coherency_vm_expect(c, true, 1, "attached by another process");
	close(sv[0]);
	do_wait(_metadata, pid);
	coherency_vm_expect(c, false, 1, "the process that attached is gone");
	EXPECT_FDINFO(passed, "noncoherent-attachments", 0);

	vfio_edu_open(&self->edu[0], 0);
	vfio_edu_bind(&self->edu[0], passed);
	coherency_vm_expect(c, false, 0, "bound anew by the one who is left");
	vfio_edu_attach(&self->edu[0], iommufd_ioas_alloc(passed));
	coherency_vm_expect(c, true, 1, "attached anew by the one who is left");
	close(passed);
}

enum { IOMMUFD, DEVICE, KVM_DEVICE, VM, NR_CLOSES };

static void close_one(struct coherency_vm *c, struct vfio_edu *edu, int *iommufd, int which)
{
	switch (which) {
	case IOMMUFD:
		close(*iommufd);
		*iommufd = -1;
		break;
	case DEVICE:
		vfio_edu_close(edu);
		break;
	case KVM_DEVICE:
		coherency_device_close(c);
		break;
	case VM:
		/* The vCPU holds the VM as well, so the guest can still run */
		close(c->vm->fd);
		c->vm->fd = -1;
		break;
	}
}

static void close_in_order(const int *order, int nr)
{
	static const char * const names[] = { "iommufd", "device", "KVM's device", "VM" };
	struct coherency_vm c;
	struct vfio_edu edu;
	u32 ioas;
	int iommufd, i;
	bool on = true;

	coherency_vm_create(&c);
	iommufd = iommufd_open();
	ioas = iommufd_ioas_alloc(iommufd);
	iommufd_ioas_map(iommufd, ioas);
	coherency_vm_add(&c, iommufd);
	open_bind_attach(&edu, 0, iommufd, ioas);
	coherency_vm_expect(&c, true, 1, "order %d: attached", nr);

	for (i = 0; i < NR_CLOSES; i++) {
		bool ends = on && (order[i] == DEVICE || order[i] == KVM_DEVICE);

		close_one(&c, &edu, &iommufd, order[i]);
		on = on && !ends;
		coherency_vm_expect(&c, on, ends, "order %d: %s closed", nr, names[order[i]]);
	}
}

/* All 24 orders. KVM and VFIO hold the iommufd; the vCPU and KVM's device hold the VM. */
TEST_F(cycle, closed_in_every_order)
{
	int order[NR_CLOSES], nr = 0, i, n;
	pid_t pid;

	for (n = 0; n < 256; n++) {
		unsigned int seen = 0;

		for (i = 0; i < NR_CLOSES; i++) {
			order[i] = n >> (2 * i) & 3;
			seen |= 1 << order[i];
		}
		if (seen != (1 << NR_CLOSES) - 1)
			continue;
		nr++;

		pid = fork();
		ASSERT_LE(0, pid);
		if (!pid) {
			close_in_order(order, nr);
			_exit(0);
		}
		do_wait(_metadata, pid);
	}
	EXPECT_EQ(24, nr);
}

/* Only the last close of a file removes something */
TEST_F(cycle, closed_but_not_the_last)
{
	struct coherency_vm *c = &self->c;
	int device, kvm_device;

	coherency_vm_add(c, self->iommufd);
	open_bind_attach(&self->edu[0], 0, self->iommufd, self->ioas);
	coherency_vm_expect(c, true, 1, "attached, then fds are duplicated");
	device = dup(self->edu[0].fd);
	kvm_device = dup(c->device);
	close(c->device);
	c->device = kvm_device;
	coherency_vm_expect(c, true, 0, "first fd of KVM's device closed");
	close(self->edu[0].fd);
	self->edu[0].fd = device;
	coherency_vm_expect(c, true, 0, "first fd of the device closed");
	vfio_edu_close(&self->edu[0]);
	coherency_vm_expect(c, false, 1, "last fd of the device closed");
}

TEST_F(cycle, vm_destroyed_while_attached)
{
	struct coherency_vm *c = &self->c;
	int kvm_device;
	long watches;

	coherency_vm_add(c, self->iommufd);
	open_bind_attach(&self->edu[0], 0, self->iommufd, self->ioas);
	coherency_vm_expect(c, true, 1, "attached, then the VM is destroyed");
	watches = iommufd_watches(self->iommufd) - 1;
	coherency_vm_destroy(c);
	EXPECT_EQ(watches, iommufd_watches(self->iommufd));
	EXPECT_FDINFO(self->iommufd, "noncoherent-attachments", 1);
	EXPECT_TRUE(vfio_edu_reaches(&self->edu[0], self->mem, VFIO_EDU_IOVA));

	/* Once more, but KVM's device outlives all other fds of its VM */
	coherency_vm_create(c);
	coherency_vm_add(c, self->iommufd);
	coherency_vm_expect(c, true, 1, "next VM, added while attached");
	kvm_device = c->device;
	c->device = -1;
	coherency_vm_destroy(c);
	EXPECT_EQ(watches + 1, iommufd_watches(self->iommufd));
	vfio_edu_detach(&self->edu[0]);
	EXPECT_EQ(0, coherency_device_status(kvm_device).flags);
	EXPECT_EQ(vfio_edu_is_noncoherent() ? 2 : 0, coherency_device_status(kvm_device).edges);
	vfio_edu_attach(&self->edu[0], self->ioas);
	EXPECT_EQ(vfio_edu_is_noncoherent() ? 3 : 0, coherency_device_status(kvm_device).edges);
	EXPECT_EQ(0, close(kvm_device));
	EXPECT_EQ(watches, iommufd_watches(self->iommufd));

	coherency_vm_create(c);
	coherency_vm_expect(c, false, 0, "a VM after those that were destroyed");
}

/* A VMM with an attached device, whose guest executes WBINVD until it is killed */
static void doomed_vmm(int sock, int iommufd, u32 ioas)
{
	struct coherency_vm c;
	struct vfio_edu edu;

	coherency_vm_create(&c);
	coherency_vm_add(&c, iommufd);
	open_bind_attach(&edu, 0, iommufd, ioas);
	coherency_vm_run(&c);
	fd_send(sock, iommufd);
	for (;;)
		coherency_vm_run(&c);
}

TEST_F(cycle, vmm_killed)
{
	struct coherency_vm *c = &self->c;
	int sv[2], status;
	pid_t pid;

	coherency_vm_add(c, self->iommufd);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sv));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		doomed_vmm(sv[1], self->iommufd, self->ioas);
	close(sv[1]);
	close(fd_receive(sv[0]));
	EXPECT_EQ(2, iommufd_watches(self->iommufd));
	EXPECT_FDINFO(self->iommufd, "coherency-watches-begun", iommufd_watches(self->iommufd));

	kill(pid, SIGKILL);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_TRUE(WIFSIGNALED(status));

	/* The surviving VM had both edges */
	coherency_vm_expect(c, false, 2, "the VMM that attached was killed");
	EXPECT_EQ(1, iommufd_watches(self->iommufd));
	EXPECT_FDINFO(self->iommufd, "coherency-watches-begun", 0);
	EXPECT_FDINFO(self->iommufd, "noncoherent-attachments", 0);
	vfio_edu_open(&self->edu[0], 0);
	vfio_edu_bind(&self->edu[0], self->iommufd);
	EXPECT_FALSE(vfio_edu_reaches(&self->edu[0], self->mem, VFIO_EDU_IOVA));
	coherency_vm_expect(c, false, 0, "bound after a VMM was killed");
	vfio_edu_attach(&self->edu[0], self->ioas);
	coherency_vm_expect(c, true, 1, "attached after a VMM was killed");
}

/* An attach that no watch refuses, but that fails */
TEST_F(cycle, attach_fails)
{
	struct coherency_vm *c = &self->c;
	u32 far = iommufd_ioas_alloc(self->iommufd);
	unsigned int edges;
	u32 hwpt;

	/* An IOVA beyond every IOMMU's aperture, which fails when a domain maps it */
	ASSERT_EQ(0, __iommufd_ioas_map(self->iommufd, far, self->mem, VFIO_EDU_MEM_SIZE,
					1ULL << 60));
	coherency_vm_add(c, self->iommufd);
	vfio_edu_open(&self->edu[0], 0);
	vfio_edu_bind(&self->edu[0], self->iommufd);

	ASSERT_EQ(-1, __vfio_edu_attach(&self->edu[0], 0x7fff));
	ASSERT_EQ(ENOENT, errno);
	coherency_vm_expect(c, false, 0, "attach to nothing");

	/*
	 * Before the attach to an IOAS fails the hardware may be attached briefly: that
	 * is an edge on and off. Otherwise there is none.
	 */
	ASSERT_EQ(-1, __vfio_edu_attach(&self->edu[0], far));
	edges = coherency_device_status(c->device).edges;
	EXPECT_EQ(edges, coherency_eventfd_read(c->eventfd));
	EXPECT_TRUE(edges == 0 || edges == 2);
	c->edges = edges;
	coherency_vm_expect(c, false, 0, "attach failed");
	EXPECT_EQ(0, iommufd_fdinfo(self->iommufd, "noncoherent-attachments"));
	EXPECT_EQ(0, iommufd_fdinfo(self->iommufd, "coherency-watches-begun"));
	EXPECT_FALSE(vfio_edu_reaches(&self->edu[0], self->mem, VFIO_EDU_IOVA));
	EXPECT_EQ(-1, __iommufd_hwpt_alloc(self->iommufd, self->edu[0].id, far, 0, &hwpt));
	coherency_vm_expect(c, false, 0, "no page table");

	/* A failed replacement keeps the old page table */
	vfio_edu_attach(&self->edu[0], self->ioas);
	coherency_vm_expect(c, true, 1, "attached after failures");
	ASSERT_EQ(-1, __vfio_edu_attach(&self->edu[0], far));
	coherency_vm_expect(c, true, 0, "replacement failed");
	EXPECT_FDINFO(self->iommufd, "noncoherent-attachments", 1);
	EXPECT_TRUE(vfio_edu_reaches(&self->edu[0], self->mem, VFIO_EDU_IOVA));
	vfio_edu_detach(&self->edu[0]);
	coherency_vm_expect(c, false, 1, "detached after failures");
}

struct running_guest {
	struct coherency_vm *c;
	atomic_uint rounds;
	atomic_bool stop;
};

static void *run_guest(void *arg)
{
	struct running_guest *guest = arg;

	while (!guest->stop) {
		coherency_vm_run(guest->c);
		guest->rounds++;
	}
	return NULL;
}

static void wait_for_rounds(struct running_guest *guest, unsigned int n)
{
	unsigned int until = guest->rounds + n;

	while (guest->rounds < until)
		sched_yield();
}

/* Permission changes while a guest executes WBINVD all the time */
TEST_F(cycle, guest_is_running)
{
	struct running_guest guest = { .c = &self->c };
	pthread_t thread;
	cpu_set_t cpu;
	int i;

	coherency_vm_add(&self->c, self->iommufd);
	vfio_edu_open(&self->edu[0], 0);
	vfio_edu_bind(&self->edu[0], self->iommufd);
	ASSERT_EQ(0, pthread_create(&thread, NULL, run_guest, &guest));
	/* The guest stays on the CPU that its thread was created on */
	CPU_ZERO(&cpu);
	CPU_SET(1, &cpu);
	ASSERT_EQ(0, sched_setaffinity(0, sizeof(cpu), &cpu));

	for (i = 0; i < 10; i++) {
		vfio_edu_attach(&self->edu[0], self->ioas);
		wait_for_rounds(&guest, 2);
		vfio_edu_detach(&self->edu[0]);
		coherency_quiet_begin(true, "detached under a running guest, round %d", i);
		wait_for_rounds(&guest, 3);
		coherency_quiet_end();
	}
	guest.stop = true;
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(vfio_edu_is_noncoherent() ? 20 : 0, coherency_eventfd_read(self->c.eventfd));
	EXPECT_EQ(vfio_edu_is_noncoherent(),
		  coherency_device_status(self->c.device).wbinvd_flushed > 0);
	EXPECT_LE(10 * 2 * COHERENCY_NR_WBINVD,
		  coherency_device_status(self->c.device).wbinvd_ignored);
}

TEST_HARNESS_MAIN
