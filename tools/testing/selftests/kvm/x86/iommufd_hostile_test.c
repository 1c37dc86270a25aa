// SPDX-License-Identifier: GPL-2.0
/*
 * A VMM that is careless, attacked or killed: calls under a hail of signals, fds
 * that are wrong, closed, or closed concurrently, unmapped memory, no fd left, and
 * the OOM killer. Each call takes effect completely or not at all.
 *
 * Needs an edu device bound to vfio-pci and two more of them in one group, two
 * CPUs, and snoop=off or snoop=on in the environment.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/vfio.h>

#include "coherency_vm.h"
#include "kvm_util.h"
#include "patient_harness.h"
#include "processor.h"
#include "test_util.h"
#include "vfio_edu.h"
#include "vfio_vm.h"

#define EXPECT_ERRNO(error, call)	\
	do {				\
		errno = 0;		\
		EXPECT_EQ(-1, call);	\
		EXPECT_EQ(error, errno);	\
	} while (0)

/* f and v share one VM, which has KVM's iommufd device and its VFIO device */
struct hostile {
	struct coherency_fixture f;
	struct vfio_vm v;
	bool noncoherent;
};

static void hostile_create(struct hostile *h)
{
	h->noncoherent = vfio_edu_is_noncoherent();
	coherency_fixture_create(&h->f);
	h->v.vm = h->f.c.vm;
	h->v.vcpu = h->f.c.vcpu;
	h->v.kvm_vfio = kvm_create_device(h->v.vm, KVM_DEV_TYPE_VFIO);
}

static void hostile_destroy(struct hostile *h)
{
	if (h->v.kvm_vfio >= 0)
		close(h->v.kvm_vfio);
	coherency_fixture_destroy(&h->f);
}

FIXTURE(hostile)
{
	struct hostile h;
};

FIXTURE_SETUP(hostile)
{
	hostile_create(&self->h);
}

FIXTURE_TEARDOWN(hostile)
{
	hostile_destroy(&self->h);
}

/* As coherency_vm_expect() without running the guest, for checks that are made often */
static void expect_now(struct __test_metadata *_metadata, struct hostile *h, bool on,
		       unsigned int edges)
{
	struct kvm_coherency_status status = coherency_device_status(h->f.c.device);

	if (!h->noncoherent) {
		on = false;
		edges = 0;
	}
	h->f.c.edges += edges;
	EXPECT_EQ(on ? KVM_COHERENCY_NONCOHERENT | KVM_COHERENCY_WBINVD : 0, status.flags);
	EXPECT_EQ(h->f.c.policy, status.policy);
	EXPECT_EQ(h->f.c.edges, status.edges);
	EXPECT_EQ(h->f.c.nr_iommufds, status.nr_iommufds);
	EXPECT_EQ(h->f.c.flushed, status.wbinvd_flushed);
	EXPECT_EQ(h->f.c.ignored, status.wbinvd_ignored);
	EXPECT_EQ(edges, coherency_eventfd_read(h->f.c.eventfd));
	EXPECT_EQ(h->f.watches + h->f.c.nr_iommufds, iommufd_watches(h->f.iommufd));
	TEST_ASSERT(_metadata->exit_code != KSFT_FAIL, "The state is not what it should be");
}

static void pin_thread(int cpu)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	TEST_ASSERT(!sched_setaffinity(0, sizeof(cpus), &cpus), "There is no CPU %d", cpu);
}

static void spin(unsigned int n)
{
	while (n--)
		cpu_relax();
}

/*
 * Signals
 */
#define MIN_SIGNALLED	100	/* signals that arrived during a call */
#define MIN_ROUNDS	10
#define MAX_ROUNDS	3000

static struct {
	pthread_t victim;
	atomic_bool stop;
	atomic_ulong sent;
	atomic_ulong handled;
	atomic_bool in_call;
	atomic_ulong in_calls;
} hail;

static void on_signal(int sig)
{
	hail.handled++;
	hail.in_calls += hail.in_call;
}

static void *hail_thread(void *arg)
{
	pin_thread(1);
	while (!hail.stop) {
		hail.sent++;
		pthread_kill(hail.victim, SIGUSR1);
		while (hail.handled < hail.sent && !hail.stop)
			cpu_relax();
		/* Vary when signals arrive in a call, and leave it time to make progress */
		spin(hail.sent * 37 % 1024);
	}
	return NULL;
}

FIXTURE(signals)
{
	struct hostile h;
	pthread_t thread;
	u32 other;
};

FIXTURE_VARIANT(signals)
{
	int flags;
};

FIXTURE_VARIANT_ADD(signals, restart)
{
	.flags = SA_RESTART,
};

