// SPDX-License-Identifier: GPL-2.0
/*
 * For iommufd_dirty_tracking.c: makes the VT-d driver claim that it can track dirty
 * pages, which emulated VT-d cannot, and counts how often the driver is asked to
 * allocate a page table.
 */
#include <linux/iommu.h>
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/pci.h>

#define EDU_VENDOR	0x1234
#define EDU_DEVICE	0x11e8

static unsigned int allocs;
module_param(allocs, uint, 0444);
MODULE_PARM_DESC(allocs, "how often the driver was asked for a page table, with whatever flags");

/* Reads the capability the way iommufd does: if it is not claimed there is nothing to test */
static int claims_get(char *buffer, const struct kernel_param *kp)
{
	struct pci_dev *pdev = pci_get_device(EDU_VENDOR, EDU_DEVICE, NULL);
	bool claims;

	if (!pdev)
		return -ENODEV;
	claims = device_iommu_capable(&pdev->dev, IOMMU_CAP_DIRTY_TRACKING);
	pci_dev_put(pdev);
	return sysfs_emit(buffer, "%u\n", claims);
}

static const struct kernel_param_ops claims_ops = {
	.get = claims_get,
};

module_param_cb(claims, &claims_ops, NULL, 0444);
MODULE_PARM_DESC(claims, "does the driver claim dirty tracking for the edu device?");

/* Anything but 0 keeps capable_return() from running */
static int capable_entry(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	return (u32)regs_get_kernel_argument(regs, 1) != IOMMU_CAP_DIRTY_TRACKING;
}

static int capable_return(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	regs_set_return_value(regs, true);
	return 0;
}

static struct kretprobe capable_probe = {
	.kp.symbol_name = "intel_iommu_capable",
	.entry_handler = capable_entry,
	.handler = capable_return,
};

static int alloc_entry(struct kprobe *kp, struct pt_regs *regs)
{
	allocs++;
	return 0;
}

static struct kprobe alloc_probe = {
	.symbol_name = "intel_iommu_domain_alloc_user",
	.pre_handler = alloc_entry,
};

static int __init claim_init(void)
{
	int ret;

	ret = register_kretprobe(&capable_probe);
	if (ret)
		return ret;
	ret = register_kprobe(&alloc_probe);
	if (ret)
		unregister_kretprobe(&capable_probe);
	return ret;
}

static void __exit claim_exit(void)
{
	unregister_kprobe(&alloc_probe);
	unregister_kretprobe(&capable_probe);
}

module_init(claim_init);
module_exit(claim_exit);

MODULE_DESCRIPTION("Lets VT-d claim that it tracks dirty pages");
MODULE_LICENSE("GPL");
