// SPDX-License-Identifier: GPL-2.0
/*
 * KVM zaps and flushes only at edges: a second device, a second iommufd and a change
 * from one non-coherent page table to another zap nothing and flush nothing. The MMU's
 * tracepoint shows what was zapped, the oracle what was flushed. Where guest PAT is
 * honoured without permission, edges do not zap or flush either.
 *
 * Usage: noncoherent_dma_edge_test
 */
#include "kvm_util.h"
#include "mock_device.h"
#include "noncoherent_dma.h"
#include "oracle.h"
#include "processor.h"
#include "wbinvd_guest.h"

#define SPTE_PRESENT	7

static unsigned int steps;

struct test {
	struct kvm_vm *vm;
	struct wbinvd_vcpu v;
	int device;
	/* KVM ignores guest PAT without permission, so edges zap */
	bool zaps;
	uint64_t edges;
};

static void count_zap(const char *text, void *data)
{
	unsigned long long old_spte, new_spte;
	unsigned int *zaps = data;
	const char *sptes = strstr(text, "old_spte ");

	TEST_ASSERT(sptes &&
		    sscanf(sptes, "old_spte %llx new_spte %llx", &old_spte, &new_spte) == 2,
		    "kvm_tdp_mmu_spte_changed traced: %s", text);
	if ((old_spte & SPTE_PRESENT) && !(new_spte & SPTE_PRESENT))
		(*zaps)++;
}

struct edge {
	unsigned int zapped;
	unsigned int flushed;
};

static void last_edge(const char *text, void *data)
{
	struct edge *edge = data;

	TEST_ASSERT(sscanf(text, "vm=%*d permission=%*s zapped=%u flushed_cpus=%u", &edge->zapped,
			   &edge->flushed) == 2, "kvm_noncoherent_dma traced: %s", text);
}

/* Begins a step, which lasts until step_end(). The guest has all its pages mapped. */
static void step_begin(struct test *test, bool edge, const char *name)
{
	/* An edge to off flushes nothing, one to on flushes the CPU where the vCPU ran */
	bool flushes = edge && test->zaps && !(test->edges & 1);

	wbinvd_vcpu_start(&test->v);
	wbinvd_vcpu_dirty(&test->v);
	wbinvd_vcpu_stop(&test->v);

	trace_clear();
	trace_event("kvmmmu/kvm_tdp_mmu_spte_changed", true);
	trace_event("kvm/kvm_noncoherent_dma", true);
	oracle_phase_guest(++steps, flushes, 0, "%s", name);
}

static void step_end(struct test *test, bool edge, const char *name)
{
	unsigned int zaps = 0, traced;
	struct edge seen = {};
	uint64_t edges;

	oracle_end();
	trace_event("kvmmmu/kvm_tdp_mmu_spte_changed", false);
	trace_event("kvm/kvm_noncoherent_dma", false);

	test->edges += edge;
	edges = coherency_status(test->device).edges;
	TEST_ASSERT(edges == test->edges, "%s: %lu edges, wanted %lu", name, edges,
		    test->edges);

	traced = trace_lines("kvm_noncoherent_dma", last_edge, &seen);
	TEST_ASSERT(traced == edge, "%s: %u edges traced", name, traced);
	trace_lines("kvm_tdp_mmu_spte_changed", count_zap, &zaps);
	TEST_ASSERT(!!zaps == (edge && test->zaps), "%s: %u SPTEs zapped", name, zaps);
	TEST_ASSERT(seen.zapped == (edge && test->zaps), "%s: traced zapped=%u", name, seen.zapped);
	TEST_ASSERT(seen.flushed == (edge && test->zaps && (test->edges & 1)),
		    "%s: traced flushed_cpus=%u", name, seen.flushed);
	printf("ok %u - %s: %s, %u SPTEs zapped, %u CPUs flushed\n", steps, name,
	       edge ? "an edge" : "no edge", zaps, seen.flushed);
}

#define step(in, is_edge, what, action)		\
do {						\
	struct test *__test = in;		\
	const char *__name = what;		\
	bool __edge = is_edge;			\
						\
	step_begin(__test, __edge, __name);	\
	action;					\
	step_end(__test, __edge, __name);	\
} while (0)

