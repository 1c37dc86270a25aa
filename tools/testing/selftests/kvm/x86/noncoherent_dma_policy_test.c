// SPDX-License-Identifier: GPL-2.0
/*
 * The policies of KVM_CAP_NONCOHERENT_DMA, all their errors, and everything that
 * reports permission: status, statistics, debugfs, eventfd and tracepoints.
 *
 * Usage: noncoherent_dma_policy_test
 */
#include <sys/eventfd.h>
#include <sys/sysinfo.h>

#include "assert_errno.h"
#include "kvm_util.h"
#include "mock_device.h"
#include "noncoherent_dma.h"
#include "oracle.h"
#include "points.h"
#include "wbinvd_guest.h"

#define ROUNDS		50
#define FLOODERS	3
#define MANY_VMS	16
#define MANY_ROUNDS	8

#define ALL_POLICIES	(BIT(KVM_NONCOHERENT_DMA_FOLLOW) | BIT(KVM_NONCOHERENT_DMA_FORBID) | \
			 BIT(KVM_NONCOHERENT_DMA_NO_WBINVD))

/* A VM with a running vCPU, KVM's iommufd device and an eventfd on its edges */
struct vm {
	struct kvm_vm *vm;
	struct wbinvd_vcpu v;
	int device;
	int eventfd;
};

static struct vm create(void)
{
	struct vm vm;

	vm.vm = wbinvd_vm_create(&vm.v, 1);
	vm.device = coherency_device_create(vm.vm);
	vm.eventfd = eventfd(0, EFD_NONBLOCK);
	TEST_ASSERT(vm.eventfd >= 0, "eventfd: %s", strerror(errno));
	coherency_eventfd(vm.device, vm.eventfd);
	return vm;
}

static void destroy(struct vm *vm)
{
	close(vm->device);
	close(vm->eventfd);
	kvm_vm_free(vm->vm);
}

static uint64_t events(struct vm *vm)
{
	uint64_t n;

	return read(vm->eventfd, &n, sizeof(n)) == sizeof(n) ? n : 0;
}

/* Checks the status' flags and edges, and the number of events since the last check */
static void check(struct vm *vm, uint32_t flags, uint64_t edges, uint64_t new_events,
		  const char *when)
{
	struct kvm_coherency_status status = coherency_status(vm->device);
	uint64_t seen = events(vm);
	bool on = flags & KVM_COHERENCY_NONCOHERENT;

	TEST_ASSERT(status.flags == flags, "%s: flags 0x%x, wanted 0x%x", when, status.flags,
		    flags);
	TEST_ASSERT(status.edges == edges, "%s: %llu edges, wanted %lu", when,
		    (unsigned long long)status.edges, edges);
	TEST_ASSERT(seen == new_events, "%s: %lu events, wanted %lu", when, seen,
		    new_events);
	TEST_ASSERT(vm_stat(vm->vm, "noncoherent_dma_permission") == on,
		    "%s: statistic noncoherent_dma_permission", when);
	TEST_ASSERT(vm_stat(vm->vm, "noncoherent_dma_edges") == edges,
		    "%s: statistic noncoherent_dma_edges", when);
	TEST_ASSERT(debugfs_stat(vm->vm, "noncoherent_dma_permission") == on,
		    "%s: debugfs noncoherent_dma_permission", when);
	TEST_ASSERT(debugfs_stat(vm->vm, "noncoherent_dma_edges") == edges,
		    "%s: debugfs noncoherent_dma_edges", when);
}

#define ON	(KVM_COHERENCY_NONCOHERENT | KVM_COHERENCY_WBINVD)
#define ON_MUTE	KVM_COHERENCY_NONCOHERENT

static int enable_cap(struct kvm_vm *vm, uint32_t flags, uint64_t policy, unsigned int arg,
		      uint64_t value)
{
	struct kvm_enable_cap cap = {
		.cap = KVM_CAP_NONCOHERENT_DMA,
		.flags = flags,
		.args[0] = policy,
	};

	if (arg)
		cap.args[arg] = value;
	return __vm_ioctl(vm, KVM_ENABLE_CAP, &cap);
}

