# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# For test units that boot the same programs on several machines; sourced after
# lib.sh. The unit sets $unit, its name, and $tests, programs that
# scripts/build-selftests.sh makes; $failed is what it is to exit with. $machine
# is what points call a machine that is not VT-d with or without snoop control.

# shellcheck disable=SC2034 # the unit exits with it
failed=0

# boot_unit FLAVOR SNOOP PHASES WORDS [boot-qemu.sh's other options]
boot_unit() {
	wanted "$1" || return 0
	boot_flavor=$1 boot_snoop=$2 boot_phases=$3 boot_words=$4
	shift 4
	boot_out=$TOP/build/$BASE/test/${unit:?}/$boot_flavor-$boot_snoop
	boot_label="$boot_flavor, ${machine:-VT-d, snoop control $boot_snoop}"

	make -s -C "$TOP" kernel BASE="$BASE" FLAVOR="$boot_flavor" >&2
	[ -n "${boot_tests-}" ] || {
		[ "$boot_flavor" = release ] || make -s -C "$TOP" kernel BASE="$BASE" FLAVOR=release >&2
		boot_tests=$("$TOP/scripts/build-selftests.sh")
	}

	# shellcheck disable=SC2046 # a list of words
	"$TOP/scripts/initramfs.sh" -m "$(object_tree "$boot_flavor")/mod" "$boot_out.gz" \
		$(for boot_test in ${tests:?}; do echo "$boot_tests/$boot_test"; done)

	boot_result=ok
	"$TOP/scripts/boot-qemu.sh" -k "$(object_tree "$boot_flavor")/arch/x86/boot/bzImage" \
		-i "$boot_out.gz" -o "$boot_out" -s "$boot_snoop" -t 3000 \
		-x "snoop=$boot_snoop $boot_words" "$@" || boot_result='not ok' failed=1
	echo "$boot_result 1 - $boot_label: the machine ran to its end and the kernel did not complain"
	echo "1..1"
	"$TOP/scripts/oracle-tap.sh" -t -p "$boot_phases" -l "$boot_label" "$boot_out" || failed=1
}
