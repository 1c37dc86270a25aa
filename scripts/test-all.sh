#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# What make test leaves out for time. Each unit is a make target of its own, too.
#
# test-all.sh [UNIT...]    a unit of scripts/test-all.d
set -eu

# shellcheck source=scripts/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

UNIT_DIR=$TOP/scripts/test-all.d UNIT_TIMEOUT=${UNIT_TIMEOUT:-21600} SLOTS=1 "$TOP/scripts/test.sh" "$@"
