#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Units of make test that do not look for leaks on the debug kernel there, with that; and
# all that can change changes for five minutes.
set -eu

# shellcheck source=scripts/lib.sh
. "${0%/*}/../lib.sh"

failed=0
for unit in 55-vtd-snoop-debug 64-race 65-x86-debug 71-ownership 72-stock-qemu; do
	LEAKS=yes FLAVORS=debug RACE_SECONDS=300 RACE_EDGES=50000 "$TOP/scripts/test.d/$unit.sh" || failed=1
done
exit $failed
