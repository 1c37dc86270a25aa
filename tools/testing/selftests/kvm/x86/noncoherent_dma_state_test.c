// SPDX-License-Identifier: GPL-2.0
/*
 * The file noncoherent_dma of a VM's debugfs directory: permission, policy, and the
 * attachments of the iommufds that were added. Reading it disturbs nothing, and an
 * open file keeps nothing alive.
 *
 * Usage: noncoherent_dma_state_test
 */
#include <sched.h>
#include <sys/stat.h>
#include <time.h>

#include "assert_errno.h"
#include "kvm_util.h"
#include "mock_device.h"
#include "noncoherent_dma.h"
#include "points.h"
#include "vfio_edu.h"
#include "wbinvd_guest.h"

#define ROUNDS	200

struct vm {
	struct kvm_vm *vm;
	int device;
	int state;
};

static int state_open(struct kvm_vm *vm, int flags)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/kernel/debug/kvm/%d-%d/noncoherent_dma", getpid(),
		 vm->fd);
	return open_path_or_exit(path, flags);
}

static struct vm create(void)
{
	struct vm vm = { .vm = vm_create_barebones() };

	vm.device = coherency_device_create(vm.vm);
	vm.state = state_open(vm.vm, O_RDONLY);
	return vm;
}

static void destroy(struct vm *vm)
{
	close(vm->state);
	close(vm->device);
	kvm_vm_free(vm->vm);
}

/* "since" of the attachments, in the order of their lines */
struct since {
	unsigned int nr;
	uint64_t ns[4];
};

static void cut_since(char *line, struct since *since)
{
	char *text = strstr(line, " since ");
	unsigned long s, ns;
	int end;

	TEST_ASSERT(text && sscanf(text, " since %lu.%9lu%n", &s, &ns, &end) == 2 &&
		    !strcmp(text + end, "\n") && text[end - 10] == '.', "the file has: %s", line);
	TEST_ASSERT(since->nr < ARRAY_SIZE(since->ns), "more attachments than expected");
	since->ns[since->nr++] = s * 1000000000 + ns;
	text[0] = '\n';
	text[1] = 0;
}

/* Checks that the file is @fmt, but for the times after "since", which it returns */
__printf(2, 3)
static struct since expect(struct vm *vm, const char *fmt, ...)
{
	char expected[512], seen[512] = "", line[128];
	struct since since = {};
	va_list ap;
	FILE *file;

	va_start(ap, fmt);
	vsnprintf(expected, sizeof(expected), fmt, ap);
	va_end(ap);

	TEST_ASSERT(!lseek(vm->state, 0, SEEK_SET), "lseek: %s", strerror(errno));
	file = fdopen(dup(vm->state), "r");
	TEST_ASSERT(file, "fdopen: %s", strerror(errno));
	while (fgets(line, sizeof(line), file)) {
		if (strstr(line, "attached: "))
			cut_since(line, &since);
		TEST_ASSERT(strlen(seen) + strlen(line) < sizeof(seen), "the file is too long");
		strcat(seen, line);
	}
	fclose(file);
	TEST_ASSERT(!strcmp(seen, expected), "the file has\n%swanted\n%s", seen, expected);
	return since;
}

#define HEAD(permission)				\
	"permission: " permission "\n"			\
	"policy: follow\nloosest policy: follow\n"

/*
 * The kernel notes CLOCK_BOOTTIME as of the last tick. In a machine that has never been
 * suspended CLOCK_MONOTONIC_COARSE is the same, from the same tick.
 */
static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

static void expect_since(uint64_t since, uint64_t after, uint64_t before)
{
	TEST_ASSERT(since >= after && since <= before, "since %lu, not between %lu and %lu", since,
		    after, before);
}

/* Waits so that times before and after can be told apart, and returns the time */
static uint64_t later(void)
{
	uint64_t before = now();

	while (now() == before)
		sched_yield();
	return now();
}

/* Attaches a mock device; gets its group and HWPT from other interfaces */
static uint32_t attach(struct mock_iommufd *mock, long *group, uint32_t *hwpt)
{
	struct iommu_test_cmd cmd = {
		.size = sizeof(cmd),
		.op = IOMMU_TEST_OP_MOCK_DOMAIN,
		.id = mock->ioas,
	};

	TEST_ASSERT(!ioctl(mock->fd, IOMMU_TEST_CMD, &cmd), "mock device: %s", strerror(errno));
	*group = iommufd_fdinfo(mock->fd, "noncoherent-group");
	*hwpt = cmd.mock_domain.out_hwpt_id;
	return cmd.mock_domain.out_stdev_id;
}

static void test_file(void)
{
	struct vm vm = create();
	struct stat st;
	int fd;

	TEST_ASSERT(!fstat(vm.state, &st) && (st.st_mode & 07777) == 0400 && !st.st_uid,
		    "the file is not root's with mode 0400");
	fd = state_open(vm.vm, O_WRONLY);
	ASSERT_ERRNO(write(fd, "off\n", 4), EINVAL);
	close(fd);
	expect(&vm, HEAD("off"));
	coherency_policy(vm.vm, KVM_NONCOHERENT_DMA_FORBID);
	expect(&vm, "permission: off\npolicy: forbid\nloosest policy: follow\n");
	destroy(&vm);
	passed("the file can be read, by root, and no more");
}