static void test_arguments(void)
{
	static const uint64_t unknown[] = { 3, 31, 32, 33, 63, 64, 1ULL << 32, ~0ULL };
	struct vm vm = create();
	unsigned int i;

	TEST_ASSERT(kvm_check_cap(KVM_CAP_NONCOHERENT_DMA) == ALL_POLICIES,
		    "the policies offered are 0x%x", kvm_check_cap(KVM_CAP_NONCOHERENT_DMA));
	TEST_ASSERT(vm_check_cap(vm.vm, KVM_CAP_NONCOHERENT_DMA) == ALL_POLICIES,
		    "the policies offered to a VM are 0x%x",
		    vm_check_cap(vm.vm, KVM_CAP_NONCOHERENT_DMA));

	for (i = 0; i < ARRAY_SIZE(unknown); i++)
		ASSERT_ERRNO(enable_cap(vm.vm, 0, unknown[i], 0, 0), EINVAL);
	for (i = 0; i < 32; i++)
		ASSERT_ERRNO(enable_cap(vm.vm, 1U << i, KVM_NONCOHERENT_DMA_FORBID, 0, 0), EINVAL);
	for (i = 1; i <= 3; i++) {
		ASSERT_ERRNO(enable_cap(vm.vm, 0, KVM_NONCOHERENT_DMA_FORBID, i, 1), EINVAL);
		ASSERT_ERRNO(enable_cap(vm.vm, 0, KVM_NONCOHERENT_DMA_FORBID, i, BIT_ULL(63)),
			     EINVAL);
	}
	TEST_ASSERT(coherency_status(vm.device).policy == KVM_NONCOHERENT_DMA_FOLLOW,
		    "a refused call changed the policy");

	for (i = 0; i <= 2; i++) {
		coherency_policy(vm.vm, i);
		TEST_ASSERT(coherency_status(vm.device).policy == i, "policy %u is not in force",
			    i);
	}
	check(&vm, 0, 0, 0, "policies without a device");
	destroy(&vm);
	passed("policies offered, and arguments refused");
}

static void test_forbid_attach(void)
{
	struct vm first = create(), forbids = create(), last = create();
	struct mock_iommufd mock = mock_iommufd_open();
	uint32_t attached;

	coherency_add(first.device, mock.fd);
	coherency_add(forbids.device, mock.fd);
	coherency_add(last.device, mock.fd);
	coherency_policy(forbids.vm, KVM_NONCOHERENT_DMA_FORBID);

	ASSERT_ERRNO(__mock_attach(&mock, mock.ioas), EPERM);
	check(&first, 0, 0, 0, "asked before the VM that refuses");
	check(&forbids, 0, 0, 0, "the VM that refuses");
	check(&last, 0, 0, 0, "asked after the VM that refuses");

	/* This fails with EBUSY if anything is still reserved */
	coherency_policy(first.vm, KVM_NONCOHERENT_DMA_FORBID);
	coherency_policy(last.vm, KVM_NONCOHERENT_DMA_FORBID);
	ASSERT_ERRNO(__mock_attach(&mock, mock.ioas), EPERM);
	coherency_policy(first.vm, KVM_NONCOHERENT_DMA_FOLLOW);
	coherency_policy(last.vm, KVM_NONCOHERENT_DMA_FOLLOW);

	coherency_policy(forbids.vm, KVM_NONCOHERENT_DMA_FOLLOW);
	attached = mock_attach(&mock);
	check(&first, ON, 1, 1, "no VM refuses any more");
	check(&forbids, ON, 1, 1, "no VM refuses any more");
	check(&last, ON, 1, 1, "no VM refuses any more");
	mock_detach(&mock, attached);
	check(&first, 0, 2, 1, "detached");
	check(&forbids, 0, 2, 1, "detached");
	check(&last, 0, 2, 1, "detached");

	mock_iommufd_close(&mock);
	destroy(&first);
	destroy(&forbids);
	destroy(&last);
	passed("FORBID refuses an attach, and nobody else sees it");
}

