// SPDX-License-Identifier: GPL-2.0
/*
 * Everything at once: vCPUs execute WBINVD without end and migrate, while
 * devices are attached, moved and detached, iommufds added and deleted, the
 * policy and the memory slots changed, and VMs created and destroyed. Meant for
 * a debug kernel, or one with KCSAN. Afterwards permission has to be off, and
 * WBINVD must not flush.
 *
 * Usage: noncoherent_dma_race_test SECONDS EDGES [zap]
 *
 * With "zap" edges have to zap and flush, and one more edge at the end has to flush only
 * the CPUs of the vCPUs. Fewer edges fit into a second then, since vCPUs fault their pages
 * in again. On AMD that needs the module guest_pat_ignorable.
 *
 * Needs three CPUs more than vCPUs: one to migrate to, one for VMs that come and go,
 * and the first one, on which no vCPU runs, as wbinvd_guest.h says.
 *
 * Runs until both SECONDS and EDGES are reached, but at most LIMIT times SECONDS.
 */
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/sysinfo.h>
#include <time.h>

#include "kvm_util.h"
#include "mock_device.h"
#include "noncoherent_dma.h"
#include "oracle.h"
#include "wbinvd_guest.h"

#define LIMIT		10
#define NR_VCPUS	WBINVD_GUEST_VCPUS
#define SHARED		2	/* iommufds that the VM with the vCPUs watches */
#define ALONE		4	/* iommufds with a VM of their own, for more edges at a time */

static bool over;

/* Edges of VMs that have been destroyed */
static uint64_t edges_before;

static struct kvm_vm *main_vm;
static int main_device;
static struct wbinvd_vcpu vcpus[NR_VCPUS];
static struct mock_iommufd shared[SHARED];

/* The CPUs that the vCPUs are on, and one that none is on */
static unsigned int cpu_of[NR_VCPUS];
static unsigned int free_cpu = WBINVD_GUEST_FIRST_CPU + NR_VCPUS;

#define VMS_CPU		(WBINVD_GUEST_FIRST_CPU + NR_VCPUS + 1)
#define TEST_CPUS	(VMS_CPU + 1)

struct alone {
	struct mock_iommufd mock;
	struct kvm_vm *vm;
	int device;
};

static struct alone alone[ALONE];

/* Counts per thread, to notice a thread that does nothing */
struct worker {
	pthread_t thread;
	const char *name;
	void (*work)(struct worker *worker);
	unsigned int index;
	unsigned int seed;
	uint64_t times;
	uint64_t refused;
};

static bool is_over(void)
{
	return __atomic_load_n(&over, __ATOMIC_ACQUIRE);
}

static unsigned int any_of(struct worker *worker, unsigned int n)
{
	return rand_r(&worker->seed) % n;
}

/* Calls may fail with the errno that FORBID causes at any time, and with no other */
static bool refused(struct worker *worker, int ret, int allowed)
{
	if (ret >= 0)
		return false;
	TEST_ASSERT(errno == allowed, "%s: %s", worker->name, strerror(errno));
	worker->refused++;
	return true;
}

static void attach_and_detach(struct worker *worker, struct mock_iommufd *mock, uint32_t other)
{
	int first, second = -1;

	first = __mock_attach(mock, mock->ioas);
	if (refused(worker, first, EPERM))
		return;
	if (any_of(worker, 2))
		second = mock_attach(mock);
	if (any_of(worker, 2))
		TEST_ASSERT(!mock_replace(mock, first, other), "replace: %s", strerror(errno));
	mock_detach(mock, first);
	if (second >= 0)
		mock_detach(mock, second);
}

static void work_shared(struct worker *worker)
{
	struct mock_iommufd *mock = &shared[worker->index];
	uint32_t other = mock_ioas_alloc(mock);

	while (!is_over()) {
		attach_and_detach(worker, mock, other);
		worker->times++;
	}
}