FIXTURE_VARIANT_ADD(signals, interrupt)
{
	.flags = 0,
};

FIXTURE_SETUP(signals)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = variant->flags };

	hostile_create(&self->h);
	self->other = iommufd_ioas_alloc(self->h.f.iommufd);
	hail.victim = pthread_self();
	ASSERT_EQ(0, sigaction(SIGUSR1, &action, NULL));
	ASSERT_EQ(0, pthread_create(&self->thread, NULL, hail_thread, NULL));
}

FIXTURE_TEARDOWN(signals)
{
	hostile_destroy(&self->h);
}

#define CALL(call)				\
({						\
	int __ret;				\
						\
	hail.in_call = true;			\
	__ret = (call);				\
	hail.in_call = false;			\
	__ret;					\
})

static void signalled_round(struct __test_metadata *_metadata, FIXTURE_DATA(signals) * self)
{
	struct hostile *h = &self->h;
	struct coherency_fixture *f = &h->f;
	struct coherency_vm *c = &f->c;

	EXPECT_EQ(0, CALL(__coherency_vm_add(c, f->iommufd)));
	EXPECT_ERRNO(EEXIST, CALL(__coherency_vm_add(c, f->iommufd)));
	expect_now(_metadata, h, false, 0);
	EXPECT_EQ(0, CALL(__vfio_edu_attach(&f->edu, f->ioas)));
	expect_now(_metadata, h, true, 1);
	coherency_vm_run(c);
	*(h->noncoherent ? &c->flushed : &c->ignored) += COHERENCY_NR_WBINVD;
	expect_now(_metadata, h, true, 0);
	EXPECT_EQ(0, CALL(__coherency_vm_policy(c, KVM_NONCOHERENT_DMA_NO_WBINVD)));
	EXPECT_EQ(0, CALL(__coherency_vm_policy(c, KVM_NONCOHERENT_DMA_FOLLOW)));
	EXPECT_EQ(0, CALL(__vfio_edu_attach(&f->edu, self->other)));
	expect_now(_metadata, h, true, 0);
	EXPECT_EQ(0, CALL(__vfio_vm_add(&h->v, f->edu.fd)));
	f->watches++;
	EXPECT_EQ(0, CALL(__coherency_vm_del(c, f->iommufd)));
	expect_now(_metadata, h, true, 0);
	EXPECT_EQ(0, CALL(__vfio_edu_detach(&f->edu)));
	expect_now(_metadata, h, false, 1);
	EXPECT_EQ(0, CALL(__vfio_edu_attach(&f->edu, f->ioas)));
	expect_now(_metadata, h, true, 1);
	EXPECT_EQ(0, CALL(__vfio_vm_del(&h->v, f->edu.fd)));
	f->watches--;
	expect_now(_metadata, h, false, 1);
	EXPECT_EQ(0, CALL(__coherency_vm_policy(c, KVM_NONCOHERENT_DMA_FORBID)));
	EXPECT_EQ(h->noncoherent ? -1 : 0, CALL(__coherency_vm_add(c, f->iommufd)));
	if (!h->noncoherent)
		EXPECT_EQ(0, CALL(__coherency_vm_del(c, f->iommufd)));
	expect_now(_metadata, h, false, 0);
	EXPECT_EQ(0, CALL(__coherency_vm_policy(c, KVM_NONCOHERENT_DMA_FOLLOW)));
	EXPECT_EQ(0, CALL(__vfio_edu_detach(&f->edu)));
}

/* None of the calls waits interruptibly: no EINTR */
TEST_F(signals, do_not_matter)
{
	struct coherency_fixture *f = &self->h.f;
	int round;

	for (round = 0; round < MIN_ROUNDS || hail.in_calls < MIN_SIGNALLED; round++) {
		ASSERT_GT(MAX_ROUNDS, round);
		signalled_round(_metadata, self);
	}
	hail.stop = true;
	ASSERT_EQ(0, pthread_join(self->thread, NULL));
	TH_LOG("%d rounds, %lu signals, %lu of them in a call", round, hail.handled,
	       hail.in_calls);
	coherency_vm_add(&f->c, f->iommufd);
	vfio_edu_attach(&f->edu, f->ioas);
	coherency_vm_expect(&f->c, true, 1, "after many signals");
}

/*
 * Fds
 */
