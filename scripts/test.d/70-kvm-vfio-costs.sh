#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Counts the kernel instructions of kvm-vfio's FILE_ADD and FILE_DEL, on this kernel and
# on the unpatched one; and tests a machine without IOMMU, with VFIO's noiommu mode.
set -eu

# shellcheck source=scripts/lib.sh
. "${0%/*}/../lib.sh"
# shellcheck source=scripts/machine/boot-programs.sh
. "${0%/*}/../machine/boot-programs.sh"

tests=kvm_vfio_coherency_test
words=run=/tests/$tests

# One more test where iommufd binds such a device by its own file
steps=17
if wanted release; then
	make -s -C "$TOP" kernel BASE="$BASE" FLAVOR=release >&2
	! grep -qx CONFIG_IOMMUFD_NOIOMMU=y "$(object_tree release)/.config" || steps=25
fi
unit=kvm-vfio-noiommu machine='no IOMMU'
boot_unit release off "$steps" "intel_iommu=off vfio.enable_unsafe_noiommu_mode=1 $words,noiommu"

# The costs are compared
if ! wanted stock; then
	exit "$failed"
fi

# Where all files are coherent, so that upstream looks at each
unit=kvm-vfio-costs machine='costs'
for flavor in stock-base stock; do
	boot_unit "$flavor" on 2 "$words,costs" -c 1 -I
done

# cost FLAVOR OTHERS: kernel instructions for one FILE_ADD and FILE_DEL. The best
# of many rounds is one without a timer's interrupt, however busy the host is.
cost() {
	awk -v id=$(($2 + 1)) '
		$1 == "phase" && $2 == id { sub(/.* insns=/, ""); if (!best || $1 + 0 < best) best = $1 + 0 }
		END { print best + 0 }' "$TOP/build/$BASE/test/$unit/$1-on/oracle.log"
}
few=$(cost stock 0) many=$(cost stock 1000)
unpatched_few=$(cost stock-base 0) unpatched_many=$(cost stock-base 1000)

points=0

# point TEXT CONDITION...
point() {
	points=$((points + 1)) text=$1
	shift
	if [ "$@" ]; then
		echo "ok $points - $text"
	else
		echo "not ok $points - $text"
		failed=1
	fi
}

point "each of them was counted: $few, $many, $unpatched_few, $unpatched_many" \
	$((few > 0 && many > 0 && unpatched_few > 0 && unpatched_many > 0)) -eq 1
point "FILE_ADD and FILE_DEL: $many kernel instructions with 1000 files, at most 1.2 times the $few with none" \
	$((many * 10)) -le $((few * 12))
# Two runs of one kernel differ by 2 %
point "FILE_ADD and FILE_DEL: $few kernel instructions, not more than the unpatched kernel's $unpatched_few" \
	$((few * 100)) -le $((unpatched_few * 102))
echo "1..$points"

table=$TOP/build/$BASE/test/$unit.txt
printf '%-36s %10s %10s\n' 'kernel instructions' ours unpatched \
	'FILE_ADD + FILE_DEL, no other file' "$few" "$unpatched_few" \
	'the same, 1000 other files' "$many" "$unpatched_many" > "$table"
sed 's/^/# /' "$table"
exit "$failed"
