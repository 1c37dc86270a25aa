#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Every way by which a guest's WBINVD reaches KVM, on SVM.
set -eu

# shellcheck source=scripts/lib.sh
. "${0%/*}/../lib.sh"
# shellcheck source=scripts/boot-unit.sh
. "${0%/*}/../boot-unit.sh"

unit=x86-entry
machine='mock devices'
tests=noncoherent_dma_entry_test

boot_unit release off 33 "intel_iommu=off kvm.force_emulation_prefix=1 run=/tests/$tests"

exit "$failed"
