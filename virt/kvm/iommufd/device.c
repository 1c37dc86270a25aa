// SPDX-License-Identifier: GPL-2.0-only
/*
 * The KVM device of type KVM_DEV_TYPE_IOMMUFD: the iommufds whose non-coherent
 * DMA can reach the VM.
 *
 * Documentation/virt/kvm/devices/iommufd.rst is the uAPI's contract.
 */
#include <linux/eventfd.h>
#include <linux/iommufd.h>
#include <linux/kvm_host.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "source.h"

struct kvm_iommufd {
	/* Protects the list; taken outside of every lock of iommufd */
	struct mutex lock;
	struct list_head sources;
};

static const struct kvm_device_ops kvm_iommufd_ops;

static struct kvm_iommufd_source *find_source(struct kvm_iommufd *ki,
					      struct iommufd_ctx *ictx)
{
	struct kvm_iommufd_source *source;

	lockdep_assert_held(&ki->lock);

	list_for_each_entry(source, &ki->sources, node)
		if (source->ictx == ictx)
			return source;
	return NULL;
}

static int kvm_iommufd_add(struct kvm_device *dev, struct iommufd_ctx *ictx)
{
	struct kvm_iommufd *ki = dev->private;
	struct kvm_iommufd_source *source;

	guard(mutex)(&ki->lock);

	if (find_source(ki, ictx))
		return -EEXIST;
	source = kvm_iommufd_source_create(dev->kvm, ictx);
	if (IS_ERR(source))
		return PTR_ERR(source);
	list_add_tail(&source->node, &ki->sources);
	return 0;
}

static int kvm_iommufd_del(struct kvm_device *dev, struct iommufd_ctx *ictx)
{
	struct kvm_iommufd *ki = dev->private;
	struct kvm_iommufd_source *source;

	guard(mutex)(&ki->lock);

	source = find_source(ki, ictx);
	if (!source)
		return -ENOENT;
	list_del(&source->node);
	kvm_iommufd_source_destroy(source);
	return 0;
}

static int kvm_iommufd_set_fd(struct kvm_device *dev, u64 attr,
			      s32 __user *argp)
{
	struct iommufd_ctx *ictx;
	s32 fd;
	int ret;

	if (attr != KVM_DEV_IOMMUFD_FD_ADD && attr != KVM_DEV_IOMMUFD_FD_DEL)
		return -ENXIO;
	if (get_user(fd, argp))
		return -EFAULT;

	ictx = iommufd_ctx_from_fd(fd);
	if (IS_ERR(ictx))
		return PTR_ERR(ictx) == -EBADFD ? -EINVAL : PTR_ERR(ictx);

	if (attr == KVM_DEV_IOMMUFD_FD_ADD)
		ret = kvm_iommufd_add(dev, ictx);
	else
		ret = kvm_iommufd_del(dev, ictx);
	iommufd_ctx_put(ictx);
	return ret;
}

static int kvm_iommufd_set_eventfd(struct kvm_device *dev, s32 __user *argp)
{
	struct eventfd_ctx *eventfd = NULL;
	s32 fd;

	if (get_user(fd, argp))
		return -EFAULT;
	if (fd != -1) {
		eventfd = eventfd_ctx_fdget(fd);
		if (IS_ERR(eventfd))
			return PTR_ERR(eventfd);
	}
	kvm_arch_set_coherency_eventfd(dev->kvm, eventfd);
	return 0;
}

static u32 count_sources(struct kvm_iommufd *ki)
{
	guard(mutex)(&ki->lock);
	return list_count_nodes(&ki->sources);
}

static int kvm_iommufd_get_status(struct kvm_device *dev,
				  struct kvm_coherency_status __user *argp)
{
	const size_t first_version =
		offsetofend(struct kvm_coherency_status, wbinvd_ignored);
	struct kvm_coherency_status status = {};
	u32 size;

	if (get_user(size, &argp->size))
		return -EFAULT;
	if (size < first_version)
		return -EINVAL;

	kvm_arch_get_coherency_status(dev->kvm, &status);
	status.nr_iommufds = count_sources(dev->private);
	status.size = min_t(size_t, size, sizeof(status));
	if (copy_to_user(argp, &status, status.size))
		return -EFAULT;
	return 0;
}

