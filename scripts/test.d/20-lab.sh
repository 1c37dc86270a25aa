#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Tests the test machines before other tests rely on them: the oracle sees flushes and
# their absence, on Debian's kernel with unpatched modules, and what has to fail fails.
# shellcheck disable=SC2317 # works and fails call the functions
set -eu

# shellcheck source=scripts/lib.sh
. "${0%/*}/../lib.sh"

# shellcheck source=scripts/machine/boot-programs.sh
. "${0%/*}/../machine/boot-programs.sh"

make -s -C "$TOP" kernel FLAVOR=release BASE="$BASE" >&2
scripts=$TOP/scripts
selftests=$TOP/tools/testing/selftests/kvm
lab=$TOP/build/$BASE/test/lab
mkdir -p "$lab"

need_packages gcc libc6-dev
cc -std=gnu11 -O2 -Wall -Wextra -static -isystem "$(object_tree release)/usr/include" -I"$selftests/include" \
	-o "$lab/wbinvd_upstream" "$selftests/x86/wbinvd_upstream.c"

cat > "$lab/complain" <<'EOF'
#!/bin/sh
echo '<4>BUG: made by the laboratory itself' > /dev/kmsg
sleep 1000
EOF
cat > "$lab/unfinished" <<'EOF'
#!/bin/sh
poweroff -f
EOF
chmod 755 "$lab/complain" "$lab/unfinished"
boot_kernel stock-base

# boot NAME COMMAND-LINE-WORDS [boot-qemu.sh's other options]
boot() {
	boot_name=$1 words=$2
	shift 2
	boot_machine "$lab/$boot_name" "$lab/wbinvd_upstream $lab/complain $lab/unfinished" "$words" "$@"
}

points=0

# point ok|not\ ok NAME
point() {
	points=$((points + 1))
	echo "$1 $points - $2"
	[ "$1" = ok ] || failed=1
}

# works NAME COMMAND...
works() {
	name=$1
	shift
	if "$@" >&2; then point ok "$name"; else point 'not ok' "$name"; fi
}

# fails NAME MESSAGE COMMAND...: it has to, and to say why
fails() {
	name=$1 message=$2 status=0
	shift 2
	echo "has to fail: $*" >&2
	"$@" > "$lab/said" 2>&1 || status=$?
	cat "$lab/said" >&2
	if [ $status -ne 0 ] && grep -qF -e "$message" "$lab/said"; then
		point ok "$name"
	else
		point 'not ok' "$name: status $status, and \"$message\" is $(grep -cF -e "$message" "$lab/said") times in what it says"
	fi
}

# What the guest executed, in the phases of wbinvd_upstream
# shellcheck disable=SC2016 # awk's own dollars
guest_counts='
	$1 == "phase" && $2 < 65534 {
		split($11, noinvd, "/")
		if ($2 == 6 ? $6 != 0 || noinvd[2] != 100 : $6 != 100 || noinvd[2] != 0)
			bad = 1
		phases++
	}
	END { exit bad || phases != 9 }'

boot cannot-enforce run=/tests/wbinvd_upstream,100 -s off
"$scripts/judge/oracle-tap.sh" -p 9 -l "VT-d that cannot enforce" "$lab/cannot-enforce" || failed=1

boot can-enforce run=/tests/wbinvd_upstream,0 -s on
"$scripts/judge/oracle-tap.sh" -p 9 -l "VT-d that can enforce" "$lab/can-enforce" || failed=1

works "the guest's own WBINVDs and WBNOINVDs are told apart and counted" \
	awk "$guest_counts" "$lab/cannot-enforce/oracle.log"

# This one boots in a third of the time
boot_kernel release

fails "a complaint of the kernel is noticed" "the kernel complained" boot complaint run=/tests/complain
fails "a machine that stops too early is noticed" "stopped before all programs had run" boot early run=/tests/unfinished
fails "a machine that hangs is noticed" "did not power off within 5 seconds" boot hang run=/bin/sleep,1000 -t 5
fails "a machine that says nothing is noticed" "said nothing for 20 seconds" boot silent run=/bin/sleep,1000 -q 20
works "a program that hangs does not keep the next from running" boot hung 'limit=3 run=/bin/sleep,1000 run=/bin/true'
fails "a program that hangs is noticed" "not ok 1 - /bin/sleep 1000: exit status 137" "$scripts/judge/oracle-tap.sh" "$lab/hung"

