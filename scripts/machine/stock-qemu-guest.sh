#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# In the machine under test: makes the host's directory with a stock QEMU usable
# as a root and runs the test in front of it.
# stock-qemu-guest.sh FLUSHES
set -eu

root=/root/stock
mkdir -p $root
mount -t 9p -o ro,trans=virtio,version=9p2000.L,cache=loose stock $root
for dir in dev proc sys tmp; do
	mount --bind /$dir $root/$dir
done
cp /tests/bios.bin /tmp

exec /tests/stock_qemu_test -r $root -b /tmp/bios.bin -d 0000:00:05.0 "$1"