static void test_forbid_add(void)
{
	struct vm vm = create(), other = create();
	struct mock_iommufd mock = mock_iommufd_open(), idle = mock_iommufd_open();
	uint32_t attached;

	attached = mock_attach(&mock);
	coherency_add(other.device, mock.fd);
	check(&other, ON, 1, 1, "added when non-coherent already");

	coherency_policy(vm.vm, KVM_NONCOHERENT_DMA_FORBID);
	coherency_add(vm.device, idle.fd);
	ASSERT_ERRNO(__coherency_add(vm.device, mock.fd), EPERM);
	ASSERT_ERRNO(__coherency_del(vm.device, mock.fd), ENOENT);
	check(&vm, 0, 0, 0, "refused FD_ADD");
	check(&other, ON, 1, 0, "another VM's FD_ADD was refused");
	TEST_ASSERT(coherency_status(vm.device).nr_iommufds == 1, "a refused iommufd was added");

	mock_detach(&mock, attached);
	coherency_add(vm.device, mock.fd);
	ASSERT_ERRNO(__mock_attach(&mock, mock.ioas), EPERM);
	check(&other, 0, 2, 1, "a VM that shares the iommufd refused");

	/* The VM does not refuse for an iommufd that it does not watch */
	coherency_del(vm.device, mock.fd);
	attached = mock_attach(&mock);
	check(&vm, 0, 0, 0, "deleted iommufd");
	check(&other, ON, 3, 1, "deleted from the VM that refuses");
	mock_detach(&mock, attached);

	mock_iommufd_close(&mock);
	mock_iommufd_close(&idle);
	destroy(&vm);
	destroy(&other);
	passed("FORBID refuses FD_ADD of a non-coherent iommufd");
}

static void test_forbid_busy(void)
{
	struct vm vm = create();
	struct mock_iommufd mock = mock_iommufd_open();
	uint32_t attached;

	coherency_add(vm.device, mock.fd);
	attached = mock_attach(&mock);
	ASSERT_ERRNO(__coherency_policy(vm.vm, KVM_NONCOHERENT_DMA_FORBID), EBUSY);
	check(&vm, ON, 1, 1, "FORBID while attached");
	TEST_ASSERT(coherency_status(vm.device).policy == KVM_NONCOHERENT_DMA_FOLLOW,
		    "EBUSY changed the policy");
	coherency_policy(vm.vm, KVM_NONCOHERENT_DMA_NO_WBINVD);
	ASSERT_ERRNO(__coherency_policy(vm.vm, KVM_NONCOHERENT_DMA_FORBID), EBUSY);
	check(&vm, ON_MUTE, 1, 0, "FORBID while attached and mute");

	mock_detach(&mock, attached);
	coherency_policy(vm.vm, KVM_NONCOHERENT_DMA_FORBID);
	ASSERT_ERRNO(__mock_attach(&mock, mock.ioas), EPERM);
	check(&vm, 0, 2, 1, "FORBID after the detach");

	mock_iommufd_close(&mock);
	destroy(&vm);
	passed("FORBID is EBUSY while there is permission");
}

struct attaching {
	struct mock_iommufd *mock;
	uint64_t returned;
	int dev;
};

static void *attach_thread(void *data)
{
	struct attaching *a = data;

	a->dev = __mock_attach(a->mock, a->mock->ioas);
	__atomic_store_n(&a->returned, 1, __ATOMIC_RELEASE);
	return NULL;
}

/*
 * The VM's watch has reserved for an attach that still waits for another watch. The VM
 * cannot switch to FORBID until the attach has succeeded or failed.
 */
