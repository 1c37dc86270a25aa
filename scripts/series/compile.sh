#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# compile.sh TREE KIND: compiles the directories that the series touches in the kernel source
# TREE, with KVM_WERROR and W=1, and goes on behind errors. KIND is KVM:IOMMUFD:KVM_IOMMUFD, each
# y, m or n, or arm64, by a cross compiler, or all, which is all modules.
set -eu

# shellcheck source=scripts/lib.sh
. "$(dirname "$(readlink -f "$0")")/../lib.sh"

tree=$1 kind=$2
objects=$tree/obj-$(echo "$kind" | tr -d :)
arch=arch/x86/kvm

kbuild() {
	"$TOP/scripts/kernel/kbuild.sh" "$objects" "$@"
}

if [ "$kind" = arm64 ]; then
	arch=arch/arm64/kvm
	kbuild() {
		"$TOP/scripts/kernel/kbuild.sh" "$objects" ARCH=arm64 CROSS_COMPILE=aarch64-linux-gnu- \
			CC='ccache aarch64-linux-gnu-gcc' "$@"
	}
fi

# values SYMBOL...: Kconfig's lines for what each is: SYMBOL=y
values() {
	for value; do
		case $value in
		*=n) echo "# CONFIG_${value%=n} is not set" ;;
		*) echo "CONFIG_$value" ;;
		esac
	done
}

fragment() {
	cat "$TOP/configs/link.config"
	# With what SEV depends on: the queue changes it
	values EXPERT=y KVM_WERROR=y ACPI=y AMD_IOMMU=y CRYPTO=y CRYPTO_HW=y CRYPTO_DEV_CCP=y CRYPTO_DEV_CCP_DD=y \
		CRYPTO_DEV_SP_PSP=y
	kvm=${kind%%:*} bridge=${kind##*:}
	iommufd=${kind#*:} iommufd=${iommufd%:*}
	case $kind in
	arm64) values KVM=y IOMMUFD=y ;;
	*) values KVM="$kvm" KVM_INTEL="$kvm" KVM_AMD="$kvm" KVM_AMD_SEV=y IOMMUFD="$iommufd" KVM_IOMMUFD="$bridge" ;;
	esac
	case $iommufd in
	m) values VFIO=m VFIO_PCI=m ;;
	n) values IOMMUFD_TEST=n IOMMUFD_COHERENCY_KUNIT_TEST=n VFIO_DEVICE_CDEV=n ;;
	esac
}

mkdir -p "$objects"
# Not what instruments all objects, and takes long
if [ "$kind" = all ]; then
	values KASAN=n KCSAN=n KMSAN=n GCOV_KERNEL=n KCOV=n GCC_PLUGINS=n WERROR=n EXPERT=y KVM_WERROR=y > "$objects/fragment"
	base=allmodconfig
else
	fragment > "$objects/fragment"
	base=tinyconfig
fi

# A .config that does not change keeps its time stamp
rm -f "$objects/.config.new"
export KCONFIG_CONFIG=.config.new
kbuild "$base"
(cd "$objects" && ../scripts/kconfig/merge_config.sh -m .config.new fragment)
kbuild olddefconfig
unset KCONFIG_CONFIG
cmp -s "$objects/.config.new" "$objects/.config" || mv "$objects/.config.new" "$objects/.config"

kbuild prepare
kbuild -k W=1 virt/ drivers/iommu/iommufd/ drivers/vfio/ "$arch/"
