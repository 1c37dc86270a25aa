#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Runs in a real Debian as the service that deb-boot.sh puts into its root: looks
# whether the package is in force, gives the edu device to vfio-pci as an owner of a
# device does, and runs Debian's own QEMU as the VMM. What it prints is what the test
# machine's /init prints.
exec > /dev/ttyS0 2>&1

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
	[ -e /dev/iommu ] && [ -e /dev/vfio/devices/vfio0 ]
}

dmesg -n 3
# The initramfs leaves the console in the middle of a line
echo
run claim
modprobe kvm-amd
run kvm-iommufd-status
run systemctl start kvm-iommufd-check.service
run /root/stock_qemu_test -b /root/bios.bin -d "${device##*/}" 100
echo "init: the kernel's whole log"
dmesg
echo "init: powering off"
systemctl poweroff
