#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# The life cycle of permission on a real device, step by step and in every
# order, on VT-d that cannot and that can enforce coherency.
set -eu

# shellcheck source=scripts/lib.sh
. "${0%/*}/../lib.sh"
# shellcheck source=scripts/boot-unit.sh
. "${0%/*}/../boot-unit.sh"

unit=life-cycle
tests='iommufd_coherency_test iommufd_observe_test'
words='run=/tests/iommufd_coherency_test run=/tests/iommufd_observe_test'

for flavor in release debug; do
	for snoop in off on; do
		boot_unit "$flavor" "$snoop" 232 "$words" -d 2 -b
	done
done

exit "$failed"