static void test_attachments(void)
{
	struct mock_iommufd mock = mock_iommufd_open(), other = mock_iommufd_open();
	long id = iommufd_fdinfo(mock.fd, "coherency-id");
	long other_id = iommufd_fdinfo(other.fd, "coherency-id");
	struct vm vm = create(), second = create();
	uint64_t before = now(), between;
	uint32_t device, hwpt;
	struct since since;
	long group;
	int dma;

	TEST_ASSERT(id > 0 && other_id > id, "iommufds %ld and %ld", id, other_id);
	device = attach(&mock, &group, &hwpt);
	between = now();
	later();
	coherency_add(vm.device, other.fd);
	expect(&vm, HEAD("off") "source: iommufd %ld\n", other_id);
	coherency_add(vm.device, mock.fd);
	since = expect(&vm, HEAD("on") "source: iommufd %ld\nsource: iommufd %ld\n"
		       "attached: group %ld hwpt %u pasid 0\n", other_id, id, group, hwpt);
	/* The time of the attach, not of FD_ADD */
	expect_since(since.ns[0], before, between);
	expect(&second, HEAD("off"));

	between = later();
	/* IDs count up: the new IOAS gets the next one, its page table the one after */
	TEST_ASSERT(!mock_replace(&mock, device, mock_ioas_alloc(&mock)), "replace: %s",
		    strerror(errno));
	since = expect(&vm, HEAD("on") "source: iommufd %ld\nsource: iommufd %ld\n"
		       "attached: group %ld hwpt %u pasid 0\n", other_id, id, group, hwpt + 2);
	expect_since(since.ns[0], between, now());

	between = later();
	dma = mock_access_open(&other);
	TEST_ASSERT(dma >= 0, "access: %s", strerror(errno));
	since = expect(&vm, HEAD("on") "source: iommufd %ld\nattached: access 2\n"
		       "source: iommufd %ld\nattached: group %ld hwpt %u pasid 0\n",
		       other_id, id, group, hwpt + 2);
	expect_since(since.ns[0], between, now());
	close(dma);

	mock_detach(&mock, device);
	expect(&vm, HEAD("off") "source: iommufd %ld\nsource: iommufd %ld\n", other_id, id);
	coherency_del(vm.device, other.fd);
	expect(&vm, HEAD("off") "source: iommufd %ld\n", id);

	/* A refused attachment is not shown */
	coherency_policy(vm.vm, KVM_NONCOHERENT_DMA_FORBID);
	ASSERT_ERRNO(__mock_attach(&mock, mock.ioas), EPERM);
	expect(&vm, "permission: off\npolicy: forbid\nloosest policy: follow\n"
	       "source: iommufd %ld\n", id);

	mock_iommufd_close(&mock);
	mock_iommufd_close(&other);
	destroy(&vm);
	destroy(&second);
	passed("each iommufd, what is attached to it, and since when");
}

struct reading {
	struct vm *vm;
	uint64_t reads;
	uint64_t stop;
};

static void *read_thread(void *data)
{
	struct reading *r = data;
	char text[512];

	while (!__atomic_load_n(&r->stop, __ATOMIC_ACQUIRE)) {
		TEST_ASSERT(pread(r->vm->state, text, sizeof(text), 0) > 0, "read: %s",
			    strerror(errno));
		__atomic_fetch_add(&r->reads, 1, __ATOMIC_RELEASE);
	}
	return NULL;
}

/* On a debug kernel lockdep checks the order of locks. The rounds look for actual races. */
static void test_while_it_changes(void)
{
	struct mock_iommufd mock = mock_iommufd_open();
	struct vm vm = create(), other = create();
	struct reading r = { .vm = &vm };
	uint32_t device;
	pthread_t thread;
	unsigned int i;

	coherency_add(other.device, mock.fd);
	TEST_ASSERT(!pthread_create(&thread, NULL, read_thread, &r), "pthread_create");
	wait_until(&r.reads, 1, "reading");
	for (i = 0; i < ROUNDS; i++) {
		coherency_add(vm.device, mock.fd);
		device = mock_attach(&mock);
		coherency_del(vm.device, mock.fd);
		coherency_add(vm.device, mock.fd);
		mock_detach(&mock, device);
		coherency_del(vm.device, mock.fd);
	}
	wait_until(&r.reads, r.reads + 2, "reading");
	__atomic_store_n(&r.stop, 1, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	expect(&vm, HEAD("off"));

	mock_iommufd_close(&mock);
	destroy(&vm);
	destroy(&other);
	passed("reading while sources come and go, and change");
}

static void test_keeps_nothing(void)
{
	struct mock_iommufd mock = mock_iommufd_open();
	struct vm vm = create();
	char text[512], path[128];

	snprintf(path, sizeof(path), "/sys/kernel/debug/kvm/%d-%d", getpid(), vm.vm->fd);
	coherency_add(vm.device, mock.fd);
	TEST_ASSERT(read(vm.state, text, 20) == 20, "read: %s", strerror(errno));
	close(vm.device);
	kvm_vm_free(vm.vm);
	/* The open file keeps no VM, and one that is gone cannot be read */
	ASSERT_ERRNO(access(path, F_OK), ENOENT);
	ASSERT_ERRNO(pread(vm.state, text, sizeof(text), 0), EIO);
	close(vm.state);
	mock_iommufd_close(&mock);
	passed("an open file keeps no VM");
}

int main(void)
{
	test_file();
	test_attachments();
	test_while_it_changes();
	test_keeps_nothing();
	return 0;
}
