#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# What 50 has tested, once more on the kernel that complains: one search for leaks is
# enough for all of it.
set -eu

# shellcheck source=scripts/lib.sh
. "${0%/*}/../lib.sh"
# shellcheck source=scripts/boot-unit.sh
. "${0%/*}/../boot-unit.sh"

# shellcheck source=scripts/vtd-programs.sh
. "${0%/*}/../vtd-programs.sh"

unit=vtd
boot_vtd debug off
boot_vtd debug on

exit "$failed"
