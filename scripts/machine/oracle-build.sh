#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Compiles the flush oracle for the QEMU that will load it, and prints its path.
# oracle-build.sh QEMU
set -eu

scripts=$(dirname "$(dirname "$(readlink -f "$0")")")
# shellcheck source=scripts/lib.sh
. "$scripts/lib.sh"

[ $# = 1 ] || die "usage: oracle-build.sh QEMU"
# 1101 is 11.1
version=$("$1" --version | awk -F '[ .]' '/^QEMU emulator version / { print $4 * 100 + $5 }')
[ -n "$version" ] || die "$1 does not tell its version: is it a QEMU?"

# tools/testing/qemu/plugin_api.h says how they differ
api=1
[ "$version" -lt 900 ] || api=2
[ "$version" -lt 1101 ] || api=7

source=$TOP/tools/testing/qemu
plugin=$TOP/build/lab/oracle-api$api.so

if [ ! -e "$plugin" ] || [ -n "$(find "$source" -type f -newer "$plugin")" ]; then
	mkdir -p "$TOP/build/lab"
	command -v cc > /dev/null || need_packages gcc libc6-dev
	# Several boots may do this at once: each writes its own, the last rename stays
	cc -std=gnu11 -O2 -Wall -fPIC -shared -DORACLE_API=$api \
		-o "$plugin.$$" "$source/oracle.c"
	mv "$plugin.$$" "$plugin"
fi
echo "$plugin"
