// SPDX-License-Identifier: GPL-2.0
/*
 * Executes the calls of a program. Several threads may use a slot concurrently: a
 * thread that takes an fd out of its slot closes it, and one that finds the slot
 * filled when it installs a new fd closes the new one. A call that fails because
 * another thread was faster is a valid call.
 *
 * The guest is a few bytes of real-mode code, so that a VM is created quickly. A
 * vCPU runs on the CPU of the calling thread, which is never the first one:
 * wbinvd_guest.h says why.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/iommufd.h>
#include <linux/vfio.h>

#include "fuzz.h"
#include "kvm_util.h"
#include "mock_device.h"
#include "vfio_edu.h"

#define FAILSLAB	"/sys/kernel/debug/failslab/"
#define FAIL_IOMMUFD	"/sys/kernel/debug/fail_iommufd/"
#define MAX_KEPT	1024

struct vm {
	int fd;
	int vcpu;
	int dev;
	int kvm_vfio;
	int eventfd;		/* stays open while the program runs */
};

struct iommu {
	int fd;
	int alias;
	int access;
	u32 serial;		/* counts the iommufds that were opened in this slot */
	u32 ioas[FUZZ_PTS];
	u32 hwpt[FUZZ_PTS];
	u32 mock[FUZZ_MOCKS];
	u32 mock_device[FUZZ_MOCKS];
};

struct vfio_file {
	int fd;
	u32 device;
	unsigned int iommu;	/* slot of the iommufd it is bound to, ... */
	u32 serial;		/* ... and its serial at that time */
};

static struct vm vms[FUZZ_VMS];
static struct iommu iommus[FUZZ_IOMMUS];
static struct vfio_file files[FUZZ_FILES];
static int groups[FUZZ_GROUPS];

static int null_fd, kvm_fd;
static void *code;		/* a page of the guest */
static u8 *edge_of_page;	/* nothing is mapped from here on */
static void *unmapped;
static __thread int fail_nth;
static bool keeping;
static int kept[MAX_KEPT];
static unsigned int nr_kept;

static int get(const int *slot)
{
	return __atomic_load_n(slot, __ATOMIC_RELAXED);
}

static int take(int *slot)
{
	return __atomic_exchange_n(slot, -1, __ATOMIC_RELAXED);
}

static u32 get_id(const u32 *slot)
{
	return __atomic_load_n(slot, __ATOMIC_RELAXED);
}

static void set_id(u32 *slot, u32 id)
{
	__atomic_store_n(slot, id, __ATOMIC_RELAXED);
}

static long answer(long ret)
{
	return ret < 0 ? -errno : ret;
}

static long install(int *slot, int fd)
{
	int none = -1;

	if (fd < 0)
		return -errno;
	if (!__atomic_compare_exchange_n(slot, &none, fd, false, __ATOMIC_RELAXED,
					 __ATOMIC_RELAXED))
		close(fd);
	return 0;
}

static long close_slot(int *slot)
{
	int fd = take(slot);

	return fd < 0 ? FUZZ_SKIPPED : answer(close(fd));
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	TEST_ASSERT(fd >= 0, "%s cannot be opened", path);
	TEST_ASSERT(write(fd, text, strlen(text)) == (ssize_t)strlen(text),
		    "%s cannot be written", path);
	close(fd);
}

static void guest_init(void)
{
	/* again: wbinvd; dec %cx; jg again; hlt; jmp again */
	static const u8 insns[] = { 0x0f, 0x09, 0x49, 0x7f, 0xfb, 0xf4, 0xeb, 0xf8 };

	code = mmap(NULL, getpagesize(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		    -1, 0);
	TEST_ASSERT(code != MAP_FAILED, "mmap failed");
	memcpy(code, insns, sizeof(insns));
}

void fuzz_exec_init(void)
{
	size_t page = getpagesize();
	unsigned int i;

	null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	kvm_fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	TEST_ASSERT(null_fd >= 0 && kvm_fd >= 0, "/dev/kvm cannot be opened");
	write_file(FAILSLAB "ignore-gfp-wait", "N");
	write_file(FAILSLAB "verbose", "0");
	write_file(FAIL_IOMMUFD "verbose", "0");
	guest_init();

	edge_of_page = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			    -1, 0);
	TEST_ASSERT(edge_of_page != MAP_FAILED, "mmap failed");
	edge_of_page += page;
	unmapped = edge_of_page;
	TEST_ASSERT(!munmap(unmapped, page), "munmap failed");

	for (i = 0; i < FUZZ_VMS; i++)
		vms[i] = (struct vm){ -1, -1, -1, -1, eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC) };
	for (i = 0; i < FUZZ_IOMMUS; i++)
		iommus[i] = (struct iommu){ -1, -1, -1 };
	for (i = 0; i < FUZZ_FILES; i++)
		files[i].fd = -1;
	for (i = 0; i < FUZZ_GROUPS; i++)
		groups[i] = -1;
	fuzz_exec_thread();
}

