#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Builds the selftests for stock kernels and the kernel modules that they need, which
# takes no kernel build, and prints the directory that holds them.
set -eu

# shellcheck source=scripts/lib.sh
. "$(dirname "$(readlink -f "$0")")/../lib.sh"

unset MAKEFLAGS MFLAGS MAKEOVERRIDES MAKELEVEL KBUILD_OUTPUT O V

choice=$("$TOP/scripts/kernel/choose.sh")
version=${choice% *} release=${choice#* }
tests=tools/testing/selftests/iommu
tree=$("$TOP/scripts/kernel/fetch.sh" tree "$version")
headers=$("$TOP/scripts/kernel/fetch.sh" stock "$version" "$release")/usr/src/linux-headers-$release
common=$(sed -n 's,^include \(.*\)/Makefile$,\1,p' "$headers/Makefile")
out=$TOP/build/$BASE/selftests/stock-$release
log=$LOGS/build-stock-selftests-$release.log

compiler=$(sed -n 's/^CC = .*)\(gcc-[0-9]*\)$/\1/p' "$headers/.kernelvariables")
need_packages gcc libc6-dev make "$compiler"

# The kernel's uAPI without the word that is for the kernel alone
mkdir -p "$out/include/linux" "$LOGS"
for header in iommufd.h vfio.h; do
	sed 's/\<__user\>//' "$common/include/uapi/linux/$header" > "$out/include/linux/$header"
done
gcc -static -O2 -g -Wall -Wextra -Werror -Wno-unused-parameter -Wno-sign-compare -Wno-clobbered -D_GNU_SOURCE \
	-isystem "$out/include" -I "$tree/$tests" -o "$out/iommufd_dirty_tracking" \
	"$TOP/$tests/iommufd_dirty_tracking.c" > "$log" 2>&1 || failed "$log" "the selftest did not build"

# kbuild writes next to the source
rm -rf "$out/modules"
cp -r "$TOP/$tests/modules" "$out/modules"
make -C "$headers" M="$out/modules" W=1 KCFLAGS=-Werror modules > "$log" 2>&1 ||
	failed "$log" "the selftest's module did not build for Linux $release"
echo "$out"
