// SPDX-License-Identifier: GPL-2.0-only
/*
 * kvm-vfio where VFIO reports live coherency: each file that was added gives the
 * VM permission exactly while what it owns can do non-coherent DMA.
 *
 * The VM outlives the watch: the kvm-vfio device that owns it holds the VM, and
 * removing the watch waits for callbacks that run.
 */
#include <linux/kvm_host.h>
#include <linux/module.h>

#include "vfio_coherency.h"

static struct kvm *watch_to_kvm(struct vfio_coherency_watch *w)
{
	return container_of(w, struct kvm_vfio_watch, watch)->kvm;
}

static int kvm_vfio_reserve(struct vfio_coherency_watch *w)
{
	return kvm_arch_reserve_noncoherent_dma(watch_to_kvm(w));
}

static void kvm_vfio_begin(struct vfio_coherency_watch *w)
{
	kvm_arch_register_noncoherent_dma(watch_to_kvm(w));
}

static void kvm_vfio_end(struct vfio_coherency_watch *w)
{
	if (w->begun)
		kvm_arch_unregister_noncoherent_dma(watch_to_kvm(w));
	kvm_arch_unreserve_noncoherent_dma(watch_to_kvm(w));
}

static const struct vfio_coherency_ops kvm_vfio_coherency_ops = {
	.reserve = kvm_vfio_reserve,
	.begin = kvm_vfio_begin,
	.end = kvm_vfio_end,
};

/*
 * Returns -EPERM where what the file owns is non-coherent already and the VM's
 * policy forbids that. The caller holds the file open until kvm_vfio_unwatch().
 */
int kvm_vfio_watch(struct kvm_vfio_watch *w, struct kvm *kvm, struct file *file)
{
	int (*fn)(struct file *file, struct vfio_coherency_watch *w,
		  const struct vfio_coherency_ops *ops);
	int ret;

	fn = symbol_get(vfio_file_watch_coherency);
	if (!fn)
		return -EINVAL;

	w->kvm = kvm;
	ret = fn(file, &w->watch, &kvm_vfio_coherency_ops);

	symbol_put(vfio_file_watch_coherency);

	return ret;
}

/* The open file keeps VFIO's code, so the way back needs no symbol_get() */
void kvm_vfio_unwatch(struct kvm_vfio_watch *w)
{
	w->watch.remove(&w->watch);
}