TEST_F(hostile, wrong_fds)
{
	struct hostile *h = &self->h;
	struct coherency_fixture *f = &h->f;
	int closed = dup(f->iommufd), i;
	const int wrong[] = { open("/dev/null", O_RDWR), eventfd(0, 0), h->v.vm->fd,
			      f->c.device, h->v.kvm_vfio, f->iommufd };
	const int bad[] = { -1, closed, INT_MAX, open("/dev/iommu", O_PATH) };
	struct vfio_edu edu;
	int err;

	vfio_edu_open(&edu, 1);
	close(closed);
	coherency_vm_add(&f->c, f->iommufd);
	vfio_vm_add(&h->v, edu.fd);
	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		EXPECT_ERRNO(EINVAL, __vfio_vm_add(&h->v, wrong[i]));
		EXPECT_ERRNO(ENOENT, __vfio_vm_del(&h->v, wrong[i]));
		if (wrong[i] != f->iommufd)
			EXPECT_ERRNO(EBADFD, __vfio_edu_bind(&edu, wrong[i]));
	}
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_ERRNO(EBADF, __vfio_vm_add(&h->v, bad[i]));
		EXPECT_ERRNO(EBADF, __vfio_vm_del(&h->v, bad[i]));
		err = bad[i] < 0 ? EINVAL : EBADF;
		EXPECT_ERRNO(err, __vfio_edu_bind(&edu, bad[i]));
	}
	expect_now(_metadata, h, false, 0);

	vfio_edu_bind(&edu, f->iommufd);
	vfio_edu_attach(&edu, f->ioas);
	coherency_vm_expect(&f->c, true, 1, "bound after wrong fds");
	vfio_vm_del(&h->v, edu.fd);
	vfio_edu_close(&edu);
	coherency_vm_expect(&f->c, false, 1, "closed after wrong fds");
}

/* In each round one thread makes a call on the fd that another closes concurrently */
struct race {
	pthread_barrier_t barrier;
	pthread_t thread;
	int fd;			/* -1: no more rounds */
	unsigned int round;
	unsigned int in_time;	/* calls before the close ... */
	unsigned int too_late;	/* ... and after it */
};

#define MIN_RACES	30
#define MAX_RACES	6000

static void *race_thread(void *arg)
{
	struct race *race = arg;

	pin_thread(1);
	for (;;) {
		pthread_barrier_wait(&race->barrier);
		if (race->fd < 0)
			return NULL;
		spin(race->round % 3 ? race->round * 29 % 2048 : 0);
		close(race->fd);
		pthread_barrier_wait(&race->barrier);
	}
}

static void race_start(struct race *race)
{
	*race = (struct race){};
	TEST_ASSERT(!pthread_barrier_init(&race->barrier, NULL, 2), "No barrier");
	TEST_ASSERT(!pthread_create(&race->thread, NULL, race_thread, race), "No thread");
}

/* Goes on, up to a limit, while always the same thread was first */
static bool race_goes_on(struct race *race)
{
	return race->round++ < MIN_RACES ||
	       ((!race->in_time || !race->too_late) && race->round < MAX_RACES);
}

/* The other thread closes @fd from here on, before or after the caller's next call */
static void race_begin(struct race *race, int fd)
{
	race->fd = fd;
	pthread_barrier_wait(&race->barrier);
	spin(race->round % 3 ? 0 : race->round * 41 % 512);
}

/* Returns whether the caller's call, which returned @ret, came before the close */
static bool race_end(struct race *race, int ret)
{
	TEST_ASSERT(!ret || errno == EBADF, "A call on a closed fd: errno %d", errno);
	pthread_barrier_wait(&race->barrier);
	race->in_time += !ret;
	race->too_late += !!ret;
	return !ret;
}

static void race_stop(struct __test_metadata *_metadata, struct race *race)
{
	race->fd = -1;
	pthread_barrier_wait(&race->barrier);
	TEST_ASSERT(!pthread_join(race->thread, NULL), "pthread_join failed");
	TH_LOG("%u in time, %u too late", race->in_time, race->too_late);
	EXPECT_LT(0, race->in_time);
	EXPECT_LT(0, race->too_late);
}

/* The closed fd is a dup: the file stays open */
TEST_F(hostile, argument_is_closed_meanwhile)
{
	struct hostile *h = &self->h;
	struct coherency_fixture *f = &h->f;
	struct race race;

	vfio_edu_attach(&f->edu, f->ioas);
	race_start(&race);
	while (race_goes_on(&race)) {
		int copy = dup(f->iommufd);

		race_begin(&race, copy);
		if (race_end(&race, __coherency_vm_add(&f->c, copy))) {
			expect_now(_metadata, h, true, 1);
			coherency_vm_del(&f->c, f->iommufd);
			expect_now(_metadata, h, false, 1);
		}
		expect_now(_metadata, h, false, 0);

		copy = dup(f->edu.fd);
		race_begin(&race, copy);
		if (race_end(&race, __vfio_vm_add(&h->v, copy))) {
			f->watches++;
			expect_now(_metadata, h, true, 1);
			vfio_vm_del(&h->v, f->edu.fd);
			f->watches--;
			expect_now(_metadata, h, false, 1);
		}
		expect_now(_metadata, h, false, 0);
	}
	race_stop(_metadata, &race);
	coherency_vm_add(&f->c, f->iommufd);
	coherency_vm_expect(&f->c, true, 1, "added after races with close");
}

