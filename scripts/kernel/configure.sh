#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# configure.sh OBJECTS FRAGMENT...: makes a .config of tinyconfig and the fragments, of
# which the last one wins. A .config that does not change keeps its time stamp. Prints
# the fragments' options that Kconfig did not accept.
set -eu

scripts=$(dirname "$(dirname "$(readlink -f "$0")")")
objects=$1
shift

mkdir -p "$objects"
rm -f "$objects/.config.new"
KCONFIG_CONFIG=.config.new "$scripts/kernel/kbuild.sh" "$objects" tinyconfig >&2
(cd "$objects" && KCONFIG_CONFIG=.config.new ../scripts/kconfig/merge_config.sh -m .config.new "$@") >&2
KCONFIG_CONFIG=.config.new "$scripts/kernel/kbuild.sh" "$objects" olddefconfig >&2

cat "$@" | awk -v config="$objects/.config.new" '
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
			if (s in got ? asked[s] != got[s] : asked[s] !~ /is not set$/)
				print asked[s]
	}' | sort
cmp -s "$objects/.config.new" "$objects/.config" || mv "$objects/.config.new" "$objects/.config"
