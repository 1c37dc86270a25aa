// SPDX-License-Identifier: GPL-2.0
/*
 * The module of KVM's iommufd device cannot be unloaded while the last reference to a
 * device is being released, since that runs the module's code. A watch that is slow to
 * reserve for an attach makes the release wait. Needs CONFIG_KVM_IOMMUFD=m.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kvm_util.h"
#include "mock_device.h"
#include "noncoherent_dma.h"
#include "test_util.h"

#define MODULE		"kvm_iommufd"
/* A release that does not wait takes a small part of this */
#define STILL_WAITS_US	500000

static struct mock_iommufd mock;
static int device;
static bool closed;

static int rmmod(void)
{
	return syscall(__NR_delete_module, MODULE, O_NONBLOCK);
}

static void *attach_thread(void *data)
{
	mock_attach(&mock);
	return NULL;
}

static void *close_thread(void *data)
{
	close(device);
	__atomic_store_n(&closed, true, __ATOMIC_RELEASE);
	return NULL;
}

int main(void)
{
	struct kvm_vm *vm = vm_create_barebones();
	pthread_t attacher, closer;
	int slow, ret, error;

	device = coherency_device_create(vm);
	__TEST_REQUIRE(!access("/sys/module/" MODULE "/refcnt", F_OK), MODULE " is no module");
	mock = mock_iommufd_open();
	coherency_add(device, mock.fd);
	slow = mock_slow_watch(&mock);

	TEST_ASSERT(!pthread_create(&attacher, NULL, attach_thread, NULL), "pthread_create");
	mock_watch_wait(slow);
	TEST_ASSERT(!pthread_create(&closer, NULL, close_thread, NULL), "pthread_create");
	usleep(STILL_WAITS_US);
	ret = rmmod();
	error = errno;
	TEST_ASSERT(!__atomic_load_n(&closed, __ATOMIC_ACQUIRE), "the release did not wait");
	TEST_ASSERT(ret && error == EWOULDBLOCK, "rmmod during the release returned %d, %s", ret,
		    strerror(error));
	mock_watch_let_go(slow);
	pthread_join(closer, NULL);
	pthread_join(attacher, NULL);
	TEST_ASSERT(!rmmod(), "rmmod after the release: %s", strerror(errno));

	close(slow);
	mock_iommufd_close(&mock);
	kvm_vm_free(vm);
	return 0;
}
