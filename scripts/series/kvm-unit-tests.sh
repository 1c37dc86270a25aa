#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# kvm-unit-tests.sh DIR: applies the patches in series/kvm-unit-tests to a copy of the source of
# kvm-unit-tests in DIR, and compiles what they add.
set -eu

# shellcheck source=scripts/lib.sh
. "$(dirname "$(readlink -f "$0")")/../lib.sh"

source=$(readlink -f "$1")
work=$TOP/build/series/kvm-unit-tests
log=$LOGS/kvm-unit-tests.log
[ -e "$source/x86/vmexit.c" ] || die "$1 is not the source of kvm-unit-tests"
need_packages gcc make patch
mkdir -p "$work" "$LOGS"
rm -rf "$work"
cp -r "$source" "$work"
cd "$work"
for patch in "$TOP"/series/kvm-unit-tests/*.patch; do
	patch -p1 -f --fuzz=0 < "$patch" > "$log" 2>&1 || failed "$log" "$patch does not apply to $source"
done
unset MAKEFLAGS MFLAGS MAKELEVEL
{ ./configure && make x86/wbinvd.flat; } > "$log" 2>&1 || failed "$log" "$work does not compile"
echo "$source takes the patches for kvm-unit-tests"
