#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Links every combination of KVM, IOMMUFD and the bridge that Kconfig allows.
set -eu

# shellcheck source=scripts/lib.sh
. "${0%/*}/../lib.sh"

"$TOP/scripts/check-link.sh"
