# SPDX-License-Identifier: GPL-2.0
# Joins what the reference VMM and KVM said (output.log) with what the machine
# executed (oracle.log), and says of each step whether it was right.
#
# awk -v kernel=ours|unpatched -v snoop=on|off -f judge.awk output.log oracle.log
#
# Writes one line of key=value words per step; "verdict" is right or wrong, "why"
# says what was wrong. The line with step=- counts the flushes between the steps.
# On the unpatched kernel KVM says nothing, so only what happened is judged.

function word(key,	i) {
	for (i = 1; i <= NF; i++)
		if (index($i, key "=") == 1)
			return substr($i, length(key) + 2)
	return "missing"
}

function wrong(what) {
	gsub(/ /, "_", what)
	why = why (why == "" ? "" : ",") what
}

{ sub(/\r$/, "") }

FNR == 1 { file++ }

file == 1 && /^kernel: / { release = $2 }
file == 1 && /^oracle: / { expect[$2] = $3 }
file == 1 && /^exit: 0 \/tests\/guest.sh$/ { finished = 1 }
file == 1 && /^coherency_vmm: / { complaint = $0 }

file == 1 && /^step: / {
	steps++
	id[steps] = $2
	line[steps] = $0
}

# What is open when the next phase opens; the last phase is the power-off
file == 2 && /^phase / {
	if (last == 65534)
		between += last_host
	last = $2
	last_host = $4
	host[$2] += $4
	guest[$2] += $6
	split($8, cpus, ",")
	elsewhere[$2] += $4 - cpus[1]
	noinvd[$2] += word("wbnoinvd")
	seen[$2] = 1
}

function judge(n,	on, flushed) {
	why = ""
	if (!(id[n] in expect) || !(id[n] in seen)) {
		wrong("not counted")
		return
	}
	if (host[id[n]] != expect[id[n]])
		wrong("flushed " host[id[n]] " times instead of " expect[id[n]])
	if (guest[id[n]] != word("asked"))
		wrong("the guest executed " guest[id[n]] " WBINVDs instead of " word("asked"))
	if (noinvd[id[n]])
		wrong("the host executed WBNOINVD " noinvd[id[n]] " times")
	if (elsewhere[id[n]])
		wrong("flushed CPUs that the guest was never on")
	if ((word("dma") == "yes") != (word("want_dma") == "yes"))
		wrong(word("dma") == "yes" ? "DMA was not blocked" : "DMA did not arrive")
	if (kernel != "ours")
		return

	on = expect[id[n]] > 0 ? "on" : "off"
	if (word("permission") != on)
		wrong("permission is " word("permission"))
	if (word("wbinvd") != on)
		wrong("status says that WBINVD is " word("wbinvd"))
	if (word("flushed") != host[id[n]] || word("flushed") + word("ignored") != word("asked"))
		wrong("KVM counted " word("flushed") " flushed and " word("ignored") " ignored")
	if (word("events") != (on != before))
		wrong(word("events") " eventfd signals instead of " (on != before))
	edges += on != before
	if (word("edges") != edges)
		wrong(word("edges") " edges instead of " edges)
	before = on
}

# Of step n, which the machine may not have come to
function count(what) {
	return (id[n] in seen) ? what[id[n]] : "-"
}

END {
	if (!finished || !steps) {
		print "demo: error: " (complaint ? complaint : "the reference VMM did not finish") \
			" (log: " ARGV[1] ")" > "/dev/stderr"
		exit 1
	}
	before = "off"
	for (n = 1; n <= steps; n++) {
		$0 = line[n]
		judge(n)
		sub(/^step: [0-9]* [^ ]* /, "")
		split(line[n], w, " ")
		printf "kernel=%s release=%s snoop=%s step=%s name=%s %s expect=%s host=%s guest=%s verdict=%s why=%s\n",
			kernel, release, snoop, id[n], w[3], $0, expect[id[n]], count(host),
			count(guest), why == "" ? "right" : "wrong", why
	}
	printf "kernel=%s release=%s snoop=%s step=- name=between enforces=- dma=- want_dma=- permission=- wbinvd=- edges=- events=- asked=0 flushed=- ignored=- expect=0 host=%d guest=0 verdict=%s why=%s\n",
		kernel, release, snoop, between, between ? "wrong" : "right",
		between ? "flushed_between_the_steps" : ""
}
