#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Runs the races of 64 for five minutes instead of half a minute, on both kernels, and
# with kmemleak.
set -eu

# shellcheck source=scripts/lib.sh
. "${0%/*}/../lib.sh"

LEAKS=yes RACE_SECONDS=300 RACE_EDGES=30000 exec "$TOP/scripts/test.d/64-race.sh"
