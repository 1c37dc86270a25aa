#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# kernel.sh [compose]: makes the kernel $FLAVOR of $BASE: fetches the source, composes
# the tree (with "compose" stops there), and builds it. If no input has changed, says
# so and does nothing.
set -eu

# shellcheck source=scripts/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

FLAVOR=$(built_flavor "$FLAVOR")
case $FLAVOR in
base) ;;
release | debug | coverage | off)
	[ -d "$TOP/patches/$BASE" ] ||
		die "there are no patches for Linux $BASE here: FLAVOR=base builds it unpatched" ;;
*) die "FLAVOR=$FLAVOR is not a flavor: use release, debug, kcsan, off or base" ;;
esac

word=${1-}
tree=$(source_tree "$FLAVOR")
objects=$(object_tree "$FLAVOR")
image=$objects/arch/x86/boot/bzImage

mkdir -p "$TOP/build/$BASE" "$LOGS" || die "$TOP/build cannot be written: change its owner, or free some space"
[ "$word" = compose ] || {
	exec 7> "$TOP/build/$BASE/lock-objects-$FLAVOR"
	lock 7 -x "another build of $BASE $FLAVOR"
}

# The content of what is compiled; of what is only linked into the tree, the names
inputs() {
	echo "${KERNEL_SRC-} ${KVM_IOMMUFD_CHOICE-}"
	gcc -dumpfullversion 2> /dev/null
	echo "$our_objects"
	cd "$TOP"
	set -- configs/base.config configs/base-"$BASE".config dkms/pick-patches \
		scripts/kernel/compose.sh scripts/kernel/configure.sh scripts/kernel/kbuild.sh scripts/kernel/build.sh
	if [ "$FLAVOR" != base ]; then
		set -- "$@" configs patches/"$BASE" arch drivers include virt
		find Documentation samples tools -type f 2> /dev/null | sort
	fi
	find "$@" -type f -print0 2> /dev/null | sort -z | xargs -0 sha256sum
}

# Also what was edited in the composed tree itself since the build began
up_to_date() {
	[ -z "${KERNEL_SRC-}" ] && [ -e "$image" ] && cmp -s "$objects/inputs" "$objects/inputs.new" &&
		[ -z "$(find "$tree" -name 'obj-*' -prune -o -type f ! -name '.*' -newer "$objects/began" -print -quit)" ]
}

if [ -z "${KERNEL_SRC-}" ]; then
	KVM_IOMMUFD_CHOICE=$("$TOP/scripts/kernel/choose.sh")
	export KVM_IOMMUFD_CHOICE
fi

if [ -d "$objects" ] && [ "$word" != compose ]; then
	inputs > "$objects/inputs.new"
	if up_to_date; then
		echo "kernel $BASE $FLAVOR: up to date"
		exit 0
	fi
fi

# All of them at once, before the first long step
need_packages bc binutils bison ccache debian-archive-keyring flex gcc kmod libc6-dev libelf-dev make \
	patch perl quilt rsync xz-utils

# Flavors are built side by side, but not in a tree that changes under them
exec 8> "$TOP/build/$BASE/lock-$(basename "$tree")"
lock 8 -s "a change of $tree"
if ! "$TOP/scripts/kernel/compose.sh" check; then
	flock -u 8
	lock 8 -x "every build in $tree"
	"$TOP/scripts/kernel/compose.sh"
	lock 8 -s "a change of $tree"
fi
[ "$word" != compose ] || exit 0

mkdir -p "$objects"
rm -f "$objects/inputs"
touch "$objects/began"
inputs > "$objects/inputs.new"
"$TOP/scripts/kernel/build.sh"
inputs > "$objects/inputs.now"
# A file that was edited meanwhile may have missed its turn
! cmp -s "$objects/inputs.now" "$objects/inputs.new" || mv "$objects/inputs.new" "$objects/inputs"
