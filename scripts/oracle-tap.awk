# SPDX-License-Identifier: GPL-2.0
# For oracle-tap.sh: first oracle.log, then the console from standard input.

BEGIN { SAID = 20 }

function point(good, text) {
	points++
	if (!good)
		failed = 1
	print (good ? "ok " : "not ok ") points " - " label text
}

# Is a count as expected: N, a range N-M, or - for any?
function fits(count, expect,    ends) {
	if (expect == "-")
		return 1
	if (split(expect, ends, "-") == 2)
		return count + 0 >= ends[1] + 0 && count + 0 <= ends[2] + 0
	return count == expect
}

# The same for a phase, in all or for each CPU
function phase_fits(id, n, expect,    want, got, i, nr_cpus) {
	if (expect !~ /,/)
		return fits(flushes[id, n], expect)
	nr_cpus = split(cpus[id, n], got, ",")
	if (split(expect, want, ",") != nr_cpus)
		return 0
	for (i = 1; i <= nr_cpus; i++)
		if (!fits(got[i], want[i]))
			return 0
	return 1
}

# The machine's side. A phase's line is written when it closes, so the k-th
# line of an id belongs to the k-th declaration of that id.
FILENAME != "-" {
	if ($1 == "phase" && $2 != 65535 && $2 != 65534) {
		flushes[$2, ++closed[$2]] = $4
		cpus[$2, closed[$2]] = $8
	}
	next
}

# What follows is the kernel's log again
/^init: the kernel's whole log/ { exit }

# The last that a program said, for when it fails
running != "" { said[++lines % SAID] = $0 }

function show_said(    i) {
	for (i = lines > SAID ? lines - SAID + 1 : 1; i <= lines; i++)
		print "#   " said[i % SAID]
}

/^run: / {
	lines = 0
	if (running != "")
		point(0, running ": never returned")
	running = substr($0, 6)
	skipped = ""
	planned = printed = 0
	next
}

/^exit: [0-9]+ / {
	if (nested && $2 != 4 && printed < planned)
		point(0, running ": planned " planned " points and printed " printed)
	if ($2 == 4)
		point(1, running " # SKIP " (skipped != "" ? skipped : "the program says so"))
	else
		point($2 == 0, running ($2 == 0 ? "" : ": exit status " $2))
	if ($2 != 0 && $2 != 4)
		show_said()
	running = ""
	next
}

/^oracle: / {
	id = $2
	expect = $3
	name = $0
	sub(/^oracle: [^ ]+ [^ ]+ ?/, "", name)
	declared++

	# ID*ROUNDS: as many phases, that all have to be as expected
	rounds = 1
	if (sub(/\*[0-9]+$/, "", id))
		rounds = substr($2, length(id) + 2) + 0

	if (id !~ /^[0-9]+$/ || expect !~ /^[-0-9,]+$/ || !rounds) {
		point(0, "phase declared in a way that cannot be read: " $0)
		next
	}

	good = bad = 0
	for (i = 0; i < rounds; i++) {
		n = ++opened[id]
		if (!((id, n) in flushes)) {
			point(0, name ": phase " id " never reached the oracle")
			next
		}
		if (phase_fits(id, n, expect))
			good++
		else if (!bad)
			bad = n
	}
	last = bad ? bad : opened[id]
	seen = flushes[id, last] " host flushes"
	if (expect ~ /,/)
		seen = seen " (per CPU " cpus[id, last] ")"
	if (rounds > 1)
		seen = good " of " rounds " rounds as expected, " (bad ? "one" : "the last") " had " seen
	if (bad)
		point(0, name ": " seen ", expected " expect \
			 (expect ~ /,/ ? "" : " (per CPU " cpus[id, bad] ")"))
	else
		point(1, name ": " seen (expect == "-" ? ", none required" : ""))
	next
}

/^(not )?ok [0-9]+/ && nested {
	name = $0
	sub(/^(not )?ok [0-9]+ *(- *)?/, "", name)
	point($1 == "ok", running ": " name)
	printed++
	next
}

/^1\.\.[0-9]+/ { planned = substr($1, 4) + 0 }

sub(/^.*(# SKIP|[Ss]kip:)[- ]*/, "") { skipped = $0 }

END {
	if (running != "") {
		point(0, running ": never returned")
		show_said()
	}
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
