// SPDX-License-Identifier: GPL-2.0
/*
 * All or nothing: every call that a VMM makes on the way to non-coherent DMA and
 * back runs with each of its memory allocations failing in turn. A failed call must
 * have changed nothing. A call that does not allocate must not fail.
 *
 * Needs an edu device bound to vfio-pci, QEMU's pci-testdev without a driver,
 * failslab in debugfs, and snoop=off or snoop=on in the environment.
 */
#include <dirent.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/vfio.h>

#include "coherency_vm.h"
#include "kvm_util.h"
#include "patient_harness.h"
#include "test_util.h"
#include "vfio_edu.h"
#include "vfio_vm.h"

#define FAILSLAB	"/sys/kernel/debug/failslab/"
#define FAIL_IOMMUFD	"/sys/kernel/debug/fail_iommufd/"
#define KMEMLEAK	"/sys/kernel/debug/kmemleak"
#define MODULE		"kvm_iommufd"
#define PCI_TESTDEV	"0x0005"
#define MAX_FAULTS	1000

/* What a failed call must not change */
struct state {
	struct kvm_coherency_status status;
	long attachments;
	long watches;
	long begun;
	int module_users;	/* -1: built in, or not loaded */
	int fds;
	int vms;		/* of this process, in KVM's debugfs */
	u32 ranges;		/* IOVA ranges that the IOAS allows */
};

FIXTURE(fault)
{
	struct coherency_fixture f;
	struct vfio_vm v;	/* the same VM with KVM's VFIO device */
	unsigned int nth;
	int fail_nth;
	bool transient;		/* a failed call may cause an edge on and off */
	bool unload;		/* unload the module before each call */
	unsigned int stride;	/* 1: every allocation fails once */

	/* Arguments of the calls */
	u32 pt;
	u32 pt_before;
	int new_fd;
	int vcpu_id;
	struct vfio_edu plain;	/* another device, see plain_device() */
	const char *plain_name;
	int group;
	int container;
	u64 policy;
	u64 policy_before;
};

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	TEST_ASSERT(fd >= 0, "%s cannot be opened", path);
	TEST_ASSERT(write(fd, text, strlen(text)) == strlen(text), "%s cannot be written", path);
	close(fd);
}

static bool module_is_loaded(void)
{
	return !access("/sys/module/" MODULE "/refcnt", F_OK);
}

static int module_users(void)
{
	int users = -1;
	FILE *f = fopen("/sys/module/" MODULE "/refcnt", "r");

	if (!f)
		return -1;
	TEST_ASSERT(fscanf(f, "%d", &users) == 1, "The module's refcnt cannot be read");
	fclose(f);
	return users;
}

static void remove_module(void)
{
	TEST_ASSERT(!module_is_loaded() ||
		    !syscall(__NR_delete_module, MODULE, O_NONBLOCK),
		    "The module has %d users and cannot be removed", module_users());
}

static int count_entries(const char *path, const char *start)
{
	struct dirent *entry;
	DIR *dir = opendir(path);
	int nr = 0;

	TEST_ASSERT(dir, "%s cannot be opened", path);
	while ((entry = readdir(dir)))
		nr += !strncmp(entry->d_name, start, strlen(start));
	closedir(dir);
	return nr;
}

static int count_vms(void)
{
	char start[16];

	snprintf(start, sizeof(start), "%d-", getpid());
	return count_entries("/sys/kernel/debug/kvm", start);
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
	self->stride = 1;
	self->group = -1;
	self->container = -1;

	coherency_fixture_create(&self->f);
	self->v.vm = self->f.c.vm;
	self->v.vcpu = self->f.c.vcpu;
	self->v.kvm_vfio = kvm_create_device(self->v.vm, KVM_DEV_TYPE_VFIO);
}

FIXTURE_TEARDOWN(fault)
{
	if (self->v.kvm_vfio >= 0)
		close(self->v.kvm_vfio);
	if (self->group >= 0)
		close(self->group);
	if (self->container >= 0)
		close(self->container);
	coherency_fixture_destroy(&self->f);
	close(self->fail_nth);
}

