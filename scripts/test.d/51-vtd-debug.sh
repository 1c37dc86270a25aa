#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# What 50 has tested, once more on the kernel that complains: one search for leaks is
# enough for all of it. 55 has the other machine.
set -eu

# shellcheck source=scripts/lib.sh
. "${0%/*}/../lib.sh"
# shellcheck source=scripts/machine/boot-programs.sh
. "${0%/*}/../machine/boot-programs.sh"

# shellcheck source=scripts/machine/vtd-programs.sh
. "${0%/*}/../machine/vtd-programs.sh"

unit=vtd
boot_vtd debug off

exit "$failed"
