#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# test-deb.sh [RELEASE...]: installs the packages in a Debian 12 and a Debian 13 with
# their stock kernels, upgrades the kernel, breaks what can break, removes and purges.
# All in chroots. Modules are compiled once for each kernel: where the same files are
# to be compiled again, make is a copy. Prints TAP.
set -eu

# shellcheck source=scripts/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"
# shellcheck source=scripts/tap.sh
. "$TOP/scripts/tap.sh"

[ "$(id -u)" = 0 ] || die "installing packages in a chroot needs root"
# The mounts go with this process
[ -n "${KVM_IOMMUFD_MOUNTS-}" ] || KVM_IOMMUFD_MOUNTS=1 exec unshare -m "$0" "$@"
[ $# != 0 ] || set -- bookworm trixie

work=$TOP/build/deb-test
log=
all='iommufd kvm kvm-amd kvm-intel kvm-iommufd kvmgt vfio vfio-pci vfio-pci-core vfio_iommu_type1'

# layer NAME: what happens from here on is in a new layer; $root is all of them
layer() {
	leave
	layers="$layers:$1"
	mount_layers
}

# drop: back to what was before the last layer
drop() {
	leave
	rm -rf "${work:?}/$release/${layers##*:}"
	layers=${layers%:*}
	mount_layers
}

leave() {
	mountpoint -q "$root" || return 0
	umount -R "$root"
}

mount_layers() {
	upper=$work/$release/${layers##*:} lower=
	for layer in $(echo "${layers%:*}" | tr : ' '); do
		case $layer in
		base) layer=$base ;;
		*) layer=$work/$release/$layer/up ;;
		esac
		lower=$layer${lower:+:$lower}
	done
	mkdir -p "$root" "$upper/up" "$upper/work"
	mount -t overlay -o "lowerdir=$lower,upperdir=$upper/up,workdir=$upper/work" overlay "$root"
	mount -t proc proc "$root/proc"
	mount -t tmpfs -o mode=1777 tmp "$root/tmp"
	mkdir -p "$root/var/cache/apt/archives" "$root/debs" "$root/kept"
	mount --bind "$CACHE/deb/archives-$release" "$root/var/cache/apt/archives"
	mount --bind "$TOP/build/deb" "$root/debs"
	mount --bind "$CACHE/deb/kept" "$root/kept"
}

inside() {
	chroot "$root" /usr/bin/env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
		HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"
}

# succeeds COMMAND...: its output is $log; complains if it fails
succeeds() {
	inside "$@" > "$log" 2>&1 < /dev/null || { echo "$* fails, see $log"; tail -n 5 "$log"; }
}

apt() { succeeds apt-get -q -y "$@"; }
says() { grep -qF -- "$1" "$log" || { echo "it does not say \"$1\":"; grep '^kvm-iommufd' "$log" || tail -n 5 "$log"; }; }

# has KERNEL: complains unless all modules stand in front, in the initramfs, too
has() {
	[ "$(find "$root/lib/modules/$1/updates/dkms" -type f | sed 's,.*/,,; s/\.ko.*//' | LC_ALL=C sort | paste -sd ' ')" = "$all" ] ||
		echo "$1 lacks modules: $(ls "$root/lib/modules/$1/updates/dkms" 2>&1)"
	for module in $all; do
		case $(inside modinfo -k "$1" -n "$module" 2>&1) in
		*"/updates/dkms/$module.ko"*) ;;
		*) echo "modprobe would not take $module of $1 from the package" ;;
		esac
		[ "$(inside modinfo -k "$1" -F version "$module")" = "$version" ] || echo "$module of $1 has another version"
	done
	initramfs "$1" updates/dkms
	inside kvm-iommufd-status --json | grep -qF "{\"kernel\": \"$1\", \"installed\": true, \"version\": \"$version\"}" ||
		echo "kvm-iommufd-status does not say that $1 has the modules"
}

# stock KERNEL [REASON]: complains unless it has its own modules, all of them, and
# kvm-iommufd-status has the reason
stock() {
	for module in $all; do
		case $module:$(inside modinfo -k "$1" -n "$module" 2>&1) in
		iommufd:*ERROR*|kvm-iommufd:*ERROR*|*"/$1/kernel/"*) ;;
		*) echo "$module of $1 is not the stock one" ;;
		esac
	done
	ls "$root/lib/modules/$1/updates/dkms" 2> /dev/null
	find "$root/lib/modules" -name '.kvm*'
	initramfs "$1" kernel/drivers/vfio
	[ $# = 1 ] || inside kvm-iommufd-status --json | grep -F "\"$1\", \"installed\": false" | grep -qF "$2" ||
		{ echo "kvm-iommufd-status gives another reason than \"$2\":"; inside kvm-iommufd-status; }
}

