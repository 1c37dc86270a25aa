# shellcheck shell=sh
# SPDX-License-Identifier: GPL-2.0
# Shared by mutate.sh and its workers: mutations and the verdicts on them. Sourced after
# lib.sh.

# shellcheck disable=SC2034 # for who sources this
mutations=$TOP/tools/testing/mutations
work=$TOP/build/mutate
# Where no unit is named, and where those that are do not notice
everybody='41-mock 50-vtd 60-x86 63-bochs'

# diffs NAME: the mutation and its variants
diffs() {
	ls "$mutations/$1.patch" "$mutations/$1".*.patch 2> /dev/null || :
}

title() {
	sed -n '1s/^# *//p' "$mutations/$1.patch"
}

# meant NAME: who is to notice, words UNIT or UNIT:PROGRAM
meant() {
	sed -n '2s/^# units: *//p' "$mutations/$1.patch"
}

# noticers NAME: all who may, in the order in which they are asked
noticers() {
	meant_words=$(meant "$1")
	echo "${meant_words:-$everybody}"
}

# tree_key TREE: names all that a verdict depends on but the mutation itself
tree_key() {
	(
		cd "$1" || exit
		echo "${KERNEL_SRC-} $("$TOP/scripts/kernel/choose.sh")"
		gcc -dumpfullversion
		find Makefile VERSION arch configs dkms drivers include patches scripts virt tools samples \
			-path tools/testing/mutations -prune -o -type f -print0 |
			sort -z | xargs -0 sha256sum
	) | sha256sum | cut -d ' ' -f 1
}

# verdict_of KEY ITEM: the file that has it. ITEM is 2-NAME for a mutation, 1-WORD for
# proof that who is meant passes without one.
verdict_of() {
	{
		echo "$1 $2"
		[ "${2%%-*}" = 1 ] || diffs "${2#2-}" | xargs -d '\n' cat
	} | sha256sum | sed "s,\([0-9a-f]*\).*,$work/verdicts/\1,"
}
