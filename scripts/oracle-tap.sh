#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Compares what programs expected (console.log) with what the machine executed (oracle.log).
#
# oracle-tap.sh [-p PHASES] [-t] [-l LABEL] OUTDIR
#   -p  this many phases have to have been declared
#   -t  also pass on the TAP points that the programs printed
#   -l  put in front of each name
# Prints TAP points, one per phase and one per program, and their plan.
# Exits 1 if any of them is "not ok".
set -eu

scripts=$(dirname "$(readlink -f "$0")")
# shellcheck source=scripts/lib.sh
. "$scripts/lib.sh"

phases='' nested=0 label=''
while getopts p:tl: opt; do
	case $opt in
	p) phases=$OPTARG ;;
	t) nested=1 ;;
	l) label="$OPTARG: " ;;
	*) exit 2 ;;
	esac
done
shift $((OPTIND - 1))
[ $# -eq 1 ] || die "usage: oracle-tap.sh [-p PHASES] [-t] [-l LABEL] OUTDIR"

for log in "$1/console.log" "$1/oracle.log"; do
	[ -r "$log" ] || die "$log is not there: boot-qemu.sh writes it"
done

tr -d '\r' < "$1/console.log" |
	awk -v label="$label" -v want="$phases" -v nested="$nested" -f "$scripts/oracle-tap.awk" \
		"$1/oracle.log" -
