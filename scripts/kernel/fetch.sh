#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Puts one Debian version of Linux $BASE into the cache, from the machine's mirrors and
# checked by apt against Debian's keyring, and prints its path. Fetches only what is not
# there yet.
#
# fetch.sh parts VERSION           the part of the source that modules need
# fetch.sh tree VERSION            the whole source, unpacked, the only one of $BASE
# fetch.sh stock VERSION RELEASE   that kernel's image and headers, unpacked
set -eu

# shellcheck source=scripts/lib.sh
. "${0%/*}/../lib.sh"

what=$1 version=$2 release=${3-}
dir=$CACHE/linux/$version
tarball=$dir/linux-source-$BASE.tar.xz
log=$LOGS/fetch-$version.log

mkdir -p "$LOGS"
mkdir -p "$dir" || die "$CACHE cannot be made: name another directory in KVM_IOMMUFD_CACHE"
exec 9> "$dir/lock"
lock 9 -x "another fetch"

download_text() {
	sed -n "s/^dlstatus:\([0-9]*\):\([0-9]*\).*/downloading file \1 of $files: \2 %/p" "$dir/status" 2> /dev/null | tail -n 1
}

extract_text() { echo "extracting $(basename "$deb")"; }

unpack_text() {
	unpack_done=$(sed -n 's/^tar: \([0-9]*\)$/\1/p' "$log" | tail -n 1)
	# tar counts records of 10 KiB
	echo "unpacking linux-source-$BASE: $((${unpack_done:-0} * 10240 * 100 / unpack_bytes)) %"
}

parts_text() { echo "unpacking a part of linux-source-$BASE"; }

# download PACKAGE...: an interrupted download goes on where it stopped
download() {
	conf=$("$TOP/scripts/kernel/suites.sh")
	need_space "$dir" 2500 "Linux $version"
	mkdir -p "$dir/debs"
	files=$#
	for package; do
		shift
		set -- "$@" "$package=$version"
	done
	(cd "$dir/debs" && apt-get -c "$conf" download --print-uris "$@") > "$dir/uris" 2> "$log" ||
		failed "$log" "$* cannot be had: use another mirror or KVER, or give KERNEL_SRC=dir"
	echo "downloading $(awk '{ n += $3 } END { printf "%d MB", n / 1000000 + 0.5 }' "$dir/uris"): $*" >&2
	# shellcheck disable=SC2016 # the inner shell's words
	if ! logged "$log" download_text sh -c 'cd "$1/debs" && conf=$2 && shift 2 &&
			exec apt-get -q -c "$conf" -o APT::Status-Fd=3 download "$@" 3> ../status' - "$dir" "$conf" "$@"; then
		! grep -q 'Hash Sum mismatch' "$log" || rm -rf "$dir/debs"
		failed "$log" "downloading $* failed: check the network and run it again"
	fi
}

# extract PACKAGE OUT
extract() {
	deb=$(echo "$dir/debs/$1"_*.deb)
	logged "$log" extract_text dpkg-deb -x "$deb" "$2" ||
		failed "$log" "$deb cannot be extracted: remove it and run it again"
	rm "$deb"
}

source_tarball() {
	[ ! -e "$tarball" ] || return 0
	download "linux-source-$BASE"
	rm -rf "$dir/source"
	extract "linux-source-$BASE" "$dir/source"
	mv "$dir/source/usr/src/linux-source-$BASE.tar.xz" "$tarball"
	rm -rf "$dir/source"
}

damaged() {
	grep -q 'No space left on device' "$log" || rm -f "$tarball"
	failed "$log" "$tarball was damaged and is removed: run it again"
}

# Made anew when another queue wants other files
parts() {
	parts_of=$({ cat "$TOP/dkms/unpack-source"; sed -n 's/^--- //p' "$TOP/patches/$BASE"/*.patch | sort -u; } | sha256sum)
	if [ "$(cat "$dir/parts.of" 2> /dev/null)" != "$parts_of" ] || [ ! -d "$dir/parts" ]; then
		source_tarball
		need_packages xz-utils patch
		rm -f "$dir/parts.of"
		logged "$log" parts_text "$TOP/dkms/unpack-source" "$tarball" "$dir/parts" || damaged
		echo "$parts_of" > "$dir/parts.of"
	fi
	echo "$dir/parts"
}

tree() {
	if [ ! -d "$dir/tree" ]; then
		source_tarball
		need_packages xz-utils
		need_space "$CACHE" 2000 "the source of Linux $version, unpacked,"
		unpack_bytes=$(xz --robot --list "$tarball" 2> "$log" | awk '/^totals/ { print $5 }')
		[ "${unpack_bytes:-0}" -gt 0 ] || damaged
		rm -rf "$dir/tree.partial"
		mkdir "$dir/tree.partial"
		logged "$log" unpack_text tar --checkpoint=1000 --checkpoint-action=echo=%u \
			-xJf "$tarball" --strip-components=1 -C "$dir/tree.partial" || damaged
		find "$CACHE/linux" -mindepth 2 -maxdepth 2 -name tree -path "*/$BASE.*" -exec rm -rf {} +
		mv "$dir/tree.partial" "$dir/tree"
	fi
	echo "$dir/tree"
}

# Headers name their common part by where it would be installed
stock() {
	stock=$dir/stock-$release
	if [ ! -d "$stock" ]; then
		conf=$("$TOP/scripts/kernel/suites.sh")
		headers=$(apt-cache -c "$conf" show "linux-headers-$release=$version" 2> "$log" |
			sed -n 's/^Depends: //p' | sed 's/ *[,|] */\n/g' | sed 's/ .*//' | grep -E '^linux-(headers|kbuild)-')
		[ -n "$headers" ] || failed "$log" "there are no headers of Linux $release in version $version: choose another KVER"
		# shellcheck disable=SC2086 # a list of words
		set -- "linux-image-$release" "linux-headers-$release" $headers
		download "$@"
		rm -rf "$stock.partial"
		for package; do
			extract "$package" "$stock.partial"
		done
		sed -i "s,^include /usr/src,include $stock/usr/src," "$stock.partial/usr/src/linux-headers-$release/Makefile"
		mv "$stock.partial" "$stock"
	fi
	echo "$stock"
}

"$what"
