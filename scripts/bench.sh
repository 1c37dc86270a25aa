#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Kernel instructions per operation, on the unpatched kernel and on this one.
# Instructions and not seconds: they are the same on a busy machine.
# Leaves the table in build/bench/$BASE.txt, and as JSON in $BASE.json.
set -eu

# shellcheck source=scripts/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

scripts=$TOP/scripts
out=$TOP/build/bench
work=$out/$BASE
tab=$(printf '\t')

# measure FLAVOR: lines of "name TAB instructions" in $work/FLAVOR.txt
measure() {
	make -s -C "$TOP" kernel FLAVOR="$1" BASE="$BASE" >&2
	"$scripts/boot-qemu.sh" -k "$(make -s -C "$TOP" kernel-path FLAVOR="$1" BASE="$BASE")" \
		-i "$work/initramfs.gz" -o "$work/$1" -c 1 -s off -I -t 300 \
		-x "run=/tests/noncoherent_dma_bench"
	grep -q '^exit: 0 ' "$work/$1/console.log" ||
		die "the benchmark failed on the kernel $1 (log: $work/$1/console.log)"
	tr -d '\r' < "$work/$1/console.log" |
		awk -f "$scripts/bench.awk" "$work/$1/oracle.log" - > "$work/$1.txt"
}

make -s -C "$TOP" kernel FLAVOR=release BASE="$BASE" >&2
selftests=$("$scripts/build-selftests.sh")
"$scripts/initramfs.sh" -m "$(object_tree release)/mod" "$work/initramfs.gz" \
	"$selftests/noncoherent_dma_bench"
measure base
measure release

paste -d "$tab" "$work/base.txt" "$work/release.txt" | awk -F '\t' '
	BEGIN { printf "%-40s %10s %10s %7s\n", "kernel instructions per operation", "unpatched", "ours", "ratio" }
	{ printf "%-40s %10d %10d %7.3f\n", $1, $2, $4, $4 / $2 }' | tee "$out/$BASE.txt"
paste -d "$tab" "$work/base.txt" "$work/release.txt" | awk -F '\t' -v base="$BASE" '
	BEGIN { printf "{\"base\": \"%s\", \"operations\": [", base }
	{ printf "%s\n  {\"operation\": \"%s\", \"unpatched\": %d, \"ours\": %d}", (NR > 1 ? "," : ""), $1, $2, $4 }
	END { print "\n]}" }' > "$out/$BASE.json"
