#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Runs in the machine under test: mounts the host's directory with a stock QEMU, makes
# it usable as a root directory, and runs the test with that QEMU, or with another one of
# our own, if it is there, and the stock one's libraries.
# stock-qemu-guest.sh FLUSHES [TEST [OPTION...]]
set -eu

root=/root/stock
mkdir -p $root
mount -t 9p -o ro,trans=virtio,version=9p2000.L,cache=loose stock $root
for dir in dev proc sys tmp; do
	mount --bind /$dir $root/$dir
done
cp /tests/bios.bin /tmp

flushes=$1
shift
if [ $# = 0 ]; then
	set -- stock_qemu_test
	case $flushes in
	-) ;;
	*) set -- "$@" -e /tests/kvm-coherency ;;
	esac
fi
if [ -e /tests/qemu-system-x86_64 ]; then
	cp /tests/qemu-system-x86_64 /tmp
	set -- "$@" -q /tmp/qemu-system-x86_64
fi

test=$1
shift
exec "/tests/$test" "$@" -r $root -b /tmp/bios.bin -d 0000:00:05.0 "$flushes"
