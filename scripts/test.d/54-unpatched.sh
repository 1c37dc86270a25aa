#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Debian's kernel with unpatched modules: it has none of the uAPI, what kvm-vfio gets wrong
# there, and what kvm-coherency can tell.
set -eu

# shellcheck source=scripts/lib.sh
. "${0%/*}/../lib.sh"
# shellcheck source=scripts/machine/boot-programs.sh
. "${0%/*}/../machine/boot-programs.sh"

unit=unpatched
machine=unpatched
tests='iommufd_uapi_test kvm_vfio_coherency_test kvm_coherency_tool_test'
files=$("$TOP/scripts/selftests/build-tool.sh")
words='run=/tests/iommufd_uapi_test,-t,feature_absent run=/tests/kvm_vfio_coherency_test,holes run=/tests/kvm_coherency_tool_test,absent'

boot_unit stock-base off 7 "$words"

exit "$failed"
