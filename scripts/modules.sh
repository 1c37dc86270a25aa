#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# modules.sh [path|image]: makes the modules for a stock Debian kernel, the newest on
# offer or KVER; with FLAVOR=base from unpatched sources, beside the kernel's own KVM.
# With "path" prints the lib/modules directory that they are installed in, with "image"
# the kernel they are for.
set -eu

# shellcheck source=scripts/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

case $FLAVOR in
release) flags='' kind=modules ;;
base) flags=-b kind=modules-base ;;
*) die "FLAVOR=$FLAVOR is not a flavor of modules: use release or base" ;;
esac
[ -z "${KERNEL_SRC-}" ] || die "modules for a stock kernel are made of its own source: use KVER in place of KERNEL_SRC"

KVM_IOMMUFD_CHOICE=$("$TOP/scripts/kernel/choose.sh")
export KVM_IOMMUFD_CHOICE
version=${KVM_IOMMUFD_CHOICE% *} release=${KVM_IOMMUFD_CHOICE#* }
stock=$CACHE/linux/$version/stock-$release
image=$stock/boot/vmlinuz-$release
out=$TOP/build/$BASE/$kind-$release
installed=$out/root/lib/modules/$release

case ${1-} in
path) echo "$installed"; exit 0 ;;
image) echo "$image"; exit 0 ;;
esac

# What an initramfs needs of the stock kernel beside them: our tests' root file systems
others='virtio_pci 9pnet_virtio 9p ext4 virtio_blk'
[ "$FLAVOR" = release ] || others="$others kvm kvm-intel kvm-amd"

inputs() {
	echo "$KVM_IOMMUFD_CHOICE $others"
	cd "$TOP"
	set -- dkms VERSION scripts/modules.sh
	[ -n "$flags" ] || set -- "$@" patches/"$BASE" arch drivers include virt
	find "$@" -type f -print0 2> /dev/null | sort -z | xargs -0 sha256sum
}

mkdir -p "$out" "$LOGS"
exec 7> "$out/lock"
lock 7 -x "another build of these modules"
inputs > "$out/inputs.new"
if [ -d "$installed" ] && cmp -s "$out/inputs" "$out/inputs.new"; then
	echo "modules $release${flags:+, unpatched}: up to date"
	exit 0
fi
rm -f "$out/inputs"

need_packages binutils ccache kmod make pahole patch xz-utils
"$TOP/scripts/kernel/fetch.sh" parts "$version" > "$out/parts"
"$TOP/scripts/kernel/fetch.sh" stock "$version" "$release" > /dev/null
headers=$stock/usr/src/linux-headers-$release
compiler=$(sed -n 's/^CC = .*)\(gcc-[0-9]*\)$/\1/p' "$headers/.kernelvariables")
command -v "$compiler" > /dev/null || need_packages "$compiler"

log=$LOGS/$kind-$release.log
# shellcheck disable=SC2086 # none or one word
"$TOP/dkms/compose" $flags "$(cat "$out/parts")" "$headers" "$out/tree" 2> "$log" ||
	failed "$log" "the source of Linux $release cannot be composed"

unset MAKEFLAGS MFLAGS MAKEOVERRIDES MAKELEVEL KBUILD_OUTPUT O V
export CCACHE_DIR="$CACHE/ccache" CCACHE_BASEDIR="$CACHE" DEBIAN_KERNEL_USE_CCACHE=1

# The compiler cache compares paths as seen from the headers. Where mounts can be had,
# every clone is in the same place for the compiler.
here=$stock/here
mkdir -p "$here"
new_mounts='unshare -m'
[ "$(id -u)" = 0 ] || new_mounts='unshare -rm'
$new_mounts mount --bind "$out" "$here" 2> /dev/null || new_mounts='' here=$out

# kbuild WORD...
kbuild() {
	# shellcheck disable=SC2016,SC2086 # the inner shell's; none or words
	logged "$log" modules_text $new_mounts sh -c '[ "$1" = "$2" ] || mount --bind "$1" "$2"; shift 2; exec "$@"' - \
		"$out" "$here" make -C "$headers" M="$here/tree" -j"${JOBS:-$(nproc)}" "$@"
}

modules_text() {
	modules_sources=$(find "$out/tree" -name '*.mod' -exec cat {} + | wc -l)
	echo "modules $release${flags:+, unpatched}: $(find "$out/tree" -name '*.o' | wc -l)/$((modules_sources + 20)) objects"
}

start=$(date +%s)
kbuild modules || {
	sed -i "s,$here/,$out/,g" "$log"
	grep -E -m 5 '(error|Error [0-9]+)' "$log" >&2 || :
	failed "$log" "the modules for $release did not build: mend the error above and run it again"
}

# The stock modules beside ours, as depmod sees them on a machine that has both
rm -rf "$out/all" "$out/root"
mkdir -p "$out/all/lib/modules" "$installed"
cp -al "$stock/lib/modules/$release" "$out/all/lib/modules/" 2> /dev/null ||
	cp -a "$stock/lib/modules/$release" "$out/all/lib/modules/"
cp "$log" "$log.build"
kbuild INSTALL_MOD_PATH="$out/all" INSTALL_MOD_DIR=updates/dkms INSTALL_MOD_STRIP=1 \
	CONFIG_MODULE_SIG_ALL= CONFIG_MODULE_COMPRESS_XZ= modules_install || failed "$log" "the modules for $release cannot be installed in $out/all"
/sbin/depmod -b "$out/all" "$release" || die "depmod failed on $out/all"

# Ours with what they load, as modprobe tells, and what names the rest
(cd "$out/all/lib/modules/$release" && cp modules.builtin modules.builtin.modinfo modules.order "$installed/")
(cd "$out/all/lib/modules/$release/updates/dkms" && find . -name '*.ko*' | sed 's,.*/,,; s/\.ko.*//') > "$out/ours"
[ -s "$out/ours" ] || failed "$log" "the build for $release made no modules"
# shellcheck disable=SC2086 # a list of words
for module in $(cat "$out/ours") $others; do
	/sbin/modprobe -d "$out/all" -S "$release" --show-depends --ignore-install "$module" ||
		die "$module needs what Linux $release does not have"
done | sed -n 's/^insmod \([^ ]*\).*/\1/p' | sort -u | while read -r file; do
	to=$installed/${file#"$out/all/lib/modules/$release/"}
	mkdir -p "$(dirname "$to")"
	case $file in
	*.xz) xz -dc "$file" > "${to%.xz}" ;;
	*) cp "$file" "$to" ;;
	esac
done
/sbin/depmod -b "$out/root" "$release" 2> "$log.depmod" || failed "$log.depmod" "depmod failed on $out/root"
rm -rf "$out/all"
mv "$out/inputs.new" "$out/inputs"
echo "modules $release${flags:+, unpatched}: $(wc -l < "$out/ours") built in $(($(date +%s) - start)) s"
