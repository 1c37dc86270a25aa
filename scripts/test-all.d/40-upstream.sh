#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Runs upstream's own selftests on this kernel and on the unpatched one.
set -eu

# shellcheck source=scripts/lib.sh
. "${0%/*}/../lib.sh"

table=$TOP/build/$BASE/test/upstream.txt
mkdir -p "$(dirname "$table")"
result=ok
"$TOP/scripts/test-upstream.sh" > "$table" || result="not ok"
sed "s/^/# /" "$table"
echo "$result 1 - no test of upstream's fails on this kernel alone"
echo 1..1
[ "$result" = ok ]
