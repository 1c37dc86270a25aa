#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Draws OUTDIR/timeline.svg from the traces of the demo's machines.
# timeline.sh OUTDIR
set -eu

scripts=$(dirname "$(dirname "$(readlink -f "$0")")")
# shellcheck source=scripts/lib.sh
. "$scripts/lib.sh"
out=$1

command -v gnuplot > /dev/null || need_packages gnuplot-nox

kernels=
for kernel in ours unpatched; do
	[ -d "$out/$kernel-off" ] || continue
	kernels="$kernels $kernel"
	for snoop in off on; do
		awk -v kernel="$kernel" -v snoop="$snoop" -f "$scripts/demo/timeline.awk" \
			"$out/facts" "$out/$kernel-$snoop/output.log" > "$out/$kernel-$snoop/timeline.dat"
	done
done
gnuplot -e "dir='$out'; kernels='${kernels# }'" "$scripts/demo/timeline.gp"
