#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Compiles the flush oracle for a major version of QEMU and prints its path.
# oracle-build.sh VERSION
set -eu

scripts=$(dirname "$(readlink -f "$0")")
# shellcheck source=scripts/lib.sh
. "$scripts/lib.sh"

api=1
[ "$1" -lt 9 ] || api=2

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