static int kvm_iommufd_set_attr(struct kvm_device *dev,
				struct kvm_device_attr *attr)
{
	void __user *argp = u64_to_user_ptr(attr->addr);

	if (attr->flags)
		return -EINVAL;

	switch (attr->group) {
	case KVM_DEV_IOMMUFD_FD:
		return kvm_iommufd_set_fd(dev, attr->attr, argp);
	case KVM_DEV_IOMMUFD_COHERENCY:
		if (attr->attr == KVM_DEV_IOMMUFD_COHERENCY_EVENTFD)
			return kvm_iommufd_set_eventfd(dev, argp);
		break;
	}
	return -ENXIO;
}

static int kvm_iommufd_get_attr(struct kvm_device *dev,
				struct kvm_device_attr *attr)
{
	if (attr->flags)
		return -EINVAL;

	if (attr->group == KVM_DEV_IOMMUFD_COHERENCY &&
	    attr->attr == KVM_DEV_IOMMUFD_COHERENCY_STATUS)
		return kvm_iommufd_get_status(dev, u64_to_user_ptr(attr->addr));
	return -ENXIO;
}

static int kvm_iommufd_has_attr(struct kvm_device *dev,
				struct kvm_device_attr *attr)
{
	if (attr->flags)
		return -EINVAL;

	switch (attr->group) {
	case KVM_DEV_IOMMUFD_FD:
		switch (attr->attr) {
		case KVM_DEV_IOMMUFD_FD_ADD:
		case KVM_DEV_IOMMUFD_FD_DEL:
			return 0;
		}
		break;
	case KVM_DEV_IOMMUFD_COHERENCY:
		switch (attr->attr) {
		case KVM_DEV_IOMMUFD_COHERENCY_STATUS:
		case KVM_DEV_IOMMUFD_COHERENCY_EVENTFD:
			return 0;
		}
		break;
	}
	return -ENXIO;
}

static int kvm_iommufd_create(struct kvm_device *dev, u32 type)
{
	struct kvm_device *other;
	struct kvm_iommufd *ki;

	lockdep_assert_held(&dev->kvm->lock);

	list_for_each_entry(other, &dev->kvm->devices, vm_node)
		if (other->ops == &kvm_iommufd_ops)
			return -EBUSY;

	ki = kzalloc(sizeof(*ki), GFP_KERNEL_ACCOUNT);
	if (!ki)
		return -ENOMEM;
	mutex_init(&ki->lock);
	INIT_LIST_HEAD(&ki->sources);
	dev->private = ki;
	return 0;
}

/* The last reference on the device is gone: nobody else is using the list */
static void kvm_iommufd_release(struct kvm_device *dev)
{
	struct kvm_iommufd *ki = dev->private;
	struct kvm_iommufd_source *source, *next;

	list_for_each_entry_safe(source, next, &ki->sources, node)
		kvm_iommufd_source_destroy(source);
	kvm_arch_set_coherency_eventfd(dev->kvm, NULL);
	mutex_destroy(&ki->lock);
	kfree(ki);
	kfree(dev);
}

static const struct kvm_device_ops kvm_iommufd_ops = {
	.name = "kvm-iommufd",
	.owner = THIS_MODULE,
	.create = kvm_iommufd_create,
	.release = kvm_iommufd_release,
	.set_attr = kvm_iommufd_set_attr,
	.get_attr = kvm_iommufd_get_attr,
	.has_attr = kvm_iommufd_has_attr,
};

static int __init kvm_iommufd_init(void)
{
	return kvm_register_device_ops(&kvm_iommufd_ops, KVM_DEV_TYPE_IOMMUFD);
}
module_init(kvm_iommufd_init);

static void __exit kvm_iommufd_exit(void)
{
	kvm_unregister_device_ops(KVM_DEV_TYPE_IOMMUFD);
}
module_exit(kvm_iommufd_exit);

/* KVM_DEV_TYPE_IOMMUFD, as a number: the alias is a string */
MODULE_ALIAS("kvm-device-type-64");
/* As MODULE_IMPORT_NS() does, which takes a word or a string, by kernel */
MODULE_INFO(import_ns, "IOMMUFD");
MODULE_DESCRIPTION("KVM follows the DMA coherency of iommufd attachments");
MODULE_LICENSE("GPL");