static void clear_stat(const char *name)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "/sys/kernel/debug/kvm/%s", name);
	f = fopen(path, "w");
	TEST_ASSERT(f && fputs("0\n", f) >= 0 && !fclose(f), "%s cannot be cleared", path);
}

int main(void)
{
	struct mock_iommufd a = mock_iommufd_open(), b = mock_iommufd_open();
	uint32_t other = mock_ioas_alloc(&a);
	struct test test = {};
	uint32_t a1, a2, b1;
	int access;

	pin_self(0);
	test.vm = wbinvd_vm_create(&test.v, 1);
	test.device = coherency_device_create(test.vm);
	test.zaps = guest_pat_is_ignored();

	step(&test, false, "an iommufd without attachments is added",
	     coherency_add(test.device, a.fd));
	step(&test, true, "the first device is attached", a1 = mock_attach(&a));
	step(&test, false, "a second device is attached", a2 = mock_attach(&a));
	step(&test, false, "a device is moved to another page table that does not enforce",
	     TEST_ASSERT(!mock_replace(&a, a1, other), "replace: %s", strerror(errno)));
	step(&test, false, "and back",
	     TEST_ASSERT(!mock_replace(&a, a1, a.ioas), "replace: %s", strerror(errno)));
	step(&test, false, "a device of a second iommufd is attached, unwatched",
	     b1 = mock_attach(&b));
	step(&test, false, "the second iommufd, non-coherent already, is added",
	     coherency_add(test.device, b.fd));
	step(&test, false, "a device of the first iommufd is detached", mock_detach(&a, a1));
	step(&test, false, "the last device of the first iommufd is detached", mock_detach(&a, a2));
	step(&test, true, "the second iommufd is deleted while attached",
	     coherency_del(test.device, b.fd));
	step(&test, false, "its device is detached", mock_detach(&b, b1));
	step(&test, true, "the first iommufd has a device again", a1 = mock_attach(&a));
	step(&test, true, "a device that is alone is detached", mock_detach(&a, a1));

	/* DMA of mediated devices to pages they pin is non-coherent as well */
	step(&test, true, "a mediated device that does DMA gets access",
	     TEST_ASSERT((access = mock_access_open(&a)) >= 0, "access: %s", strerror(errno)));
	step(&test, false, "it gets another address space",
	     TEST_ASSERT(!mock_access_change(&a, access, other), "replace: %s", strerror(errno)));
	step(&test, false, "a device is attached beside it", a1 = mock_attach(&a));
	step(&test, false, "the mediated device loses its access",
	     TEST_ASSERT(!mock_access_change(&a, access, 0), "detach: %s", strerror(errno)));
	step(&test, true, "the device beside it is detached", mock_detach(&a, a1));
	step(&test, true, "the mediated device has access again",
	     TEST_ASSERT(!mock_access_change(&a, access, a.ioas), "attach: %s", strerror(errno)));
	step(&test, true, "the mediated device is closed with its access", close(access));

	/* Closing KVM's device ends the watch while the attachment stays */
	a1 = mock_attach(&a);
	close(test.device);
	TEST_ASSERT(!vm_stat(test.vm, "noncoherent_dma_permission"),
		    "permission outlives the KVM device");
	test.device = coherency_device_create(test.vm);
	test.edges += 2;
	step(&test, true, "the iommufd is added to a new device of the VM",
	     coherency_add(test.device, a.fd));
	/* Writing to debugfs clears a statistic of all VMs, which must not affect the status */
	clear_stat("noncoherent_dma_edges");
	TEST_ASSERT(!vm_stat(test.vm, "noncoherent_dma_edges"), "The statistic is not cleared");
	TEST_ASSERT(coherency_status(test.device).edges == test.edges,
		    "With the statistic the status lost its edges");
	mock_detach(&a, a1);

	close(test.device);
	mock_iommufd_close(&a);
	mock_iommufd_close(&b);
	kvm_vm_free(test.vm);
	return 0;
}
