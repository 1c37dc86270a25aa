// SPDX-License-Identifier: GPL-2.0
/*
 * The work of an edge where KVM ignores guest PAT without permission, on four CPUs:
 * all SPTEs are zapped, and those made during the edge are made by the new permission;
 * the CPUs in the masks are flushed and no others, and the edge waits for all of them.
 * The oracle counts flushes, and the MMU's tracepoint shows SPTEs. The next WBINVD of a
 * vCPU shows by which permission it made an SPTE, because it depends on the same one.
 *
 * Usage: noncoherent_dma_edge_work_test [edu]
 *
 * With "edu" two VFIO devices are the sources, where iommufd has no mock devices. Needs
 * the modules guest_pat_ignorable, but on VT-x, and hold_cpu.
 */
#include <pthread.h>
#include <sched.h>
#include <sys/sysinfo.h>
#include <time.h>

#include "kvm_util.h"
#include "mock_device.h"
#include "noncoherent_dma.h"
#include "oracle.h"
#include "points.h"
#include "vfio_edu.h"
#include "wbinvd_guest.h"

#define TEST_CPUS	4
/* No vCPU of the VM under test runs on this CPU */
#define EDGE_CPU	0

#define SLOT_PAGES	8
#define NR_PAGES	(2 * SLOT_PAGES)
#define LOW_GPA		BIT_ULL(30)
#define HIGH_GPA	BIT_ULL(32)
#define PAGES_GVA	0x40000000ULL
#define LOW_SLOT	10
#define HIGH_SLOT	11

#define SPTE_PRESENT	7

#define ROUNDS		3
/* Limits the extra rounds that wait for a vCPU to make an SPTE during an edge */
#define MAX_ROUNDS	60
#define HOG_MS		3
#define HOG_PAUSE_US	50
#define RCU_STALL_SUPPRESS "/sys/module/rcupdate/parameters/rcu_cpu_stall_suppress"

/* An edge that does not wait takes a small part of this */
#define STILL_WAITS_MS	200

static void sleep_us(unsigned int us)
{
	struct timespec time = { .tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000 };

	nanosleep(&time, NULL);
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	TEST_ASSERT(fd >= 0, "open %s: %s", path, strerror(errno));
	TEST_ASSERT(write(fd, text, strlen(text)) == (ssize_t)strlen(text),
		    "write \"%s\" to %s: %s", text, path, strerror(errno));
	close(fd);
}

/* An iommufd with a permanent non-coherent attachment: adding it is an edge */
struct source {
	struct mock_iommufd mock;
	struct vfio_edu edu;
	int fd;
};

static struct source source;

static void source_open(bool edu)
{
	if (!edu) {
		source.mock = mock_iommufd_open();
		mock_attach(&source.mock);
		source.fd = source.mock.fd;
		return;
	}
	source.fd = iommufd_open();
	vfio_edu_open(&source.edu, 0);
	vfio_edu_bind(&source.edu, source.fd);
	vfio_edu_attach(&source.edu, iommufd_ioas_alloc(source.fd));
}

struct vm {
	struct kvm_vm *vm;
	int device;
	unsigned int nr;
	struct wbinvd_vcpu v[TEST_CPUS];
};

static void dirty(struct vm *vm)
{
	unsigned int i;

	for (i = 0; i < vm->nr; i++)
		wbinvd_vcpu_dirty(&vm->v[i]);
}

