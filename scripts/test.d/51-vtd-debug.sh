#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# What 50 has tested, once more on the kernel that complains. 46-leaks of make test-all has
# the other machine, too.
set -eu

# shellcheck source=scripts/lib.sh
. "${0%/*}/../lib.sh"
# shellcheck source=scripts/machine/boot-programs.sh
. "${0%/*}/../machine/boot-programs.sh"

# shellcheck source=scripts/machine/vtd-programs.sh
. "${0%/*}/../machine/vtd-programs.sh"

unit=vtd
leaks=${LEAKS:-no}
boot_vtd debug off
! named debug || boot_vtd debug on

exit "$failed"
