#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# What fails leaves everything as it was: each allocation in turn.
set -eu

# shellcheck source=scripts/lib.sh
. "${0%/*}/../lib.sh"
# shellcheck source=scripts/boot-unit.sh
. "${0%/*}/../boot-unit.sh"

unit=failures
tests='iommufd_fault_test'
words='run=/tests/iommufd_fault_test'

boot_unit release off 34 "$words" -- -device pci-testdev
exit "$failed"
