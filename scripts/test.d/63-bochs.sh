#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# The same programs on VT-x with EPT, which Bochs emulates, with one CPU and no oracle.
# The programs themselves check results, by the MMU's tracepoints and by statistics.
set -eu

# shellcheck source=scripts/lib.sh
. "${0%/*}/../lib.sh"

scripts=$TOP/scripts
out=$TOP/build/$BASE/test/bochs
tests="noncoherent_dma_ept_test noncoherent_dma_edge_test noncoherent_dma_entry_test
noncoherent_dma_policy_test"

make -s -C "$TOP" kernel FLAVOR=release BASE="$BASE" >&2
selftests=$("$scripts/selftests/build-kvm.sh")

run='kvm.force_emulation_prefix=1' files=
for test in ${ONLY:-$tests}; do
	files="$files $selftests/$test"
	run="$run run=/tests/$test"
done
# shellcheck disable=SC2086 # a list of words
"$scripts/machine/initramfs.sh" -m "$(object_tree release)/mod" "$out/initramfs.gz" $files
"$scripts/machine/boot-bochs.sh" -k "$(make -s -C "$TOP" kernel-path FLAVOR=release BASE="$BASE")" \
	-i "$out/initramfs.gz" -o "$out" -x "$run" -t 1800

# What the programs announced for the oracle has nobody to check it here
mkdir -p "$out/judged"
cp "$out/programs" "$out/judged"
grep -av '^oracle: ' "$out/output.log" > "$out/judged/output.log"
: > "$out/judged/oracle.log"
"$scripts/judge/oracle-tap.sh" -t "$out/judged"
