#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# KVM x86 on SVM and mock devices: which CPUs are flushed, on four of them; every way by
# which a guest's WBINVD reaches KVM; the policies, and that no WBINVD outlives the call
# that takes permission away; KVM's module against the last release of a device. First
# what the unpatched kernel misses.
set -eu

# shellcheck source=scripts/lib.sh
. "${0%/*}/../lib.sh"
# shellcheck source=scripts/machine/boot-programs.sh
. "${0%/*}/../machine/boot-programs.sh"

unit=x86
tests='noncoherent_dma_mask_test noncoherent_dma_edge_test noncoherent_dma_entry_test noncoherent_dma_policy_test
iommufd_unload_test'

# Mock devices cannot be had beside a real IOMMU on 6.12
words='intel_iommu=off kvm.force_emulation_prefix=1'
for test in $tests; do
	words="$words run=/tests/$test"
done

machine='unpatched, 4 CPUs'
boot_unit stock-base off 3 "run=/tests/noncoherent_dma_mask_test,upstream" -c 4
machine='mock devices'
boot_unit release off 74 "$words" -c 4

exit "$failed"