static void fault_arm(FIXTURE_DATA(fault) * self, unsigned int nth)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", nth);

	TEST_ASSERT(pwrite(self->fail_nth, text, len, 0) == len, "fail-nth cannot be written");
}

/* Returns whether an allocation was made to fail */
static bool fault_disarm(FIXTURE_DATA(fault) * self)
{
	char text[16] = {};

	TEST_ASSERT(pread(self->fail_nth, text, sizeof(text) - 1, 0) > 0,
		    "fail-nth cannot be read");
	fault_arm(self, 0);
	return !atoi(text);
}

static struct state state_now(FIXTURE_DATA(fault) * self)
{
	struct state s = {
		.attachments = iommufd_fdinfo(self->f.iommufd, "noncoherent-attachments"),
		.watches = iommufd_watches(self->f.iommufd),
		.begun = iommufd_watches_begun(self->f.iommufd),
		.module_users = module_users(),
		.fds = count_entries("/proc/self/fd", ""),
		.vms = count_vms(),
		.ranges = iommufd_ioas_ranges(self->f.iommufd, self->f.ioas),
	};

	if (self->f.c.device >= 0)
		s.status = coherency_device_status(self->f.c.device);
	return s;
}

/* Takes the edges so far as the expected ones */
static void edges_are_known(FIXTURE_DATA(fault) * self)
{
	if (self->f.c.device < 0)
		return;
	self->f.c.edges = coherency_device_status(self->f.c.device).edges;
	coherency_eventfd_read(self->f.c.eventfd);
}

static void expect_state(struct __test_metadata *_metadata, FIXTURE_DATA(fault) * self,
			 const struct state *before)
{
	struct state now = state_now(self);
	u64 edges = now.status.edges - self->f.c.edges;

	EXPECT_EQ(before->status.flags, now.status.flags);
	EXPECT_EQ(before->status.policy, now.status.policy);
	EXPECT_EQ(before->status.nr_iommufds, now.status.nr_iommufds);
	EXPECT_EQ(before->attachments, now.attachments);
	EXPECT_EQ(before->watches, now.watches);
	EXPECT_EQ(before->begun, now.begun);
	if (!self->unload)
		EXPECT_EQ(before->module_users, now.module_users);
	EXPECT_EQ(before->fds, now.fds);
	EXPECT_EQ(before->vms, now.vms);
	EXPECT_EQ(before->ranges, now.ranges);
	if (self->f.c.device < 0)
		return;
	EXPECT_EQ(0, self->transient ? edges % 2 : edges);
	EXPECT_EQ(edges, coherency_eventfd_read(self->f.c.eventfd));
	self->f.c.edges = now.status.edges;
}

typedef int (*fault_call)(FIXTURE_DATA(fault) * self);
typedef void (*fault_undo)(FIXTURE_DATA(fault) * self);

/*
 * Repeats @call with its first, its second .. allocation failing, until it succeeds
 * without an injected failure. If it succeeds in spite of one, @undo undoes it. With
 * IOMMUFD_TEST not only allocations fail, so any errno is accepted. Returns how often
 * @call failed.
 */
static int fail_each(struct __test_metadata *_metadata, FIXTURE_DATA(fault) * self,
		     fault_call call, fault_undo undo)
{
	struct state before;
	int ret, nr_failed = 0;
	bool injected;

	edges_are_known(self);
	before = state_now(self);
	for (self->nth = 1;; self->nth += self->stride) {
		TEST_ASSERT(self->nth < MAX_FAULTS, "There is no end of allocations");
		if (self->unload)
			remove_module();
		fault_arm(self, self->nth);
		ret = call(self);
		injected = fault_disarm(self);
		if (ret >= 0 && !injected)
			break;
		if (ret < 0) {
			TEST_ASSERT(injected, "Failed without a failing allocation, errno %d",
				    errno);
			nr_failed++;
		} else {
			undo(self);
			edges_are_known(self);
		}
		expect_state(_metadata, self, &before);
		TEST_ASSERT(_metadata->exit_code != KSFT_FAIL,
			    "Not as before, allocation %u, the call returned %d",
			    self->nth, ret);
	}
	TH_LOG("less than %u allocations, %d failures", self->nth, nr_failed);
	return nr_failed;
}

