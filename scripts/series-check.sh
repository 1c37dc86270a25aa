#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Does each patch of the series stand alone? One point for each patch: checkpatch --strict is
# silent, and what the patch leaves compiles, with no warning by W=1 that the source does not
# have. KVM and IOMMUFD are y and m; and every combination of both and the bridge, all modules,
# and arm64, at the end and where Kconfig, a makefile or an export changes.
#
# What has passed is not compiled again, so that an interrupted run goes on. PATCHES are the
# numbers of those to check, if not all.
set -eu

# shellcheck source=scripts/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"
# shellcheck source=scripts/judge/points.sh
. "$TOP/scripts/judge/points.sh"

FLAVOR=release
out=$TOP/build/series/$BASE
tree=$out/tree
logs=$LOGS/series
passed=$CACHE/series
few='y:y:y m:m:m'
all='y:m:m m:m:m m:y:m y:y:y y:y:n y:n:n all arm64'

# All of a run is about one kernel, whatever the archive gets meanwhile
if [ -z "${KERNEL_SRC-}" ]; then
	KVM_IOMMUFD_CHOICE=$("$TOP/scripts/kernel/choose.sh")
	export KVM_IOMMUFD_CHOICE
fi
need_packages bc binutils bison ccache flex gcc gcc-aarch64-linux-gnu git libc6-dev libelf-dev make patch perl \
	python3 rsync
"$TOP/scripts/series.sh" >&2
exec 7> "$out/lock"
lock 7 -x "another make series"
mkdir -p "$logs" "$passed"
rm -rf "$logs/git"
git -c advice.detachedHead=false clone -q "$out/.work/am" "$logs/git"

series() {
	git -C "$logs/git" "$@"
}

# The whole source. Hard links for the cache's, where nobody edits: rsync renames.
copy_source() {
	if [ -n "${KERNEL_SRC-}" ]; then
		source=$(readlink -f "$KERNEL_SRC")
	else
		source=$("$TOP/scripts/kernel/fetch.sh" tree "${KVM_IOMMUFD_CHOICE%% *}")
	fi
	[ "$(cat "$tree.of" 2> /dev/null)" != "$source" ] || return 0
	rm -rf "$tree" "$tree.of"
	need_space "$out" 6000 "what is compiled of the series"
	cp -al "$source" "$tree" 2> /dev/null || { rm -rf "$tree"; cp -a "$source" "$tree"; }
	echo "$source" > "$tree.of"
}

# leave COMMIT: in the tree. What stays the same keeps its time stamp.
leave() {
	rm -rf "$logs/files"
	mkdir "$logs/files"
	series archive "$1" | tar -x -C "$logs/files"
	series ls-tree -r --name-only "$tip" | while read -r file; do
		[ -e "$logs/files/$file" ] || rm -f "$tree/$file"
	done
	rsync -rcp "$logs/files/" "$tree/"
}

# key COMMIT KIND: of all that its warnings depend on
key() {
	{
		cat "$tree.of"
		series ls-tree -r "$1" -- arch drivers include virt
		echo "$2"
		cat "$TOP/configs/link.config" "$TOP/scripts/series/compile.sh"
		gcc -dumpfullversion
	} | sha256sum | cut -d ' ' -f 1
}

# Without line numbers, which patches change
warnings() {
	sed -n 's/^\([^ ]*\.[chS]\):[0-9:]* \(warning\|error\): /\1: /p' "$1" | LC_ALL=C sort -u
}

compile_text() {
	echo "series: patch $number of $total, $kind: $(grep -c '^  CC ' "$log" 2> /dev/null || :) objects"
}

# compiled COMMIT: by $kind; its warnings are in the file $result. Fails where something
# does not compile, which the source does not do anyway.
compiled() {
	result=$passed/$(key "$1" "$kind")
	[ ! -e "$result" ] || return 0
	log=$logs/$number-$(echo "$kind" | tr -d :).log
	leave "$1"
	logged "$log" compile_text "$TOP/scripts/series/compile.sh" "$tree" "$kind" || return 1
	warnings "$log" > "$result.new"
	mv "$result.new" "$result"
}

kinds() {
	if [ "$1" = "$tip" ] || series diff --name-only "$1~" "$1" -- arch drivers include virt |
		grep -qE '(^|/)(Kconfig|Makefile[^/]*)$' ||
		series diff "$1~" "$1" -- arch drivers include virt | grep -qE '^[-+](EXPORT_SYMBOL|MODULE_IMPORT_NS)'; then
		echo "$all"
	else
		echo "$few"
	fi
}

# Tracepoints have a layout of their own, as has DEFINE_FREE, and MAINTAINERS comes last
checkpatch() {
	(cd "$tree" && perl scripts/checkpatch.pl -q --strict --no-signoff --no-summary \
		--ignore OPEN_ENDED_LINE,PARENTHESIS_ALIGNMENT,SPACING,SUSPECT_CODE_INDENT \
		--ignore FILE_PATH_CHANGES,UNKNOWN_COMMIT_ID "$1") 2>&1 || :
}

stands_alone() {
	checkpatch "$(find "$out" -name "$(printf '%04d' "$number")-*.patch")"
	for kind in $(kinds "$1"); do
		if compiled "$1"; then
			comm -13 "$passed/$(key "$base" "$kind")" "$result" | sed "s/^/$kind: /"
		else
			echo "$kind does not compile"
			tail -n 12 "$log"
			echo "log: $log"
		fi
	done
}

copy_source
tip=$(series rev-parse HEAD) base=$(series rev-list --max-parents=0 HEAD)
total=$(series rev-list --count "$base..$tip")
number=0
for kind in $all; do
	compiled "$base" || failed "$log" "the source does not compile by itself: $kind"
done
for commit in $(series rev-list --reverse "$base..$tip"); do
	number=$((number + 1))
	case " ${PATCHES:-$number} " in
	*" $number "*) ;;
	*) continue ;;
	esac
	stands_alone "$commit" > "$logs/$number.bad"
	point "$number: $(series log -1 --format=%s "$commit")" "$logs/$number.bad"
done
plan
