#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# The race test, without and with edges that zap and flush, on the debug kernel and on the
# one with KCSAN. RACE_SECONDS and RACE_EDGES in the environment make it longer.
# slots: all
set -eu

# shellcheck source=scripts/lib.sh
. "${0%/*}/../lib.sh"
# shellcheck source=scripts/machine/boot-programs.sh
. "${0%/*}/../machine/boot-programs.sh"

unit=race
leaks=${LEAKS:-no}
machine='mock devices'
tests=noncoherent_dma_race_test
modules=guest_pat_ignorable

# Every other edge waits for a grace period: expedited ones make room for more edges
words='intel_iommu=off rcupdate.rcu_expedited=1'
: "${RACE_SECONDS:=30}" "${RACE_EDGES:=3000}"
words="$words limit=$((RACE_SECONDS + 600)) run=/tests/$tests,$RACE_SECONDS,$RACE_EDGES"
# Those that zap and flush take ten times as long
words="$words run=insmod,/tests/$modules.ko"
words="$words run=/tests/$tests,$((RACE_SECONDS / 2)),$((RACE_EDGES / 25)),zap"

boot_unit debug off 3 "$words" -c 7
boot_unit kcsan off 3 "$words" -c 7 -K
wanted kcsan || exit "$failed"
"$TOP/scripts/judge/kcsan-tap.sh" "$(object_tree kcsan)" "${boot_out:?}/console.log" || failed=1

exit "$failed"
