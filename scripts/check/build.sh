#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Compiles each of our objects by itself, with W=1 and sparse: no warning may name
# one of our files
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

# What was compiled before would stay silent
(cd "$objects" && xargs -d '\n' rm -f < "$logs/objects")
# shellcheck disable=SC2046 # a list of words
logged "$logs/build.all" compile_text scripts/kernel/kbuild.sh "$objects" -k W=1 C=2 \
	$(cat "$logs/objects") < /dev/null || :

# warnings FILE: that name it
warnings() {
	grep -F "$1" "$logs/build.all" | grep -vE 'note: in included file|^ +(CC|CHECK) ' || :
}

# A kernel leaves out a sparse that is too old for it
said='W=1 and sparse are'
! grep -q 'sparse is not available or not up to date' "$logs/build.all" ||
	said='W=1, without sparse, which is too old for this kernel, is'

while read -r object; do
	source=${object%o}c
	log=$logs/build-$(echo "$object" | tr / -).log
	{
		warnings "$source"
		[ "$said" != 'W=1 and sparse are' ] || grep -q "CHECK .*/$source\$" "$logs/build.all" ||
			echo "sparse did not run"
		[ -e "$objects/$object" ] || tail -n 5 "$logs/build.all"
	} > "$log"
	point "$said silent on $source" "$log"
done < "$logs/objects"

grep 'h$' "$logs/own" > "$logs/headers"
while read -r header; do
	warnings "$header"
done < "$logs/headers" > "$logs/build-headers.log"
point "$said silent on headers" "$logs/build-headers.log"
plan
