#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Checks that vmlinux and modules link, with no symbol unresolved, in every
# combination of KVM, IOMMUFD and the bridge that Kconfig allows
set -eu

# shellcheck source=scripts/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"
# shellcheck source=scripts/judge/points.sh
. "$TOP/scripts/judge/points.sh"

FLAVOR=release
"$TOP/scripts/kernel.sh" compose
exec 7> "$TOP/build/$BASE/lock-check-link"
lock 7 -x "another check"
exec 8> "$TOP/build/$BASE/lock-src"
lock 8 -s "a change of the composed tree"

objects=$(source_tree "$FLAVOR")/obj-link
logs=$LOGS/check
mkdir -p "$logs"
cd "$TOP"

link_text() {
	echo "check: $name: $(grep -c '^  ' "$log" || :) steps"
}

# kconfig SYMBOL VALUE
kconfig() {
	case $2 in
	n) echo "# CONFIG_$1 is not set" ;;
	*) echo "CONFIG_$1=$2" ;;
	esac
}

# KVM, IOMMUFD, bridge. Most files depend on IOMMUFD (by linux/sched/user.h), so
# that it changes least often. y:y:m is the release flavor.
for words in y:m:m m:m:m m:y:m y:y:y y:y:n y:n:n; do
	kvm=${words%%:*} bridge=${words##*:}
	iommufd=${words#*:} iommufd=${iommufd%:*}
	name="KVM=$kvm IOMMUFD=$iommufd KVM_IOMMUFD=$bridge"
	log=$logs/link-$kvm$iommufd$bridge.log
	{
		kconfig KVM "$kvm"
		kconfig KVM_INTEL "$kvm"
		kconfig KVM_AMD "$kvm"
		kconfig IOMMUFD "$iommufd"
		kconfig KVM_IOMMUFD "$bridge"
		case $iommufd in
		m)
			kconfig VFIO m
			kconfig VFIO_PCI m
			;;
		n)
			kconfig IOMMUFD_TEST n
			kconfig IOMMUFD_COHERENCY_KUNIT_TEST n
			kconfig VFIO_DEVICE_CDEV n
			;;
		esac
	} > "$logs/link.config"
	left=$(scripts/kernel/configure.sh "$objects" "$TOP/configs/link.config" "$logs/link.config" 2> "$log") ||
		failed "$log" "$name cannot be configured"
	status=0
	logged "$log" link_text scripts/kernel/kbuild.sh "$objects" vmlinux modules || status=$?
	{
		[ -z "$left" ] || echo "not configured: $left"
		[ "$status" = 0 ] || tail -n 12 "$log"
	} > "$log.bad"
	point "$name links" "$log.bad"
done
plan
