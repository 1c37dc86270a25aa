#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# A mediated device that does DMA. Its test driver needs no hardware, and no IOMMU could
# keep such DMA coherent.
set -eu

# shellcheck source=scripts/lib.sh
. "${0%/*}/../lib.sh"
# shellcheck source=scripts/machine/boot-programs.sh
. "${0%/*}/../machine/boot-programs.sh"

unit=emulated
machine='emulated device'
words='intel_iommu=off run=insmod,/tests/emulated_dma.ko run=/tests/vfio_emulated_test'

for flavor in release debug; do
	wanted $flavor || continue
	make -s -C "$TOP" kernel BASE="$BASE" FLAVOR=$flavor >&2
	FLAVOR=$flavor "$TOP/scripts/selftests/build-vfio-module.sh" >&2
	# From where the KVM selftests are
	tests="vfio_emulated_test ../../vfio-$flavor/emulated_dma.ko"
	boot_unit $flavor off 21 "$words"
done

exit "$failed"
