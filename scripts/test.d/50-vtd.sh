#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Tests that need only real devices behind VT-d, on what users run: a stock kernel with
# our modules. What kvm-coherency says there, too. Its trial of a device goes by the time that
# WBINVD takes: that boot has WBINVDs of 5 milliseconds.
set -eu

# shellcheck source=scripts/lib.sh
. "${0%/*}/../lib.sh"
# shellcheck source=scripts/machine/boot-programs.sh
. "${0%/*}/../machine/boot-programs.sh"

# shellcheck source=scripts/machine/vtd-programs.sh
. "${0%/*}/../machine/vtd-programs.sh"

unit=vtd
# Where only whole kernels are wanted
flavor=stock
wanted stock || flavor=release
tests="$tests kvm_coherency_tool_test"
files=$("$TOP/scripts/selftests/build-tool.sh")
boot_vtd $flavor off "run=/tests/kvm_coherency_tool_test run=/tests/iommufd_module_test" 5
boot_vtd $flavor on "run=/tests/kvm_coherency_tool_test run=/tests/kvm_coherency_tool_test,try" 12
unit=vtd-try machine='VT-d, snoop control off, slow WBINVD' tests=kvm_coherency_tool_test
boot_unit $flavor off 7 run=/tests/kvm_coherency_tool_test,try -D 5000

exit "$failed"