/* Creates and starts vCPUs on @cpu, so that it is the only CPU in their masks */
static void create(struct vm *vm, unsigned int nr, int cpu)
{
	unsigned int i;

	pin_self(cpu);
	vm->nr = nr;
	vm->vm = wbinvd_vm_create(vm->v, nr);
	vm->device = coherency_device_create(vm->vm);
	vm_userspace_mem_region_add(vm->vm, VM_MEM_SRC_ANONYMOUS, LOW_GPA, LOW_SLOT, SLOT_PAGES, 0);
	vm_userspace_mem_region_add(vm->vm, VM_MEM_SRC_ANONYMOUS, HIGH_GPA, HIGH_SLOT, SLOT_PAGES,
				    0);
	virt_map(vm->vm, PAGES_GVA, LOW_GPA, SLOT_PAGES);
	virt_map(vm->vm, PAGES_GVA + SLOT_PAGES * 4096, HIGH_GPA, SLOT_PAGES);
	for (i = 0; i < nr; i++) {
		vm->v[i].guest->pages = PAGES_GVA;
		vm->v[i].guest->nr_pages = NR_PAGES;
		wbinvd_vcpu_start(&vm->v[i]);
	}
	dirty(vm);
	pin_self(EDGE_CPU);
}

static void destroy(struct vm *vm)
{
	unsigned int i;

	for (i = 0; i < vm->nr; i++)
		wbinvd_vcpu_stop(&vm->v[i]);
	close(vm->device);
	kvm_vm_free(vm->vm);
}

/* State of parsing the trace of one edge, line by line */
struct seen {
	struct vm *vm;
	bool on;
	bool done;		/* the line of the edge itself was seen */
	struct {
		unsigned int zapped;
		unsigned int made;	/* since it was zapped */
	} pages[NR_PAGES];
	unsigned int made_meanwhile;	/* between the zap of a page and the end of the edge */
	/* The vCPU made an SPTE after its zap, and has not executed WBINVD since */
	bool made_one[TEST_CPUS];
	unsigned int judged;		/* WBINVDs after such SPTEs */
};

static int page_of(unsigned long long gfn)
{
	if (gfn - (LOW_GPA >> 12) < SLOT_PAGES)
		return gfn - (LOW_GPA >> 12);
	if (gfn - (HIGH_GPA >> 12) < SLOT_PAGES)
		return SLOT_PAGES + gfn - (HIGH_GPA >> 12);
	return -1;
}

static void see_spte(struct seen *seen, pid_t tid, const char *text)
{
	unsigned long long gfn, old_spte, new_spte;
	unsigned int level, i;
	int page;

	TEST_ASSERT(sscanf(text, "as id %*d gfn %llx level %u old_spte %llx new_spte %llx", &gfn,
			   &level, &old_spte, &new_spte) == 4,
		    "kvm_tdp_mmu_spte_changed traced: %s", text);
	page = page_of(gfn);
	if (level != 1 || page < 0 || !(old_spte & SPTE_PRESENT) == !(new_spte & SPTE_PRESENT))
		return;
	if (old_spte & SPTE_PRESENT) {
		seen->pages[page].zapped++;
		seen->pages[page].made = 0;
		return;
	}
	if (!seen->pages[page].zapped)
		return;
	seen->pages[page].made++;
	seen->made_meanwhile += !seen->done;
	for (i = 0; i < seen->vm->nr; i++)
		seen->made_one[i] |= seen->vm->v[i].tid == tid;
}

/* A WBINVD after a new SPTE has to see the permission by which the SPTE should be made */
static void see_wbinvd(struct seen *seen, const char *text)
{
	unsigned int vcpu, flushed;

	TEST_ASSERT(sscanf(text, "vcpu=%u flushed_cpus=%u", &vcpu, &flushed) == 2 &&
		    vcpu < seen->vm->nr, "kvm_wbinvd traced: %s", text);
	if (!seen->made_one[vcpu])
		return;
	seen->made_one[vcpu] = false;
	seen->judged++;
	TEST_ASSERT(!!flushed == seen->on,
		    "permission goes %s, and vCPU %u made an SPTE after the zap when it was not",
		    seen->on ? "on" : "off", vcpu);
}

