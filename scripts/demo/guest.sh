#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Runs the reference VMM inside the demo's machine, and prints what the kernel traced
# meanwhile. The unpatched kernel has no tracepoints for this, only the exit (0x89,
# WBINVD on AMD) that every guest WBINVD causes.
#
# Prints "trace: SECONDS EVENT WORDS..". Of several WBINVDs with the same result prints
# only the first, and the microseconds from each to the next: serial lines are slow.
#
# guest.sh coherency_vmm's arguments

tracing=/sys/kernel/tracing

# What the IOMMU says about blocked DMA would cut our lines in two
dmesg -n 1

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
sed -n 's/^.* \([0-9]*\.[0-9]*\): \([a-z_]*\): /\1 \2 /p' $tracing/trace | awk '
	{ event = "" }
	$2 == "kvm_wbinvd" { event = $2 " " $NF }
	$2 == "kvm_exit" { event = $2 " flushed_cpus=unknown" }
	event != "" && event == last { line = line " " int(($1 - before) * 1000000 + 0.5); before = $1; next }
	{ if (NR > 1) print line; line = "trace: " (event == "" ? $0 : $1 " " event); last = event; before = $1 }
	END { print line }'
exit $status
