#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# The KUnit tests of coherency tracking, which the kernels run while they boot.
set -eu

# shellcheck source=scripts/lib.sh
. "${0%/*}/../lib.sh"

failed=0
for flavor in release debug; do
	wanted "$flavor" || continue
	make -s -C "$TOP" kernel BASE="$BASE" FLAVOR="$flavor" >&2
	out=$TOP/build/$BASE/test/kunit/$flavor
	mkdir -p "$out"
	"$TOP/scripts/initramfs.sh" "$out.gz"
	"$TOP/scripts/boot-qemu.sh" -k "$(object_tree "$flavor")/arch/x86/boot/bzImage" \
		-i "$out.gz" -o "$out" -x run=/bin/true >&2 || failed=1
	awk -v suite=iommufd_coherency -v label="$flavor" -f "$TOP/scripts/kunit-tap.awk" \
		"$out/console.log" || failed=1
done
exit $failed
