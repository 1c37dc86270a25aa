#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Each patch of the series for maintainers compiles by itself, without new warnings.
# slots: all
set -eu

# shellcheck source=scripts/lib.sh
. "${0%/*}/../lib.sh"

"$TOP/scripts/series-check.sh"
