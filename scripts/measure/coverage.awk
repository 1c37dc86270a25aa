# SPDX-License-Identifier: GPL-2.0
# First the reasons, lines "FILE | CODE | REASON", then what gcov -b -c prints of
# sources. Prints a table of the files that -v files names, then each line and
# branch that nothing reached, with the reason for it if CODE is in "FUNCTION() LINE".
# Exits 1 if one has no reason, or if less than 95 % of all lines were reached. A
# reason without a line is no error: some branches are only taken by chance.

BEGIN {
	nr_files = split(files, file)
	for (i = 1; i <= nr_files; i++)
		ours[file[i]] = 1
}

FILENAME != "-" {
	if (!/^#/ && split($0, part, " \\| ") == 3) {
		reasons++
		reason_file[reasons] = part[1]
		reason_code[reasons] = part[2]
		reason[reasons] = part[3]
	}
	next
}

function explain(what,    i, why) {
	for (i = 1; i <= reasons && why == ""; i++)
		if (reason_file[i] == source && index(called "() " code, reason_code[i])) {
			why = reason[i]
			used[i] = 1
		}
	if (why == "")
		unexplained++
	missed[++nr_missed] = sprintf("%s:%d: %s: %s\n    %s", source, line, what, code,
				      why == "" ? "WITHOUT A REASON" : why)
}

# A source is printed for each object that it is in
/^ *-: *0:Source:/ {
	source = $0
	sub(/.*:Source:(\.\.\/)*/, "", source)
	while (sub(/[^\/.]+\/\.\.\//, "", source))
		;
	wanted = source in ours && !(source in done)
	done[source] = 1
	next
}

!wanted { next }

/^function / {
	called = $2
	sub(/\..*/, "", called)
	next
}

/^ *[-0-9#=]+\*?: *[0-9]+:/ {
	count = $0
	sub(/:.*/, "", count)
	gsub(/[ *]/, "", count)
	line = $0
	sub(/^[^:]*: */, "", line)
	code = line
	sub(/:.*/, "", line)
	sub(/^[0-9]*:[ \t]*/, "", code)
	executed = count ~ /^[0-9]+$/ && count > 0
	if (count == "-")
		next
	lines[source]++
	if (executed)
		reached[source]++
	else
		explain("never executed")
	next
}

/^branch +[0-9]+ (taken|never executed)/ {
	branches[source]++
	if ($4 + 0 > 0)
		taken[source]++
	else if (executed)
		explain("branch " $2 " never taken")
	next
}

function percent(part, whole) {
	return whole ? 100 * part / whole : 100
}

function row(name, r, l, t, b) {
	printf "%-40s %5d/%-5d %5.1f %%   %5d/%-5d %5.1f %%\n", name, r, l, percent(r, l), t, b, percent(t, b)
}

END {
	printf "%-40s %11s %7s   %11s %7s\n", "file", "lines", "", "branches", ""
	for (i = 1; i <= nr_files; i++) {
		f = file[i]
		if (!lines[f])
			unexplained++
		row(f, reached[f], lines[f], taken[f], branches[f])
		all_reached += reached[f]; all_lines += lines[f]
		all_taken += taken[f]; all_branches += branches[f]
	}
	row("all", all_reached, all_lines, all_taken, all_branches)
	print "\nNot reached:"
	for (i = 1; i <= nr_missed; i++)
		print missed[i]
	for (i = 1; i <= reasons; i++)
		if (!used[i])
			print "Reached after all: " reason_file[i] " | " reason_code[i]
	printf "\n%d lines and branches not reached, %d of them without a reason\n", nr_missed, unexplained
	exit unexplained > 0 || percent(all_reached, all_lines) < 95
}
