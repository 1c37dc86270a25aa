#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Makes patches for a maintainer of all that is here, in build/series/$BASE: of the queue and
# our files, as series/$BASE splits them (series/README.md). Applies them by git am to a tree
# that has only the files that they change, and compares it with the sum. KVM_UNIT_TESTS is the
# source of kvm-unit-tests, if the patches for it are to be tried as well.
set -eu

# shellcheck source=scripts/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

: "${SERIES:=$TOP/series/$BASE}" "${OUT:=$TOP/build/series/$BASE}"
queue=$TOP/patches/$BASE
work=$OUT/.work
log=$LOGS/series-$BASE.log

# Who submits the series signs it off and sends it by git send-email, which asks who that is
export GIT_AUTHOR_NAME='kvm-iommufd maintainers' GIT_AUTHOR_EMAIL=kvm-iommufd@localhost
export GIT_COMMITTER_NAME="$GIT_AUTHOR_NAME" GIT_COMMITTER_EMAIL="$GIT_AUTHOR_EMAIL"
export GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE

commit() {
	git add -A -f .
	GIT_AUTHOR_DATE=$1 GIT_COMMITTER_DATE=$1 git commit -q --no-verify -F "$2"
}

# The same commit for the same source, wherever it is made
commit_base() {
	(cd "$work/states" && find . -path './[0-9]*/*' -type f) | cut -d / -f 3- | sort -u |
		while read -r file; do
			[ ! -e "$source/$file" ] || echo "$file"
		done > "$work/changed"
	(cd "$source" && xargs cp --parents -t "$work/git") < "$work/changed"
	echo "Linux $version: what the series changes" > "$work/message"
	commit '2000-01-01T00:00:00Z' "$work/message"
}

# A test report, of what make test has left in build/log. What was tested before a file
# changed says nothing about it.
report() {
	echo "Units of make test and make test-all: points that passed, failed, were skipped"
	newest=$(cd "$TOP" && { kernel_files; find "patches/$BASE" scripts -type f; } |
		xargs -d '\n' stat -c %Y | sort -n | tail -n 1)
	for unit in "$TOP"/scripts/test.d/*.sh "$TOP"/scripts/test-all.d/*.sh; do
		unit=$(basename "$unit" .sh)
		tap=$LOGS/test-$unit.tap
		if [ ! -e "$tap" ]; then
			echo "  $unit: not run"
		elif [ "$(stat -c %Y "$tap")" -lt "$newest" ]; then
			echo "  $unit: not run since a file has changed"
		else
			awk -v unit="$unit" '
				/^ok .*# [Ss][Kk][Ii][Pp]/ { skipped++; next }
				/^ok / { passed++ }
				/^not ok / { failed++ }
				END { printf "  %s: %d, %d, %d\n", unit, passed, failed, skipped }' "$tap"
		fi
	done
}

if [ -n "${KERNEL_SRC-}" ]; then
	source=$(readlink -f "$KERNEL_SRC")
	[ -f "$source/virt/kvm/kvm_main.c" ] || die "KERNEL_SRC=$KERNEL_SRC is not a kernel source tree"
	version=$(sed -n 's/^\(VERSION\|PATCHLEVEL\|SUBLEVEL\) = *//p' "$source/Makefile" | paste -sd .)
else
	choice=$("$TOP/scripts/kernel/choose.sh")
	version=${choice% *}
	source=$("$TOP/scripts/kernel/fetch.sh" parts "$version")
fi
[ -e "$SERIES/series" ] || die "there is no $SERIES/series: nobody has split the queue for Linux $BASE"
need_packages git patch python3
mkdir -p "$OUT" "$LOGS"
exec 7> "$OUT/lock"
lock 7 -x "another make series"
rm -rf "$work" "$OUT"/*.patch
mkdir -p "$work/git" "$work/am"

"$TOP/dkms/pick-patches" "$queue" "$source" > "$work/picked" 2> "$log" ||
	failed "$log" "patches/$BASE do not fit $source: mend them and run it again"
kernel_files > "$work/own"
(cd "$TOP" && PYTHONDONTWRITEBYTECODE=1 python3 scripts/series/split.py "$SERIES" "$queue" "$work/picked" \
	"$source" "$work/own" "$work/states") > "$log" 2>&1 || failed "$log" "$SERIES does not fit the tree"

cd "$work/git"
git init -q -b series
commit_base
base=$(git rev-parse HEAD)
now=$(date -u +%FT%TZ)
for state in "$work"/states/*.message; do
	cp -rT "${state%.message}" .
	commit "$now" "$state"
done
git config branch.series.description "$(sed 's/^Subject: //' "$SERIES/cover-letter")"
git format-patch -q --cover-letter --cover-from-description=subject --base="$base" --no-signature --zero-commit \
	-o "$OUT" "$base"
report > "$OUT/test-report"

# Where the source is a git tree its commit is what the series is based on
if commit=$(git -C "$source" rev-parse --verify -q HEAD 2> /dev/null) &&
	[ "$(git -C "$source" rev-parse --show-toplevel)" = "$source" ]; then
	sed -i "s/^base-commit: .*/base-commit: $commit/" "$OUT/0000-cover-letter.patch"
	[ -z "$(git -C "$source" status --porcelain -uno)" ] || die "$source has changes that are in no commit"
fi
sed -i -e "s/@VERSION@/$version/" -e "/^@TEST-REPORT@$/{r $OUT/test-report
d}" "$OUT/0000-cover-letter.patch"

# What a maintainer does, and what comes of it
cd "$work/am"
git init -q
git pull -q "$work/git" series:base
git checkout -q "$base"
set -- "$OUT"/0*.patch
shift
git am -q "$@" > "$log" 2>&1 || failed "$log" "git am does not take the series"
[ "$(git rev-parse 'HEAD^{tree}')" = "$(git -C "$work/git" rev-parse 'HEAD^{tree}')" ] ||
	die "git am has made another tree than the series"
echo "$OUT: $# patches on Linux $version"
[ -z "${KVM_UNIT_TESTS-}" ] || "$TOP/scripts/series/kvm-unit-tests.sh" "$KVM_UNIT_TESTS"
