#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# tree.sh DIR: makes a /proc and a /sys of a machine in DIR, for kvm-coherency --root.
#
# Processes have numbers that none can have here. What they have open are links to
# character devices that every machine has, under whose numbers /sys has others.
set -eu

cd "$1"

# process PID NAME [WORD...]
process() {
	mkdir -p "proc/$1/fd" "proc/$1/fdinfo"
	printf '%s\n' "$2" > "proc/$1/comm"
	process=$1
	shift 2
	printf '%s\0' "$@" > "proc/$process/cmdline"
}

# has FD TARGET: of the last process
has() {
	ln -s "$2" "proc/$process/fd/$1"
	printf 'pos:\t0\nflags:\t02000002\n' > "proc/$process/fdinfo/$1"
}

# vm NAME FLUSHED IGNORED EDGES: what debugfs has of it is on stdin
vm() {
	mkdir -p "sys/kernel/debug/kvm/$1"
	cat > "sys/kernel/debug/kvm/$1/noncoherent_dma"
	echo "$2" > "sys/kernel/debug/kvm/$1/wbinvd_flushed"
	echo "$3" > "sys/kernel/debug/kvm/$1/wbinvd_ignored"
	echo "$4" > "sys/kernel/debug/kvm/$1/noncoherent_dma_edges"
}

# bytes HEX OFFSET FILE
bytes() {
	# shellcheck disable=SC2059 # octal, which printf translates
	printf "\\$(printf %03o "0x$1")" | dd of="$3" bs=1 seek="$2" conv=notrunc status=none
}

# device NAME CLASS GROUP IOMMU DRIVER CONTROL: "-" for none; CONTROL is the high byte of
# Device Control, "closed" where only root can read it, or "-" for a device of before PCIe
device() {
	dir=sys/devices/pci0000:00/$1
	mkdir -p "$dir" sys/bus/pci/devices sys/bus/pci/drivers
	ln -s "../../../devices/pci0000:00/$1" sys/bus/pci/devices/
	echo 0x1234 > "$dir/vendor"
	echo 0xffff > "$dir/device"
	echo "0x$2" > "$dir/class"
	echo '(null)' > "$dir/driver_override"
	[ "$3" = - ] || {
		mkdir -p "sys/kernel/iommu_groups/$3"
		ln -s "../../../kernel/iommu_groups/$3" "$dir/iommu_group"
	}
	[ "$4" = - ] || ln -s "../../virtual/iommu/$4" "$dir/iommu"
	[ "$5" = - ] || ln -s "../../../bus/pci/drivers/$5" "$dir/driver"
	case $6 in
	closed) truncate -s 64 "$dir/config" ;;
	*) truncate -s 256 "$dir/config" ;;
	esac
	case $6 in
	-) ;;
	*)
		bytes 10 6 "$dir/config"
		bytes 40 52 "$dir/config"
		;;
	esac
	case $6 in
	closed | -) ;;
	*)
		bytes 10 64 "$dir/config"
		bytes "$6" 73 "$dir/config"
		;;
	esac
}

mkdir -p proc sys/dev/char sys/module/kvm/parameters sys/class/misc/iommu
echo follow > sys/module/kvm/parameters/noncoherent_dma
# /dev/zero, /dev/full and /dev/random
ln -s ../../devices/virtual/misc/iommu sys/dev/char/1:5
ln -s ../../devices/pci0000:00/0000:00:05.0/vfio-dev/vfio0 sys/dev/char/1:7
ln -s ../../devices/virtual/vfio/7 sys/dev/char/1:8

mkdir -p sys/class/iommu/dmar0/intel-iommu sys/class/iommu/dmar1/intel-iommu \
	sys/class/iommu/ivhd0/amd-iommu sys/class/iommu/smmu3.0
