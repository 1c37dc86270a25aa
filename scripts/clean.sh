#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Removes build/; with the argument "cache" also what these scripts keep in the cache.
set -eu

# shellcheck source=scripts/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

rm -rf "$TOP/build"
[ "${1-}" = cache ] || exit 0
rm -rf "$CACHE"/linux-* "$CACHE"/download-* "$CACHE"/objects-* "$CACHE/ccache" "$CACHE/lock"
[ ! -d "$CACHE" ] || rmdir --ignore-fail-on-non-empty "$CACHE"