/* @call makes allocations that it needs to succeed */
static void some_fail(struct __test_metadata *_metadata, FIXTURE_DATA(fault) * self,
		      fault_call call, fault_undo undo)
{
	EXPECT_LT(0, fail_each(_metadata, self, call, undo));
}

/* @call allocates nothing, but for the allocations of debug kernels themselves */
static void none_fails(struct __test_metadata *_metadata, FIXTURE_DATA(fault) * self,
		       fault_call call, fault_undo undo)
{
	EXPECT_EQ(0, fail_each(_metadata, self, call, undo));
	if (access(KMEMLEAK, F_OK))
		EXPECT_EQ(1, self->nth);
}

static int attach(FIXTURE_DATA(fault) * self)
{
	return __vfio_edu_attach(&self->f.edu, self->pt);
}

static int detach(FIXTURE_DATA(fault) * self)
{
	return __vfio_edu_detach(&self->f.edu);
}

static void undo_attach(FIXTURE_DATA(fault) * self)
{
	vfio_edu_detach(&self->f.edu);
}

static void undo_detach(FIXTURE_DATA(fault) * self)
{
	vfio_edu_attach(&self->f.edu, self->pt);
}

static void undo_replace(FIXTURE_DATA(fault) * self)
{
	vfio_edu_attach(&self->f.edu, self->pt_before);
}

static void attach_and_detach(struct __test_metadata *_metadata, FIXTURE_DATA(fault) * self,
			      const char *to)
{
	coherency_vm_add(&self->f.c, self->f.iommufd);
	some_fail(_metadata, self, attach, undo_attach);
	coherency_vm_expect(&self->f.c, true, 1, "attached to %s at last", to);
	EXPECT_TRUE(vfio_edu_reaches(&self->f.edu, self->f.mem, VFIO_EDU_IOVA));
	none_fails(_metadata, self, detach, undo_detach);
	coherency_vm_expect(&self->f.c, false, 1, "detached from %s", to);
	EXPECT_EQ(0, __iommufd_destroy(self->f.iommufd, self->pt));
}

/* Before the attach fails the hardware may have been attached: an edge on and off */
TEST_F(fault, attach_to_ioas)
{
	self->pt = self->f.ioas;
	self->transient = true;
	attach_and_detach(_metadata, self, "an IOAS");
}

TEST_F(fault, attach_to_hwpt)
{
	self->pt = iommufd_hwpt_alloc(self->f.iommufd, self->f.edu.id, self->f.ioas);
	self->transient = true;
	attach_and_detach(_metadata, self, "an HWPT");
}

/* After a failed replacement the old attachment works as before */
static void replace(struct __test_metadata *_metadata, FIXTURE_DATA(fault) * self,
		    void *mem, const char *by)
{
	self->pt_before = self->f.ioas;
	coherency_vm_add(&self->f.c, self->f.iommufd);
	vfio_edu_attach(&self->f.edu, self->pt_before);
	coherency_vm_expect(&self->f.c, true, 1, "attached, to be replaced by %s", by);
	some_fail(_metadata, self, attach, undo_replace);
	coherency_vm_expect(&self->f.c, true, 0, "replaced by %s at last", by);
	EXPECT_TRUE(vfio_edu_reaches(&self->f.edu, mem, VFIO_EDU_IOVA));
	vfio_edu_detach(&self->f.edu);
	coherency_vm_expect(&self->f.c, false, 1, "detached after a replacement by %s", by);
	EXPECT_EQ(0, __iommufd_destroy(self->f.iommufd, self->pt));
}

TEST_F(fault, replace_by_ioas)
{
	self->pt = iommufd_ioas_alloc(self->f.iommufd);
	replace(_metadata, self, iommufd_ioas_map(self->f.iommufd, self->pt), "an IOAS");
}

