#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# kbuild.sh OBJECTS WORD...: runs the kernel's make for an object tree inside its source
# tree. That makes paths relative, so that all object trees share the compiler cache.
set -eu

# shellcheck source=scripts/lib.sh
. "$(dirname "$(readlink -f "$0")")/../lib.sh"

# The words of our make are not the kernel's
unset MAKEFLAGS MFLAGS MAKEOVERRIDES MAKELEVEL KBUILD_OUTPUT O V CROSS_COMPILE LLVM KCFLAGS

export CCACHE_DIR="$CACHE/ccache" CCACHE_NOHASHDIR=1
export KBUILD_BUILD_TIMESTAMP='1970-01-01 00:00:00 UTC' KBUILD_BUILD_VERSION=1
export KBUILD_BUILD_USER=kvm-iommufd KBUILD_BUILD_HOST=kvm-iommufd

# Of our own objects the coverage is of interest, where CONFIG_GCOV_KERNEL or
# CONFIG_KCOV is on, and the data races, where CONFIG_KCSAN is. kbuild asks for each
# object, and this is expanded there; virt/kvm it reaches through arch/x86/kvm
# shellcheck disable=SC2086 # a list of words
ours=$(printf '%s ' $our_objects; printf '%%/%s ' $our_objects)
covered="\$(if \$(filter $ours,\$@),y)"
raced="\$(if \$(filter $ours,\$@),y,n)"
# KASAN and UBSAN stay out of code that has nothing to do with objects of this project. By
# the environment, so that makefiles which turn them off for themselves still do.
elsewhere='drivers/acpi/% drivers/pnp/% drivers/tty/% net/% fs/9p/% fs/netfs/% fs/proc/%'
elsewhere="$elsewhere arch/x86/events/% arch/x86/kernel/% arch/x86/pci/%"
KASAN_SANITIZE="\$(if \$(filter $elsewhere,\$@),n)"
export KASAN_SANITIZE UBSAN_SANITIZE="$KASAN_SANITIZE"
# An image that assembly includes is not seen by the compiler cache
# shellcheck disable=SC2016 # for make to expand
cached='$(if $(filter %.S,$<),,ccache )gcc'

objects=$1
shift
# Debian's modules need pahole, these kernels do not: once it is installed, its version in the
# configuration would compile all of them again
exec make -C "$(dirname "$objects")" O="$objects" ARCH=x86 LOCALVERSION= CC="$cached" PAHOLE=none \
	GCOV_PROFILE="$covered" KCOV_INSTRUMENT="$covered" KCSAN_SANITIZE="$raced" \
	-j"${JOBS:-$(nproc)}" "$@"
