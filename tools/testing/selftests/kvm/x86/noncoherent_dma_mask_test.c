// SPDX-License-Identifier: GPL-2.0
/*
 * Which CPUs a guest's WBINVD flushes: all those where the vCPU has dirtied lines
 * since its last WBINVD that was carried out, whether or not there was
 * permission at the time, and no others. The flush oracle counts for each CPU,
 * and KVM's own numbers for each vCPU and for the VM have to agree.
 *
 * Usage: noncoherent_dma_mask_test [upstream]
 *
 * With "upstream" the first tests run on an unpatched kernel, with a VFIO device
 * on kvm-vfio instead of KVM's iommufd device, and expect the flushes that this
 * kernel misses.
 *
 * Needs four CPUs. Only the last test runs a vCPU on the last CPU.
 */
#include <sys/ioctl.h>
#include <sys/sysinfo.h>

#include "kvm_util.h"
#include "mock_device.h"
#include "noncoherent_dma.h"
#include "oracle.h"
#include "wbinvd_guest.h"

#define TEST_CPUS		4
#define SPARE_CPU	3
#define ROUNDS		20
#define RACES		150

struct source {
	struct mock_iommufd mock;
	int device;
	uint32_t attached;
	bool upstream;
};

static struct source source_open(struct kvm_vm *vm, bool upstream)
{
	struct source source = { .upstream = upstream };

	if (upstream) {
		source.device = kvm_create_device(vm, KVM_DEV_TYPE_VFIO);
		source.attached = open_path_or_exit("/dev/vfio/devices/vfio0", O_RDWR);
	} else {
		source.device = coherency_device_create(vm);
		source.mock = mock_iommufd_open();
		coherency_add(source.device, source.mock.fd);
	}
	return source;
}

static void attach(struct source *source)
{
	int32_t fd = source->attached;

	if (source->upstream)
		kvm_device_attr_set(source->device, KVM_DEV_VFIO_FILE, KVM_DEV_VFIO_FILE_ADD, &fd);
	else
		source->attached = mock_attach(&source->mock);
}

static void detach(struct source *source)
{
	int32_t fd = source->attached;

	if (source->upstream)
		kvm_device_attr_set(source->device, KVM_DEV_VFIO_FILE, KVM_DEV_VFIO_FILE_DEL, &fd);
	else
		mock_detach(&source->mock, source->attached);
}

static void source_close(struct source *source)
{
	close(source->device);
	if (source->upstream)
		close(source->attached);
	else
		mock_iommufd_close(&source->mock);
}

/*
 * Creates the vCPUs on CPU 0, so that it is the only CPU in their masks. If there are
 * several, each then moves on to the CPU of its number.
 */
static struct kvm_vm *create(struct wbinvd_vcpu *vcpus, unsigned int nr)
{
	struct kvm_vm *vm;
	unsigned int i;

	pin_self(0);
	vm = wbinvd_vm_create(vcpus, nr);
	for (i = nr; i--;) {
		wbinvd_vcpu_start(&vcpus[i]);
		wbinvd_vcpu_migrate(&vcpus[i], i);
	}
	pin_self(SPARE_CPU);
	return vm;
}

static void destroy(struct kvm_vm *vm, struct wbinvd_vcpu *vcpus, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		wbinvd_vcpu_stop(&vcpus[i]);
	kvm_vm_free(vm);
}

/* One WBINVD in a phase of its own. The caller has announced ROUNDS such phases. */
static void wbinvd_in_phase(struct wbinvd_vcpu *v, unsigned int id)
{
	oracle_mark(id);
	wbinvd_vcpu_wbinvd(v, 1);
	oracle_end();
}

/* The vCPU dirtied lines on two CPUs before the device is attached */
static void test_attach_after_migration(bool upstream)
{
	struct wbinvd_vcpu v;
	struct source source;
	struct kvm_vm *vm;
	unsigned int i;

	if (upstream)
		oracle_rounds(1, ROUNDS, "0,1,0,0",
			      "unpatched: on CPU 0, to CPU 1, attached, WBINVD: CPU 0 is missed");
	else
		oracle_rounds(1, ROUNDS, "1,1,0,0",
			      "on CPU 0, to CPU 1, attached, WBINVD: both are flushed");

	for (i = 0; i < ROUNDS; i++) {
		vm = create(&v, 1);
		source = source_open(vm, upstream);
		wbinvd_vcpu_migrate(&v, 1);
		attach(&source);
		wbinvd_in_phase(&v, 1);
		detach(&source);
		source_close(&source);
		destroy(vm, &v, 1);
	}
}

/* The vCPU is in the guest during the attach, and migrates before its WBINVD */
static void test_migration_after_attach(bool upstream)
{
	struct wbinvd_vcpu v;
	struct source source;
	struct kvm_vm *vm;
	unsigned int i;

	if (upstream)
		oracle_rounds(2, ROUNDS, "0-1,1,0,0+0,1,0,0",
			      "unpatched: attached on CPU 0, to CPU 1, WBINVD: CPU 0 is missed at times");
	else
		oracle_rounds(2, ROUNDS, "1,1,0,0",
			      "attached on CPU 0, to CPU 1, WBINVD: both are flushed");

	for (i = 0; i < ROUNDS; i++) {
		vm = create(&v, 1);
		source = source_open(vm, upstream);
		wbinvd_vcpu_dirty(&v);
		attach(&source);
		wbinvd_vcpu_migrate(&v, 1);
		wbinvd_in_phase(&v, 2);
		detach(&source);
		source_close(&source);
		destroy(vm, &v, 1);
	}
}

