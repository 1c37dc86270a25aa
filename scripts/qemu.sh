#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# qemu.sh [path]: builds Debian 13's QEMU with the queue in contrib/qemu, as far as make
# test-qemu needs it: for x86 with KVM and no other accelerator, and few features. Builds in
# a Debian 13 of the cache, from the source package that apt gets there. With "path" prints
# the program, which needs the libraries of scripts/machine/emulator.sh -r.
set -eu

# shellcheck source=scripts/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"
# shellcheck source=scripts/debian/chroot.sh
. "$TOP/scripts/debian/chroot.sh"

queue=$TOP/contrib/qemu/10.0
cache=$CACHE/qemu
work=$TOP/build/qemu
program=$work/qemu-system-x86_64
[ "${1-}" != path ] || {
	echo "$program"
	exit 0
}
own_mounts "$0" "$@"

qemu_text() {
	# ninja counts its steps; apt and configure have nothing that short
	case $what in
	compile) sed -n 's/^\[\([0-9]*\/[0-9]*\)\].*/compiling QEMU: \1/p' "$log" 2> /dev/null | tail -n 1 ;;
	*) echo "QEMU: $what" ;;
	esac
}

# step WHAT COMMAND...: in the chroot
step() {
	what=$1 log=$LOGS/qemu-$1.log
	shift
	logged "$log" qemu_text chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin \
		HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive CCACHE_DIR=/mnt/ccache "$@" ||
		failed "$log" "QEMU: $what fails"
}

inputs() {
	cat "$work/source"
	cd "$TOP"
	sha256sum contrib/qemu/10.0/* scripts/qemu.sh
}

mkdir -p "$work" "$cache" "$LOGS" "$CACHE/deb/kept" "$TOP/build/deb"
exec 7> "$work/lock"
lock 7 -x "another build of QEMU"

release=trixie root=$work/$release/root layers=base
base=$("$TOP/scripts/debian/root.sh" "$release")
rm -rf "${work:?}/$release"
layer build
mount --bind "$cache" "$root/mnt"

sed -n 's/^deb /deb-src /p' "$root/etc/apt/sources.list" > "$root/etc/apt/sources.list.d/source.list"
step lists apt-get -q update
# The newest on offer: its name, size and checksum for each file
step offer apt-get -q source --download-only --print-uris qemu
sed -n "s/^'[^']*' //p" "$log" > "$work/source"
dsc=$(sed -n 's/^\(qemu_10\.0\..*\.dsc\) .*/\1/p' "$work/source")
[ -n "$dsc" ] || failed "$log" "Debian 13 does not offer the source of a QEMU 10.0"

key=$(inputs | sha256sum | cut -d ' ' -f 1)
if [ ! -e "$cache/$key/qemu-system-x86_64" ]; then
	need_space "$work" 4000 "building QEMU"
	step download sh -c 'cd /mnt && exec apt-get -q source --download-only qemu'
	step packages apt-get -q -y install ccache dpkg-dev gcc libc6-dev libglib2.0-dev \
		meson ninja-build patch pkgconf python3 python3-venv xz-utils zlib1g-dev
	step unpack dpkg-source -x "/mnt/$dsc" /usr/src/qemu
	cp -r "$queue" "$root/usr/src/queue"
	# shellcheck disable=SC2016 # the inner shell's words
	step patch sh -euc 'cd /usr/src/qemu
		while read -r patch; do
			echo "$patch"
			patch -p1 -F0 < "/usr/src/queue/$patch"
		done < /usr/src/queue/series'
	# A placeholder must not grow old
	for header in kvm_iommufd iommufd_coherency; do
		sed 's/_UAPI_LINUX_/_LINUX_/' "$TOP/include/uapi/linux/$header.h" |
			cmp -s - "$root/usr/src/qemu/linux-headers/linux/$header.h" ||
			die "contrib/qemu has another $header.h than include/uapi/linux"
	done
	# Where Debian has the firmware
	step configure sh -euc 'mkdir /usr/src/qemu/b && cd /usr/src/qemu/b
		exec ../configure --cc="ccache gcc" --prefix=/usr --disable-download \
			--firmwarepath=/usr/share/qemu:/usr/share/seabios:/usr/lib/ipxe/qemu \
			--without-default-features --target-list=x86_64-softmmu --enable-kvm --disable-tcg \
			--disable-tools --disable-docs --disable-guest-agent'
	step compile ninja ${JOBS:+-j "$JOBS"} -C /usr/src/qemu/b qemu-system-x86_64
	step strip strip /usr/src/qemu/b/qemu-system-x86_64
	# Of older queues and sources none is wanted again
	find "$cache" -mindepth 1 -maxdepth 1 -type d ! -name ccache -exec rm -rf {} +
	find "$cache" -maxdepth 1 -name 'qemu_*' ! -name "${dsc%-*}*" -delete
	mkdir "$cache/$key.new"
	cp "$root/usr/src/qemu/b/qemu-system-x86_64" "$cache/$key.new/"
	mv "$cache/$key.new" "$cache/$key"
fi
cp "$cache/$key/qemu-system-x86_64" "$program.new"
mv "$program.new" "$program"
leave
rm -rf "${work:?}/$release"
echo "$program: ${dsc%.dsc} with $(wc -l < "$queue/series") patches"
