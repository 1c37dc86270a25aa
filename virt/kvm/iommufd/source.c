// SPDX-License-Identifier: GPL-2.0-only
/*
 * One iommufd as a source of non-coherent DMA for one VM: turns the watch's
 * callbacks into calls of the architecture.
 *
 * The VM outlives the source, because the KVM device that owns the source holds
 * the VM, and removing the watch waits for callbacks that run.
 */
#include <linux/err.h>
#include <linux/iommufd.h>
#include <linux/kvm_host.h>
#include <linux/slab.h>

#include "source.h"

static struct kvm_iommufd_source *to_source(struct iommufd_coherency_watch *w)
{
	return container_of(w, struct kvm_iommufd_source, watch);
}

static int kvm_iommufd_reserve(struct iommufd_coherency_watch *w)
{
	return kvm_arch_reserve_noncoherent_dma(to_source(w)->kvm);
}

static void kvm_iommufd_begin(struct iommufd_coherency_watch *w)
{
	kvm_arch_register_noncoherent_dma(to_source(w)->kvm);
}

static void kvm_iommufd_end(struct iommufd_coherency_watch *w)
{
	if (w->begun)
		kvm_arch_unregister_noncoherent_dma(to_source(w)->kvm);
	kvm_arch_unreserve_noncoherent_dma(to_source(w)->kvm);
}

static const struct iommufd_coherency_ops kvm_iommufd_coherency_ops = {
	.reserve = kvm_iommufd_reserve,
	.begin = kvm_iommufd_begin,
	.end = kvm_iommufd_end,
};

/*
 * Returns the source, or an errno: -EPERM where the iommufd has a non-coherent
 * attachment that the VM's policy forbids. If it has one that is allowed, the
 * VM has permission when this returns.
 */
struct kvm_iommufd_source *kvm_iommufd_source_create(struct kvm *kvm,
						     struct iommufd_ctx *ictx)
{
	struct kvm_iommufd_source *source;
	int rc;

	source = kzalloc(sizeof(*source), GFP_KERNEL_ACCOUNT);
	if (!source)
		return ERR_PTR(-ENOMEM);
	source->kvm = kvm;
	source->ictx = ictx;

	kvm_arch_start_assignment(kvm);
	rc = iommufd_ctx_watch_coherency(ictx, &source->watch,
					 &kvm_iommufd_coherency_ops);
	if (rc) {
		kvm_arch_end_assignment(kvm);
		kfree(source);
		return ERR_PTR(rc);
	}
	return source;
}

/* Permission that only this source gave is gone when this returns */
void kvm_iommufd_source_destroy(struct kvm_iommufd_source *source)
{
	iommufd_unwatch_coherency(&source->watch);
	kvm_arch_end_assignment(source->kvm);
	kfree(source);
}
