# shellcheck shell=sh
# SPDX-License-Identifier: GPL-2.0
# A Debian in a chroot whose changes are layers that can be dropped, with two kernels to
# install: $old, the oldest on offer that the queue fits, and $new, the newest. Sourced
# after lib.sh and points.sh by scripts that set $work to their own directory.
# shellcheck disable=SC2034,SC2154 # variables of theirs and for them

all='iommufd kvm kvm-amd kvm-intel kvm-iommufd kvmgt vfio vfio-pci vfio-pci-core vfio_iommu_type1'
log=

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
	# What a script that was killed had begun
	for process in /proc/[0-9]*; do
		[ "$(readlink "$process/root")" != "$root" ] || kill -s KILL "${process#/proc/}" 2> /dev/null || :
	done
	for try in 1 2 3 4 5; do
		! umount -R "$root" 2> /dev/null || return 0
		sleep "$try"
	done
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

# succeeds COMMAND...: its output is $log, and $log.all has that of all; complains if it fails
succeeds() {
	inside "$@" > "$log" 2>&1 < /dev/null || { echo "$* fails, see $log.all"; tail -n 5 "$log"; }
	cat "$log" >> "$log.all"
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
	log=$LOGS/$(basename "$work")-$release-$((tap_count + 1)).log
	rm -f "$log.all"
	name=$1
	shift
	"$@" > "$log.complaints" 2>&1 || echo "exit status $?" >> "$log.complaints"
	point "$release: $name" "$log.complaints"
}

# kernel VERSION RELEASE: the packages of a user who has that kernel. Debian 12 has 6.12 for
# who asks for it, and metapackages of the newest one only, which our package depends on:
# there the newest kernel comes with it, and waits for its source.
kernel() {
	echo "linux-image-$2 linux-headers-$2"
	[ "$release" = bookworm ] || echo "linux-image-amd64=$1 linux-headers-amd64=$1"
}

# install_with_old PACKAGE...: them, the older kernel, and ours
install_with_old() {
	# shellcheck disable=SC2046 # a list of words
	apt install "$@" $(kernel "$old_version" "$old") "linux-source-6.12=$old_version"
	# apt would upgrade the source with the headers that come
	apt install "/debs/kvm-iommufd-dkms_${version}_amd64.deb" "linux-source-6.12=$old_version"
	has "$old"
	configured
}

# To the newest kernel, while the modules of the older one stay as they are
upgraded() {
	apt full-upgrade
	! grep "$old: building" "$log" || echo "the modules of $old were there"
	has "$new"
	has "$old"
	configured
}

# Everything that is on offer from now on
offer_new() {
	mv "$root/etc/apt/sources.list.all" "$root/etc/apt/sources.list"
	inside apt-get -q update > "$log" 2>&1
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

# own_mounts SCRIPT ARGUMENT...: runs it anew where its mounts go with the process
own_mounts() {
	[ "$(id -u)" = 0 ] || die "installing packages in a chroot needs root"
	[ -n "${KVM_IOMMUFD_MOUNTS-}" ] || KVM_IOMMUFD_MOUNTS=1 exec unshare -m "$@"
}

# The packages, and an empty $work for the layers
build_packages() {
	mkdir -p "$LOGS" "$CACHE/deb/kept"
	log=$LOGS/$(basename "$work").log
	"$TOP/scripts/deb.sh" > "$log" 2>&1 || failed "$log" "the packages cannot be built"
	version=$(cat "$TOP/VERSION")
	rm -rf "$work"
	mkdir -p "$work"
	need_space "$work" 12000 "installing kernels in Debian"
}

# open_release RELEASE: in a first layer, where apt knows the packages of the older kernel, and
# the newest only after offer_new. Debian 13 has the older one in its main suite.
open_release() {
	release=$1 root=$work/$1/root layers=base
	base=$("$TOP/scripts/debian/root.sh" "$release")
	layer first
	log=$LOGS/$(basename "$work")-$release-0.log
	inside apt-get -q update > "$log" 2>&1 || failed "$log" "apt-get update fails in Debian $release"
	offers > "$work/offers"
	read -r new_version new < "$work/offers"
	cp "$root/etc/apt/sources.list" "$root/etc/apt/sources.list.all"
	if [ "$release" != bookworm ]; then
		sed -i /-security/d "$root/etc/apt/sources.list"
		inside apt-get -q update > "$log" 2>&1
	fi
	offers | awk '{ split($1, v, /[.-]/); if (v[3] >= 107) print }' | tail -n 1 > "$work/offers"
	read -r old_version old < "$work/offers"
	echo "# $release: from $old to $new"
}

close_release() {
	leave
	rm -rf "${work:?}/$release"
}