/* The last fd of KVM's device is closed: no added iommufd outlives the device */
TEST_F(hostile, device_is_closed_meanwhile)
{
	struct hostile *h = &self->h;
	struct coherency_fixture *f = &h->f;
	struct race race;

	vfio_edu_attach(&f->edu, f->ioas);
	race_start(&race);
	while (race_goes_on(&race)) {
		race_begin(&race, f->c.device);
		race_end(&race, __coherency_vm_add(&f->c, f->iommufd));
		f->c.nr_iommufds = 0;
		/* The device was released, so another one can be created */
		f->c.device = kvm_create_device(h->v.vm, KVM_DEV_TYPE_IOMMUFD);
		EXPECT_EQ(0, __coherency_device_eventfd(f->c.device, f->c.eventfd));
		f->c.edges = coherency_device_status(f->c.device).edges;
		EXPECT_EQ(0, f->c.edges % 2);
		coherency_eventfd_read(f->c.eventfd);
		expect_now(_metadata, h, false, 0);
	}
	race_stop(_metadata, &race);
	coherency_vm_add(&f->c, f->iommufd);
	coherency_vm_expect(&f->c, true, 1, "added to the last of many devices");
}

/* The last fd of the iommufd is closed. The VM holds it if FD_ADD came first. */
TEST_F(hostile, iommufd_is_closed_meanwhile)
{
	struct hostile *h = &self->h;
	struct coherency_fixture *f = &h->f;
	struct race race;
	u32 added;

	race_start(&race);
	while (race_goes_on(&race)) {
		int iommufd = iommufd_open();

		race_begin(&race, iommufd);
		added = race_end(&race, __coherency_vm_add(&f->c, iommufd));
		EXPECT_EQ(added, coherency_device_status(f->c.device).nr_iommufds);
		coherency_device_close(&f->c);
		f->c.device = kvm_create_device(h->v.vm, KVM_DEV_TYPE_IOMMUFD);
	}
	race_stop(_metadata, &race);
	EXPECT_EQ(0, __coherency_device_eventfd(f->c.device, f->c.eventfd));
	coherency_vm_add(&f->c, f->iommufd);
	coherency_vm_expect(&f->c, false, 0, "added the last of many iommufds");
}

/* The last fd of the VFIO device is closed, which detaches the device */
TEST_F(hostile, vfio_device_is_closed_meanwhile)
{
	struct hostile *h = &self->h;
	struct coherency_fixture *f = &h->f;
	struct race race;

	coherency_vm_add(&f->c, f->iommufd);
	race_start(&race);
	while (race_goes_on(&race)) {
		race_begin(&race, f->edu.fd);
		race_end(&race, __vfio_edu_attach(&f->edu, f->ioas));
		f->c.edges = coherency_device_status(f->c.device).edges;
		EXPECT_EQ(0, f->c.edges % 2);
		coherency_eventfd_read(f->c.eventfd);
		EXPECT_EQ(0, iommufd_fdinfo(f->iommufd, "noncoherent-attachments"));
		vfio_edu_open(&f->edu, 0);
		vfio_edu_bind(&f->edu, f->iommufd);
		expect_now(_metadata, h, false, 0);
	}
	race_stop(_metadata, &race);
	vfio_edu_attach(&f->edu, f->ioas);
	coherency_vm_expect(&f->c, true, 1, "attached after races with close");
	EXPECT_TRUE(vfio_edu_reaches(&f->edu, f->mem, VFIO_EDU_IOVA));
}

/*
 * Memory
 */

/* Five pages: writable, unmapped, PROT_NONE, writable, and one for read_only() */
static char *map_pages(void)
{
	size_t page = getpagesize();
	char *mem = mmap(NULL, 5 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			 -1, 0);

	TEST_ASSERT(mem != MAP_FAILED, "mmap failed");
	memset(mem, 0, 5 * page);
	TEST_ASSERT(!munmap(mem + page, page), "munmap failed");
	TEST_ASSERT(!mprotect(mem + 2 * page, page, PROT_NONE), "mprotect failed");
	return mem;
}

