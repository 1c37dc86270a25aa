#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# test-debian.sh [RELEASE...]: tests a real Debian, end to end: makes one with the
# archive's own tools, installs the packages, a stock kernel and Debian's QEMU in it by
# apt, boots it in the test machine to its own systemd, and runs that QEMU as the VMM with
# the edu device: cold- and hot-plugged, reset and restarted. If Debian offers an older
# kernel, begins with that one, upgrades, and goes back. Then removes the package and
# checks that the machine is as it was. Prints TAP.
set -eu

# shellcheck source=scripts/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"
# shellcheck source=scripts/judge/points.sh
. "$TOP/scripts/judge/points.sh"
# shellcheck source=scripts/debian/chroot.sh
. "$TOP/scripts/debian/chroot.sh"

own_mounts "$0" "$@"
[ $# != 0 ] || set -- trixie bookworm

work=$TOP/build/test-debian

# What depends on the newer kernel goes back with it
downgraded() {
	# shellcheck disable=SC2046 # a list of words
	apt install --allow-downgrades $(kernel "$old_version" "$old")
	apt purge "linux-image-$new" "linux-headers-$new"
	has "$old"
	[ ! -e "$root/var/lib/kvm-iommufd/kernels/$new" ] || echo "there is still a record of $new"
	configured
}

removed() {
	apt remove kvm-iommufd-dkms
	stock "$1"
}

purged() {
	apt purge kvm-iommufd-dkms
	stock "$1"
	no_leftovers
}

# What QEMU can: Debian 12's knows type1 alone
phases() {
	case $release in
	bookworm) echo 4 ;;
	*) echo 13 ;;
	esac
}

# boots RELEASE PHASES: a machine's points are its own
boots() {
	out=$work/$release-$1-$2
	status=0
	"$TOP/scripts/debian/boot.sh" "$root" "$1" "$out" "$2" > "$out.tap" || status=$?
	sed -nE "s/^((not )?ok) [0-9]* - /\1 - $release: /p" "$out.tap" > "$out.points"
	while read -r line; do
		tap_count=$((tap_count + 1))
		echo "$line" | sed "s/ok -/ok $tap_count -/"
	done < "$out.points"
	[ $status = 0 ] || tap_failed=$((tap_failed + 1))
	grep '^#' "$out.tap" || :
	[ -s "$out.points" ] || failed "$out.tap" "Debian $release could not be booted"
}

test_release() {
	open_release "$1"
	keep_builds
	try "the packages install, and $old has the modules" install_with_old qemu-system-x86
	offer_new
	kernel=$new
	[ "$old" = "$new" ] || try "full-upgrade: $new has the modules" upgraded
	boots "$new" "$(phases)"
	# Debian 12 has metapackages of the newest kernel only, without which the package goes
	if [ "$old" != "$new" ] && [ "$release" != bookworm ]; then
		try "back to $old" downgraded
		boots "$old" "$(phases)"
		kernel=$old
	fi
	try "removed: the stock modules are back" removed "$kernel"
	boots "$kernel" 0
	try "purged: nothing is left" purged "$kernel"
	close_release
}

build_packages
for release; do
	test_release "$release"
done
plan
