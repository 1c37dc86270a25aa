#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Runs make demo and make bench, and puts what they print into README.md. It is left as
# it is unless all of it succeeds.
#
# FROM=dir    takes the output of earlier runs, dir/demo.txt and dir/bench.txt
set -eu

# shellcheck source=scripts/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"
# shellcheck source=scripts/readme/blocks.sh
. "$TOP/scripts/readme/blocks.sh"

out=$TOP/build/readme
from=${FROM:-$out}
mkdir -p "$out"

# saved NAME: runs NAME.sh, whose output is shown as well
saved() {
	rm -f "$out/$1.txt"
	"$TOP/scripts/$1.sh" > "$out/$1.new" || die "make $1 failed (output: $out/$1.new)"
	mv "$out/$1.new" "$out/$1.txt"
	cat "$out/$1.txt"
}

if [ -z "${FROM-}" ]; then
	[ "${COMPARE:-1}" != 0 ] || die "README shows the unpatched modules, too: leave out COMPARE=0"
	saved demo
	saved bench
fi
for name in demo bench; do
	[ -e "$from/$name.txt" ] || die "there is no $from/$name.txt"
	"${name}_block" "$out/names" < "$from/$name.txt" > "$out/$name.block" ||
		die "$from/$name.txt is not what README shows: it is not complete, or a step was wrong"
done
{
	block_replaced "$readme" demo "$out/demo.block" > "$out/README.demo" &&
		block_replaced "$out/README.demo" bench "$out/bench.block" > "$out/README.md"
} || die "README.md does not have the lines between which output stands: see scripts/readme/blocks.sh"
if cmp -s "$out/README.md" "$readme"; then
	echo "README.md has that already"
else
	cat "$out/README.md" > "$readme"
	echo "README.md is changed"
fi
