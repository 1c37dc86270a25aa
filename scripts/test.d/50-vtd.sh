#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# What needs real devices behind VT-d and no more, on the form that people have: a stock
# kernel with our modules.
set -eu

# shellcheck source=scripts/lib.sh
. "${0%/*}/../lib.sh"
# shellcheck source=scripts/boot-unit.sh
. "${0%/*}/../boot-unit.sh"

# shellcheck source=scripts/vtd-programs.sh
. "${0%/*}/../vtd-programs.sh"

unit=vtd
# Where only whole kernels are wanted
flavor=stock
wanted stock || flavor=release
boot_vtd $flavor off run=/tests/iommufd_module_test
boot_vtd $flavor on

exit "$failed"
