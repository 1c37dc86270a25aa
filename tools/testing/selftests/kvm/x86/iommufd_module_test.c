// SPDX-License-Identifier: GPL-2.0
/*
 * KVM's iommufd device as a module: KVM loads it on demand, it stays while a VM has
 * the device, and nobody can get a device while it is being unloaded. Needs
 * CONFIG_KVM_IOMMUFD=m, and modprobe.
 */
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "coherency_vm.h"
#include "kvm_util.h"
#include "noncoherent_dma.h"
#include "patient_harness.h"
#include "test_util.h"
#include "vfio_edu.h"

#define MODULE		"kvm_iommufd"
#define MODPROBE	"/proc/sys/kernel/modprobe"
#define RACE_ROUNDS	60

static bool is_loaded(void)
{
	return !access("/sys/module/" MODULE "/refcnt", F_OK);
}

static int refcount(void)
{
	char buf[32] = {};
	int fd = open("/sys/module/" MODULE "/refcnt", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -1;
	TEST_ASSERT(read(fd, buf, sizeof(buf) - 1) > 0, "The module's refcnt cannot be read");
	close(fd);
	return atoi(buf);
}

static int rmmod(void)
{
	return syscall(__NR_delete_module, MODULE, O_NONBLOCK);
}

static void modprobe_path(char *path, size_t size, const char *new)
{
	int fd = open(MODPROBE, O_RDWR | O_CLOEXEC);
	ssize_t len;

	TEST_ASSERT(fd >= 0, MODPROBE " cannot be opened");
	if (path) {
		len = read(fd, path, size - 1);
		TEST_ASSERT(len > 0, MODPROBE " cannot be read");
		path[len] = 0;
	}
	TEST_ASSERT(pwrite(fd, new, strlen(new), 0) == strlen(new), MODPROBE " cannot be written");
	close(fd);
}

FIXTURE(module)
{
	struct kvm_vm *vm;
};

FIXTURE_SETUP(module)
{
	self->vm = vm_create_barebones();
	if (is_loaded())
		ASSERT_EQ(0, rmmod());
}

FIXTURE_TEARDOWN(module)
{
	kvm_vm_free(self->vm);
}

TEST_F(module, loads_itself)
{
	int device;

	device = __kvm_create_device(self->vm, KVM_DEV_TYPE_IOMMUFD);
	ASSERT_LE(0, device);
	EXPECT_TRUE(is_loaded());
	EXPECT_EQ(1, refcount());
	EXPECT_EQ(0, coherency_device_status(device).nr_iommufds);
	close(device);
	EXPECT_EQ(0, refcount());
}

TEST_F(module, loads_itself_for_a_test)
{
	EXPECT_EQ(0, __kvm_test_create_device(self->vm, KVM_DEV_TYPE_IOMMUFD));
	EXPECT_TRUE(is_loaded());
	EXPECT_EQ(0, refcount());
}

/* KVM itself implements the capability, without the module */
TEST_F(module, is_not_needed_for_the_capability)
{
	EXPECT_LT(0, vm_check_cap(self->vm, KVM_CAP_NONCOHERENT_DMA));
	EXPECT_EQ(0, __vm_enable_cap(self->vm, KVM_CAP_NONCOHERENT_DMA,
				     KVM_NONCOHERENT_DMA_FORBID));
	EXPECT_FALSE(is_loaded());
}

/* Device types that no module implements must not run modprobe */
TEST_F(module, is_the_only_one_asked_for)
{
	unsigned int type;

	trace_event("module/module_request", true);
	trace_clear();
	for (type = 0; type < KVM_DEV_TYPE_IOMMUFD; type++)
		__kvm_test_create_device(self->vm, type);
	EXPECT_EQ(-1, __kvm_create_device(self->vm, KVM_DEV_TYPE_IOMMUFD - 1));
	EXPECT_EQ(ENODEV, errno);
	EXPECT_EQ(-1, __kvm_create_device(self->vm, KVM_DEV_TYPE_IOMMUFD + 1));
	EXPECT_EQ(ENODEV, errno);
	EXPECT_EQ(0, trace_lines("module_request", NULL, NULL));
	EXPECT_EQ(0, __kvm_test_create_device(self->vm, KVM_DEV_TYPE_IOMMUFD));
	EXPECT_EQ(1, trace_lines("module_request", NULL, NULL));
	/* The module is loaded now, and not requested again */
	EXPECT_EQ(0, __kvm_test_create_device(self->vm, KVM_DEV_TYPE_IOMMUFD));
	EXPECT_EQ(1, trace_lines("module_request", NULL, NULL));
	trace_event("module/module_request", false);
}

TEST_F(module, cannot_be_loaded)
{
	char path[256];

	modprobe_path(path, sizeof(path), "/does/not/exist\n");
	EXPECT_EQ(-1, __kvm_create_device(self->vm, KVM_DEV_TYPE_IOMMUFD));
	EXPECT_EQ(ENODEV, errno);
	EXPECT_EQ(-1, __kvm_test_create_device(self->vm, KVM_DEV_TYPE_IOMMUFD));
	EXPECT_EQ(ENODEV, errno);
	modprobe_path(NULL, 0, path);
	EXPECT_EQ(0, __kvm_test_create_device(self->vm, KVM_DEV_TYPE_IOMMUFD));
}

TEST_F(module, stays_while_in_use)
{
	struct kvm_vm *other = vm_create_barebones();
	int iommufd = iommufd_open(), first, second;

	first = kvm_create_device(self->vm, KVM_DEV_TYPE_IOMMUFD);
	second = kvm_create_device(other, KVM_DEV_TYPE_IOMMUFD);
	EXPECT_EQ(2, refcount());
	EXPECT_EQ(-1, rmmod());
	EXPECT_EQ(EWOULDBLOCK, errno);

	/* A failed creation holds no reference */
	EXPECT_EQ(-1, __kvm_create_device(self->vm, KVM_DEV_TYPE_IOMMUFD));
	EXPECT_EQ(EBUSY, errno);
	EXPECT_EQ(2, refcount());

	EXPECT_EQ(0, __kvm_device_attr_set(second, KVM_DEV_IOMMUFD_FD,
					   KVM_DEV_IOMMUFD_FD_ADD, &iommufd));
	close(first);
	EXPECT_EQ(1, refcount());
	EXPECT_EQ(-1, rmmod());
	EXPECT_EQ(EWOULDBLOCK, errno);

	/* The fd of the device holds the module, not that of the VM */
	kvm_vm_free(other);
	EXPECT_EQ(1, refcount());
	EXPECT_EQ(-1, rmmod());
	EXPECT_EQ(1, coherency_device_status(second).nr_iommufds);
	close(second);
	EXPECT_EQ(0, refcount());
	EXPECT_EQ(0, iommufd_watches(iommufd));

	EXPECT_EQ(0, rmmod());
	EXPECT_FALSE(is_loaded());
	/* The module is loaded again */
	EXPECT_EQ(0, __kvm_test_create_device(self->vm, KVM_DEV_TYPE_IOMMUFD));
	close(iommufd);
}

struct race {
	pthread_barrier_t barrier;
	/* Attempts of the other thread in this round */
	atomic_uint to_do;
	atomic_uint done;
	/* Results in all rounds */
	atomic_uint removed;
	atomic_uint busy;
};

static void *remove_again_and_again(void *arg)
{
	struct race *race = arg;

	for (;;) {
		pthread_barrier_wait(&race->barrier);
		if (!race->to_do)
			return NULL;
		while (race->done < race->to_do) {
			if (!rmmod())
				race->removed++;
			else if (errno == EWOULDBLOCK)
				race->busy++;
			race->done++;
		}
		pthread_barrier_wait(&race->barrier);
	}
}

/*
 * Each round begins with the module loaded and unused. Then one thread creates the
 * device while the other removes the module. If the module goes between the load and
 * its use, the creation fails with ENODEV. A device that was created works.
 */
TEST_F(module, races_with_its_removal)
{
	unsigned int created = 0, gone = 0, i;
	struct race race = {};
	pthread_t thread;
	int device;

	ASSERT_EQ(0, pthread_barrier_init(&race.barrier, NULL, 2));
	ASSERT_EQ(0, pthread_create(&thread, NULL, remove_again_and_again, &race));
	for (i = 0; i < RACE_ROUNDS; i++) {
		ASSERT_EQ(0, __kvm_test_create_device(self->vm, KVM_DEV_TYPE_IOMMUFD));
		race.to_do = 1 + i % 8;
		race.done = 0;

		pthread_barrier_wait(&race.barrier);
		/* In every other round the module has to be loaded again */
		while (i % 2 && !race.done)
			sched_yield();
		device = __kvm_create_device(self->vm, KVM_DEV_TYPE_IOMMUFD);
		if (device < 0)
			ASSERT_EQ(ENODEV, errno);
		pthread_barrier_wait(&race.barrier);

		if (device < 0) {
			gone++;
			continue;
		}
		created++;
		EXPECT_EQ(1, refcount());
		EXPECT_EQ(0, coherency_device_status(device).nr_iommufds);
		close(device);
		EXPECT_EQ(0, refcount());
	}
	race.to_do = 0;
	pthread_barrier_wait(&race.barrier);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	TH_LOG("%u created, %u too late, %u removed, %u attempts found it busy",
	       created, gone, race.removed, race.busy);
	EXPECT_LT(0, created);
	EXPECT_LE(RACE_ROUNDS / 2, race.removed);
}

/*
 * The other thread tries to remove the module all the time. That fails while a VM uses
 * the device, and has to succeed after the device is closed.
 */
TEST_F(module, races_with_its_use)
{
	int iommufd = iommufd_open(), device, used = 0, i;
	struct race race = {};
	unsigned int removed;
	pthread_t thread;

	ASSERT_EQ(0, pthread_barrier_init(&race.barrier, NULL, 2));
	ASSERT_EQ(0, pthread_create(&thread, NULL, remove_again_and_again, &race));
	for (i = 0; i < RACE_ROUNDS; i++) {
		device = kvm_create_device(self->vm, KVM_DEV_TYPE_IOMMUFD);
		removed = race.removed;
		race.to_do = UINT_MAX;
		race.done = 0;
		pthread_barrier_wait(&race.barrier);
		do {
			ASSERT_EQ(0, __kvm_device_attr_set(device, KVM_DEV_IOMMUFD_FD,
							   KVM_DEV_IOMMUFD_FD_ADD, &iommufd));
			ASSERT_EQ(1, coherency_device_status(device).nr_iommufds);
			ASSERT_EQ(0, __kvm_device_attr_set(device, KVM_DEV_IOMMUFD_FD,
							   KVM_DEV_IOMMUFD_FD_DEL, &iommufd));
			used++;
		} while (race.done < 5);
		ASSERT_EQ(0, __kvm_device_attr_set(device, KVM_DEV_IOMMUFD_FD,
						   KVM_DEV_IOMMUFD_FD_ADD, &iommufd));
		EXPECT_EQ(removed, race.removed);
		close(device);
		race.to_do = race.done + 2;
		pthread_barrier_wait(&race.barrier);
		EXPECT_EQ(0, iommufd_watches(iommufd));
		/* At least one attempt was made after the last use */
		EXPECT_EQ(removed + 1, race.removed);
	}
	race.to_do = 0;
	pthread_barrier_wait(&race.barrier);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	TH_LOG("used %d times, %u removed, %u attempts found it busy", used, race.removed,
	       race.busy);
	EXPECT_LE(RACE_ROUNDS * 5, race.busy);
	close(iommufd);
}

TEST_HARNESS_MAIN
