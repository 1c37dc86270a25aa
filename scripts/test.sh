#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Runs the units of scripts/test.d in order, merges their TAP into one, and ends
# with "N passed, N failed, N skipped".
#
# test.sh [UNIT...]      a unit is named without directory, with or without .sh
#
# A unit prints TAP on stdout and everything else on stderr, which goes to
# build/log/. It may print several plans; its points have to be as many as they
# say together.
set -eu

scripts=$(dirname "$(readlink -f "$0")")
# shellcheck source=scripts/lib.sh
. "$scripts/lib.sh"

: "${UNITS:=$scripts/test.d}" "${UNIT_TIMEOUT:=3600}"

if [ $# -gt 0 ]; then
	for name; do
		shift
		unit=$UNITS/${name%.sh}.sh
		[ -e "$unit" ] || die "there is no unit ${name%.sh}: see $UNITS"
		set -- "$@" "$unit"
	done
else
	set -- "$UNITS"/*.sh
	[ -e "$1" ] || set --
fi

points=0 passed=0 failed=0 skipped=0

# point RESULT TEXT
point() {
	points=$((points + 1))
	case $1:$2 in
	ok:*'# SKIP'*) skipped=$((skipped + 1)) ;;
	ok:*) passed=$((passed + 1)) ;;
	*) failed=$((failed + 1)) ;;
	esac
	echo "$1 $points - $2"
}

# Reads a unit's TAP, then a line "exit STATUS"
merge() {
	planned='' seen=0 status=1 before=$failed
	while IFS= read -r line; do
		case $line in
		'ok '*|'not ok '*)
			seen=$((seen + 1))
			point "${line%%ok*}ok" "$name: $(echo "$line" | sed -E 's/^(not )?ok [0-9]* *(- *)?//')"
			;;
		1..*)
			plan=${line#1..}
			planned=$((${planned:-0} + ${plan%%[!0-9]*}))
			;;
		'exit '*) status=${line#exit } ;;
		'#'*) echo "$line" ;;
		esac
	done

	if [ -z "$planned" ]; then
		point 'not ok' "$name: printed no plan"
	elif [ "$planned" -ne "$seen" ]; then
		point 'not ok' "$name: planned $planned points and printed $seen"
	fi
	# Exit status 1 goes with a point that is "not ok"; else the unit died
	if [ "$status" -gt 1 ] || { [ "$status" -eq 1 ] && [ "$failed" -eq "$before" ]; }; then
		point 'not ok' "$name: exited with status $status"
	fi
	if [ "$failed" -ne "$before" ]; then
		echo "# last lines of $log:"
		tail -n 20 "$log" | sed 's/^/#   /'
	fi
	# The end of a pipe is a process of its own
	echo "$points $passed $failed $skipped" > "$counts"
}

seconds() {
	echo $(($(date +%s) - started))
}

# In the background, so that a signal ends it and so that its log can be watched
run() {
	timeout -k 10 "$UNIT_TIMEOUT" "$1" 2> "$log" < /dev/null &
	child=$!
	trap 'kill "$child"; exit 130' HUP INT TERM
	while sleep 1 && kill -0 "$child" 2> /dev/null; do
		progress "[$number/$units] $name: $(seconds) s: $(tail -n 1 "$log" | tail -c 80)"
	done > /dev/null &
	watcher=$!
	status=0
	wait "$child" || status=$?
	kill "$watcher" 2> /dev/null || :
	printf '\nexit %d\n' "$status"
}

counts=$(mktemp)
trap 'rm -f "$counts"' EXIT
trap 'exit 130' HUP INT TERM

echo "TAP version 13"
mkdir -p "$LOGS"
number=0 units=$#
for unit; do
	number=$((number + 1))
	name=$(basename "$unit" .sh)
	log=$LOGS/test-$name.log
	started=$(date +%s)
	echo "# [$number/$units] $name (log: $log)"

	run "$unit" | merge
	progress_end

	read -r points passed failed skipped < "$counts"
	echo "# [$number/$units] $name: $(seconds) s"
done

echo "1..$points"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
