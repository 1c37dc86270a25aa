#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Each object of ours compiled by itself, with W=1 and under sparse: no warning
# may name a file of ours
set -eu

# shellcheck source=scripts/lib.sh
. "$(dirname "$(readlink -f "$0")")/../lib.sh"
# shellcheck source=scripts/judge/points.sh
. "$TOP/scripts/judge/points.sh"

FLAVOR=release
need_packages sparse
"$TOP/scripts/kernel.sh" compose
exec 7> "$TOP/build/$BASE/lock-check-build"
lock 7 -x "another check"
exec 8> "$TOP/build/$BASE/lock-src"
lock 8 -s "a change of the composed tree"

objects=$(source_tree "$FLAVOR")/obj-check
logs=$LOGS/check
mkdir -p "$logs"
cd "$TOP"

find arch drivers include virt -type f -name '*.[ch]' | sort > "$logs/own"
sed -n 's/c$/o/p' "$logs/own" > "$logs/objects"

# Built in: a modular bridge would be compiled the same
echo CONFIG_KVM_IOMMUFD=y > "$logs/check.config"
left=$(scripts/kernel/configure.sh "$objects" "$TOP/configs/base.config" "$TOP/configs/kvm-iommufd.config" \
	"$logs/check.config" 2> "$logs/configure.log") || failed "$logs/configure.log" "cannot configure the check"
[ -z "$left" ] || die "the check cannot have $left: see what that depends on"

compile_text() { echo "check: compiling in $objects"; }
logged "$logs/prepare.log" compile_text scripts/kernel/kbuild.sh "$objects" prepare ||
	failed "$logs/prepare.log" "cannot prepare the check"

while read -r object; do
	log=$logs/build-$(echo "$object" | tr / -).log
	# What was compiled before would stay silent
	rm -f "$objects/$object"
	logged "$log.all" compile_text scripts/kernel/kbuild.sh "$objects" W=1 C=2 "$object" < /dev/null || :
	{
		grep -F -f "$logs/own" "$log.all" | grep -v 'note: in included file'
		grep -q "CHECK .*$(basename "$object" .o)\.c" "$log.all" || echo "sparse did not run"
		[ -e "$objects/$object" ] || tail -n 5 "$log.all"
	} | grep -vE '^ +(CC|CHECK) ' > "$log" || :
	point "W=1 and sparse are silent on ${object%o}c" "$log"
done < "$logs/objects"
plan