# vfio-pci is in each initramfs, from one place alone
initramfs() {
	inside lsinitramfs "/boot/initrd.img-$1" | grep '/vfio-pci\.ko' > "$work/found" || :
	grep -q "$2" "$work/found" && ! grep -v "$2" "$work/found" || echo "the initramfs of $1 has: $(cat "$work/found")"
}

configured() {
	inside dpkg --audit
	# shellcheck disable=SC2016 # dpkg's variables
	[ "$(inside dpkg-query -W -f '${db:Status-Status}' kvm-iommufd-dkms)" = installed ] || echo "the package is not configured"
}

no_leftovers() {
	for dir in lib/modules var/lib usr/src usr/lib usr/sbin etc/kernel usr/share; do
		find "$root/$dir" \( -name '*kvm-iommufd*' -o -path '*/updates/*' \) ! -path '*/dpkg/info/*' ! -path '*/apt/*'
	done | sed 's/^/left: /'
	inside grep -l updates/dkms -r /lib/modules --include='modules.dep' || :
}

# offers: "VERSION RELEASE" of the stock kernels on offer, the newest first
offers() {
	inside apt-cache dumpavail | awk '/^Package: / { name = $2 } /^Version: / && name ~ /^linux-image-6\.12\.[^-]*-amd64$/ {
		sub(/^linux-image-/, "", name); print $2, name }' | sort -rV
}

try() {
	log=$LOGS/test-deb-$release-$((tap_count + 1)).log
	name=$1
	shift
	"$@" > "$log.complaints" 2>&1 || echo "exit status $?" >> "$log.complaints"
	point "$release: $name" "$log.complaints"
}

first() {
	apt update
	# shellcheck disable=SC2046 # two packages or three
	apt install $(old_packages)
	apt install "/debs/kvm-iommufd-dkms_${version}_amd64.deb" "linux-source-6.12=$old_version"
	has "$old"
	configured
}

old_packages() {
	echo "linux-image-$old linux-headers-$old linux-source-6.12=$old_version"
	[ "$release" = bookworm ] || echo linux-headers-amd64 linux-image-amd64
}

# Everything that is on offer from now on
offer_new() {
	mv "$root/etc/apt/sources.list.all" "$root/etc/apt/sources.list"
	inside apt-get -q update > "$log" 2>&1
}

upgraded() {
	apt full-upgrade
	! grep "$old: building" "$log" || echo "the modules of $old were there"
	has "$new"
	has "$old"
	configured
}

source_first() {
	apt install "linux-source-6.12=$new_version"
	apt full-upgrade
	has "$new"
	has "$old"
}

kernel_first() {
	apt install "linux-image-$new" "linux-headers-$new"
	stock "$new" "linux-source-6.12 is $old_version"
	upgraded
}

# wrapper NAME SHELL: a command that comes before the system's
wrapper() {
	printf '#!/bin/sh\n%s\n' "$2" > "$root/usr/local/sbin/$1"
	chmod +x "$root/usr/local/sbin/$1"
}

# What comes before the system's commands counts for apt, too
keep_builds() {
	echo 'DPkg::Path "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";' > "$root/etc/apt/apt.conf.d/99path"
	cat > "$root/usr/local/bin/make" <<-'EOF'
		#!/bin/sh
		for word; do
			case $word in
			M=*) tree=${word#M=} ;;
			esac
		done
		[ -d "${tree-}" ] || exec /usr/bin/make "$@"
		kept=/kept/$(cd "$tree" && { echo "$*"; find . -type f -exec sha256sum {} + | sort; } | sha256sum | cut -d ' ' -f 1)
		if [ ! -d "$kept" ]; then
			/usr/bin/make "$@" || exit
			rm -rf "$kept.new"
			mkdir "$kept.new"
			cd "$tree"
			find . -name '*.ko' -exec cp --parents {} "$kept.new" \; -exec strip -g "$kept.new/{}" \;
			mv "$kept.new" "$kept"
		fi
		cp -r "$kept/." "$tree"
	EOF
	chmod +x "$root/usr/local/bin/make"
}