void fuzz_exec_thread(void)
{
	fail_nth = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	TEST_ASSERT(fail_nth >= 0, "/proc/thread-self/fail-nth cannot be opened");
}

/* VMs */

static int vcpu_create(int vm)
{
	struct kvm_userspace_memory_region region = {
		.memory_size = getpagesize(),
		.userspace_addr = (uintptr_t)code,
	};
	struct kvm_sregs sregs;
	int vcpu;

	TEST_ASSERT(!ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region), "no memory for a guest");
	vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	TEST_ASSERT(vcpu >= 0 && !ioctl(vcpu, KVM_GET_SREGS, &sregs), "no vCPU");
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	TEST_ASSERT(!ioctl(vcpu, KVM_SET_SREGS, &sregs), "KVM_SET_SREGS failed");
	return vcpu;
}

static long exec_vm_open(const u8 *arg)
{
	struct vm *vm = &vms[arg[0]];
	int fd, vcpu;

	/* The slot may still hold devices of an older VM */
	if (get(&vm->fd) >= 0 || get(&vm->dev) >= 0 || get(&vm->kvm_vfio) >= 0)
		return FUZZ_SKIPPED;
	fd = ioctl(kvm_fd, KVM_CREATE_VM, 0);
	if (fd < 0)
		return -errno;
	vcpu = vcpu_create(fd);
	install(&vm->vcpu, vcpu);
	return install(&vm->fd, fd);
}

static long exec_vm_close(const u8 *arg)
{
	struct vm *vm = &vms[arg[0]];

	if (get(&vm->fd) < 0)
		return FUZZ_SKIPPED;
	close_slot(&vm->vcpu);
	return close_slot(&vm->fd);
}

static long exec_run(const u8 *arg)
{
	struct kvm_regs regs = { .rflags = 2, .rcx = arg[1] + 1 };
	int vcpu = get(&vms[arg[0]].vcpu);

	if (vcpu < 0)
		return FUZZ_SKIPPED;
	if (ioctl(vcpu, KVM_SET_REGS, &regs))
		return -errno;
	return answer(ioctl(vcpu, KVM_RUN, NULL));
}

static long exec_policy(const u8 *arg)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_NONCOHERENT_DMA, .args[0] = arg[1] };
	int vm = get(&vms[arg[0]].fd);

	if (vm < 0)
		return FUZZ_SKIPPED;
	switch (arg[1]) {
	case FUZZ_POLICY_CHECK:
		return answer(ioctl(vm, KVM_CHECK_EXTENSION, KVM_CAP_NONCOHERENT_DMA));
	case FUZZ_POLICY_FLAGS:
		cap.flags = 1;
		cap.args[0] = 0;
		break;
	case FUZZ_POLICY_ARGS:
		cap.args[0] = 0;
		cap.args[3] = 1;
		break;
	}
	return answer(ioctl(vm, KVM_ENABLE_CAP, &cap));
}

/* KVM's devices */

static long device_open(int vm, int *slot, u32 type)
{
	struct kvm_create_device create = { .type = type };

	if (vm < 0)
		return FUZZ_SKIPPED;
	if (ioctl(vm, KVM_CREATE_DEVICE, &create))
		return -errno;
	return install(slot, create.fd);
}

static long device_attr(int dev, unsigned long cmd, u32 group, u64 attr, void *addr)
{
	struct kvm_device_attr a = { .group = group, .attr = attr, .addr = (uintptr_t)addr };

	return dev < 0 ? FUZZ_SKIPPED : answer(ioctl(dev, cmd, &a));
}

