// SPDX-License-Identifier: GPL-2.0
/*
 * The memory type of a guest's pages follows permission, on CPUs with EPT: this
 * checks the SPTEs themselves, which the MMU's tracepoint shows when they are
 * made. While KVM ignores guest PAT, SPTEs have the ignore-PAT bit set, so that
 * the page is write-back whatever the guest says. Otherwise the bit is clear, and
 * a page that the guest maps as uncacheable is uncacheable.
 *
 * Usage: noncoherent_dma_ept_test
 */
#include "kvm_util.h"
#include "mock_device.h"
#include "noncoherent_dma.h"
#include "processor.h"
#include "wbinvd_guest.h"

#define EPT_TYPE(spte)		(((spte) >> 3) & 7)
#define EPT_TYPE_WB		6
#define EPT_IPAT(spte)		(((spte) >> 6) & 1)

#define NR_PAGES		16
#define PAGES_GPA		BIT_ULL(30)
#define PAGES_GFN		(PAGES_GPA >> 12)
#define PAGES_GVA		0x40000000ULL
#define PAGES_SLOT		10

static unsigned int points;

struct entries {
	/* Per page: how often an SPTE was made, and the last one */
	unsigned int made[NR_PAGES];
	uint64_t spte[NR_PAGES];
};

static void guest_code(void)
{
	unsigned int i;

	for (;;) {
		for (i = 0; i < NR_PAGES; i++)
			WRITE_ONCE(*(uint64_t *)(PAGES_GVA + i * 4096ULL), i);
		GUEST_SYNC(0);
	}
}

static void entry_made(const char *text, void *data)
{
	struct entries *entries = data;
	unsigned long long gfn, spte;

	TEST_ASSERT(sscanf(text, "gfn %llx spte %llx", &gfn, &spte) == 2,
		    "kvm_mmu_set_spte traced: %s", text);
	if (gfn < PAGES_GFN || gfn >= PAGES_GFN + NR_PAGES)
		return;
	entries->made[gfn - PAGES_GFN]++;
	entries->spte[gfn - PAGES_GFN] = spte;
}

/* Runs the guest, which touches all pages, and returns the SPTEs made for that */
static struct entries touch(struct kvm_vcpu *vcpu)
{
	struct entries entries = {};
	struct ucall uc;

	trace_clear();
	trace_event("kvmmmu/kvm_mmu_set_spte", true);
	vcpu_run(vcpu);
	TEST_ASSERT(get_ucall(vcpu, &uc) == UCALL_SYNC, "the guest stopped with exit reason %u",
		    vcpu->run->exit_reason);
	trace_event("kvmmmu/kvm_mmu_set_spte", false);
	trace_lines("kvm_mmu_set_spte", entry_made, &entries);
	return entries;
}

static void check(struct kvm_vcpu *vcpu, bool made, bool ipat, const char *when)
{
	struct entries entries = touch(vcpu);
	unsigned int i;

	for (i = 0; i < NR_PAGES; i++) {
		TEST_ASSERT(!!entries.made[i] == made, "%s: page %u: %u entries made", when, i,
			    entries.made[i]);
		if (!made)
			continue;
		TEST_ASSERT(EPT_TYPE(entries.spte[i]) == EPT_TYPE_WB,
			    "%s: page %u: type %u in entry 0x%lx", when, i,
			    (unsigned int)EPT_TYPE(entries.spte[i]), entries.spte[i]);
		TEST_ASSERT(EPT_IPAT(entries.spte[i]) == ipat,
			    "%s: page %u: ignore-PAT bit is wrong in entry 0x%lx", when, i,
			    entries.spte[i]);
	}
	if (made)
		printf("ok %u - %s: all entries made anew, as 0x%lx: type %lu, ignore-PAT %lu\n",
		       ++points, when, entries.spte[0], EPT_TYPE(entries.spte[0]),
		       EPT_IPAT(entries.spte[0]));
	else
		printf("ok %u - %s: all entries stayed\n", ++points, when);
}

static void edge_line(const char *text, void *data)
{
	TEST_ASSERT(sscanf(text, "vm=%*d permission=%*s zapped=%*d flushed_cpus=%u",
			   (unsigned int *)data) == 1, "kvm_noncoherent_dma traced: %s", text);
}

