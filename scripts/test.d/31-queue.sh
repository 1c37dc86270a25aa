#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# How the queue is fitted to a source: variants by content, a report where nothing fits,
# and no module tree from a source that is not exactly the kernel's. Mutations of our files fit
# in one place.
set -eu

# shellcheck source=scripts/lib.sh
. "${0%/*}/../lib.sh"
# shellcheck source=scripts/judge/points.sh
. "$TOP/scripts/judge/points.sh"

need_packages patch
work=$TOP/build/$BASE/test/queue
rm -rf "$work"
mkdir -p "$work/queue" "$work/new" "$work/old" "$work/other" "$work/bad"

source_of() {
	printf 'int first;\n\n%s\n\nint last;\n' "$2" > "$work/$1/file.c"
}

diff_of() {
	source_of bad "$3"
	diff -U1 --label a/file.c --label b/file.c "$work/$2/file.c" "$work/bad/file.c" > "$work/queue/$1" || :
}

# picks SOURCE NAME: complains unless that patch is the one
picks() {
	"$TOP/dkms/pick-patches" "$work/queue" "$work/$1" > "$work/picked"
	[ "$(cat "$work/picked")" = "$2" ] || echo "picked $(cat "$work/picked"), not $2"
}

misfit() {
	! "$TOP/dkms/pick-patches" "$work/queue" "$work/other" > "$work/picked" 2> "$work/report" ||
		echo "a patch that does not fit is taken"
	for line in 'change.patch does not fit:' 'file.c:3: this source has' '  | attach(idev, pasid, flags);' \
		'where the patch expects' '  | attach(idev, pasid);' '  | hook(attach(idev, pasid));'; do
		grep -qxF -- "$line" "$work/report" || echo "the report does not say: $line"
	done
}

source_of new 'attach(idev, pasid);'
source_of old 'attach(idev);'
source_of other 'attach(idev, pasid, flags);'
echo change.patch > "$work/queue/series"
diff_of change.patch new 'hook(attach(idev, pasid));'
diff_of change.no-pasid.patch old 'hook(attach(idev));'

silent "the patch is taken where it fits" "$work/log" picks new change.patch
silent "its variant is taken where that fits" "$work/log" picks old change.no-pasid.patch
silent "where neither fits the report has the hunk and what its context became" "$work/log" misfit

# The second patch is of a document, and nothing else
mkdir -p "$work/documented/Documentation" "$work/bad/Documentation"
cp "$work/new/file.c" "$work/documented/"
echo old > "$work/documented/Documentation/file.rst"
echo new > "$work/bad/Documentation/file.rst"
(cd "$work" && diff -U1 --label a/Documentation/file.rst --label b/Documentation/file.rst \
	documented/Documentation/file.rst bad/Documentation/file.rst) > "$work/queue/document.patch" || :
printf '%s\n' change.patch document.patch > "$work/queue/series"
silent "a patch of a document is taken where the source has the document" "$work/log" \
	picks documented 'change.patch
document.patch'
silent "and left out where it has no documents" "$work/log" picks new change.patch

choice=$("$TOP/scripts/kernel/choose.sh")
version=${choice% *} release=${choice#* }
parts=$("$TOP/scripts/kernel/fetch.sh" parts "$version")
stock=$("$TOP/scripts/kernel/fetch.sh" stock "$version" "$release")
headers=$stock/usr/src/linux-headers-$release

# refused FILE: complains unless a source whose FILE differs makes no tree
refused() {
	cp -r "$parts" "$work/source"
	echo '# of another version' >> "$work/source/$1"
	! "$TOP/dkms/compose" "$work/source" "$headers" "$work/tree" > "$work/said" 2>&1 || echo "it is composed"
	grep -q "is not the source that .* are from ($1 differs)" "$work/said" || cat "$work/said"
	[ ! -e "$work/tree" ] || echo "a tree is left"
	rm -rf "$work/source"
}

unpatched() {
	"$TOP/dkms/compose" -b "$parts" "$headers" "$work/tree"
	for file in virt/kvm/iommufd drivers/iommu/iommufd/coherency.c include; do
		[ ! -e "$work/tree/$file" ] || echo "the unpatched tree has $file"
	done
	cmp "$parts/arch/x86/kvm/x86.c" "$work/tree/arch/x86/kvm/x86.c"
}

silent "the source of another version is refused" "$work/log" refused Makefile
silent "a header that differs from the kernel's is refused" "$work/log" refused include/linux/vfio.h
silent "the unpatched module tree has nothing of ours" "$work/log" unpatched

mutations() {
	for diff in "$TOP"/tools/testing/mutations/*.patch; do
		file=$(sed -n 's,^+++ [^/]*/\([^[:blank:]]*\).*,\1,p' "$diff")
		[ -e "$TOP/$file" ] || continue
		patch -d "$TOP" -p1 -f -s --fuzz=0 --dry-run < "$diff"
		awk -f "$TOP/scripts/mutate/places.awk" "$TOP/$file" "$diff" | sed "s|^|${diff##*/}: |"
	done
}

mkdir "$work/places"
printf '%s\n' 'if (a)' '	goto out;' 'if (b)' '	goto out;' > "$work/places/file.c"
printf '%s\n' '@@ -4,1 +4,2 @@' ' 	goto out;' '+	again();' > "$work/places/several.diff"
printf '%s\n' '@@ -3,2 +3,3 @@' ' if (b)' ' 	goto out;' '+	again();' > "$work/places/one.diff"

places() {
	said=$(awk -f "$TOP/scripts/mutate/places.awk" "$work/places/file.c" "$work/places/$1.diff")
	[ "$said" = "$2" ] || echo "it says: $said"
}

silent "a diff that fits in two places is noticed" "$work/log" places several '@@ -4,1 +4,2 @@ fits in 2 places'
silent "one that fits in one is not" "$work/log" places one ''
silent "each mutation of our files fits in one place" "$work/log" mutations
plan
