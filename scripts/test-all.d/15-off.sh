#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# The patched kernel with CONFIG_KVM_IOMMUFD off: it has none of the uAPI, creates no VM
# with a policy that it cannot carry out, and kvm-vfio behaves as on the unpatched kernel,
# by the same tests.
set -eu

# shellcheck source=scripts/lib.sh
. "${0%/*}/../lib.sh"
# shellcheck source=scripts/machine/boot-programs.sh
. "${0%/*}/../machine/boot-programs.sh"

unit=off
machine='CONFIG_KVM_IOMMUFD off'
tests='iommufd_uapi_test noncoherent_dma_param_test kvm_vfio_coherency_test'
words='run=/tests/iommufd_uapi_test,-t,feature_absent run=/tests/noncoherent_dma_param_test,absent'
words="$words run=/tests/kvm_vfio_coherency_test,holes"

boot_unit off off 8 "$words"

exit "$failed"
