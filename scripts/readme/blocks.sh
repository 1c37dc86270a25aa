# shellcheck shell=sh
# SPDX-License-Identifier: GPL-2.0
# The blocks of README.md that show output: sourced by readme.sh, which replaces them,
# and by check/readme.sh, which looks whether they are what the sources print. A block
# stands between these lines, in a fence:
#
#   <!-- output of make demo -->
#   <!-- end of output -->

# shellcheck disable=SC2034 # for who sources this
readme=$TOP/README.md

# block_in README NAME: what stands there
block_in() {
	awk -v begin="<!-- output of make $2 -->" '
		$0 == begin { found++; inside = 1; next }
		$0 == "<!-- end of output -->" { inside = 0 }
		inside && !/^```$/
		END { exit found != 1 || inside }' "$1"
}

# block_replaced README NAME BLOCK: README with the file BLOCK there
block_replaced() {
	awk -v begin="<!-- output of make $2 -->" -v block="$3" '
		$0 == "<!-- end of output -->" { inside = 0 }
		!inside
		$0 == begin {
			found++
			inside = 1
			print "```"
			while ((getline line < block) > 0)
				print line
			print "```"
		}
		END { exit found != 1 || inside }' "$1"
}

# The tables of the last kernel, which make demo prints with the others beside it. Fails
# unless the demo came to an end with every step right on our modules.
demo_block() {
	awk '
		/^asked: / { n = right = 0; tables = 1; next }
		/^for them\. / { next }
		/^our modules: / { tables = 0; right = $3 == $5 && /unpatched: / }
		tables { line[++n] = $0 }
		END {
			first = 1
			while (first < n && line[first] == "")
				first++
			while (n && line[n] == "")
				n--
			for (i = first; i <= n; i++)
				print line[i]
			exit !n || !right
		}'
}

# What noncoherent_dma_bench counts, in its order
bench_names() {
	sed -nE 's/.*(run_guest_bench|announce)\(.*"(.*)"\);/\2/p' \
		"$TOP/tools/testing/selftests/kvm/x86/noncoherent_dma_bench.c"
}

# The head of the table of make bench and these rows. Fails if one is missing.
bench_block() {
	bench_names > "$1"
	awk -v names="$1" '
		BEGIN {
			while ((getline name < names) > 0)
				wanted[++n] = name
		}
		NR == 1 { print; next }
		{
			name = $0
			sub(/ +[0-9]+ +[0-9]+ +[0-9.]+$/, "", name)
			row[name] = $0
		}
		END {
			for (i = 1; i <= n; i++) {
				if (!(wanted[i] in row))
					missing = 1
				else
					print row[wanted[i]]
			}
			exit missing || !n
		}'
}
