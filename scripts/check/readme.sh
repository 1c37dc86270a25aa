#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Checks that the output shown in README.md has the form that the sources print now: the
# same headings, steps, columns and operations, with whatever numbers. make readme renews it.
set -eu

# shellcheck source=scripts/lib.sh
. "$(dirname "$(readlink -f "$0")")/../lib.sh"
# shellcheck source=scripts/judge/points.sh
. "$TOP/scripts/judge/points.sh"
# shellcheck source=scripts/readme/blocks.sh
. "$TOP/scripts/readme/blocks.sh"

logs=$LOGS/check
mkdir -p "$logs"

# What judge.awk would write if every step of the reference VMM went right on both kernels.
# The device is open between the first step and the last.
facts() {
	sed -n 's/^	{ \.name = "\([a-z-]*\)".*\(dma = true\).*/\1 yes/p; t
		s/^	{ \.name = "\([a-z-]*\)".*/\1 no/p' "$TOP/samples/kvm/coherency_vmm.c" | awk '
		{ name[NR] = $1; dma[NR] = $2 }
		function fact(kernel, snoop, n,	on) {
			on = snoop == "off" && dma[n] == "yes"
			printf "kernel=%s release=6.12.0-amd64 snoop=%s step=%d name=%s enforces=%s dma=%s permission=%s guest=100 host=%d verdict=right why=\n",
				kernel, snoop, n, name[n], snoop == "on" ? "yes" : "no",
				n == 1 || n == NR ? "-" : dma[n], on ? "on" : "off", on ? 100 : 0
		}
		END {
			for (k = 1; k <= 2; k++)
				for (s = 1; s <= 2; s++)
					for (n = 1; n <= NR; n++)
						fact(k == 1 ? "ours" : "unpatched", s == 1 ? "off" : "on", n)
		}'
}

# Without what another run prints otherwise: the kernel, and how the unpatched one does
demo_form() {
	awk -F '|' '{
		gsub(/6\.12\.[^ |]*/, "RELEASE")
		if (NF == 3 && $3 ~ /[0-9]/)
			sub(/[^|]*$/, " RESULT")
		gsub(/ +/, " ")
		sub(/ $/, "")
		print
	}'
}

demo_drift() {
	facts | awk -f "$TOP/scripts/demo/table.awk" | demo_block | demo_form > "$logs/readme-demo.want"
	block_in "$readme" demo | demo_form > "$logs/readme-demo.have"
	diff "$logs/readme-demo.want" "$logs/readme-demo.have"
}

bench_drift() {
	{
		sed -n 's/.*BEGIN { printf "%-44s[^"]*", \(.*\) }$/\1/p' "$TOP/scripts/bench.sh" | tr -d '",'
		bench_names
	} > "$logs/readme-bench.want"
	block_in "$readme" bench | sed -E 's/ +[0-9]+ +[0-9]+ +[0-9]+\.[0-9]{3}$//; s/ +/ /g' > "$logs/readme-bench.have"
	diff "$logs/readme-bench.want" "$logs/readme-bench.have"
}

silent "README's output of make demo has the form of today's" "$logs/readme-demo.log" demo_drift
silent "README's output of make bench has the form of today's" "$logs/readme-bench.log" bench_drift
plan
