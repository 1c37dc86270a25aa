#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Makes the root file system of the machine under test.
#
# initramfs.sh [-m MODROOT] OUT FILE[:DEST]...
#   FILE goes to /tests/ under its own name, or to DEST; a directory with all its files.
#   -m takes lib/modules from MODROOT (an INSTALL_MOD_PATH).
#
# Kernel command line words that its /init understands:
#   run=/tests/x,arg,arg   run this program; several run in order. Prints "exit: STATUS /tests/x"
#   limit=900              kill a program that takes more seconds
#   output=ttyS1           where init and the programs print
#   bind=no                leave the edu devices without a driver
#   nudge                  wake every CPU once a second
#   shell                  start a shell on the console in the end
set -eu

scripts=$(dirname "$(dirname "$(readlink -f "$0")")")
# shellcheck source=scripts/lib.sh
. "$scripts/lib.sh"

modroot=''
while getopts m: opt; do
	case $opt in
	m) modroot=$OPTARG ;;
	*) exit 2 ;;
	esac
done
shift $((OPTIND - 1))
[ $# -ge 1 ] || die "usage: initramfs.sh [-m MODROOT] OUT FILE[:DEST]..."
out=$1
shift

busybox=$(command -v busybox || true)
if [ -z "$busybox" ] || ! command -v cpio > /dev/null; then
	need_packages busybox-static cpio
	busybox=$(command -v busybox)
fi
! ldd "$busybox" > /dev/null 2>&1 || die "$busybox is not static: install the package busybox-static"

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mkdir -p "$root/bin" "$root/dev" "$root/etc" "$root/proc" "$root/root" "$root/run" \
	"$root/sbin" "$root/sys" "$root/tests" "$root/tmp"
cp "$busybox" "$root/bin/busybox"
ln -s busybox "$root/bin/sh"
ln -s ../bin/busybox "$root/sbin/modprobe"
cp "$scripts/machine/init.sh" "$root/init"
chmod 755 "$root/init"

cat > "$root/etc/passwd" <<'EOF'
root:x:0:0:root:/root:/bin/sh
nobody:x:65534:65534:nobody:/tmp:/bin/sh
EOF
cat > "$root/etc/group" <<'EOF'
root:x:0:
nogroup:x:65534:
EOF

if [ -n "$modroot" ] && [ -d "$modroot/lib/modules" ]; then
	mkdir "$root/lib"
	cp -R "$modroot/lib/modules" "$root/lib/"
	# These point back to where the kernel was built
	find "$root/lib/modules" -type l -delete
fi

for file; do
	from=${file%%:*}
	to=/tests/$(basename "$from")
	[ "$from" = "$file" ] || to=${file#*:}
	[ -e "$from" ] || die "$from is not there: build it before making the initramfs"
	mkdir -p "$root$(dirname "$to")"
	cp -RL "$from" "$root$to"
done

mkdir -p "$(dirname "$out")"
(cd "$root" && find . -mindepth 1 | LC_ALL=C sort | cpio --quiet -o -H newc -R 0:0) |
	gzip -1 > "$out.$$"
mv "$out.$$" "$out"
