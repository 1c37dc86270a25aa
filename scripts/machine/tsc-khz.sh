#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Prints the frequency of this machine's TSC in kHz, or nothing where it has none.
set -eu

# shellcheck source=scripts/lib.sh
. "$(dirname "$(readlink -f "$0")")/../lib.sh"

source=$TOP/tools/testing/qemu/tsc_khz.c
program=$TOP/build/lab/tsc_khz

if [ ! -e "$program" ] || [ -n "$(find "$source" -newer "$program")" ]; then
	mkdir -p "$TOP/build/lab"
	command -v cc > /dev/null || need_packages gcc libc6-dev
	# Several boots may do this at once: each writes its own, the last rename stays
	cc -std=gnu11 -O2 -Wall -o "$program.$$" "$source"
	mv "$program.$$" "$program"
fi
"$program"
