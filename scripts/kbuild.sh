#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# kbuild.sh OBJECTS WORD...: the kernel's make for an object tree that stands in
# its source tree. Paths are relative then, and what was compiled in one object
# tree is in the compiler cache for every other.
set -eu

# shellcheck source=scripts/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

# The words of our make are not the kernel's
unset MAKEFLAGS MFLAGS MAKEOVERRIDES MAKELEVEL KBUILD_OUTPUT O V CROSS_COMPILE LLVM KCFLAGS

export CCACHE_DIR="$CACHE/ccache" CCACHE_NOHASHDIR=1
export KBUILD_BUILD_TIMESTAMP='1970-01-01 00:00:00 UTC' KBUILD_BUILD_VERSION=1
export KBUILD_BUILD_USER=kvm-iommufd KBUILD_BUILD_HOST=kvm-iommufd

# Where CONFIG_KCSAN is on: data races elsewhere are not ours to find, and what is
# not instrumented is in the compiler cache
# shellcheck disable=SC2016
raced='$(if $(filter arch/x86/kvm/% drivers/iommu/iommufd/% drivers/vfio/% virt/kvm/%,$@),y,n)'

objects=$1
shift
exec make -C "$(dirname "$objects")" O="$objects" ARCH=x86 LOCALVERSION= CC='ccache gcc' \
	KCSAN_SANITIZE="$raced" -j"${JOBS:-$(nproc)}" "$@"