static void test_forbid_promised(void)
{
	struct vm vm = create();
	struct mock_iommufd mock = mock_iommufd_open();
	struct attaching a = { .mock = &mock };
	pthread_t thread;
	int slow, ret, error;

	/* Watches reserve in the order in which they were added */
	coherency_add(vm.device, mock.fd);
	slow = mock_slow_watch(&mock);
	TEST_ASSERT(!pthread_create(&thread, NULL, attach_thread, &a), "pthread_create");
	mock_watch_wait(slow);
	ret = __coherency_policy(vm.vm, KVM_NONCOHERENT_DMA_FORBID);
	error = errno;
	TEST_ASSERT(!__atomic_load_n(&a.returned, __ATOMIC_ACQUIRE), "the attach did not wait");
	mock_watch_let_go(slow);
	pthread_join(thread, NULL);

	TEST_ASSERT(a.dev >= 0, "the attach failed, FORBID returned %d", ret);
	TEST_ASSERT(ret && error == EBUSY, "FORBID returned %d, %s, while an attach was promised",
		    ret, strerror(error));
	check(&vm, ON, 1, 1, "FORBID refused, attached");
	mock_detach(&mock, a.dev);
	coherency_policy(vm.vm, KVM_NONCOHERENT_DMA_FORBID);

	close(slow);
	mock_iommufd_close(&mock);
	destroy(&vm);
	passed("FORBID is EBUSY while an attach is promised");
}

static void test_no_wbinvd(void)
{
	struct vm vm = create();
	struct mock_iommufd mock = mock_iommufd_open();
	struct kvm_coherency_status status;
	uint32_t attached;

	wbinvd_vcpu_start(&vm.v);
	coherency_add(vm.device, mock.fd);
	coherency_policy(vm.vm, KVM_NONCOHERENT_DMA_NO_WBINVD);

	oracle_phase(1, 0, "NO_WBINVD, attach and 100 WBINVDs");
	attached = mock_attach(&mock);
	wbinvd_vcpu_wbinvd(&vm.v, 100);
	oracle_end();
	check(&vm, ON_MUTE, 1, 1, "NO_WBINVD, attached");

	coherency_policy(vm.vm, KVM_NONCOHERENT_DMA_FOLLOW);
	check(&vm, ON, 1, 0, "FOLLOW, attached");
	oracle_phase(2, 100, "FOLLOW while attached, 100 WBINVDs");
	wbinvd_vcpu_wbinvd(&vm.v, 100);
	oracle_end();

	coherency_policy(vm.vm, KVM_NONCOHERENT_DMA_NO_WBINVD);
	oracle_phase(3, 0, "NO_WBINVD while attached, 100 WBINVDs");
	wbinvd_vcpu_wbinvd(&vm.v, 100);
	oracle_end();
	check(&vm, ON_MUTE, 1, 0, "NO_WBINVD again");

	mock_detach(&mock, attached);
	coherency_policy(vm.vm, KVM_NONCOHERENT_DMA_FOLLOW);
	oracle_phase(4, 0, "FOLLOW, detached, 100 WBINVDs");
	wbinvd_vcpu_wbinvd(&vm.v, 100);
	oracle_end();
	check(&vm, 0, 2, 1, "FOLLOW, detached");

	status = coherency_status(vm.device);
	TEST_ASSERT(status.wbinvd_flushed == 100 && status.wbinvd_ignored == 300,
		    "%llu WBINVDs flushed and %llu ignored, wanted 100 and 300",
		    (unsigned long long)status.wbinvd_flushed,
		    (unsigned long long)status.wbinvd_ignored);

	wbinvd_vcpu_stop(&vm.v);
	mock_iommufd_close(&mock);
	destroy(&vm);
	passed("NO_WBINVD keeps permission, and mutes WBINVD");
}

