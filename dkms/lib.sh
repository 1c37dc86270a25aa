# shellcheck shell=sh
# SPDX-License-Identifier: GPL-2.0
# What the scripts of the installed package share; sourced.

name=kvm-iommufd
top=$(readlink -f "$(dirname "$(readlink -f "$0")")/..")
version=$(cat "$top/VERSION")
state=/var/lib/$name
# shellcheck disable=SC2034 # for who sources this
built=/var/lib/dkms/$name/$version

say() {
	echo "$name: $*"
}

# base_of KERNEL: the directory in patches/ for it, or nothing
base_of() {
	for base in "$top"/patches/*/; do
		base=$(basename "$base")
		case $1 in
		"$base".*-amd64) echo "$base" ;;
		esac
	done
}

# recorded KERNEL KEY: what the last attempt left about a kernel
recorded() {
	sed -n "s/^$2 //p" "$state/kernels/$1" 2> /dev/null
}

# remove_modules KERNEL MODULE...: those that were put in front of the stock ones
remove_modules() {
	front=/lib/modules/$1/updates/dkms
	shift
	for module; do
		rm -f "$front/$module.ko"*
	done
}

# remake_initramfs KERNEL: hosts that pass devices through load vfio-pci there
remake_initramfs() {
	[ -e "/boot/initrd.img-$1" ] || return 0
	if command -v update-initramfs > /dev/null; then
		update-initramfs -u -k "$1"
	elif command -v dracut > /dev/null; then
		dracut --force "/boot/initrd.img-$1" "$1"
	fi
}
