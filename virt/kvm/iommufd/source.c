// SPDX-License-Identifier: GPL-2.0-only
/*
 * One iommufd as a source of non-coherent DMA for one VM.
 */
#include <linux/err.h>
#include <linux/iommufd.h>
#include <linux/kvm_host.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "source.h"

static void kvm_iommufd_source_show(struct seq_file *m,
				    struct kvm_coherency_entry *entry)
{
	struct kvm_iommufd_source *source =
		container_of(entry, struct kvm_iommufd_source, entry);

	seq_printf(m, "source: iommufd %llu\n",
		   iommufd_coherency_watch_id(&source->watch));
	iommufd_ctx_show_coherency(m, source->ictx);
}

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
	source->entry.show = kvm_iommufd_source_show;
	iommufd_coherency_watch_init(&source->watch, &kvm_coherency_ops, kvm);

	assignment_begin(kvm);
	rc = iommufd_watch_coherency(iommufd_ctx_coherency(ictx),
				     &source->watch);
	if (rc) {
		assignment_end(kvm);
		kfree(source);
		return ERR_PTR(rc);
	}
	iommufd_ctx_get(ictx);
	kvm_arch_list_coherency(kvm, &source->entry);
	return source;
}

/* Permission that only this source gave is gone when this returns */
void kvm_iommufd_source_destroy(struct kvm_iommufd_source *source)
{
	kvm_arch_unlist_coherency(source->kvm, &source->entry);
	iommufd_unwatch_coherency(&source->watch);
	iommufd_ctx_put(source->ictx);
	assignment_end(source->kvm);
	kfree(source);
}