static long exec_dev_open(const u8 *arg)
{
	return device_open(get(&vms[arg[0]].fd), &vms[arg[0]].dev, KVM_DEV_TYPE_IOMMUFD);
}

static long exec_dev_close(const u8 *arg)
{
	return close_slot(&vms[arg[0]].dev);
}

static int iommufd_of(u8 which)
{
	switch (which) {
	case FUZZ_FD_NULL:
		return null_fd;
	case FUZZ_FD_EVENTFD:
		return vms[0].eventfd;
	case FUZZ_FD_CLOSED:
		return -1;
	}
	if (which >= FUZZ_FD_ALIAS)
		return get(&iommus[which - FUZZ_FD_ALIAS].alias);
	return get(&iommus[which].fd);
}

static long add_del(const u8 *arg, u64 attr)
{
	int dev = get(&vms[arg[0]].dev);
	int fd;

	if (arg[1] == FUZZ_FD_FAULT)
		return device_attr(dev, KVM_SET_DEVICE_ATTR, KVM_DEV_IOMMUFD_FD, attr, unmapped);
	fd = iommufd_of(arg[1]);
	return device_attr(dev, KVM_SET_DEVICE_ATTR, KVM_DEV_IOMMUFD_FD, attr, &fd);
}

static long exec_add(const u8 *arg)
{
	return add_del(arg, KVM_DEV_IOMMUFD_FD_ADD);
}

static long exec_del(const u8 *arg)
{
	return add_del(arg, KVM_DEV_IOMMUFD_FD_DEL);
}

static long exec_status(const u8 *arg)
{
	struct kvm_coherency_status *status;
	u8 page[4096] = {};
	void *addr = page;
	long ret;

	status = (struct kvm_coherency_status *)page;
	status->size = sizeof(*status);
	switch (arg[1]) {
	case FUZZ_STATUS_LARGE:
		status->size = sizeof(page);
		break;
	case FUZZ_STATUS_SMALL:
		status->size = sizeof(*status) - 1;
		break;
	case FUZZ_STATUS_FAULT:
		addr = unmapped;
		break;
	case FUZZ_STATUS_HALF:
		addr = edge_of_page - 8;
		memcpy(addr, &status->size, sizeof(status->size));
		break;
	}
	ret = device_attr(get(&vms[arg[0]].dev), KVM_GET_DEVICE_ATTR, KVM_DEV_IOMMUFD_COHERENCY,
			  KVM_DEV_IOMMUFD_COHERENCY_STATUS, addr);
	/* The kernel has to report the size that it wrote */
	return ret || status->size == sizeof(*status) ? ret : -EMSGSIZE;
}

static long exec_eventfd(const u8 *arg)
{
	int fds[] = {
		[FUZZ_EVENTFD_SET] = vms[arg[0]].eventfd,
		[FUZZ_EVENTFD_REMOVE] = -1,
		[FUZZ_EVENTFD_CLOSED] = -2,
		[FUZZ_EVENTFD_NULL] = null_fd,
	};

	return device_attr(get(&vms[arg[0]].dev), KVM_SET_DEVICE_ATTR, KVM_DEV_IOMMUFD_COHERENCY,
			   KVM_DEV_IOMMUFD_COHERENCY_EVENTFD,
			   arg[1] == FUZZ_EVENTFD_FAULT ? unmapped : &fds[arg[1]]);
}

static long any_attr(int dev, const struct fuzz_attr *attr)
{
	u8 page[4096] = {};
	struct kvm_device_attr a = {
		.flags = attr->flags,
		.group = attr->group,
		.attr = attr->attr,
		.addr = (uintptr_t)page,
	};

	return dev < 0 ? FUZZ_SKIPPED : answer(ioctl(dev, attr->ioctl, &a));
}

static long exec_attr(const u8 *arg)
{
	return any_attr(get(&vms[arg[0]].dev), &fuzz_attrs[arg[1]]);
}

static long exec_vfio_open(const u8 *arg)
{
	return device_open(get(&vms[arg[0]].fd), &vms[arg[0]].kvm_vfio, KVM_DEV_TYPE_VFIO);
}

static long exec_vfio_close(const u8 *arg)
{
	return close_slot(&vms[arg[0]].kvm_vfio);
}

