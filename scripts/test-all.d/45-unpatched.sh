#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# What kvm-vfio gets wrong on an unpatched kernel. This one is built as a whole, with a
# mediated device that Debian's kernel does not have.
set -eu

# shellcheck source=scripts/lib.sh
. "${0%/*}/../lib.sh"
# shellcheck source=scripts/machine/boot-programs.sh
. "${0%/*}/../machine/boot-programs.sh"

unit=unpatched
machine=unpatched
tests='kvm_vfio_coherency_test noncoherent_dma_mask_test'

boot_unit base off 11 'run=/tests/kvm_vfio_coherency_test,holes run=/tests/noncoherent_dma_mask_test,upstream' -c 4

exit "$failed"
