#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# The demo: boots Debian's own kernel with our modules, and then with the same
# modules unpatched, on a machine whose IOMMU cannot enforce coherency and on one
# whose IOMMU can. Runs the reference VMM there, and prints KVM's state beside what the
# machine executed.
#
# BASE=6.12|7.3    kernel
# COMPARE=0        without the unpatched modules
#
# Exits 1 if any step of this kernel is wrong. build/demo/ has result.json,
# timeline.svg and each machine's console and flush counts.
set -eu

scripts=$(dirname "$(readlink -f "$0")")
# shellcheck source=scripts/lib.sh
. "$scripts/lib.sh"
# shellcheck source=scripts/machine/boot-programs.sh
. "$scripts/machine/boot-programs.sh"

out=$TOP/build/demo
device=0000:00:05.0

kernels=ours
[ "${COMPARE:-1}" = 0 ] || kernels="ours unpatched"
# All of them before the first long step
need_packages busybox-static cpio gcc gnuplot-nox libc6-dev
mkdir -p "$LOGS"
"$scripts/machine/emulator.sh" > /dev/null

exec 6> "$TOP/build/lock-demo"
lock 6 -x "another demo"
rm -rf "$out"
mkdir -p "$out/include/linux"
KVM_IOMMUFD_CHOICE=$("$scripts/kernel/choose.sh")
export KVM_IOMMUFD_CHOICE

# uapi FROM TO: without what is for the kernel alone, as headers_install has it
uapi() {
	sed 's/\<__user\>//; /^#include <linux\/compiler/d' "$1" > "$out/include/$2"
}

# The kernel's uAPI is the one that the modules were compiled with
compile_vmm() {
	headers=$(dirname "$(dirname "$("$scripts/modules.sh" image)")")/usr/src
	for header in linux/kvm.h linux/kvm_iommufd.h linux/iommufd.h linux/vfio.h; do
		from=$TOP/build/$BASE/modules-${KVM_IOMMUFD_CHOICE#* }/tree/include/uapi/$header
		[ -e "$from" ] || from=$(echo "$headers"/*-common/include/uapi/"$header")
		uapi "$from" "$header"
	done
	${CC:-cc} -O2 -Wall -static -o "$out/coherency_vmm" -isystem "$out/include" \
		-I "$TOP/tools/testing/selftests/kvm/include" "$TOP/samples/kvm/coherency_vmm.c"
}

# demonstrate ours|unpatched
demonstrate() {
	case $1 in
	ours) flavor=stock whose=our words=run=/tests/guest.sh,$device ;;
	unpatched) flavor=stock-base whose=unpatched words=run=/tests/guest.sh,--upstream,$device ;;
	esac
	boot_kernel "$flavor"
	[ -e "$out/coherency_vmm" ] || compile_vmm
	files="$out/coherency_vmm $scripts/demo/guest.sh"
	echo "demo: booting Debian's ${KVM_IOMMUFD_CHOICE#* } with $whose modules, snoop control off, and on"
	# Side by side, and the progress of one of them is enough
	boot_machine "$out/$1-on" "$files" "$words" -s on 2> "$out/$1-on.err" &
	on=$!
	status=0
	boot_machine "$out/$1-off" "$files" "$words" -s off || status=$?
	wait $on || failed "$out/$1-on.err" "the machine with snoop control failed"
	[ $status = 0 ] || exit $status
	for snoop in off on; do
		awk -v kernel="$1" -v snoop="$snoop" -f "$scripts/demo/judge.awk" \
			"$out/$1-$snoop/output.log" "$out/$1-$snoop/oracle.log" >> "$out/facts"
	done
	awk -f "$scripts/demo/json.awk" "$out/facts" > "$out/result.json"
	echo
	awk -v color=$color -f "$scripts/demo/table.awk" "$out/facts"
}

color=0
[ ! -t 1 ] || color=1
for kernel in $kernels; do
	demonstrate "$kernel"
done
"$scripts/demo/timeline.sh" "$out"
echo "see also build/demo/timeline.svg and build/demo/result.json"
! grep -q '^kernel=ours .* verdict=wrong ' "$out/facts"