/* Edges by FD_ADD and FD_DEL, since creating a mock device takes much longer */
static void work_alone(struct worker *worker)
{
	struct alone *a = &alone[worker->index];
	uint32_t other = mock_ioas_alloc(&a->mock);
	uint32_t attached;
	int i;

	while (!is_over()) {
		attach_and_detach(worker, &a->mock, other);
		attached = mock_attach(&a->mock);
		for (i = 0; i < 100 && !is_over(); i++) {
			coherency_del(a->device, a->mock.fd);
			coherency_add(a->device, a->mock.fd);
		}
		mock_detach(&a->mock, attached);
		worker->times++;
	}
}

/* Deletes and adds an iommufd whose devices come and go meanwhile */
static void work_add_del(struct worker *worker)
{
	struct mock_iommufd *mock = &shared[worker->index];

	while (!is_over()) {
		coherency_del(main_device, mock->fd);
		/* The iommufd has to be added at the end */
		while (refused(worker, __coherency_add(main_device, mock->fd), EPERM))
			sched_yield();
		worker->times++;
	}
}

static void work_policy(struct worker *worker)
{
	while (!is_over()) {
		refused(worker, __coherency_policy(main_vm, any_of(worker, 3)), EBUSY);
		/* FOLLOW most of the time, so that attaches are not refused */
		if (any_of(worker, 4))
			coherency_policy(main_vm, KVM_NONCOHERENT_DMA_FOLLOW);
		worker->times++;
	}
	coherency_policy(main_vm, KVM_NONCOHERENT_DMA_FOLLOW);
}

/* Turns dirty logging of the guest's memory on and off, and a slot with it */
static void work_slots(struct worker *worker)
{
	struct userspace_mem_region *region = memslot2region(main_vm, 0);
	struct kvm_userspace_memory_region code = {
		.guest_phys_addr = region->region.guest_phys_addr,
		.memory_size = region->region.memory_size,
		.userspace_addr = region->region.userspace_addr,
	};
	struct kvm_userspace_memory_region extra = {
		.slot = 20,
		.guest_phys_addr = 1ULL << 32,
		.userspace_addr = region->region.userspace_addr,
	};

	while (!is_over()) {
		code.flags ^= KVM_MEM_LOG_DIRTY_PAGES;
		vm_ioctl(main_vm, KVM_SET_USER_MEMORY_REGION, &code);
		extra.memory_size ^= getpagesize();
		vm_ioctl(main_vm, KVM_SET_USER_MEMORY_REGION, &extra);
		worker->times++;
	}
}

static void work_vms(struct worker *worker)
{
	struct wbinvd_vcpu v;
	struct kvm_vm *vm;
	int device, i;

	/* vCPU threads inherit the affinity */
	pin_self(VMS_CPU);
	while (!is_over()) {
		vm = wbinvd_vm_create(&v, 1);
		device = coherency_device_create(vm);
		for (i = 0; i < SHARED; i++)
			coherency_add(device, shared[i].fd);
		v.guest->wanted = 10;
		wbinvd_vcpu_start(&v);
		if (any_of(worker, 2))
			coherency_del(device, shared[0].fd);
		wbinvd_vcpu_wait(&v);
		wbinvd_vcpu_stop(&v);

		__atomic_fetch_add(&edges_before, coherency_status(device).edges, __ATOMIC_RELAXED);
		/* Either close may drop the last reference to the VM */
		if (any_of(worker, 2)) {
			close(device);
			kvm_vm_free(vm);
		} else {
			kvm_vm_free(vm);
			close(device);
		}
		worker->times++;
	}
}

/* Migrates one vCPU at a time, to the CPU that none is on */
static void work_migrate(struct worker *worker)
{
	unsigned int v, cpu;

	while (!is_over()) {
		v = any_of(worker, NR_VCPUS);
		cpu = cpu_of[v];
		TEST_ASSERT(!pin_to(vcpus[v].tid, free_cpu), "sched_setaffinity: %s",
			    strerror(errno));
		cpu_of[v] = free_cpu;
		free_cpu = cpu;
		worker->times++;
		sched_yield();
	}
}

