#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# All that can change changes at once, on the kernel that complains and on the one
# that looks for data races. SECONDS_MIN and EDGES_MIN in the environment make it
# longer.
set -eu

# shellcheck source=scripts/lib.sh
. "${0%/*}/../lib.sh"
# shellcheck source=scripts/boot-unit.sh
. "${0%/*}/../boot-unit.sh"

unit=race
machine='mock devices'
tests=noncoherent_dma_race_test

# With nested page tables QEMU (7.2) now and then fetches a vCPU's next instruction
# as if there were none, when interrupts are many: the vCPU shuts down or hangs, and
# its page tables are in order. Shadow page tables keep clear of that.
# Every other edge waits for a grace period: expedited ones make room for more edges
words='intel_iommu=off kvm_amd.npt=0 rcupdate.rcu_expedited=1'
words="$words run=/tests/$tests,${SECONDS_MIN:-60},${EDGES_MIN:-10000}"

boot_unit debug off 1 "$words" -c 6
boot_unit kcsan off 1 "$words" -c 6 -K
wanted kcsan || exit "$failed"
"$TOP/scripts/kcsan-tap.sh" "$(object_tree kcsan)" "${boot_out:?}/console.log" || failed=1

exit "$failed"
