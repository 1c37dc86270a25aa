#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# One search of the model of non-coherent DMA, exhaustive unless it finds an error.
#
# model-search.sh DIR OPTIMIZATION [DEFINE...]    leaves DIR/log and, for an error,
# DIR/*.trail, and prints the name of DIR when it is done, whatever it found. Uses the
# results of an earlier search that ended by itself, with the same model, options and
# tools.
set -eu

# shellcheck source=scripts/lib.sh
. "$(dirname "$(readlink -f "$0")")/../lib.sh"

dir=$1 optimization=$2
model=$TOP/tools/verification/noncoherent_dma/noncoherent_dma.pml
key=$({ cat "$model" "$0"; spin -V; cc --version; echo "$@"; } | sha256sum)
shift 2
if [ "$(cat "$dir/key" 2> /dev/null)" = "$key" ]; then
	echo "$(basename "$dir"), as before"
	exit
fi
rm -rf "$dir"
mkdir -p "$dir"
cd "$dir"
# "A+B" is A and B
# shellcheck disable=SC2046 # a list of words
set -- $(for define; do
	echo "$define" | tr + '\n'
done | sed 's/^/-D/')
echo "spin $* -t -p $model" > replay

# No cycles are looked for, but where the question is whether something ever ends
case " $* " in
*' -DPROGRESS '*) cycles=-DNFAIR=3 kind='-a -f' ;;
*) cycles='-DSAFETY -DNOFAIR' kind= ;;
esac

# Memory is limited, in MB. Depth is, too: with -b it is an error to get there.
# The warnings are about the generator's code.
{
	spin "$@" -a "$model"
	# shellcheck disable=SC2086 # a list of words
	cc "$optimization" -w $cycles -DNOBOUNDCHECK -DSFH -DMEMLIM=6000 -o pan pan.c
} > log 2>&1
# States are read in no order: with huge pages a third faster
# shellcheck disable=SC2086 # a list of words, perhaps of none
! GLIBC_TUNABLES=glibc.malloc.hugetlb=1 ./pan $kind -b -m12000000 -w25 >> log 2>&1 ||
	echo "$key" > key
rm -f pan pan.*
basename "$dir"
