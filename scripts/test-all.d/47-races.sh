#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# What 64 races for half a minute races for five, on both kernels, and leaks are looked for.
set -eu

# shellcheck source=scripts/lib.sh
. "${0%/*}/../lib.sh"

LEAKS=yes RACE_SECONDS=300 RACE_EDGES=30000 exec "$TOP/scripts/test.d/64-race.sh"
