# SPDX-License-Identifier: GPL-2.0
# Outputs of machines on which scripts/upstream/guest.sh ran: "NAME<tab>pass|fail|skip|timeout"
# for each program and each TAP point of it.

function result(name, what) {
	printf "%s\t%s\n", name, what
}

{ sub(/\r$/, "") }

# That of the machine that stopped, if it is still the program: this is the next one
/^upstream: run / {
	if (program != "")
		result(program, "fail")
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

END {
	if (program != "")
		result(program, "fail")
}
