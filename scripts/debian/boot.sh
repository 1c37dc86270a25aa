#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# boot.sh ROOT RELEASE OUT PHASES: boots the Debian in the directory ROOT in the test
# machine, with its own kernel RELEASE, initramfs and systemd, and runs guest.sh there,
# whose VMM has PHASES phases. With 0 the package is not installed, and the machine has
# to be as Debian has it. Prints TAP. Does not change ROOT.
set -eu

# shellcheck source=scripts/lib.sh
. "$(dirname "$(readlink -f "$0")")/../lib.sh"

root=$1 release=$2 out=$3 phases=$4
selftests=$TOP/tools/testing/selftests/kvm
work=$out/work
mkdir -p "$out"
need_packages e2fsprogs gcc libc6-dev

# What is mounted in it stays behind
rm -rf "$work"
need_space "$out" 8000 "a copy of $root and an image of it"
cp -ax "$root" "$work"
"$TOP/scripts/machine/bios.sh" "$work/srv/bios.bin"
cc -std=gnu11 -O2 -Wall -Wextra -static -I"$selftests/include" \
	-o "$work/srv/stock_qemu_test" "$selftests/x86/stock_qemu_test.c"
cp "$TOP/scripts/debian/guest.sh" "$work/srv/guest.sh"
rm -f "$work/etc/fstab" "$work/etc/hostname"
echo '/dev/vda / ext4 defaults 0 1' > "$work/etc/fstab"
echo debian > "$work/etc/hostname"
# The console is the test's
ln -sf /dev/null "$work/etc/systemd/system/serial-getty@ttyS0.service"
cat > "$work/etc/systemd/system/deb-guest.service" <<-EOF
	[Unit]
	After=multi-user.target
	[Service]
	ExecStart=/srv/guest.sh $phases
EOF

image_text() { echo "making the image of $root"; }
rm -f "$out/image"
logged "$out/image.log" image_text mke2fs -q -t ext4 -d "$work" "$out/image" 4G ||
	failed "$out/image.log" "the image cannot be made"
cp "$root/boot/initrd.img-$release" "$out/initrd.img"
rm -rf "$work"

result=ok
"$TOP/scripts/machine/boot-qemu.sh" -j -k "$root/boot/vmlinuz-$release" -i "$out/initrd.img" -o "$out" -m 2G -t 900 \
	-x 'root=/dev/vda rw systemd.show_status=no systemd.wants=deb-guest.service' -- \
	-drive "file=$out/image,if=virtio,format=raw,cache=unsafe" || result='not ok'
rm -f "$out/image"
echo "$result 1 - $release boots from its own initramfs to systemd and back, and does not complain"
echo 1..1
status=0
"$TOP/scripts/judge/oracle-tap.sh" -p "$phases" -l "$release" "$out" || status=1
[ "$result" = ok ] && [ $status = 0 ]
