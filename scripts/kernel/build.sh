#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Builds the kernel $FLAVOR in its composed tree: bzImage, modules in mod/ and
# user-space headers in usr/include of the object tree.
set -eu

# shellcheck source=scripts/lib.sh
. "$(dirname "$(readlink -f "$0")")/../lib.sh"

objects=$(object_tree "$FLAVOR")
name="kernel $BASE $FLAVOR"
log=$LOGS/build-$BASE-$FLAVOR.log
known=$CACHE/objects-$BASE-$FLAVOR

build_text() {
	if [ "$first" -lt "$expected" ]; then
		built=$(count)
		percent=$((built * 100 / expected))
		echo "$name: $built/$expected objects ($((percent > 99 ? 99 : percent)) %)"
	else
		echo "$name: $(count -newer "$objects/began") objects made anew"
	fi
}

count() {
	find "$objects" -name '*.o' "$@" 2> /dev/null | wc -l
}

need_space "$objects" 1500 "$name"

set -- "$TOP/configs/base.config"
[ ! -e "$TOP/configs/base-$BASE.config" ] || set -- "$@" "$TOP/configs/base-$BASE.config"
[ "$FLAVOR" = base ] || set -- "$@" "$TOP/configs/kvm-iommufd.config"
[ ! -e "$TOP/configs/$FLAVOR.config" ] || [ "$FLAVOR" = base ] || set -- "$@" "$TOP/configs/$FLAVOR.config"
left=$("$TOP/scripts/kernel/configure.sh" "$objects" "$@" 2> "$log") || failed "$log" "$name cannot be configured"
[ -z "$left" ] || die "$name cannot have $(echo "$left" | paste -sd ' '): see what that depends on, in configs/"

# What a new object includes is known from the compiler: to preprocess it first as well would
# be two fifths of its time. The other flavors have most objects in common, which only a hash of
# the preprocessed source shows.
case $FLAVOR in
release | debug) export CCACHE_DEPEND=1 ;;
esac
export CCACHE_STATSLOG="$objects/ccache.stats"
: > "$CCACHE_STATSLOG"
expected=$(cat "$known" 2> /dev/null || echo 1210)
first=$(count)
start=$(date +%s)
rm -rf "$objects/mod"

logged "$log" build_text "$TOP/scripts/kernel/kbuild.sh" "$objects" bzImage modules headers || {
	grep -E -m 5 '(error|Error [0-9]+)' "$log" >&2 || :
	failed "$log" "$name did not build: mend the error above and run it again"
}
logged "$LOGS/install-$BASE-$FLAVOR.log" build_text "$TOP/scripts/kernel/kbuild.sh" "$objects" \
	INSTALL_MOD_PATH="$objects/mod" modules_install ||
	failed "$LOGS/install-$BASE-$FLAVOR.log" "$name's modules cannot be installed in $objects/mod"

count > "$known"
hits=$(grep -c -E '^(direct|preprocessed)_cache_hit' "$CCACHE_STATSLOG" || :)
misses=$(grep -c '^cache_miss' "$CCACHE_STATSLOG" || :)
echo "$name: built in $(($(date +%s) - start)) s, $((hits + misses)) objects compiled, $hits of them from ccache"
