#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Prints a root directory whose usr/bin/qemu-system-x86_64 knows iommufd (version
# 9 or later): / where the system's own does, else one in the cache with Debian's
# package and all it needs, unpacked and not installed.
#
# Exits 4, with the reason on stderr, where no such QEMU can be had.
set -eu

# shellcheck source=scripts/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"
# shellcheck source=scripts/apt.sh
. "$TOP/scripts/apt.sh"

root=$CACHE/qemu-stock
work=$CACHE/download-qemu
log=$LOGS/qemu-stock.log
usual=/usr/bin/qemu-system-x86_64

version=$("$usual" --version 2> /dev/null | sed -n 's/.* version \([0-9]*\).*/\1/p')
if [ "${version:-0}" -ge 9 ]; then
	echo /
	exit 0
fi

if [ ! -d "$root" ]; then
	mkdir -p "$CACHE" "$LOGS" || die "$CACHE cannot be made: name another directory in KVM_IOMMUFD_CACHE"
	exec 9> "$CACHE/lock"
	if ! flock -n 9; then
		echo "waiting for another fetch to end" >&2
		flock 9
	fi
fi

download_text() {
	sed -n 's/^dlstatus:[0-9]*:\([0-9]*\).*/downloading QEMU: \1 %/p' "$work/status" 2> /dev/null | tail -n 1
}

unpack_text() { echo "unpacking QEMU: $(find "$work/root/usr/share/doc" -maxdepth 1 2> /dev/null | wc -l)/$packages packages"; }

# apt keeps in its cache what it has got, so an interrupted download goes on
download() {
	apt_setup "$work" trixie "$log" 'install a QEMU of version 9 or later'
	# shellcheck disable=SC2016 # the inner shell's words
	logged "$log" download_text sh -c 'exec apt-get -q -y -c "$1/apt.conf" -o APT::Status-Fd=3 \
			install --no-install-recommends --download-only qemu-system-x86 3> "$1/status"' - "$work" ||
		failed "$log" "Debian's qemu-system-x86 cannot be downloaded from $url"
}

unpack() {
	rm -rf "$work/root"
	mkdir -p "$work/root/usr/bin" "$work/root/usr/sbin" "$work/root/usr/lib" "$work/root/usr/lib64" \
		"$work/root/dev" "$work/root/proc" "$work/root/sys" "$work/root/tmp"
	for link in bin sbin lib lib64; do
		ln -s "usr/$link" "$work/root/$link"
	done
	packages=$(find "$work/cache/archives" -name '*.deb' | wc -l)
	# shellcheck disable=SC2016 # the inner shell's words
	logged "$log" unpack_text sh -euc 'for deb in "$1"/cache/archives/*.deb; do
			dpkg-deb --fsys-tarfile "$deb" | tar -x --keep-directory-symlink --no-same-owner -C "$1/root"
		done' - "$work" ||
		failed "$log" "the packages in $work/cache/archives cannot be unpacked: remove them and run it again"
	mv "$work/root" "$root"
	rm -rf "$work"
}

if [ ! -d "$root" ]; then
	need_space "$CACHE" 500 "a stock QEMU"
	(download) || exit 4
	unpack
fi
echo "$root"
