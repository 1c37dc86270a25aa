#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Runs upstream's selftests on one kernel, on as many machines as it takes: if one stops
# or hangs, its current program has failed, and the next machine continues with the
# programs after that.
#
# machine.sh FLAVOR PROGRAMS OUT LIMIT
#
# PROGRAMS is a directory, each of whose files may run for LIMIT seconds. OUT.1, OUT.2,
# ... get the consoles.
set -eu

# shellcheck source=scripts/lib.sh
. "$(dirname "$(readlink -f "$0")")/../lib.sh"

# shellcheck source=scripts/machine/boot-programs.sh
. "$TOP/scripts/machine/boot-programs.sh"

flavor=$1 out=$3 limit=$4
left=$out.left

said() {
	grep -ac '^upstream: ' "$output" 2> /dev/null || :
}

# A machine that says nothing for longer than a program may take, its own boot
# included, is not going to
watch() {
	before=-1 since=$(date +%s)
	while sleep 5 && kill -0 "$1" 2> /dev/null; do
		after=$(said)
		if [ "$after" != "$before" ]; then
			before=$after since=$(date +%s)
		elif [ $(($(date +%s) - since)) -gt $((limit + 120)) ]; then
			echo "note: $flavor hangs in $(begun | tail -n 1), and is stopped" >&2
			kill "$1"
		fi
	done
}

# In the order in which they were begun
begun() {
	tr -d '\r' < "$output" 2> /dev/null | sed -n 's/^upstream: run //p'
}

rm -rf "$left" "$out".[0-9]*
boot_kernel "$flavor"
cp -r "$2" "$left"
machine=0
while [ -n "$(ls "$left")" ]; do
	machine=$((machine + 1))
	[ "$machine" -lt 10 ] || die "$flavor: nine machines stopped (logs: $out.*)"
	output=$out.$machine/output.log
	"$TOP/scripts/machine/initramfs.sh" -m "$boot_modroot" "$out.gz" "$left:/tests/upstream" "$TOP/scripts/upstream/guest.sh"
	"$TOP/scripts/machine/boot-qemu.sh" -k "$boot_image" -i "$out.gz" \
		-o "$out.$machine" -W -c 2 -m 4G -t 14400 \
		-x "intel_iommu=off limit=14400 run=/tests/guest.sh,$limit" &
	booted=$!
	trap 'kill "$booted"; wait; exit 130' HUP INT TERM
	watch "$booted"
	wait "$booted" || echo "note: machine $machine of $flavor did not get to its end" >&2
	begun > "$out.begun"
	[ -s "$out.begun" ] || die "$flavor runs none of upstream's programs (log: $output)"
	while read -r name; do rm "$left/$name"; done < "$out.begun"
done
rm -r "$left" "$out.begun"