compiler_fails() {
	rm "$root/usr/local/bin/make"
	wrapper "x86_64-linux-gnu-gcc-$gcc" 'echo "gcc: broken" >&2; exit 1'
	apt full-upgrade
	says "$new keeps its stock modules, and no /dev/iommu: the build failed"
	stock "$new" "the build failed, see /var/lib/kvm-iommufd/log/$new.log"
	grep -q broken "$root/var/lib/kvm-iommufd/log/$new.log" || echo "the log does not have the compiler's message"
	[ ! -e "$root/var/lib/dkms/kvm-iommufd/$version/build" ] || echo "the build directory is left"
	has "$old"
	configured
	rm "$root/usr/local/sbin"/*
	keep_builds
}

# fails REASON: a new attempt says REASON, leaves the stock modules, and no failure
fails() {
	succeeds dpkg-reconfigure kvm-iommufd-dkms
	says "$new keeps its stock modules, and no /dev/iommu: "
	says "$1"
	stock "$new" "$1"
	has "$old"
	configured
}

copy_fails() {
	wrapper cp 'case $* in *.kvm-iommufd.new/*kvm-amd*) echo "cp: No space left on device" >&2; exit 1 ;; esac; exec /bin/cp "$@"'
	fails "cannot be installed"
}

# The place of the modules is full in the middle of getting them there
rename_fails() {
	mkdir -p "$root/lib/modules/$new/updates/dkms"
	mount -t tmpfs -o size=256k tmp "$root/lib/modules/$new/updates/dkms"
	fails "cannot be installed"
}

disk_full() {
	mount -t tmpfs -o size=100m tmp "$root/mnt"
	cp -a "$root/var/lib/dkms/." "$root/mnt"
	mount --move "$root/mnt" "$root/var/lib/dkms"
	fails "building needs 400 MB in /var/lib/dkms"
}

initramfs_fails() {
	wrapper update-initramfs 'case $* in *'"$new"'*) echo "No space left on device" >&2; exit 1 ;; esac; exec /usr/sbin/update-initramfs "$@"'
	fails "its initramfs cannot be made anew"
}

depmod_fails() {
	wrapper depmod 'case $* in *'"$new"'*) [ -e /tmp/once ] || { : > /tmp/once; exit 1; } ;; esac; exec /sbin/depmod "$@"'
	fails "cannot be installed"
}

# As when the power fails: what counts are still the stock modules, and a new attempt
# finds its way
killed() {
	# shellcheck disable=SC2016 # the wrapper's words
	wrapper depmod 'case $* in *'"$new"'*) kill -9 $PPID ;; esac; exec /sbin/depmod "$@"'
	inside dpkg-reconfigure kvm-iommufd-dkms > "$log" 2>&1 && echo "nothing was killed"
	for module in $all; do
		case $(inside modinfo -k "$new" -n "$module" 2>&1) in
		*/updates/*) echo "$module of $new counts already" ;;
		esac
	done
	initramfs "$new" kernel/drivers/vfio
	rm "$root/usr/local/sbin/depmod"
	succeeds_later
}

enforce() {
	mount -t tmpfs tmp "$root/sys"
	mkdir -p "$root/sys/module/module/parameters"
	echo Y > "$root/sys/module/module/parameters/sig_enforce"
}

key_not_enrolled() {
	enforce
	fails "module.sig_enforce is on and the key that DKMS signs with is not enrolled"
}

not_signed() {
	enforce
	# shellcheck disable=SC2016 # the wrapper's words
	wrapper mokutil 'echo "$2 is already enrolled"'
	fails "loads signed modules only, and DKMS did not sign these"
}

kept_source_damaged() {
	dd if=/dev/zero of="$root/var/lib/kvm-iommufd/source/$new_version.tar.xz" \
		bs=1000 seek=100 count=1 conv=notrunc 2> /dev/null
	echo x >> "$root/usr/src/linux-source-6.12.tar.xz"
	fails "its source could not be taken from linux-source-6.12: apt install --reinstall linux-source-6.12"
	says "is damaged: making it again"
	says "is not what the package linux-source-6.12 $new_version holds: not used"
}

succeeds_later() {
	succeeds dpkg-reconfigure kvm-iommufd-dkms
	has "$new"
	has "$old"
}

without_privileges() {
	succeeds setpriv --reuid=65534 --regid=65534 --clear-groups sh -c 'kvm-iommufd-status; [ $? = 2 ]'
	grep -q "^$new  *$version" "$log" || echo "no line says that $new has the modules"
	grep -q "^Not in force" "$log" || echo "the kernel that runs here is said to have them"
	inside kvm-iommufd-status --json 2>&1 | python3 -m json.tool > /dev/null || echo "--json prints no JSON"
	inside sh -c 'kvm-iommufd-status --nonsense 2> /dev/null; [ $? = 3 ]' || echo "a wrong word is not exit status 3"
}

reinstalled() {
	apt install --reinstall "/debs/kvm-iommufd-dkms_${version}_amd64.deb"
	says "has its stock modules back"
	has "$new"
	has "$old"
	configured
}

old_removed() {
	apt purge "linux-image-$old" "linux-headers-$old"
	[ ! -e "$root/lib/modules/$old" ] || find "$root/lib/modules/$old"
	[ ! -e "$root/var/lib/kvm-iommufd/kernels/$old" ] || echo "there is still a record of $old"
	[ ! -e "$root/var/lib/kvm-iommufd/source/$old_version.tar.xz" ] || echo "its source is still kept"
	has "$new"
}

removed() {
	apt remove kvm-iommufd-dkms
	says "$new has its stock modules back"
	stock "$new"
	[ -z "$(ls "$root/var/lib/dkms")" ] || [ "$(ls "$root/var/lib/dkms")" = "$(printf 'mok.key\nmok.pub')" ] || ls "$root/var/lib/dkms"
}

purged() {
	apt purge kvm-iommufd-dkms
	stock "$new"
	no_leftovers
}

headers_for_vmms() {
	apt install "/debs/kvm-iommufd-dev_${version}_all.deb" gcc libc6-dev
	succeeds gcc -I/usr/include/kvm-iommufd -Wall -Werror -o /tmp/vmm \
		/usr/share/doc/kvm-iommufd-dev/examples/coherency_vmm.c
}

test_release() {
	release=$1 root=$work/$1/root layers=base
	base=$("$TOP/scripts/deb-root.sh" "$release")
	case $release in
	bookworm) gcc=12 ;;
	*) gcc=14 ;;
	esac
	layer first
	log=$LOGS/test-deb-$release-0.log
	inside apt-get -q update > "$log" 2>&1 || failed "$log" "apt-get update fails in Debian $release"
	offers | head -n 1 > "$work/new"
	read -r new_version new < "$work/new"
	# Debian 13 has the older one in its main suite, which it is installed from
	cp "$root/etc/apt/sources.list" "$root/etc/apt/sources.list.all"
	if [ "$release" != bookworm ]; then
		sed -i /-security/d "$root/etc/apt/sources.list"
		inside apt-get -q update > "$log" 2>&1
	fi
	offers | awk '{ split($1, v, /[.-]/); if (v[3] >= 107) print }' | tail -n 1 > "$work/old"
	read -r old_version old < "$work/old"
	echo "# $release: from $old to $new"
	keep_builds

	try "the package builds for the installed kernel" first
	offer_new
	if [ "$old" = "$new" ]; then
		echo "# $release offers one kernel only: no upgrade"
	else
		layer upgrade
		try "apt full-upgrade: the new kernel has the modules, the old one keeps them" upgraded
		drop
		layer upgrade
		try "the source before the kernel" source_first
		drop
		layer upgrade
		try "the kernel before the source" kernel_first
		drop
	fi

	layer second
	try "a build that fails leaves the stock modules, and dpkg goes on" compiler_fails
	for broken in copy_fails killed rename_fails depmod_fails initramfs_fails disk_full key_not_enrolled not_signed \
		kept_source_damaged; do
		layer broken
		try "$(echo $broken | tr _ ' '): the stock modules stay in force" $broken
		drop
	done
	try "when nothing is broken any more the modules are built" succeeds_later
	try "kvm-iommufd-status needs no privileges" without_privileges
	try "reinstalled" reinstalled
	[ "$old" = "$new" ] || try "the old kernel removed" old_removed
	try "removed: the stock modules are back" removed
	try "purged: nothing is left" purged
	try "the sample compiles with the headers" headers_for_vmms
	leave
	rm -rf "${work:?}/$release"
}

"$TOP/scripts/deb.sh" > "$LOGS/test-deb.log" 2>&1 || failed "$LOGS/test-deb.log" "the packages cannot be built"
version=$(cat "$TOP/VERSION")
rm -rf "$work"
mkdir -p "$work" "$LOGS" "$CACHE/deb/kept"
need_space "$work" 12000 "installing kernels in Debian"
for release; do
	test_release "$release"
done
plan
