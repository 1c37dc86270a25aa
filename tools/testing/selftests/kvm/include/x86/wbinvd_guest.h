/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A guest that dirties cache lines all the time and executes WBINVD on request, all
 * in one KVM_RUN: only the scheduler loads and unloads its vCPUs, each of which has a
 * thread.
 *
 * On a busy machine no vCPU may run on the first CPU. Whenever any CPU loads an x87
 * status without an exception, QEMU clears IGNNE# of its first CPU (cpu_clear_ignne()
 * in 7.2 and 10.0). It does so without a lock, in the same word that says whether that
 * CPU uses nested paging and takes interrupts in an SVM guest. A concurrent VMRUN or
 * #VMEXIT is half undone: the guest shuts down, or the host gets an interrupt where it
 * cannot handle one.
 */
#ifndef SELFTEST_KVM_WBINVD_GUEST_H
#define SELFTEST_KVM_WBINVD_GUEST_H

#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

#include "kvm_util.h"
#include "processor.h"
#include "test_util.h"
#include "ucall_common.h"

#define WBINVD_GUEST_VCPUS	4
#define WBINVD_GUEST_FIRST_CPU	1
#define WBINVD_GUEST_LINES	16

/* Shared with the guest. The host writes pages, nr_pages, wanted, flood, yields and stop. */
struct wbinvd_guest {
	uint64_t lines[WBINVD_GUEST_LINES][8];
	uint64_t pages;		/* more pages to write: their guest address ... */
	uint64_t nr_pages;	/* ... and how many there are */
	uint64_t rounds;	/* how often all lines and pages were written */
	uint64_t wanted;
	uint64_t done;		/* WBINVDs executed, of those wanted */
	uint64_t flood;		/* execute WBINVD without end ... */
	uint64_t flooded;	/* ... and how many there were */
	uint64_t yields;	/* exit to the host after each round */
	uint64_t stop;
};

static struct wbinvd_guest wbinvd_guest[WBINVD_GUEST_VCPUS];

struct wbinvd_vcpu {
	struct kvm_vcpu *vcpu;
	struct wbinvd_guest *guest;	/* as the host sees it */
	pthread_t thread;
	pid_t tid;
};

static void wbinvd_guest_code(uint64_t index)
{
	struct wbinvd_guest *guest = &wbinvd_guest[index];
	unsigned int i, eax;

	for (;;) {
		if (READ_ONCE(guest->stop))
			GUEST_DONE();
		for (i = 0; i < WBINVD_GUEST_LINES; i++)
			WRITE_ONCE(guest->lines[i][0], guest->lines[i][0] + 1);
		for (i = 0; i < READ_ONCE(guest->nr_pages); i++)
			WRITE_ONCE(*(uint64_t *)(guest->pages + i * 4096), guest->rounds);
		WRITE_ONCE(guest->rounds, guest->rounds + 1);

		if (guest->done != READ_ONCE(guest->wanted)) {
			asm volatile("wbinvd" ::: "memory");
			WRITE_ONCE(guest->done, guest->done + 1);
		}
		if (READ_ONCE(guest->flood)) {
			asm volatile("wbinvd" ::: "memory");
			WRITE_ONCE(guest->flooded, guest->flooded + 1);
		}
		if (READ_ONCE(guest->yields))
			asm volatile("cpuid" : "=a"(eax) : "0"(0) : "ebx", "ecx", "edx", "memory");
	}
}

static inline int pin_to(pid_t tid, int cpu)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	return sched_setaffinity(tid, sizeof(cpus), &cpus);
}

static inline void pin_self(int cpu)
{
	TEST_ASSERT(!pin_to(0, cpu), "sched_setaffinity to CPU %d", cpu);
}

static inline void unpin_self(void)
{
	cpu_set_t cpus;

	memset(&cpus, 0xff, sizeof(cpus));
	TEST_ASSERT(!sched_setaffinity(0, sizeof(cpus), &cpus), "sched_setaffinity to any CPU");
}