TEST_F(fault, replace_by_hwpt)
{
	u32 ioas = iommufd_ioas_alloc(self->f.iommufd);
	void *mem = iommufd_ioas_map(self->f.iommufd, ioas);

	self->pt = iommufd_hwpt_alloc(self->f.iommufd, self->f.edu.id, ioas);
	replace(_metadata, self, mem, "an HWPT");
}

/* The device stays attached to the IOAS, which has to keep its MSI window reserved */
TEST_F(fault, replace_within_ioas)
{
	u32 ranges = iommufd_ioas_ranges(self->f.iommufd, self->f.ioas);

	vfio_edu_attach(&self->f.edu, self->f.ioas);
	EXPECT_LT(ranges, iommufd_ioas_ranges(self->f.iommufd, self->f.ioas));
	vfio_edu_detach(&self->f.edu);

	self->pt = iommufd_hwpt_alloc(self->f.iommufd, self->f.edu.id, self->f.ioas);
	replace(_metadata, self, self->f.mem, "an HWPT of its IOAS");
}

/*
 * Returns the directory of a PCI device without interrupts, bound to vfio-pci. Opening a
 * device with INTx calls ACPICA, and one with MSI fills in VFIO's permission tables: both
 * go on to use what they freed when an allocation fails.
 */
static const char *plain_device(void)
{
	static char path[300];
	char ids[16], file[320];
	struct dirent *entry;
	DIR *dir = opendir("/sys/bus/pci/devices");
	FILE *f;

	TEST_ASSERT(dir, "There is no PCI");
	do {
		entry = readdir(dir);
		TEST_ASSERT(entry, "There is no pci-testdev");
		snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s", entry->d_name);
		snprintf(file, sizeof(file), "%s/device", path);
		f = entry->d_name[0] == '.' ? NULL : fopen(file, "r");
		if (!f)
			continue;
		TEST_ASSERT(fscanf(f, "%15s", ids) == 1, "%s cannot be read", file);
		fclose(f);
	} while (!f || strcmp(ids, PCI_TESTDEV));

	snprintf(file, sizeof(file), "%s/driver", path);
	if (access(file, F_OK)) {
		snprintf(file, sizeof(file), "%s/driver_override", path);
		write_file(file, "vfio-pci");
		write_file("/sys/bus/pci/drivers_probe", entry->d_name);
	}
	closedir(dir);
	return path;
}

static void open_group(FIXTURE_DATA(fault) * self)
{
	const char *device = plain_device();
	char path[320], target[256];
	ssize_t len;

	self->plain_name = strrchr(device, '/') + 1;
	snprintf(path, sizeof(path), "%s/iommu_group", device);
	len = readlink(path, target, sizeof(target) - 1);
	TEST_ASSERT(len > 0, "%s is no link", path);
	target[len] = 0;
	snprintf(path, sizeof(path), "/dev/vfio%s", strrchr(target, '/'));
	self->group = open(path, O_RDWR | O_CLOEXEC);
	TEST_ASSERT(self->group >= 0, "%s cannot be opened", path);
}

static int bind_iommufd(FIXTURE_DATA(fault) * self)
{
	struct vfio_device_bind_iommufd bind = {
		.argsz = sizeof(bind),
		.iommufd = self->f.iommufd,
	};

	return ioctl(self->plain.fd, VFIO_DEVICE_BIND_IOMMUFD, &bind) ?: (int)bind.out_devid;
}

/* A file can be bound again after a failed bind, but not after a successful one */
static void undo_bind(FIXTURE_DATA(fault) * self)
{
	vfio_vm_del(&self->v, self->plain.fd);
	vfio_edu_close(&self->plain);
	self->plain.fd = vfio_device_open(plain_device());
	vfio_vm_add(&self->v, self->plain.fd);
}

