#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# The policies, and that no WBINVD outlives the call that takes permission away.
set -eu

# shellcheck source=scripts/lib.sh
. "${0%/*}/../lib.sh"

scripts=$TOP/scripts
out=$TOP/build/$BASE/test/x86-policy

make -s -C "$TOP" kernel FLAVOR=release BASE="$BASE" >&2
selftests=$("$scripts/build-selftests.sh")

"$scripts/initramfs.sh" -m "$(object_tree release)/mod" "$out/initramfs.gz" \
	"$selftests/noncoherent_dma_policy_test"
"$scripts/boot-qemu.sh" -k "$(make -s -C "$TOP" kernel-path FLAVOR=release BASE="$BASE")" \
	-i "$out/initramfs.gz" -o "$out" -c 4 -t 1500 \
	-x "intel_iommu=off run=/tests/noncoherent_dma_policy_test"
"$scripts/oracle-tap.sh" -t "$out"
