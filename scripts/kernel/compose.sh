#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# compose.sh [check]: composes the tree that $FLAVOR of $BASE is built in: the kernel's
# source and, unless FLAVOR=base, the queue patches/$BASE and links to our files that
# mirror the kernel's tree. A file whose content does not change keeps its time stamp, so
# that a build after a changed patch makes only what depends on it. With "check" only
# tells by its exit status whether the composed tree is up to date.
set -eu

# shellcheck source=scripts/lib.sh
. "$(dirname "$(readlink -f "$0")")/../lib.sh"

tree=$(source_tree "$FLAVOR")
state=$TOP/build/$BASE/composed-$(basename "$tree")
queue=$TOP/patches/$BASE
log=$LOGS/compose-$BASE-$(basename "$tree").log

# The patches, or those of their variants, that fit the source
patches() {
	cat "$state/picked" 2> /dev/null || :
}

pick_patches() {
	: > "$state/picked"
	[ -e "$queue/series" ] || return 0
	need_packages patch
	"$TOP/dkms/pick-patches" "$queue" "$origin" > "$state/picked" 2> "$log" || {
		rm "$state/picked"
		failed "$log" "patches/$BASE do not fit $origin: mend them and run it again"
	}
}

# Where no variant is taken quilt edits the queue's own list
series() {
	if sed 's/#.*//' "$queue/series" | awk 'NF { print $1 }' | cmp -s - "$state/picked"; then
		echo "$queue/series"
	else
		echo "$state/picked"
	fi
}

patched_files() {
	patches | while read -r patch; do
		sed -n 's/^\(---\|+++\) [^/[:blank:]]\+\/\([^[:blank:]]*\).*/\2/p' "$queue/$patch"
	done | sort -u
}

kernel_source() {
	if [ -z "${KERNEL_SRC-}" ]; then
		choice=$("$TOP/scripts/kernel/choose.sh")
		"$TOP/scripts/kernel/fetch.sh" tree "${choice%% *}"
		return
	fi
	[ -f "$KERNEL_SRC/virt/kvm/kvm_main.c" ] ||
		die "KERNEL_SRC=$KERNEL_SRC is not a kernel source tree"
	version=$(sed -n 's/^\(VERSION\|PATCHLEVEL\) = *//p' "$KERNEL_SRC/Makefile" | paste -sd .)
	[ "$version" = "$BASE" ] ||
		die "KERNEL_SRC=$KERNEL_SRC is Linux $version: give a tree of $BASE, or BASE=$version"
	[ -z "$(find "$KERNEL_SRC/.config" "$KERNEL_SRC/include/config" -prune 2> /dev/null)" ] ||
		die "KERNEL_SRC=$KERNEL_SRC was built in place: run make mrproper there"
	readlink -f "$KERNEL_SRC"
}

# Hard links for the cache's tree, which nobody edits
copy_source() {
	if ! copied; then
		edited=$(edited_files "$(cat "$state/origin" 2> /dev/null || :)")
		[ -z "$edited" ] || die "$tree is from another source and has edits that are in no patch: $edited" \
			"(quilt refresh or quilt revert there and compose it once more as it was, or remove it)"
		rm -rf "$state" "$tree" "$tree.partial"
		mkdir -p "$state"
		if [ -z "${KERNEL_SRC-}" ]; then
			cp -al "$origin" "$tree.partial" 2> "$log" || {
				rm -rf "$tree.partial"
				need_space "$TOP/build" 2000 "a copy of Linux $BASE"
				cp -a "$origin" "$tree.partial" 2> "$log" || failed "$log" "$origin cannot be copied"
			}
			mv "$tree.partial" "$tree"
		fi
	fi
	if [ -n "${KERNEL_SRC-}" ]; then
		{
			printf '/%s\n' .git .pc 'obj-*'
			[ "$FLAVOR" = base ] || { kernel_files; patched_files; applied_files; } | sed 's,^,/,'
		} > "$state/exclude"
		rsync -a --delete --exclude-from="$state/exclude" "$origin/" "$tree/" > "$log" 2>&1 ||
			failed "$log" "$origin cannot be copied"
	fi
	echo "$origin" > "$state/origin"
}