/* Waits until *@value is @at_least; fails the test if it takes too long */
static inline void wait_until(const uint64_t *value, uint64_t at_least, const char *what)
{
	struct timespec start, now;

	clock_gettime(CLOCK_MONOTONIC, &start);
	while (__atomic_load_n(value, __ATOMIC_ACQUIRE) < at_least) {
		sched_yield();
		clock_gettime(CLOCK_MONOTONIC, &now);
		TEST_ASSERT(now.tv_sec - start.tv_sec < 120, "the guest is stuck: %s", what);
	}
}

static inline struct kvm_vm *wbinvd_vm_create(struct wbinvd_vcpu *vcpus, unsigned int nr)
{
	struct kvm_vcpu *created[WBINVD_GUEST_VCPUS];
	struct wbinvd_guest *guest;
	struct kvm_vm *vm;
	unsigned int i;

	vm = vm_create_with_vcpus(nr, wbinvd_guest_code, created);
	guest = addr_gva2hva(vm, (uint64_t)wbinvd_guest);
	for (i = 0; i < nr; i++) {
		vcpu_args_set(created[i], 1, (uint64_t)i);
		vcpus[i].vcpu = created[i];
		vcpus[i].guest = &guest[i];
		/* With one CPU, in Bochs, the timer does not interrupt the guest */
		vcpus[i].guest->yields = get_nprocs() == 1;
	}
	return vm;
}

static void *wbinvd_vcpu_thread(void *data)
{
	struct wbinvd_vcpu *v = data;
	struct ucall uc;

	__atomic_store_n(&v->tid, syscall(SYS_gettid), __ATOMIC_RELEASE);
	vcpu_run(v->vcpu);
	TEST_ASSERT(get_ucall(v->vcpu, &uc) == UCALL_DONE, "the guest stopped with exit reason %u",
		    v->vcpu->run->exit_reason);
	return NULL;
}

/*
 * The new thread inherits the CPU affinity of its creator. Returns when the guest runs.
 * May be called again after wbinvd_vcpu_stop().
 */
static inline void wbinvd_vcpu_start(struct wbinvd_vcpu *v)
{
	v->guest->stop = 0;
	TEST_ASSERT(!pthread_create(&v->thread, NULL, wbinvd_vcpu_thread, v), "pthread_create");
	wait_until(&v->guest->rounds, v->guest->rounds + 1, "start");
}

static inline void wbinvd_vcpu_stop(struct wbinvd_vcpu *v)
{
	__atomic_store_n(&v->guest->stop, 1, __ATOMIC_RELEASE);
	pthread_join(v->thread, NULL);
}

/* Waits until the guest has written all of its lines again */
static inline void wbinvd_vcpu_dirty(struct wbinvd_vcpu *v)
{
	uint64_t rounds = __atomic_load_n(&v->guest->rounds, __ATOMIC_ACQUIRE);

	/* The round that is under way may have begun before */
	wait_until(&v->guest->rounds, rounds + 2, "stores");
}

/* Migrates the running guest to @cpu, and lets it write its lines there */
static inline void wbinvd_vcpu_migrate(struct wbinvd_vcpu *v, int cpu)
{
	TEST_ASSERT(!pin_to(v->tid, cpu), "sched_setaffinity of a vCPU to CPU %d", cpu);
	wbinvd_vcpu_dirty(v);
}

static inline void wbinvd_vcpu_want(struct wbinvd_vcpu *v, unsigned int n)
{
	__atomic_store_n(&v->guest->wanted, v->guest->wanted + n, __ATOMIC_RELEASE);
}

static inline void wbinvd_vcpu_wait(struct wbinvd_vcpu *v)
{
	wait_until(&v->guest->done, v->guest->wanted, "WBINVD");
}

/* Waits until the guest has executed WBINVD @n more times */
static inline void wbinvd_vcpu_wbinvd(struct wbinvd_vcpu *v, unsigned int n)
{
	wbinvd_vcpu_want(v, n);
	wbinvd_vcpu_wait(v);
}

#endif /* SELFTEST_KVM_WBINVD_GUEST_H */
