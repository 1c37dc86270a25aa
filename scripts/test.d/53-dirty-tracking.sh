#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# On a stock kernel iommufd neither reports nor allows dirty tracking, whatever the
# IOMMU's driver claims. The unpatched modules do both, which shows that the test can
# fail.
set -eu

# shellcheck source=scripts/lib.sh
. "${0%/*}/../lib.sh"
# shellcheck source=scripts/machine/boot-programs.sh
. "${0%/*}/../machine/boot-programs.sh"

unit=dirty-tracking
tests='iommufd_dirty_tracking modules/dirty_tracking_claim.ko'
words='run=insmod,/tests/dirty_tracking_claim.ko run=/tests/iommufd_dirty_tracking'
boot_tests=$("$TOP/scripts/selftests/build-stock.sh")

boot_unit stock off 0 "$words,-v,fixed"
boot_unit stock-base off 0 "$words,-v,unpatched"

exit "$failed"