static void wait_for_floods(struct wbinvd_vcpu *v, unsigned int nr)
{
	unsigned int i;

	/* Wait for two: the WBINVD under way may have begun before */
	for (i = 0; i < nr; i++)
		wait_until(&v[i].guest->flooded, v[i].guest->flooded + 2, "flood of WBINVDs");
}

static void wait_for_vms(struct vm *vms, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		wait_for_floods(&vms[i].v, 1);
}

/* vCPUs that execute WBINVD all the time, each on a CPU of its own if there are enough */
struct flood {
	unsigned int nr;
	unsigned int first_cpu;
	unsigned int rounds;
};

/*
 * If KVM did not wait, a flush would be too late in one of some tens of rounds. An argument
 * is the number of them for a kernel on which each takes long.
 */
static unsigned int race_rounds = 10 * ROUNDS;

/* Pins the caller, which takes the vCPUs' permission away, to a CPU beside theirs */
static struct flood flood_prepare(void)
{
	unsigned int nr_cpus = get_nprocs();

	pin_self(nr_cpus - 1);
	if (nr_cpus < WBINVD_GUEST_FIRST_CPU + FLOODERS)
		return (struct flood) { .nr = 1, .rounds = ROUNDS };
	return (struct flood) {
		.nr = FLOODERS,
		.first_cpu = WBINVD_GUEST_FIRST_CPU,
		.rounds = race_rounds,
	};
}

static void flood_start(struct wbinvd_vcpu *v, unsigned int cpu)
{
	v->guest->flood = 1;
	wbinvd_vcpu_start(v);
	wbinvd_vcpu_migrate(v, cpu);
}

/*
 * Takes permission away while vCPUs execute WBINVD, by policy and by detach. Any
 * flush that the oracle counts after the call has returned is an error.
 */
static void test_no_leftover(void)
{
	struct mock_iommufd mock = mock_iommufd_open();
	struct wbinvd_vcpu v[FLOODERS];
	struct flood flood = flood_prepare();
	unsigned int i;
	uint32_t attached;
	struct kvm_vm *vm;
	int device;

	vm = wbinvd_vm_create(v, flood.nr);
	device = coherency_device_create(vm);
	coherency_add(device, mock.fd);
	for (i = flood.nr; i--;)
		flood_start(&v[i], flood.first_cpu + i);

	attached = mock_attach(&mock);
	oracle_rounds(5, flood.rounds, "0", "no flush after NO_WBINVD has returned");
	for (i = 0; i < flood.rounds; i++) {
		coherency_policy(vm, KVM_NONCOHERENT_DMA_FOLLOW);
		wait_for_floods(v, flood.nr);
		coherency_policy(vm, KVM_NONCOHERENT_DMA_NO_WBINVD);
		oracle_mark(5);
		wait_for_floods(v, flood.nr);
		oracle_end();
	}
	mock_detach(&mock, attached);
	coherency_policy(vm, KVM_NONCOHERENT_DMA_FOLLOW);

	oracle_rounds(6, flood.rounds, "0", "no flush after the detach has returned");
	for (i = 0; i < flood.rounds; i++) {
		attached = mock_attach(&mock);
		wait_for_floods(v, flood.nr);
		mock_detach(&mock, attached);
		oracle_mark(6);
		wait_for_floods(v, flood.nr);
		oracle_end();
	}

	oracle_rounds(7, ROUNDS, "0", "no flush after FD_DEL has returned");
	attached = mock_attach(&mock);
	for (i = 0; i < ROUNDS; i++) {
		wait_for_floods(v, flood.nr);
		coherency_del(device, mock.fd);
		oracle_mark(7);
		wait_for_floods(v, flood.nr);
		oracle_end();
		coherency_add(device, mock.fd);
	}
	mock_detach(&mock, attached);

	for (i = 0; i < flood.nr; i++)
		wbinvd_vcpu_stop(&v[i]);
	close(device);
	mock_iommufd_close(&mock);
	kvm_vm_free(vm);
	passed("no WBINVD is left over");
}

