#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Builds our selftests of iommufd, static, against the composed tree's kselftest
# harness, and prints the directory that holds them. Files in
# tools/testing/selftests/iommu that use the harness are tests; the others are
# linked to each test. A test of what not every base has says so:
# " * Needs WORD in FILE", a file of the composed tree. It is left out where that has
# no such word.
set -eu

# shellcheck source=scripts/lib.sh
. "$(dirname "$(readlink -f "$0")")/../lib.sh"

objects=$(object_tree release)
out=$TOP/build/$BASE/selftests/iommu
log=$LOGS/build-iommu-selftests-$BASE.log

need_packages gcc libc6-dev
[ -d "$objects/usr/include/linux" ] ||
	die "$objects/usr/include is not there: run make kernel BASE=$BASE"

cd "$TOP/tools/testing/selftests/iommu"
tests=$(grep -l kselftest_harness.h ./*.c)
library=$(grep -L kselftest_harness.h ./*.c)
mkdir -p "$out"
cd "$(source_tree release)/tools/testing/selftests/iommu"

: > "$log"
for test in $tests; do
	needs=$(sed -n 's/^ \* Needs \([A-Z_]*\) in \([a-z_/.]*\)$/\1 \2/p' "$test")
	[ -z "$needs" ] || grep -qw "${needs% *}" "$(source_tree release)/${needs#* }" || continue
	# shellcheck disable=SC2086 # a list of words
	gcc -static -O2 -g -Wall -Wextra -Werror -Wno-unused-parameter -Wno-sign-compare -Wno-clobbered \
		-D_GNU_SOURCE -isystem "$objects/usr/include" -o "$out/$(basename "$test" .c)" "$test" $library \
		>> "$log" 2>&1 || failed "$log" "the selftests of iommufd did not build"
done
echo "$out"
