#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# /init of the machine under test; scripts/machine/initramfs.sh documents its parameters.
# Kernel messages go to the console, the output of init and the programs to the TTY that
# output= on the command line names.
# shellcheck disable=SC3040

export PATH=/bin:/sbin HOME=/root
/bin/busybox --install -s /bin

mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
exec < /dev/console > /dev/console 2>&1

read -r cmdline < /proc/cmdline
limit=900
for word in $cmdline; do
	case $word in
	output=*)
		stty -F "/dev/${word#output=}" 115200
		exec > "/dev/${word#output=}" 2>&1
		;;
	limit=*) limit=${word#limit=} ;;
	esac
done

mount -t debugfs debugfs /sys/kernel/debug
mount -t tracefs tracefs /sys/kernel/tracing 2> /dev/null
mount -t tmpfs -o mode=1777 tmpfs /tmp
mkdir -p /dev/shm
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
ip link set lo up 2> /dev/null

# busybox's modprobe knows no softdeps, by which vfio loads type1
for module in kvm_amd kvm_intel vfio_pci vfio_iommu_type1 iommufd virtio_pci 9pnet_virtio 9p; do
	modprobe "$module" 2> /dev/null
done

bind_edu() {
	for device in /sys/bus/pci/devices/*; do
		[ "$(cat "$device/vendor" "$device/device")" = "0x1234
0x11e8" ] || continue
		echo vfio-pci > "$device/driver_override"
		echo "${device##*/}" > /sys/bus/pci/drivers_probe ||
			echo "init: ${device##*/} could not be bound to vfio-pci"
	done
}

# Not from the kernel's log, which programs may fill
for results in /sys/kernel/debug/kunit/*/results; do
	[ ! -e "$results" ] || sed 's/^/kunit: /' "$results"
done

# What tells that the kernel is on the watch: by the end of a long run the messages of
# the programs may have pushed it out of the kernel's log
dmesg | grep -e '^kcsan: ' -e '^kmemleak: Kernel memory leak detector' \
	-e '^kasan: KernelAddressSanitizer' -e '^Lock dependency validator:' > /dev/console

case " $cmdline " in
*" bind=no "*) ;;
*) [ ! -d /sys/bus/pci ] || bind_edu ;;
esac

# QEMU before 11 loses an interrupt now and then: on VMRUN and #VMEXIT a CPU's thread changes
# the word in which others request them without their lock. Where ticks stop that CPU would
# sleep on, and RCU stall. Work that is queued on each wakes it; one of the two can sleep
# on itself.
case " $cmdline :$(nproc)" in
*:1) ;;
*" nudge "*)
	for mask in 1 2; do
		taskset $mask sh -c 'while sleep 1; do cat /proc/sys/vm/stat_refresh; done' > /dev/null 2>&1 &
	done
	;;
esac

# What a program that died has left behind would fail those that follow
tidy() {
	hold=/sys/module/hold_cpu/parameters/cpu
	[ ! -e $hold ] || echo -1 > $hold
	echo 0 > /sys/module/rcupdate/parameters/rcu_cpu_stall_suppress
	cd /sys/kernel/tracing || return
	echo 0 > events/enable
	for filter in events/kvm/*/filter; do
		[ ! -e "$filter" ] || echo 0 > "$filter"
	done
	echo local > trace_clock
	echo 1 > tracing_on
}

# Seconds since boot
seconds() {
	cut -d. -f1 /proc/uptime
}

for word in $cmdline; do
	case $word in
	run=*) ;;
	*) continue ;;
	esac
	program=$(echo "${word#run=}" | tr , ' ')
	echo "run: $program"
	began=$(seconds)
	cd /tmp || exit
	# The words are the program's arguments; one that hangs does not keep the others
	# shellcheck disable=SC2086
	timeout -s KILL "$limit" $program
	result=$?
	echo "exit: $result ${program%% *}"
	echo "init: it took $(($(seconds) - began)) s"
	[ $result = 0 ] || tidy 2> /dev/null
done

case " $cmdline " in
*" shell "*)
	echo "init: the programs are in /tests; exit powers the machine off"
	setsid cttyhack sh
	;;
esac

leaks=/sys/kernel/debug/kmemleak
ended=$(seconds)
case " $cmdline " in
*" shell "*) leaks=/none ;;
esac
if [ -e $leaks ] && echo scan > $leaks; then
	# It reports what two scans found, at the second of which it is five seconds
	# old (MSECS_MIN_AGE); nothing tells when that has come. The first scan may
	# well take longer.
	while [ "$(seconds)" -lt $((ended + 6)) ]; do
		sleep 1
	done
	echo scan > $leaks && cat $leaks > /dev/console &&
		echo "init: searched for leaks, $(($(seconds) - ended)) s"
fi

# It turns itself off at the first complaint, and where its tables are full
! grep -q '^ debug_locks: *1$' /proc/lockdep_stats 2> /dev/null || echo "init: lockdep is on"

# In hexadecimal, which looks like nothing else that is looked for in the output
if [ -d /sys/kernel/debug/gcov ]; then
	mkdir /tmp/gcov
	find /sys/kernel/debug/gcov -name '*.gcda' | while read -r counts; do
		cat "$counts" > "/tmp/gcov/$(echo "${counts#/sys/kernel/debug/gcov}" | tr / '#')"
	done
	tar -C /tmp/gcov -cz . | xxd -p | sed 's/^/gcov: /'
fi

{
	echo "init: the kernel's whole log"
	dmesg
} > /dev/console
echo "init: powering off"
# Setting the terminal waits until the line has taken all that was written
stty -echo
stty -echo <&1
poweroff -f
