#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Builds the selftest's VFIO driver for the kernel $FLAVOR, and prints the directory that
# holds it.
set -eu

# shellcheck source=scripts/lib.sh
. "$(dirname "$(readlink -f "$0")")/../lib.sh"

objects=$(object_tree "$FLAVOR")
out=$TOP/build/$BASE/selftests/vfio-$FLAVOR
log=$LOGS/build-vfio-module-$BASE-$FLAVOR.log

[ -e "$objects/Module.symvers" ] ||
	die "$objects/Module.symvers is not there: run make kernel BASE=$BASE FLAVOR=$FLAVOR"

# kbuild writes next to the source
rm -rf "$out"
mkdir -p "$LOGS"
cp -r "$TOP/tools/testing/selftests/vfio/modules" "$out"
"$TOP/scripts/kernel/kbuild.sh" "$objects" M="$out" W=1 KCFLAGS=-Werror modules > "$log" 2>&1 ||
	failed "$log" "the selftest's VFIO driver did not build"
echo "$out"
