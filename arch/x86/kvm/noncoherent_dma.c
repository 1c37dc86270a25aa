// SPDX-License-Identifier: GPL-2.0-only
/*
 * All that KVM x86 does about non-coherent DMA, i.e. DMA that does not snoop
 * the CPUs' caches.
 *
 * While such DMA can reach a VM, the VM has permission: a guest's WBINVD really
 * writes back and invalidates caches, and the guest's PAT is honoured. At any
 * other time neither is: flushing the caches of a host is a denial of service.
 *
 * Documentation/virt/kvm/x86/noncoherent-dma.rst proves what follows.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cpumask.h>
#include <linux/eventfd.h>
#include <linux/kvm_host.h>
#include <linux/kvm_noncoherent_dma.h>
#include <linux/rcupdate.h>
#include <linux/smp.h>
#include <asm/special_insns.h>

#include "mmu.h"
#include "x86.h"
#include "noncoherent_dma.h"

#define CREATE_TRACE_POINTS
#include <trace/events/kvm_noncoherent_dma.h>

/* Without the exit the guest's WBINVD runs natively and cannot be denied */
static bool can_deny_wbinvd(void)
{
	return kvm_x86_call(has_wbinvd_exit)();
}

static bool wbinvd_is_permitted(struct kvm *kvm)
{
	return kvm_arch_has_noncoherent_dma(kvm) &&
	       READ_ONCE(kvm->arch.noncoherent_dma.policy) !=
	       KVM_NONCOHERENT_DMA_NO_WBINVD;
}

static void wbinvd_ipi(void *unused)
{
	wbinvd();
}

void kvm_noncoherent_dma_init(struct kvm *kvm)
{
	mutex_init(&kvm->arch.noncoherent_dma.lock);
	if (!can_deny_wbinvd())
		pr_warn_once("this CPU cannot intercept WBINVD: any guest's flushes the caches of the host\n");
}

void kvm_noncoherent_dma_destroy(struct kvm *kvm)
{
	kvm_arch_set_coherency_eventfd(kvm, NULL);
	mutex_destroy(&kvm->arch.noncoherent_dma.lock);
}

/*
 * The mask holds every CPU that the vCPU ran on since its last WBINVD that was
 * carried out: the CPUs whose caches can hold lines that it dirtied. It is kept
 * with and without permission, because an edge needs it complete. Runs with
 * preemption off, before the vCPU can enter the guest on this CPU. The bit is
 * mostly set already, and a read is cheaper than a locked write to a line that
 * edges read from other CPUs.
 */
void kvm_noncoherent_dma_vcpu_load(struct kvm_vcpu *vcpu, int cpu)
{
	if (can_deny_wbinvd()) {
		if (!cpumask_test_cpu(cpu, vcpu->arch.wbinvd_dirty_mask))
			cpumask_set_cpu(cpu, vcpu->arch.wbinvd_dirty_mask);
	} else if (kvm_arch_has_noncoherent_dma(vcpu->kvm) &&
		   vcpu->cpu != -1 && vcpu->cpu != cpu) {
		smp_call_function_single(vcpu->cpu, wbinvd_ipi, NULL, 1);
	}
}

/*
 * The permission is checked, the CPUs are flushed and the mask is reset in one
 * section with preemption off. So
 *  - the mask cannot gain a CPU between the flush and the reset: the vCPU is
 *    loaded nowhere else meanwhile;
 *  - it keeps this CPU, where the vCPU goes on dirtying lines;
 *  - whoever takes permission away waits an RCU grace period, after which no
 *    flush that saw it is still running.
 */
static unsigned int flush_if_permitted(struct kvm_vcpu *vcpu)
{
	struct cpumask *dirty = vcpu->arch.wbinvd_dirty_mask;
	unsigned int flushed;

	guard(preempt)();

	if (!wbinvd_is_permitted(vcpu->kvm))
		return 0;

	flushed = cpumask_weight(dirty);
	on_each_cpu_mask(dirty, wbinvd_ipi, NULL, 1);
	/* An edge may be reading: the bit of this CPU is never seen clear */
	cpumask_copy(dirty, cpumask_of(smp_processor_id()));
	return flushed;
}

/*
 * A guest's WBINVD or WBNOINVD, however it reached KVM. The vCPU is loaded, so
 * its mask has the current CPU.
 */
void kvm_noncoherent_dma_wbinvd(struct kvm_vcpu *vcpu)
{
	unsigned int flushed = 0;

	if (wbinvd_is_permitted(vcpu->kvm)) {
		if (can_deny_wbinvd()) {
			flushed = flush_if_permitted(vcpu);
		} else {
			wbinvd();
			flushed = 1;
		}
	}

	if (flushed)
		vcpu->stat.wbinvd_flushed++;
	else
		vcpu->stat.wbinvd_ignored++;
	trace_kvm_wbinvd(vcpu->vcpu_id, flushed);
}

