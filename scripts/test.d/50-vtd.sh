#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Tests that need only real devices behind VT-d, on what users run: a stock kernel with
# our modules.
set -eu

# shellcheck source=scripts/lib.sh
. "${0%/*}/../lib.sh"
# shellcheck source=scripts/machine/boot-programs.sh
. "${0%/*}/../machine/boot-programs.sh"

# shellcheck source=scripts/machine/vtd-programs.sh
. "${0%/*}/../machine/vtd-programs.sh"

unit=vtd
# Where only whole kernels are wanted
flavor=stock
wanted stock || flavor=release
boot_vtd $flavor off run=/tests/iommufd_module_test
boot_vtd $flavor on

exit "$failed"
