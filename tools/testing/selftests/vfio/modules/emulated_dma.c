// SPDX-License-Identifier: GPL-2.0
/*
 * A VFIO device without an IOMMU of its own, as kvmgt's are, whose driver implements
 * dma_unmap, since its device could do DMA to pinned pages. It does no DMA: it pins one
 * page, delays the unpin, and records when that happened.
 */
#include <linux/delay.h>
#include <linux/iommu.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/platform_device.h>
#include <linux/uaccess.h>
#include <linux/vfio.h>

#include "emulated_dma.h"

/* A real device takes a while to stop its DMA */
#define STOP_US		2000

static bool coherent;
module_param(coherent, bool, 0644);
MODULE_PARM_DESC(coherent, "the next device to be bound declares that its DMA snoops");

struct emulated_dma {
	struct vfio_device vdev;
	/* Protects the members below */
	struct mutex lock;
	bool pinned;
	u64 iova;
	u64 unpinned;
};

static struct emulated_dma *to_emulated_dma(struct vfio_device *vdev)
{
	return container_of(vdev, struct emulated_dma, vdev);
}

static int emulated_dma_init(struct vfio_device *vdev)
{
	mutex_init(&to_emulated_dma(vdev)->lock);
	return 0;
}

/* A real driver sets dma_coherent when it registers the device, and never changes it */
static int emulated_dma_bind(struct vfio_device *vdev, struct iommufd_ctx *ictx, u32 *id)
{
	vdev->dma_coherent = READ_ONCE(coherent);
	return vfio_iommufd_emulated_bind(vdev, ictx, id);
}

static int emulated_dma_open(struct vfio_device *vdev)
{
	return 0;
}

static void emulated_dma_unmap(struct vfio_device *vdev, u64 iova, u64 length)
{
	struct emulated_dma *ed = to_emulated_dma(vdev);

	guard(mutex)(&ed->lock);
	if (!ed->pinned || ed->iova < iova || ed->iova - iova >= length)
		return;
	usleep_range(STOP_US, 2 * STOP_US);
	vfio_unpin_pages(vdev, ed->iova, 1);
	ed->pinned = false;
	ed->unpinned = ktime_get_ns();
}

static int emulated_dma_pin(struct emulated_dma *ed, u64 iova)
{
	struct page *page;
	int ret;

	guard(mutex)(&ed->lock);
	if (ed->pinned)
		return -EBUSY;
	ret = vfio_pin_pages(&ed->vdev, iova, 1, IOMMU_READ | IOMMU_WRITE, &page);
	if (ret < 0)
		return ret;
	ed->pinned = true;
	ed->iova = iova;
	return 0;
}

static long emulated_dma_ioctl(struct vfio_device *vdev, unsigned int cmd, unsigned long arg)
{
	struct emulated_dma *ed = to_emulated_dma(vdev);
	u64 __user *argp = (u64 __user *)arg;
	u64 iova;

	switch (cmd) {
	case EMULATED_DMA_PIN:
		if (get_user(iova, argp))
			return -EFAULT;
		return emulated_dma_pin(ed, iova);
	case EMULATED_DMA_UNPINNED:
		return put_user(READ_ONCE(ed->unpinned), argp);
	default:
		return -ENOTTY;
	}
}

static const struct vfio_device_ops emulated_dma_ops = {
	.name = EMULATED_DMA_NAME,
	.init = emulated_dma_init,
	.open_device = emulated_dma_open,
	.ioctl = emulated_dma_ioctl,
	.dma_unmap = emulated_dma_unmap,
	.bind_iommufd = emulated_dma_bind,
	.unbind_iommufd = vfio_iommufd_emulated_unbind,
	.attach_ioas = vfio_iommufd_emulated_attach_ioas,
	.detach_ioas = vfio_iommufd_emulated_detach_ioas,
};

static int emulated_dma_probe(struct platform_device *pdev)
{
	struct emulated_dma *ed;
	int ret;

	ed = vfio_alloc_device(emulated_dma, vdev, &pdev->dev, &emulated_dma_ops);
	if (IS_ERR(ed))
		return PTR_ERR(ed);
	ret = vfio_register_emulated_iommu_dev(&ed->vdev);
	if (ret)
		vfio_put_device(&ed->vdev);
	else
		platform_set_drvdata(pdev, ed);
	return ret;
}

static void emulated_dma_remove(struct platform_device *pdev)
{
	struct emulated_dma *ed = platform_get_drvdata(pdev);

	vfio_unregister_group_dev(&ed->vdev);
	vfio_put_device(&ed->vdev);
}

static struct platform_driver emulated_dma_driver = {
	.driver.name = EMULATED_DMA_NAME,
	.probe = emulated_dma_probe,
	.remove = emulated_dma_remove,
};

static struct platform_device *device;

static int __init emulated_dma_module_init(void)
{
	int ret;

	ret = platform_driver_register(&emulated_dma_driver);
	if (ret)
		return ret;
	device = platform_device_register_simple(EMULATED_DMA_NAME, PLATFORM_DEVID_NONE, NULL, 0);
	if (!IS_ERR(device))
		return 0;
	platform_driver_unregister(&emulated_dma_driver);
	return PTR_ERR(device);
}
module_init(emulated_dma_module_init);

static void __exit emulated_dma_module_exit(void)
{
	platform_device_unregister(device);
	platform_driver_unregister(&emulated_dma_driver);
}
module_exit(emulated_dma_module_exit);

MODULE_DESCRIPTION("A VFIO device whose driver lets a device DMA to what it pins");
MODULE_LICENSE("GPL");