static void see_line(struct seen *seen, const char *line)
{
	static const char spte[] = ": kvm_tdp_mmu_spte_changed: ";
	static const char wbinvd[] = ": kvm_wbinvd: ";
	static const char edge[] = ": kvm_noncoherent_dma: ";
	const char *cpu = strstr(line, " ["), *text;

	if (line[0] == '#' || !cpu)
		return;
	text = strstr(line, spte);
	if (text) {
		while (cpu > line && cpu[-1] != '-')
			cpu--;
		see_spte(seen, atoi(cpu), text + sizeof(spte) - 1);
		return;
	}
	text = strstr(line, wbinvd);
	if (text) {
		see_wbinvd(seen, text + sizeof(wbinvd) - 1);
		return;
	}
	text = strstr(line, edge);
	if (text) {
		TEST_ASSERT(!seen->done && strstr(text, seen->on ? "permission=on zapped=1" :
							"permission=off zapped=1"),
			    "kvm_noncoherent_dma traced: %s", text);
		seen->done = true;
	}
}

/* Events stay enabled during the test, since enabling one takes longer than an edge */
static void trace_setup(bool on)
{
	trace_write("tracing_on", on ? "0" : "1");
	/* Orders the events of all CPUs */
	trace_write("trace_clock", on ? "counter" : "local");
	trace_event("kvmmmu/kvm_tdp_mmu_spte_changed", on);
	trace_event("kvm/kvm_wbinvd", on);
	trace_event("kvm/kvm_noncoherent_dma", on);
}

static void trace_begin(void)
{
	trace_clear();
	trace_write("tracing_on", "1");
}

/* Checks that each page was zapped once and mapped again */
static void see_all(struct seen *seen, const char *name)
{
	unsigned int page;
	char line[512];
	FILE *file;

	file = fopen(TRACING "trace", "r");
	TEST_ASSERT(file, "open " TRACING "trace: %s", strerror(errno));
	while (fgets(line, sizeof(line), file))
		see_line(seen, line);
	fclose(file);
	TEST_ASSERT(seen->done, "%s: no edge was traced", name);
	for (page = 0; page < NR_PAGES; page++)
		TEST_ASSERT(seen->pages[page].zapped == 1 && seen->pages[page].made,
			    "%s: the SPTE of page %u, %s 4 GiB, was zapped %u times and made %u times",
			    name, page, page < SLOT_PAGES ? "below" : "above",
			    seen->pages[page].zapped, seen->pages[page].made);
}

static void change(struct vm *vm, bool on)
{
	if (on)
		coherency_add(vm->device, source.fd);
	else
		coherency_del(vm->device, source.fd);
}

/* One edge that has to flush each CPU as often as @cpus says. No guest executes WBINVD. */
static void edge(struct vm *vm, unsigned int phase, bool on, const char *cpus, const char *name)
{
	struct seen seen = { .vm = vm, .on = on };

	trace_begin();
	oracle_phase_cpus(phase, cpus, "%s", name);
	change(vm, on);
	oracle_end();
	dirty(vm);
	trace_write("tracing_on", "0");
	see_all(&seen, name);
	passed(name);
}

/* Another VM's vCPU runs on a CPU on which this VM's never did: that CPU is not flushed */
static void test_masks(void)
{
	struct vm vm, other;

	create(&other, 1, 3);
	create(&vm, 1, 1);
	wbinvd_vcpu_migrate(&vm.v[0], 2);

	edge(&vm, 1, true, "0,1,1,0/0", "on: a vCPU was on CPU 1 and is on 2, another VM's on 3");
	edge(&vm, 2, false, "0,0,0,0/0", "off: nothing is flushed");
	edge(&vm, 3, true, "0,1,1,0/0", "on again: an edge takes nothing out of the masks");

	oracle_phase_cpus(4, "0,1,1,0/1", "a WBINVD flushes the same, and leaves CPU 2");
	wbinvd_vcpu_wbinvd(&vm.v[0], 1);
	oracle_end();
	edge(&vm, 5, false, "0,0,0,0/0", "off after a WBINVD");
	pin_self(2);
	edge(&vm, 6, true, "0,0,1,0/0", "on, by a thread on CPU 2, as the vCPU since its WBINVD");
	edge(&vm, 7, false, "0,0,0,0/0", "off, by a thread on CPU 2");
	pin_self(EDGE_CPU);

	wbinvd_vcpu_migrate(&vm.v[0], 3);
	wbinvd_vcpu_migrate(&vm.v[0], 1);
	edge(&vm, 8, true, "0,1,1,1/0", "on: while off the vCPU went from CPU 2 to 3 and 1");
	edge(&vm, 9, false, "0,0,0,0/0", "off in the end");

	destroy(&vm);
	destroy(&other);
}

