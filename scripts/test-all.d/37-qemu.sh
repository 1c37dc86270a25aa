#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# QEMU with the patches of contrib/qemu, as the VMM.
set -eu

# shellcheck source=scripts/lib.sh
. "${0%/*}/../lib.sh"

"$TOP/scripts/test-qemu.sh"
