#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Judges the data races that a kernel with KCSAN reported: none may have a
# function of this project on either side. Races within the base's own code are
# listed, and do not fail.
#
# kcsan-tap.sh OBJECTS CONSOLE
set -eu

scripts=$(dirname "$(dirname "$(readlink -f "$0")")")
# shellcheck source=scripts/lib.sh
. "$scripts/lib.sh"
# shellcheck source=scripts/judge/instrumented.sh
. "$scripts/judge/instrumented.sh"

objects=$1 console=$2

ours() {
	cd "$objects"
	# shellcheck disable=SC2086 # a list of words
	nm $our_objects | awk '$2 ~ /^[tT]$/ { sub(/\..*/, "", $3); print $3 }' | sort -u
}

for promise in 'enabled early' 'selftest: ([0-9]+)/\1 tests passed'; do
	grep -aqE "kcsan: $promise" "$console" || die "KCSAN was off (log: $console)"
done
(ours) > "${console%/*}/ours"
[ -s "${console%/*}/ours" ] || die "$objects has none of this project's functions"
# Without the calls no race in it is ever seen
# shellcheck disable=SC2086 # a list of words
blind=$(cd "$objects" && uninstrumented '__tsan_(volatile_|unaligned_)?(read|write)' $our_objects | paste -sd ' ')
[ -z "$blind" ] || die "KCSAN looks at no access in $blind"

tr -d '\r' < "$console" | awk '
	FILENAME != "-" { ours[$1]; next }
	/^init: the kernel.s whole log/ { exit }
	sub(/^.*BUG: KCSAN: (data-race|assert: race) in /, "") {
		if (seen[$0]++)
			next
		n = split($0, side, " / ")
		mine = 0
		for (i = 1; i <= n; i++) {
			# As the compiler may have named it, or with the offset in it
			sub(/[.+].*/, "", side[i])
			if (side[i] in ours)
				mine = 1
		}
		if (mine)
			races[++bad] = $0
		else
			print "# in the base alone: " $0
	}
	END {
		for (i = 1; i <= bad; i++)
			print "not ok " i " - data race in " races[i]
		if (!bad)
			print "ok 1 - no data race in the functions of this project"
		print "1.." (bad ? bad : 1)
		exit bad > 0
	}' "${console%/*}/ours" -