/* vCPUs that share CPUs */
static void test_union(void)
{
	struct vm vm;

	create(&vm, 3, 1);
	wbinvd_vcpu_migrate(&vm.v[1], 2);
	wbinvd_vcpu_migrate(&vm.v[2], 3);
	edge(&vm, 10, true, "0,1,1,1/0", "on: 3 vCPUs, all of which were on CPU 1: once each");
	edge(&vm, 11, false, "0,0,0,0/0", "off with 3 vCPUs");
	destroy(&vm);
}

/* Switching from NO_WBINVD does the flush that the edge left out, and zaps nothing */
static void test_policy(void)
{
	struct vm vm;

	create(&vm, 2, 1);
	wbinvd_vcpu_migrate(&vm.v[1], 2);
	coherency_policy(vm.vm, KVM_NONCOHERENT_DMA_NO_WBINVD);
	edge(&vm, 12, true, "0,0,0,0/0", "on under NO_WBINVD: nothing is flushed");

	trace_begin();
	oracle_phase_cpus(13, "0,1,1,0/0", "from NO_WBINVD to FOLLOW with permission: flushed now");
	coherency_policy(vm.vm, KVM_NONCOHERENT_DMA_FOLLOW);
	oracle_end();
	oracle_phase_cpus(14, "0,0,0,0/0", "from FOLLOW to FOLLOW");
	coherency_policy(vm.vm, KVM_NONCOHERENT_DMA_FOLLOW);
	oracle_end();
	dirty(&vm);
	trace_write("tracing_on", "0");
	TEST_ASSERT(!trace_lines("kvm_tdp_mmu_spte_changed", NULL, NULL),
		    "a change of the policy zapped SPTEs");
	passed("a change of the policy zaps nothing");

	edge(&vm, 15, false, "0,0,0,0/0", "off after a change of the policy");
	destroy(&vm);
}

/*
 * Preempts the edge on its CPU most of the time. When the edge drops mmu_lock this
 * thread preempts it almost certainly, because its pause is shorter than the wait for
 * other CPUs to flush their TLBs. vCPUs go on meanwhile.
 */
static struct hog {
	pthread_t thread;
	bool wanted;
	bool over;
} hog;

static void *hog_work(void *unused)
{
	struct sched_param param = { .sched_priority = 1 };
	struct timespec start, now;

	pin_self(EDGE_CPU);
	TEST_ASSERT(!sched_setscheduler(0, SCHED_FIFO, &param), "SCHED_FIFO: %s", strerror(errno));
	while (!__atomic_load_n(&hog.over, __ATOMIC_RELAXED)) {
		sleep_us(HOG_PAUSE_US);
		clock_gettime(CLOCK_MONOTONIC, &start);
		do {
			clock_gettime(CLOCK_MONOTONIC, &now);
		} while (__atomic_load_n(&hog.wanted, __ATOMIC_RELAXED) &&
			 (now.tv_sec - start.tv_sec) * 1000000000LL + now.tv_nsec - start.tv_nsec <
			 HOG_MS * 1000000);
	}
	return NULL;
}

