#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Breaks the kernel code on purpose, one mutation of tools/testing/mutations at a
# time, and lets test units find that out.
#
# mutate.sh [NAME...]    a mutation is named without directory, with or without .patch
#
# A mutation begins with "# " and what it breaks, perhaps has "# units: NN-name ..."
# as its second line, which are run in that order until one fails, and is a diff
# of files here or of files of the kernel. Units test the release kernel alone.
# Everything is done in a copy, build/mutate/tree, which has a build of its own.
set -eu

scripts=$(dirname "$(readlink -f "$0")")
# shellcheck source=scripts/lib.sh
. "$scripts/lib.sh"

mutations=$TOP/tools/testing/mutations
work=$TOP/build/mutate
copy=$work/tree
table=$work/table.txt
applied=$work/applied.patch
default='41-mock 50-vtd 60-x86 63-bochs'

title() {
	sed -n '1s/^# *//p' "$mutations/$1.patch"
}

units() {
	units_named=$(sed -n '2s/^# units: *//p' "$mutations/$1.patch")
	echo "${units_named:-$default}"
}

# in_copy WHAT COMMAND...: shows what is done, and leaves in $log what it prints
in_copy() {
	doing=$1 began=$(date +%s)
	shift
	logged "$log" in_copy_text env TOP="$copy" FLAVORS=release FLAVOR=release UNIT_TIMEOUT=1200 "$@"
}

# The first point that fails is enough: the rest of the unit is not waited for
in_copy_text() {
	! grep -qs '^not ok' "$copy"/build/log/test-*.tap || kill -s TERM -- "-$logged_pid"
	echo "$doing: $(($(date +%s) - began)) s"
}

# change FILE WORD...: patches the copy, or the kernel that it composes where the
# diff in FILE is of that
change() {
	change_by=$1
	shift
	change_of=$(sed -n 's,^+++ [^/]*/\([^[:blank:]]*\).*,\1,p' "$change_by" | head -n 1)
	change_in=$copy
	[ -e "$copy/$change_of" ] || change_in=$copy/build/$BASE/src
	patch -p1 -s -F0 -r - --no-backup-if-mismatch -d "$change_in" "$@" < "$change_by"
}

apply() {
	change "$1" --dry-run || return 1
	cp "$1" "$applied"
	change "$applied"
}

# Also what an interrupted run has left
undo() {
	[ -e "$applied" ] || return 0
	change "$applied" -R || :
	rm "$applied"
}

# The new time of what is copied makes make see it
refresh() {
	mkdir -p "$copy"
	undo > "$log" 2>&1
	rsync -rlp --checksum --delete --exclude=/build --exclude=/.git "$TOP/" "$copy/"
}

build() {
	in_copy "$1: kernel" "$copy/scripts/kernel.sh"
}

# Who fails without a mutation catches nothing
prove_units() {
	prove_units=$(for name; do units "$name"; done | tr ' ' '\n' | sort -u)
	log=$LOGS/mutate.log
	build 'no mutation' || failed "$log" "the kernel does not build without a mutation"
	# shellcheck disable=SC2086 # a list of words
	in_copy 'no mutation: tests' "$copy/scripts/test.sh" $prove_units ||
		failed "$log" "tests fail without a mutation"
}

# try NAME: leaves in $verdict the first point that failed, or why none could;
# fails unless one did
try() {
	log=$LOGS/mutate-$1.log
	verdict='DOES NOT APPLY'
	apply "$mutations/$1.patch" > "$log" 2>&1 || return 1
	verdict='DOES NOT BUILD'
	build "mutation $number of $total, $1" || return 1
	for unit in $(units "$1"); do
		! in_copy "mutation $number of $total, $1: $unit" "$copy/scripts/test.sh" "$unit" || continue
		verdict=$(sed -n 's/^not ok [0-9]* - //p' "$log" | head -n 1)
		[ -z "$verdict" ] || return 0
		verdict='TESTS STOPPED BY SOMEBODY'
		return 1
	done
	verdict='NOT CAUGHT'
	return 1
}

# row NAME WHAT CAUGHT
row() {
	printf '%s | %s | %s\n' "$@" | tee -a "$table"
}

if [ $# = 0 ]; then
	set -- "$mutations"/*.patch
fi
for name; do
	shift
	name=$(basename "$name" .patch)
	[ -e "$mutations/$name.patch" ] || die "there is no mutation $name: see $mutations"
	set -- "$@" "$name"
done

need_packages patch rsync
mkdir -p "$work" "$LOGS"
exec 7> "$work/lock"
lock 7 -x "another make mutate"
log=$LOGS/mutate.log
trap undo EXIT
refresh
prove_units "$@"

number=0 total=$# caught=0
: > "$table"
row mutation 'what it breaks' 'caught by'
for name; do
	number=$((number + 1))
	if try "$name"; then caught=$((caught + 1)); fi
	undo
	row "$name" "$(title "$name")" "$verdict"
done
echo "$caught of $# mutations caught" | tee -a "$table"
[ "$caught" = $# ]
