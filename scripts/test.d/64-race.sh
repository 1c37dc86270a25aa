#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# All that can change changes at once, on the kernel that complains.
# SECONDS_MIN and EDGES_MIN in the environment make it longer.
set -eu

# shellcheck source=scripts/lib.sh
. "${0%/*}/../lib.sh"

scripts=$TOP/scripts
out=$TOP/build/$BASE/test/race
seconds=${SECONDS_MIN:-60} edges=${EDGES_MIN:-10000}

make -s -C "$TOP" kernel FLAVOR=release BASE="$BASE" >&2
make -s -C "$TOP" kernel FLAVOR=debug BASE="$BASE" >&2
selftests=$("$scripts/build-selftests.sh")

"$scripts/initramfs.sh" -m "$(object_tree debug)/mod" "$out/initramfs.gz" \
	"$selftests/noncoherent_dma_race_test"
# With nested page tables QEMU (7.2) now and then fetches a vCPU's next
# instruction as if there were none, when interrupts are many: the vCPU shuts down
# or hangs, and its page tables are in order. Shadow page tables keep clear of that.
# Every other edge waits for a grace period: expedited ones make room for more edges
"$scripts/boot-qemu.sh" -k "$(make -s -C "$TOP" kernel-path FLAVOR=debug BASE="$BASE")" \
	-i "$out/initramfs.gz" -o "$out" -c 6 -t $((seconds * 10 + 300)) \
	-x "intel_iommu=off kvm_amd.npt=0 rcupdate.rcu_expedited=1 run=/tests/noncoherent_dma_race_test,$seconds,$edges"
"$scripts/oracle-tap.sh" -t -p 1 "$out"
