#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# offers.sh: lists the kernels of $BASE that Debian's suites offer together with their
# source, the machine's own suites first, and the newest of each suite first, as
#   DEBIAN-VERSION KERNEL-RELEASE SUITE own|other
set -eu

# shellcheck source=scripts/lib.sh
. "${0%/*}/../lib.sh"

conf=$("$TOP/scripts/kernel/suites.sh")

# madison prints "package | version | URI suite/component architecture Packages".
# sort's order of versions is Debian's: a tilde comes before the end
{
	echo "linux-source-$BASE"
	apt-cache -c "$conf" pkgnames "linux-headers-$BASE." | grep -E '[0-9]-amd64$'
} | xargs apt-cache -c "$conf" madison | awk -v own="$(cat "${conf%/*}/own")" '
	BEGIN { n = split(own, words); while (n) mine[words[n--]] = 1 }
	{ sub(/\/.*/, "", $6) }
	/^ *linux-source-/ { source[$3] = 1; next }
	!seen[$3]++ || $6 in mine { sub(/^linux-headers-/, "", $1); release[$3] = $1; suite[$3] = $6 }
	END {
		for (version in release)
			if (version in source)
				print version, release[version], suite[version], (suite[version] in mine ? "own" : "other")
	}' | sort -k4,4r -k1,1Vr
