#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Puts Debian's source of Linux $BASE into the cache, unpacked, from the mirror
# that the machine uses, checked by apt against Debian's keyring. Nothing of the
# system's apt is touched. What is there already is not fetched again.
set -eu

# shellcheck source=scripts/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"
# shellcheck source=scripts/apt.sh
. "$TOP/scripts/apt.sh"

case $BASE in
6.12) suite=trixie ;;
7.3) suite=trixie-backports ;;
*) die "BASE=$BASE is not a base here: use BASE=6.12 or BASE=7.3" ;;
esac

package=linux-source-$BASE
tree=$CACHE/linux-$BASE
tarball=$CACHE/$package.tar.xz
work=$CACHE/download-$BASE

[ ! -d "$tree" ] || exit 0
mkdir -p "$CACHE" || die "$CACHE cannot be made: name another directory in KVM_IOMMUFD_CACHE"
exec 9> "$CACHE/lock"
lock 9 -x "another fetch"
[ ! -d "$tree" ] || exit 0

download_text() {
	sed -n "s/^dlstatus:1:\([0-9]*\).*/downloading $package: \1 %/p" "$work/status" 2> /dev/null | tail -n 1
}

extract_text() { echo "extracting $package.tar.xz"; }

# tar counts records of 10 KiB
unpack_text() {
	unpack_done=$(sed -n 's/^tar: \([0-9]*\)$/\1/p' "$LOGS/unpack-$BASE.log" | tail -n 1)
	echo "unpacking $package: $((${unpack_done:-0} * 10240 * 100 / unpack_bytes)) %"
}

download() {
	need_space "$CACHE" 2500 "the source of Linux $BASE"
	apt_setup "$work" "$suite" "$LOGS/fetch-$BASE.log" 'give KERNEL_SRC=dir'
	apt-get -c "$work/apt.conf" download --print-uris "$package" > "$work/uris" 2> "$LOGS/fetch-$BASE.log" ||
		failed "$LOGS/fetch-$BASE.log" "$url has no $package in $suite: use another mirror, or give KERNEL_SRC=dir"

	# An interrupted download goes on where it stopped
	deb=$work/$(awk '{ print $2 }' "$work/uris")
	# shellcheck disable=SC2016 # the inner shell's words
	if ! logged "$LOGS/fetch-$BASE.log" download_text sh -c 'cd "$1" && exec apt-get -q -c apt.conf \
			-o APT::Status-Fd=3 download "$2" 3> status' - "$work" "$package"; then
		! grep -q 'Hash Sum mismatch' "$LOGS/fetch-$BASE.log" || rm -f "$deb"
		failed "$LOGS/fetch-$BASE.log" "downloading $package failed: check the network and run it again"
	fi
	logged "$LOGS/fetch-$BASE.log" extract_text dpkg-deb -x "$deb" "$work/deb" ||
		failed "$LOGS/fetch-$BASE.log" "$deb cannot be extracted: remove it and run it again"
	mv "$work/deb/usr/src/$package.tar.xz" "$tarball"
}

damaged() {
	grep -q 'No space left on device' "$LOGS/unpack-$BASE.log" || rm -f "$tarball"
	failed "$LOGS/unpack-$BASE.log" "$tarball was damaged and is removed: run it again"
}

unpack() {
	need_packages xz-utils
	need_space "$CACHE" 2000 "the source of Linux $BASE, unpacked,"
	unpack_bytes=$(xz --robot --list "$tarball" 2> "$LOGS/unpack-$BASE.log" | awk '/^totals/ { print $5 }')
	[ "${unpack_bytes:-0}" -gt 0 ] || damaged
	rm -rf "$work" "$tree.partial"
	mkdir "$tree.partial"
	logged "$LOGS/unpack-$BASE.log" unpack_text tar --checkpoint=1000 --checkpoint-action=echo=%u \
		-xJf "$tarball" --strip-components=1 -C "$tree.partial" ||
		damaged
	mv "$tree.partial" "$tree"
}

mkdir -p "$LOGS"
[ -e "$tarball" ] || download
unpack
