#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Which CPUs are flushed, on four of them; first what the unpatched kernel misses.
set -eu

# shellcheck source=scripts/lib.sh
. "${0%/*}/../lib.sh"

scripts=$TOP/scripts
out=$TOP/build/$BASE/test/x86-masks
failed=0

! wanted base || make -s -C "$TOP" kernel FLAVOR=base BASE="$BASE" >&2
make -s -C "$TOP" kernel FLAVOR=release BASE="$BASE" >&2
selftests=$("$scripts/build-selftests.sh")

"$scripts/initramfs.sh" -m "$(object_tree release)/mod" "$out/initramfs.gz" \
	"$selftests/noncoherent_dma_mask_test" "$selftests/noncoherent_dma_edge_test"

if wanted base; then
	"$scripts/boot-qemu.sh" -k "$(make -s -C "$TOP" kernel-path FLAVOR=base BASE="$BASE")" \
		-i "$out/initramfs.gz" -o "$out/base" -c 4 -t 1200 -s off \
		-x "run=/tests/noncoherent_dma_mask_test,upstream"
	"$scripts/oracle-tap.sh" -p 3 "$out/base" || failed=1
fi

# Mock devices cannot be had beside a real IOMMU on 6.12
"$scripts/boot-qemu.sh" -k "$(make -s -C "$TOP" kernel-path FLAVOR=release BASE="$BASE")" \
	-i "$out/initramfs.gz" -o "$out/release" -c 4 -t 1500 \
	-x "intel_iommu=off run=/tests/noncoherent_dma_mask_test run=/tests/noncoherent_dma_edge_test"
"$scripts/oracle-tap.sh" -t "$out/release" || failed=1
exit $failed
