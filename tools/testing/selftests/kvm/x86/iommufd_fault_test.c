// SPDX-License-Identifier: GPL-2.0
/*
 * All or nothing: each memory allocation in turn fails of what adds an iommufd
 * to a VM or attaches a real device, and what failed has changed nothing.
 *
 * Needs an edu device bound to vfio-pci, failslab in debugfs, and snoop=off or
 * snoop=on in the environment.
 */
#include <fcntl.h>
#include <unistd.h>

#include "coherency_vm.h"
#include "kvm_util.h"
#include "patient_harness.h"
#include "test_util.h"
#include "vfio_edu.h"

#define FAILSLAB	"/sys/kernel/debug/failslab/"
#define FAIL_IOMMUFD	"/sys/kernel/debug/fail_iommufd/"
#define MAX_FAULTS	300

FIXTURE(fault)
{
	struct coherency_fixture f;
	unsigned int nth;
	int fail_nth;
};

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	TEST_ASSERT(fd >= 0, "%s cannot be opened", path);
	TEST_ASSERT(write(fd, text, strlen(text)) == strlen(text), "%s cannot be written", path);
	close(fd);
}

FIXTURE_SETUP(fault)
{
	if (access(FAILSLAB, F_OK))
		SKIP(return, "no failslab in debugfs");
	write_file(FAILSLAB "ignore-gfp-wait", "N");
	write_file(FAILSLAB "verbose", "0");
	if (!access(FAIL_IOMMUFD, F_OK))
		write_file(FAIL_IOMMUFD "verbose", "0");
	self->fail_nth = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->fail_nth);

	coherency_fixture_create(&self->f);
}

FIXTURE_TEARDOWN(fault)
{
	coherency_fixture_destroy(&self->f);
	close(self->fail_nth);
}

static void fault_arm(FIXTURE_DATA(fault) * self, unsigned int nth)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", nth);

	TEST_ASSERT(pwrite(self->fail_nth, text, len, 0) == len, "fail-nth cannot be written");
}

/* Was there an @nth allocation, to fail? */
static bool fault_disarm(FIXTURE_DATA(fault) * self)
{
	char text[16] = {};

	TEST_ASSERT(pread(self->fail_nth, text, sizeof(text) - 1, 0) > 0,
		    "fail-nth cannot be read");
	fault_arm(self, 0);
	return !atoi(text);
}

/*
 * With IOMMUFD_TEST not only allocations fail, so the errno can be any. Makes
 * @call, with its first, its second .. allocation failing, until it has
 * succeeded without a failure. An allocation may fail without harm; @undo then
 * undoes what succeeded, and @failed looks at what did not.
 */
#define FOR_EACH_FAULT(call, failed, undo)					\
	do {									\
		bool injected;							\
		int ret, nr_failed = 0;						\
										\
		for (self->nth = 1;; self->nth++) {				\
			ASSERT_GT(MAX_FAULTS, self->nth);			\
			fault_arm(self, self->nth);				\
			ret = (call);						\
			injected = fault_disarm(self);				\
			if (ret < 0) {						\
				ASSERT_TRUE(injected);				\
				nr_failed++;					\
				failed;						\
			} else if (injected) {					\
				undo;						\
			} else {						\
				break;						\
			}							\
		}								\
		EXPECT_LT(0, nr_failed);					\
		TH_LOG("%u allocations, %d failures", self->nth - 1, nr_failed);	\
	} while (0)

/* On the way to an IOAS the hardware may have been attached: an edge each way */
static void expect_nothing(struct __test_metadata *_metadata, FIXTURE_DATA(fault) * self)
{
	struct kvm_coherency_status status = coherency_device_status(self->f.c.device);

	EXPECT_EQ(0, status.flags);
	EXPECT_EQ(1, status.nr_iommufds);
	EXPECT_EQ(0, status.edges % 2);
	EXPECT_EQ(status.edges - self->f.c.edges, coherency_eventfd_read(self->f.c.eventfd));
	self->f.c.edges = status.edges;
	EXPECT_EQ(0, iommufd_fdinfo(self->f.iommufd, "noncoherent-attachments"));
	EXPECT_EQ(self->f.watches + 1, iommufd_watches(self->f.iommufd));
	EXPECT_EQ(0, iommufd_watches_begun(self->f.iommufd));
}

static void detach(struct __test_metadata *_metadata, FIXTURE_DATA(fault) * self)
{
	vfio_edu_detach(&self->f.edu);
	self->f.c.edges = coherency_device_status(self->f.c.device).edges;
	coherency_eventfd_read(self->f.c.eventfd);
	expect_nothing(_metadata, self);
}

TEST_F(fault, attach_to_ioas)
{
	coherency_vm_add(&self->f.c, self->f.iommufd);
	FOR_EACH_FAULT(__vfio_edu_attach(&self->f.edu, self->f.ioas),
		       expect_nothing(_metadata, self),
		       detach(_metadata, self));
	coherency_vm_expect(&self->f.c, true, 1, "attached to an IOAS at last");
	EXPECT_TRUE(vfio_edu_reaches(&self->f.edu, self->f.mem, VFIO_EDU_IOVA));
	vfio_edu_detach(&self->f.edu);
	coherency_vm_expect(&self->f.c, false, 1, "detached from the IOAS");
	EXPECT_EQ(0, __iommufd_destroy(self->f.iommufd, self->f.ioas));
}

