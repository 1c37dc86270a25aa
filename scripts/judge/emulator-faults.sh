# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# What a kernel dies of that QEMU got wrong, told by the kernel's own dump. Sourced.

# stale_breakpoint CONSOLE: did the kernel die of a breakpoint by which it had patched itself?
# Debian's kernels do, as each first and last VM makes them, and know where while they do.
# QEMU rarely executes one after it is gone. The kernel then prints the byte behind which it
# died: that is none, or the place is being patched again. In vmlinux, which is Debian's, there
# are no others but between functions, where they fill rows.
stale_breakpoint() {
	awk '/Oops: int3/ { died = 1 }
		died && / RIP: / && !places++ { module = / RIP: .*\[/ }
		died && / Code: / {
			there = / cc </
			alone = !/ cc cc </ && !/ cc <cc>/
			stale = / [0-9a-f][0-9a-f] </ && (!there || (places && !module && alone))
			exit
		}
		END { exit !stale }' "$1"
}

# lost_tick CONSOLE: did a CPU get no timer interrupt for 21 seconds in which it slept with
# interrupts enabled? Neither a kernel that does not enable them nor one that is busy sleeps.
lost_tick() {
	awk '/NMI backtrace for cpu / { cpu = $NF + 0 }
		/ RIP: .*safe_halt/ { asleep[cpu] = 1 }
		/ kthread timer wakeup didn.t happen for / { late = 1 }
		late && sub(/.*Possible timer handling issue on cpu=/, "") { lost = $1 + 0 in asleep }
		END { exit !lost }' "$1"
}

# emulator_fault CONSOLE: prints which it was; fails if it was none
emulator_fault() {
	[ -e "$1" ] || return 1
	if stale_breakpoint "$1"; then
		echo "QEMU executed a breakpoint by which the kernel had patched itself"
	elif lost_tick "$1"; then
		echo "QEMU gave a CPU that slept no timer interrupt any more"
	else
		return 1
	fi
}
