#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# The series for maintainers is the composed tree, byte for byte, and a description that says
# less, or more, or something else than the tree is refused.
set -eu

# shellcheck source=scripts/lib.sh
. "${0%/*}/../lib.sh"
# shellcheck source=scripts/judge/points.sh
. "$TOP/scripts/judge/points.sh"

need_packages gcc git libc6-dev patch python3
work=$TOP/build/$BASE/test/series
out=$TOP/build/series/$BASE
rm -rf "$work"
mkdir -p "$work"

make_series() {
	"$TOP/scripts/series.sh" > "$work/said" 2>&1 || cat "$work/said"
}
silent "git am takes the series" "$work/log" make_series

# The composed tree against what git am has made of what the source has of it
composed() {
	FLAVOR=release "$TOP/scripts/kernel.sh" compose > "$work/said" 2>&1 || cat "$work/said"
	tree=$(source_tree release)
	kernel_files > "$work/own"
	sed -n 's,^+++ b/\([^[:blank:]]*\).*,\1,p' "$TOP/patches/$BASE"/*.patch > "$work/patched"
	sort -u "$work/own" "$work/patched" > "$work/files"
	(cd "$out/.work/am" && git ls-files -c) | sort | diff "$work/files" -
	while read -r file; do
		cmp "$tree/$file" "$out/.work/am/$file" || :
	done < "$work/files"
}
silent "what it leaves is the composed tree, byte for byte" "$work/log" composed

messages() {
	(cd "$out/.work/am" && git log --reverse --format='commit %s%n%b' "$(git rev-list --max-parents=0 HEAD)..HEAD") | awk '
		/^commit / {
			if (subject != "" && !lines)
				print "does not say why: " subject
			subject = substr($0, 8)
			lines = 0
			if (length(subject) > 75)
				print "too long: " subject
			if (subject !~ /^[A-Za-z0-9\/ -]+: /)
				print "of which subsystem? " subject
			next
		}
		/^Fixes: / {
			if ($0 !~ /^Fixes: [0-9a-f]+ \(".*"\)$/ || length($2) != 12)
				print "not as it has to be: " $0
			next
		}
		NF { lines++ }
		length($0) > 75 { print "too long: " $0 }
		/^(Signed-off-by|New-file):/ { print "not in a series: " $0 }
		END {
			if (!lines)
				print "does not say why: " subject
		}'
}
silent "each patch says what and why, in lines of 75 characters" "$work/log" messages

cover_letter() {
	letter=$out/0000-cover-letter.patch
	for line in '^Subject: \[PATCH 00/[0-9]*\] ' '^base-commit: [0-9a-f]\{40\}$' \
		'^ [0-9]* files changed, ' '^Units of make test'; do
		grep -q "$line" "$letter" || echo "has no line $line"
	done
	grep -n -e '\*\*\*' -e '@[A-Z-]*@' "$letter" || :
	patches=$(find "$out" -name '0*.patch' ! -name '0000-*' | wc -l)
	grep -q "^Subject: \[PATCH 00/$patches\]" "$letter" || echo "there are $patches patches"
}
silent "the cover letter has a base, a diffstat and a test report" "$work/log" cover_letter

silent "the constants for syzkaller are those of the headers" "$work/log" \
	"$TOP/scripts/series/syzkaller-consts.sh" "$(source_tree release)"

# A queue of one patch and one file of ours, of which two functions enter one after the other
mkdir -p "$work/split/tree/virt" "$work/split/queue" "$work/split/source" "$work/split/series"
printf 'one\n\ntwo\n\nthree\n' > "$work/split/source/file.c"
cat > "$work/split/queue/0001-change.patch" << 'END'
Subject: [PATCH] change
---
--- a/file.c
+++ b/file.c
@@ -1,2 +1,3 @@
 one
+first
 
@@ -5,1 +6,2 @@
 three
+last
END
echo 0001-change.patch > "$work/split/picked"
echo virt/new.c > "$work/split/own"
cat > "$work/split/tree/virt/new.c" << 'END'
/* of the first */
static int first(void)
{
	return 1;
}

int last(void)
{
	return first() +
	       1;
}
END
printf '%s\n' one two > "$work/split/series/series"
printf '%s\n' 'Subject: one' --- 'hunks 0001 file.c first' 'new virt/*.c' > "$work/split/series/one"
cat > "$work/split/series/two" << 'END'
Subject: two
---
queue 0001
part virt/new.c
definition first
@@ last
-	return 1;
+	return first() +
+	       1;
END

split() {
	rm -rf "$work/split/out"
	(cd "$work/split/tree" && PYTHONDONTWRITEBYTECODE=1 python3 "$TOP/scripts/series/split.py" "$1" \
		"$work/split/queue" "$work/split/picked" "$work/split/source" "$work/split/own" "$work/split/out")
}

parts() {
	split "$work/split/series"
	printf 'one\nfirst\n\ntwo\n\nthree\n' | diff - "$work/split/out/0001/file.c"
	printf 'one\nfirst\n\ntwo\n\nthree\nlast\n' | diff - "$work/split/out/0002/file.c"
	printf 'int last(void)\n{\n\treturn 1;\n}\n' | diff - "$work/split/out/0001/virt/new.c"
	diff "$work/split/tree/virt/new.c" "$work/split/out/0002/virt/new.c"
}
silent "hunks, definitions and lines enter where the description says" "$work/log" parts

# refused FILE SED MESSAGE: complains unless a description that sed has changed is refused
refused() {
	rm -rf "$work/split/bad"
	cp -r "$work/split/series" "$work/split/bad"
	sed -i "$2" "$work/split/bad/$1"
	! split "$work/split/bad" > "$work/split/said" 2>&1 || echo "it is taken"
	grep -qF "$3" "$work/split/said" || cat "$work/split/said"
}
silent "a file that no patch has is refused" "$work/log" refused one '/^new/d' 'has virt/new.c'
silent "a hunk that no patch has is refused" "$work/log" refused two '/^queue/d' 'has this hunk of 0001'
silent "a hunk that two patches have is refused" "$work/log" refused two 's/^queue.*/&\nhunks 0001 file.c first/' \
	'another patch has this'
silent "lines that the tree does not have are refused" "$work/log" refused two 's/^+	return first/+	return second/' \
	'0 places have these lines'
silent "a definition that the tree does not have is refused" "$work/log" refused two 's/^definition first/&_of_all/' \
	'no definition of first_of_all'
plan
