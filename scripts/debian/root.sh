#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# root.sh RELEASE: installs Debian RELEASE (bookworm or trixie), without a kernel, in a
# directory of the cache, from the machine's own mirrors, and prints its path. Needs root.
set -eu

# shellcheck source=scripts/lib.sh
. "$(dirname "$(readlink -f "$0")")/../lib.sh"
# shellcheck source=scripts/kernel/apt.sh
. "$TOP/scripts/kernel/apt.sh"

release=$1
root=$CACHE/deb/$release archives=$CACHE/deb/archives-$release
log=$LOGS/deb-root-$release.log
packages=ccache,initramfs-tools,kmod,systemd-sysv,zstd

root_text() { sed -n 's/^I: //p' "$log" 2> /dev/null | tail -n 1; }

if [ ! -e "$root/etc/apt/sources.list" ]; then
	need_packages debootstrap debian-archive-keyring
	need_space "$(dirname "$CACHE")" 6000 "a Debian to install packages in"
	url=$(mirror_of any)
	[ -n "$url" ] || die "apt knows no Debian mirror: run apt-get update"
	rm -rf "$root"
	mkdir -p "$root" "$archives/partial" "$LOGS"
	logged "$log" root_text debootstrap --variant=minbase --keyring="$keyring" --cache-dir="$archives" \
		--include="$packages" "$release" "$root" "$url" || failed "$log" "no Debian $release could be made"
	# Services stay off, and what was downloaded is kept
	printf '#!/bin/sh\nexit 101\n' > "$root/usr/sbin/policy-rc.d"
	chmod +x "$root/usr/sbin/policy-rc.d"
	echo force-unsafe-io > "$root/etc/dpkg/dpkg.cfg.d/test"
	cat > "$root/etc/apt/apt.conf.d/99test" <<-'CONF'
		APT::Install-Recommends "false";
		APT::Keep-Downloaded-Packages "true";
		Binary::apt::APT::Keep-Downloaded-Packages "true";
		APT::Sandbox::User "root";
	CONF
	# What boots in the test machine, and vfio-pci: a small one is made in seconds
	printf '%s\n' vfio-pci virtio_pci virtio_blk ext4 >> "$root/etc/initramfs-tools/modules"
	printf 'MODULES=list\nCOMPRESS=gzip\n' > "$root/etc/initramfs-tools/conf.d/test"
	{
		echo "deb [signed-by=$keyring] $url $release main"
		echo "deb [signed-by=$keyring] $(mirror_of "$release-security") $release-security main"
	} > "$root/etc/apt/sources.list"
fi
echo "$root"