/* Passes @addr to every ioctl that reads its argument, and every attribute that reads addr */
static void expect_unreadable(struct __test_metadata *_metadata, struct hostile *h, void *addr)
{
	static const unsigned long device_ioctls[] = {
		KVM_SET_DEVICE_ATTR, KVM_GET_DEVICE_ATTR, KVM_HAS_DEVICE_ATTR,
	};
	struct coherency_fixture *f = &h->f;
	int i;

	for (i = 0; i < ARRAY_SIZE(device_ioctls); i++)
		EXPECT_ERRNO(EFAULT, ioctl(f->c.device, device_ioctls[i], addr));
	EXPECT_ERRNO(EFAULT, ioctl(h->v.vm->fd, KVM_CREATE_DEVICE, addr));
	EXPECT_ERRNO(EFAULT, ioctl(h->v.vm->fd, KVM_ENABLE_CAP, addr));
	EXPECT_ERRNO(EFAULT, ioctl(f->edu.fd, VFIO_DEVICE_BIND_IOMMUFD, addr));
	EXPECT_ERRNO(EFAULT, ioctl(f->edu.fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT, addr));
	EXPECT_ERRNO(EFAULT, ioctl(f->edu.fd, VFIO_DEVICE_DETACH_IOMMUFD_PT, addr));

	for (i = KVM_DEV_IOMMUFD_FD_ADD; i <= KVM_DEV_IOMMUFD_FD_DEL; i++)
		EXPECT_ERRNO(EFAULT, __kvm_device_attr_set(f->c.device, KVM_DEV_IOMMUFD_FD, i,
							   addr));
	EXPECT_ERRNO(EFAULT, __kvm_device_attr_set(f->c.device, KVM_DEV_IOMMUFD_COHERENCY,
						   KVM_DEV_IOMMUFD_COHERENCY_EVENTFD, addr));
	EXPECT_ERRNO(EFAULT, __kvm_device_attr_get(f->c.device, KVM_DEV_IOMMUFD_COHERENCY,
						   KVM_DEV_IOMMUFD_COHERENCY_STATUS, addr));
	for (i = KVM_DEV_VFIO_FILE_ADD; i <= KVM_DEV_VFIO_FILE_DEL; i++)
		EXPECT_ERRNO(EFAULT, __kvm_device_attr_set(h->v.kvm_vfio, KVM_DEV_VFIO_FILE, i,
							   addr));
}

TEST_F(hostile, unreadable_memory)
{
	struct hostile *h = &self->h;
	struct coherency_fixture *f = &h->f;
	size_t page = getpagesize();
	char *mem = map_pages();
	void *bad[] = {
		NULL,
		mem + page,
		mem + page - 2,		/* only the first two bytes can be read */
		mem + 2 * page,
		mem + 2 * page + 8,
	};
	int i;

	coherency_vm_add(&f->c, f->iommufd);
	vfio_vm_add(&h->v, f->edu.fd);
	f->watches++;
	vfio_edu_attach(&f->edu, f->ioas);
	coherency_vm_expect(&f->c, true, 1, "before unreadable memory");
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		expect_unreadable(_metadata, h, bad[i]);
		expect_now(_metadata, h, true, 0);
	}
	/* The eventfd, the policy and the added iommufds have not changed */
	coherency_vm_expect(&f->c, true, 0, "after unreadable memory");
	EXPECT_TRUE(vfio_edu_reaches(&f->edu, f->mem, VFIO_EDU_IOVA));
	vfio_edu_detach(&f->edu);
	coherency_vm_expect(&f->c, false, 1, "detached after unreadable memory");
	coherency_vm_del(&f->c, f->iommufd);
	vfio_vm_del(&h->v, f->edu.fd);
}

/* Returns a copy of an ioctl's argument in read-only memory */
static void *read_only(char *mem, const void *arg, size_t size)
{
	size_t page = getpagesize();

	mem += 4 * page;
	TEST_ASSERT(!mprotect(mem, page, PROT_READ | PROT_WRITE), "mprotect failed");
	memcpy(mem, arg, size);
	TEST_ASSERT(!mprotect(mem, page, PROT_READ), "mprotect failed");
	return mem;
}

