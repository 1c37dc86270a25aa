#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Judges what KASAN looks at: this project's objects, and others whose code accesses what
# they allocate. kbuild.sh leaves KASAN out of some directories.
#
# kasan-tap.sh OBJECTS
set -eu

scripts=$(dirname "$(dirname "$(readlink -f "$0")")")
# shellcheck source=scripts/lib.sh
. "$scripts/lib.sh"
# shellcheck source=scripts/judge/instrumented.sh
. "$scripts/judge/instrumented.sh"
# shellcheck source=scripts/judge/points.sh
. "$scripts/judge/points.sh"

cd "$1"
mkdir -p "$LOGS"
# shellcheck disable=SC2086 # lists of words
uninstrumented '__asan_(report_)?(load|store)' ${our_objects:?} ${core_objects:?} |
	sed 's/^/KASAN looks at no access in /' > "$LOGS/kasan.log"
point "KASAN looks at accesses of this project, and of what it calls" "$LOGS/kasan.log"
plan