static struct worker workers[] = {
	{ .name = "attach, replace, detach 0", .work = work_shared, .index = 0 },
	{ .name = "attach, replace, detach 1", .work = work_shared, .index = 1 },
	{ .name = "alone 0", .work = work_alone, .index = 0 },
	{ .name = "alone 1", .work = work_alone, .index = 1 },
	{ .name = "alone 2", .work = work_alone, .index = 2 },
	{ .name = "alone 3", .work = work_alone, .index = 3 },
	{ .name = "delete, add", .work = work_add_del, .index = 1 },
	{ .name = "policy", .work = work_policy },
	{ .name = "memory slots", .work = work_slots },
	{ .name = "VMs", .work = work_vms },
	{ .name = "migration", .work = work_migrate },
};

static void *work(void *data)
{
	struct worker *worker = data;

	worker->work(worker);
	return NULL;
}

/* Traces edges that zapped and flushed. The trace buffer keeps the last ones. */
static void trace_work(bool on)
{
	trace_write("events/kvm/kvm_noncoherent_dma/filter",
		    on ? "zapped == 1 && flushed > 0" : "0");
	trace_event("kvm/kvm_noncoherent_dma", on);
}

static void add_flushed(const char *text, void *data)
{
	uint64_t *cpus = data;
	unsigned int flushed;

	TEST_ASSERT(sscanf(text, "vm=%*d permission=on zapped=1 flushed_cpus=%u", &flushed) == 1,
		    "kvm_noncoherent_dma traced: %s", text);
	*cpus += flushed;
}

static void check_work(void)
{
	uint64_t cpus = 0;
	unsigned int edges;

	edges = trace_lines("kvm_noncoherent_dma", add_flushed, &cpus);
	TEST_ASSERT(edges && cpus, "no edge zapped and flushed");
	printf("ok 2 - at least %u edges zapped, and flushed %lu CPUs\n", edges, cpus);
}

/* A WBINVD resets each vCPU's mask to its CPU, so the flushes of the next edge are known */
static void check_last_edge(void)
{
	unsigned int flushes[TEST_CPUS] = {}, i;
	char cpus[2 * TEST_CPUS + 2] = "";
	uint32_t attached;

	for (i = 0; i < NR_VCPUS; i++) {
		__atomic_store_n(&vcpus[i].guest->flood, 0, __ATOMIC_RELAXED);
		wbinvd_vcpu_dirty(&vcpus[i]);
		flushes[cpu_of[i]] = 1;
	}
	for (i = 0; i < TEST_CPUS; i++)
		sprintf(cpus + strlen(cpus), "%u%s", flushes[i], i < TEST_CPUS - 1 ? "," : "/0");

	attached = mock_attach(&shared[0]);
	for (i = 0; i < NR_VCPUS; i++)
		wbinvd_vcpu_wbinvd(&vcpus[i], 1);
	mock_detach(&shared[0], attached);

	oracle_phase_cpus(2, cpus, "one more edge flushes the CPUs of the vCPUs alone");
	attached = mock_attach(&shared[0]);
	oracle_end();
	mock_detach(&shared[0], attached);
}

static uint64_t total_edges(void)
{
	uint64_t edges = __atomic_load_n(&edges_before, __ATOMIC_RELAXED);
	int i;

	edges += coherency_status(main_device).edges;
	for (i = 0; i < ALONE; i++)
		edges += coherency_status(alone[i].device).edges;
	return edges;
}

static void create(void)
{
	int i;

	main_vm = wbinvd_vm_create(vcpus, NR_VCPUS);
	main_device = coherency_device_create(main_vm);
	for (i = 0; i < SHARED; i++) {
		shared[i] = mock_iommufd_open();
		coherency_add(main_device, shared[i].fd);
	}
	for (i = 0; i < ALONE; i++) {
		alone[i].mock = mock_iommufd_open();
		alone[i].vm = vm_create_barebones();
		alone[i].device = coherency_device_create(alone[i].vm);
		coherency_add(alone[i].device, alone[i].mock.fd);
	}
	for (i = 0; i < NR_VCPUS; i++) {
		vcpus[i].guest->flood = 1;
		cpu_of[i] = WBINVD_GUEST_FIRST_CPU + i;
		pin_self(cpu_of[i]);
		wbinvd_vcpu_start(&vcpus[i]);
	}
	unpin_self();
}

static uint64_t seconds_since(const struct timespec *start)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec - start->tv_sec;
}

