#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Runs inside the demo's machine: the reference VMM, and what the kernel traced
# of it. The unpatched kernel has no events of its own for this, only the exit
# (0x89, WBINVD on AMD) that every guest WBINVD causes.
#
# demo-guest.sh coherency_vmm's arguments

tracing=/sys/kernel/tracing

echo "kernel: $(uname -r)"
for event in iommufd/iommufd_coherency kvm/kvm_noncoherent_dma kvm/kvm_wbinvd; do
	[ ! -e $tracing/events/$event ] || echo 1 > $tracing/events/$event/enable
done
if [ ! -e $tracing/events/kvm/kvm_wbinvd ]; then
	echo 'exit_reason == 0x89' > $tracing/events/kvm/kvm_exit/filter
	echo 1 > $tracing/events/kvm/kvm_exit/enable
fi

/tests/coherency_vmm "$@"
status=$?

echo 0 > $tracing/tracing_on
sed -n 's/^.* \([0-9]*\.[0-9]*\): \([a-z_]*\): /trace: \1 \2 /p' $tracing/trace
exit $status
