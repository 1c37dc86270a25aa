#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Runs in the machine under test: mounts the host's directory with a stock QEMU, makes
# it usable as a root directory, and runs the test with that QEMU.
# stock-qemu-guest.sh FLUSHES
set -eu

root=/root/stock
mkdir -p $root
mount -t 9p -o ro,trans=virtio,version=9p2000.L,cache=loose stock $root
for dir in dev proc sys tmp; do
	mount --bind /$dir $root/$dir
done
cp /tests/bios.bin /tmp

case $1 in
-) ;;
*) set -- -e /tests/kvm-coherency "$1" ;;
esac
exec /tests/stock_qemu_test -r $root -b /tmp/bios.bin -d 0000:00:05.0 "$@"
