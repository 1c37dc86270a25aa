#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Applies the queue to every 6.12.y from 6.12.107 on that Debian's suites offer, and
# compiles the files that it touches and adds. One point for each kernel. A source with
# the same content as one that passed is not compiled again.
set -eu

# shellcheck source=scripts/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"
# shellcheck source=scripts/judge/points.sh
. "$TOP/scripts/judge/points.sh"

oldest=6.12.107
work=$TOP/build/$BASE/bases
logs=$LOGS/bases
passed=$CACHE/bases
mkdir -p "$work" "$logs" "$passed"

objects=$(cd "$TOP" && {
	sed -n 's,^--- a/\(.*\)\.c$,\1.o,p' "patches/$BASE"/*.patch
	find arch drivers virt -name '*.c' | sed 's/c$/o/'
} | sort -u)

compile_text() {
	echo "Linux $version: $(grep -c '^  CC ' "$log" 2> /dev/null || :) of $(echo "$objects" | wc -w) objects and what they need"
}

# content PARTS: of what is compiled, whatever Debian called it
content() {
	{
		(cd "$1" && find . -type f ! -name '.*' -print0 | sort -z | xargs -0 sha256sum)
		(cd "$TOP" && find arch drivers include virt configs "patches/$BASE" dkms/pick-patches -type f -print0 |
			sort -z | xargs -0 sha256sum)
		gcc -dumpfullversion
	} | sha256sum | cut -d ' ' -f 1
}

# A tree of its own, gone afterwards: 1.8 GB
compile() {
	tree=$work/tree
	rm -rf "$tree"
	need_space "$work" 3000 "a tree of Linux $version"
	mkdir "$tree"
	tar -xJf "$CACHE/linux/$version/linux-source-$BASE.tar.xz" --strip-components=1 -C "$tree"
	while read -r patch; do
		patch -d "$tree" -p1 -f -s --fuzz=0 --no-backup-if-mismatch < "$TOP/patches/$BASE/$patch"
	done < "$log.picked"
	(cd "$TOP" && find arch drivers include virt -type f ! -name '.*' ! -path include/uapi/linux/kvm.h \
		-exec cp -p --parents -t "$tree" {} +)
	"$TOP/scripts/kernel/configure.sh" "$tree/obj" "$TOP/configs/base.config" "$TOP/configs/kvm-iommufd.config" >&2
	# shellcheck disable=SC2086 # a list of words
	"$TOP/scripts/kernel/kbuild.sh" "$tree/obj" prepare $objects >&2
}

# The log says what is wrong only where something is
base() {
	parts=$("$TOP/scripts/kernel/fetch.sh" parts "$version")
	"$TOP/dkms/pick-patches" "$TOP/patches/$BASE" "$parts" > "$log.picked" 2> "$log.bad" || return 0
	key=$(content "$parts")
	[ ! -e "$passed/$key" ] || return 0
	if logged "$log" compile_text "$0" compile "$version" "$log"; then
		echo "$version" > "$passed/$key"
	else
		tail -n 12 "$log" > "$log.bad"
	fi
	rm -rf "$work/tree"
}

if [ "${1-}" = compile ]; then
	version=$2 log=$3
	compile
	exit
fi

exec 7> "$work/lock"
lock 7 -x "another check of the bases"
need_packages bc binutils bison ccache debian-archive-keyring flex gcc libc6-dev libelf-dev make patch perl xz-utils

# Where the tarball went with an older look at it
with_tarball() {
	[ -e "$CACHE/linux/$version/linux-source-$BASE.tar.xz" ] || rm -f "$CACHE/linux/$version/parts.of"
}

"$TOP/scripts/kernel/offers.sh" > "$work/offers"
[ -s "$work/offers" ] || die "no Linux $BASE is on offer"
while read -r version release suite _; do
	printf '%s\n' "$oldest" "$version" | sort -VC || continue
	log=$logs/$version.log
	: > "$log.bad"
	with_tarball
	base < /dev/null
	point "patches/$BASE fit Linux $version ($release, $suite) and compile" "$log.bad"
done < "$work/offers"
plan
