#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Builds kvm-coherency, and prints it and the libraries that it is linked to as words for
# initramfs.sh. Debian has no static libpci.
set -eu

# shellcheck source=scripts/lib.sh
. "$(dirname "$(readlink -f "$0")")/../lib.sh"

unset MAKEFLAGS MFLAGS MAKEOVERRIDES MAKELEVEL O V

out=$TOP/build/tools
log=$LOGS/build-tools.log

need_packages gcc libc6-dev libjson-c-dev libpci-dev libsmartcols-dev libtracefs-dev libtraceevent-dev make pkg-config
mkdir -p "$out" "$LOGS"
# Units may build it at the same time
exec 9> "$out/lock"
lock 9 -x "another build of kvm-coherency"
make -C "$TOP/tools/virt/kvm-coherency" OUTPUT="$out/" > "$log" 2>&1 || failed "$log" "kvm-coherency does not compile"

echo "$out/kvm-coherency"
ldd "$out/kvm-coherency" | sed -nE 's,^.*[[:space:]](/[^ ]*) \(0x.*,\1:\1,p'
