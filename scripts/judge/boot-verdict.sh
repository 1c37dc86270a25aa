# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# Waits for a boot and judges it: did it get to the end, and did the kernel complain?
# Sourced after lib.sh.
# shellcheck disable=SC2034 # boot_status is for scripts that source this

splat='BUG:|WARNING:|KASAN|UBSAN|KCSAN:|Oops|Kernel panic|general protection fault'
splat="$splat|possible circular locking|possible recursive|possible irq lock inversion"
splat="$splat|inconsistent lock state|suspicious RCU|INFO: task|INFO: rcu|detected stall"
splat="$splat|INFO: trying to register non-static key|DEBUG_LOCKS_WARN_ON|refcount_t:"
splat="$splat|unreferenced object|soft lockup|hard LOCKUP|kernel BUG at"
# SLUB's, which names the cache where others have a colon
splat="$splat|BUG [^:]+ \((Not t|T)ainted|(Object|Redzone|[Pp]adding|Poison) overwritten"
# The leak detector that gives up says so once, and finds nothing any more
splat="$splat|kmemleak: (Memory pool empty|Cannot insert|Cannot allocate a kmemleak_object)"
leaks_off='|kmemleak: (Kernel memory leak detector|Kmemleak) disabled'
splat=$splat$leaks_off

# promises FLAVOR [KERNEL-COMMAND-LINE]: what such a kernel says: that it is on the watch,
# and was until the end
promises() {
	case $1 in
	debug) cat <<-'EOF' ;;
		^kasan: KernelAddressSanitizer initialized
		^Lock dependency validator:
		^init: lockdep is on
	EOF
	esac
	case $1:" ${2-} " in
	release:*" kcsan.early_enable=1 "*) cat <<-'EOF' ;;
		^kcsan: enabled early
		^kcsan: selftest: ([0-9]+)/\1 tests passed
	EOF
	debug:*" kmemleak=off "*) ;;
	debug:*) cat <<-'EOF' ;;
		^kmemleak: Kernel memory leak detector initialized
		^init: searched for leaks
	EOF
	esac
}

# built_as KERNEL: its flavor, by object_tree()
built_as() {
	boot_flavor_of=${1%/arch/x86/boot/bzImage}
	case ${boot_flavor_of##*/} in
	obj-*) echo "${boot_flavor_of##*/obj-}" ;;
	esac
}

: "${boot_quiet:=600}"

# boot_wait PID OUTDIR KERNEL-COMMAND-LINE fail|tolerate|races: leaves the exit status in
# boot_status, and in OUTDIR/programs what init.sh is to run. Dies where the kernel
# complained or hung.
boot_wait() {
	boot_pid=$1
	# It says the same where it is told to be off as where it gives up
	case " $3 " in *" kmemleak=off "*) splat=${splat%"$leaks_off"} ;; esac
	for boot_word in $3; do
		case $boot_word in
		run=*) echo "${boot_word#run=}" | tr , ' ' ;;
		esac
	done > "$2/programs"
	rm -f "$2/silent" "$2/why"
	trap 'kill "$boot_pid"; exit 130' HUP INT TERM
	boot_watch "$2" "$4" > /dev/null &
	boot_watcher=$!
	boot_status=0
	wait "$boot_pid" || boot_status=$?
	kill "$boot_watcher" 2> /dev/null || :
	progress_end
	boot_complaint "$2/console.log" "$4"
	[ ! -e "$2/silent" ] || boot_failed "$2/console.log" "the machine said nothing for $boot_quiet seconds"
}

# boot_watch OUTDIR fail|tolerate|races: shows how far the machine is, and stops it where
# there is nothing to wait for: the kernel complained, which is a failure whatever comes
# behind, or nothing was said for $boot_quiet seconds
boot_watch() {
	boot_programs=$(wc -l < "$1/programs")
	boot_started=$(date +%s) boot_said=0 boot_since=$boot_started
	while sleep 1 && kill -0 "$boot_pid" 2> /dev/null; do
		boot_now=$(date +%s)
		boot_done=$(grep -ac '^exit: ' "$1/output.log" 2> /dev/null || :)
		progress "machine: ${boot_done:-0} of $boot_programs programs run, $((boot_now - boot_started)) s"
		if [ "$2" = fail ] && grep -aqE "$splat" "$1/console.log" 2> /dev/null; then
			# The rest of what it has to say
			sleep 5
			break
		fi
		boot_saying=$(cat "$1/console.log" "$1/output.log" 2> /dev/null | wc -c)
		[ "$boot_saying" = "$boot_said" ] || boot_since=$boot_now
		boot_said=$boot_saying
		if [ $((boot_now - boot_since)) -ge "$boot_quiet" ]; then
			: > "$1/silent"
			break
		fi
	done
	kill "$boot_pid" 2> /dev/null || :
}

# boot_shown OUTDIR: what is said of a failure goes there as well, into "why", for the points
boot_shown() {
	tr -d '\r' | tee "$1/why" >&2
}

# boot_failed LOG WHAT
boot_failed() {
	{
		echo "--- last lines of $1"
		tail -n 20 "$1"
		echo "--- $2"
	} | boot_shown "$(dirname "$1")"
	die "$2 (log: $1)"
}

# boot_complaint CONSOLE fail|tolerate|races: dies where the kernel complained; what is
# printed about data races is for somebody else to judge
boot_complaint() {
	[ -e "$1" ] || return 0
	boot_line=$(grep -anE "$splat" "$1" | case $2 in races) grep -v 'BUG: KCSAN: ' ;; *) cat ;; esac |
		sed -n '1s/:.*//p')
	if [ -n "$boot_line" ]; then
		{
			echo "--- first complaint of the kernel in $1"
			sed -n "$boot_line,$((boot_line + 20))p" "$1"
			echo "---"
		} | boot_shown "$(dirname "$1")"
		[ "$2" = tolerate ] || die "the kernel complained (log: $1)"
	fi
}

# boot_verdict OUTDIR FLAVOR [KERNEL-COMMAND-LINE]: did it get to its end, and keep its promises?
boot_verdict() {
	grep -aqs '^init: powering off' "$1/output.log" ||
		boot_failed "$1/console.log" "the machine stopped before all programs had run"
	promises "$2" "${3-}" | while IFS= read -r boot_promise; do
		cat "$1/console.log" "$1/output.log" | tr -d '\r' | grep -aqE "$boot_promise" ||
			boot_failed "$1/console.log" "the kernel is $2 and does not say: $boot_promise"
	done
}
