#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Kernel instructions per operation, on Debian's kernel with unpatched modules and with
# ours. Instructions and not seconds: they are the same on a busy machine.
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

# measure FLAVOR: lines of "name TAB instructions" in $work/FLAVOR.txt
measure() {
	boot_kernel "$1"
	boot_machine "$work/$1" "$selftests/noncoherent_dma_bench" run=/tests/noncoherent_dma_bench -c 1 -s off -I -t 600
	grep -q '^exit: 0 ' "$work/$1/output.log" ||
		die "the benchmark failed on the kernel $1 (log: $work/$1/output.log)"
	tr -d '\r' < "$work/$1/output.log" |
		awk -f "$scripts/measure/bench.awk" "$work/$1/oracle.log" - > "$work/$1.txt"
	awk -F '\t' '!$2 { exit 1 } END { exit !NR }' "$work/$1.txt" ||
		die "the benchmark did not count everything on the kernel $1 (log: $work/$1.txt)"
}

make -s -C "$TOP" kernel FLAVOR=release BASE="$BASE" >&2
selftests=$("$scripts/selftests/build-kvm.sh")
measure stock-base
measure stock
[ "$(cut -f 1 "$work/stock-base.txt")" = "$(cut -f 1 "$work/stock.txt")" ] ||
	die "the benchmark counted other operations on one kernel than on the other (see $work)"

paste -d "$tab" "$work/stock-base.txt" "$work/stock.txt" | awk -F '\t' '
	BEGIN { printf "%-40s %10s %10s %7s\n", "kernel instructions per operation", "unpatched", "ours", "ratio" }
	{ printf "%-40s %10d %10d %7.3f\n", $1, $2, $4, $4 / $2 }' | tee "$out/$BASE.txt"
paste -d "$tab" "$work/stock-base.txt" "$work/stock.txt" | awk -F '\t' -v base="$BASE" '
	BEGIN { printf "{\"base\": \"%s\", \"operations\": [", base }
	{ printf "%s\n  {\"operation\": \"%s\", \"unpatched\": %d, \"ours\": %d}", (NR > 1 ? "," : ""), $1, $2, $4 }
	END { print "\n]}" }' > "$out/$BASE.json"
