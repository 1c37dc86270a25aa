#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# test-debian.sh [RELEASE...]: a real Debian, end to end: makes one with the archive's own
# tools, installs the packages, a stock kernel and Debian's QEMU in it by apt, boots it in
# the test machine to its own systemd, and runs that QEMU as the VMM with the edu device:
# cold- and hot-plugged, reset and restarted. Prints TAP.
set -eu

# shellcheck source=scripts/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

[ "$(id -u)" = 0 ] || die "installing packages in a chroot needs root"
# The mounts go with this process
[ -n "${KVM_IOMMUFD_MOUNTS-}" ] || KVM_IOMMUFD_MOUNTS=1 exec unshare -m "$0" "$@"
[ $# != 0 ] || set -- trixie

install_text() { tail -n 1 "$log" | cut -c 1-70; }

# The metapackages of kernels: Debian 12 has 6.1 unless it is told otherwise
kernel_of() {
	case $1 in
	bookworm) echo linux-image-6.12-amd64 linux-headers-6.12-amd64 ;;
	*) echo linux-image-amd64 linux-headers-amd64 ;;
	esac
}

# install RELEASE: a root with everything, of which only what apt does is new
install() {
	base=$("$TOP/scripts/deb-root.sh" "$1")
	need_space "$work" 10000 "a Debian with kernel and QEMU"
	rm -rf "$root"
	cp -a "$base" "$root"
	mount -t proc proc "$root/proc"
	mount -t tmpfs -o mode=1777 tmp "$root/tmp"
	mkdir -p "$root/debs" "$root/ccache" "$CACHE/deb/archives-$1" "$CACHE/deb/ccache"
	mount --bind "$CACHE/deb/archives-$1" "$root/var/cache/apt/archives"
	mount --bind "$TOP/build/deb" "$root/debs"
	mount --bind "$CACHE/deb/ccache" "$root/ccache"
	# shellcheck disable=SC2016,SC2046 # the inner shell's words; two packages
	logged "$log" install_text chroot "$root" /usr/bin/env -i PATH="$PATH" HOME=/root LC_ALL=C.UTF-8 \
		DEBIAN_FRONTEND=noninteractive DEBIAN_KERNEL_USE_CCACHE=y CCACHE_DIR=/ccache sh -c '
			apt-get -q update && apt-get -q -y install qemu-system-x86 "$@" && exec apt-get -q -y install /debs/kvm-iommufd-dkms_*.deb' \
		- $(kernel_of "$1") || failed "$log" "the packages cannot be installed in Debian $1"
}

"$TOP/scripts/deb.sh" > "$LOGS/test-debian.log" 2>&1 || failed "$LOGS/test-debian.log" "the packages cannot be built"
work=$TOP/build/debian-test
mkdir -p "$work"
failed=0
for release; do
	root=$work/$release log=$LOGS/test-debian-$release.log
	install "$release"
	kernel=$(basename "$(find "$root/lib/modules" -mindepth 1 -maxdepth 1 | sort -V | tail -n 1)")
	"$TOP/scripts/deb-boot.sh" "$root" "$kernel" "$work/$release-boot" || failed=1
	umount -R "$root/proc" "$root/tmp" "$root/var/cache/apt/archives" "$root/debs" "$root/ccache"
	rm -rf "$root"
done
[ $failed = 0 ]
