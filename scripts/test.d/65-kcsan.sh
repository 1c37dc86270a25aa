#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# All that can change changes at once, on the kernel that looks for data races.
# SECONDS_MIN and EDGES_MIN in the environment make it longer.
set -eu

# shellcheck source=scripts/lib.sh
. "${0%/*}/../lib.sh"

scripts=$TOP/scripts
out=$TOP/build/$BASE/test/kcsan
seconds=${SECONDS_MIN:-60} edges=${EDGES_MIN:-10000}

make -s -C "$TOP" kernel FLAVOR=release BASE="$BASE" >&2
make -s -C "$TOP" kernel FLAVOR=kcsan BASE="$BASE" >&2
selftests=$("$scripts/build-selftests.sh")

"$scripts/initramfs.sh" -m "$(object_tree kcsan)/mod" "$out/initramfs.gz" \
	"$selftests/noncoherent_dma_race_test"
"$scripts/boot-qemu.sh" -K -k "$(object_tree kcsan)/arch/x86/boot/bzImage" \
	-i "$out/initramfs.gz" -o "$out" -c 6 -t $((seconds * 10 + 300)) \
	-x "intel_iommu=off kvm_amd.npt=0 rcupdate.rcu_expedited=1 run=/tests/noncoherent_dma_race_test,$seconds,$edges"
failed=0
"$scripts/oracle-tap.sh" -t -p 1 "$out" || failed=1
"$scripts/kcsan-tap.sh" "$(object_tree kcsan)" "$out/console.log" || failed=1
exit "$failed"