link_kernel_files() {
	kernel_files > "$state/links.new"
	touch "$state/links"
	comm -23 "$state/links" "$state/links.new" | while read -r file; do
		[ ! -L "$tree/$file" ] || rm "$tree/$file"
	done
	while read -r file; do
		[ ! -L "$tree/$file" ] || continue
		[ ! -e "$tree/$file" ] ||
			die "$file is a file of Linux $BASE: change it by a patch in patches/$BASE"
		mkdir -p "$(dirname "$tree/$file")"
		ln -sr "$TOP/$file" "$tree/$file"
	done < "$state/links.new"
	mv "$state/links.new" "$state/links"
}

# All that the patched files' content depends on
queue_state() {
	patches
	cat "$queue/series" "$queue"/*.patch 2> /dev/null | sha256sum
	patched_files | (cd "$origin" && xargs -r sha256sum)
}

# Files that the queue changes, as applied or by what quilt was told since
applied_files() {
	[ ! -d "$state/applied" ] || (cd "$state/applied" && find . -path ./.pc -prune -o -type f -printf '%P\n')
	[ ! -d "$tree/.pc" ] || (cd "$tree/.pc" && find . -mindepth 2 -type f ! -name .timestamp -printf '%P\n') |
		sed 's,^[^/]*/,,'
}

# by_queue applied|new FILE [SOURCE]: what FILE of the tree is by that state of the queue
by_queue() {
	if [ -e "$state/$1/$2" ]; then
		echo "$state/$1/$2"
	else
		echo "${3:-$origin}/$2"
	fi
}

# edited_files SOURCE: edits made in the tree composed from SOURCE that are not
# yet in a patch are somebody's work
edited_files() {
	applied_files | sort -u | while read -r file; do
		[ -e "$tree/$file" ] || continue
		for content in "$1/$file" "$(by_queue applied "$file" "$1")" "$(by_queue new "$file" "$1")"; do
			! cmp -s "$tree/$file" "$content" || continue 2
		done
		echo "$file"
	done | paste -sd ' '
}

copied() {
	[ -d "$tree" ] && [ "$(cat "$state/origin" 2> /dev/null)" = "$origin" ]
}

queue_applied() {
	queue_state 2> /dev/null | cmp -s - "$state/queue" || return 1
	[ -z "$(patches)" ] || patches | cmp -s - "$tree/.pc/applied-patches"
}

composed() {
	[ -z "${KERNEL_SRC-}" ] && copied || return 1
	[ "$FLAVOR" = base ] || { kernel_files | cmp -s - "$state/links" && queue_applied; }
}

apply_queue() {
	! queue_applied || return 0
	rm -rf "$state/new"
	mkdir -p "$state/new"
	pick_patches
	queue_state > "$state/queue.new" 2> "$log" ||
		failed "$log" "patches/$BASE changes a file that this Linux $BASE does not have"

	patched_files | (cd "$origin" && xargs -r cp -p --parents -t "$state/new")
	if [ -n "$(patches)" ]; then
		(cd "$state/new" && QUILT_PATCHES=$queue QUILT_SERIES=$(series) quilt --quiltrc - push -a --fuzz=0) > "$log" 2>&1 ||
			failed "$log" "$(sed -n 's/^Patch \(.*\) does not apply.*/\1/p' "$log") does not apply to" \
				"Linux $BASE: mend it in $queue and run it again"
	fi
	edited=$(edited_files "$origin")
	[ -z "$edited" ] ||
		die "patches/$BASE changed, and $tree has edits that are in no patch: $edited" \
			"(quilt push -a, then quilt refresh or quilt revert there)"

	{ applied_files; patched_files; } | sort -u | while read -r file; do
		content=$(by_queue new "$file")
		cmp -s "$content" "$tree/$file" && continue
		# By a rename: the old file may be a link to the cache's
		cp "$content" "$tree/$file.new"
		mv "$tree/$file.new" "$tree/$file"
	done
	rm -rf "$tree/.pc"
	[ ! -d "$state/new/.pc" ] || mv "$state/new/.pc" "$tree/.pc"
	rm -rf "$state/applied"
	mv "$state/new" "$state/applied"
	mv "$state/queue.new" "$state/queue"
}

mkdir -p "$LOGS" "$state"
origin=$(kernel_source)
if composed; then
	edited=$(edited_files "$origin")
	[ -z "$edited" ] || echo "note: $tree has edits that are in no patch yet: $edited" >&2
	exit 0
fi
[ "${1-}" != check ] || exit 1
copy_source
[ "$FLAVOR" != base ] || exit 0
link_kernel_files
apply_queue