static void count_start(const char *text, void *data)
{
	unsigned int *nr = data;

	*nr += !!strstr(text, " start");
}

/*
 * VMs that lose permission by one detach wait for one grace period, however many they are.
 * Other users of RCU start grace periods as well, so the round with the fewest counts: one
 * for each VM would be in every round.
 */
static void test_grace_periods(void)
{
	struct mock_iommufd mock = mock_iommufd_open();
	unsigned int i, round, nr, least = UINT_MAX;
	struct vm vms[MANY_VMS];
	uint32_t attached;

	for (i = 0; i < MANY_VMS; i++) {
		vms[i] = create();
		coherency_add(vms[i].device, mock.fd);
	}
	for (round = 1; round <= MANY_ROUNDS; round++) {
		attached = mock_attach(&mock);
		trace_clear();
		trace_event("rcu/rcu_grace_period", true);
		mock_detach(&mock, attached);
		trace_event("rcu/rcu_grace_period", false);
		for (i = 0; i < MANY_VMS; i++)
			check(&vms[i], 0, 2 * round, 2, "a detach with many VMs");
		nr = 0;
		trace_lines("rcu_grace_period", count_start, &nr);
		if (nr < least)
			least = nr;
	}
	printf("# %u VMs lost permission in %u grace periods\n", MANY_VMS, least);
	TEST_ASSERT(least, "permission went without a grace period");
	TEST_ASSERT(least < MANY_VMS / 2, "%u VMs lost permission in %u grace periods", MANY_VMS,
		    least);

	for (i = 0; i < MANY_VMS; i++)
		destroy(&vms[i]);
	mock_iommufd_close(&mock);
	passed("VMs that lose permission together wait together");
}

/* Sharing a grace period, the detach still waits for the WBINVDs of each VM's guest */
static void test_no_leftover_of_many(void)
{
	struct mock_iommufd mock = mock_iommufd_open();
	struct flood flood = flood_prepare();
	struct vm vms[FLOODERS];
	uint32_t attached;
	unsigned int i;

	for (i = flood.nr; i--;) {
		vms[i] = create();
		coherency_add(vms[i].device, mock.fd);
		flood_start(&vms[i].v, flood.first_cpu + i);
	}
	oracle_rounds(8, flood.rounds, "0", "no flush of any VM after the detach has returned");
	for (i = 0; i < flood.rounds; i++) {
		attached = mock_attach(&mock);
		wait_for_vms(vms, flood.nr);
		mock_detach(&mock, attached);
		oracle_mark(8);
		wait_for_vms(vms, flood.nr);
		oracle_end();
	}
	for (i = 0; i < flood.nr; i++) {
		wbinvd_vcpu_stop(&vms[i].v);
		destroy(&vms[i]);
	}
	mock_iommufd_close(&mock);
	passed("no WBINVD is left over of several VMs");
}

/* Permission stays on, without an edge, until the last of two sources ends */
static void test_two_sources(void)
{
	struct mock_iommufd mock = mock_iommufd_open(), other = mock_iommufd_open();
	uint32_t attached, others;
	struct vm vm = create();
	unsigned int i;

	coherency_add(vm.device, mock.fd);
	coherency_add(vm.device, other.fd);
	for (i = 0; i < 3; i++) {
		attached = mock_attach(&mock);
		others = mock_attach(&other);
		check(&vm, ON, 2 * i + 1, 1, "two sources");
		mock_detach(&mock, attached);
		check(&vm, ON, 2 * i + 1, 0, "one of two sources is left");
		mock_detach(&other, others);
		check(&vm, 0, 2 * i + 2, 1, "no source is left");
	}
	destroy(&vm);
	mock_iommufd_close(&mock);
	mock_iommufd_close(&other);
	passed("permission goes with the last of two sources");
}

struct wbinvd_lines {
	unsigned int flushed;
	unsigned int ignored;
};

