#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# The policies, and that no WBINVD outlives the call that takes permission away.
set -eu

# shellcheck source=scripts/lib.sh
. "${0%/*}/../lib.sh"
# shellcheck source=scripts/boot-unit.sh
. "${0%/*}/../boot-unit.sh"

unit=x86-policy
machine='mock devices'
tests=noncoherent_dma_policy_test

boot_unit release off 7 "intel_iommu=off run=/tests/$tests" -c 5

exit "$failed"
