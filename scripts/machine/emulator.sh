#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# emulator.sh [-r]: prints the path of a qemu-system-x86_64 that runs distributions'
# kernels on several CPUs, loads the oracle and supports iommufd: the system's own if it
# does, otherwise Debian 13's, unpacked in the cache and not installed. With -r prints the
# root directory that holds it, as usr/bin/qemu-system-x86_64, and all that it needs.
#
# Exits 4, with the reason on stderr, where no such QEMU can be had.
set -eu

# shellcheck source=scripts/lib.sh
. "$(dirname "$(readlink -f "$0")")/../lib.sh"
# shellcheck source=scripts/kernel/apt.sh
. "$TOP/scripts/kernel/apt.sh"

# Distributions' kernels rewrite their own code as they run (jump labels). QEMU 7.2 with
# a thread for each CPU still executes the breakpoint that stood there meanwhile after it
# is gone, and the kernel dies of that within seconds. 10.0 and 11.1 were seen to get it
# right. iommufd came in 9.
oldest=10

root=$CACHE/emulator
work=$CACHE/download-emulator
log=$LOGS/emulator.log
usual=/usr/bin/qemu-system-x86_64

printed=program
while getopts r opt; do
	case $opt in
	r) printed=root ;;
	*) die "usage: emulator.sh [-r]" ;;
	esac
done

# serves PROGRAM
serves() {
	serves_version=$("$1" --version 2> /dev/null | sed -n 's/.* version \([0-9]*\).*/\1/p')
	[ "${serves_version:-0}" -ge $oldest ] && "$1" -help | grep -q '^-plugin '
}

download_text() {
	sed -n 's/^dlstatus:[0-9]*:\([0-9]*\).*/\1/p' "$work/status" 2> /dev/null | tail -n 1 |
		sed "s|.*|downloading QEMU: & % of $(sed -n 's/^Need to get \(.*\) of archives.*/\1/p' "$log")|"
}

unpack_text() {
	unpack_done=$(find "$work/root/usr/share/doc" -maxdepth 1 2> /dev/null | wc -l)
	echo "unpacking QEMU: $unpack_done/$packages packages"
}

# apt keeps in its cache what it has got, so an interrupted download goes on. Debian 12's
# backports have a 10.0 as well, for which most libraries would come from Debian 12.
download() {
	apt_setup "$work" trixie "$log" "install a QEMU of version $oldest or later"
	rm -f "$work/status"
	# shellcheck disable=SC2016 # the inner shell's words
	logged "$log" download_text sh -euc 'apt-get -q -c "$1/apt.conf" autoclean
		exec apt-get -q -y -c "$1/apt.conf" -o APT::Status-Fd=3 \
			install --no-install-recommends --download-only qemu-system-x86 3> "$1/status"' - "$work" ||
		failed "$log" "Debian's qemu-system-x86 cannot be downloaded from $url"
}

# The program brings its own C library along, with the loader that belongs to it.
# Started by that loader it does not know where it is, and looks for nothing beside it.
wrap() {
	cat > "$1/qemu-system-x86_64" <<-'EOF'
		#!/bin/sh
		root=$(dirname "$(readlink -f "$0")")
		libraries=$root/usr/lib/x86_64-linux-gnu
		export QEMU_MODULE_DIR="$libraries/qemu"
		exec "$root/usr/lib64/ld-linux-x86-64.so.2" --inhibit-cache --library-path "$libraries" \
			"$root/usr/bin/qemu-system-x86_64" -L "$root/usr/share/qemu" \
			-L "$root/usr/share/seabios" -L "$root/usr/lib/ipxe/qemu" "$@"
	EOF
	chmod 755 "$1/qemu-system-x86_64"
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
	wrap "$work/root"
	serves "$work/root/qemu-system-x86_64" ||
		die "the QEMU unpacked in $work/root does not run here: install one of version $oldest or later"
	mv "$work/root" "$root"
	rm -rf "$work"
}

program=$usual
if serves "$usual"; then
	root=/
else
	program=$root/qemu-system-x86_64
	if [ ! -d "$root" ]; then
		mkdir -p "$CACHE" "$LOGS" ||
			die "$CACHE cannot be made: name another directory in KVM_IOMMUFD_CACHE"
		exec 9> "$CACHE/lock"
		lock 9 -x "another fetch"
	fi
	if [ ! -d "$root" ]; then
		need_space "$CACHE" 500 "QEMU"
		(download) || exit 4
		unpack
	fi
fi

case $printed in
program) echo "$program" ;;
root) echo "$root" ;;
esac
