#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# The uAPI of KVM's iommufd device: its table of errors, the policies, the module
# that loads itself, and the kernel that has none of it.
# Unit 51 runs them on the debug kernel, with what takes longer.
set -eu

# shellcheck source=scripts/lib.sh
. "${0%/*}/../lib.sh"
# shellcheck source=scripts/boot-unit.sh
. "${0%/*}/../boot-unit.sh"

unit=uapi
tests='iommufd_uapi_test iommufd_policy_test iommufd_module_test'
words='run=/tests/iommufd_uapi_test,-T,feature_absent run=/tests/iommufd_policy_test'

boot_unit release off 27 "$words run=/tests/iommufd_module_test"
boot_unit release on 27 "$words"
boot_unit base off 0 'run=/tests/iommufd_uapi_test,-t,feature_absent'

exit "$failed"
