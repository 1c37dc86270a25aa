// SPDX-License-Identifier: GPL-2.0-only
/*
 * kvm-vfio where VFIO reports live coherency: each file that was added gives the
 * VM permission exactly while what it owns can do non-coherent DMA.
 */
#include <linux/kvm_host.h>
#include <linux/module.h>

#include "vfio_coherency.h"

/*
 * Returns -EPERM where what the file owns is non-coherent already and the VM's
 * policy forbids that. The caller holds the file open until kvm_vfio_unwatch().
 */
int kvm_vfio_watch(struct vfio_file_watch *fw, struct kvm *kvm,
		   struct file *file)
{
	int (*fn)(struct file *file, struct vfio_file_watch *fw,
		  const struct iommufd_coherency_ops *ops, void *data);
	int ret;

	fn = symbol_get(vfio_file_watch_coherency);
	if (!fn)
		return -EINVAL;

	ret = fn(file, fw, &kvm_coherency_ops, kvm);

	symbol_put(vfio_file_watch_coherency);

	return ret;
}

void kvm_vfio_unwatch(struct vfio_file_watch *fw)
{
	void (*fn)(struct vfio_file_watch *fw);

	fn = symbol_get(vfio_file_unwatch_coherency);
	/* The open file keeps VFIO's code */
	if (WARN_ON(!fn))
		return;

	fn(fw);

	symbol_put(vfio_file_unwatch_coherency);
}
