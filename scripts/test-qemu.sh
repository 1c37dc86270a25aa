#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# test-qemu.sh: QEMU with the queue in contrib/qemu (qemu.sh) inside the machine, on Debian's
# kernel with our modules and on the same with unpatched ones. What guests flush is counted by
# the oracle. Prints TAP.
set -eu

# shellcheck source=scripts/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"
# shellcheck source=scripts/machine/boot-programs.sh
. "$TOP/scripts/machine/boot-programs.sh"

scripts=$TOP/scripts
selftests=$TOP/tools/testing/selftests/kvm
out=$TOP/build/$BASE/test/qemu

mkdir -p "$out"
"$scripts/qemu.sh" >&2
root=$("$scripts/machine/emulator.sh" -r)
need_packages gcc libc6-dev
"$scripts/machine/bios.sh" "$out/bios.bin"
cc -std=gnu11 -O2 -Wall -Wextra -static -I"$selftests/include" \
	-o "$out/qemu_policy_test" "$selftests/x86/qemu_policy_test.c"
files="$out/qemu_policy_test $out/bios.bin $("$scripts/qemu.sh" path) $scripts/machine/stock-qemu-guest.sh"

# boot FLAVOR SNOOP FLUSHES PHASES [OPTION]
boot() {
	boot_kernel "$1"
	boot_machine "$out/$1-$2" "$files" "run=/tests/stock-qemu-guest.sh,$3,qemu_policy_test${5:+,$5}" \
		-s "$2" -t 1500 -- \
		-virtfs "local,path=$root,mount_tag=stock,security_model=none,readonly=on,multidevs=remap" ||
		failed=1
	"$scripts/judge/oracle-tap.sh" -p "$4" -l "$1, snoop control $2" "$out/$1-$2" || failed=1
}

boot stock off 100 19
boot stock on 0 23
boot stock-base off - 2 -o
exit $failed
