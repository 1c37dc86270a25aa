#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Installs, upgrades, breaks and removes the packages in a Debian 12 and a Debian 13.
set -eu

# shellcheck source=scripts/lib.sh
. "${0%/*}/../lib.sh"

"$TOP/scripts/test-deb.sh"
