#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# KVM x86 on SVM and mock devices: which of four CPUs are flushed; the work of an edge
# where guest PAT is ignored; every way by which a guest's WBINVD reaches KVM; the
# policies and the parameter that limits them, and that no flush comes after the call that
# takes permission away; what debugfs shows; unloading KVM's module during the last
# release of a device. First the flushes that the unpatched kernel misses, last the work
# of an edge on Debian's kernel.
set -eu

# shellcheck source=scripts/lib.sh
. "${0%/*}/../lib.sh"
# shellcheck source=scripts/machine/boot-programs.sh
. "${0%/*}/../machine/boot-programs.sh"

unit=x86
tests='noncoherent_dma_mask_test noncoherent_dma_edge_test noncoherent_dma_entry_test noncoherent_dma_policy_test
noncoherent_dma_param_test noncoherent_dma_state_test iommufd_unload_test'

# Mock devices cannot be had beside a real IOMMU on 6.12. Edges zap and flush while the
# module is there, and not after.
words='intel_iommu=off kvm.force_emulation_prefix=1'
load='run=insmod,/tests/guest_pat_ignorable.ko run=insmod,/tests/hold_cpu.ko'
words="$words $load run=/tests/noncoherent_dma_edge_work_test run=/tests/noncoherent_dma_edge_test"
words="$words run=rmmod,guest_pat_ignorable"
for test in $tests; do
	words="$words run=/tests/$test"
done

machine='unpatched, 4 CPUs'
boot_unit stock-base off 3 "run=/tests/noncoherent_dma_mask_test,upstream" -c 4
machine='mock devices'
tests="$tests noncoherent_dma_edge_work_test" modules='guest_pat_ignorable hold_cpu'
boot_unit release off 113 "$words" -c 4
machine=
tests=noncoherent_dma_edge_work_test
boot_unit stock off 16 "$load run=/tests/noncoherent_dma_edge_work_test,edu" -c 4
# Without nested paging KVM ignores guest PAT always: an edge changes nothing in SPTEs.
# Before that, a command line with a policy that does not exist.
unit=x86-shadow machine='shadow paging' tests='noncoherent_dma_param_test noncoherent_dma_edge_test' modules=
words='intel_iommu=off kvm_amd.npt=0 kvm.noncoherent_dma=frobid'
words="$words run=/tests/noncoherent_dma_param_test,unknown run=/tests/noncoherent_dma_edge_test"
boot_unit release off 21 "$words" -c 4

exit "$failed"
