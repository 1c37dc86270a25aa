# SPDX-License-Identifier: GPL-2.0
# Says of each hunk of a diff that fits a file in more or fewer places than one: patch(1)
# would take the nearest to its line number, which may be another function.
#
# awk -f places.awk FILE DIFF

function places(	place, line, number)
{
	for (place = 0; place <= lines - olds; place++) {
		for (line = 1; line <= olds && file[place + line] == old[line]; line++)
			;
		number += line > olds
	}
	return number + 0
}

function judge()
{
	if (olds && places() != 1)
		print hunk " fits in " places() " places"
	olds = 0
}

FNR == NR	{ file[++lines] = $0; next }
/^@@/		{ judge(); hunk = $0; next }
hunk && /^[ -]/	{ old[++olds] = substr($0, 2) }
END		{ judge() }