static void edge_flush_ipi(void *data)
{
	atomic_t *flushed = data;

	wbinvd();
	atomic_inc(flushed);
}

/* All CPUs whose caches can hold lines that a vCPU of the VM dirtied */
static void unite_masks(struct cpumask *cpus, struct kvm *kvm)
{
	struct kvm_vcpu *vcpu;
	unsigned long i;

	cpumask_clear(cpus);
	kvm_for_each_vcpu(i, vcpu, kvm)
		cpumask_or(cpus, cpus, vcpu->arch.wbinvd_dirty_mask);
}

/*
 * Flushes lines that vCPUs dirtied while guest PAT was ignored: the guest takes
 * its UC stores for written to memory and does not flush them. The masks stay as
 * they are, a vCPU alone resets its own. A VM can have thousands of vCPUs, so the
 * masks are united before preemption is turned off for the flush.
 */
static unsigned int flush_dirty_cpus(struct kvm *kvm)
{
	struct cpumask *cpus = &kvm->arch.noncoherent_dma.edge_cpus;
	atomic_t flushed = ATOMIC_INIT(0);

	lockdep_assert_held(&kvm->arch.noncoherent_dma.lock);

	unite_masks(cpus, kvm);
	on_each_cpu_mask(cpus, edge_flush_ipi, &flushed, true);
	return atomic_read(&flushed);
}

/**
 * kvm_noncoherent_dma_take_over - A VM goes on where another one has stopped
 * @kvm: VM that takes over the memory
 * @from: VM that has dirtied lines of it
 *
 * A vCPU of @kvm may be any of @from, so each gets the masks of all. The caller
 * holds the mutex of each vCPU of both, so that none is loaded. Takes the
 * coherency mutex of @kvm.
 */
void kvm_noncoherent_dma_take_over(struct kvm *kvm, struct kvm *from)
{
	struct kvm_noncoherent_dma *nd = &kvm->arch.noncoherent_dma;
	struct kvm_vcpu *vcpu;
	unsigned long i;

	guard(mutex)(&nd->lock);
	unite_masks(&nd->edge_cpus, from);
	kvm_for_each_vcpu(i, vcpu, kvm)
		cpumask_or(vcpu->arch.wbinvd_dirty_mask,
			   vcpu->arch.wbinvd_dirty_mask, &nd->edge_cpus);
}
EXPORT_SYMBOL_GPL(kvm_noncoherent_dma_take_over);

/* With shadow paging KVM never honours guest PAT, so permission changes no SPTE */
static bool permission_changes_sptes(struct kvm *kvm)
{
	return tdp_enabled && kvm_mmu_may_ignore_guest_pat(kvm);
}

/* The SPTEs that replace them honour guest PAT if there is permission */
static void zap_all_sptes(struct kvm *kvm)
{
	int idx = srcu_read_lock(&kvm->srcu);

	kvm_zap_gfn_range(kvm, gpa_to_gfn(0), gpa_to_gfn(~0ULL));
	srcu_read_unlock(&kvm->srcu, idx);
}

static void edge_done(struct kvm *kvm, bool on, bool zapped,
		      unsigned int flushed)
{
	struct kvm_noncoherent_dma *nd = &kvm->arch.noncoherent_dma;

	kvm->stat.noncoherent_dma = on;
	kvm->stat.noncoherent_dma_edges++;
	nd->edges++;
	if (nd->eventfd)
		eventfd_signal(nd->eventfd);
	trace_kvm_noncoherent_dma(kvm->userspace_pid, on, zapped, flushed);
}

/*
 * Permission becomes visible first, so that an SPTE made during the zap honours
 * guest PAT. When the zap is done no vCPU uses an older SPTE, and what vCPUs
 * wrote through those is in the caches of the CPUs in the masks.
 */
static void permission_on(struct kvm *kvm)
{
	bool zap = permission_changes_sptes(kvm);
	unsigned int flushed = 0;

	WRITE_ONCE(kvm->arch.noncoherent_dma.sources, 1);
	if (zap) {
		zap_all_sptes(kvm);
		if (can_deny_wbinvd() && wbinvd_is_permitted(kvm))
			flushed = flush_dirty_cpus(kvm);
	}
	edge_done(kvm, true, zap, flushed);
}

/*
 * The first half of an edge to off. Does not wait, so that VMs which lose
 * permission together can share the grace period that follows the last of them.
 */
static void permission_revoke(struct kvm *kvm)
{
	struct kvm_noncoherent_dma *nd = &kvm->arch.noncoherent_dma;

	WRITE_ONCE(nd->sources, 0);
	nd->revoked_at = get_state_synchronize_rcu();
	nd->revoked = true;
}

