# SPDX-License-Identifier: GPL-2.0
# A KUnit suite as flat TAP: one point per case, and one per parameter of a
# parameterized case. -v suite=NAME -v label=TEXT. In its output /init has put
# "kunit: " in front of the results.
#
# A case that the plan announces and that has no result is a failure.
BEGIN {
	points = failed = 0
}

{
	sub(/\r$/, "")
}

!sub(/^kunit: /, "") {
	next
}

/^    # Subtest: / {
	within = $3 == suite
	seen = seen || within
}

!within {
	next
}

/^    1\.\.[0-9]+$/ {
	planned = substr($1, 4)
}

/^ *# Subtest: / {
	parameterized = $3 == suite ? "" : $3 ": "
}

/^        (not )?ok [0-9]+ / {
	point($0)
	next
}

/^    (not )?ok [0-9]+ / {
	cases++
	reported = parameterized && !/^    not ok/
	parameterized = ""
	if (!reported)
		point($0)
}

/^(not )?ok [0-9]+ / {
	within = 0
}

END {
	if (!seen || cases != planned) {
		print "not ok " ++points " - " label ": " cases + 0 " of " planned + 0 " cases of " suite " ran"
		failed = 1
	}
	print "1.." points
	exit failed
}

function point(line,    result) {
	result = line ~ /^ *not ok/ ? "not ok" : "ok"
	if (result != "ok")
		failed = 1
	sub(/^ *(not )?ok [0-9]+ (- )?/, "", line)
	print result " " ++points " - " label ": " parameterized line
}
