// SPDX-License-Identifier: GPL-2.0
/*
 * A VM's policy about non-coherent DMA, and its eventfd, while a real device is
 * attached, detached and refused.
 *
 * Needs an edu device bound to vfio-pci, and snoop=off or snoop=on in the
 * environment. Where the IOMMU enforces coherency there is nothing to refuse.
 */
#include <sys/eventfd.h>
#include <unistd.h>

#include "coherency_vm.h"
#include "kvm_util.h"
#include "patient_harness.h"
#include "test_util.h"
#include "vfio_edu.h"

FIXTURE(policy)
{
	struct coherency_fixture f;
	bool noncoherent;
};

FIXTURE_SETUP(policy)
{
	self->noncoherent = vfio_edu_is_noncoherent();
	coherency_fixture_create(&self->f);
}

FIXTURE_TEARDOWN(policy)
{
	coherency_fixture_destroy(&self->f);
}

/* @call fails with @error where DMA would be non-coherent, and otherwise succeeds */
#define EXPECT_REFUSED(error, call)				\
	do {							\
		errno = 0;					\
		EXPECT_EQ(self->noncoherent ? -1 : 0, call);	\
		EXPECT_EQ(self->noncoherent ? (error) : 0, errno);	\
	} while (0)

static void expect_nothing_attached(struct __test_metadata *_metadata,
				    FIXTURE_DATA(policy) * self, int nr_vms)
{
	if (!self->noncoherent)
		return;
	EXPECT_EQ(0, iommufd_fdinfo(self->f.iommufd, "noncoherent-attachments"));
	EXPECT_EQ(self->f.watches + nr_vms, iommufd_watches(self->f.iommufd));
	EXPECT_EQ(0, iommufd_watches_begun(self->f.iommufd));
	EXPECT_FALSE(vfio_edu_reaches(&self->f.edu, self->f.mem, VFIO_EDU_IOVA));
}

TEST_F(policy, forbid_refuses_attach)
{
	struct coherency_vm *c = &self->f.c;
	u32 hwpt;

	coherency_vm_policy(c, KVM_NONCOHERENT_DMA_FORBID);
	coherency_vm_add(c, self->f.iommufd);
	hwpt = iommufd_hwpt_alloc(self->f.iommufd, self->f.edu.id, self->f.ioas);

	EXPECT_REFUSED(EPERM, __vfio_edu_attach(&self->f.edu, self->f.ioas));
	coherency_vm_expect(c, false, 0, "FORBID: attach to an IOAS refused");
	expect_nothing_attached(_metadata, self, 1);
	EXPECT_REFUSED(EPERM, __vfio_edu_attach(&self->f.edu, hwpt));
	coherency_vm_expect(c, false, 0, "FORBID: attach to an HWPT refused");
	expect_nothing_attached(_metadata, self, 1);

	/* The refusals left no reservation, no page table and no reference */
	coherency_vm_policy(c, KVM_NONCOHERENT_DMA_FOLLOW);
	coherency_vm_policy(c, KVM_NONCOHERENT_DMA_FORBID);
	if (!self->noncoherent)
		vfio_edu_detach(&self->f.edu);
	EXPECT_EQ(0, __iommufd_destroy(self->f.iommufd, hwpt));
	EXPECT_EQ(0, __iommufd_destroy(self->f.iommufd, self->f.ioas));

	coherency_vm_policy(c, KVM_NONCOHERENT_DMA_FOLLOW);
	self->f.ioas = iommufd_ioas_alloc(self->f.iommufd);
	self->f.mem = iommufd_ioas_map(self->f.iommufd, self->f.ioas);
	vfio_edu_attach(&self->f.edu, self->f.ioas);
	coherency_vm_expect(c, true, 1, "FOLLOW after refusals: attached");
	EXPECT_TRUE(vfio_edu_reaches(&self->f.edu, self->f.mem, VFIO_EDU_IOVA));
}

static void refuse_beside(struct __test_metadata *_metadata, FIXTURE_DATA(policy) * self,
			  bool refuser_first)
{
	struct coherency_vm *c = &self->f.c, other;

	coherency_vm_create(&other);
	coherency_vm_policy(c, KVM_NONCOHERENT_DMA_FORBID);
	coherency_vm_add(refuser_first ? c : &other, self->f.iommufd);
	coherency_vm_add(refuser_first ? &other : c, self->f.iommufd);

	coherency_quiet_begin(false, "the refusing itself");
	EXPECT_REFUSED(EPERM, __vfio_edu_attach(&self->f.edu, self->f.ioas));
	coherency_quiet_end();
	coherency_vm_expect(&other, false, 0, "a VM that would have allowed it");
	coherency_vm_expect(c, false, 0, "the VM that refused");
	expect_nothing_attached(_metadata, self, 2);
	/* Nothing stays reserved in the VM that was asked before the one that refused */
	coherency_vm_policy(&other, KVM_NONCOHERENT_DMA_FORBID);
	coherency_vm_policy(&other, KVM_NONCOHERENT_DMA_FOLLOW);

	coherency_vm_del(c, self->f.iommufd);
	vfio_edu_attach(&self->f.edu, self->f.ioas);
	coherency_vm_expect(&other, true, 1, "the refuser gone, attached");
	coherency_vm_destroy(&other);
}

