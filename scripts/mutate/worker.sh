#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# One of mutate.sh's workers: takes items from the queue until there are none left, and
# tries them in a copy of the tree with a build of its own.
#
# worker.sh NUMBER KEY    KEY is the tree_key() of the tree to copy
set -eu

# shellcheck source=scripts/lib.sh
. "$(dirname "$(readlink -f "$0")")/../lib.sh"
# shellcheck source=scripts/mutate/lib.sh
. "$TOP/scripts/mutate/lib.sh"

mine=$work/$1 key=$2
copy=$mine/tree
applied=$mine/applied.patch
log=$mine/log.txt
machine_point=': the machine ran to its end and the kernel did not complain$'

# in_copy WHAT COMMAND...: shows what is done, and adds to $log what it prints
in_copy() {
	doing=$1 began=$(date +%s)
	shift
	in_copy_status=0
	logged "$mine/output" in_copy_text env TOP="$copy" FLAVORS=release FLAVOR=release \
		ONLY="$only" UNIT_TIMEOUT=1200 boot_quiet=120 "$@" || in_copy_status=$?
	cat "$mine/output" >> "$log"
	echo "$doing: $(($(date +%s) - began)) s" >> "$log"
	return "$in_copy_status"
}

in_copy_text() {
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

# unique FILE: does the diff in it, which fits, do so in one place only?
unique() {
	unique_not=$(awk -f "$TOP/scripts/mutate/places.awk" "$change_in/$change_of" "$1")
	[ -z "$unique_not" ] || echo "$1: $unique_not"
	[ -z "$unique_not" ]
}

# apply NAME: the first of its diffs that fits
apply() {
	for diff in $(diffs "$1"); do
		change "$diff" --dry-run || continue
		unique "$diff" || return 1
		cp "$diff" "$applied"
		change "$applied"
		return
	done
	return 1
}

# Also what an interrupted run has left
undo() {
	[ -e "$applied" ] || return 0
	change "$applied" -R || :
	rm "$applied"
}

# The new time of what is copied makes make see it. Mutations of the kernel are of the tree that
# is composed with this queue.
refresh() {
	mkdir -p "$copy" "$mine/logs"
	undo > "$log" 2>&1
	rsync -rlp --checksum --delete --exclude=/build --exclude=/.git "$TOP/" "$copy/"
	[ "$(tree_key "$copy")" = "$key" ] || die "the tree was edited meanwhile: run it again"
	in_copy 'composing the kernel' "$copy/scripts/kernel.sh" compose ||
		failed "$log" "the kernel's tree cannot be composed"
}

build() {
	only=''
	in_copy "$1: kernel" "$copy/scripts/kernel.sh"
}

# failed_points: a machine's own point last: a program's says more
failed_points() {
	sed -n 's/^not ok [0-9]* - //p' "$mine/output" | grep -v "$machine_point" || :
	sed -n 's/^not ok [0-9]* - //p' "$mine/output" | grep "$machine_point"
}

# notices WORD: leaves in $point the first point of WORD's that failed; fails if there is
# none, with a $why if that says nothing about the mutation
notices() {
	unit=${1%%:*} only='' why=''
	[ "$unit" = "$1" ] || only=${1#*:}
	! in_copy "$item: $1" "$copy/scripts/test.sh" "$unit" || return 1
	point=$(failed_points | head -n 1)
	case $point in
	'' | *': exited with status '* | *': printed no plan')
		why="$1 did not run: ${point:-it was stopped}"
		return 1
		;;
	esac
	if [ -n "$only" ] && grep -q "^not ok .*/$only.*: never ran$" "$mine/output"; then
		why='DOES NOT BOOT'
		return 1
	fi
}

# try NAME: leaves in $verdict who noticed, and in $result caught, elsewhere or missed
try() {
	result=missed verdict='DOES NOT APPLY'
	apply "$1" >> "$log" 2>&1 || return 0
	verdict='DOES NOT BUILD'
	build "$1" || return 0
	for word in $(noticers "$1"); do
		if notices "$word"; then
			result=caught verdict="$word: ${point#*: }"
			return
		fi
		verdict=$why
		[ -z "$why" ] || return 0
	done
	verdict='NOT CAUGHT'
	[ -n "$(meant "$1")" ] || return 0
	for word in $everybody; do
		notices "$word" || continue
		result=elsewhere verdict="NOT BY $(meant "$1"), BUT BY $word: ${point#*: }"
		return
	done
}

# prove WORD: who fails without a mutation catches nothing
prove() {
	result=missed verdict="the kernel does not build without a mutation"
	build 'no mutation' || return 0
	if notices "$1"; then
		verdict="$1 fails without a mutation: $point"
	elif [ -n "$why" ]; then
		verdict=$why
	else
		result=caught verdict="$1 passes without a mutation"
	fi
}

# Is another worker about to prove a word?
proving() {
	for proof in "$work"/[0-9]*/item.1-*; do
		[ -e "$proof" ] && return 0
	done
	return 1
}

# Leaves in $item what nobody else has taken. Words come first, and before all of them are
# proved no mutation is tried.
take() {
	for item in "$work/queue"/*; do
		[ -e "$item" ] || return 1
		item=${item##*/}
		case $item in 2-*)
			while proving; do
				sleep 1
			done
			;;
		esac
		! mv "$work/queue/$item" "$mine/item.$item" 2> /dev/null || return 0
	done
	return 1
}

trap 'undo; rm -f "$mine"/item.*' EXIT
item=start only=''
refresh
while take; do
	log=$mine/logs/${item#*-}.txt
	: > "$log"
	started=$(date +%s)
	case $item in
	1-*) prove "${item#1-}" ;;
	2-*) try "${item#2-}" ;;
	esac
	undo >> "$log" 2>&1
	printf '%s\n' "$result" "$verdict" $(($(date +%s) - started)) "$log" > "$mine/verdict"
	mv "$mine/verdict" "$(verdict_of "$key" "$item")"
	rm "$mine/item.$item"
done
