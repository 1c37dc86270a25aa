/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What an architecture does for a VM that non-coherent DMA can reach.
 */
#ifndef __LINUX_KVM_NONCOHERENT_DMA_H
#define __LINUX_KVM_NONCOHERENT_DMA_H

#include <linux/export.h>
#include <linux/kvm_types.h>
#include <linux/list.h>
#include <linux/types.h>

struct eventfd_ctx;
struct iommufd_coherency_ops;
struct kvm;
struct kvm_coherency_status;
struct seq_file;

/*
 * To whom KVM exports: to its vendor modules, and to kvm-iommufd. A kernel that
 * cannot name modules in exports, or does not do so in KVM, exports to all.
 */
#ifndef EXPORT_SYMBOL_FOR_KVM_INTERNAL
#define EXPORT_SYMBOL_FOR_KVM_INTERNAL(symbol) EXPORT_SYMBOL_GPL(symbol)
#endif
#ifdef EXPORT_SYMBOL_FOR_MODULES
#define EXPORT_SYMBOL_FOR_KVM_IOMMUFD(symbol) \
	EXPORT_SYMBOL_FOR_MODULES(symbol, "kvm-iommufd")
#else
#define EXPORT_SYMBOL_FOR_KVM_IOMMUFD(symbol) EXPORT_SYMBOL_GPL(symbol)
#endif

/*
 * An iommufd or VFIO file that was added to a VM, as the VM's debugfs shows it.
 * The owner lists the entry after adding its watches and unlists it before
 * removing them, so a reader of the list can rely on the watches.
 */
struct kvm_coherency_entry {
	struct list_head item;
	/* Called under the lock of the list */
	void (*show)(struct seq_file *m, struct kvm_coherency_entry *entry);
};

/* For watches whose data is the VM */
extern const struct iommufd_coherency_ops kvm_coherency_ops;

#ifdef __KVM_HAVE_ARCH_NONCOHERENT_DMA
/*
 * Every source of non-coherent DMA reserves, registers before the DMA can
 * begin, is revoked when it cannot happen any more, and unreserves, which waits
 * until the guest flushes no more. Only to reserve can fail, by the VM's policy
 * or type, and nobody else sees that. All may sleep and none waits for user space.
 */
int kvm_arch_reserve_noncoherent_dma(struct kvm *kvm);
void kvm_arch_revoke_noncoherent_dma(struct kvm *kvm);
void kvm_arch_unreserve_noncoherent_dma(struct kvm *kvm);

void kvm_arch_list_coherency(struct kvm *kvm,
			     struct kvm_coherency_entry *entry);
void kvm_arch_unlist_coherency(struct kvm *kvm,
			       struct kvm_coherency_entry *entry);
/* To be called when a FILE_ADD is refused because of what is in a container */
void kvm_arch_coherency_not_enforced(struct kvm *kvm);

/* Fills in all but size and nr_iommufds */
void kvm_arch_get_coherency_status(struct kvm *kvm,
				   struct kvm_coherency_status *status);

/*
 * The eventfd gains 1 at every edge from whatever source. The caller's
 * reference becomes the VM's; the one that it replaces is put.
 */
void kvm_arch_set_coherency_eventfd(struct kvm *kvm,
				    struct eventfd_ctx *eventfd);
#else
#include <linux/eventfd.h>

/* No guest of these architectures has an instruction that needs permission */
static inline int kvm_arch_reserve_noncoherent_dma(struct kvm *kvm)
{
	return 0;
}

static inline void kvm_arch_revoke_noncoherent_dma(struct kvm *kvm)
{
}

static inline void kvm_arch_unreserve_noncoherent_dma(struct kvm *kvm)
{
}

static inline void kvm_arch_list_coherency(struct kvm *kvm,
					   struct kvm_coherency_entry *entry)
{
}

static inline void kvm_arch_unlist_coherency(struct kvm *kvm,
					     struct kvm_coherency_entry *entry)
{
}

static inline void kvm_arch_coherency_not_enforced(struct kvm *kvm)
{
}

static inline void
kvm_arch_get_coherency_status(struct kvm *kvm,
			      struct kvm_coherency_status *status)
{
}

static inline void kvm_arch_set_coherency_eventfd(struct kvm *kvm,
						  struct eventfd_ctx *eventfd)
{
	if (eventfd)
		eventfd_ctx_put(eventfd);
}
#endif

#endif
