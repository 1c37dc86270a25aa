#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# A minute of fuzzing on the kernel that complains, shared by iommufd's mock devices
# and real ones, with the corpus of each replayed before
set -eu

# shellcheck source=scripts/lib.sh
. "${0%/*}/../lib.sh"

DURATION=60 SEED=1 MACHINES='mock real' PROGRAM='' UPDATE_CORPUS=0 "$TOP/scripts/fuzz.sh"
