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
#include <linux/debugfs.h>
#include <linux/eventfd.h>
#include <linux/kvm_host.h>
#include <linux/kvm_noncoherent_dma.h>
#include <linux/moduleparam.h>
#include <linux/nospec.h>
#include <linux/rcupdate.h>
#include <linux/seq_file.h>
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

/* All that distinguishes one policy from another, by KVM_NONCOHERENT_DMA_* */
static const struct policy {
	const char *name;
	/* A VMM may only exceed the strictness that its VM began with */
	unsigned int strictness;
	/* Sources are refused */
	bool refuses;
	/* A guest's WBINVD never flushes, which takes a CPU that intercepts it */
	bool mutes_wbinvd;
} policies[] = {
	[KVM_NONCOHERENT_DMA_FOLLOW] = { "follow", 0 },
	[KVM_NONCOHERENT_DMA_NO_WBINVD] = { "no-wbinvd", 1, .mutes_wbinvd = true },
	[KVM_NONCOHERENT_DMA_FORBID] = { "forbid", 2, .refuses = true },
};

static int policy_by_name(const char *name)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(policies); i++)
		if (sysfs_streq(name, policies[i].name))
			return i;
	return -EINVAL;
}

/*
 * kvm.noncoherent_dma: what VMs made from now on begin with, and the loosest
 * policy that they can have. An errno if the command line has an unknown word.
 */
static int default_policy = KVM_NONCOHERENT_DMA_FOLLOW;

/*
 * Parsed before KVM knows what the CPU can do, so that kvm_noncoherent_dma_init()
 * judges it. A kernel that boots ignores the error; no VM can be made then.
 */
static int default_policy_set(const char *val, const struct kernel_param *kp)
{
	int policy = val ? policy_by_name(val) : -EINVAL;

	if (policy >= 0 || system_state < SYSTEM_RUNNING)
		WRITE_ONCE(default_policy, policy);
	return policy < 0 ? policy : 0;
}

static const char *default_policy_name(void)
{
	int policy = READ_ONCE(default_policy);

	return policy < 0 ? "unknown" : policies[policy].name;
}

static int default_policy_get(char *buffer, const struct kernel_param *kp)
{
	return sysfs_emit(buffer, "%s\n", default_policy_name());
}

static const struct kernel_param_ops default_policy_ops = {
	/* Without a value it is an error as well, and not left out */
	.flags = KERNEL_PARAM_OPS_FL_NOARG,
	.set = default_policy_set,
	.get = default_policy_get,
};

module_param_cb(noncoherent_dma, &default_policy_ops, NULL, 0644);
MODULE_PARM_DESC(noncoherent_dma,
		 "Loosest policy about non-coherent DMA that VMs made from now on can have: follow (default), no-wbinvd or forbid");

static const struct policy *policy_of(struct kvm *kvm)
{
	return &policies[READ_ONCE(kvm->arch.noncoherent_dma.policy)];
}

static bool wbinvd_is_permitted(struct kvm *kvm)
{
	return kvm_arch_has_noncoherent_dma(kvm) &&
	       !policy_of(kvm)->mutes_wbinvd;
}

/* Can this machine and this kernel carry it out? */
static bool policy_is_offered(int policy)
{
	return IS_ENABLED(CONFIG_KVM_IOMMUFD) && policy >= 0 &&
	       (!policies[policy].mutes_wbinvd || can_deny_wbinvd());
}

static void wbinvd_ipi(void *unused)
{
	wbinvd();
}

/* Returns -EOPNOTSUPP if nobody can carry out what kvm.noncoherent_dma demands */
int kvm_noncoherent_dma_init(struct kvm *kvm)
{
	struct kvm_noncoherent_dma *nd = &kvm->arch.noncoherent_dma;
	int policy = READ_ONCE(default_policy);

	if (policy != KVM_NONCOHERENT_DMA_FOLLOW && !policy_is_offered(policy)) {
		pr_err_ratelimited("cannot carry out kvm.noncoherent_dma=%s, so no VM is created\n",
				   default_policy_name());
		return -EOPNOTSUPP;
	}
	mutex_init(&nd->lock);
	mutex_init(&nd->entries_lock);
	INIT_LIST_HEAD(&nd->entries);
	nd->policy = policy;
	nd->ceiling = policy;
	if (!can_deny_wbinvd())
		pr_warn_once("this CPU cannot intercept WBINVD: any guest's flushes the caches of the host\n");
	return 0;
}

