#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# The packages in a Debian 12 and a Debian 13: installed, upgraded, broken, removed.
set -eu

# shellcheck source=scripts/lib.sh
. "${0%/*}/../lib.sh"

"$TOP/scripts/test-deb.sh"
