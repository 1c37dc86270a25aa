#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Who owns a device, shown on real devices behind the emulated VT-d and AMD-Vi. make
# test-all adds the debug kernel behind a VT-d with snoop control. On AMD-Vi also what
# kvm-coherency says there, which is no matter of ownership but of the machine.
set -eu

# shellcheck source=scripts/lib.sh
. "${0%/*}/../lib.sh"
# shellcheck source=scripts/machine/boot-programs.sh
. "${0%/*}/../machine/boot-programs.sh"

tests=vfio_ownership_test
leaks=${LEAKS:-no}
words=run=/tests/$tests

# vtd FLAVOR SNOOP
vtd() {
	wanted "$1" || return 0
	unit=ownership machine=''
	boot_unit "$1" "$2" 39 "$words" -t 1500 -b \
		-- -device virtio-rng-pci,bus=br,addr=3.0 -trace vtd_dmar_fault
	out=$TOP/build/$BASE/test/$unit/$1-$2
	tr -d '\r' < "$out/output.log" |
		awk -v want=22 -v label="$1, VT-d, snoop control $2: " \
			-f "$TOP/scripts/judge/dma-tap.awk" "$out/qemu.log" - || failed=1
}

# amd FLAVOR
amd() {
	wanted "$1" || return 0
	unit=ownership-amd machine=AMD-Vi
	tests='vfio_ownership_test kvm_coherency_tool_test' files=$("$TOP/scripts/selftests/build-tool.sh")
	boot_unit "$1" on 44 "bridged=no $words run=/tests/kvm_coherency_tool_test,one" -t 1500 -a -b \
		-- -device virtio-rng-pci,bus=br,addr=3.0
	echo "ok 1 - $1, AMD-Vi: the IOMMU reports the DMA that it blocks # SKIP QEMU's amd-iommu does not"
	echo "1..1"
}

# Where only whole kernels are wanted
flavor=stock
wanted stock || flavor=release
vtd $flavor off
vtd $flavor on
amd $flavor
vtd debug off
! named debug || vtd debug on
amd debug
exit "$failed"