/* Adds to @made the SPTEs made during the edge, and to @judged the WBINVDs after them */
static void edge_with_guests(struct vm *vm, bool on, unsigned int *made, unsigned int *judged)
{
	struct seen seen = { .vm = vm, .on = on };
	unsigned int i;

	trace_begin();
	__atomic_store_n(&hog.wanted, true, __ATOMIC_RELAXED);
	change(vm, on);
	__atomic_store_n(&hog.wanted, false, __ATOMIC_RELAXED);
	/* Wait until each vCPU has executed a WBINVD after the SPTEs that it made */
	dirty(vm);
	for (i = 0; i < vm->nr; i++)
		wait_until(&vm->v[i].guest->flooded, vm->v[i].guest->flooded + 2, "WBINVD");
	trace_write("tracing_on", "0");
	see_all(&seen, on ? "on, with vCPUs at work" : "off, with vCPUs at work");
	*made += seen.made_meanwhile;
	*judged += seen.judged;
}

/* vCPUs write their pages and execute WBINVD all the time */
static void test_sptes(void)
{
	unsigned int made_on = 0, made_off = 0, judged = 0, i;
	struct vm vm;

	create(&vm, 3, 1);
	wbinvd_vcpu_migrate(&vm.v[1], 2);
	wbinvd_vcpu_migrate(&vm.v[2], 3);
	for (i = 0; i < vm.nr; i++)
		__atomic_store_n(&vm.v[i].guest->flood, 1, __ATOMIC_RELAXED);
	TEST_ASSERT(!pthread_create(&hog.thread, NULL, hog_work, NULL), "pthread_create");

	for (i = 0; i < ROUNDS || (i < MAX_ROUNDS && !(made_on && made_off && judged)); i++) {
		edge_with_guests(&vm, true, &made_on, &judged);
		edge_with_guests(&vm, false, &made_off, &judged);
	}
	__atomic_store_n(&hog.over, true, __ATOMIC_RELAXED);
	pthread_join(hog.thread, NULL);
	printf("# SPTEs made after the zap, before the end of the edge: %u on, %u off; %u judged\n",
	       made_on, made_off, judged);
	TEST_ASSERT(made_on && made_off && judged, "no vCPU made an SPTE while an edge was on");
	passed("SPTEs that are made after the zap, before the edge is over, are new ones");

	for (i = 0; i < vm.nr; i++)
		__atomic_store_n(&vm.v[i].guest->flood, 0, __ATOMIC_RELAXED);
	destroy(&vm);
}

/*
 * A thread that gives the VM a non-coherent source: it adds an iommufd, or attaches an
 * access of one that was added.
 */
struct adder {
	pthread_t thread;
	struct mock_iommufd *attached;
	int access;
	int device;
	int fd;
	bool wanted;
	bool returned;
};

static void *adder_work(void *data)
{
	struct adder *adder = data;

	/* The edge on CPU 3 waits for its flush with preemption off: do not share that CPU */
	pin_self(adder->attached ? EDGE_CPU : 3);
	while (!__atomic_load_n(&adder->wanted, __ATOMIC_ACQUIRE))
		sched_yield();
	if (adder->attached) {
		TEST_ASSERT(!mock_access_change(adder->attached, adder->access,
						adder->attached->ioas), "attach of an access");
	} else {
		coherency_add(adder->device, adder->fd);
		if (adder->fd == source.fd)
			oracle_end();
	}
	__atomic_store_n(&adder->returned, true, __ATOMIC_RELEASE);
	return NULL;
}

/* Has to be called before a CPU is held: creating a thread may wait for all CPUs */
static void adder_create(struct adder *adder, struct vm *vm, int fd)
{
	adder->device = vm->device;
	adder->fd = fd;
	TEST_ASSERT(!pthread_create(&adder->thread, NULL, adder_work, adder), "pthread_create");
}

static void adder_start(struct adder *adder)
{
	__atomic_store_n(&adder->wanted, true, __ATOMIC_RELEASE);
}

static bool adder_returned(struct adder *adder)
{
	return __atomic_load_n(&adder->returned, __ATOMIC_ACQUIRE);
}

#define HOLD_CPU	"/sys/module/hold_cpu/parameters/cpu"

static struct timespec held_since;

static void hold(const char *cpu)
{
	write_file(HOLD_CPU, cpu);
	clock_gettime(CLOCK_MONOTONIC, &held_since);
}

