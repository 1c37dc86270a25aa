# SPDX-License-Identifier: GPL-2.0
# judge.awk's lines as JSON: {"right": bool, "steps": [{..}, ..]}
# "right" speaks for this kernel; the unpatched one is there to compare.

{
	row = ""
	for (i = 1; i <= NF; i++) {
		eq = index($i, "=")
		key = substr($i, 1, eq - 1)
		value = substr($i, eq + 1)
		if (key == "why")
			gsub(/_/, " ", value)
		if (value == "-")
			value = "null"
		else if (value !~ /^[0-9]+$/)
			value = "\"" value "\""
		row = row (i > 1 ? ", " : "") "\"" key "\": " value
		if ($i == "kernel=ours")
			ours = 1
		else if ($i == "kernel=unpatched")
			ours = 0
		if ($i == "verdict=wrong" && ours)
			wrong = 1
	}
	rows = rows (NR > 1 ? ",\n" : "") "    {" row "}"
}

END {
	printf "{\n  \"right\": %s,\n  \"steps\": [\n%s\n  ]\n}\n", wrong ? "false" : "true", rows
}