static long exec_vfio_attr(const u8 *arg)
{
	return any_attr(get(&vms[arg[0]].kvm_vfio), &fuzz_vfio_attrs[arg[1]]);
}

static long file_add_del(const u8 *arg, u64 attr)
{
	int dev = get(&vms[arg[0]].kvm_vfio);
	int fd = -1;

	if (arg[1] == FUZZ_FILE_FAULT)
		return device_attr(dev, KVM_SET_DEVICE_ATTR, KVM_DEV_VFIO_FILE, attr, unmapped);
	if (arg[1] == FUZZ_FILE_NULL)
		fd = null_fd;
	else if (arg[1] < FUZZ_FILES)
		fd = get(&files[arg[1]].fd);
	else if (arg[1] < FUZZ_FILE_NULL)
		fd = get(&groups[arg[1] - FUZZ_FILE_GROUP]);
	return device_attr(dev, KVM_SET_DEVICE_ATTR, KVM_DEV_VFIO_FILE, attr, &fd);
}

static long exec_file_add(const u8 *arg)
{
	return file_add_del(arg, KVM_DEV_VFIO_FILE_ADD);
}

static long exec_file_del(const u8 *arg)
{
	return file_add_del(arg, KVM_DEV_VFIO_FILE_DEL);
}

/* iommufds */

static void keep(int fd)
{
	unsigned int n;

	if (!keeping || fd < 0)
		return;
	n = __atomic_fetch_add(&nr_kept, 1, __ATOMIC_RELAXED);
	TEST_ASSERT(n < MAX_KEPT, "too many iommufds in one program");
	kept[n] = fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

void fuzz_exec_keep(bool do_keep)
{
	keeping = do_keep;
}

/* Destroys all objects by id, since those that lost their slot are still in the iommufd */
void fuzz_exec_let_go(void)
{
	struct iommu_destroy cmd = { .size = sizeof(cmd) };
	unsigned int pass;

	while (nr_kept) {
		nr_kept--;
		/* Several passes: an object cannot be destroyed before its users */
		for (pass = 0; pass < 3; pass++)
			for (cmd.id = 1; cmd.id < 2 * FUZZ_MAX_CALLS; cmd.id++)
				ioctl(kept[nr_kept], IOMMU_DESTROY, &cmd);
		close(kept[nr_kept]);
	}
}

static long exec_iommu_open(const u8 *arg)
{
	struct iommu *iommu = &iommus[arg[0]];
	int fd;

	if (get(&iommu->fd) >= 0)
		return FUZZ_SKIPPED;
	fd = open("/dev/iommu", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	keep(fd);
	__atomic_fetch_add(&iommu->serial, 1, __ATOMIC_RELAXED);
	memset(iommu->ioas, 0, sizeof(*iommu) - offsetof(struct iommu, ioas));
	return install(&iommu->fd, fd);
}

static long exec_iommu_close(const u8 *arg)
{
	return close_slot(&iommus[arg[0]].fd);
}

static long exec_alias_open(const u8 *arg)
{
	int fd = get(&iommus[arg[0]].fd);

	if (fd < 0 || get(&iommus[arg[0]].alias) >= 0)
		return FUZZ_SKIPPED;
	return install(&iommus[arg[0]].alias, fcntl(fd, F_DUPFD_CLOEXEC, 0));
}

static long exec_alias_close(const u8 *arg)
{
	return close_slot(&iommus[arg[0]].alias);
}

/* Returns the three numbers of the fdinfo in one */
static long exec_fdinfo(const u8 *arg)
{
	int fd = get(&iommus[arg[0]].fd);
	unsigned int n, attachments = 0, watches = 0, begun = 0;
	char path[64], line[128];
	FILE *file;

	if (fd < 0)
		return FUZZ_SKIPPED;
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	file = fopen(path, "r");
	if (!file)
		return -errno;
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "noncoherent-attachments: %u", &n) == 1)
			attachments = n;
		else if (sscanf(line, "coherency-watches: %u", &n) == 1)
			watches = n;
		else if (sscanf(line, "coherency-watches-begun: %u", &n) == 1)
			begun = n;
	}
	fclose(file);
	return begun << 16 | watches << 8 | attachments;
}