/*
 * The second half. Whoever depends on there being no edge under way finishes it.
 * The grace period waits for sections with preemption off, and those wait for
 * nothing but IPIs, so user space cannot delay it.
 */
static void permission_off_if_revoked(struct kvm *kvm)
{
	struct kvm_noncoherent_dma *nd = &kvm->arch.noncoherent_dma;
	bool zap = permission_changes_sptes(kvm);

	lockdep_assert_held(&nd->lock);

	if (!nd->revoked)
		return;
	cond_synchronize_rcu(nd->revoked_at);
	if (zap)
		zap_all_sptes(kvm);
	nd->revoked = false;
	edge_done(kvm, false, zap, 0);
}

/**
 * kvm_arch_reserve_noncoherent_dma - Ask whether a VM may get non-coherent DMA
 * @kvm: VM
 *
 * Takes the VM's coherency mutex.
 *
 * Returns 0, and the VM's policy cannot become FORBID until
 * kvm_arch_unreserve_noncoherent_dma(); -EPERM if the policy is FORBID or if
 * the memory of this type of VM must stay coherent.
 */
int kvm_arch_reserve_noncoherent_dma(struct kvm *kvm)
{
	struct kvm_noncoherent_dma *nd = &kvm->arch.noncoherent_dma;

	guard(mutex)(&nd->lock);

#ifdef KVM_X86_TDX_VM
	if (kvm->arch.vm_type == KVM_X86_TDX_VM)
		return -EPERM;
#endif
	if (nd->policy == KVM_NONCOHERENT_DMA_FORBID)
		return -EPERM;
	nd->reserved++;
	return 0;
}
EXPORT_SYMBOL_GPL(kvm_arch_reserve_noncoherent_dma);

/**
 * kvm_arch_unreserve_noncoherent_dma - Undo kvm_arch_reserve_noncoherent_dma()
 * @kvm: VM
 *
 * If the source was revoked and was the last one, no WBINVD of the guest flushes
 * a cache when this has returned. Takes the VM's coherency mutex, and mmu_lock
 * inside it.
 */
void kvm_arch_unreserve_noncoherent_dma(struct kvm *kvm)
{
	struct kvm_noncoherent_dma *nd = &kvm->arch.noncoherent_dma;

	guard(mutex)(&nd->lock);
	permission_off_if_revoked(kvm);
	WARN_ON_ONCE(!nd->reserved);
	nd->reserved--;
}
EXPORT_SYMBOL_GPL(kvm_arch_unreserve_noncoherent_dma);

/**
 * kvm_arch_register_noncoherent_dma - A source is about to become non-coherent
 * @kvm: VM
 *
 * Takes the VM's coherency mutex, and mmu_lock inside it. The mutex is held
 * until the work of the edge is done, so that a second source does not return
 * before it either.
 */
void kvm_arch_register_noncoherent_dma(struct kvm *kvm)
{
	struct kvm_noncoherent_dma *nd = &kvm->arch.noncoherent_dma;

	guard(mutex)(&nd->lock);
	permission_off_if_revoked(kvm);
	if (!nd->sources)
		permission_on(kvm);
	else
		WRITE_ONCE(nd->sources, nd->sources + 1);
}
EXPORT_SYMBOL_GPL(kvm_arch_register_noncoherent_dma);

static void source_revoke(struct kvm *kvm)
{
	struct kvm_noncoherent_dma *nd = &kvm->arch.noncoherent_dma;

	if (WARN_ON_ONCE(!nd->sources))
		return;
	if (nd->sources == 1)
		permission_revoke(kvm);
	else
		WRITE_ONCE(nd->sources, nd->sources - 1);
}

/**
 * kvm_arch_revoke_noncoherent_dma - A source is not non-coherent any more
 * @kvm: VM
 *
 * Takes the VM's coherency mutex. If this was the last source, a WBINVD that the
 * guest executes from now on flushes no cache; kvm_arch_unreserve_noncoherent_dma()
 * waits for those that run, and does the rest of the edge.
 */
void kvm_arch_revoke_noncoherent_dma(struct kvm *kvm)
{
	guard(mutex)(&kvm->arch.noncoherent_dma.lock);
	source_revoke(kvm);
}

/**
 * kvm_arch_unregister_noncoherent_dma - Revoke a source, and wait
 * @kvm: VM
 *
 * Takes the VM's coherency mutex, and mmu_lock inside it. If this was the last
 * source, no WBINVD of the guest flushes a cache when this has returned.
 */
void kvm_arch_unregister_noncoherent_dma(struct kvm *kvm)
{
	guard(mutex)(&kvm->arch.noncoherent_dma.lock);
	source_revoke(kvm);
	permission_off_if_revoked(kvm);
}
EXPORT_SYMBOL_GPL(kvm_arch_unregister_noncoherent_dma);

