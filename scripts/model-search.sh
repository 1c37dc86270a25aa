#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# One search of the model of non-coherent DMA, exhaustive unless it finds an error.
#
# model-search.sh DIR OPTIMIZATION [DEFINE...]    leaves DIR/log and, of an error,
# DIR/*.trail; prints the name of DIR when it is done, whatever it found.
set -eu

# shellcheck source=scripts/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

dir=$1 optimization=$2
shift 2
rm -rf "$dir"
mkdir -p "$dir"
cd "$dir"
# "A+B" is A and B
# shellcheck disable=SC2046 # a list of words
set -- $(for define; do
	echo "$define" | tr + '\n'
done | sed 's/^/-D/')
echo "spin $* -t -p $TOP/tools/verification/noncoherent_dma/noncoherent_dma.pml" > replay

{
	spin "$@" -a "$TOP/tools/verification/noncoherent_dma/noncoherent_dma.pml"
	# The generator's code is not ours to clean from warnings. No cycles are
	# looked for; memory is limited in MB.
	cc "$optimization" -w -DSAFETY -DNOFAIR -DNOBOUNDCHECK -DSFH -DMEMLIM=6000 -o pan pan.c
} > log 2>&1
# Depth is limited, too; -b makes it an error to reach that limit
./pan -b -m12000000 -w25 >> log 2>&1 || :
rm -f pan pan.*
basename "$dir"
