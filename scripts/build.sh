#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Configures and builds the kernel $FLAVOR in its composed tree: bzImage, modules
# in mod/ and user-space headers in usr/include of the object tree.
set -eu

# shellcheck source=scripts/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

# The words of our make are not the kernel's
unset MAKEFLAGS MFLAGS MAKEOVERRIDES MAKELEVEL KBUILD_OUTPUT O V CROSS_COMPILE LLVM KCFLAGS

tree=$(source_tree "$FLAVOR")
objects=$(object_tree "$FLAVOR")
name="kernel $BASE $FLAVOR"
log=$LOGS/build-$BASE-$FLAVOR.log
known=$CACHE/objects-$BASE-$FLAVOR

# The object tree stands in the source tree: paths are then relative, and what
# one flavor compiled is in the compiler cache for another
export CCACHE_DIR="$CACHE/ccache" CCACHE_NOHASHDIR=1 CCACHE_STATSLOG="$objects/ccache.stats"
export KBUILD_BUILD_TIMESTAMP='1970-01-01 00:00:00 UTC' KBUILD_BUILD_VERSION=1
export KBUILD_BUILD_USER=kvm-iommufd KBUILD_BUILD_HOST=kvm-iommufd

set -- make -C "$tree" O="$objects" ARCH=x86 LOCALVERSION= CC='ccache gcc'

fragments() {
	echo "$TOP/configs/base.config"
	[ "$FLAVOR" = base ] || echo "$TOP/configs/kvm-iommufd.config"
	[ "$FLAVOR" != debug ] || echo "$TOP/configs/debug.config"
}

# What the fragments ask for, the last word for each symbol, and .config has not
unmet() {
	fragments | xargs -d '\n' cat | awk -v config="$objects/.config.new" '
		function symbol(line) {
			sub(/^# /, "", line)
			sub(/[= ].*/, "", line)
			return line
		}
		/^CONFIG_|^# CONFIG_.* is not set$/ { asked[symbol($0)] = $0 }
		END {
			while ((getline < config) > 0)
				got[symbol($0)] = $0
			for (s in asked)
				if (asked[s] != got[s] && !(asked[s] ~ /is not set$/ && !(s in got)))
					print asked[s]
		}' | sort
}

# configure MAKE...
configure() {
	mkdir -p "$objects"
	rm -f "$objects/.config.new"
	{
		export KCONFIG_CONFIG=.config.new
		"$@" tinyconfig &&
			fragments | (cd "$objects" && xargs -d '\n' ../scripts/kconfig/merge_config.sh -m .config.new) &&
			"$@" olddefconfig
		configured=$?
		unset KCONFIG_CONFIG
	} > "$log" 2>&1
	[ "$configured" = 0 ] || failed "$log" "$name cannot be configured"

	left=$(unmet)
	[ -z "$left" ] || echo "note: $name is without $(echo "$left" | paste -sd ' ')" >&2
	cmp -s "$objects/.config.new" "$objects/.config" || mv "$objects/.config.new" "$objects/.config"
}

count() {
	find "$objects" -name '*.o' "$@" | wc -l
}

build_text() {
	if [ "$first" -lt "$expected" ]; then
		done_objects=$(count)
		percent=$((done_objects * 100 / expected))
		echo "$name: $done_objects/$expected objects ($((percent > 99 ? 99 : percent)) %)"
	else
		echo "$name: $(count -newer "$objects/.config.checked") objects made anew"
	fi
}

need_packages bc binutils bison ccache flex gcc kmod libc6-dev libelf-dev make perl rsync
need_space "$objects/.." 1500 "$name"

configure "$@"
touch "$objects/.config.checked"
: > "$CCACHE_STATSLOG"
expected=$(cat "$known" 2> /dev/null || echo 1500)
first=$(count)
start=$(date +%s)
rm -rf "$objects/mod"

logged "$log" build_text "$@" -j"${JOBS:-$(nproc)}" bzImage modules headers || {
	grep -E -m 5 '(error|Error [0-9]+)' "$log" >&2 || :
	failed "$log" "$name did not build: mend the error above and run it again"
}
logged "$LOGS/install-$BASE-$FLAVOR.log" build_text "$@" \
	INSTALL_MOD_PATH="$objects/mod" modules_install ||
	failed "$LOGS/install-$BASE-$FLAVOR.log" "$name's modules cannot be installed in $objects/mod"

count > "$known"
hits=$(grep -c -E '^(direct|preprocessed)_cache_hit' "$CCACHE_STATSLOG" || :)
misses=$(grep -c '^cache_miss' "$CCACHE_STATSLOG" || :)
echo "$name: built in $(($(date +%s) - start)) s, $((hits + misses)) objects compiled, $hits of them from ccache"
