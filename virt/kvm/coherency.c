// SPDX-License-Identifier: GPL-2.0-only
/*
 * A VM as one who watches sources of non-coherent DMA, whichever KVM device was
 * given them. The watch's data is the VM, which outlives it: the KVM device
 * that owns the watch holds the VM, and removing the watch waits for callbacks
 * that run.
 */
#include <linux/iommufd_coherency.h>
#include <linux/kvm_host.h>

static int kvm_coherency_reserve(struct iommufd_coherency_watch *w)
{
	return kvm_arch_reserve_noncoherent_dma(w->data);
}

static void kvm_coherency_begin(struct iommufd_coherency_watch *w)
{
	kvm_arch_register_noncoherent_dma(w->data);
}

static void kvm_coherency_revoke(struct iommufd_coherency_watch *w)
{
	kvm_arch_revoke_noncoherent_dma(w->data);
}

static void kvm_coherency_end(struct iommufd_coherency_watch *w)
{
	kvm_arch_unreserve_noncoherent_dma(w->data);
}

const struct iommufd_coherency_ops kvm_coherency_ops = {
	.reserve = kvm_coherency_reserve,
	.begin = kvm_coherency_begin,
	.revoke = kvm_coherency_revoke,
	.end = kvm_coherency_end,
};
EXPORT_SYMBOL_FOR_KVM_IOMMUFD(kvm_coherency_ops);
