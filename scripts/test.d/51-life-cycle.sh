#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# The life cycle of permission on a real device, step by step and in every
# order, on VT-d that cannot and that can enforce coherency; on the debug kernel
# also the tests of the uAPI, because one search for leaks is enough for both.
set -eu

# shellcheck source=scripts/lib.sh
. "${0%/*}/../lib.sh"
# shellcheck source=scripts/boot-unit.sh
. "${0%/*}/../boot-unit.sh"

unit=life-cycle
tests='iommufd_coherency_test iommufd_observe_test iommufd_uapi_test iommufd_policy_test'
words='run=/tests/iommufd_coherency_test run=/tests/iommufd_observe_test'
uapi='run=/tests/iommufd_uapi_test,-T,feature_absent run=/tests/iommufd_policy_test'

for snoop in off on; do
	boot_unit release $snoop 232 "$words" -d 2 -b
	# The search takes its time for each page that there is
	boot_unit debug $snoop 259 "$words $uapi" -d 2 -b
done

exit "$failed"
