#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Prints the path of an apt.conf for the machine's own suites and those of Debian 13,
# with their kernels. Updates package lists that are older than 12 hours; if that fails,
# uses the old ones and says so.
set -eu

# shellcheck source=scripts/lib.sh
. "${0%/*}/../lib.sh"
# shellcheck source=scripts/kernel/apt.sh
. "$TOP/scripts/kernel/apt.sh"

dir=$CACHE/suites
log=$LOGS/suites.log
mkdir -p "$LOGS"
mkdir -p "$dir" || die "$CACHE cannot be made: name another directory in KVM_IOMMUFD_CACHE"

exec 9> "$dir/lock"
lock 9 -x "another look at the suites"

own_suites() {
	debian_sources | cut -d '|' -f 2 | sort -u
}

fresh() {
	[ -n "$(find "$dir/read" -mmin -720 2> /dev/null)" ] && own_suites | cmp -s - "$dir/own"
}

read_suites() {
	own=$(own_suites | paste -sd ' ')
	others=$(printf '%s\n' trixie trixie-security trixie-backports | grep -vxF "$(own_suites)" | paste -sd ' ')
	# Suites that the machine does not use may be gone one day
	for set in "$own $others" "$own"; do
		if (apt_setup "$dir" "$set" "$log" 'give KERNEL_SRC=dir') 2> "$log.why"; then
			own_suites > "$dir/own"
			touch "$dir/read"
			return
		fi
	done
	cat "$log.why" >&2
	[ -e "$dir/read" ] || exit 1
	echo "note: Debian's suites cannot be read, going by what they had on $(date -r "$dir/read" +%F)" >&2
}

fresh || read_suites
echo "$dir/apt.conf"