/* If the result cannot be written, the call is undone */
TEST_F(hostile, unwritable_memory)
{
	struct hostile *h = &self->h;
	struct coherency_fixture *f = &h->f;
	struct kvm_coherency_status status = { .size = sizeof(status) };
	struct vfio_device_attach_iommufd_pt attach = { .argsz = sizeof(attach) };
	struct vfio_device_bind_iommufd bind = { .argsz = sizeof(bind) };
	char *mem = map_pages();

	coherency_vm_add(&f->c, f->iommufd);
	EXPECT_ERRNO(EFAULT, __kvm_device_attr_get(f->c.device, KVM_DEV_IOMMUFD_COHERENCY,
						   KVM_DEV_IOMMUFD_COHERENCY_STATUS,
						   read_only(mem, &status, sizeof(status))));
	expect_now(_metadata, h, false, 0);

	vfio_edu_close(&f->edu);
	vfio_edu_open(&f->edu, 0);
	vfio_vm_add(&h->v, f->edu.fd);
	bind.iommufd = f->iommufd;
	EXPECT_ERRNO(EFAULT, ioctl(f->edu.fd, VFIO_DEVICE_BIND_IOMMUFD,
				   read_only(mem, &bind, sizeof(bind))));
	expect_now(_metadata, h, false, 0);
	vfio_edu_bind(&f->edu, f->iommufd);
	f->watches++;
	expect_now(_metadata, h, false, 0);

	/* The device was attached briefly, so there was permission briefly */
	attach.pt_id = f->ioas;
	EXPECT_ERRNO(EFAULT, ioctl(f->edu.fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT,
				   read_only(mem, &attach, sizeof(attach))));
	expect_now(_metadata, h, false, 2);
	EXPECT_FALSE(vfio_edu_reaches(&f->edu, f->mem, VFIO_EDU_IOVA));

	/* VFIO detaches even if the call was a replacement, so permission ends */
	vfio_edu_attach(&f->edu, f->ioas);
	expect_now(_metadata, h, true, 1);
	EXPECT_ERRNO(EFAULT, ioctl(f->edu.fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT,
				   read_only(mem, &attach, sizeof(attach))));
	coherency_vm_expect(&f->c, false, 1, "replaced and not told so");
	EXPECT_FALSE(vfio_edu_reaches(&f->edu, f->mem, VFIO_EDU_IOVA));
}

/* KVM installs the fd before it writes the result: the fd is there, but not reported */
TEST_F(hostile, unwritable_memory_for_a_device)
{
	struct hostile *h = &self->h;
	struct coherency_vm *c = &h->f.c;
	struct kvm_create_device create = { .type = KVM_DEV_TYPE_IOMMUFD };
	int fd;

	coherency_device_close(c);
	fd = dup(0);
	close(fd);
	EXPECT_ERRNO(EFAULT, ioctl(h->v.vm->fd, KVM_CREATE_DEVICE,
				   read_only(map_pages(), &create, sizeof(create))));
	EXPECT_ERRNO(EBUSY, __kvm_create_device(h->v.vm, KVM_DEV_TYPE_IOMMUFD));
	EXPECT_EQ(0, coherency_device_status(fd).nr_iommufds);
	close(fd);

	c->device = kvm_create_device(h->v.vm, KVM_DEV_TYPE_IOMMUFD);
	EXPECT_EQ(0, __coherency_device_eventfd(c->device, c->eventfd));
	coherency_vm_add(c, h->f.iommufd);
	coherency_vm_expect(c, false, 0, "created after one that nobody was told of");
}

/* References to the module, or -1 where it is built in */
static int module_users(void)
{
	FILE *file = fopen("/sys/module/kvm_iommufd/refcnt", "r");
	int users;

	if (!file)
		return -1;
	TEST_ASSERT(fscanf(file, "%d", &users) == 1, "The module's refcnt cannot be read");
	fclose(file);
	return users;
}

/*
 * No fd left
 */
#define MAX_FDS		64

static int exhaust_fds(int *fds)
{
	struct rlimit limit = { MAX_FDS, 4096 };
	int nr = 0;

	TEST_ASSERT(!setrlimit(RLIMIT_NOFILE, &limit), "setrlimit failed");
	while ((fds[nr] = fcntl(0, F_DUPFD_CLOEXEC, 0)) >= 0)
		nr++;
	TEST_ASSERT(errno == EMFILE, "An fd more than there can be");
	return nr;
}

