# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# Judges a boot by its console: did it get to the end, and did the kernel complain?

splat='BUG:|WARNING:|KASAN|UBSAN|KCSAN|Oops|Kernel panic|general protection fault'
splat="$splat|possible circular locking|possible recursive|possible irq lock inversion"
splat="$splat|inconsistent lock state|suspicious RCU|INFO: task|INFO: rcu|detected stall"
splat="$splat|INFO: trying to register non-static key|DEBUG_LOCKS_WARN_ON|refcount_t:"
splat="$splat|unreferenced object|soft lockup|hard LOCKUP"

# boot_failed LOG WHAT
boot_failed() {
	{
		echo "--- last lines of $1"
		tail -n 20 "$1" | tr -d '\r'
		echo "---"
	} >&2
	die "$2 (log: $1)"
}

# boot_verdict CONSOLE fail|tolerate
boot_verdict() {
	if grep -aqE "$splat" "$1"; then
		{
			echo "--- first complaint of the kernel in $1"
			grep -aE -m 1 -A 20 "$splat" "$1" | tr -d '\r'
			echo "---"
		} >&2
		[ "$2" = tolerate ] || die "the kernel complained (log: $1)"
	fi
	grep -aq '^init: powering off' "$1" ||
		boot_failed "$1" "the machine stopped before all programs had run"
}
