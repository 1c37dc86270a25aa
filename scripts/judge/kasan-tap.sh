#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Judges what KASAN looks at: this project's objects, and others whose code accesses what
# they allocate. kbuild.sh leaves KASAN out of some directories.
#
# kasan-tap.sh OBJECTS
set -eu

# shellcheck source=scripts/lib.sh
. "$(dirname "$(readlink -f "$0")")/../lib.sh"

cd "$1"
core='kernel/locking/mutex.o kernel/sched/build_utility.o kernel/rcu/tree.o kernel/kthread.o
lib/xarray.o lib/refcount.o fs/eventfd.o fs/file_table.o fs/seq_file.o drivers/iommu/iommu.o
drivers/iommu/iommufd/device.o drivers/vfio/vfio_main.o virt/kvm/kvm_main.o arch/x86/kvm/x86.o'

uninstrumented() {
	# shellcheck disable=SC2086 # a list of words
	for object in ${our_objects:?} $core; do
		nm "$object" | grep -qE ' U __asan_(report_)?(load|store)' || echo "$object"
	done
}

blind=$(uninstrumented | paste -sd ' ')
if [ -z "$blind" ]; then
	echo "ok 1 - KASAN looks at accesses of this project, and of what it calls"
else
	echo "not ok 1 - KASAN looks at no access in $blind"
fi
echo "1..1"
[ -z "$blind" ]