boot exit run=/bin/false
fails "a program's failure is noticed" "/bin/false: exit status 1" "$scripts/judge/oracle-tap.sh" "$lab/exit"

# behind: a unit whose machine dies in the first of its programs
behind() (
	tests=unfinished boot_tests=$lab unit=lab machine=lab
	boot_unit release off '' 'run=/tests/unfinished run=/bin/true' > "$lab/behind"
	grep -q '^ok 1 - release, lab: /bin/true$' "$lab/behind"
)
works "the programs behind a dead machine run in another" behind
works "a program that a machine died of is noticed" \
	grep -q '^not ok 1 - release, lab: /tests/unfinished: never returned$' "$lab/behind"

# The rest takes logs that are made up or were doctored, and no boot
scratch=$lab/doctored

# doctor [FILE SED-SCRIPT]...: the logs of the machine that cannot enforce, edited
doctor() {
	rm -rf "$scratch"
	cp -R "$lab/cannot-enforce" "$scratch"
	while [ $# -gt 0 ]; do
		sed -i "$2" "$scratch/$1"
		shift 2
	done
}

# unbelieved NAME MESSAGE [FILE SED-SCRIPT]...
unbelieved() {
	unbelieved_name=$1 unbelieved_message=$2
	shift 2
	doctor "$@"
	fails "$unbelieved_name is noticed" "$unbelieved_message" "$scripts/judge/oracle-tap.sh" "$scratch"
}

# With what the other machine did
doctor
cp "$lab/can-enforce/oracle.log" "$scratch"
fails "a wrong number of flushes is noticed" "0 host flushes for 100 WBINVDs of the guest, expected 100" \
	"$scripts/judge/oracle-tap.sh" "$scratch"
unbelieved "a phase that the machine did not see" "phase 4 never reached the oracle" oracle.log '/^phase 4 /d'
unbelieved "a phase that nobody declared" "the output names 0" output.log '/^oracle: 4 /d'
unbelieved "a WBNOINVD of the host" "phase 3: the host executed WBNOINVD 1 times" \
	oracle.log '/^phase 3 /s, wbnoinvd=0/, wbnoinvd=1/,'
unbelieved "a WBNOINVD of the host between phases" "phase 65534: the host executed WBNOINVD 2 times" \
	oracle.log '/^phase 65534 /s, wbnoinvd=0/, wbnoinvd=2/,'
unbelieved "an oracle that does not count WBNOINVD" "did not count WBNOINVD" oracle.log 's/ wbnoinvd=[^ ]*//'
unbelieved "a guest that executed nothing" "but the guest executed 0, expected some" \
	oracle.log '/^phase 1 /s/ guest 100 / guest 0 /'
unbelieved "a guest that executed less than it was to" "but the guest executed 100, expected 101" \
	output.log 's,^oracle: 1 [^ ]*,&/101,'
unbelieved "a program that never ran" "/tests/x 1: never ran" programs 's,$,\n/tests/x 1,'
unbelieved "another program than was asked for" "the command line names /tests/wbinvd_upstream 99" \
	programs 's/ 100$/ 99/'
unbelieved "a program that never returned" "wbinvd_upstream 100: never returned" output.log '/^exit: /d'
unbelieved "the end of another program" "/tests/x ended, and /tests/wbinvd_upstream 100 had begun" \
	output.log 's,^\(exit: [0-9]* \).*,\1/tests/x,'

# rounds SECOND: two rounds, of which at least one is to miss the first CPU
rounds() {
	mkdir -p "$scratch"
	printf '%s\n' 'run: /tests/x' 'oracle: 1*2 0-1,1+0,1 misses' 'exit: 0 /tests/x' > "$scratch/output.log"
	printf 'phase 1 host 1 guest 1 cpus %s seq=0 insns=- wbnoinvd=0/0 us=0\n' 1,1 "$1" > "$scratch/oracle.log"
	echo /tests/x > "$scratch/programs"
	"$scripts/judge/oracle-tap.sh" "$scratch"
}
works "a miss in one of the rounds is enough" rounds 0,1
fails "rounds without the miss that was claimed are noticed" "but in no round it was 0,1" rounds 1,1

# unit SKIPS TAP...: judges a unit that prints it
unit() {
	rm -rf "$scratch"
	mkdir -p "$scratch"
	echo "$1" > "$scratch/skips"
	shift
	printf '%s\n' "$@" > "$scratch/tap"
	printf '#!/bin/sh\ncat %s\n' "$scratch/tap" > "$scratch/lab-unit.sh"
	chmod 755 "$scratch/lab-unit.sh"
	UNIT_DIR=$scratch SKIPS=$scratch/skips "$scripts/test.sh" lab-unit
}
works "a skip that is in the list passes" \
	unit 'lab-unit: * # SKIP no such device | a reason' 1..2 'ok 1 - a' 'ok 2 - b # SKIP no such device'
fails "a skip that is not in the list is noticed" "not ok 2 - lab-unit: b skipped, no device" \
	unit '# lab-unit: *' 1..2 'ok 1 - a' 'ok 2 - b # SKIP no device'
fails "a unit that skips everything is noticed" "lab-unit: ran nothing" \
	unit 'lab-unit: * | a reason' 1..1 'ok 1 - b # SKIP no device'
fails "a unit without points is noticed" "lab-unit: ran nothing" unit '' 1..0
fails "a unit that leaves points out is noticed" "lab-unit: planned 2 points and printed 1" \
	unit '' 1..2 'ok 1 - a'

# verdict FLAVOR [KERNEL-COMMAND-LINE]: of the logs in scratch
verdict() {
	(
		# shellcheck source=scripts/judge/boot-verdict.sh
		. "$scripts/judge/boot-verdict.sh"
		boot_complaint "$scratch/console.log" fail
		boot_verdict "$scratch" "$@"
	)
}

# watched FLAVOR [LINE]: the console of a machine that keeps its promises, and says LINE
watched() {
	printf '%s\n' 'kasan: KernelAddressSanitizer initialized' \
		'Lock dependency validator: Copyright (c) 2006 Red Hat, Inc., Ingo Molnar' \
		'kmemleak: Kernel memory leak detector initialized (mem pool available: 11628)' \
		'kcsan: enabled early' 'kcsan: selftest: 3/3 tests passed' ${2+"$2"} > "$scratch/console.log"
	printf '%s\n' 'init: searched for leaks, 7 s' 'init: lockdep is on' 'init: powering off' > "$scratch/output.log"
	verdict "$1" "$races_words"
}
races_words='snoop=on kcsan.early_enable=1'
works "a debug kernel that is on the watch passes" watched debug
works "a release kernel that looks for races passes" watched release
for promise in kasan: Lock 'kmemleak: Kernel' 'init: searched' 'init: lockdep' 'kcsan: enabled' 'kcsan: selftest'; do
	kernel_flavor=debug
	[ "${promise#kcsan}" = "$promise" ] || kernel_flavor=release
	watched $kernel_flavor
	sed -i "/^$promise/d" "$scratch/console.log" "$scratch/output.log"
	fails "a $kernel_flavor kernel that does not say \"$promise\" is noticed" "does not say: ^$promise" verdict $kernel_flavor "$races_words"
done
works "a release kernel that is not to look for races need not" verdict release snoop=on
watched debug
sed -i '/leak/d' "$scratch/console.log" "$scratch/output.log"
works "a debug kernel that is not to look for leaks need not" verdict debug 'snoop=on kmemleak=off'
sed -i '/lockdep/d' "$scratch/output.log"
fails "but has to keep its other promises" "does not say: ^init: lockdep" verdict debug 'kmemleak=off snoop=on'
for complaint in 'BUG kmalloc-64 (Not tainted): Right Redzone overwritten' \
	'BUG ext4 groups (Tainted: G    B  ): Object already free' \
	'kmemleak: Memory pool empty, consider increasing CONFIG_DEBUG_KMEMLEAK_MEM_POOL_SIZE' \
	'kmemleak: Kernel memory leak detector disabled' 'kernel BUG at lib/list_debug.c:29!'; do
	fails "\"$complaint\" is noticed" "the kernel complained" watched release "$complaint"
done

# died BYTES [PLACE]: a kernel that died behind them
died() {
	printf '[ 1.0] %s\n' 'Oops: int3: 0000 [#1] PREEMPT SMP' "RIP: 0010:${2:-__schedule+0x428/0xbf0}" \
		"Code: $1" 'RIP: 0010:kvm_vcpu_load+0x1/0x2 [kvm]' 'Code: 00 <00>' > "$scratch/console.log"
	stale_breakpoint "$scratch/console.log"
}
alive_after() {
	! died "$@"
}
works "a breakpoint that QEMU executes after it is gone is recognised" died '0f 85 eb <3c> 4d'
works "also where the kernel is about to set it again" died '00 02 cc <1f> 44 00 00'
works "a breakpoint that is there in a module is that module's own" alive_after '0f 85 cc <3c> 4d' 'kvm_vcpu_load+0x4/0x90 [kvm]'
works "to get between two functions is the kernel's own fault" alive_after 'c3 cc cc <cc> cc'

# stalled CPU RIP: a kernel that says so of CPU 1, while that or another is at RIP
stalled() {
	printf '[ 31.7] %s\n' 'rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:' \
		"NMI backtrace for cpu $1" "RIP: 0010:$2" \
		"rcu: rcu_preempt kthread timer wakeup didn't happen for 5251 jiffies! g-1155 f0x0 RCU_GP_WAIT_FQS(5)" \
		'rcu: 	Possible timer handling issue on cpu=1 timer-softirq=3' > "$scratch/console.log"
	[ "$(emulator_fault "$scratch/console.log")" = "QEMU gave a CPU that slept no timer interrupt any more" ]
}
not_stalled() {
	! stalled "$@"
}
works "a CPU that QEMU gives no timer interrupt in its sleep is recognised" stalled 1 pv_native_safe_halt+0xf/0x20
works "a stall of a CPU that does not sleep is the kernel's own" not_stalled 1 native_queued_spin_lock_slowpath+0x2c7/0x2d0
works "a stall while another CPU sleeps is the kernel's own" not_stalled 0 pv_native_safe_halt+0xf/0x20

# compiled SANITIZER WITHOUT OBJECT...: compiles each for SANITIZER, but for WITHOUT
compiled() {
	sanitizer=$1 without=$2
	shift 2
	echo 'void ours(int *p) { *p = 1; }' > "$scratch/ours.c"
	for object; do
		mkdir -p "$scratch/${object%/*}"
		looked_at=-fsanitize=$sanitizer
		[ "$object" != "$without" ] || looked_at=
		# shellcheck disable=SC2086 # none or one word
		cc -c $looked_at -o "$scratch/$object" "$scratch/ours.c"
	done
}

# races [OBJECT [LINE]]: a machine that looks for them, not in OBJECT, and whose kernel says LINE
races() {
	# shellcheck disable=SC2086 # a list of words
	compiled thread "${1-}" ${our_objects:?}
	printf 'kcsan: %s\n' 'enabled early' 'selftest: 3/3 tests passed' > "$scratch/console.log"
	[ $# -lt 2 ] || echo "$2" >> "$scratch/console.log"
	"$scripts/judge/kcsan-tap.sh" "$scratch" "$scratch/console.log"
}
works "objects that KCSAN looks at pass" races
fails "an object that KCSAN does not look at is noticed" "KCSAN looks at no access in virt/kvm/vfio.o" \
	races virt/kvm/vfio.o
fails "a data race is noticed" "not ok 1 - data race in theirs / ours" \
	races '' 'BUG: KCSAN: data-race in theirs / ours'

# accesses [OBJECT]: a kernel that looks at them, not in OBJECT
accesses() {
	# shellcheck disable=SC2086 # lists of words
	compiled kernel-address "${1-}" ${our_objects:?} ${core_objects:?}
	"$scripts/judge/kasan-tap.sh" "$scratch"
}
works "objects that KASAN looks at pass" accesses
fails "an object that KASAN does not look at is noticed" "KASAN looks at no access in lib/xarray.o" \
	accesses lib/xarray.o

# bench COUNT PHASE: COUNT in the second round of phase 1, and PHASE has a name
bench() {
	printf 'phase 1 host 0 guest 0 cpus 0 seq=0 insns=%s wbnoinvd=0/0 us=0\n' 1000 "$1" > "$scratch/oracle.log"
	echo "bench: $2 10 an operation" | awk -f "$scripts/measure/bench.awk" "$scratch/oracle.log" -
}
works "operations that were counted pass" bench 900 1
fails "an operation that was not counted is noticed" "a round of phase 1 was not counted" bench - 1
fails "an operation without a count is noticed" "an operation: the oracle has no such phase" bench 900 2

echo "1..$points"
exit $failed