TEST_F(hostile, no_fd_left)
{
	struct hostile *h = &self->h;
	struct coherency_fixture *f = &h->f;
	struct kvm_create_device iommufd = { .type = KVM_DEV_TYPE_IOMMUFD };
	struct kvm_create_device kvm_vfio = { .type = KVM_DEV_TYPE_VFIO };
	int fds[MAX_FDS], users, nr, i;

	coherency_device_close(&f->c);
	close(h->v.kvm_vfio);
	users = module_users();
	nr = exhaust_fds(fds);
	for (i = 0; i < 10; i++) {
		EXPECT_ERRNO(EMFILE, ioctl(h->v.vm->fd, KVM_CREATE_DEVICE, &iommufd));
		EXPECT_ERRNO(EMFILE, ioctl(h->v.vm->fd, KVM_CREATE_DEVICE, &kvm_vfio));
		EXPECT_ERRNO(EMFILE, ioctl(h->v.vm->kvm_fd, KVM_CREATE_VM, 0));
		EXPECT_ERRNO(EMFILE, ioctl(h->v.vm->fd, KVM_CREATE_VCPU, 1));
		EXPECT_ERRNO(EMFILE, open("/dev/iommu", O_RDWR));
	}
	/* Calls that need no fd still work */
	vfio_edu_attach(&f->edu, f->ioas);
	while (nr--)
		close(fds[nr]);
	EXPECT_EQ(users, module_users());

	/* A VM can have one of each kind, so none can be left of the failed calls */
	f->c.device = kvm_create_device(h->v.vm, KVM_DEV_TYPE_IOMMUFD);
	h->v.kvm_vfio = kvm_create_device(h->v.vm, KVM_DEV_TYPE_VFIO);
	EXPECT_EQ(0, __coherency_device_eventfd(f->c.device, f->c.eventfd));
	coherency_vm_add(&f->c, f->iommufd);
	coherency_vm_expect(&f->c, true, 1, "created when there were fds again");
}

/*
 * Refusals, and references: calls that fail many times leave nothing behind. If they
 * leaked a reference on a file or a VM then coherency_fixture_destroy() would notice.
 */
#define NR_FAILURES	100

/* The id of a new eventfd, which is the lowest one that is not in use */
static long next_eventfd(void)
{
	int fd = eventfd(0, 0);
	long id = iommufd_fdinfo(fd, "eventfd-id");

	TEST_ASSERT(id >= 0, "An eventfd has no number");
	close(fd);
	return id;
}

TEST_F(hostile, failures_hold_nothing)
{
	struct hostile *h = &self->h;
	struct coherency_fixture *f = &h->f;
	int null = open("/dev/null", O_RDWR), refusals = h->noncoherent ? -1 : 0, i;
	int users = module_users(), other = iommufd_open();
	long id = next_eventfd();
	struct coherency_vm forbid;
	struct vfio_vm v;

	coherency_vm_create(&forbid);
	v = (struct vfio_vm){ .vm = forbid.vm };
	v.kvm_vfio = kvm_create_device(v.vm, KVM_DEV_TYPE_VFIO);
	coherency_vm_policy(&forbid, KVM_NONCOHERENT_DMA_FORBID);
	vfio_edu_attach(&f->edu, f->ioas);
	coherency_vm_add(&f->c, f->iommufd);
	vfio_vm_add(&h->v, f->edu.fd);
	coherency_vm_expect(&f->c, true, 1, "before many failures");
	for (i = 0; i < NR_FAILURES; i++) {
		EXPECT_ERRNO(EEXIST, __coherency_vm_add(&f->c, f->iommufd));
		EXPECT_ERRNO(ENOENT, __coherency_vm_del(&f->c, other));
		EXPECT_ERRNO(EINVAL, __coherency_vm_add(&f->c, null));
		EXPECT_EQ(refusals, __coherency_vm_add(&forbid, f->iommufd));
		if (!refusals)
			coherency_vm_del(&forbid, f->iommufd);
		EXPECT_EQ(refusals, __vfio_vm_add(&v, f->edu.fd));
		if (!refusals)
			vfio_vm_del(&v, f->edu.fd);
		EXPECT_ERRNO(EEXIST, __vfio_vm_add(&h->v, f->edu.fd));
		EXPECT_ERRNO(ENOENT, __vfio_vm_del(&h->v, null));
		EXPECT_ERRNO(EINVAL, __coherency_device_eventfd(f->c.device, null));
		EXPECT_EQ(0, __coherency_device_eventfd(f->c.device, f->c.eventfd));
		EXPECT_ERRNO(EBUSY, __kvm_create_device(h->v.vm, KVM_DEV_TYPE_IOMMUFD));
	}
	coherency_vm_expect(&f->c, true, 0, "after many failures");
	close(v.kvm_vfio);
	coherency_vm_destroy(&forbid);
	EXPECT_EQ(users, module_users());

	/* KVM drops its reference to an eventfd when it gets another one */
	for (i = 0; i < NR_FAILURES; i++) {
		int fd = eventfd(0, 0);

		EXPECT_EQ(0, __coherency_device_eventfd(f->c.device, fd));
		close(fd);
	}
	EXPECT_EQ(0, __coherency_device_eventfd(f->c.device, f->c.eventfd));
	EXPECT_EQ(id, next_eventfd());
}