TEST_F(fault, bind)
{
	self->plain.fd = vfio_device_open(plain_device());
	coherency_vm_add(&self->f.c, self->f.iommufd);
	vfio_vm_add(&self->v, self->plain.fd);
	some_fail(_metadata, self, bind_iommufd, undo_bind);
	coherency_vm_expect(&self->f.c, false, 0, "bound at last");
	vfio_edu_attach(&self->plain, self->f.ioas);
	coherency_vm_expect(&self->f.c, true, 1, "attached what failed to be bound");
	vfio_vm_del(&self->v, self->plain.fd);
	vfio_edu_close(&self->plain);
	coherency_vm_expect(&self->f.c, false, 1, "closed what failed to be bound");
}

static int fd_add(FIXTURE_DATA(fault) * self)
{
	return __coherency_vm_add(&self->f.c, self->f.iommufd);
}

static int fd_del(FIXTURE_DATA(fault) * self)
{
	return __coherency_vm_del(&self->f.c, self->f.iommufd);
}

static void undo_add(FIXTURE_DATA(fault) * self)
{
	coherency_vm_del(&self->f.c, self->f.iommufd);
}

static void undo_del(FIXTURE_DATA(fault) * self)
{
	coherency_vm_add(&self->f.c, self->f.iommufd);
}

TEST_F(fault, add_and_delete)
{
	some_fail(_metadata, self, fd_add, undo_add);
	coherency_vm_expect(&self->f.c, false, 0, "added at last");
	none_fails(_metadata, self, fd_del, undo_del);
	coherency_vm_expect(&self->f.c, false, 0, "deleted");
}

TEST_F(fault, add_and_delete_while_attached)
{
	vfio_edu_attach(&self->f.edu, self->f.ioas);
	some_fail(_metadata, self, fd_add, undo_add);
	coherency_vm_expect(&self->f.c, true, 1, "added at last what is attached");
	none_fails(_metadata, self, fd_del, undo_del);
	coherency_vm_expect(&self->f.c, false, 1, "deleted what is attached");
}

static int set_eventfd(FIXTURE_DATA(fault) * self)
{
	return __coherency_device_eventfd(self->f.c.device, self->new_fd);
}

static void undo_set_eventfd(FIXTURE_DATA(fault) * self)
{
	TEST_ASSERT(!__coherency_device_eventfd(self->f.c.device, self->f.c.eventfd),
		    "KVM_DEV_IOMMUFD_COHERENCY_EVENTFD failed");
}

TEST_F(fault, eventfd)
{
	self->new_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	ASSERT_LE(0, self->new_fd);
	none_fails(_metadata, self, set_eventfd, undo_set_eventfd);
	close(self->f.c.eventfd);
	self->f.c.eventfd = self->new_fd;
	coherency_vm_add(&self->f.c, self->f.iommufd);
	vfio_edu_attach(&self->f.edu, self->f.ioas);
	coherency_vm_expect(&self->f.c, true, 1, "another eventfd");
}

static int set_policy(FIXTURE_DATA(fault) * self)
{
	return __coherency_vm_policy(&self->f.c, self->policy);
}

static void undo_set_policy(FIXTURE_DATA(fault) * self)
{
	coherency_vm_policy(&self->f.c, self->policy_before);
}

TEST_F(fault, policy)
{
	self->policy_before = KVM_NONCOHERENT_DMA_FOLLOW;
	self->policy = KVM_NONCOHERENT_DMA_FORBID;
	none_fails(_metadata, self, set_policy, undo_set_policy);
	undo_set_policy(self);

	coherency_vm_add(&self->f.c, self->f.iommufd);
	vfio_edu_attach(&self->f.edu, self->f.ioas);
	self->policy = KVM_NONCOHERENT_DMA_NO_WBINVD;
	none_fails(_metadata, self, set_policy, undo_set_policy);
	coherency_vm_expect(&self->f.c, true, 0, "NO_WBINVD");
	self->policy_before = self->policy;
	self->policy = KVM_NONCOHERENT_DMA_FOLLOW;
	none_fails(_metadata, self, set_policy, undo_set_policy);
	coherency_vm_expect(&self->f.c, true, 0, "FOLLOW again");
}

