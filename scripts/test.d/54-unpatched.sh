#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Debian's kernel with unpatched modules: it has none of the uAPI, and what kvm-vfio gets
# wrong there.
set -eu

# shellcheck source=scripts/lib.sh
. "${0%/*}/../lib.sh"
# shellcheck source=scripts/machine/boot-programs.sh
. "${0%/*}/../machine/boot-programs.sh"

unit=unpatched
machine=unpatched
tests='iommufd_uapi_test kvm_vfio_coherency_test'
words='run=/tests/iommufd_uapi_test,-t,feature_absent run=/tests/kvm_vfio_coherency_test,holes'

boot_unit stock-base off 7 "$words"

exit "$failed"
