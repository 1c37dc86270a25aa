#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Fuzzes on the debug kernel for a minute, half of it with iommufd's mock devices and half
# with real ones, after a replay of the corpus of each
set -eu

# shellcheck source=scripts/lib.sh
. "${0%/*}/../lib.sh"

DURATION=60 SEED=1 MACHINES='mock real' PROGRAM='' UPDATE_CORPUS=0 "$TOP/scripts/fuzz.sh"
