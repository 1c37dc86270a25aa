#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Builds the kernel modules of our KVM selftests for a kernel that has been built, and
# prints the directory that holds them.
# build-kvm-modules.sh stock|stock-base|FLAVOR
#   stock is Debian's kernel with our modules, stock-base the same with unpatched ones
set -eu

# shellcheck source=scripts/lib.sh
. "$(dirname "$(readlink -f "$0")")/../lib.sh"

[ $# = 1 ] || die "usage: build-kvm-modules.sh stock|stock-base|FLAVOR"
kernel=$1
out=$TOP/build/$BASE/selftests/kvm-modules-$(built_flavor "$kernel")
log=$LOGS/build-kvm-modules-$BASE-$kernel.log

unset MAKEFLAGS MFLAGS MAKEOVERRIDES MAKELEVEL KBUILD_OUTPUT O V

# for_stock FLAVOR: of the modules that are beside it
for_stock() {
	installed=$(FLAVOR=$1 "$TOP/scripts/modules.sh" path)
	headers=$(FLAVOR=$1 "$TOP/scripts/modules.sh" image)
	headers=${headers%/boot/*}/usr/src/linux-headers-${installed##*/}
	tree=${installed%/root/lib/modules/*}/tree
	make -C "$headers" M="$out" KVM_TREE="$tree" KBUILD_EXTRA_SYMBOLS="$tree/Module.symvers" \
		W=1 KCFLAGS=-Werror modules
}

for_flavor() {
	"$TOP/scripts/kernel/kbuild.sh" "$(object_tree "$kernel")" M="$out" W=1 modules
}

# kbuild writes next to the source
mkdir -p "$out" "$LOGS"
exec 7> "$TOP/build/$BASE/selftests/lock-kvm-modules-$kernel"
lock 7 -x "another build of these modules"
cp -p "$TOP/tools/testing/selftests/kvm/modules/"* "$out/"
# What KVM's symbols are like now is looked up again
rm -f "$out/Module.symvers"
case $kernel in
stock) for_stock release ;;
stock-base) for_stock base ;;
*) for_flavor ;;
esac > "$log" 2>&1 || failed "$log" "the modules of KVM's selftests did not build for $kernel"
echo "$out"
