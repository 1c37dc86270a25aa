#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Kernel instructions per operation, on Debian's kernel with unpatched modules and with
# ours. Counts instructions, not seconds, since a busy machine does not change them.
# First the operations of noncoherent_dma_bench; then, in a machine with more memory, the
# edges of noncoherent_dma_edge_bench, which zap all SPTEs of a guest. EDGE_GIB=4 adds a
# guest with so much memory in pages of 4 KiB, which takes long.
#
# Leaves the table in build/bench/$BASE.txt, and as JSON in $BASE.json.
set -eu

# shellcheck source=scripts/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"
# shellcheck source=scripts/machine/boot-programs.sh
. "$TOP/scripts/machine/boot-programs.sh"

scripts=$TOP/scripts
out=$TOP/build/bench
work=$out/$BASE
tab=$(printf '\t')

# counted NAME FILES WORDS [OPTION...]: boots the kernel of boot_kernel, and prints lines of
# "name TAB instructions"
counted() {
	counted_out=$work/$1 counted_files=$2 counted_words=$3
	shift 3
	boot_machine "$counted_out" "$counted_files" "$counted_words" -c 1 -s off -I "$@" >&2
	tr -d '\r' < "$counted_out/output.log" > "$counted_out/output.txt"
	awk '/^exit: / && $2 { failed = 1 } /^exit: 0 / { n++ } END { exit failed || !n }' "$counted_out/output.txt" ||
		die "the benchmark failed (log: $counted_out/output.log)"
	awk -f "$scripts/measure/bench.awk" "$counted_out/oracle.log" "$counted_out/output.txt"
}

# measure FLAVOR: the lines of all programs in $work/FLAVOR.txt
measure() {
	boot_kernel "$1"
	modules=$("$scripts/selftests/build-kvm-modules.sh" "$1")
	counted "$1" "$selftests/noncoherent_dma_bench" run=/tests/noncoherent_dma_bench -t 600 > "$work/$1.txt"
	counted "$1-edge" "$selftests/noncoherent_dma_edge_bench $modules/guest_pat_ignorable.ko" \
		"run=insmod,/tests/guest_pat_ignorable.ko limit=3000 run=/tests/noncoherent_dma_edge_bench${EDGE_GIB:+,$EDGE_GIB}" \
		-t 3000 -m 2G >> "$work/$1.txt"
	awk -F '\t' '!$2 { exit 1 } END { exit !NR }' "$work/$1.txt" ||
		die "the benchmark did not count everything on the kernel $1 (log: $work/$1.txt)"
}

mkdir -p "$work"
make -s -C "$TOP" kernel FLAVOR=release BASE="$BASE" >&2
selftests=$("$scripts/selftests/build-kvm.sh")
measure stock-base
measure stock
[ "$(cut -f 1 "$work/stock-base.txt")" = "$(cut -f 1 "$work/stock.txt")" ] ||
	die "the benchmark counted other operations on one kernel than on the other (see $work)"

paste -d "$tab" "$work/stock-base.txt" "$work/stock.txt" | awk -F '\t' '
	BEGIN { printf "%-44s %12s %12s %7s\n", "kernel instructions per operation", "unpatched", "ours", "ratio" }
	{ printf "%-44s %12d %12d %7.3f\n", $1, $2, $4, $4 / $2 }' | tee "$out/$BASE.txt"
paste -d "$tab" "$work/stock-base.txt" "$work/stock.txt" | awk -F '\t' -v base="$BASE" '
	BEGIN { printf "{\"base\": \"%s\", \"operations\": [", base }
	{ printf "%s\n  {\"operation\": \"%s\", \"unpatched\": %d, \"ours\": %d}", (NR > 1 ? "," : ""), $1, $2, $4 }
	END { print "\n]}" }' > "$out/$BASE.json"