static u32 pt_of(struct iommu *iommu, u8 pt)
{
	if (pt == FUZZ_PT_BOGUS)
		return 0xdead;
	return get_id(pt < FUZZ_PT_HWPT ? &iommu->ioas[pt] : &iommu->hwpt[pt - FUZZ_PT_HWPT]);
}

static long exec_ioas_alloc(const u8 *arg)
{
	struct iommu *iommu = &iommus[arg[0]];
	struct iommu_ioas_alloc cmd = { .size = sizeof(cmd) };
	int fd = get(&iommu->fd);

	if (fd < 0 || get_id(&iommu->ioas[arg[1]]))
		return FUZZ_SKIPPED;
	if (ioctl(fd, IOMMU_IOAS_ALLOC, &cmd))
		return -errno;
	set_id(&iommu->ioas[arg[1]], cmd.out_ioas_id);
	return 0;
}

static long exec_hwpt_alloc(const u8 *arg)
{
	struct iommu *iommu = &iommus[arg[0]];
	struct iommu_hwpt_selftest data = { .iotlb = IOMMU_TEST_IOTLB_DEFAULT };
	struct iommu_hwpt_alloc cmd = { .size = sizeof(cmd), .pt_id = pt_of(iommu, arg[2]) };
	int fd = get(&iommu->fd);

	if (fuzz.machine == FUZZ_MOCK)
		cmd.dev_id = get_id(&iommu->mock_device[arg[3] % FUZZ_MOCKS]);
	else if (files[arg[3]].iommu == arg[0] && files[arg[3]].serial == iommu->serial)
		cmd.dev_id = get_id(&files[arg[3]].device);
	if (fd < 0 || get_id(&iommu->hwpt[arg[1]]) || !cmd.dev_id || !cmd.pt_id)
		return FUZZ_SKIPPED;
	if (arg[4] == FUZZ_HWPT_PARENT) {
		cmd.flags = IOMMU_HWPT_ALLOC_NEST_PARENT;
	} else if (arg[4] == FUZZ_HWPT_NESTED) {
		cmd.data_type = IOMMU_HWPT_DATA_SELFTEST;
		cmd.data_len = sizeof(data);
		cmd.data_uptr = (uintptr_t)&data;
	}
	if (ioctl(fd, IOMMU_HWPT_ALLOC, &cmd))
		return -errno;
	set_id(&iommu->hwpt[arg[1]], cmd.out_hwpt_id);
	return 0;
}

static long exec_destroy(const u8 *arg)
{
	struct iommu *iommu = &iommus[arg[0]];
	struct iommu_destroy cmd = { .size = sizeof(cmd), .id = pt_of(iommu, arg[1]) };
	int fd = get(&iommu->fd);

	if (fd < 0 || !cmd.id)
		return FUZZ_SKIPPED;
	if (ioctl(fd, IOMMU_DESTROY, &cmd))
		return -errno;
	if (arg[1] < FUZZ_PT_HWPT)
		set_id(&iommu->ioas[arg[1]], 0);
	else
		set_id(&iommu->hwpt[arg[1] - FUZZ_PT_HWPT], 0);
	return 0;
}

/* Mock devices and accesses of iommufd */

static long test_cmd(int fd, struct iommu_test_cmd *cmd)
{
	cmd->size = sizeof(*cmd);
	return answer(ioctl(fd, IOMMU_TEST_CMD, cmd));
}

static long exec_mock_attach(const u8 *arg)
{
	struct iommu *iommu = &iommus[arg[0]];
	struct iommu_test_cmd cmd = {
		.op = IOMMU_TEST_OP_MOCK_DOMAIN_FLAGS,
		.id = pt_of(iommu, arg[2]),
		.mock_domain_flags.dev_flags = arg[3],
	};
	int fd = get(&iommu->fd);
	long ret;

	if (fd < 0 || get_id(&iommu->mock[arg[1]]) || !cmd.id)
		return FUZZ_SKIPPED;
	ret = test_cmd(fd, &cmd);
	if (ret)
		return ret;
	set_id(&iommu->mock_device[arg[1]], cmd.mock_domain_flags.out_idev_id);
	set_id(&iommu->mock[arg[1]], cmd.mock_domain_flags.out_stdev_id);
	return 0;
}

