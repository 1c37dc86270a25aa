# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# Waits for a boot and judges it by its console: did it get to the end, and did
# the kernel complain? Sourced after lib.sh.
# shellcheck disable=SC2034 # boot_status is for who sources this

splat='BUG:|WARNING:|KASAN|UBSAN|KCSAN|Oops|Kernel panic|general protection fault'
splat="$splat|possible circular locking|possible recursive|possible irq lock inversion"
splat="$splat|inconsistent lock state|suspicious RCU|INFO: task|INFO: rcu|detected stall"
splat="$splat|INFO: trying to register non-static key|DEBUG_LOCKS_WARN_ON|refcount_t:"
splat="$splat|unreferenced object|soft lockup|hard LOCKUP"

# boot_wait PID CONSOLE KERNEL-COMMAND-LINE: leaves the exit status in boot_status
boot_wait() {
	boot_pid=$1
	trap 'kill "$boot_pid"; exit 130' HUP INT TERM
	boot_programs=$(echo "$3" | grep -o 'run=' | wc -l)
	boot_started=$(date +%s)
	while sleep 1 && kill -0 "$boot_pid" 2> /dev/null; do
		boot_done=$(grep -ac '^exit: ' "$2" 2> /dev/null || :)
		progress "machine: ${boot_done:-0} of $boot_programs programs run, $(($(date +%s) - boot_started)) s"
	done > /dev/null &
	boot_watcher=$!
	boot_status=0
	wait "$boot_pid" || boot_status=$?
	kill "$boot_watcher" 2> /dev/null || :
	progress_end
}

# boot_failed LOG WHAT
boot_failed() {
	{
		echo "--- last lines of $1"
		tail -n 20 "$1" | tr -d '\r'
		echo "---"
	} >&2
	die "$2 (log: $1)"
}

# boot_verdict CONSOLE fail|tolerate|races: what is printed about data races is for
# somebody else to judge
boot_verdict() {
	boot_line=$(grep -anE "$splat" "$1" | case $2 in races) grep -v -e 'BUG: KCSAN: ' -e 'kcsan: ' ;; *) cat ;; esac |
		sed -n '1s/:.*//p')
	if [ -n "$boot_line" ]; then
		{
			echo "--- first complaint of the kernel in $1"
			sed -n "$boot_line,$((boot_line + 20))p" "$1" | tr -d '\r'
			echo "---"
		} >&2
		[ "$2" = tolerate ] || die "the kernel complained (log: $1)"
	fi
	grep -aq '^init: powering off' "$1" ||
		boot_failed "$1" "the machine stopped before all programs had run"
	if grep -aq 'kmemleak: Kernel memory leak detector initialized' "$1"; then
		grep -aq '^init: searched for leaks' "$1" ||
			boot_failed "$1" "the leak detector gave up, so that leaks go unnoticed"
	fi
}
