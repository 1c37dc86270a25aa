# SPDX-License-Identifier: GPL-2.0
# The data of the demo's timeline: one run, as blocks for gnuplot's "index".
#
# awk -v kernel=ours|unpatched -v snoop=on|off -f timeline.awk FACTS output.log
#
#   0  steps: x of the middle, name, host flushes, asked, 1 if right
#   1  what the device can do: from, to, 0 blocked | 1 coherent | 2 non-coherent, text
#   2  permission: from, to, 1 traced | 0 concluded from what was flushed, text
#   3  iommufd's event: x, 1 on | 0 off
#   4  guest WBINVDs: x, 1 flushed | 0 ignored, colour
#
# Time is stretched, or the 100 WBINVDs (milliseconds) would vanish beside the
# DMA (a fifth of a second): x goes from N to N+1 in step N, and in straight
# lines between the four moments that the VMM wrote into the trace.

function x(t,	n) {
	for (n = 1; n < steps && t >= began[n + 1]; n++)
		;
	if (t < done[n])
		return n + between(t, began[n], done[n]) * 0.15
	if (t < wbinvd[n])
		return n + 0.15 + between(t, done[n], wbinvd[n]) * 0.15
	if (t < ended[n])
		return n + 0.3 + between(t, wbinvd[n], ended[n]) * 0.6
	return n + 0.9 + between(t, ended[n], began[n + 1]) * 0.1
}

function between(t, from, to,	f) {
	f = to > from ? (t - from) / (to - from) : 0
	return f < 0 ? 0 : f > 1 ? 1 : f
}

# Boxes of neighbouring steps in the same state are one box
function boxes(n, last) {
	for (n = 1; n <= steps; n = last + 1) {
		last = n
		if (state[n] == "")
			continue
		while (last < steps && state[last + 1] == state[n])
			last++
		print from[n], last + 1, state[n], "\"" text[n] "\""
	}
}

function block() {
	print nan "\n\n"
}

FNR == 1 { file++ }
{ sub(/\r$/, "") }

file == 1 && index($0, "kernel=" kernel " ") && index($0, " snoop=" snoop " ") {
	for (i = 1; i <= NF; i++) {
		eq = index($i, "=")
		v[substr($i, 1, eq - 1)] = substr($i, eq + 1)
	}
	if (v["step"] == "-")
		next
	steps = v["step"]
	name[steps] = v["name"]
	host[steps] = v["host"] + 0
	guest[steps] = v["guest"] + 0
	right[steps] = v["verdict"] == "right"
	dma[steps] = v["dma"]
	enforces[steps] = v["enforces"]
}

file == 2 && $1 == "trace:" && $3 == "tracing_mark_write" {
	if ($4 == "step")
		began[$5] = $2
	else if ($4 == "done")
		done[$5] = $2
	else if ($4 == "wbinvd")
		wbinvd[$5] = $2
	else if ($4 == "wbinvd_end")
		ended[$5] = $2
	now = $5
}

file == 2 && $1 == "trace:" && $3 == "iommufd_coherency" {
	event[++events] = $2
	event_on[events] = /noncoherent=on/
}

file == 2 && $1 == "trace:" && $3 == "kvm_noncoherent_dma" {
	edge[++edges] = $2
	edge_on[edges] = /permission=on/
}

file == 2 && $1 == "trace:" && ($3 == "kvm_wbinvd" || $3 == "kvm_exit") {
	# The first, and how many microseconds later each of the others
	t = $2
	for (i = 5; i <= NF + 1; i++) {
		ask[++asks] = t
		flushed[asks] = $3 == "kvm_wbinvd" ? $4 != "flushed_cpus=0" : host[now] == guest[now]
		t += $i / 1000000
	}
}

END {
	if (!steps || !(steps in ended)) {
		print "demo: error: no trace of " kernel " with snoop control " snoop \
			": tracefs is missing in the kernel or the machine" > "/dev/stderr"
		exit 1
	}
	began[steps + 1] = ended[steps] + 1
	nan = "NaN NaN NaN NaN NaN"

	for (n = 1; n <= steps; n++)
		print n + 0.5, "\"" name[n] "\"", host[n], guest[n], right[n]
	block()

	for (n = 1; n <= steps; n++) {
		state[n] = dma[n] == "-" ? "" : dma[n] == "no" ? 0 : enforces[n] == "yes" ? 1 : 2
		text[n] = state[n] == 0 ? "blocked" : state[n] == 1 ? "coherent" : "non-coherent"
		from[n] = n + 0.15
	}
	boxes()
	block()

	if (kernel == "ours") {
		for (i = 1; i <= edges; i++)
			if (edge_on[i])
				print x(edge[i]), i < edges ? x(edge[i + 1]) : steps + 1, 1, "\"on\""
	} else {
		for (n = 1; n <= steps; n++) {
			state[n] = host[n] ? 0 : ""
			text[n] = "on, judging by the flushes"
			from[n] = n
		}
		boxes()
	}
	block()

	for (i = 1; i <= events; i++)
		print x(event[i]), event_on[i]
	block()

	for (i = 1; i <= asks; i++)
		print x(ask[i]), flushed[i], flushed[i] ? "0x22262b" : "0x8a919c"
	block()
}
