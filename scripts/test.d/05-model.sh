#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# The model of non-coherent DMA under a running VM: its properties hold in every state,
# the searches reach all states that matter, and each mutation violates a property.
# It needs no kernel, so it comes first and runs while the kernel's source is fetched.
set -eu

# shellcheck source=scripts/lib.sh
. "${0%/*}/../lib.sh"

need_packages gcc libc6-dev spin

model=$TOP/tools/verification/noncoherent_dma/noncoherent_dma.pml
out=$TOP/build/model
count=0 failed=0
mkdir -p "$out"

# What the model says in its comments: mutation, property, variant
sed -n 's,.*/\* MUTATE_\([A-Z_]*\): \([A-Z_]*\) *\([A-Z_+]*\).*,\1 \2 \3,p' "$model" |
	sed 's/ *$//' > "$out/mutations"
# ... and situation, number, variant
sed -n 's,^#define \([A-Z_]*\)\s*\([0-9]*\)\s*/\* \([A-Z_+]*\|all\)\(:.*\| \*/\)$,\1 \2 \3,p' \
	"$model" > "$out/situations"
# The longest first, as two run at a time; an error is found faster than pan is
# optimized
variants='POLICY+IGNORES_PAT SECOND WATCH PROGRESS IGNORES_PAT PAT_HONOURED'

{
	for variant in $variants; do
		echo "$out/$variant -O2 $variant"
	done
	while read -r mutation property variant; do
		echo "$out/$mutation -O0 MUTATE_$mutation ONLY=$property $variant"
	done < "$out/mutations"
} | sed 's/ *$//' > "$out/searches"

# What a search has to say is in its log; an error in a mutated model is no error
total=$(wc -l < "$out/searches") number=0
xargs -P 2 -L 1 "$TOP/scripts/measure/model-search.sh" < "$out/searches" |
	while read -r search; do
		number=$((number + 1))
		echo "$number of $total searches: $search" >&2
	done

# point NAME DIR [WHY]: passes without a WHY
point() {
	count=$((count + 1))
	if [ -z "${3-}" ]; then
		echo "ok $count - $1"
		return
	fi
	failed=1
	echo "not ok $count - $1"
	echo "# $3"
	[ ! -e "$2/replay" ] || echo "# log: $2/log; an error is replayed by: cd $2 && $(cat "$2/replay")"
}

# unproven LOG VARIANT: prints why the search does not prove anything
unproven() {
	grep -q '^Full statespace search' "$1" || { echo 'the search was not exhaustive'; return; }
	! grep -q -e 'search depth too small' -e 'Search not completed' -e 'MEMLIM' "$1" ||
		{ echo 'the search was truncated'; return; }
	grep -q 'assertion violations.*+' "$1" || { echo 'assertions were not checked'; return; }
	case $2 in
	PROGRESS) grep -q 'acceptance *cycles.*+ (fairness enabled)' "$1" || { echo 'cycles were not looked for'; return; } ;;
	*) grep -q 'invalid end states.*+' "$1" || { echo 'deadlocks were not looked for'; return; } ;;
	esac
	grep -q 'errors: 0$' "$1" || echo 'an error was found'
}

# missed VARIANT: prints the situations that the search of VARIANT had to reach
missed() {
	while read -r situation id where; do
		for word in $(echo "$where" | tr + ' '); do
			case +$1+all+ in
			*"+$word+"*) ;;
			*) continue 2 ;;
			esac
		done
		grep -q "^covered: $id$" "$out/$1/log" || echo "$situation"
	done < "$out/situations"
}

for variant in $variants; do
	log=$out/$variant/log
	states=$(sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' "$log")
	point "the model holds exhaustively, variant $variant ($states states)" \
		"$out/$variant" "$(unproven "$log" "$variant")"
	# Its guests only execute WBINVD; WAIT_FOR_ALL shows that it comes to the waits
	[ "$variant" != PROGRESS ] || continue
	why=$(missed "$variant" | tr '\n' ' ')
	point "the search of variant $variant came everywhere it had to" \
		"$out/$variant" "${why:+not reached: $why}"
done

while read -r mutation property variant; do
	case $property in
	NO_DEADLOCK) error='^pan:1: invalid end state' ;;
	NO_DELAY) error='^pan:1: acceptance cycle' ;;
	*) error='^pan:1: assertion violated' ;;
	esac
	why=
	grep -q "$error" "$out/$mutation/log" || why="not caught"
	point "mutation $mutation is caught by property $property" "$out/$mutation" "$why"
done < "$out/mutations"

# A mutation that says no property, or a property that nothing can violate, is
# a hole in the above
sed -n '/^#/s/MUTATE_/\n&/gp' "$model" | sed -n 's/^MUTATE_\([A-Z_]*\).*/\1/p' | sort -u > "$out/used"
cut -d ' ' -f 1 "$out/mutations" | sort -u > "$out/said"
diff "$out/used" "$out/said" > "$out/log" || :
point "every mutation in the model is tried" "$out" "$(head -c 200 "$out/log" | tr '\n' ' ')"
sed -n '/^#define NO_GAP/,/^#define NO_DELAY/s,^#define \([A-Z_]*\).*,\1,p' "$model" > "$out/properties"
why=$(while read -r property; do
	grep -q " $property\( \|$\)" "$out/mutations" || echo "$property"
done < "$out/properties" | tr '\n' ' ')
point "every property is violated by a mutation" "$out" "${why:+not violated: $why}"

echo "1..$count"
exit $failed
