#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# An unmodified QEMU inside the machine, with the device assigned by iommufd and
# by type1, cold- and hot-plugged: how often does its guest's WBINVD flush the
# host's caches, and does kvm-coherency know why? Also shows the unpatched kernel's
# results, in build/$BASE/test as well. make test-all runs QEMU on the debug kernel.
set -eu

# shellcheck source=scripts/lib.sh
. "${0%/*}/../lib.sh"
# shellcheck source=scripts/machine/boot-programs.sh
. "${0%/*}/../machine/boot-programs.sh"

scripts=$TOP/scripts
selftests=$TOP/tools/testing/selftests/kvm
out=$TOP/build/$BASE/test/stock-qemu
table=$TOP/build/$BASE/test/stock-qemu.txt
phases=13
leaks=${LEAKS:-no}

mkdir -p "$out"
root=$("$scripts/machine/emulator.sh" -r)

tool=$("$scripts/selftests/build-tool.sh")
need_packages gcc libc6-dev
"$scripts/machine/bios.sh" "$out/bios.bin"
cc -std=gnu11 -O2 -Wall -Wextra -static -I"$selftests/include" \
	-o "$out/stock_qemu_test" "$selftests/x86/stock_qemu_test.c"

# boot FLAVOR SNOOP FLUSHES
boot() {
	boot_kernel "$1"
	boot_machine "$out/$1-$2" \
		"$out/stock_qemu_test $out/bios.bin $scripts/machine/stock-qemu-guest.sh $tool" \
		"run=/tests/stock-qemu-guest.sh,$3" -s "$2" -t 1500 -- \
		-virtfs "local,path=$root,mount_tag=stock,security_model=none,readonly=on,multidevs=remap"
}

points=0 failed=0

# asked FLAVOR SNOOP: a flush that is missing means nothing unless it was asked for
asked() {
	points=$((points + 1))
	awk -v phases=$phases '$1 == "phase" && $2 < 65534 { n += $6 == 100 }
		END { exit n != phases }' "$out/$1-$2/oracle.log" || { printf 'not '; failed=1; }
	echo "ok $points - $1, snoop control $2: the guest executed 100 WBINVDs in each phase"
}

# ours FLAVOR SNOOP FLUSHES
ours() {
	wanted "$1" || return 0
	boot "$1" "$2" "$3" || failed=1
	"$scripts/judge/oracle-tap.sh" -p $phases -l "$1, snoop control $2" "$out/$1-$2" || failed=1
	asked "$1" "$2"
}

ours stock off 100
ours stock on 0
if named debug; then
	ours debug off 100
	ours debug on 0
fi

wanted stock-base || {
	echo "1..$points"
	exit $failed
}
for snoop in off on; do
	points=$((points + 1))
	{ boot stock-base $snoop - && "$scripts/judge/oracle-tap.sh" -p $phases "$out/stock-base-$snoop" >&2; } ||
		{ printf 'not '; failed=1; }
	echo "ok $points - unpatched, snoop control $snoop: it runs, for comparison"
done
echo "1..$points"

# Host flushes per phase, of the runs given, side by side
compare() {
	for run; do
		"$scripts/judge/oracle-tap.sh" "$out/$run" | sed -n 's/^[a-z ]*ok [0-9]* - \(.*\): \([0-9]*\) host flushes.*/\1|\2/p' > "$out/$run/flushes" || :
	done
	awk -F '|' 'FNR == 1 { runs++ }
		{ n[runs, $1] = $2 }
		runs == 1 { names[++count] = $1 }
		function seen(run, name) { return (run, name) in n ? n[run, name] : "-" }
		END {
			printf "%-38s %14s %14s\n", "host flushes for 100 guest WBINVDs:", "snoop off", "snoop on"
			printf "%-38s %14s %14s\n", "", "ours unpatched", "ours unpatched"
			for (i = 1; i <= count; i++)
				printf "%-38s %4s %9s %4s %9s\n", names[i], seen(1, names[i]), seen(2, names[i]), seen(3, names[i]), seen(4, names[i])
		}' "$out/stock-off/flushes" "$out/stock-base-off/flushes" "$out/stock-on/flushes" "$out/stock-base-on/flushes"
}

compare stock-off stock-base-off stock-on stock-base-on > "$table"
sed 's/^/# /' "$table"
exit $failed
