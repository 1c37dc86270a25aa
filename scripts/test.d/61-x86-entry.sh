#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Every way by which a guest's WBINVD reaches KVM, on SVM.
set -eu

# shellcheck source=scripts/lib.sh
. "${0%/*}/../lib.sh"

scripts=$TOP/scripts
out=$TOP/build/$BASE/test/x86-entry

make -s -C "$TOP" kernel FLAVOR=release BASE="$BASE" >&2
selftests=$("$scripts/build-selftests.sh")

"$scripts/initramfs.sh" -m "$(object_tree release)/mod" "$out/initramfs.gz" \
	"$selftests/noncoherent_dma_entry_test"
"$scripts/boot-qemu.sh" -k "$(make -s -C "$TOP" kernel-path FLAVOR=release BASE="$BASE")" \
	-i "$out/initramfs.gz" -o "$out" -t 1200 \
	-x "intel_iommu=off kvm.force_emulation_prefix=1 run=/tests/noncoherent_dma_entry_test"
"$scripts/oracle-tap.sh" -t "$out"
