#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# bios.sh FILE: assembles the guest without an operating system, an image for QEMU's -bios
set -eu

# shellcheck source=scripts/lib.sh
. "$(dirname "$(readlink -f "$0")")/../lib.sh"

need_packages binutils
as --32 -o "$1.o" "$TOP/tools/testing/qemu/wbinvd_bios.s"
ld -m elf_i386 -Ttext 0 -o "$1.elf" "$1.o"
objcopy -O binary "$1.elf" "$1"
rm "$1.o" "$1.elf"
