#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Checks that a test notices each mutation of the kernel code.
set -eu

# shellcheck source=scripts/lib.sh
. "${0%/*}/../lib.sh"

table=$TOP/build/mutate/table.txt
result=ok
"$TOP/scripts/mutate.sh" >&2 || result="not ok"
sed "s/^/# /" "$table"
echo "$result 1 - $(tail -n 1 "$table")"
echo 1..1
[ "$result" = ok ]
