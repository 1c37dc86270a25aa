# SPDX-License-Identifier: GPL-2.0
# Side by side: results of scripts/upstream/results.awk in files NAME.first and
# perhaps NAME.again, of base and ours. -v json=1 prints JSON. Exits 1 if a test that
# passes on the base fails on ours, whenever it is run.

BEGIN { FS = OFS = "\t" }

FNR == 1 {
	run = FILENAME
	sub(/.*\//, "", run)
}

{
	if (!($1 in known)) {
		known[$1] = 1
		names[++count] = $1
	}
	got[run, $1] = $2
}

function both(kernel, name,    first, again) {
	first = (kernel ".first", name) in got ? got[kernel ".first", name] : "not run"
	again = (kernel ".again", name) in got ? got[kernel ".again", name] : first
	return first == again ? first : first ", then " again
}

function verdict(base, ours) {
	if (base == ours)
		return base == "pass" || base == "skip" ? "same" : "same, not by us"
	if (base ~ /then/ || ours ~ /then/)
		return "flaky"
	return base == "pass" ? "REGRESSION" : ours == "pass" ? "better" : "differs"
}

function quoted(text) {
	gsub(/[\\"]/, "\\\\&", text)
	return "\"" text "\""
}

END {
	if (json)
		print "["
	else
		printf "%-72s %-16s %-16s %s\n", "test", "base", "ours", ""
	for (i = 1; i <= count; i++) {
		base = both("base", names[i])
		ours = both("ours", names[i])
		what = verdict(base, ours)
		total[what]++
		if (json)
			printf "  { \"test\": %s, \"base\": %s, \"ours\": %s, \"verdict\": %s }%s\n", quoted(names[i]),
				quoted(base), quoted(ours), quoted(what), i < count ? "," : ""
		else
			printf "%-72s %-16s %-16s %s\n", names[i], base, ours, what == "same" ? "" : what
	}
	if (json) {
		print "]"
	} else {
		printf "%d results", count
		for (what in total)
			printf ", %d %s", total[what], what
		print ""
	}
	exit total["REGRESSION"] > 0 || !count
}
