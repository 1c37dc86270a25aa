#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Applies and compiles the queue on every 6.12.y that Debian's suites offer.
set -eu

# shellcheck source=scripts/lib.sh
. "${0%/*}/../lib.sh"

"$TOP/scripts/check-bases.sh"