static long exec_mock_replace(const u8 *arg)
{
	struct iommu *iommu = &iommus[arg[0]];
	struct iommu_test_cmd cmd = {
		.op = IOMMU_TEST_OP_MOCK_DOMAIN_REPLACE,
		.id = get_id(&iommu->mock[arg[1]]),
		.mock_domain_replace.pt_id = pt_of(iommu, arg[2]),
	};
	int fd = get(&iommu->fd);

	if (fd < 0 || !cmd.id || !cmd.mock_domain_replace.pt_id)
		return FUZZ_SKIPPED;
	return test_cmd(fd, &cmd);
}

static long exec_mock_destroy(const u8 *arg)
{
	struct iommu *iommu = &iommus[arg[0]];
	u32 *mock = &iommu->mock[arg[1]];
	struct iommu_destroy cmd = {
		.size = sizeof(cmd),
		.id = __atomic_exchange_n(mock, 0, __ATOMIC_RELAXED),
	};
	int fd = get(&iommu->fd);

	if (fd < 0 || !cmd.id)
		return FUZZ_SKIPPED;
	set_id(&iommu->mock_device[arg[1]], 0);
	return answer(ioctl(fd, IOMMU_DESTROY, &cmd));
}

static long exec_access_open(const u8 *arg)
{
	struct iommu *iommu = &iommus[arg[0]];
	struct iommu_test_cmd cmd = {
		.op = IOMMU_TEST_OP_CREATE_ACCESS,
		.id = get_id(&iommu->ioas[arg[1]]),
	};
	int fd = get(&iommu->fd);
	long ret;

	if (fd < 0 || get(&iommu->access) >= 0 || !cmd.id)
		return FUZZ_SKIPPED;
	ret = test_cmd(fd, &cmd);
	return ret ? ret : install(&iommu->access, cmd.create_access.out_access_fd);
}

static long exec_access_replace(const u8 *arg)
{
	struct iommu *iommu = &iommus[arg[0]];
	struct iommu_test_cmd cmd = {
		.op = IOMMU_TEST_OP_ACCESS_REPLACE_IOAS,
		.id = get(&iommu->access),
		.access_replace_ioas.ioas_id = get_id(&iommu->ioas[arg[1]]),
	};
	int fd = get(&iommu->fd);

	if (fd < 0 || (int)cmd.id < 0 || !cmd.access_replace_ioas.ioas_id)
		return FUZZ_SKIPPED;
	return test_cmd(fd, &cmd);
}

static long exec_access_close(const u8 *arg)
{
	return close_slot(&iommus[arg[0]].access);
}

/* Real devices */

static long exec_file_open(const u8 *arg)
{
	struct vfio_file *file = &files[arg[0]];
	struct vfio_edu edu;

	if (get(&file->fd) >= 0)
		return FUZZ_SKIPPED;
	vfio_edu_open(&edu, arg[1]);
	file->serial = 0;
	set_id(&file->device, 0);
	return install(&file->fd, edu.fd);
}

/* Replaces the fd by a dup of it */
static long exec_file_dup(const u8 *arg)
{
	int fd = take(&files[arg[0]].fd);
	long ret;

	if (fd < 0)
		return FUZZ_SKIPPED;
	ret = install(&files[arg[0]].fd, fcntl(fd, F_DUPFD_CLOEXEC, 0));
	close(fd);
	return ret;
}

static long exec_file_close(const u8 *arg)
{
	return close_slot(&files[arg[0]].fd);
}

static long exec_bind(const u8 *arg)
{
	struct vfio_file *file = &files[arg[0]];
	struct vfio_device_bind_iommufd bind = { .argsz = sizeof(bind) };
	int fd = get(&file->fd);

	if (fd < 0)
		return FUZZ_SKIPPED;
	bind.iommufd = iommufd_of(arg[1]);
	if (ioctl(fd, VFIO_DEVICE_BIND_IOMMUFD, &bind))
		return -errno;
	file->iommu = arg[1] % FUZZ_IOMMUS;
	file->serial = iommus[file->iommu].serial;
	/* An alias may refer to an iommufd that has lost its slot */
	if (arg[1] >= FUZZ_FD_ALIAS)
		file->serial = 0;
	set_id(&file->device, bind.out_devid);
	return 0;
}

