# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# For test units that boot the same programs on several machines; sourced after
# lib.sh. The unit sets $unit to its name, $tests to programs that
# scripts/selftests/build-kvm.sh makes, and optionally $modules to kernel modules of
# scripts/selftests/build-kvm-modules.sh and $files to other files that they need. It exits
# with $failed.
# $machine names machines other than VT-d with or without snoop control in test points.
#
# ONLY=program in the environment boots that program alone, once: on the first machine
# of the unit that would run it, except for unpatched ones.
# shellcheck disable=SC2034 # $failed is for the unit

# shellcheck source=scripts/judge/emulator-faults.sh
. "$TOP/scripts/judge/emulator-faults.sh"

# The unit exits with it
failed=0

# boot_kernel FLAVOR: makes it, and leaves what boots it in boot_image, the root of its
# modules in boot_modroot, and in boot_how boot-qemu.sh's options for it. "stock" is
# Debian's kernel with our modules, the form that people have, "stock-base" with
# unpatched ones; "kcsan" is the release kernel that looks for data races.
boot_kernel() {
	boot_races=
	[ "$1" != kcsan ] || boot_races='kcsan.early_enable=1 '
	case $1 in
	stock | stock-base)
		boot_of=release
		[ "$1" = stock ] || boot_of=base
		make -s -C "$TOP" modules BASE="$BASE" FLAVOR=$boot_of >&2
		boot_image=$(make -s -C "$TOP" image-path BASE="$BASE" FLAVOR=$boot_of)
		boot_modroot=$(make -s -C "$TOP" modules-path BASE="$BASE" FLAVOR=$boot_of)
		boot_modroot=${boot_modroot%/lib/modules/*}
		boot_how=-j
		;;
	*)
		make -s -C "$TOP" kernel BASE="$BASE" FLAVOR="$1" >&2
		boot_image=$(object_tree "$1")/arch/x86/boot/bzImage
		boot_modroot=$(object_tree "$1")/mod
		boot_how=
		;;
	esac
}

# "no" turns kmemleak off, which triples the time of a boot of the debug kernel. Units that
# do so take it from LEAKS in the environment, and 46-leaks of make test-all sets that.
: "${leaks:=yes}"

# boot_machine OUT FILES WORDS [boot-qemu.sh's other options]: boots the kernel of
# boot_kernel with FILES, a list of words, in its initramfs. OUT gets the logs.
#
# QEMU's APIC repeats a periodic tick by itself: a CPU whose interrupt QEMU has lost gets the
# next one. Whoever programs each tick anew sleeps on: see "nudge" in init.sh.
boot_machine() {
	machine_out=$1 machine_files=$2 machine_words=$3 machine_boots=0
	shift 3
	# shellcheck disable=SC2086 # a list of words
	"$TOP/scripts/machine/initramfs.sh" -m "$boot_modroot" "$machine_out.gz" $machine_files
	# shellcheck disable=SC2086 # none or one word
	until "$TOP/scripts/machine/boot-qemu.sh" $boot_how -k "$boot_image" -i "$machine_out.gz" -o "$machine_out" \
		-x "${boot_how:+nudge }nohz=off highres=off $boot_races$([ "$leaks" = yes ] || echo 'kmemleak=off ')$machine_words" "$@"; do
		machine_boots=$((machine_boots + 1))
		[ "$machine_boots" -le 2 ] || return 1
		machine_fault=$(emulator_fault "$machine_out/console.log") || return 1
		echo "# $machine_fault: this machine boots again"
	done
}

# boot_behind OUT WORDS: those of WORDS but for the programs that were begun in OUT, which
# from now on are all that OUT is judged by
boot_behind() {
	behind_begun=$(grep -ac '^run: ' "$1/output.log" 2> /dev/null || :)
	head -n "${behind_begun:-0}" "$1/programs" > "$1/programs.begun"
	mv "$1/programs.begun" "$1/programs"
	for behind_word in $2; do
		case $behind_word in
		run=*)
			behind_begun=$((${behind_begun:-0} - 1))
			[ "$behind_begun" -lt 0 ] || continue
			;;
		esac
		printf '%s ' "$behind_word"
	done
}

# boot_judged PHASES [boot-qemu.sh's other options]: boots $boot_files with $boot_words in
# $boot_out, and prints its points
boot_judged() {
	judged_phases=$1 boot_result=ok
	shift
	boot_machine "$boot_out" "$boot_files" "$boot_words" "$@" || boot_result='not ok' failed=1
	boot_left=
	[ "$boot_result" = ok ] || boot_left=$(boot_behind "$boot_out" "$boot_words")
	echo "$boot_result 1 - $boot_label: the machine ran to its end and the kernel did not complain"
	[ "$boot_result" = ok ] || sed 's/^/# /' "$boot_out/why" 2> /dev/null || :
	echo "1..1"
	"$TOP/scripts/judge/oracle-tap.sh" -t ${judged_phases:+-p "$judged_phases"} -l "$boot_label" "$boot_out" ||
		failed=1
}

# only_words: drops the programs other than $ONLY from $boot_words; fails if there is none
# left
only_words() {
	only_found=1 only_left=
	for only_word in $boot_words; do
		case $only_word, in
		run=/tests/"$ONLY",*) only_found=0 ;;
		run=/tests/*) continue ;;
		esac
		only_left="$only_left $only_word"
	done
	boot_words=$only_left
	return $only_found
}

# boot_only FLAVOR: is this the boot that $ONLY asks for? It has fewer phases then.
boot_only() {
	case $1:${only_booted-} in
	base:* | stock-base:* | *:1) return 1 ;;
	esac
	only_words || return 1
	only_booted=1 boot_phases=''
}

# boot_unit FLAVOR SNOOP PHASES WORDS [boot-qemu.sh's other options]: runs the programs that
# WORDS name. Those behind the one at which a machine died run in another.
boot_unit() {
	wanted "$1" || return 0
	boot_flavor=$1 boot_snoop=$2 boot_phases=$3 boot_words="snoop=$2 $4"
	shift 4
	[ -z "${ONLY-}" ] || boot_only "$boot_flavor" || return 0
	boot_out=$TOP/build/$BASE/test/${unit:?}/$boot_flavor-$boot_snoop
	boot_label="$boot_flavor, ${machine:-VT-d, snoop control $boot_snoop}"
	set -- -s "$boot_snoop" -t 3000 "$@"

	boot_kernel "$boot_flavor"
	[ -n "${boot_tests-}" ] || {
		[ "$boot_flavor" = release ] || make -s -C "$TOP" kernel BASE="$BASE" FLAVOR=release >&2
		boot_tests=$("$TOP/scripts/selftests/build-kvm.sh")
	}
	[ -z "${modules-}" ] || boot_modules=$("$TOP/scripts/selftests/build-kvm-modules.sh" "$boot_flavor")
	boot_files=$(for boot_test in ${tests:?}; do echo "$boot_tests/$boot_test"; done
		for boot_module in ${modules-}; do echo "$boot_modules/$boot_module.ko"; done
		echo "${files-}")
	# Races have to be as likely as on the other kernels
	[ -z "$boot_how" ] || boot_words="preempt=full $boot_words"

	boot_judged "$boot_phases" "$@"
	boot_died=0
	while case $boot_left in *run=*) [ $boot_died -lt 5 ] ;; *) false ;; esac; do
		boot_died=$((boot_died + 1))
		boot_words=$boot_left boot_out=${boot_out%.[0-9]}.$boot_died
		boot_judged '' "$@"
	done
}
