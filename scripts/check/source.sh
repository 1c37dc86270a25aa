#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Checks source text: with the kernel's checkpatch and kernel-doc, with shellcheck,
# and by compiling each uAPI header alone, as a VMM author would
set -eu

# shellcheck source=scripts/lib.sh
. "$(dirname "$(readlink -f "$0")")/../lib.sh"
# shellcheck source=scripts/judge/points.sh
. "$TOP/scripts/judge/points.sh"

FLAVOR=release
need_packages g++ python3 shellcheck
"$TOP/scripts/kernel.sh" compose

exec 7> "$TOP/build/$BASE/lock-check-source"
lock 7 -x "another check"

tree=$(source_tree "$FLAVOR")
logs=$LOGS/check
mkdir -p "$logs"
cd "$TOP"

own_files() {
	find arch drivers include virt samples tools -type f "$@" 2> /dev/null | sort
}

# In the composed tree, which is no git tree: there checkpatch would want one with
# the kernel's history. kzalloc_obj(), which later kernels want, 6.12 does not have.
checkpatch() {
	(cd "$tree" && perl scripts/checkpatch.pl -q --strict --no-summary --ignore ALLOC_WITH_SIZEOF "$@")
}

own_files '(' -name '*.[ch]' -o -name 'Kconfig*' ')' > "$logs/own"
while read -r file; do
	# By the name that it has in the kernel, if it goes there
	path=$TOP/$file
	[ ! -L "$tree/$file" ] || path=$file
	set --
	# The language of tracepoints has a layout of its own
	! grep -q '^TRACE_EVENT' "$file" || set -- --ignore OPEN_ENDED_LINE,PARENTHESIS_ALIGNMENT,SPACING
	silent "checkpatch --strict $file" "$logs/checkpatch-$(echo "$file" | tr / -).log" \
		checkpatch "$@" -f "$path"
done < "$logs/own"

queue=$TOP/patches/$BASE
for patch in "$queue"/*.patch; do
	patch=$(basename "$patch")
	silent "checkpatch --strict patches/$BASE/$patch" "$logs/checkpatch-$BASE-$patch.log" \
		checkpatch --no-signoff "$queue/$patch"
done

# A queue of hooks: new code belongs into files of its own. What counts is by how much
# files grow. iommufd's selftest is a test, which no kernel is built with that is in use;
# the kernel's documents and tools are no code of it; fixes of upstream are needed with and
# without this; and to flush pages is a matter of its own. The series names the latter two.
added=$(cd "$queue" && grep -v -e '# a fix of upstream$' -e '# flushes pages$' series | sed 's/#.*//' | xargs cat | awk '
	/^(From:|diff|---) / { counts = 0 }
	/^\+\+\+ / {
		counts = /kvm|iommufd|virt\// &&
			!/\/(Documentation|tools)\/|iommufd\/(selftest\.c|iommufd_test\.h)$/
		next
	}
	/^\+/ && counts { n++ }
	/^-/ && counts { n-- }
	END { print n + 0 }')
# Upstream has less to take out in later kernels, and more to hook into
case $BASE in
6.12) limit=90 ;;
*) limit=110 ;;
esac
silent "patches/$BASE makes files of KVM and iommufd $added lines longer, $limit at most" "$logs/added.log" \
	[ "$added" -le "$limit" ]

kernel_doc() {
	own_files -name '*.[ch]' ! -path 'tools/*' ! -path 'samples/*' |
		PYTHONDONTWRITEBYTECODE=1 xargs -d '\n' "$tree/scripts/kernel-doc" -none -Werror
}
silent "kernel-doc is silent" "$logs/kernel-doc.log" kernel_doc

compile_alone() {
	echo "#include <linux/$1>" > "$logs/alone.$2"
	gcc -Iinclude/uapi -Wall -Wextra -Werror -pedantic -fsyntax-only -x "$2" -std="$3" "$logs/alone.$2"
}
for header in kvm_iommufd.h iommufd_coherency.h kvm.h; do
	silent "include/uapi/linux/$header alone as C11" "$logs/uapi-$header-c.log" compile_alone "$header" c c11
	silent "include/uapi/linux/$header alone as C++17" "$logs/uapi-$header-c++.log" \
		compile_alone "$header" c++ c++17
done

shell_scripts() {
	grep -rlE '^#!/bin/(ba)?sh|^# shellcheck shell=' scripts .ci tools | xargs -d '\n' shellcheck -x
}
silent "shellcheck is silent" "$logs/shellcheck.log" shell_scripts
plan