static long exec_attach(const u8 *arg)
{
	struct vfio_file *file = &files[arg[0]];
	struct iommu *iommu = &iommus[file->iommu];
	struct vfio_device_attach_iommufd_pt attach = {
		.argsz = sizeof(attach),
		.pt_id = file->serial == iommu->serial ? pt_of(iommu, arg[1]) : 0xdead,
	};
	int fd = get(&file->fd);

	if (fd < 0 || !attach.pt_id)
		return FUZZ_SKIPPED;
	return answer(ioctl(fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach));
}

static long exec_detach(const u8 *arg)
{
	struct vfio_device_detach_iommufd_pt detach = { .argsz = sizeof(detach) };
	int fd = get(&files[arg[0]].fd);

	if (fd < 0)
		return FUZZ_SKIPPED;
	return answer(ioctl(fd, VFIO_DEVICE_DETACH_IOMMUFD_PT, &detach));
}

/* Groups. The last two devices share one. */

static unsigned int group_of(unsigned int device)
{
	return device < FUZZ_GROUPS ? device : FUZZ_GROUPS - 1;
}

static long exec_group_open(const u8 *arg)
{
	char path[64];
	int fd;

	if (get(&groups[arg[0]]) >= 0)
		return FUZZ_SKIPPED;
	snprintf(path, sizeof(path), "/dev/vfio/%d", vfio_edu_group(arg[0]));
	fd = open(path, O_RDWR | O_CLOEXEC);
	return fd < 0 ? -errno : install(&groups[arg[0]], fd);
}

static long exec_group_close(const u8 *arg)
{
	return close_slot(&groups[arg[0]]);
}

/* The group holds the container after its fd is closed */
static long set_type1(int group)
{
	int container = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
	long ret;

	if (container < 0)
		return -errno;
	ret = answer(ioctl(group, VFIO_GROUP_SET_CONTAINER, &container));
	if (!ret)
		ret = answer(ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU));
	close(container);
	return ret;
}

static long exec_set_container(const u8 *arg)
{
	int group = get(&groups[arg[0]]);
	int fd;

	if (group < 0)
		return FUZZ_SKIPPED;
	if (fuzz_is_type1(arg[0], arg[1]))
		return set_type1(group);
	fd = iommufd_of(arg[1]);
	return answer(ioctl(group, VFIO_GROUP_SET_CONTAINER, &fd));
}

static long exec_unset_container(const u8 *arg)
{
	int group = get(&groups[arg[0]]);

	return group < 0 ? FUZZ_SKIPPED : answer(ioctl(group, VFIO_GROUP_UNSET_CONTAINER));
}

static long exec_get_device(const u8 *arg)
{
	struct vfio_file *file = &files[arg[0]];
	int group = get(&groups[group_of(arg[1])]);

	if (group < 0 || get(&file->fd) >= 0)
		return FUZZ_SKIPPED;
	file->serial = 0;
	set_id(&file->device, 0);
	return install(&file->fd, ioctl(group, VFIO_GROUP_GET_DEVICE_FD,
					vfio_edu_address(arg[1])));
}

