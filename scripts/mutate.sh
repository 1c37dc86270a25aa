#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Breaks the kernel code on purpose, by one mutation of tools/testing/mutations after
# another, and checks that the tests that should notice fail.
#
# mutate.sh [NAME...]    a mutation is named without directory, with or without .patch
#
# In the environment:
#   JOBS=n     how many at a time, each in a copy of the tree (default: one for each CPU)
#   SHARD=i/n  only each n-th mutation, from the i-th
#
# A mutation begins with "# " and what it breaks, has an optional second line "# units:
# WORD ..." with the tests that should notice, and is a diff of files here or of files of
# the kernel. WORD is a unit of scripts/test.d, or UNIT:PROGRAM, which boots that program
# alone, on one machine. Units test only the release kernel. Where upstream's code differs
# between kernels NAME.patch has variants NAME.WHAT.patch, as the queue's patches have: the
# first that applies is taken.
#
# Verdicts are cached while tree, mutation and words do not change: an interrupted run
# continues, and shards of one tree add up to one table.
set -eu

scripts=$(dirname "$(readlink -f "$0")")
# shellcheck source=scripts/lib.sh
. "$scripts/lib.sh"
# shellcheck source=scripts/mutate/lib.sh
. "$scripts/mutate/lib.sh"

table=$work/table.txt

# in_shard NUMBER
in_shard() {
	[ -n "${SHARD-}" ] || return 0
	[ $((($1 - 1) % shards + 1)) -eq "$shard" ]
}

check_shard() {
	[ -n "${SHARD-}" ] || return 0
	shard=${SHARD%/*} shards=${SHARD#*/}
	case $shard:$shards in
	"$SHARD":* | :* | *: | *[!0-9:]* | 0* | *:0*) die "SHARD=$SHARD is no shard: use 1/3, 2/3 or 3/3" ;;
	esac
	[ "$shard" -le "$shards" ] || die "SHARD=$SHARD: there are only $shards"
}

# want ITEM: into the queue, if there is no verdict yet
want() {
	items="$items $1"
	[ -e "$(verdict_of "$key" "$1")" ] || : > "$work/queue/$1"
}

# of ITEM LINE: of its verdict: 1 result, 2 text, 3 seconds, 4 log
of() {
	sed -n "$2p" "$(verdict_of "$key" "$1")"
}

row() {
	printf '%s | %s | %s | %s\n' "$@"
}

row_of() {
	row "${1#2-}" "$(title "${1#2-}")" "$(of "$1" 2)" "$(of "$1" 3) s"
}

start_workers() {
	number=0 workers=''
	while [ "$number" -lt "$jobs" ]; do
		number=$((number + 1))
		mkdir -p "$work/$number"
		# In the copies it is the compilers at a time
		JOBS=$((($(nproc) + jobs - 1) / jobs)) setsid "$scripts/mutate/worker.sh" "$number" "$key" \
			> "$work/$number/worker.log" 2>&1 7>&- &
		workers="$workers $!"
	done
}

# A worker's processes are a session: a timeout in it makes a process group of its own
stop() {
	for worker in $workers; do
		pkill -TERM -s "$worker" || :
	done
	wait
	progress_end
}

# Is one of them left?
alive() {
	for worker in $workers; do
		! kill -s 0 "$worker" 2> /dev/null || return 0
	done
	return 1
}

# Prints each row as soon as it is known, and dies of a test that fails without a mutation
show() {
	for item in $items; do
		case " $shown " in *" $item "*) continue ;; esac
		[ -e "$(verdict_of "$key" "$item")" ] || continue
		shown="$shown $item"
		case $item in
		2-*) row_of "$item" ;;
		1-*)
			[ "$(of "$item" 1)" != caught ] || continue
			stop
			broken=$(verdict_of "$key" "$item")
			log=$(of "$item" 4) text=$(of "$item" 2)
			rm "$broken"
			failed "$log" "$text"
			;;
		esac
	done
}

watch() {
	while alive; do
		sleep 1
		show
		progress "$(echo "$shown" | wc -w) of $(echo "$items" | wc -w): $(tail -q -n 1 "$work"/[0-9]*/worker.log | tr '\r\n' '  ')"
	done
	progress_end
	show
	number=0
	for worker in $workers; do
		number=$((number + 1))
		wait "$worker" || failed "$work/$number/worker.log" "a worker stopped"
	done
}

check_shard
if [ $# = 0 ]; then
	# shellcheck disable=SC2046 # a list of words
	set -- $(find "$mutations" -name '*.patch' ! -name '*.*.patch' -printf '%f\n' | sort)
fi
jobs=${JOBS:-$(nproc)}
need_packages patch rsync
mkdir -p "$work/verdicts" "$LOGS"
exec 7> "$work/lock"
lock 7 -x "another make mutate"
rm -rf "$work/queue" "$work"/[0-9]*/item.*
mkdir "$work/queue"

key=$(tree_key "$TOP")
number=0 names='' items='' shown=''
for name; do
	name=$(basename "$name" .patch)
	[ -e "$mutations/$name.patch" ] || die "there is no mutation $name: see $mutations"
	number=$((number + 1))
	! in_shard "$number" || names="$names $name"
done
# A word is proved where a mutation is left that needs it
for name in $names; do
	[ ! -e "$(verdict_of "$key" "2-$name")" ] || continue
	noticers "$name"
done | tr ' ' '\n' | sort -u > "$work/words"
while read -r word; do
	want "1-$word"
done < "$work/words"
for name in $names; do
	want "2-$name"
done

row mutation 'what it breaks' 'caught by' took
left=$(find "$work/queue" -type f | wc -l)
[ "$jobs" -le "$left" ] || jobs=$left
trap 'stop; exit 130' HUP INT TERM
if [ "$left" -gt 0 ]; then
	start_workers
	watch
else
	show
fi

caught=0 total=0
for item in $items; do
	case $item in 1-*) continue ;; esac
	total=$((total + 1))
	[ "$(of "$item" 1)" != caught ] || caught=$((caught + 1))
	row_of "$item"
done > "$table"
echo "$caught of $total mutations caught by who is meant to" | tee -a "$table"
[ "$caught" = "$total" ]
