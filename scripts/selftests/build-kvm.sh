#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Builds our KVM selftests, static, against the composed tree's KVM selftest
# library, and prints the directory that holds them.
#
# Files in tools/testing/selftests/kvm/x86 that include the library are tests, which the
# kernel's makefile has to know, as well as those in lib/x86, which are linked to each.
# Linux 6.12 calls that directory x86_64; ours is x86 on every base.
set -eu

# shellcheck source=scripts/lib.sh
. "$(dirname "$(readlink -f "$0")")/../lib.sh"

unset MAKEFLAGS MFLAGS MAKEOVERRIDES MAKELEVEL O V

objects=$(object_tree release)
tree=$(source_tree release)/tools/testing/selftests/kvm
out=$TOP/build/$BASE/selftests/kvm
log=$LOGS/build-selftests-$BASE.log

need_packages gcc libc6-dev make
[ -d "$objects/usr/include/linux" ] ||
	die "$objects/usr/include is not there: run make kernel BASE=$BASE"
# The library of later kernels has one for VFIO in it
[ ! -e "$tree/../vfio/lib/libvfio.mk" ] || need_packages uuid-dev

cd "$TOP/tools/testing/selftests/kvm"
tests=$(grep -l -E '"(kvm_util|test_util)\.h"' x86/*.c | sed 's/\.c$//' | paste -sd ' ')
mkdir -p "$out"
cd "$tree"

# As the kernel does it, but static
# shellcheck disable=SC2046 # a list of words
make ARCH=x86 OUTPUT="$out" LDFLAGS=-static KHDR_INCLUDES="-isystem $objects/usr/include" \
	-j"${JOBS:-$(nproc)}" $(for test in $tests; do echo "$out/$test"; done) > "$log" 2>&1 ||
	failed "$log" "the KVM selftests did not build"
echo "$out/x86"
