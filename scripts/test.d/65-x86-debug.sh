#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# The tests of 60 on the debug kernel.
set -eu

# shellcheck source=scripts/lib.sh
. "${0%/*}/../lib.sh"
# shellcheck source=scripts/machine/boot-programs.sh
. "${0%/*}/../machine/boot-programs.sh"

unit=x86-debug
leaks=${LEAKS:-no}
machine='mock devices'
tests='noncoherent_dma_mask_test noncoherent_dma_edge_test noncoherent_dma_entry_test noncoherent_dma_policy_test
noncoherent_dma_param_test noncoherent_dma_state_test'

words='intel_iommu=off kvm.force_emulation_prefix=1'
words="$words run=insmod,/tests/guest_pat_ignorable.ko run=insmod,/tests/hold_cpu.ko"
words="$words run=/tests/noncoherent_dma_edge_work_test run=/tests/noncoherent_dma_edge_test"
words="$words run=rmmod,guest_pat_ignorable"
# The races with a flood of WBINVDs are for 60: this kernel looks for other defects
for test in $tests; do
	words="$words run=/tests/$test"
	[ "$test" != noncoherent_dma_policy_test ] || words="$words,50"
done
tests="$tests noncoherent_dma_edge_work_test" modules='guest_pat_ignorable hold_cpu'
boot_unit debug off 113 "$words" -c 4

exit "$failed"
