#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Boots a kernel on a machine and gives a shell there, or runs one program.
#
# FLAVOR=stock|stock-base|release|debug|kcsan|base   stock is Debian's kernel with our
#                    modules, stock-base with unpatched ones
# MACHINE=vtd|vtd-snoop|amd|none   VT-d that cannot or can enforce coherency, AMD-Vi, or
#                    no IOMMU in use, for mock devices
# CPUS=2             of the machine
# RUN=program,arg    one of the selftests, or a file; without it, a shell
set -eu

# shellcheck source=scripts/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"
# shellcheck source=scripts/machine/boot-programs.sh
. "$TOP/scripts/machine/boot-programs.sh"

out=$TOP/build/$BASE/boot
words='' machine_options=''
case ${MACHINE:-vtd} in
vtd) words=snoop=off machine_options='-s off' ;;
vtd-snoop) words=snoop=on machine_options='-s on' ;;
amd) machine_options=-a ;;
none) words=intel_iommu=off ;;
*) die "MACHINE=$MACHINE is not a machine: use vtd, vtd-snoop, amd or none" ;;
esac

boot_kernel "$FLAVOR"
make -s -C "$TOP" kernel BASE="$BASE" FLAVOR=release >&2
selftests=$("$TOP/scripts/selftests/build-kvm.sh")
set -- "$("$TOP/scripts/selftests/build-iommu.sh")"/*
for file in "$selftests"/*; do
	case ${file##*/} in
	*.*) ;;
	*) set -- "$@" "$file" ;;
	esac
done

# shellcheck disable=SC2046 # a list of words
set -- "$@" $("$TOP/scripts/selftests/build-tool.sh")

options="$machine_options -c ${CPUS:-2} -b -d 2"
if [ -n "${RUN-}" ]; then
	program=${RUN%%,*}
	[ ! -e "$program" ] || set -- "$@" "$program"
	words="$words run=/tests/$(basename "$program")${RUN#"$program"}"
else
	words="$words shell"
	options="$options -T"
fi
status=0
# shellcheck disable=SC2086 # a list of words
boot_machine "$out" "$*" "$words" $options || status=$?
[ -n "${RUN-}" ] || exit $status
tr -d '\r' < "$out/output.log"
echo "logs: $out"
grep -q '^exit: 0 ' "$out/output.log" || exit 1
exit $status
