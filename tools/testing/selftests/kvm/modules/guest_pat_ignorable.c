// SPDX-License-Identifier: GPL-2.0
/*
 * While this module is loaded, VMs created on AMD have edges that zap and flush, as
 * VMs on VT-x with EPT do. Only that work changes: the SPTEs of nested page tables
 * have no memory type, so the hardware honours guest PAT as before.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/module.h>

#include "x86.h"

static int __init ignorable_init(void)
{
	if (!(kvm_caps.supported_quirks & KVM_X86_QUIRK_IGNORE_GUEST_PAT)) {
		pr_err("KVM has no nested paging, so that it never honours guest PAT\n");
		return -EOPNOTSUPP;
	}
	if (!(kvm_caps.inapplicable_quirks & KVM_X86_QUIRK_IGNORE_GUEST_PAT)) {
		pr_err("KVM ignores guest PAT here without this module\n");
		return -ENODEV;
	}
	kvm_caps.inapplicable_quirks &= ~KVM_X86_QUIRK_IGNORE_GUEST_PAT;
	return 0;
}

static void __exit ignorable_exit(void)
{
	kvm_caps.inapplicable_quirks |= KVM_X86_QUIRK_IGNORE_GUEST_PAT;
}

module_init(ignorable_init);
module_exit(ignorable_exit);

MODULE_DESCRIPTION("Has KVM ignore guest PAT on AMD, as on Intel");
MODULE_LICENSE("GPL");
