#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Runs the units of scripts/test.d, two at a time where they leave room for another,
# merges their TAP into one in the order of their names, and ends with
# "N passed, N failed, N skipped".
#
# test.sh [UNIT...]      a unit is named without directory, with or without .sh
#
# A unit prints TAP on stdout and everything else on stderr, which goes to
# build/log/. It may print several plans; the number of its points has to match their
# sum, and not all points may be skips. A unit with a line "# slots: all" runs alone.
# A skip that is not in tools/testing/skips.txt is a failure.
set -eu

scripts=$(dirname "$(readlink -f "$0")")
# shellcheck source=scripts/lib.sh
. "$scripts/lib.sh"

: "${UNIT_DIR:=$scripts/test.d}" "${UNIT_TIMEOUT:=3000}" "${SLOTS:=2}"
: "${SKIPS:=$TOP/tools/testing/skips.txt}"

if [ $# -gt 0 ]; then
	for name; do
		shift
		unit=$UNIT_DIR/${name%.sh}.sh
		[ -e "$unit" ] || die "there is no unit ${name%.sh}: see $UNIT_DIR"
		set -- "$@" "$unit"
	done
else
	set -- "$UNIT_DIR"/*.sh
	[ -e "$1" ] || set --
fi

points=0 passed=0 failed=0 skipped=0

# may_skip TEXT: is it in the list?
may_skip() {
	while IFS= read -r allowed; do
		# shellcheck disable=SC2254 # a pattern, which no comment fits
		case $1 in
		${allowed%% | *}) return 0 ;;
		esac
	done < "$SKIPS"
	return 1
}

# point RESULT TEXT
point() {
	result=$1 text=$2
	case $1:$2 in
	ok:*'# '[Ss][Kk][Ii][Pp]*)
		if may_skip "$2"; then
			skipped=$((skipped + 1))
		else
			result='not ok' text="${2%%# [Ss][Kk][Ii][Pp]*}skipped,${2##*# [Ss][Kk][Ii][Pp]}"
			text="$text: ${SKIPS#"$TOP/"} has no such skip"
			failed=$((failed + 1))
		fi
		;;
	ok:*) passed=$((passed + 1)) ;;
	*) failed=$((failed + 1)) ;;
	esac
	points=$((points + 1))
	echo "$result $points - $text"
}

# Reads a unit's TAP, then a line "exit STATUS"
merge() {
	planned='' seen=0 status=1 before=$failed skipped_before=$skipped
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
	done < "$1"

	if [ -z "$planned" ]; then
		point 'not ok' "$name: printed no plan"
	elif [ "$planned" -ne "$seen" ]; then
		point 'not ok' "$name: planned $planned points and printed $seen"
	elif [ "$seen" -eq $((skipped - skipped_before)) ]; then
		point 'not ok' "$name: ran nothing"
	fi
	# Exit status 1 goes with a point that is "not ok"; else the unit died
	if [ "$status" -gt 1 ] || { [ "$status" -eq 1 ] && [ "$failed" -eq "$before" ]; }; then
		point 'not ok' "$name: exited with status $status"
	fi
	if [ "$failed" -ne "$before" ]; then
		echo "# last lines of $log:"
		tail -n 20 "$log" | sed 's/^/#   /'
		echo "# again, this alone: scripts/test.sh $name"
	fi
}

now() {
	date +%s
}

of() {
	echo "$LOGS/test-$(basename "$1" .sh).$2"
}

# start UNIT: in the background; its TAP is whole once "exit" ends it
start() {
	rm -f "$(of "$1" seconds)"
	{
		began=$(now) status=0
		setsid timeout -k 10 "$UNIT_TIMEOUT" "$1" > "$(of "$1" tap)" 2> "$(of "$1" log)" < /dev/null 5>&- || status=$?
		printf '\nexit %d\n' "$status" >> "$(of "$1" tap)"
		echo $(($(now) - began)) > "$(of "$1" seconds)"
	} &
	running="$running $1"
}

# What runs is in $running, what is to run in the arguments. Leaves in $running what
# has not ended.
reap() {
	still=
	for unit in $running; do
		[ -e "$(of "$unit" seconds)" ] || still="$still $unit"
	done
	running=$still
}

# room UNIT: is there a slot for it? One that runs alone is passed over until nothing
# else is left to run.
room() {
	# shellcheck disable=SC2086 # a list of words
	set -- "$1" $running
	[ $# -gt 1 ] || return 0
	[ $(($# - 1)) -lt "$SLOTS" ] || return 1
	! grep -q '^# slots: all' "$@"
}

start_next() {
	for next in $waiting; do
		room "$next" || continue
		start "$next"
		left=
		for unit in $waiting; do
			[ "$unit" = "$next" ] || left="$left $unit"
		done
		waiting=$left
		return
	done
	return 1
}

show_running() {
	for unit in $running; do
		printf '%s: %s  ' "$(basename "$unit" .sh)" "$(tail -n 1 "$(of "$unit" log)" 2> /dev/null | tr '\r' ' ' | tail -c 60)"
	done
}

# A unit's processes are a session: a timeout in it makes a process group of its own
stop() {
	pkill -TERM -s "$(pgrep -d , -P "$(pgrep -d , -P $$)")" 2> /dev/null || :
	exit 130
}
trap stop HUP INT TERM

mkdir -p "$LOGS"
exec 5> "$TOP/build/lock-$(basename "$UNIT_DIR")"
lock 5 -x "another run of these tests"
began_all=$(now)
# All of this run is about one kernel, whatever the archive gets meanwhile
if [ -z "${KERNEL_SRC-}" ]; then
	KVM_IOMMUFD_CHOICE=$("$scripts/kernel/choose.sh")
	export KVM_IOMMUFD_CHOICE
fi

echo "TAP version 13"
units=$# number=0 running=''
waiting=$*
for unit; do
	rm -f "$(of "$unit" seconds)" "$(of "$unit" tap)"
done
for unit; do
	number=$((number + 1))
	name=$(basename "$unit" .sh) log=$(of "$unit" log) reported=$unit
	echo "# [$number/$units] $name (log: $log)"
	until [ -e "$(of "$reported" seconds)" ]; do
		reap
		! start_next || continue
		sleep 1
		progress "[$number/$units] $(show_running)"
	done
	progress_end
	merge "$(of "$reported" tap)"
	echo "# [$number/$units] $name: $(cat "$(of "$reported" seconds)") s"
done

echo "1..$points"
echo "# $(($(now) - began_all)) s in all"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
