#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# The tests of 50 on the debug kernel. 46-leaks of make test-all also runs them on the other
# machine.
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
! wanted debug || "$TOP/scripts/judge/kasan-tap.sh" "$(object_tree debug)" || failed=1
! named debug || boot_vtd debug on

exit "$failed"
