#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Runs in a real Debian as the service that boot.sh puts into its root: checks that the
# package's modules are in use, binds the edu device to vfio-pci as an administrator
# does, and runs Debian's own QEMU as the VMM. With 0 as its argument the package was
# removed: checks that the stock modules are in use. Prints what the test machine's
# /init prints.
stty -F /dev/ttyS1 115200
exec > /dev/ttyS1 2>&1

run() {
	echo "run: $*"
	"$@"
	echo "exit: $? $1"
}

# Modules that are loaded because something asks for them are what users get
claim() {
	modprobe vfio-pci
	device=$(grep -l 0x11e8 /sys/bus/pci/devices/*/device)
	device=${device%/device}
	echo vfio-pci > "$device/driver_override"
	echo "${device##*/}" > /sys/bus/pci/drivers_probe
	[ -e "$device/iommu_group" ] && [ -e "/dev/vfio/$(basename "$(readlink "$device/iommu_group")")" ]
}

has_iommufd() {
	[ -e /dev/iommu ] && [ -e /dev/vfio/devices/vfio0 ]
}

# Debian's VFIO and KVM work, and no module of ours is loaded
back_to_stock() {
	claim && modprobe kvm-amd && [ -e /dev/kvm ] || return
	! has_iommufd || return
	for module in kvm kvm_amd vfio vfio_pci vfio_pci_core; do
		! modinfo "$module" | grep -q '^filename:.*/updates/' || return
	done
	! grep -q '^iommufd ' /proc/modules
}

if [ "$1" = 0 ]; then
	run back_to_stock
else
	run claim
	run has_iommufd
	modprobe kvm-amd
	run kvm-iommufd-status
	run systemctl start kvm-iommufd-check.service
	# Debian 12's QEMU knows no iommufd
	type1=
	qemu-system-x86_64 -object help | grep -q '^ *iommufd' || type1=-t
	run /srv/stock_qemu_test $type1 -b /srv/bios.bin -d "${device##*/}" 100
fi
dmesg > /dev/ttyS0
echo "init: powering off"
systemctl poweroff
