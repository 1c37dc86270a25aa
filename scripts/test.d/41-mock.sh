#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Coherency tracking on iommufd's mock devices: every state, failing hardware,
# refusals, failing allocations, and random walks compared with a reference model; and when
# pages are flushed.
# The unpatched kernel has neither watches nor such devices, so none of this can run
# there. These kernels run the KUnit tests at boot; their results are read from the
# same consoles.
set -eu

# shellcheck source=scripts/lib.sh
. "${0%/*}/../lib.sh"
# shellcheck source=scripts/machine/boot-programs.sh
. "${0%/*}/../machine/boot-programs.sh"

unit=mock
machine='mock devices'
tests='iommufd_coherency iommufd_coherency_fail_nth'
# Mock devices do not go together with a real IOMMU
words='intel_iommu=off run=/tests/iommufd_coherency_fail_nth run=/tests/iommufd_coherency'

make -s -C "$TOP" kernel BASE="$BASE" FLAVOR=release >&2
boot_tests=$("$TOP/scripts/selftests/build-iommu.sh")
# Where iommufd attaches PASIDs, and where mock devices tell what they map
for test in iommufd_coherency_pasid iommufd_flush; do
	[ -e "$boot_tests/$test" ] || continue
	tests="$tests $test"
	words="$words run=/tests/$test"
done

kunit() {
	[ -z "${ONLY-}" ] || return 0
	! wanted "$1" || awk -v suite=iommufd_coherency -v label="$1" -f "$TOP/scripts/judge/kunit-tap.awk" \
		"$boot_out/output.log" || failed=1
}

boot_unit release off 0 "$words" -d 0
kunit release
boot_unit debug off 0 "$words steps=5000" -d 0
kunit debug

exit "$failed"