static long (*const exec[FUZZ_KINDS])(const u8 *arg) = {
	[FUZZ_VM_OPEN] = exec_vm_open,
	[FUZZ_VM_CLOSE] = exec_vm_close,
	[FUZZ_RUN] = exec_run,
	[FUZZ_POLICY] = exec_policy,
	[FUZZ_DEV_OPEN] = exec_dev_open,
	[FUZZ_DEV_CLOSE] = exec_dev_close,
	[FUZZ_ADD] = exec_add,
	[FUZZ_DEL] = exec_del,
	[FUZZ_STATUS] = exec_status,
	[FUZZ_EVENTFD] = exec_eventfd,
	[FUZZ_ATTR] = exec_attr,
	[FUZZ_VFIO_OPEN] = exec_vfio_open,
	[FUZZ_VFIO_CLOSE] = exec_vfio_close,
	[FUZZ_VFIO_ATTR] = exec_vfio_attr,
	[FUZZ_FILE_ADD] = exec_file_add,
	[FUZZ_FILE_DEL] = exec_file_del,
	[FUZZ_IOMMU_OPEN] = exec_iommu_open,
	[FUZZ_IOMMU_CLOSE] = exec_iommu_close,
	[FUZZ_ALIAS_OPEN] = exec_alias_open,
	[FUZZ_ALIAS_CLOSE] = exec_alias_close,
	[FUZZ_FDINFO] = exec_fdinfo,
	[FUZZ_IOAS_ALLOC] = exec_ioas_alloc,
	[FUZZ_HWPT_ALLOC] = exec_hwpt_alloc,
	[FUZZ_DESTROY] = exec_destroy,
	[FUZZ_MOCK_ATTACH] = exec_mock_attach,
	[FUZZ_MOCK_REPLACE] = exec_mock_replace,
	[FUZZ_MOCK_DESTROY] = exec_mock_destroy,
	[FUZZ_ACCESS_OPEN] = exec_access_open,
	[FUZZ_ACCESS_REPLACE] = exec_access_replace,
	[FUZZ_ACCESS_CLOSE] = exec_access_close,
	[FUZZ_FILE_OPEN] = exec_file_open,
	[FUZZ_FILE_DUP] = exec_file_dup,
	[FUZZ_FILE_CLOSE] = exec_file_close,
	[FUZZ_BIND] = exec_bind,
	[FUZZ_ATTACH] = exec_attach,
	[FUZZ_DETACH] = exec_detach,
	[FUZZ_GROUP_OPEN] = exec_group_open,
	[FUZZ_GROUP_CLOSE] = exec_group_close,
	[FUZZ_SET_CONTAINER] = exec_set_container,
	[FUZZ_UNSET_CONTAINER] = exec_unset_container,
	[FUZZ_GET_DEVICE] = exec_get_device,
};

static void arm(unsigned int nth)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", nth);

	TEST_ASSERT(pwrite(fail_nth, text, len, 0) == len, "fail-nth cannot be written");
}

long fuzz_exec_call(const struct fuzz_call *call)
{
	long ret;

	if (call->nth)
		arm(call->nth);
	ret = exec[call->kind](call->arg);
	if (call->nth)
		arm(0);
	return ret;
}

bool fuzz_exec_status(unsigned int vm, struct kvm_coherency_status *status)
{
	*status = (struct kvm_coherency_status){ .size = sizeof(*status) };
	return !device_attr(get(&vms[vm].dev), KVM_GET_DEVICE_ATTR, KVM_DEV_IOMMUFD_COHERENCY,
			    KVM_DEV_IOMMUFD_COHERENCY_STATUS, status);
}

bool fuzz_exec_vm_is_open(unsigned int vm)
{
	return get(&vms[vm].fd) >= 0;
}

u64 fuzz_exec_events(unsigned int vm)
{
	u64 events;

	return read(vms[vm].eventfd, &events, sizeof(events)) == sizeof(events) ? events : 0;
}

unsigned int fuzz_exec_closing(struct fuzz_call *calls, unsigned int variant)
{
	static const u8 kinds[][3] = {
		{ FUZZ_VFIO_CLOSE, FUZZ_VMS, 1 }, { FUZZ_FILE_CLOSE, FUZZ_FILES, 1 },
		{ FUZZ_GROUP_CLOSE, FUZZ_GROUPS, 1 }, { FUZZ_ACCESS_CLOSE, FUZZ_IOMMUS, 1 },
		{ FUZZ_MOCK_DESTROY, FUZZ_IOMMUS, FUZZ_MOCKS },
		{ FUZZ_IOMMU_CLOSE, FUZZ_IOMMUS, 1 }, { FUZZ_ALIAS_CLOSE, FUZZ_IOMMUS, 1 },
		{ FUZZ_DEV_CLOSE, FUZZ_VMS, 1 },
	};
	unsigned int i, j, slot, nr = 0;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		const u8 *kind = kinds[(i + variant) % ARRAY_SIZE(kinds)];

		for (slot = 0; slot < kind[1]; slot++)
			for (j = 0; j < kind[2]; j++)
				calls[nr++] = (struct fuzz_call){ kind[0], 0, { slot, j } };
	}
	for (slot = 0; slot < FUZZ_VMS; slot++)
		calls[nr++] = (struct fuzz_call){ FUZZ_POLICY, 0,
						  { slot, KVM_NONCOHERENT_DMA_FOLLOW } };
	return nr;
}