/* Attaches, and returns how many CPUs the edge flushed */
static unsigned int attach(struct mock_iommufd *mock, uint32_t *attached)
{
	unsigned int flushed = ~0U;

	trace_clear();
	trace_event("kvm/kvm_noncoherent_dma", true);
	*attached = mock_attach(mock);
	trace_event("kvm/kvm_noncoherent_dma", false);
	TEST_ASSERT(trace_lines("kvm_noncoherent_dma", edge_line, &flushed) == 1,
		    "it was not one edge");
	return flushed;
}

static struct kvm_vm *create(struct kvm_vcpu **vcpu, int *device, struct mock_iommufd *mock)
{
	struct kvm_vm *vm = vm_create_with_one_vcpu(vcpu, guest_code);

	vm_userspace_mem_region_add(vm, VM_MEM_SRC_ANONYMOUS, PAGES_GPA, PAGES_SLOT, NR_PAGES, 0);
	virt_map(vm, PAGES_GVA, PAGES_GPA, NR_PAGES);
	*device = coherency_device_create(vm);
	*mock = mock_iommufd_open();
	coherency_add(*device, mock->fd);
	return vm;
}

static void destroy(struct kvm_vm *vm, int device, struct mock_iommufd *mock)
{
	close(device);
	mock_iommufd_close(mock);
	kvm_vm_free(vm);
}

static void test_flip(void)
{
	struct mock_iommufd mock;
	struct kvm_vcpu *vcpu;
	unsigned int flushed;
	uint32_t first, second;
	struct kvm_vm *vm;
	int device;

	vm = create(&vcpu, &device, &mock);
	check(vcpu, true, true, "no device");
	check(vcpu, false, true, "no device, touched again");

	flushed = attach(&mock, &first);
	TEST_ASSERT(flushed == 1, "the edge flushed %u CPUs, the vCPU has run on one", flushed);
	check(vcpu, true, false, "attached");
	second = mock_attach(&mock);
	check(vcpu, false, false, "a second device attached");
	mock_detach(&mock, second);
	check(vcpu, false, false, "the second device detached");

	mock_detach(&mock, first);
	check(vcpu, true, true, "detached");
	check(vcpu, false, true, "detached, touched again");

	coherency_policy(vm, KVM_NONCOHERENT_DMA_NO_WBINVD);
	flushed = attach(&mock, &first);
	TEST_ASSERT(flushed == 0, "under NO_WBINVD the edge flushed %u CPUs", flushed);
	check(vcpu, true, false, "attached under NO_WBINVD");
	coherency_policy(vm, KVM_NONCOHERENT_DMA_FOLLOW);
	check(vcpu, false, false, "FOLLOW while attached");
	mock_detach(&mock, first);
	check(vcpu, true, true, "detached again");
	destroy(vm, device, &mock);
}

#ifdef KVM_X86_QUIRK_IGNORE_GUEST_PAT
/* If the VMM disabled the quirk, PAT is always honoured, and edges do not zap or flush */
static void test_without_quirk(void)
{
	struct mock_iommufd mock;
	struct kvm_vcpu *vcpu;
	unsigned int flushed;
	uint32_t attached;
	struct kvm_vm *vm;
	int device;

	vm = create(&vcpu, &device, &mock);
	vm_enable_cap(vm, KVM_CAP_DISABLE_QUIRKS2, KVM_X86_QUIRK_IGNORE_GUEST_PAT);
	check(vcpu, true, false, "guest PAT honoured, no device");
	flushed = attach(&mock, &attached);
	TEST_ASSERT(!flushed, "the edge flushed %u CPUs", flushed);
	check(vcpu, false, false, "guest PAT honoured, attached");
	mock_detach(&mock, attached);
	check(vcpu, false, false, "guest PAT honoured, detached");
	destroy(vm, device, &mock);
}
#endif

int main(void)
{
	__TEST_REQUIRE(host_cpu_is_intel && kvm_is_tdp_enabled(), "needs EPT");

	pin_self(0);
	test_flip();
#ifdef KVM_X86_QUIRK_IGNORE_GUEST_PAT
	if (kvm_check_cap(KVM_CAP_DISABLE_QUIRKS2) & KVM_X86_QUIRK_IGNORE_GUEST_PAT)
		test_without_quirk();
#endif
	return 0;
}