TEST_F(fault, attach_to_hwpt)
{
	u32 hwpt = iommufd_hwpt_alloc(self->f.iommufd, self->f.edu.id, self->f.ioas);

	coherency_vm_add(&self->f.c, self->f.iommufd);
	FOR_EACH_FAULT(__vfio_edu_attach(&self->f.edu, hwpt),
		       expect_nothing(_metadata, self),
		       detach(_metadata, self));
	coherency_vm_expect(&self->f.c, true, 1, "attached to an HWPT at last");
	EXPECT_TRUE(vfio_edu_reaches(&self->f.edu, self->f.mem, VFIO_EDU_IOVA));
	vfio_edu_detach(&self->f.edu);
	coherency_vm_expect(&self->f.c, false, 1, "detached from the HWPT");
	EXPECT_EQ(0, __iommufd_destroy(self->f.iommufd, hwpt));
}

/* What failed to be replaced is attached as before */
static void expect_attached(struct __test_metadata *_metadata, FIXTURE_DATA(fault) * self)
{
	u64 on = vfio_edu_is_noncoherent();

	EXPECT_EQ(on, coherency_device_status(self->f.c.device).edges);
	EXPECT_EQ(0, coherency_eventfd_read(self->f.c.eventfd));
	EXPECT_EQ(on, iommufd_fdinfo(self->f.iommufd, "noncoherent-attachments"));
	EXPECT_EQ(self->f.watches + 1, iommufd_watches(self->f.iommufd));
	EXPECT_EQ(on * (self->f.watches + 1), iommufd_watches_begun(self->f.iommufd));
}

TEST_F(fault, replace)
{
	u32 other = iommufd_ioas_alloc(self->f.iommufd);
	void *mem = iommufd_ioas_map(self->f.iommufd, other);

	coherency_vm_add(&self->f.c, self->f.iommufd);
	vfio_edu_attach(&self->f.edu, self->f.ioas);
	coherency_vm_expect(&self->f.c, true, 1, "attached, then to be replaced");
	FOR_EACH_FAULT(__vfio_edu_attach(&self->f.edu, other),
		       expect_attached(_metadata, self),
		       (expect_attached(_metadata, self),
			vfio_edu_attach(&self->f.edu, self->f.ioas)));
	coherency_vm_expect(&self->f.c, true, 0, "replaced at last");
	EXPECT_TRUE(vfio_edu_reaches(&self->f.edu, mem, VFIO_EDU_IOVA));
	vfio_edu_detach(&self->f.edu);
	coherency_vm_expect(&self->f.c, false, 1, "detached after the replacing");
}

/* The device is attached and KVM does not know */
static void expect_not_added(struct __test_metadata *_metadata, FIXTURE_DATA(fault) * self)
{
	EXPECT_EQ(0, coherency_device_status(self->f.c.device).flags);
	EXPECT_EQ(0, coherency_device_status(self->f.c.device).nr_iommufds);
	EXPECT_EQ(self->f.c.edges, coherency_device_status(self->f.c.device).edges);
	EXPECT_EQ(0, coherency_eventfd_read(self->f.c.eventfd));
	EXPECT_EQ(self->f.watches, iommufd_watches(self->f.iommufd));
}

static void delete(struct __test_metadata *_metadata, FIXTURE_DATA(fault) * self)
{
	coherency_vm_del(&self->f.c, self->f.iommufd);
	self->f.c.edges = coherency_device_status(self->f.c.device).edges;
	coherency_eventfd_read(self->f.c.eventfd);
	expect_not_added(_metadata, self);
}

TEST_F(fault, add_while_attached)
{
	vfio_edu_attach(&self->f.edu, self->f.ioas);
	FOR_EACH_FAULT(__coherency_vm_add(&self->f.c, self->f.iommufd),
		       expect_not_added(_metadata, self),
		       delete(_metadata, self));
	coherency_vm_expect(&self->f.c, true, 1, "added at last");
}

TEST_F(fault, create_device)
{
	struct kvm_create_device create = { .type = KVM_DEV_TYPE_IOMMUFD };

	coherency_device_close(&self->f.c);
	FOR_EACH_FAULT(ioctl(self->f.c.vm->fd, KVM_CREATE_DEVICE, &create),
		       (void)0, close(create.fd));
	/* Only one can be created, so none of those that failed is left */
	self->f.c.device = create.fd;
	EXPECT_EQ(0, __coherency_device_eventfd(create.fd, self->f.c.eventfd));
	coherency_vm_add(&self->f.c, self->f.iommufd);
	coherency_vm_expect(&self->f.c, false, 0, "created at last");
}

TEST_HARNESS_MAIN