/**
 * kvm_noncoherent_dma_forbid - Have a VM refuse non-coherent DMA for its lifetime
 * @kvm: VM that is being made
 *
 * For vendor code whose VMs must keep their memory coherent, in its vm_init().
 */
void kvm_noncoherent_dma_forbid(struct kvm *kvm)
{
	kvm->arch.noncoherent_dma.policy = KVM_NONCOHERENT_DMA_FORBID;
	kvm->arch.noncoherent_dma.ceiling = KVM_NONCOHERENT_DMA_FORBID;
}
EXPORT_SYMBOL_FOR_KVM_INTERNAL(kvm_noncoherent_dma_forbid);

void kvm_noncoherent_dma_destroy(struct kvm *kvm)
{
	kvm_arch_set_coherency_eventfd(kvm, NULL);
	mutex_destroy(&kvm->arch.noncoherent_dma.entries_lock);
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

/* Unlike with cpumask_or(), the vCPU may be setting and resetting bits meanwhile */
static void add_mask(struct cpumask *cpus, const struct cpumask *dirty)
{
	unsigned int i;

	for (i = 0; i < BITS_TO_LONGS(nr_cpu_ids); i++)
		cpumask_bits(cpus)[i] |= READ_ONCE(cpumask_bits(dirty)[i]);
}

/* All CPUs whose caches can hold lines that a vCPU of the VM dirtied */
static void unite_masks(struct cpumask *cpus, struct kvm *kvm)
{
	struct kvm_vcpu *vcpu;
	unsigned long i;

	cpumask_clear(cpus);
	kvm_for_each_vcpu(i, vcpu, kvm)
		add_mask(cpus, vcpu->arch.wbinvd_dirty_mask);
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
EXPORT_SYMBOL_FOR_KVM_INTERNAL(kvm_noncoherent_dma_take_over);

/* With shadow paging KVM never honours guest PAT, so permission changes no SPTE */
static bool permission_changes_sptes(struct kvm *kvm)
{
	return tdp_enabled &&
	       kvm_check_has_quirk(kvm, KVM_X86_QUIRK_IGNORE_GUEST_PAT);
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

	kvm->stat.noncoherent_dma_permission = on;
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
 * kvm_arch_unreserve_noncoherent_dma(); -EPERM if the policy is FORBID.
 */
int kvm_arch_reserve_noncoherent_dma(struct kvm *kvm)
{
	struct kvm_noncoherent_dma *nd = &kvm->arch.noncoherent_dma;

	guard(mutex)(&nd->lock);

	if (policies[nd->policy].refuses)
		return -EPERM;
	nd->reserved++;
	return 0;
}

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
EXPORT_SYMBOL_FOR_KVM_INTERNAL(kvm_arch_register_noncoherent_dma);

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
EXPORT_SYMBOL_FOR_KVM_INTERNAL(kvm_arch_unregister_noncoherent_dma);

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
EXPORT_SYMBOL_FOR_KVM_INTERNAL(kvm_arch_has_noncoherent_dma);

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
EXPORT_SYMBOL_FOR_KVM_IOMMUFD(kvm_arch_get_coherency_status);

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
EXPORT_SYMBOL_FOR_KVM_IOMMUFD(kvm_arch_set_coherency_eventfd);

static bool policy_is_left(struct kvm *kvm, int policy)
{
	unsigned int ceiling = kvm->arch.noncoherent_dma.ceiling;

	return policies[policy].strictness >= policies[ceiling].strictness;
}

/*
 * KVM_CHECK_EXTENSION: the policies that this machine can carry out; of those,
 * with a VM, what its VMM can choose.
 */
int kvm_noncoherent_dma_policies(struct kvm *kvm)
{
	int i, mask = 0;

	for (i = 0; i < ARRAY_SIZE(policies); i++)
		if (policy_is_offered(i) && (!kvm || policy_is_left(kvm, i)))
			mask |= BIT(i);
	return mask;
}

/*
 * KVM_ENABLE_CAP: -EINVAL for what the machine does not offer and for arguments
 * that must be zero, -EPERM for what is looser than the VM began with, -EBUSY
 * for refusing sources where non-coherent DMA is possible or reserved. When
 * WBINVD becomes mute, waits for in-flight flushes; when it no longer is, does
 * the flush that edges left out.
 */
int kvm_noncoherent_dma_set_policy(struct kvm *kvm,
				   const struct kvm_enable_cap *cap)
{
	struct kvm_noncoherent_dma *nd = &kvm->arch.noncoherent_dma;
	unsigned int policy;
	bool was_mute;

	if (cap->flags || cap->args[1] || cap->args[2] || cap->args[3] ||
	    cap->args[0] >= ARRAY_SIZE(policies))
		return -EINVAL;
	policy = array_index_nospec((unsigned int)cap->args[0],
				    ARRAY_SIZE(policies));
	if (!(kvm_noncoherent_dma_policies(kvm) & BIT(policy)))
		return policy_is_offered(policy) ? -EPERM : -EINVAL;

	guard(mutex)(&nd->lock);
	permission_off_if_revoked(kvm);
	if (policies[policy].refuses && (nd->sources || nd->reserved))
		return -EBUSY;
	was_mute = policies[nd->policy].mutes_wbinvd;
	WRITE_ONCE(nd->policy, policy);
	if (!policies[policy].refuses)
		nd->not_enforced = false;
	if (!nd->sources)
		return 0;
	if (policies[policy].mutes_wbinvd)
		synchronize_rcu();
	else if (was_mute && permission_changes_sptes(kvm))
		flush_dirty_cpus(kvm);
	return 0;
}

/**
 * kvm_arch_list_coherency - Show in debugfs what was added to a VM
 * @kvm: VM
 * @entry: Entry whose watches were added, and that is on no list
 *
 * Undone by kvm_arch_unlist_coherency(), before the watches are removed.
 */
void kvm_arch_list_coherency(struct kvm *kvm,
			     struct kvm_coherency_entry *entry)
{
	guard(mutex)(&kvm->arch.noncoherent_dma.entries_lock);
	list_add_tail(&entry->item, &kvm->arch.noncoherent_dma.entries);
}
EXPORT_SYMBOL_FOR_KVM_IOMMUFD(kvm_arch_list_coherency);

/**
 * kvm_arch_unlist_coherency - Undo kvm_arch_list_coherency()
 * @kvm: VM
 * @entry: Entry, which nobody reads when this has returned
 */
void kvm_arch_unlist_coherency(struct kvm *kvm,
			       struct kvm_coherency_entry *entry)
{
	guard(mutex)(&kvm->arch.noncoherent_dma.entries_lock);
	list_del(&entry->item);
}
EXPORT_SYMBOL_FOR_KVM_IOMMUFD(kvm_arch_unlist_coherency);

/**
 * kvm_arch_coherency_not_enforced - Note that DMA which a VM's policy refuses goes on
 * @kvm: VM, to which the source of that DMA was not added
 *
 * Such DMA gives no permission. Debugfs shows the note until the VM has a policy
 * that refuses nothing.
 */
void kvm_arch_coherency_not_enforced(struct kvm *kvm)
{
	struct kvm_noncoherent_dma *nd = &kvm->arch.noncoherent_dma;

	guard(mutex)(&nd->lock);
	/* The policy may have changed since the refusal */
	nd->not_enforced = policies[nd->policy].refuses;
}

/*
 * Lock order: entries_lock, then VFIO's lock of a file's watches, then the mutex
 * of a source. Edges run under the last one, and watches are added and removed
 * under the last two, but nobody takes entries_lock while holding either of them.
 * So a reader can wait for an edge, but no edge waits for a reader.
 *
 * The file holds no reference to the VM. kvm_destroy_vm() removes the file before
 * anything else, and waits for readers. It may do so under dev_set->lock, which
 * nobody waits for while holding a lock that a reader needs.
 */
static int noncoherent_dma_show(struct seq_file *m, void *unused)
{
	struct kvm *kvm = m->private;
	struct kvm_noncoherent_dma *nd = &kvm->arch.noncoherent_dma;
	struct kvm_coherency_entry *entry;

	mutex_lock(&nd->lock);
	permission_off_if_revoked(kvm);
	seq_printf(m, "permission: %s\n", nd->sources ? "on" : "off");
	seq_printf(m, "policy: %s\n", policies[nd->policy].name);
	seq_printf(m, "loosest policy: %s\n", policies[nd->ceiling].name);
	if (nd->not_enforced)
		seq_puts(m, "not enforced: type1\n");
	mutex_unlock(&nd->lock);

	guard(mutex)(&nd->entries_lock);
	list_for_each_entry(entry, &nd->entries, item)
		entry->show(m, entry);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(noncoherent_dma);

void kvm_noncoherent_dma_create_debugfs(struct kvm *kvm)
{
	debugfs_create_file("noncoherent_dma", 0400, kvm->debugfs_dentry, kvm,
			    &noncoherent_dma_fops);
}
