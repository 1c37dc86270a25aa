# SPDX-License-Identifier: GPL-2.0
# For oracle-tap.sh: file=oracle, file=programs and file=output say which is next.

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

# The same for the host's flushes in a phase, in all or for each CPU
function host_fits(id, n, expect,    want, got, i, nr_cpus) {
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

# Where a flush is missing that nobody asked for, nothing was tested
function guest_fits(id, n, expect) {
	return expect == "" ? wbinvds[id, n] > 0 : fits(wbinvds[id, n], expect)
}

# The phases that one declaration is about
function judge(id, rounds, expect, name,    host, guest, nr_some, some, i, k, n, good, bad, silent) {
	guest = host = expect
	if (!sub(/.*\//, "", guest))
		guest = expect == "-" ? "-" : ""
	sub(/\/.*/, "", host)
	nr_some = split(host, some, "+")

	good = bad = silent = 0
	for (i = 0; i < rounds; i++) {
		n = ++opened[id]
		if (!((id, n) in flushes)) {
			point(0, name ": phase " id " never reached the oracle")
			return
		}
		if (host_fits(id, n, some[1]))
			good++
		else if (!bad)
			bad = n
		if (!silent && !guest_fits(id, n, guest))
			silent = n
		for (k = 2; k <= nr_some; k++)
			if ((k in some) && host_fits(id, n, some[k]))
				delete some[k]
	}

	n = bad ? bad : silent ? silent : opened[id]
	name = name ": "
	if (rounds > 1)
		name = name good " of " rounds " rounds as expected, " \
			(bad || silent ? "one" : "the last") " had "
	name = name flushes[id, n] " host flushes"
	if (host ~ /,/)
		name = name " (per CPU " cpus[id, n] ")"
	if (guest !~ /^[-0]$/)
		name = name " for " wbinvds[id, n] " WBINVDs of the guest"
	point(!bad && !silent && !missed(some, nr_some),
	      name complaint(id, bad, silent, some, nr_some, guest))
}

# What no round was like, of what at least one was to be
function missed(some, nr_some,    k, list) {
	for (k = 2; k <= nr_some; k++)
		if (k in some)
			list = list " " some[k]
	return list
}

function complaint(id, bad, silent, some, nr_some, guest) {
	if (bad)
		return ", expected " some[1] (some[1] ~ /,/ ? "" : " (per CPU " cpus[id, bad] ")")
	if (silent)
		return ", but the guest executed " wbinvds[id, silent] ", expected " \
			(guest == "" ? "some" : guest)
	if (missed(some, nr_some))
		return ", but in no round it was" missed(some, nr_some)
	return some[1] == "-" ? ", none required" : ""
}

# The value of KEY=VALUE in this line
function word(key,    i) {
	for (i = 1; i <= NF; i++)
		if (index($i, key "=") == 1)
			return substr($i, length(key) + 2)
	return ""
}

# The machine's side. A phase's line is written when it closes, so the k-th
# line of an id belongs to the k-th declaration of that id.
file == "oracle" {
	if ($1 != "phase")
		next
	split(word("wbnoinvd"), noinvd, "/")
	if (noinvd[2] == "")
		point(0, "phase " $2 ": the oracle did not count WBNOINVD")
	# It leaves lines in the caches that a device is to find in memory
	if (noinvd[1] > 0)
		point(0, "phase " $2 ": the host executed WBNOINVD " noinvd[1] " times")
	if ($2 != 65535 && $2 != 65534) {
		flushes[$2, ++closed[$2]] = $4
		wbinvds[$2, closed[$2]] = $6 + noinvd[2]
		cpus[$2, closed[$2]] = $8
	}
	next
}

# What the command line names
file == "programs" {
	wanted[++nr_wanted] = $0
	next
}

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
	nr_ran++
	if (nr_wanted && running != wanted[nr_ran])
		point(0, running ": ran where the command line names " \
			 (nr_ran > nr_wanted ? "nothing" : wanted[nr_ran]))
	skipped = ""
	planned = printed = 0
	next
}

/^exit: [0-9]+ / {
	split(running, words, " ")
	if ($3 != words[1])
		point(0, $3 " ended, and " (running == "" ? "nothing" : running) " had begun")
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

	if (id !~ /^[0-9]+$/ || expect !~ /^[-0-9,]+(\+[-0-9,]+)*(\/[-0-9]+)?$/ || !rounds) {
		point(0, "phase declared in a way that cannot be read: " $0)
		next
	}

	judge(id, rounds, expect, name)
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
	for (i = nr_ran + 1; i <= nr_wanted; i++)
		point(0, wanted[i] ": never ran")
	for (id in closed)
		if (closed[id] > opened[id])
			point(0, "phase " id ": the oracle saw " closed[id] \
				 ", the output names " opened[id] + 0)
	if (want != "" && declared + 0 != want)
		point(0, declared + 0 " phases were declared, " want " were to be")
	if (!points)
		point(0, "no program ran")
	print "1.." points
	exit failed
}