/* The result does not depend on which of the two VMs is asked first */
TEST_F(policy, forbid_is_seen_by_nobody_asked_later)
{
	refuse_beside(_metadata, self, true);
}

TEST_F(policy, forbid_is_seen_by_nobody_asked_before)
{
	refuse_beside(_metadata, self, false);
}

TEST_F(policy, forbid_refuses_add)
{
	struct coherency_vm *c = &self->f.c;

	coherency_vm_policy(c, KVM_NONCOHERENT_DMA_FORBID);
	vfio_edu_attach(&self->f.edu, self->f.ioas);
	EXPECT_REFUSED(EPERM, __coherency_vm_add(c, self->f.iommufd));
	coherency_vm_expect(c, false, 0, "FORBID: add of an attached iommufd refused");
	EXPECT_EQ(self->f.watches + !self->noncoherent, iommufd_watches(self->f.iommufd));
	EXPECT_REFUSED(ENOENT, __coherency_vm_del(c, self->f.iommufd));
	EXPECT_TRUE(vfio_edu_reaches(&self->f.edu, self->f.mem, VFIO_EDU_IOVA));

	coherency_vm_policy(c, KVM_NONCOHERENT_DMA_FOLLOW);
	coherency_vm_add(c, self->f.iommufd);
	coherency_vm_expect(c, true, 1, "FOLLOW after a refused add");
}

/* Switching to FORBID fails while DMA may be non-coherent */
TEST_F(policy, busy)
{
	struct coherency_vm *c = &self->f.c;

	coherency_vm_add(c, self->f.iommufd);
	vfio_edu_attach(&self->f.edu, self->f.ioas);
	coherency_vm_expect(c, true, 1, "attached, then to be forbidden");
	EXPECT_REFUSED(EBUSY, __coherency_vm_policy(c, KVM_NONCOHERENT_DMA_FORBID));
	coherency_vm_expect(c, true, 0, "too late to forbid");
	coherency_vm_policy(c, KVM_NONCOHERENT_DMA_NO_WBINVD);
	EXPECT_REFUSED(EBUSY, __coherency_vm_policy(c, KVM_NONCOHERENT_DMA_FORBID));
	coherency_vm_expect(c, true, 0, "too late to forbid, NO_WBINVD");

	coherency_vm_policy(c, KVM_NONCOHERENT_DMA_FOLLOW);
	vfio_edu_detach(&self->f.edu);
	coherency_vm_policy(c, KVM_NONCOHERENT_DMA_FORBID);
	EXPECT_REFUSED(EPERM, __vfio_edu_attach(&self->f.edu, self->f.ioas));
	coherency_vm_expect(c, false, 1, "forbidden after the detach");
	expect_nothing_attached(_metadata, self, 1);
}

TEST_F(policy, no_wbinvd)
{
	struct coherency_vm *c = &self->f.c;

	coherency_vm_add(c, self->f.iommufd);
	coherency_vm_policy(c, KVM_NONCOHERENT_DMA_NO_WBINVD);
	coherency_vm_expect(c, false, 0, "NO_WBINVD, not attached");
	coherency_quiet_begin(false, "NO_WBINVD: the attaching itself");
	vfio_edu_attach(&self->f.edu, self->f.ioas);
	coherency_quiet_end();
	coherency_vm_expect(c, true, 1, "NO_WBINVD, attached: permission, but no flush");
	EXPECT_TRUE(vfio_edu_reaches(&self->f.edu, self->f.mem, VFIO_EDU_IOVA));
	coherency_vm_policy(c, KVM_NONCOHERENT_DMA_FOLLOW);
	coherency_vm_expect(c, true, 0, "back to FOLLOW while attached");
	coherency_vm_policy(c, KVM_NONCOHERENT_DMA_NO_WBINVD);
	coherency_vm_expect(c, true, 0, "NO_WBINVD while attached");
	vfio_edu_detach(&self->f.edu);
	coherency_vm_expect(c, false, 1, "NO_WBINVD, detached");
	coherency_vm_policy(c, KVM_NONCOHERENT_DMA_FOLLOW);
	coherency_vm_expect(c, false, 0, "FOLLOW, detached");
	vfio_edu_attach(&self->f.edu, self->f.ioas);
	coherency_vm_expect(c, true, 1, "FOLLOW, attached again");
}

