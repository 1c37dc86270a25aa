#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Line and branch coverage of our kernel files in the release kernel, by the test units
# that boot it.
#
# coverage.sh [UNIT...]
#
# Each machine prints its counts at the end of its output, see scripts/machine/init.sh.
# They are added up, and gcov evaluates them. What no test reaches is printed with the
# reason that tools/testing/coverage/unreached.txt has for it.
set -eu

scripts=$(dirname "$(readlink -f "$0")")
# shellcheck source=scripts/lib.sh
. "$scripts/lib.sh"

work=$TOP/build/coverage
log=$LOGS/coverage.log
reasons=$TOP/tools/testing/coverage/unreached.txt

[ $# -gt 0 ] || set -- 41-mock 50-vtd 60-x86 63-bochs 70-kvm-vfio-costs 71-ownership

units_text() {
	echo "coverage: $(tail -n 1 "$log" | tail -c 100)"
}

# counts CONSOLE DIR: the counts of one machine, under the names of their objects
counts() {
	mkdir -p "$2/packed"
	tr -d '\r' < "$1" | sed -n 's/^gcov: //p' | busybox xxd -r -p | tar -xz -C "$2/packed"
	for packed in "$2"/packed/*.gcda; do
		name=$(basename "$packed" | tr '#' /)
		name=$2/counts/${name##*/obj-coverage/}
		mkdir -p "$(dirname "$name")"
		mv "$packed" "$name"
	done
	rm -r "$2/packed"
}

need_packages gcc python3 busybox-static
mkdir -p "$work" "$LOGS"
exec 7> "$work/lock"
lock 7 -x "another make coverage"
rm -rf "$work/counts" "$work/machines"
mkdir -p "$work/machines"
touch "$work/began"

failed=0
logged "$log" units_text env COVERAGE=1 FLAVORS=release "$scripts/test.sh" "$@" || failed=1
tail -n 1 "$log"

find "$TOP/build/$BASE/test" -name output.log ! -path '*/judged/*' -newer "$work/began" \
	-exec grep -al '^gcov: ' {} + | sort > "$work/outputs"
[ -s "$work/outputs" ] || failed "$log" "no machine handed out what it counted"
while read -r output; do
	machine=$(dirname "${output#"$TOP/build/$BASE/test/"}")
	machine=$work/machines/$(echo "$machine" | tr / -)
	counts "$output" "$machine"
	if [ -d "$work/counts" ]; then
		gcov-tool merge -o "$work/merged" "$work/counts" "$machine/counts" >> "$log" 2>&1 ||
			failed "$log" "the counts of $output do not fit those before"
		rm -r "$work/counts"
		mv "$work/merged" "$work/counts"
	else
		cp -R "$machine/counts" "$work/counts"
	fi
done < "$work/outputs"

# Counts and notes side by side, which is where gcov looks
objects=$(COVERAGE=1 object_tree release)
(cd "$work/counts" && find . -name '*.gcda') | while read -r counted; do
	cp "$objects/${counted%.gcda}.gcno" "$work/counts/$(dirname "$counted")"
done
(cd "$objects" && find "$work/counts" -name '*.gcda' -exec gcov -b -c -t {} +) > "$work/gcov" 2> "$work/gcov.log" ||
	failed "$work/gcov.log" "gcov cannot read the counts"

files=$(cd "$TOP" && find arch drivers virt -name '*.c' ! -name '*_kunit.c' | sort | paste -sd ' ')
awk -v files="$files" -f "$scripts/measure/coverage.awk" "$reasons" - < "$work/gcov" > "$work/table.txt" || failed=1
cat "$work/table.txt"
[ "$failed" = 0 ]