/* Devices 1 and 2 share a group. While 1 is attached, a VM with FORBID has the file of 2. */
TEST_F(hostile, bind_is_refused)
{
	struct hostile *h = &self->h;
	struct coherency_fixture *f = &h->f;
	struct vfio_edu first, second;
	long watches;

	vfio_edu_open(&first, 1);
	vfio_edu_open(&second, 2);
	ASSERT_EQ(vfio_edu_group(1), vfio_edu_group(2));
	vfio_edu_bind(&first, f->iommufd);
	vfio_edu_attach(&first, f->ioas);
	vfio_vm_add(&h->v, second.fd);
	coherency_vm_policy(&f->c, KVM_NONCOHERENT_DMA_FORBID);
	watches = iommufd_watches(f->iommufd);
	if (h->noncoherent) {
		EXPECT_ERRNO(EPERM, __vfio_edu_bind(&second, f->iommufd));
		EXPECT_ERRNO(EPERM, __vfio_edu_bind(&second, f->iommufd));
		EXPECT_EQ(watches, iommufd_watches(f->iommufd));
	}
	coherency_vm_expect(&f->c, false, 0, "BIND refused");

	coherency_vm_policy(&f->c, KVM_NONCOHERENT_DMA_FOLLOW);
	vfio_edu_bind(&second, f->iommufd);
	coherency_vm_expect(&f->c, true, 1, "BIND allowed after refusals");
	vfio_vm_del(&h->v, second.fd);
	vfio_edu_close(&second);
	vfio_edu_close(&first);
	coherency_vm_expect(&f->c, false, 1, "closed what was refused");
}

/*
 * The OOM killer
 */
#define DOOMED_MEMORY	(64 << 20)

static void *touch_memory(void *arg)
{
	for (;;)
		memset(arg, rand(), DOOMED_MEMORY);
	return NULL;
}

/* The VMM that the OOM killer will choose: it runs a guest, and uses memory */
static void doomed_vmm(int sock, int iommufd, u32 ioas)
{
	void *mem = mmap(NULL, DOOMED_MEMORY, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	struct coherency_vm c;
	struct vfio_edu edu;
	pthread_t thread;

	TEST_ASSERT(mem != MAP_FAILED, "mmap failed");
	TEST_ASSERT(fd >= 0 && write(fd, "1000", 4) == 4, "oom_score_adj cannot be written");
	TEST_ASSERT(!pthread_create(&thread, NULL, touch_memory, mem), "pthread_create failed");
	coherency_vm_create(&c);
	coherency_vm_add(&c, iommufd);
	vfio_edu_open(&edu, 0);
	vfio_edu_bind(&edu, iommufd);
	vfio_edu_attach(&edu, ioas);
	coherency_vm_run(&c);
	process_tell(sock);
	for (;;)
		coherency_vm_run(&c);
}

TEST_F(hostile, oom_killed)
{
	struct hostile *h = &self->h;
	struct coherency_fixture *f = &h->f;
	int sv[2], status, fd;
	pid_t pid;

	vfio_edu_close(&f->edu);
	coherency_vm_add(&f->c, f->iommufd);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sv));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		doomed_vmm(sv[1], f->iommufd, f->ioas);
		exit(1);
	}
	close(sv[1]);
	process_await(sv[0]);
	EXPECT_EQ(h->noncoherent, iommufd_fdinfo(f->iommufd, "noncoherent-attachments"));
	EXPECT_EQ(h->noncoherent, coherency_device_status(f->c.device).edges);

	/* Invoke the OOM killer */
	fd = open("/proc/sysrq-trigger", O_WRONLY | O_CLOEXEC);
	ASSERT_LE(0, fd);
	ASSERT_EQ(1, write(fd, "f", 1));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);

	/* Nothing of the VMM is left in the iommufd that it shared */
	coherency_vm_expect(&f->c, false, 2, "the VMM that attached was killed for its memory");
	EXPECT_EQ(1, iommufd_watches(f->iommufd));
	EXPECT_EQ(0, iommufd_watches_begun(f->iommufd));
	EXPECT_EQ(0, iommufd_fdinfo(f->iommufd, "noncoherent-attachments"));
	vfio_edu_open(&f->edu, 0);
	vfio_edu_bind(&f->edu, f->iommufd);
	EXPECT_FALSE(vfio_edu_reaches(&f->edu, f->mem, VFIO_EDU_IOVA));
	vfio_edu_attach(&f->edu, f->ioas);
	coherency_vm_expect(&f->c, true, 1, "attached by another VMM after the OOM killer");
	EXPECT_TRUE(vfio_edu_reaches(&f->edu, f->mem, VFIO_EDU_IOVA));
}

TEST_HARNESS_MAIN
