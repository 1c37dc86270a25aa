#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Compares what programs expected (output.log) with what the machine executed (oracle.log),
# and the programs that ran with those named on the kernel's command line (programs).
#
# oracle-tap.sh [-p PHASES] [-t] [-l LABEL] OUTDIR
#   -p  how many phases the programs have to declare
#   -t  also print the TAP points of the programs
#   -l  a prefix for each name
# A program declares a phase by tools/testing/selftests/kvm/include/oracle.h, as a line
#
#	oracle: ID[*ROUNDS] HOST[+SOME...][/GUEST] NAME
#
# HOST is the number of the host's flushes in phase ID, in all or for each CPU: N, N-M or
# - for any, with commas between CPUs. With ROUNDS there are so many such phases, and each
# SOME has to match at least one of them. GUEST is the number of WBINVDs and WBNOINVDs
# that guests execute; without it, at least one in each phase. The host never executes
# WBNOINVD.
#
# Prints TAP points, one per phase and one per program, and their plan.
# Exits 1 if any of them is "not ok".
set -eu

scripts=$(dirname "$(dirname "$(readlink -f "$0")")")
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

for log in "$1/output.log" "$1/oracle.log" "$1/programs"; do
	[ -r "$log" ] || die "$log is not there: boot-qemu.sh writes it"
done

tr -d '\r' < "$1/output.log" |
	awk -v label="$label" -v want="$phases" -v nested="$nested" -f "$scripts/judge/oracle-tap.awk" \
		file=oracle "$1/oracle.log" file=programs "$1/programs" file=output -