static void let_go(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	write_file(HOLD_CPU, "-1");
	printf("# a CPU was held for %ld ms\n", (now.tv_sec - held_since.tv_sec) * 1000 +
	       (now.tv_nsec - held_since.tv_nsec) / 1000000);
}

/* Waits until all pages are mapped again: then the edge has zapped, and only has to flush */
static void wait_for_zap(struct vm *vm, uint64_t faults, struct adder *adder)
{
	struct timespec start, now;

	clock_gettime(CLOCK_MONOTONIC, &start);
	while (debugfs_stat(vm->vm, "pf_fixed") < faults + NR_PAGES) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		TEST_ASSERT(now.tv_sec - start.tv_sec < 30 && !adder_returned(adder),
			    "the edge %s, and vCPUs did not fault",
			    adder_returned(adder) ? "is over" : "is stuck");
		sched_yield();
	}
}

/*
 * A second source of the VM, which has reserved when the first one's edge begins, and
 * begins during that edge. In between it waits for another watch to reserve.
 */
struct second {
	struct adder adder;
	struct mock_iommufd mock;
	int slow;
};

static void second_create(struct second *second, struct vm *vm)
{
	second->mock = mock_iommufd_open();
	second->adder.access = mock_access_open(&second->mock);
	TEST_ASSERT(second->adder.access >= 0, "CREATE_ACCESS");
	TEST_ASSERT(!mock_access_change(&second->mock, second->adder.access, 0), "detach");
	coherency_add(vm->device, second->mock.fd);
	second->slow = mock_slow_watch(&second->mock);
	second->adder.attached = &second->mock;
	adder_create(&second->adder, vm, -1);
}

static void second_start(struct second *second)
{
	adder_start(&second->adder);
	mock_watch_wait(second->slow);
}

static void second_expect_waiting(struct second *second)
{
	mock_watch_let_go(second->slow);
	sleep_us(STILL_WAITS_MS * 1000);
	TEST_ASSERT(!adder_returned(&second->adder),
		    "a second source did not wait for the edge of the first");
}

static void second_end(struct second *second)
{
	pthread_join(second->adder.thread, NULL);
	close(second->slow);
	close(second->adder.access);
	mock_iommufd_close(&second->mock);
	passed("and a second source for the edge of the first");
}

/*
 * The vCPU has left CPU 1, which is held: nothing else that concerns the vCPU waits for
 * that CPU, but the flush has to.
 */
static void test_waits(bool edu)
{
	struct second second = {};
	struct adder adder = {};
	uint64_t faults;
	struct vm vm;

	create(&vm, 1, 1);
	wbinvd_vcpu_migrate(&vm.v[0], 2);
	adder_create(&adder, &vm, source.fd);
	if (!edu)
		second_create(&second, &vm);
	faults = debugfs_stat(vm.vm, "pf_fixed");

	oracle_phase_cpus(16, "0,1,1,0/0",
			  "on, while CPU 1 is held: it is flushed before the return");
	if (!edu)
		second_start(&second);
	hold("1");
	adder_start(&adder);
	wait_for_zap(&vm, faults, &adder);
	sleep_us(STILL_WAITS_MS * 1000);
	if (!edu)
		second_expect_waiting(&second);
	TEST_ASSERT(!adder_returned(&adder),
		    "the edge did not wait for a CPU that is to be flushed");
	let_go();
	pthread_join(adder.thread, NULL);
	passed("an edge waits for the flush of a CPU that the vCPU has left");
	if (!edu)
		second_end(&second);

	destroy(&vm);
}

struct detacher {
	pthread_t thread;
	pid_t tid;
	struct mock_iommufd mock;
	uint32_t dev;
	bool wanted;
	bool returned;
};

