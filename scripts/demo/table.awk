# SPDX-License-Identifier: GPL-2.0
# The demo's tables, from judge.awk's lines: one per machine, with the
# unpatched kernel beside ours where it ran.
#
# awk [-v color=1] -f table.awk FACTS

{
	delete v
	for (i = 1; i <= NF; i++) {
		eq = index($i, "=")
		v[substr($i, 1, eq - 1)] = substr($i, eq + 1)
	}
	at = v["kernel"] "," v["snoop"] "," v["step"]
	for (key in v)
		fact[at "," key] = v[key]
	release[v["kernel"]] = v["release"]
	judged[v["kernel"]] += v["step"] != "-"
	right[v["kernel"]] += v["step"] != "-" && v["verdict"] == "right"
	if (v["kernel"] == "ours" && v["step"] != "-" && v["step"] > steps)
		steps = v["step"]
	if (!(v["snoop"] in machines)) {
		machines[v["snoop"]] = 1
		machine[++nr_machines] = v["snoop"]
	}
	if (v["verdict"] == "wrong" && v["kernel"] == "ours") {
		gsub(/_/, " ", v["why"])
		gsub(/,/, ", ", v["why"])
		complaints = complaints sprintf("wrong: snoop control %s, %s: %s\n",
						v["snoop"], v["name"], v["why"])
	}
}

function can(at) {
	if (fact[at ",dma"] == "-")
		return "nothing"
	if (fact[at ",dma"] == "no")
		return "nothing: DMA blocked"
	return fact[at ",enforces"] == "yes" ? "coherent DMA" : "non-coherent DMA"
}

function verdict(at,	word) {
	word = fact[at ",verdict"] == "right" ? "right" : "WRONG"
	if (!color)
		return word
	return sprintf("\033[%dm%s\033[0m", word == "right" ? 32 : 31, word)
}

function both() {
	return "unpatched" in release
}

function rule(	s) {
	s = sprintf("%-13s%-22s+%37s", "", "", "")
	if (both())
		s = s sprintf("+%26s", "")
	gsub(/ /, "-", s)
	print s
}

# Without the unpatched kernel there is nothing to the right of the bar
function row(left, right) {
	if (both())
		left = left "  | " right
	sub(/ +$/, "", left)
	print left
}

function table(snoop,	n, ours, theirs) {
	print ""
	if (snoop == "on")
		print "VT-d that enforces coherency (snoop control): all DMA goes through the CPU caches"
	else
		print "VT-d that cannot enforce coherency: DMA may bypass the CPU caches"
	print ""
	row(sprintf("%-35s| %-34s", "", "our modules, " release["ours"]),
	    both() ? "unpatched, " release["unpatched"] : "")
	row(sprintf("%-13s%-22s| %-9s %6s %9s %7s", "step", "the device can", "KVM says",
		    "asked", "executed", ""),
	    sprintf("%6s %9s", "asked", "executed"))
	rule()
	for (n = 1; n <= steps; n++) {
		ours = "ours," snoop "," n
		theirs = "unpatched," snoop "," n
		row(sprintf("%-13s%-22s| %-9s %6s %9s   %s", fact[ours ",name"], can(ours),
			    fact[ours ",permission"], fact[ours ",guest"], fact[ours ",host"],
			    verdict(ours)),
		    both() ? sprintf("%6s %9s   %s", fact[theirs ",guest"],
				     fact[theirs ",host"], verdict(theirs)) : "")
	}
}

END {
	print "asked: WBINVDs that the guest executed; executed: WBINVDs that the host's kernel executed"
	print "for them. The emulator counted both, not the kernel."
	for (i = 1; i <= nr_machines; i++)
		table(machine[i])
	print ""
	printf "%s", complaints
	printf "our modules: %d of %d steps right", right["ours"], judged["ours"]
	if (both())
		printf "; unpatched: %d of %d", right["unpatched"], judged["unpatched"]
	print ""
}
