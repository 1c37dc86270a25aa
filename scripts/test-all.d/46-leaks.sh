#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Units of make test that run on the debug kernel without kmemleak there, or not at all:
# runs them with kmemleak, and on the machines that make test leaves out.
set -eu

# shellcheck source=scripts/lib.sh
. "${0%/*}/../lib.sh"

failed=0
for unit in 51-vtd-debug 65-x86-debug 71-ownership 72-stock-qemu; do
	LEAKS=yes FLAVORS=debug "$TOP/scripts/test.d/$unit.sh" || failed=1
done
exit $failed
