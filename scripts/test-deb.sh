#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# test-deb.sh [RELEASE...]: installs the packages in a Debian 12 and a Debian 13 with
# their stock kernels, upgrades the kernel, breaks what can break, removes and purges,
# all in chroots. Modules are compiled once for each kernel: if the same files are to be
# compiled again, a replacement for make copies the results. Prints TAP.
set -eu

# shellcheck source=scripts/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"
# shellcheck source=scripts/judge/points.sh
. "$TOP/scripts/judge/points.sh"
# shellcheck source=scripts/debian/chroot.sh
. "$TOP/scripts/debian/chroot.sh"

own_mounts "$0" "$@"
[ $# != 0 ] || set -- bookworm trixie

work=$TOP/build/test-deb

first() {
	apt update
	# shellcheck disable=SC2119 # not the script's
	install_with_old
}

# Real-time and cloud kernels have no kvmgt that could be built
other_flavours() {
	apt install linux-image-rt-amd64 linux-headers-rt-amd64 linux-image-cloud-amd64 linux-headers-cloud-amd64
	with_kvmgt=$all
	all=$(echo "$all" | sed 's/ kvmgt//')
	for flavour in rt cloud; do
		has "${new%-amd64}-$flavour-amd64"
	done
	all=$with_kvmgt
	configured
}

source_first() {
	apt install "linux-source-6.12=$new_version"
	apt full-upgrade
	has "$new"
	has "$old"
}

kernel_first() {
	apt install -o APT::Get::Upgrade-By-Source-Package=false "linux-image-$new" "linux-headers-$new"
	stock "$new" "linux-source-6.12 is $old_version"
	upgraded
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

# The modules of each kernel that lacks them are tried again, as when a kernel comes
again() {
	succeeds sh -c 'dpkg-trigger --by-package=dpkg kvm-iommufd-kernels && dpkg --triggers-only kvm-iommufd-dkms'
}

# fails REASON: a new attempt says REASON, leaves the stock modules, and no failure
fails() {
	again
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
	inside sh -c 'dpkg-trigger --by-package=dpkg kvm-iommufd-kernels; dpkg --triggers-only kvm-iommufd-dkms' \
		> "$log" 2>&1 && echo "nothing was killed"
	for module in $all; do
		case $(inside modinfo -k "$new" -n "$module" 2>&1) in
		*/updates/*) echo "$module of $new counts already" ;;
		esac
	done
	initramfs "$new" kernel/drivers/vfio
	rm "$root/usr/local/sbin/depmod"
	succeeds dpkg --configure -a
	has "$new"
	has "$old"
	configured
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
	again
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

# older_package: the same with a lower version, as $older/*.deb
older_package() {
	older=$work/older
	mkdir "$older"
	(cd "$TOP" && cp -r arch drivers include virt patches dkms debian samples scripts tools Documentation COPYING "$older/")
	echo 0.0.1 > "$older/VERSION"
	sed -i "1s/($version)/(0.0.1)/" "$older/debian/changelog"
	TOP=$older "$older/scripts/deb.sh" > "$LOGS/test-deb-older.log" 2>&1 ||
		failed "$LOGS/test-deb-older.log" "the package of another version cannot be built"
}

package_downgraded() {
	cp "$older/build/deb/kvm-iommufd-dkms_0.0.1_amd64.deb" "$root/tmp/"
	apt install --allow-downgrades /tmp/kvm-iommufd-dkms_0.0.1_amd64.deb
	newer=$version version=0.0.1
	has "$new"
	version=$newer
	configured
}

package_upgraded() {
	apt install "/debs/kvm-iommufd-dkms_${version}_amd64.deb"
	has "$new"
	[ ! -e "$root/usr/src/kvm-iommufd-0.0.1" ] || echo "the older version's source is left"
	[ ! -e "$root/var/lib/dkms/kvm-iommufd/0.0.1" ] || echo "DKMS still has the older version"
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

# The README's function, and where linux-libc-dev knows iommufd the sample
headers_for_vmms() {
	apt install "/debs/kvm-iommufd-dev_${version}_all.deb" gcc libc6-dev
	{
		printf '#include <stdint.h>\n#include <sys/ioctl.h>\n#include <unistd.h>\n'
		# shellcheck disable=SC2016 # not a command
		sed -n '/^```c$/,/^```$/{ /^```/!p; }' "$TOP/README.md"
	} > "$root/tmp/readme.c"
	grep -q KVM_DEV_TYPE_IOMMUFD "$root/tmp/readme.c" || echo "the README has no function any more"
	succeeds gcc -I/usr/include/kvm-iommufd -Wall -Werror -c -o /tmp/readme.o /tmp/readme.c
	[ -e "$root/usr/include/linux/iommufd.h" ] || return 0
	succeeds gcc -I/usr/include/kvm-iommufd -Wall -Werror -o /tmp/vmm \
		/usr/share/doc/kvm-iommufd-dev/examples/coherency_vmm.c
}

# The tool alone, in a Debian with no kernel of its own running
tool_alone() {
	apt install "/debs/kvm-coherency_${version}_amd64.deb"
	succeeds kvm-coherency check
	grep -q "^KVM is not loaded" "$log" || echo "check says something else"
	succeeds sh -c 'kvm-coherency list; [ $? = 1 ]'
	for tool_file in sbin/kvm-coherency share/man/man8/kvm-coherency.8.gz \
		share/bash-completion/completions/kvm-coherency; do
		[ -e "$root/usr/$tool_file" ] || echo "/usr/$tool_file is not there"
	done
	apt purge kvm-coherency
}

test_release() {
	open_release "$1"
	case $release in
	bookworm) gcc=12 ;;
	*) gcc=14 ;;
	esac
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

	if [ "$release" != bookworm ]; then
		layer flavours
		try "real-time and cloud kernels have the modules" other_flavours
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
	try "the package downgraded: the modules are the older version's" package_downgraded
	try "the package upgraded: the modules are the newer version's" package_upgraded
	try "removed: the stock modules are back" removed
	try "purged: nothing is left" purged
	try "VMMs compile with the headers" headers_for_vmms
	# What was built in a newer Debian needs that one's libraries
	if [ "$release" = trixie ] || grep -q '^VERSION_CODENAME=bookworm' /etc/os-release; then
		try "kvm-coherency without the modules" tool_alone
	fi
	close_release
}

build_packages
older_package
for release; do
	test_release "$release"
done
plan
