#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# The demo: boots this kernel, and the unpatched one beside it, on a machine
# whose IOMMU cannot enforce coherency and on one whose can, runs the reference
# VMM there, and prints what KVM said beside what the machine executed.
#
# BASE=6.12|7.3    kernel
# COMPARE=0        without the unpatched kernel
#
# Exits 1 if any step of this kernel is wrong. build/demo/ has result.json,
# timeline.svg and each machine's console and flush counts.
set -eu

scripts=$(dirname "$(readlink -f "$0")")
# shellcheck source=scripts/lib.sh
. "$scripts/lib.sh"

out=$TOP/build/demo
device=0000:00:05.0

kernels=ours
[ "${COMPARE:-1}" = 0 ] || kernels="ours unpatched"
# All of them before the first long step
need_packages busybox-static cpio gcc gnuplot-nox libc6-dev qemu-system-x86

flavor_of() {
	case $1 in
	ours) echo release ;;
	unpatched) echo base ;;
	esac
}

for kernel in $kernels; do
	make --no-print-directory -C "$TOP" kernel BASE="$BASE" FLAVOR="$(flavor_of "$kernel")"
done

exec 6> "$TOP/build/lock-demo"
lock 6 -x "another demo"
rm -rf "$out"
mkdir -p "$out"

${CC:-cc} -O2 -Wall -static -o "$out/coherency_vmm" -isystem "$(object_tree release)/usr/include" \
	-I "$TOP/tools/testing/selftests/kvm/include" "$TOP/samples/kvm/coherency_vmm.c"

boots=0
for kernel in $kernels; do
	objects=$(object_tree "$(flavor_of "$kernel")")
	words=run=/tests/demo-guest.sh,$device
	[ "$kernel" = ours ] || words=run=/tests/demo-guest.sh,--upstream,$device
	"$scripts/initramfs.sh" -m "$objects/mod" "$out/$kernel.img" \
		"$out/coherency_vmm" "$scripts/demo-guest.sh"

	for snoop in off on; do
		boots=$((boots + 1))
		echo "demo: boot $boots of $(($(echo "$kernels" | wc -w) * 2)): $kernel, snoop control $snoop"
		run=$out/$kernel-$snoop
		"$scripts/boot-qemu.sh" -k "$objects/arch/x86/boot/bzImage" -i "$out/$kernel.img" -o "$run" \
			-s "$snoop" -x "$words"
		awk -v kernel="$kernel" -v snoop="$snoop" -f "$scripts/demo-judge.awk" \
			"$run/console.log" "$run/oracle.log" >> "$out/facts"
	done
done

awk -f "$scripts/demo-json.awk" "$out/facts" > "$out/result.json"
"$scripts/demo-timeline.sh" "$out"

color=0
[ ! -t 1 ] || color=1
echo
awk -v color=$color -f "$scripts/demo-table.awk" "$out/facts"
echo "see also build/demo/timeline.svg and build/demo/result.json"
! grep -q '^kernel=ours .* verdict=wrong ' "$out/facts"
