# SPDX-License-Identifier: GPL-2.0
# A console on which scripts/upstream-guest.sh ran: "NAME<tab>pass|fail|skip|timeout"
# for each program and each TAP point of it.

function result(name, what) {
	printf "%s\t%s\n", name, what
}

{ sub(/\r$/, "") }

/^upstream: run / {
	program = $3
	delete seen
	next
}

/^upstream: exit / {
	result(program, $3 == 0 ? "pass" : $3 == 4 ? "skip" : $3 == 137 ? "timeout" : "fail")
	program = ""
	next
}

# A name that comes twice is two points
program != "" && /^(not )?ok [0-9]+/ {
	what = /# SKIP/ ? "skip" : $1 == "ok" ? "pass" : "fail"
	name = $0
	sub(/^(not )?ok [0-9]+ *(- *)?/, "", name)
	sub(/ *# SKIP.*/, "", name)
	if (seen[name]++)
		name = name " (" seen[name] ")"
	result(program ": " name, what)
}

# The kernel died of it, and those after it did not run
END {
	if (program != "")
		result(program, "fail")
}
