# SPDX-License-Identifier: GPL-2.0
# For oracle-tap.sh: first oracle.log, then the console from standard input.

function point(good, text) {
	points++
	if (!good)
		failed = 1
	print (good ? "ok " : "not ok ") points " - " label text
}

# The machine's side. A phase's line is written when it closes, so the k-th
# line of an id belongs to the k-th declaration of that id.
FNR == NR {
	if ($1 == "phase" && $2 != 65535 && $2 != 65534) {
		flushes[$2, ++closed[$2]] = $4
		cpus[$2, closed[$2]] = $8
	}
	next
}

# What follows is the kernel's log again
/^init: the kernel's whole log/ { exit }

/^run: / {
	if (running != "")
		point(0, running ": never returned")
	running = substr($0, 6)
	skipped = ""
	next
}

/^exit: [0-9]+ / {
	if ($2 == 4)
		point(1, running " # SKIP " (skipped != "" ? skipped : "the program says so"))
	else
		point($2 == 0, running ($2 == 0 ? "" : ": exit status " $2))
	running = ""
	next
}

/^oracle: / {
	id = $2
	expect = $3
	name = $0
	sub(/^oracle: [^ ]+ [^ ]+ ?/, "", name)
	declared++

	if (id !~ /^[0-9]+$/ || expect !~ /^([0-9]+|-)$/) {
		point(0, "phase declared in a way that cannot be read: " $0)
		next
	}
	opened[id]++
	if (!((id, opened[id]) in flushes)) {
		point(0, name ": phase " id " never reached the oracle")
		next
	}
	got = flushes[id, opened[id]]
	if (expect == "-")
		point(1, name ": " got " host flushes, none required")
	else if (got == expect)
		point(1, name ": " got " host flushes")
	else
		point(0, name ": " got " host flushes, expected " expect \
			 " (per CPU " cpus[id, opened[id]] ")")
	next
}

/^(not )?ok [0-9]+/ && nested {
	name = $0
	sub(/^(not )?ok [0-9]+ *(- *)?/, "", name)
	point($1 == "ok", running ": " name)
	next
}

/# SKIP|[Ss]kip:/ { skipped = $0 }

END {
	if (running != "")
		point(0, running ": never returned")
	for (id in closed)
		if (closed[id] > opened[id])
			point(0, "phase " id ": the oracle saw " closed[id] \
				 ", the console names " opened[id] + 0)
	if (want != "" && declared + 0 != want)
		point(0, declared + 0 " phases were declared, " want " were to be")
	if (!points)
		point(0, "no program ran")
	print "1.." points
	exit failed
}
