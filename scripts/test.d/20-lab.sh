#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# The laboratory proves itself on the unpatched kernel, before anything else is
# believed: the oracle sees flushes and their absence, and what has to fail fails.
set -eu

# shellcheck source=scripts/lib.sh
. "${0%/*}/../lib.sh"

make -s -C "$TOP" kernel FLAVOR=base BASE="$BASE" >&2
kernel=$(make -s -C "$TOP" kernel-path FLAVOR=base BASE="$BASE")
objects=$(object_tree base)
scripts=$TOP/scripts
selftests=$TOP/tools/testing/selftests/kvm
lab=$TOP/build/$BASE/test/lab
mkdir -p "$lab"

need_packages gcc libc6-dev
cc -std=gnu11 -O2 -Wall -Wextra -static -isystem "$objects/usr/include" -I"$selftests/include" \
	-o "$lab/wbinvd_upstream" "$selftests/x86/wbinvd_upstream.c"

cat > "$lab/complain" <<'EOF'
#!/bin/sh
echo '<4>BUG: made by the laboratory itself' > /dev/kmsg
EOF
cat > "$lab/unfinished" <<'EOF'
#!/bin/sh
poweroff -f
EOF
chmod 755 "$lab/complain" "$lab/unfinished"
"$scripts/initramfs.sh" "$lab/initramfs.gz" \
	"$lab/wbinvd_upstream" "$lab/complain" "$lab/unfinished"

# boot NAME COMMAND-LINE-WORDS [boot-qemu.sh's other options]
boot() {
	out=$lab/$1 words=$2
	shift 2
	"$scripts/boot-qemu.sh" -k "$kernel" -i "$lab/initramfs.gz" -o "$out" -x "$words" "$@"
}

points=0 failed=0

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

# fails NAME COMMAND...
fails() {
	name=$1
	shift
	echo "has to fail: $*" >&2
	if "$@" >&2; then point 'not ok' "$name"; else point ok "$name"; fi
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
"$scripts/oracle-tap.sh" -p 9 -l "VT-d that cannot enforce" "$lab/cannot-enforce" || failed=1

boot can-enforce run=/tests/wbinvd_upstream,0 -s on
"$scripts/oracle-tap.sh" -p 9 -l "VT-d that can enforce" "$lab/can-enforce" || failed=1

works "the guest's own WBINVDs and WBNOINVDs are told apart and counted" \
	awk "$guest_counts" "$lab/cannot-enforce/oracle.log"

# The same two boots with what was seen on one and expected on the other
mkdir -p "$lab/crossed"
cp "$lab/cannot-enforce/console.log" "$lab/can-enforce/oracle.log" "$lab/crossed"
fails "wrong numbers of flushes are noticed" "$scripts/oracle-tap.sh" "$lab/crossed"

mkdir -p "$lab/lost"
cp "$lab/cannot-enforce/console.log" "$lab/lost"
grep -v '^phase 4 ' "$lab/cannot-enforce/oracle.log" > "$lab/lost/oracle.log"
fails "a phase that the machine did not see is noticed" "$scripts/oracle-tap.sh" "$lab/lost"

cp "$lab/cannot-enforce/oracle.log" "$lab/lost"
grep -v '^oracle: 4 ' "$lab/cannot-enforce/console.log" > "$lab/lost/console.log"
fails "a phase that nobody declared is noticed" "$scripts/oracle-tap.sh" "$lab/lost"

fails "a complaint of the kernel is noticed" boot complaint run=/tests/complain
fails "a machine that stops too early is noticed" boot early run=/tests/unfinished
fails "a machine that hangs is noticed" boot hang run=/bin/sleep,1000 -t 5

boot exit run=/bin/false
fails "a program's failure is noticed" "$scripts/oracle-tap.sh" "$lab/exit"

echo "1..$points"
exit $failed
