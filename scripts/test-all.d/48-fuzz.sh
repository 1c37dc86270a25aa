#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Fuzzes for ten minutes, where 80 has one, and from another seed.
set -eu

# shellcheck source=scripts/lib.sh
. "${0%/*}/../lib.sh"

DURATION=600 SEED="${SEED:-2}" MACHINES='mock real' PROGRAM='' UPDATE_CORPUS=0 exec "$TOP/scripts/fuzz.sh"
