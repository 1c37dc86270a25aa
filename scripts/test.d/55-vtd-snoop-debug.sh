#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# What 51 tests, where VT-d can enforce coherency: a unit of its own, so that the other slot
# has it.
set -eu

# shellcheck source=scripts/lib.sh
. "${0%/*}/../lib.sh"
# shellcheck source=scripts/machine/boot-programs.sh
. "${0%/*}/../machine/boot-programs.sh"

# shellcheck source=scripts/machine/vtd-programs.sh
. "${0%/*}/../machine/vtd-programs.sh"

unit=vtd
leaks=${LEAKS:-no}
boot_vtd debug on

exit "$failed"