static void *detacher_work(void *data)
{
	struct detacher *d = data;

	pin_self(3);
	__atomic_store_n(&d->tid, gettid(), __ATOMIC_RELEASE);
	while (!__atomic_load_n(&d->wanted, __ATOMIC_ACQUIRE))
		sched_yield();
	mock_detach(&d->mock, d->dev);
	__atomic_store_n(&d->returned, true, __ATOMIC_RELEASE);
	return NULL;
}

/* Waits until the detach sleeps, which it does only for a grace period */
static void detacher_wait_asleep(struct detacher *d)
{
	char path[64], state = 0;
	FILE *stat;

	while (!__atomic_load_n(&d->tid, __ATOMIC_ACQUIRE))
		sched_yield();
	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", d->tid);
	while (state != 'D') {
		TEST_ASSERT(!__atomic_load_n(&d->returned, __ATOMIC_ACQUIRE),
			    "the detach did not wait for a grace period");
		stat = fopen(path, "r");
		TEST_ASSERT(stat && fscanf(stat, "%*d (%*[^)]) %c", &state) == 1, "%s", path);
		fclose(stat);
		sched_yield();
	}
}

/*
 * Two VMs lose permission by one detach and wait, since no grace period ends while a CPU
 * is held. Meanwhile one of them gets another source, which has to wait for the edge to off.
 */
static void test_meanwhile(void)
{
	struct kvm_coherency_status status;
	struct detacher d = { .mock = mock_iommufd_open() };
	struct mock_iommufd other = mock_iommufd_open();
	struct adder adder = {};
	struct vm first, second;

	create(&first, 1, 1);
	create(&second, 1, 1);
	d.dev = mock_attach(&d.mock);
	mock_attach(&other);
	coherency_add(first.device, d.mock.fd);
	coherency_add(second.device, d.mock.fd);
	adder_create(&adder, &second, other.fd);
	TEST_ASSERT(!pthread_create(&d.thread, NULL, detacher_work, &d), "pthread_create");

	hold("2");
	__atomic_store_n(&d.wanted, true, __ATOMIC_RELEASE);
	detacher_wait_asleep(&d);
	adder_start(&adder);
	sleep_us(STILL_WAITS_MS * 1000);
	TEST_ASSERT(!adder_returned(&adder), "an edge to on did not wait for the one to off");
	let_go();
	pthread_join(d.thread, NULL);
	pthread_join(adder.thread, NULL);

	status = coherency_status(first.device);
	TEST_ASSERT(status.edges == 2 && !status.flags, "the first VM has had %llu edges",
		    (unsigned long long)status.edges);
	status = coherency_status(second.device);
	TEST_ASSERT(status.edges == 3 && status.flags & KVM_COHERENCY_NONCOHERENT,
		    "the second VM has had %llu edges", (unsigned long long)status.edges);
	passed("a source that begins while an edge to off is not over waits for it");

	destroy(&first);
	destroy(&second);
	mock_iommufd_close(&d.mock);
	mock_iommufd_close(&other);
}

int main(int argc, char **argv)
{
	bool edu = argc > 1 && !strcmp(argv[1], "edu");

	__TEST_REQUIRE(get_nprocs() >= TEST_CPUS, "needs %d CPUs", TEST_CPUS);
	__TEST_REQUIRE(guest_pat_is_ignored(), "needs the module guest_pat_ignorable");

	/* Reading a trace takes several grace periods */
	write_file("/sys/kernel/rcu_expedited", "1");
	/* A grace period cannot end while a CPU is held */
	write_file(RCU_STALL_SUPPRESS, "1");
	/* Do not throttle the hog, which is a real-time thread */
	write_file("/proc/sys/kernel/sched_rt_runtime_us", "-1");
	trace_setup(true);
	source_open(edu);

	test_masks();
	test_union();
	test_policy();
	test_sptes();
	test_waits(edu);
	if (!edu)
		test_meanwhile();
	trace_setup(false);
	write_file(RCU_STALL_SUPPRESS, "0");
	write_file("/sys/kernel/rcu_expedited", "0");
	write_file("/proc/sys/kernel/sched_rt_runtime_us", "950000");
	return 0;
}