/* The vCPU dirties lines after its WBINVD, and migrates before the next one */
static void test_stores_after_wbinvd(bool upstream)
{
	struct wbinvd_vcpu v;
	struct source source;
	struct kvm_vm *vm;
	unsigned int i;

	vm = create(&v, 1);
	source = source_open(vm, upstream);
	attach(&source);

	if (upstream)
		oracle_rounds(3, ROUNDS, "0,0-1,1,0+0,0,1,0",
			      "unpatched: WBINVD on CPU 1, stores, to CPU 2, WBINVD: CPU 1 is missed at times");
	else
		oracle_rounds(3, ROUNDS, "0,1,1,0",
			      "WBINVD on CPU 1, stores, to CPU 2, WBINVD: both are flushed");

	for (i = 0; i < ROUNDS; i++) {
		wbinvd_vcpu_migrate(&v, 1);
		wbinvd_vcpu_wbinvd(&v, 1);
		wbinvd_vcpu_dirty(&v);
		wbinvd_vcpu_migrate(&v, 2);
		wbinvd_in_phase(&v, 3);
	}
	detach(&source);
	source_close(&source);
	destroy(vm, &v, 1);
}

/* A WBINVD without permission flushes nothing, so it must not reset the mask */
static void test_ignored_wbinvd(void)
{
	struct wbinvd_vcpu v;
	struct source source;
	struct kvm_vm *vm;

	vm = create(&v, 1);
	source = source_open(vm, false);

	oracle_phase(4, 0, "100 WBINVDs without permission");
	wbinvd_vcpu_wbinvd(&v, 100);
	oracle_end();
	wbinvd_vcpu_migrate(&v, 1);

	oracle_phase_guest(5, 0, 0, "attach where guest PAT was honoured all the time");
	attach(&source);
	oracle_end();

	oracle_phase_cpus(6, "1,1,0,0",
			  "ignored on CPU 0, to CPU 1, attached, WBINVD: both are flushed");
	wbinvd_vcpu_wbinvd(&v, 1);
	oracle_end();

	oracle_phase_cpus(7, "0,100,0,0", "100 WBINVDs on CPU 1 flush CPU 1 alone");
	wbinvd_vcpu_wbinvd(&v, 100);
	oracle_end();

	/* The mask gains CPUs without permission, too */
	detach(&source);
	wbinvd_vcpu_migrate(&v, 2);
	wbinvd_vcpu_migrate(&v, 0);
	attach(&source);
	oracle_phase_cpus(8, "1,1,1,0", "to CPUs 2 and 0 while detached: all three are flushed");
	wbinvd_vcpu_wbinvd(&v, 1);
	oracle_end();

	detach(&source);
	source_close(&source);
	destroy(vm, &v, 1);
}

/*
 * Migrates the vCPU while it executes a WBINVD. The mask has three CPUs then, so
 * most of the WBINVD is the wait for their flushes with preemption off. The vCPU
 * migrates as soon as preemption is on again. The next WBINVD must not miss the
 * CPU that the vCPU migrated to, as it would if the mask were reset only then.
 */
static void test_migration_in_wbinvd(void)
{
	struct wbinvd_vcpu v;
	struct source source;
	struct kvm_vm *vm;
	unsigned int i;
	unsigned int delay;

	vm = create(&v, 1);
	source = source_open(vm, false);
	attach(&source);

	oracle_rounds(9, RACES, "1,0,0-1,0",
		      "migrated to CPU 0 during a WBINVD on CPU 2, WBINVD: CPU 0 is flushed");
	for (i = 0; i < RACES; i++) {
		wbinvd_vcpu_migrate(&v, 0);
		wbinvd_vcpu_migrate(&v, 1);
		wbinvd_vcpu_migrate(&v, 2);

		wbinvd_vcpu_want(&v, 1);
		for (delay = 0; delay < i % 30 * 100; delay++)
			barrier();
		wbinvd_vcpu_migrate(&v, 0);
		wbinvd_vcpu_wait(&v);

		wbinvd_in_phase(&v, 9);
	}
	detach(&source);
	source_close(&source);
	destroy(vm, &v, 1);
}

struct traced {
	unsigned int wbinvds[TEST_CPUS];	/* by vCPU */
	unsigned int cpus[TEST_CPUS];
};

static void wbinvd_line(const char *text, void *data)
{
	struct traced *traced = data;
	unsigned int vcpu, cpus;

	TEST_ASSERT(sscanf(text, "vcpu=%u flushed_cpus=%u", &vcpu, &cpus) == 2 && vcpu < TEST_CPUS,
		    "kvm_wbinvd traced: %s", text);
	traced->wbinvds[vcpu]++;
	traced->cpus[vcpu] += cpus;
}

