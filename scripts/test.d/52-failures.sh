#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Failures leave everything as it was: each allocation in turn, signals, fds that are
# wrong or closed concurrently, unmapped memory, the OOM killer.
set -eu

# shellcheck source=scripts/lib.sh
. "${0%/*}/../lib.sh"
# shellcheck source=scripts/machine/boot-programs.sh
. "${0%/*}/../machine/boot-programs.sh"

unit=failures
tests='iommufd_fault_test iommufd_hostile_test'
words='run=/tests/iommufd_fault_test run=/tests/iommufd_hostile_test'

# One phase is about the module, which the debug kernel has built in
for kernel in 'release off 60' 'release on 60' 'debug off 59'; do
	# shellcheck disable=SC2086 # three words
	boot_unit $kernel "$words" -b -- -device pci-testdev
done

exit "$failed"