static int create_device(FIXTURE_DATA(fault) * self)
{
	self->new_fd = __kvm_create_device(self->f.c.vm, KVM_DEV_TYPE_IOMMUFD);
	return self->new_fd;
}

static void close_new(FIXTURE_DATA(fault) * self)
{
	close(self->new_fd);
}

/* A VM can have one such device: creating it shows that no failed one is left */
static void use_created(struct __test_metadata *_metadata, FIXTURE_DATA(fault) * self)
{
	self->f.c.device = self->new_fd;
	EXPECT_EQ(0, __coherency_device_eventfd(self->new_fd, self->f.c.eventfd));
	edges_are_known(self);
	coherency_vm_add(&self->f.c, self->f.iommufd);
	coherency_vm_expect(&self->f.c, false, 0, "created at last");
}

TEST_F(fault, create_device)
{
	coherency_device_close(&self->f.c);
	some_fail(_metadata, self, create_device, close_new);
	use_created(_metadata, self);
}

TEST_F(fault, create_device_and_load_module)
{
	if (!module_is_loaded())
		SKIP(return, "KVM's iommufd device is built in");
	coherency_device_close(&self->f.c);
	self->unload = true;
	some_fail(_metadata, self, create_device, close_new);
	use_created(_metadata, self);
	EXPECT_EQ(1, module_users());
}

static int create_kvm_vfio(FIXTURE_DATA(fault) * self)
{
	self->new_fd = __kvm_create_device(self->f.c.vm, KVM_DEV_TYPE_VFIO);
	return self->new_fd;
}

TEST_F(fault, create_kvm_vfio)
{
	close(self->v.kvm_vfio);
	some_fail(_metadata, self, create_kvm_vfio, close_new);
	self->v.kvm_vfio = self->new_fd;
	vfio_vm_add(&self->v, self->f.edu.fd);
	vfio_edu_attach(&self->f.edu, self->f.ioas);
	coherency_vm_expect(&self->f.c, true, 1, "kvm-vfio created at last");
}

static int create_vcpu(FIXTURE_DATA(fault) * self)
{
	self->new_fd = ioctl(self->f.c.vm->fd, KVM_CREATE_VCPU, self->vcpu_id);
	return self->new_fd;
}

/* vCPUs cannot be removed, so the next one needs another number */
static void undo_create_vcpu(FIXTURE_DATA(fault) * self)
{
	close(self->new_fd);
	self->vcpu_id++;
}

TEST_F(fault, create_vcpu)
{
	coherency_vm_add(&self->f.c, self->f.iommufd);
	vfio_edu_attach(&self->f.edu, self->f.ioas);
	self->vcpu_id = 1;
	some_fail(_metadata, self, create_vcpu, undo_create_vcpu);
	EXPECT_EQ(0, coherency_stat(self->new_fd, "wbinvd_ignored"));
	close(self->new_fd);
	coherency_vm_expect(&self->f.c, true, 0, "beside a vCPU created at last");
}

static int create_vm(FIXTURE_DATA(fault) * self)
{
	self->new_fd = ioctl(self->f.c.vm->kvm_fd, KVM_CREATE_VM, 0);
	return self->new_fd;
}

TEST_F(fault, create_vm)
{
	struct kvm_create_device create = { .type = KVM_DEV_TYPE_IOMMUFD };
	struct kvm_coherency_status status;

	/* Hundreds of allocations, most for debugfs: all take minutes on a debug kernel */
	if (!access(KMEMLEAK, F_OK))
		self->stride = 9;
	some_fail(_metadata, self, create_vm, close_new);
	ASSERT_EQ(0, ioctl(self->new_fd, KVM_CREATE_DEVICE, &create));
	status = coherency_device_status(create.fd);
	EXPECT_EQ(0, status.flags);
	EXPECT_EQ(0, status.edges);
	EXPECT_EQ(KVM_NONCOHERENT_DMA_FOLLOW, status.policy);
	close(create.fd);
	close(self->new_fd);
}