echo f0105a > sys/class/iommu/dmar0/intel-iommu/ecap
echo f010da > sys/class/iommu/dmar1/intel-iommu/ecap
echo 246577efa2254afa:0 > sys/class/iommu/ivhd0/amd-iommu/features
device 0000:00:00.0 060000 0 dmar0 - -
device 0000:00:02.0 030000 2 dmar0 i915 08
device 0000:00:05.0 00ff00 5 dmar0 vfio-pci 00
device 0000:00:05.1 00ff00 5 dmar0 - -
device 0000:00:06.0 020000 6 dmar1 igc closed
device 0000:00:07.0 010000 7 - vfio-pci 08
echo vfio-noiommu > sys/kernel/iommu_groups/7/name
device 0000:00:08.0 010000 8 ivhd0 nvme 08
device 0000:00:09.0 020000 9 smmu3.0 - 08
device 0000:00:0a.0 010000 - - ahci 00
device 0000:00:0b.0 010000 10 dmar0 - 00
device 0000:00:0b.1 010000 10 dmar1 - 00

# Assigned by iommufd, twice: by the iommufd, and by the device's file
process 4200001 qemu-system-x86 qemu-system-x86_64 -name guest=web,,1,debug-threads=on -S
has 0 /dev/null
has 9 /dev/zero
echo 'coherency-id:	3' >> proc/4200001/fdinfo/9
has 11 anon_inode:kvm-vm
has 12 anon_inode:kvm-vcpu:0
has 13 anon_inode:kvm-vcpu:1
has 20 /dev/full
vm 4200001-11 1200 7 3 <<'VM'
permission: on
policy: follow
loosest policy: follow
source: iommufd 3
attached: group 5 hwpt 4 pasid 0 since 61.123456789
source: vfio-file iommufd 3
attached: group 5 hwpt 4 pasid 0 since 61.123456789
VM

# A name that commands terminals; nothing assigned. The file looks like an iommufd.
process 4200002 "$(printf 'a\033[31m"\134')" vmm --name plain
mkdir -p dev
: > dev/iommu
has 3 "$PWD/dev/iommu"
echo 'coherency-id:	3' >> proc/4200002/fdinfo/3
has 5 anon_inode:kvm-vm
# Of the thread that made it
mkdir proc/4200012
printf 'Name:\tworker\nTgid:\t4200002\n' > proc/4200012/status
vm 4200012-5 0 12 0 <<'VM'
permission: off
policy: forbid
loosest policy: no-wbinvd
not enforced: type1
VM

# Two VMs, of which one has a directory
process 4200003 vmm vmm
has 5 anon_inode:kvm-vm
has 6 anon_inode:kvm-vm
vm 4200003-5 0 0 0 <<'VM'
permission: off
policy: follow
loosest policy: follow
source: iommufd 3
source: vfio-file
VM

# The same, and the first one's descriptor was closed
process 4200004 vmm vmm
has 5 anon_inode:kvm-vm
has 7 anon_inode:kvm-vcpu:0
has 8 anon_inode:kvm-vcpu:0
vm 4200004-5 5 0 5 <<'VM'
permission: on
policy: no-wbinvd
loosest policy: follow
source: vfio-file
attached: group 7 no-iommu since 9.000000001
source: iommufd 9
attached: access 7 since 10.500000000
attached: group 6 hwpt 8 pasid 2 since 11.000000000
a line of a newer kernel
VM

# Made by a process that has ended
process 4200006 child child
has 7 anon_inode:kvm-vm
has 8 /dev/random
vm 4200005-7 1 1 1 <<'VM'
permission: on
policy: follow
loosest policy: follow
source: vfio-file
attached: group 7 container since 12.000000000
VM

# Gone, and nobody has it open that could be looked into
vm 4200007-3 0 0 0 <<'VM'
permission: off
policy: follow
loosest policy: follow
VM
mkdir sys/kernel/debug/kvm/4200007-3/vcpu0
echo 0 > sys/kernel/debug/kvm/exits
