// SPDX-License-Identifier: GPL-2.0-only
/*
 * kvm-vfio where VFIO reports live coherency: each file that was added gives the
 * VM permission exactly while what it owns can do non-coherent DMA.
 *
 * To look up a symbol costs more than all the rest, so VFIO's module is put by
 * the address that was found, not by name.
 */
#include <linux/kvm_host.h>
#include <linux/module.h>

#include "vfio_coherency.h"

static void kvm_vfio_watch_show(struct seq_file *m,
				struct kvm_coherency_entry *entry)
{
	void (*fn)(struct seq_file *m, struct vfio_file_watch *fw);
	struct kvm_vfio_watch *w =
		container_of(entry, struct kvm_vfio_watch, entry);

	fn = symbol_get(vfio_file_show_coherency);
	/* The open file keeps VFIO's code */
	if (WARN_ON(!fn))
		return;
	fn(m, &w->file);
	symbol_put_addr(fn);
}

/*
 * Returns -EPERM where what the file owns is non-coherent already and the VM's
 * policy forbids that. The caller holds the file open until kvm_vfio_unwatch().
 */
int kvm_vfio_watch(struct kvm_vfio_watch *w, struct kvm *kvm,
		   struct file *file)
{
	int (*fn)(struct file *file, struct vfio_file_watch *fw,
		  const struct iommufd_coherency_ops *ops, void *data);
	int ret;

	fn = symbol_get(vfio_file_watch_coherency);
	if (!fn)
		return -EINVAL;
	ret = fn(file, &w->file, &kvm_coherency_ops, kvm);
	symbol_put_addr(fn);
	if (ret) {
		if (ret == -EPERM && w->file.container_refused)
			kvm_arch_coherency_not_enforced(kvm);
		return ret;
	}
	w->kvm = kvm;
	w->entry.show = kvm_vfio_watch_show;
	kvm_arch_list_coherency(kvm, &w->entry);
	return 0;
}

void kvm_vfio_unwatch(struct kvm_vfio_watch *w)
{
	void (*fn)(struct vfio_file_watch *fw);

	kvm_arch_unlist_coherency(w->kvm, &w->entry);
	fn = symbol_get(vfio_file_unwatch_coherency);
	/* The open file keeps VFIO's code */
	if (WARN_ON(!fn))
		return;
	fn(&w->file);
	symbol_put_addr(fn);
}