static int file_add(FIXTURE_DATA(fault) * self)
{
	return __vfio_vm_add(&self->v, self->new_fd);
}

static int file_del(FIXTURE_DATA(fault) * self)
{
	return __vfio_vm_del(&self->v, self->new_fd);
}

static void undo_file_add(FIXTURE_DATA(fault) * self)
{
	vfio_vm_del(&self->v, self->new_fd);
}

static void undo_file_del(FIXTURE_DATA(fault) * self)
{
	vfio_vm_add(&self->v, self->new_fd);
}

TEST_F(fault, file_add_and_delete)
{
	self->new_fd = self->f.edu.fd;
	some_fail(_metadata, self, file_add, undo_file_add);
	vfio_edu_attach(&self->f.edu, self->f.ioas);
	coherency_vm_expect(&self->f.c, true, 1, "attached the device of a file added at last");
	none_fails(_metadata, self, file_del, undo_file_del);
	coherency_vm_expect(&self->f.c, false, 1, "the device's file deleted");
	some_fail(_metadata, self, file_add, undo_file_add);
	coherency_vm_expect(&self->f.c, true, 1, "added at last the file of what is attached");
}

static int set_container(FIXTURE_DATA(fault) * self)
{
	return ioctl(self->group, VFIO_GROUP_SET_CONTAINER, &self->container);
}

static void undo_set_container(FIXTURE_DATA(fault) * self)
{
	TEST_ASSERT(!ioctl(self->group, VFIO_GROUP_UNSET_CONTAINER),
		    "VFIO_GROUP_UNSET_CONTAINER failed");
}

static int set_iommu(FIXTURE_DATA(fault) * self)
{
	return ioctl(self->container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU);
}

/* A container loses its IOMMU only with its last group */
static void undo_set_iommu(FIXTURE_DATA(fault) * self)
{
	undo_set_container(self);
	vfio_group_set_container(self->group, self->container);
}

static int group_device(FIXTURE_DATA(fault) * self)
{
	self->new_fd = ioctl(self->group, VFIO_GROUP_GET_DEVICE_FD, self->plain_name);
	return self->new_fd;
}

/* In a type1 container a group is judged by what its IOMMU can enforce */
TEST_F(fault, type1)
{
	open_group(self);
	self->new_fd = self->group;
	some_fail(_metadata, self, file_add, undo_file_add);
	coherency_vm_expect(&self->f.c, false, 0, "the file of a group added at last");

	self->container = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->container);
	none_fails(_metadata, self, set_container, undo_set_container);
	coherency_vm_expect(&self->f.c, true, 1, "the group in a container");
	none_fails(_metadata, self, file_del, undo_file_del);
	coherency_vm_expect(&self->f.c, false, 1, "the file of a group deleted");
	some_fail(_metadata, self, file_add, undo_file_add);
	coherency_vm_expect(&self->f.c, true, 1, "its file added at last, in a container");
	some_fail(_metadata, self, set_iommu, undo_set_iommu);
	some_fail(_metadata, self, group_device, close_new);
	coherency_vm_expect(&self->f.c, true, 0, "type1 has it at last");
	close(self->new_fd);
	undo_set_container(self);
	coherency_vm_expect(&self->f.c, false, 1, "given back by type1");
}

TEST_F(fault, compat)
{
	open_group(self);
	vfio_vm_add(&self->v, self->group);
	self->container = dup(self->f.iommufd);
	ASSERT_LE(0, self->container);
	self->transient = true;
	some_fail(_metadata, self, set_container, undo_set_container);
	edges_are_known(self);
	coherency_vm_expect(&self->f.c, false, 0, "the container is an iommufd at last");
	some_fail(_metadata, self, group_device, close_new);
	coherency_vm_expect(&self->f.c, true, 1, "an iommufd has it at last");
	close(self->new_fd);
	coherency_vm_expect(&self->f.c, false, 1, "given back by an iommufd");
}

TEST_HARNESS_MAIN
