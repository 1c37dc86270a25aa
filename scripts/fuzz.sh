#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Fuzzes the uAPI on the debug kernel, with iommufd's mock devices or with real ones.
# Prints TAP, with a table of the calls and the coverage.
#
# In the environment:
#   DURATION=n       seconds in all (default 60)
#   SEED=n           of everything random (default 1)
#   MACHINES=...     mock (default), real or both, each for a share of the time
#   PROGRAM=file     run this program once instead, on the machine that MACHINES names
#   UPDATE_CORPUS=1  replace the corpus in the tree by the final one
#
# build/fuzz/MACHINE/ has the console and the output, share/programs the final corpus, and
# share/current the program that ran last.
set -eu

# shellcheck source=scripts/lib.sh
. "${0%/*}/lib.sh"
# shellcheck source=scripts/machine/boot-programs.sh
. "$TOP/scripts/machine/boot-programs.sh"

: "${DURATION:=60}" "${SEED:=1}" "${MACHINES:=mock}"
program=noncoherent_dma_fuzz
# With it edges zap and flush on the emulated SVM, too
module=guest_pat_ignorable
corpus=$TOP/tools/testing/selftests/kvm/x86/$program.corpus

# How many places of the kernel can be reached: KCOV is called at each
instrumented() {
	cd "$(object_tree debug)"
	# shellcheck disable=SC2086 # a list of words
	objdump -dr $our_objects |
		grep -c __sanitizer_cov_trace_pc
}

# share MACHINE: the directory that the host and the machine have in common
share() {
	rm -rf "$1/share"
	mkdir -p "$1/share/corpus"
	if [ -n "${PROGRAM-}" ]; then
		cp "$PROGRAM" "$1/share/program"
	else
		find "$corpus/${1##*/}" -type f -exec cp -t "$1/share/corpus" {} + 2> /dev/null || :
	fi
}

# boot MACHINE: runs the fuzzer and shows what it says every ten seconds
boot() {
	out=$TOP/build/fuzz/$1
	mkdir -p "$out"
	share "$out"
	# What KASAN finds may well hang the machine next
	words='rcupdate.rcu_expedited=1 snoop=off kasan.fault=panic'
	[ "$1" != mock ] || words="$words intel_iommu=off"
	rm -f "$out/output.log"
	# Two functions of one device share a group as well as two devices behind a bridge,
	# which would be reset with its bus at each use, and for a second
	tail -n +1 --pid=$$ -F "$out/output.log" 2> /dev/null |
		grep -a --line-buffered '^# [0-9]* s:' >&2 &
	result=ok
	words="$words limit=$((each * 3 + 800)) run=insmod,/tests/$module.ko"
	boot_machine "$out" "$selftests/$program $modules/$module.ko" "$words run=/tests/$program,$options,$1" \
		-c 4 -d 2 -m 512M -t $((each * 3 + 900)) -- \
		-device edu,addr=7.0,multifunction=on -device edu,addr=7.1 \
		-virtfs "local,path=$out/share,mount_tag=fuzz,security_model=none,multidevs=remap" ||
		result='not ok' failed=1
	echo "$result 1 - $1: the machine ran to its end and the kernel did not complain"
	echo "1..1"
	[ "$result" = ok ] || sed 's/^/# last program: /' "$out/share/current"
	tr -d '\r' < "$out/output.log" | sed -n '/^run: /,/^exit: /{ /^#/p; }'
	"$TOP/scripts/judge/oracle-tap.sh" -t -l "$1" "$out" || failed=1
}

# update MACHINE
update() {
	rm -rf "${corpus:?}/$1"
	mkdir -p "$corpus/$1"
	cp "$TOP/build/fuzz/$1/share/programs/"* "$corpus/$1/"
	echo "# $corpus/$1: $(find "$corpus/$1" -type f | wc -l) programs"
}

make -s -C "$TOP" kernel FLAVOR=release BASE="$BASE" >&2
selftests=$("$TOP/scripts/selftests/build-kvm.sh")
boot_kernel debug
modules=$("$TOP/scripts/selftests/build-kvm-modules.sh" debug)

failed=0
# shellcheck disable=SC2086 # a list of words
each=$((DURATION / $(set -- $MACHINES; echo $#)))
options=-s,$each,-S,$SEED,-b,$(instrumented)
[ "${UPDATE_CORPUS:-0}" != 1 ] || options=$options,-m
[ -z "${PROGRAM-}" ] || options=-r,program
for machine in $MACHINES; do
	boot "$machine"
	[ "${UPDATE_CORPUS:-0}$failed" != 10 ] || update "$machine"
done
exit "$failed"
