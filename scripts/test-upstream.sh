#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Runs upstream's own selftests of iommufd, KVM and, where the base has them, VFIO
# on the unpatched kernel and on ours, and prints the results side by side.
#
# test-upstream.sh [PROGRAM...]    such as iommufd or x86_64-smm_test; all by default
#
# A program that ends differently on the two may be flaky, and runs once more on both.
# Fails if a test passes on the unpatched kernel and fails on ours.
set -eu

scripts=$(dirname "$(readlink -f "$0")")
# shellcheck source=scripts/lib.sh
. "$scripts/lib.sh"

work=$TOP/build/$BASE/upstream
left_out=$TOP/tools/testing/upstream/left-out-$BASE.txt
unset MAKEFLAGS MFLAGS MAKEOVERRIDES MAKELEVEL O V

build_text() {
	echo "upstream's selftests: $(find "$work/built" -name '*.o' | wc -l) objects"
}

# suite NAME WORD...: one directory of upstream's selftests, from the pristine tree.
# Some may not build; they are in the table then.
suite() {
	suite=$1
	shift
	mkdir -p "$work/built/$suite"
	logged "$LOGS/upstream-build-$suite.log" build_text \
		make -k -C "$tree/$suite" ARCH=x86 OUTPUT="$work/built/$suite" LDFLAGS=-static \
		KHDR_INCLUDES="-isystem $headers" -j"${JOBS:-$(nproc)}" "$@" all || :
}

# What is run, under names without a slash, and stripped as it goes into memory
collect() {
	mkdir -p "$1"
	find "$work/built" -type f -perm -u+x ! -name '*.so' -printf '%P\n' | while read -r file; do
		name=$(echo "${file#*/}" | tr / -)
		! grep -q "^$name:" "$left_out" || continue
		strip -o "$1/$name" "$work/built/$file"
	done
}

# start KERNEL FLAVOR RUN PROGRAMS: in a process group of its own
start() {
	setsid "$scripts/upstream/machine.sh" "$2" "$4" "$work/$1-$3" "$limit" &
}

# results KERNEL RUN: leaves them in $work/KERNEL.RUN
results() {
	cat "$work/$1-$2".[0-9]/console.log > "$work/$1-$2.log"
	cat "$work/$1-$2".[0-9]/output.log | awk -f "$scripts/upstream/results.awk" > "$work/$1.$2"
	# shellcheck source=scripts/judge/boot-verdict.sh
	if (. "$scripts/judge/boot-verdict.sh" && grep -aqE "$splat" "$work/$1-$2.log"); then
		printf 'the kernel does not complain\tfail\n'
	else
		printf 'the kernel does not complain\tpass\n'
	fi >> "$work/$1.$2"
}

# boots RUN PROGRAMS: both machines at a time
boots() {
	start base base "$@"
	boots_base=$!
	trap 'kill -s TERM -- "-$boots_base"; exit 130' HUP INT TERM
	start ours release "$@"
	boots_ours=$!
	trap 'kill -s TERM -- "-$boots_base" "-$boots_ours"; exit 130' HUP INT TERM
	wait "$boots_base" || echo "note: base did not get to its end" >&2
	wait "$boots_ours" || echo "note: ours did not get to its end" >&2
	trap - HUP INT TERM
	results base "$1"
	results ours "$1"
}

[ $# -eq 0 ] || chosen=$*
limit=300
for flavor in base release; do
	make -s -C "$TOP" kernel BASE="$BASE" FLAVOR="$flavor" >&2
done
need_packages binutils gcc libc6-dev make
tree=$(source_tree base)/tools/testing/selftests
headers=$(object_tree base)/usr/include
mkdir -p "$work" "$LOGS"
exec 7> "$work/lock"
lock 7 -x "another make test-upstream"

# Those of later kernels ask for capabilities, and KVM's have the library of VFIO's
[ ! -d "$tree/vfio" ] || need_packages libcap-dev uuid-dev
suite kvm
# 6.12.107 has tests of what came later: it is enough that they compile, and most
# of them pass where these flags ask for nothing
set --
grep -q MOCK_FLAGS_DEVICE_PASID "$tree/../../../drivers/iommu/iommufd/iommufd_test.h" ||
	set -- CPPFLAGS="-Din_data_type=out_data_type -DIOMMU_HW_INFO_TYPE_DEFAULT=0 \
-DIOMMU_HW_INFO_FLAG_INPUT_TYPE=0 -DMOCK_FLAGS_DEVICE_PASID=0 -DMOCK_PASID_WIDTH=0"
suite iommu "$@"
[ ! -d "$tree/vfio" ] || suite vfio

rm -rf "$work/programs" "$work/again" "$work"/base[-.]* "$work"/ours[-.]*
collect "$work/programs"
if [ -n "${chosen-}" ]; then
	find "$work/programs" -type f | while read -r file; do
		case " $chosen " in *" ${file##*/} "*) ;; *) rm "$file" ;; esac
	done
fi
boots first "$work/programs"

# A point belongs to the program before the colon
sort "$work/base.first" > "$work/base.sorted"
sort "$work/ours.first" | comm -3 - "$work/base.sorted" | tr -d '\t' > "$work/different"
mkdir "$work/again"
find "$work/programs" -type f | while read -r file; do
	! grep -q "^${file##*/}\(: \|pass\|fail\|skip\|timeout\)" "$work/different" || cp "$file" "$work/again"
done
[ -z "$(ls "$work/again")" ] || boots again "$work/again"

status=0
set -- "$work"/base.first "$work"/ours.first
[ ! -e "$work/base.again" ] || set -- "$@" "$work"/base.again "$work"/ours.again
awk -v json=1 -f "$scripts/upstream/table.awk" "$@" > "$work/table.json" || status=1
{
	awk -f "$scripts/upstream/table.awk" "$@" || :
	[ -d "$tree/vfio" ] || echo "vfio: Linux $BASE has no selftests of it"
	[ -n "$(apt-cache search --names-only '^kvm-unit-tests$')" ] || echo "kvm-unit-tests: Debian has no such package"
	sed '/^#/d; s/^/left out: /' "$left_out"
} > "$work/table.txt"
cat "$work/table.txt"
[ "$status" = 0 ]