/**
 * kvm_arch_has_noncoherent_dma - Does a VM have permission?
 * @kvm: VM
 *
 * Takes no lock, so the answer may be outdated at once. A WBINVD that acts on
 * it does so in a section that an edge to off waits for; an SPTE made by an
 * outdated answer is zapped by the edge.
 */
bool kvm_arch_has_noncoherent_dma(struct kvm *kvm)
{
	return READ_ONCE(kvm->arch.noncoherent_dma.sources);
}
EXPORT_SYMBOL_GPL(kvm_arch_has_noncoherent_dma);

/**
 * kvm_arch_get_coherency_status - Report permission, policy and counts
 * @kvm: VM
 * @status: All but size and nr_iommufds is filled in
 *
 * Takes the VM's coherency mutex, so that flags and edges belong together.
 */
void kvm_arch_get_coherency_status(struct kvm *kvm,
				   struct kvm_coherency_status *status)
{
	struct kvm_noncoherent_dma *nd = &kvm->arch.noncoherent_dma;
	struct kvm_vcpu *vcpu;
	unsigned long i;

	guard(mutex)(&nd->lock);
	permission_off_if_revoked(kvm);
	status->flags = 0;
	if (nd->sources)
		status->flags |= KVM_COHERENCY_NONCOHERENT;
	if (wbinvd_is_permitted(kvm) || !can_deny_wbinvd())
		status->flags |= KVM_COHERENCY_WBINVD;
	status->policy = nd->policy;
	status->edges = nd->edges;
	status->wbinvd_flushed = 0;
	status->wbinvd_ignored = 0;
	kvm_for_each_vcpu(i, vcpu, kvm) {
		status->wbinvd_flushed += READ_ONCE(vcpu->stat.wbinvd_flushed);
		status->wbinvd_ignored += READ_ONCE(vcpu->stat.wbinvd_ignored);
	}
}
EXPORT_SYMBOL_GPL(kvm_arch_get_coherency_status);

/**
 * kvm_arch_set_coherency_eventfd - Set what is signalled at every edge
 * @kvm: VM
 * @eventfd: The VM takes over the caller's reference; NULL for none
 *
 * Takes the VM's coherency mutex, and puts the eventfd that was set before.
 */
void kvm_arch_set_coherency_eventfd(struct kvm *kvm,
				    struct eventfd_ctx *eventfd)
{
	struct kvm_noncoherent_dma *nd = &kvm->arch.noncoherent_dma;

	mutex_lock(&nd->lock);
	swap(nd->eventfd, eventfd);
	mutex_unlock(&nd->lock);
	if (eventfd)
		eventfd_ctx_put(eventfd);
}
EXPORT_SYMBOL_GPL(kvm_arch_set_coherency_eventfd);

/* KVM_CHECK_EXTENSION: the policies that this machine can carry out */
int kvm_noncoherent_dma_policies(void)
{
	int policies = BIT(KVM_NONCOHERENT_DMA_FOLLOW) |
		       BIT(KVM_NONCOHERENT_DMA_FORBID);

	if (!IS_ENABLED(CONFIG_KVM_IOMMUFD))
		return 0;
	if (can_deny_wbinvd())
		policies |= BIT(KVM_NONCOHERENT_DMA_NO_WBINVD);
	return policies;
}

/*
 * KVM_ENABLE_CAP: -EINVAL for what KVM_CHECK_EXTENSION does not offer and for
 * arguments that must be zero, -EBUSY for FORBID where non-coherent DMA is
 * possible or reserved. Switching to NO_WBINVD waits for in-flight flushes;
 * switching back does the flush that edges left out under NO_WBINVD.
 */
int kvm_noncoherent_dma_set_policy(struct kvm *kvm,
				   const struct kvm_enable_cap *cap)
{
	struct kvm_noncoherent_dma *nd = &kvm->arch.noncoherent_dma;
	u64 policy = cap->args[0];
	bool owed;

	if (cap->flags || cap->args[1] || cap->args[2] || cap->args[3])
		return -EINVAL;
	if (policy > KVM_NONCOHERENT_DMA_NO_WBINVD ||
	    !(kvm_noncoherent_dma_policies() & BIT(policy)))
		return -EINVAL;

	guard(mutex)(&nd->lock);
	permission_off_if_revoked(kvm);
	if (policy == KVM_NONCOHERENT_DMA_FORBID &&
	    (nd->sources || nd->reserved))
		return -EBUSY;
	owed = nd->policy == KVM_NONCOHERENT_DMA_NO_WBINVD && nd->sources &&
	       permission_changes_sptes(kvm);
	WRITE_ONCE(nd->policy, policy);
	if (policy == KVM_NONCOHERENT_DMA_NO_WBINVD && nd->sources)
		synchronize_rcu();
	else if (owed)
		flush_dirty_cpus(kvm);
	return 0;
}