/* Returns when @seconds have passed and there have been @edges */
static void wait_for(unsigned int seconds, uint64_t edges)
{
	struct timespec start, tick = { .tv_nsec = 100000000 };
	uint64_t flooded = 0, shown = 0, passed;
	unsigned int i;

	clock_gettime(CLOCK_MONOTONIC, &start);
	while ((passed = seconds_since(&start)) < seconds || total_edges() < edges) {
		TEST_ASSERT(passed < (uint64_t)seconds * LIMIT,
			    "%lu of %lu edges in %lu s", total_edges(), edges,
			    passed);
		if (passed >= shown + 10) {
			shown = passed;
			printf("# %lu s, %lu edges\n", passed, total_edges());
			fflush(stdout);
		}
		/* The interval of polling: nothing depends on it */
		nanosleep(&tick, NULL);
	}
	for (i = 0; i < NR_VCPUS; i++)
		flooded += vcpus[i].guest->flooded;
	printf("ok 1 - %lu edges and %lu WBINVDs in %lu s\n", total_edges(), flooded, passed);
}

int main(int argc, char **argv)
{
	struct kvm_coherency_status status;
	unsigned int seconds, i;
	uint64_t edges;
	bool zap;

	zap = argc == 4 && !strcmp(argv[3], "zap");
	if (argc != 3 + zap) {
		fprintf(stderr, "usage: noncoherent_dma_race_test SECONDS EDGES [zap]\n");
		return 1;
	}
	__TEST_REQUIRE(get_nprocs() >= TEST_CPUS, "needs %d CPUs", TEST_CPUS);
	__TEST_REQUIRE(!zap || guest_pat_is_ignored(), "needs the module guest_pat_ignorable");
	seconds = atoi_positive("SECONDS", argv[1]);
	edges = atoi_positive("EDGES", argv[2]);

	create();
	if (zap)
		trace_work(true);
	for (i = 0; i < ARRAY_SIZE(workers); i++) {
		workers[i].seed = i + 1;
		TEST_ASSERT(!pthread_create(&workers[i].thread, NULL, work, &workers[i]),
			    "pthread_create");
	}
	wait_for(seconds, edges);
	__atomic_store_n(&over, true, __ATOMIC_RELEASE);
	for (i = 0; i < ARRAY_SIZE(workers); i++) {
		pthread_join(workers[i].thread, NULL);
		printf("# %s: %lu times, %lu refused\n", workers[i].name,
		       workers[i].times, workers[i].refused);
		TEST_ASSERT(workers[i].times, "%s: never happened", workers[i].name);
	}
	if (zap) {
		trace_work(false);
		check_work();
	}
	status = coherency_status(main_device);
	TEST_ASSERT(status.nr_iommufds == SHARED, "%u iommufds at the end", status.nr_iommufds);
	TEST_ASSERT(!status.flags, "permission at the end: flags 0x%x", status.flags);
	TEST_ASSERT(!(status.edges & 1), "an odd number of edges, and no permission");
	TEST_ASSERT(status.wbinvd_flushed && status.wbinvd_ignored, "flushed %llu, ignored %llu",
		    (unsigned long long)status.wbinvd_flushed,
		    (unsigned long long)status.wbinvd_ignored);

	oracle_phase(1, 0, "100 WBINVDs of each vCPU after it all");
	for (i = 0; i < NR_VCPUS; i++)
		wait_until(&vcpus[i].guest->flooded, vcpus[i].guest->flooded + 100, "WBINVD");
	oracle_end();
	if (zap)
		check_last_edge();

	for (i = 0; i < NR_VCPUS; i++)
		wbinvd_vcpu_stop(&vcpus[i]);
	for (i = 0; i < ALONE; i++) {
		TEST_ASSERT(!coherency_status(alone[i].device).flags,
			    "permission of VM %u at the end", i);
		close(alone[i].device);
		kvm_vm_free(alone[i].vm);
		mock_iommufd_close(&alone[i].mock);
	}
	close(main_device);
	kvm_vm_free(main_vm);
	for (i = 0; i < SHARED; i++)
		mock_iommufd_close(&shared[i]);
	return 0;
}
