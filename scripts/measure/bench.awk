# SPDX-License-Identifier: GPL-2.0
# For bench.sh: first oracle.log, then output.txt. The smallest count of each
# phase's rounds, by operation.

FILENAME == ARGV[1] {
	if ($1 != "phase" || $2 > 65533)
		next
	insns = 0
	for (i = 1; i <= NF; i++)
		if ($i ~ /^insns=/)
			insns = substr($i, 7) + 0
	if (!insns) {
		print "bench.awk: a round of phase " $2 " was not counted" > "/dev/stderr"
		failed = 1
		exit
	}
	if (!($2 in least) || insns < least[$2])
		least[$2] = insns
	next
}

/^init: the kernel's whole log/ { exit }

/^bench: / {
	id = $2
	ops = $3
	name = $0
	sub(/^bench: [0-9]+ [0-9]+ /, "", name)
	if (!(id in least)) {
		print "bench.awk: " name ": the oracle has no such phase" > "/dev/stderr"
		failed = 1
		exit
	}
	named[id]
	rows++
	printf "%s\t%d\n", name, least[id] / ops + 0.5
}

END {
	for (id in least)
		if (!failed && !(id in named)) {
			print "bench.awk: phase " id " has no name" > "/dev/stderr"
			failed = 1
		}
	exit failed || !rows
}