/* Each VM has a policy of its own */
TEST_F(policy, of_one_vm)
{
	struct coherency_vm *c = &self->f.c, other;

	coherency_vm_create(&other);
	coherency_vm_add(c, self->f.iommufd);
	coherency_vm_add(&other, self->f.iommufd);
	coherency_vm_policy(&other, KVM_NONCOHERENT_DMA_NO_WBINVD);
	vfio_edu_attach(&self->f.edu, self->f.ioas);
	coherency_vm_expect(c, true, 1, "FOLLOW beside NO_WBINVD");
	coherency_vm_expect(&other, true, 1, "NO_WBINVD beside FOLLOW");
	coherency_vm_destroy(&other);
}

static u64 cycles(FIXTURE_DATA(policy) * self, int n)
{
	int i;

	for (i = 0; i < n; i++) {
		vfio_edu_attach(&self->f.edu, self->f.ioas);
		vfio_edu_detach(&self->f.edu);
	}
	return self->noncoherent ? 2 * n : 0;
}

TEST_F(policy, eventfd)
{
	int first = eventfd(0, EFD_NONBLOCK), second = eventfd(0, EFD_NONBLOCK);
	int none = -1, copy, device = self->f.c.device;
	u64 edges, total = 0;

	EXPECT_EQ(0, __coherency_device_eventfd(device, none));
	coherency_vm_add(&self->f.c, self->f.iommufd);
	total += cycles(self, 1);
	EXPECT_EQ(0, coherency_eventfd_read(self->f.c.eventfd));

	EXPECT_EQ(0, __coherency_device_eventfd(device, first));
	edges = cycles(self, 2);
	total += edges;
	EXPECT_EQ(edges, coherency_eventfd_read(first));

	/* A device has one eventfd: another one replaces it */
	EXPECT_EQ(0, __coherency_device_eventfd(device, second));
	edges = cycles(self, 1);
	total += edges;
	EXPECT_EQ(0, coherency_eventfd_read(first));
	EXPECT_EQ(edges, coherency_eventfd_read(second));

	/* An fd that is not accepted replaces nothing */
	EXPECT_EQ(-1, __coherency_device_eventfd(device, self->f.iommufd));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, __coherency_device_eventfd(device, 999));
	EXPECT_EQ(EBADF, errno);
	EXPECT_EQ(-1, __kvm_device_attr_set(device, KVM_DEV_IOMMUFD_COHERENCY,
					    KVM_DEV_IOMMUFD_COHERENCY_EVENTFD, NULL));
	EXPECT_EQ(EFAULT, errno);
	edges = cycles(self, 1);
	total += edges;
	EXPECT_EQ(edges, coherency_eventfd_read(second));

	/* KVM holds its own reference: the fd may be closed */
	copy = dup(second);
	close(second);
	edges = cycles(self, 1);
	total += edges;
	EXPECT_EQ(edges, coherency_eventfd_read(copy));

	EXPECT_EQ(0, __coherency_device_eventfd(device, none));
	total += cycles(self, 1);
	EXPECT_EQ(0, coherency_eventfd_read(copy));
	EXPECT_EQ(total, coherency_device_status(device).edges);

	/* Closing KVM's device while attached is the last edge that it signals */
	EXPECT_EQ(0, __coherency_device_eventfd(device, copy));
	vfio_edu_attach(&self->f.edu, self->f.ioas);
	coherency_device_close(&self->f.c);
	EXPECT_EQ(self->noncoherent ? 2 : 0, coherency_eventfd_read(copy));
	close(copy);
	close(first);
}

/* Memory of this process that iommufds have pinned, in kB */
static long pinned(void)
{
	FILE *status = fopen("/proc/self/status", "re");
	char line[128];
	long kb = -1;

	TEST_ASSERT(status, "/proc/self/status cannot be opened");
	while (kb < 0 && fgets(line, sizeof(line), status))
		sscanf(line, "VmPin: %ld", &kb);
	fclose(status);
	return kb;
}

/* An iommufd keeps its pages pinned while anything holds it, so KVM must not */
TEST_F(policy, nobody_keeps_the_iommufd)
{
	struct coherency_vm *c = &self->f.c;

	ASSERT_EQ(0, pinned());
	iommufd_hwpt_alloc(self->f.iommufd, self->f.edu.id, self->f.ioas);
	coherency_vm_add(c, self->f.iommufd);
	EXPECT_EQ(-1, __coherency_vm_add(c, self->f.iommufd));
	coherency_vm_del(c, self->f.iommufd);
	EXPECT_EQ(-1, __coherency_vm_del(c, self->f.iommufd));

	coherency_vm_policy(c, KVM_NONCOHERENT_DMA_FORBID);
	vfio_edu_attach(&self->f.edu, self->f.ioas);
	EXPECT_REFUSED(EPERM, __coherency_vm_add(c, self->f.iommufd));
	vfio_edu_detach(&self->f.edu);
	if (!self->noncoherent)
		coherency_vm_del(c, self->f.iommufd);

	vfio_edu_close(&self->f.edu);
	EXPECT_LT(0, pinned());
	close(self->f.iommufd);
	EXPECT_EQ(0, pinned());

	vfio_edu_open(&self->f.edu, 0);
	self->f.iommufd = iommufd_open();
}

TEST_HARNESS_MAIN
