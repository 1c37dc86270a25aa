# shellcheck shell=sh
# SPDX-License-Identifier: GPL-2.0
# Test points of checks, which pass if a command prints nothing; sourced after lib.sh

tap_count=0
tap_failed=0

# silent NAME LOG COMMAND...: a point, which failed if COMMAND did or said something
silent() {
	silent_name=$1 silent_log=$2
	shift 2
	"$@" > "$silent_log" 2>&1 < /dev/null || echo "exit status $?" >> "$silent_log"
	point "$silent_name" "$silent_log"
}

# point NAME LOG: one point, which failed if LOG has a line
point() {
	tap_count=$((tap_count + 1))
	if [ ! -s "$2" ]; then
		echo "ok $tap_count - $1"
		return
	fi
	tap_failed=$((tap_failed + 1))
	echo "not ok $tap_count - $1"
	head -n 20 "$2" | sed 's/^/# /'
	echo "# log: $2"
}

plan() {
	echo "1..$tap_count"
	[ "$tap_failed" = 0 ]
}