static void wbinvd_line(const char *text, void *data)
{
	struct wbinvd_lines *lines = data;
	unsigned int vcpu, cpus;

	TEST_ASSERT(sscanf(text, "vcpu=%u flushed_cpus=%u", &vcpu, &cpus) == 2 &&
		    !vcpu && cpus <= 1,
		    "kvm_wbinvd traced: %s", text);
	if (cpus)
		lines->flushed++;
	else
		lines->ignored++;
}

static void edge_line(const char *text, void *data)
{
	unsigned int *on_off = data;
	char permission[4];
	unsigned int cpus;
	int pid, zapped;

	TEST_ASSERT(sscanf(text, "vm=%d permission=%3s zapped=%d flushed_cpus=%u", &pid, permission,
			   &zapped, &cpus) == 4 && pid == getpid(),
		    "kvm_noncoherent_dma traced: %s", text);
	on_off[!strcmp(permission, "on")]++;
}

static void test_visibility(void)
{
	struct vm vm = create();
	struct mock_iommufd mock = mock_iommufd_open();
	struct wbinvd_lines lines = {};
	unsigned int edges[2] = {};
	uint32_t attached;

	pin_self(0);
	coherency_add(vm.device, mock.fd);
	wbinvd_vcpu_start(&vm.v);
	trace_event("kvm/kvm_wbinvd", true);
	trace_event("kvm/kvm_noncoherent_dma", true);
	trace_clear();

	wbinvd_vcpu_wbinvd(&vm.v, 3);
	attached = mock_attach(&mock);
	wbinvd_vcpu_wbinvd(&vm.v, 5);
	mock_detach(&mock, attached);
	wbinvd_vcpu_wbinvd(&vm.v, 4);

	trace_event("kvm/kvm_wbinvd", false);
	trace_event("kvm/kvm_noncoherent_dma", false);

	trace_lines("kvm_wbinvd", wbinvd_line, &lines);
	TEST_ASSERT(lines.flushed == 5 && lines.ignored == 7, "%u flushed, %u ignored were traced",
		    lines.flushed, lines.ignored);
	trace_lines("kvm_noncoherent_dma", edge_line, edges);
	TEST_ASSERT(edges[0] == 1 && edges[1] == 1, "%u edges to on, %u to off were traced",
		    edges[1], edges[0]);

	wbinvd_vcpu_stop(&vm.v);
	TEST_ASSERT(vcpu_stat(vm.v.vcpu, "wbinvd_flushed") == 5, "statistic wbinvd_flushed");
	TEST_ASSERT(vcpu_stat(vm.v.vcpu, "wbinvd_ignored") == 7, "statistic wbinvd_ignored");
	TEST_ASSERT(debugfs_stat(vm.vm, "wbinvd_flushed") == 5, "debugfs wbinvd_flushed");
	TEST_ASSERT(debugfs_stat(vm.vm, "wbinvd_ignored") == 7, "debugfs wbinvd_ignored");
	check(&vm, 0, 2, 2, "at the end");

	mock_iommufd_close(&mock);
	destroy(&vm);
	passed("statistics, debugfs, eventfd and tracepoints agree");
}

int main(int argc, char **argv)
{
	if (argc > 1)
		race_rounds = atoi_positive("Number of rounds", argv[1]);

	/* Counts are exact on one CPU: a WBINVD flushes every CPU that the vCPU ran on */
	pin_self(0);

	test_arguments();
	test_forbid_attach();
	test_forbid_add();
	test_forbid_busy();
	test_forbid_promised();
	test_no_wbinvd();
	test_visibility();
	test_no_leftover();
	test_two_sources();
	test_no_leftover_of_many();
	if (!access(TRACING "events/rcu/rcu_grace_period", F_OK))
		test_grace_periods();
	else
		passed("VMs that lose permission together # SKIP no CONFIG_RCU_TRACE");
	return 0;
}
