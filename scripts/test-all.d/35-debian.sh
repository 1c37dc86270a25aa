#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Boots a real Debian with the packages to systemd, with its own QEMU as the VMM.
set -eu

# shellcheck source=scripts/lib.sh
. "${0%/*}/../lib.sh"

"$TOP/scripts/test-debian.sh"
