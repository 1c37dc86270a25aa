#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Runs every check that needs only the sources, and prints TAP
set -eu

# shellcheck source=scripts/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

need_packages g++ python3 shellcheck sparse
for part in docs readme source build; do
	"$TOP/scripts/check/$part.sh" || echo "status $part"
done | awk '
	/^(not )?ok / {
		n++
		sub(/ok [0-9]+/, "ok " n)
		if (/^not/)
			failed = part_failed = 1
	}
	/^status / {
		# A part that died says why on stderr and has no point of its own
		if (!part_failed)
			print "not ok " ++n " - check-" $2 " ends"
		failed = 1
		next
	}
	/^1\.\./ { part_failed = 0; next }
	{ print; fflush() }
	END { print "1.." n; exit failed || !n }'
