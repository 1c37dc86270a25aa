#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Runs the tests that take too long for make test. Each unit is also a make target.
#
# test-all.sh [UNIT...]    a unit of scripts/test-all.d
set -eu

# shellcheck source=scripts/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

UNIT_DIR=$TOP/scripts/test-all.d UNIT_TIMEOUT=${UNIT_TIMEOUT:-21600} SLOTS=1 "$TOP/scripts/test.sh" "$@"