/* One WBINVD of each vCPU, one after another; vCPU i has to flush @cpus[i] CPUs */
static void wbinvd_each_traced(struct wbinvd_vcpu *v, const unsigned int *cpus)
{
	struct traced traced = {};
	unsigned int i;

	trace_clear();
	trace_event("kvm/kvm_wbinvd", true);
	for (i = 0; i < TEST_CPUS; i++)
		wbinvd_vcpu_wbinvd(&v[i], 1);
	trace_event("kvm/kvm_wbinvd", false);

	trace_lines("kvm_wbinvd", wbinvd_line, &traced);
	for (i = 0; i < TEST_CPUS; i++)
		TEST_ASSERT(traced.wbinvds[i] == 1 && traced.cpus[i] == cpus[i],
			    "vCPU %u: %u WBINVDs traced that flushed %u CPUs, wanted 1 and %u", i,
			    traced.wbinvds[i], traced.cpus[i], cpus[i]);
}

/* @n more WBINVDs of vCPU 0, 2 * @n of vCPU 1 and so on, all at once */
static void wbinvd_all(struct wbinvd_vcpu *v, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < TEST_CPUS; i++)
		wbinvd_vcpu_want(&v[i], n * (i + 1));
	for (i = 0; i < TEST_CPUS; i++)
		wbinvd_vcpu_wait(&v[i]);
}

/* Checks the count of each vCPU and their sum. Different counts tell vCPUs apart. */
static void check_sums(struct source *source, struct kvm_vm *vm, struct wbinvd_vcpu *v)
{
	struct kvm_coherency_status status = coherency_status(source->device);
	uint64_t flushed, ignored, all_flushed = 0, all_ignored = 0;
	unsigned int i;

	for (i = 0; i < TEST_CPUS; i++) {
		wbinvd_vcpu_stop(&v[i]);
		flushed = 2 + 10 * (i + 1);
		ignored = 100 * (i + 1);
		TEST_ASSERT(vcpu_stat(v[i].vcpu, "wbinvd_flushed") == flushed,
			    "vCPU %u: statistic wbinvd_flushed", i);
		TEST_ASSERT(vcpu_stat(v[i].vcpu, "wbinvd_ignored") == ignored,
			    "vCPU %u: statistic wbinvd_ignored", i);
		all_flushed += flushed;
		all_ignored += ignored;
	}
	TEST_ASSERT(status.wbinvd_flushed == all_flushed && status.wbinvd_ignored == all_ignored,
		    "%llu WBINVDs flushed and %llu ignored, wanted %lu and %lu",
		    (unsigned long long)status.wbinvd_flushed,
		    (unsigned long long)status.wbinvd_ignored, all_flushed, all_ignored);
	TEST_ASSERT(debugfs_stat(vm, "wbinvd_flushed") == all_flushed, "debugfs wbinvd_flushed");
	TEST_ASSERT(debugfs_stat(vm, "wbinvd_ignored") == all_ignored, "debugfs wbinvd_ignored");
}

static void test_four_vcpus(void)
{
	static const unsigned int created[] = { 1, 2, 2, 2 }, moved[] = { 2, 2, 2, 2 };
	struct wbinvd_vcpu v[TEST_CPUS];
	struct source source;
	struct kvm_vm *vm;
	unsigned int i;

	vm = create(v, TEST_CPUS);
	source = source_open(vm, false);
	attach(&source);

	/* All masks have CPU 0, where the vCPUs were created */
	oracle_phase_cpus(10, "4,1,1,1", "4 vCPUs, each on its CPU and before on CPU 0");
	wbinvd_each_traced(v, created);
	oracle_end();

	oracle_phase_cpus(11, "10,20,30,40",
			  "4 vCPUs at once, 10 to 40 WBINVDs each, flush their own CPU");
	wbinvd_all(v, 10);
	oracle_end();

	for (i = 0; i < TEST_CPUS; i++)
		wbinvd_vcpu_migrate(&v[i], (i + 1) % TEST_CPUS);
	oracle_phase_cpus(12, "2,2,2,2", "4 vCPUs, each moved on by one CPU, flush both");
	wbinvd_each_traced(v, moved);
	oracle_end();

	detach(&source);
	oracle_phase(13, 0, "4 vCPUs at once, 100 to 400 WBINVDs each, after the detach");
	wbinvd_all(v, 100);
	oracle_end();

	check_sums(&source, vm, v);
	source_close(&source);
	kvm_vm_free(vm);
}

int main(int argc, char **argv)
{
	bool upstream = argc > 1 && !strcmp(argv[1], "upstream");

	__TEST_REQUIRE(get_nprocs() >= TEST_CPUS, "needs %d CPUs", TEST_CPUS);

	test_attach_after_migration(upstream);
	test_migration_after_attach(upstream);
	test_stores_after_wbinvd(upstream);
	if (upstream)
		return 0;

	test_ignored_wbinvd();
	test_migration_in_wbinvd();
	test_four_vcpus();
	return 0;
}
