#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# kvm-coherency on a /proc and a /sys of its own: what it makes of VMs, descriptors and
# devices that a machine rarely has, and what it says where it can tell nothing. It needs
# no kernel.
# shellcheck disable=SC2317 # point's commands are functions
set -eu

# shellcheck source=scripts/lib.sh
. "${0%/*}/../lib.sh"
# shellcheck source=scripts/judge/points.sh
. "$TOP/scripts/judge/points.sh"

need_packages gcc jq libc6-dev libjson-c-dev libpci-dev libsmartcols-dev libtracefs-dev libtraceevent-dev make pkg-config

# Where another user can look into it
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
chmod 755 "$out"
logs=$LOGS/tools
tree=$out/tree
tool=$out/kvm-coherency
mkdir -p "$logs"
# What is in use when it ends need not be freed
export ASAN_OPTIONS=detect_leaks=0

make_text() { echo "compiling kvm-coherency"; }
logged "$logs/make.log" make_text make -C "$TOP/tools/virt/kvm-coherency" OUTPUT="$out/" \
	CFLAGS='-O1 -g -Werror -fsanitize=address,undefined -fno-sanitize-recover' \
	"$tool" "$out/watch_lines" "$out/killed" "$out/steps" ||
	failed "$logs/make.log" "kvm-coherency does not compile"

# A machine for each point, as points change it
fresh() {
	rm -rf "$tree"
	mkdir -p "$tree"
	"$TOP/tools/virt/kvm-coherency/tests/tree.sh" "$tree"
}

coherency() {
	"$tool" --root "$tree" "$@"
}

# Names of devices are the machine's own pci.ids', and times go on
shown() {
	coherency "$@" | sed -E 's/ +$//; s/[0-9]+ s ago/N s ago/; s/^(    0000:[^ ]*) .*/\1/; s/^(0000:.*[^ ]) +[A-Z][^:]*: .*/\1/'
}

# same COMMAND...: its output is what is on stdin
same() {
	cat > "$out/expected"
	"$@" < /dev/null > "$out/seen" 2>&1 || echo "exit status $?"
	diff -u "$out/expected" "$out/seen"
}

# says STATUS TEXT COMMAND...: exits with STATUS, and TEXT in what it prints on stderr
says() {
	says_status=$1 says_text=$2 says_seen=0
	shift 2
	"$@" > "$out/seen" 2> "$out/said" < /dev/null || says_seen=$?
	[ "$says_seen" = "$says_status" ] || echo "exit status $says_seen, not $says_status"
	grep -qF -- "$says_text" "$out/said" || { echo "it does not say \"$says_text\":"; cat "$out/said"; }
	[ ! -s "$out/seen" ] || { echo "it prints as well:"; cat "$out/seen"; }
}

# try NAME COMMAND...
try() {
	try_name=$1
	shift
	fresh
	silent "$try_name" "$logs/$((tap_count + 1)).log" "$@"
}

as_user() {
	if [ "$(id -u)" = 0 ]; then
		setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
	else
		"$@"
	fi
}

list_table() {
	same shown list --interval 0.01 <<'END'
VM         PROCESS                 NAME  PERMISSION POLICY    FLUSHED IGNORED FLUSHED/S
4200001-11 4200001 qemu-system-x86 web,1 on         follow    1200    7       0.0
4200012-5  4200002 a\033[31m"\134  plain off        forbid    0       12      0.0
4200003-5  4200003 vmm             -     off        follow    0       0       0.0
-          4200003 vmm             -     unknown    -         -       -       -
-          4200004 vmm             -     unknown    -         -       -       -
4200004-5  4200004 vmm             -     on         no-wbinvd 5       0       0.0
4200005-7  4200006 child           -     on         follow    1       1       0.0
4200007-3  -                       -     off        follow    0       0       0.0
unknown: KVM tells nothing about these VMs in debugfs, where others had their names first.
END
}

list_json() {
	# shellcheck disable=SC2016 # jq's
	same sh -c '"$1" --root "$2" list --json -i 0 | jq -c ".vms[1,3], .closed_processes"' - "$tool" "$tree" <<'END'
{"vm":"4200012-5","pid":4200002,"process":"a\\033[31m\"\\134","name":"plain","descriptor":5,"permission":false,"policy":"forbid","loosest_policy":"no-wbinvd","type1_not_enforced":true,"edges":0,"wbinvd_flushed":0,"wbinvd_ignored":12}
{"vm":null,"pid":4200003,"process":"vmm","name":null,"descriptor":6}
0
END
}

list_nothing() {
	rm -r "$tree/sys/kernel/debug/kvm" "$tree"/proc/420*
	mkdir "$tree/sys/kernel/debug/kvm"
	same coherency list <<'END'
There is no VM.
END
}

explain_iommufd() {
	same shown explain web,1 <<'END'
VM 4200001-11 of process 4200001 (qemu-system-x86), web,1
Permission is on: its guest's WBINVD flushes caches of the host.
Its policy is follow, the loosest it can have follow. Permission has changed 3 times.
WBINVDs of its guest: 1200 flushed, 7 ignored.

Group 5 is attached to page table 4 of iommufd 3 since 61.123 s after boot, N s ago
    iommufd 3 is descriptor 9 of process 4200001 (qemu-system-x86)
    0000:00:05.0
      driver vfio-pci, open as descriptor 20 of process 4200001 (qemu-system-x86)
      behind dmar0, VT-d without snoop control; Enable No Snoop: clear
    0000:00:05.1
      driver none
      behind dmar0, VT-d without snoop control; Enable No Snoop: none
  No page table enforces coherency for group 5: detach it from page table 4. With kvm.noncoherent_dma=no-wbinvd the guests of VMs made from then on cannot flush.
END
}

explain_others() {
	same shown explain 4200004-5 <<'END'
VM 4200004-5 of process 4200004 (vmm)
Permission is on, but its policy keeps its guest from flushing: WBINVD is ignored.
Its policy is no-wbinvd, the loosest it can have follow. Permission has changed 5 times.
WBINVDs of its guest: 5 flushed, 0 ignored.

Group 7 is bound without IOMMU since 9.000 s after boot, N s ago
    the group is open as descriptor 8 of process 4200006 (child)
    0000:00:07.0
      driver vfio-pci
      behind no IOMMU; Enable No Snoop: set
  Close the device of group 7: it was bound without an IOMMU, so that nothing makes its DMA coherent. With kvm.noncoherent_dma=no-wbinvd the guests of VMs made from then on cannot flush.

Access 7, an emulated device, is attached in iommufd 9 since 10.500 s after boot, N s ago
  It is an emulated device that does DMA to the memory it pins: close it, or detach it from its IOAS.

Group 6 is attached to page table 8 of iommufd 9, PASID 2, since 11.000 s after boot, N s ago
    0000:00:06.0
      driver igc
      behind dmar1, VT-d with snoop control; Enable No Snoop: unknown, needs root
  The IOMMU could enforce coherency for group 6, but page table 8 was made for a device with which it cannot: attach the group to one that is made for its own device.
END
}

explain_off() {
	for explain_vm in plain 4200003-5 4200007; do
		shown explain $explain_vm | sed -n 2p
	done
}

explain_off_all() {
	same explain_off <<'END'
Permission is off, and WBINVD is ignored. Non-coherent DMA that its policy forbids goes on in a VFIO container all the same.
Permission is off, and WBINVD is ignored: nothing that KVM was told of is attached non-coherently.
Permission is off, and WBINVD is ignored: KVM was told of no iommufd and no device.
END
}

explain_json() {
	# shellcheck disable=SC2016 # jq's
	same sh -c '"$1" --root "$2" explain 4200005-7 --json | jq -c "[.wbinvd_flushes, .sources]" | sed "s/\"description\":\"[^\"]*\",\"class\":\"[^\"]*\"/NAMES/; s/\"class\":\"[^\"]*\",\"description\":\"[^\"]*\"/NAMES/"' - "$tool" "$tree" <<'END'
[true,[{"type":"vfio-file","iommufd":null,"attached":[{"kind":"container","group":7,"since":12,"iommu_enforces":false,"devices":[{"device":"0000:00:07.0",NAMES,"driver":"vfio-pci","group":7,"iommu":null,"iommu_enforces":false,"why":"no IOMMU","no_snoop":"set","held_by":[]}],"group_held_by":[{"pid":4200006,"process":"child","descriptor":8}],"advice":"Take group 7 out of its VFIO container: no page table there enforces coherency for it. With kvm.noncoherent_dma=no-wbinvd the guests of VMs made from then on cannot flush."}],"held_by":[]}]]
END
	coherency explain 4200001-11 --json | grep -q '"since": *61.123456789' || echo "since is not as the kernel has it"
}

explain_nothing() {
	says 1 'no VM is nobody: see "kvm-coherency list"' coherency explain nobody
	says 1 'more than one VM is 4200003' coherency explain 4200003
	rm -r "$tree/sys/kernel/debug/kvm/4200005-7"
	says 1 'in debugfs, where another one had its name first' coherency explain 4200006
	rm "$tree/sys/kernel/debug/kvm/4200001-11/wbinvd_ignored"
	says 1 'no VM is 4200001-11' coherency explain 4200001-11
}

no_debugfs() {
	rm -r "$tree/sys/kernel/debug"
	for no_debugfs_command in list 'explain x'; do
		# shellcheck disable=SC2086 # a list of words
		says 1 'there is no /sys/kernel/debug/kvm: mount -t debugfs' coherency $no_debugfs_command
	done
	rm -r "$tree/sys/module/kvm"
	says 1 'KVM is not loaded: there is no VM' coherency list
}

no_feature() {
	rm "$tree/sys/module/kvm/parameters/noncoherent_dma"
	for no_feature_command in list 'explain x'; do
		# shellcheck disable=SC2086 # a list of words
		says 1 "this kernel's KVM does not follow coherency" coherency $no_feature_command
	done
}

no_root() {
	mkdir "$tree/sys/kernel/tracing"
	chmod 700 "$tree/sys/kernel/debug" "$tree/proc/4200003/fd" "$tree/sys/kernel/tracing"
	[ "$(id -u)" = 0 ] || chmod 0 "$tree/sys/kernel/debug" "$tree/proc/4200003/fd" "$tree/sys/kernel/tracing"
	for no_root_command in list 'explain x' watch; do
		# shellcheck disable=SC2086 # a list of words
		says 1 'this needs root' as_user "$tool" --root "$tree" $no_root_command
	done
	chmod 700 "$tree/sys/kernel/debug" "$tree/proc/4200003/fd" "$tree/sys/kernel/tracing"
}

no_tracing() {
	says 1 "$tree/sys/kernel/tracing: No such file" coherency watch
	mkdir -p "$tree/sys/kernel/tracing/events/kvm/kvm_exit"
	says 1 'KVM is not loaded, or does not follow coherency' coherency watch
	[ ! -e "$tree/sys/kernel/tracing/instances" ] || echo "a trace instance is left"
}

watch_text() {
	ROOT=$tree same "$out/watch_lines" <<'END'
61.123456789 iommufd 7: group 5 on page table 4, PASID 0: non-coherent DMA on
61.123456790 process 4200001 (qemu-system-x86): permission is on, 3 CPUs flushed, page tables zapped
61.123456791 process 4200002 (a\033[31m"\134): WBINVD of vCPU 3, 1 CPUs flushed
61.123456792 iommufd 7: access 4: non-coherent DMA off
61.123456793 process 4999999 (gone): permission is off, 0 CPUs flushed
61.123456794 process 4200002 (a\033[31m"\134): WBINVD of vCPU 3, ignored
END
}

watch_json() {
	ROOT=$tree same "$out/watch_lines" json <<'END'
{"time":61.123456789,"event":"attachment","iommufd":7,"group":5,"page_table":4,"pasid":0,"on":true}
{"time":61.123456790,"event":"permission","pid":4200001,"process":"qemu-system-x86","on":true,"zapped":true,"flushed_cpus":3}
{"time":61.123456791,"event":"wbinvd","pid":4200002,"process":"a\\033[31m\"\\134","vcpu":3,"flushed_cpus":1}
{"time":61.123456792,"event":"attachment","iommufd":7,"access":4,"on":false}
{"time":61.123456793,"event":"permission","pid":4999999,"process":null,"on":false,"zapped":false,"flushed_cpus":0}
{"time":61.123456794,"event":"wbinvd","pid":4200002,"process":"a\\033[31m\"\\134","vcpu":3,"flushed_cpus":0}
END
	ROOT=$tree "$out/watch_lines" json | jq . > /dev/null || echo "it is no JSON"
}

check_table() {
	same shown check <<'END'
This kernel's KVM follows coherency. New VMs have policy follow, or a stricter one.
dmar0 cannot enforce coherency (VT-d without snoop control).
dmar1 can enforce coherency (VT-d with snoop control).
ivhd0 can enforce coherency (AMD-Vi, which always can).
smmu3.0 may or may not enforce coherency (neither VT-d nor AMD-Vi).

DEVICE       NON-COHERENT GROUP IOMMU   ENABLE NO SNOOP     DRIVER   DESCRIPTION
0000:00:02.0 yes          2     dmar0   set                 i915
0000:00:05.0 yes          5     dmar0   clear               vfio-pci
0000:00:05.1 yes          5     dmar0   none                -
0000:00:06.0 no           6     dmar1   unknown, needs root igc
0000:00:07.0 yes          7     -       set                 vfio-pci
0000:00:08.0 no           8     ivhd0   set                 nvme
0000:00:09.0 unknown      9     smmu3.0 set                 -
0000:00:0a.0 yes          -     -       clear               ahci
0000:00:0b.0 yes          10    dmar0   clear               -
0000:00:0b.1 yes          10    dmar1   clear               -

"no": keep it off page tables that were made for a device with "yes".
"yes": while it is attached its guest may flush the host's caches: keep VMs that need real time off this host, or set kvm.noncoherent_dma to no-wbinvd or forbid.
"unknown": assign it and see what "kvm-coherency explain" says.
A device whose Enable No Snoop bit is clear sends no such requests until somebody sets it. KVM does not go by the bit.
The Enable No Snoop bit is in a part of configuration space that only root can read.
END
}

check_unpatched() {
	rm -r "$tree/sys/module/kvm/parameters" "$tree/sys/class/misc" "$tree/sys/kernel/debug"
	coherency check | grep -q "^This kernel's KVM does not follow coherency" || echo "nothing is said about the kernel"
	coherency check | grep -q '^"yes": this kernel lets its guest flush' || echo "the advice is another kernel's"
	# shellcheck disable=SC2016 # jq's
	same sh -c '"$1" --root "$2" check --json | jq -c ".kernel, .iommus[0], .devices[9].noncoherent"' - "$tool" "$tree" <<'END'
{"kvm":true,"follows_coherency":false,"loosest_policy":null,"iommufd":false}
{"iommu":"dmar0","iommu_enforces":false,"why":"VT-d without snoop control","devices":4}
"yes"
END
	rm -r "$tree/sys/bus"
	same coherency check <<'END'
This kernel's KVM does not follow coherency: it goes by what IOMMUs could enforce.
No device is behind an IOMMU that is in use.
END
}

wrong_words() {
	for wrong_words_case in '' nonsense 'list x' explain 'explain a b' 'check --interval 1' 'list --count 3' \
		'list --interval nan' 'list --interval -1' 'list --interval 1x' 'watch --count 0' 'watch --count x' try 'try a b' 'check --take' \
		'list --stop-at bound' 'try 00:05.0 --count 1' --nonsense; do
		# shellcheck disable=SC2086 # a list of words
		says 3 'kvm-coherency list [--interval SECONDS]' "$tool" $wrong_words_case
	done
	"$tool" --help | grep -q '^usage: ' || echo "--help does not help"
}

# refuses TEXT COMMAND...: and leaves everything as it is
refuses() {
	refuses_text=$1
	shift
	everything > "$out/before"
	says 1 "$refuses_text" "$@"
	everything | diff -u "$out/before" -
}

# Of the /sys, with what its links point to
everything() {
	find "$tree/sys" -type l -printf '%p is %l\n' -o -type f -exec cksum {} + | sort
}

try_refuses_names() {
	for try_refuses_name in nonsense 0000:00:05 00:05.0x :00:05.0; do
		refuses "\"$try_refuses_name\" is no address of a PCI device" coherency try "$try_refuses_name"
	done
	refuses 'no PCI device that is not a bridge is 0000:00:1f.7' coherency try 00:1f.7
	refuses 'no PCI device that is not a bridge is 0000:00:00.0' coherency try 0000:00:00.0
}

try_refuses_devices() {
	refuses '0000:00:0a.0 is in no IOMMU group: turn the IOMMU on' coherency try 0000:00:0a.0 --take
	refuses 'there is no driver vfio-pci: modprobe vfio-pci' coherency try 0000:00:0b.0
	mkdir -p "$tree/sys/bus/pci/drivers/vfio-pci"
	refuses '0000:00:02.0 has the driver i915: --take has it taken away' coherency try 00:02.0
	ln -s ../../../bus/pci/drivers/nvme "$tree/sys/bus/pci/devices/0000:00:0b.1/driver"
	refuses 'one IOMMU group with 0000:00:0b.1, which has the driver nvme' coherency try 00:0b.0 --take
}

try_refuses_used() {
	mkdir -p "$tree/sys/bus/pci/drivers/vfio-pci" "$tree/sys/class/block" "$tree/sys/class/net" \
		"$tree/sys/devices/pci0000:00/0000:00:06.0/net/eth0"
	refuses '0000:00:05.0 is in use: process 4200001 has it open' coherency try 00:05.0 --take
	refuses '0000:00:07.0 is in use: process 4200006 has its group open' coherency try 00:07.0 --take
	ln -s ../../devices/pci0000:00/0000:00:06.0/net/eth0 "$tree/sys/class/net/eth0"
	echo 0x1003 > "$tree/sys/class/net/eth0/flags"
	refuses '0000:00:06.0 is in use: its network interface eth0 is up' coherency try 00:06.0 --take
	ln -s ../../devices/pci0000:00/0000:00:08.0/nvme/nvme9/nvme9n9 "$tree/sys/class/block/nvme9n9"
	refuses '0000:00:08.0 is in use: its disk nvme9n9 is in use' coherency try 00:08.0 --take
	echo 2 > "$tree/sys/bus/pci/devices/0000:00:09.0/sriov_numvfs"
	refuses 'virtual functions, which would go' coherency try 00:09.0
	echo 1 > "$tree/sys/bus/pci/devices/0000:00:02.0/boot_vga"
	refuses 'it has the console' coherency try 00:02.0 --take
}

try_refuses_kernels() {
	rm "$tree/sys/module/kvm/parameters/noncoherent_dma"
	refuses "this kernel's KVM does not follow coherency" coherency try 00:0b.0
	rm -r "$tree/sys/kernel/debug"
	refuses 'there is no /sys/kernel/debug/kvm' coherency try 00:0b.0
	[ "$(id -u)" = 0 ] || chmod 444 "$tree"/sys/bus/pci/devices/*/driver_override
	refuses 'this needs root' as_user "$tool" --root "$tree" try 00:0b.0
}

# Whatever becomes of a trial, the device has the driver, the override and the bit that it had.
# The pipe ends when the process that restores them does.
try_killed() {
	echo mine > "$tree/sys/bus/pci/devices/0000:00:05.1/driver_override"
	everything > "$out/before"
	for try_killed_device in 02.0 05.1 06.0 07.0 0b.0; do
		for try_killed_at in guarded released probing given failed ended; do
			# The shell tells who was killed
			{ "$out/killed" "$tree" "0000:00:$try_killed_device" $try_killed_at 2>&1 > /dev/null | cat; } 2> /dev/null
			everything | diff -u "$out/before" - || echo "$try_killed_device, killed when $try_killed_at"
		done
	done
}

try_bit() {
	# As found: set, clear, none, and closed
	for try_bit_device in 02.0 0b.0 05.1 06.0; do
		"$out/killed" "$tree" "0000:00:$try_bit_device" ended
	done
}

try_bits() {
	same try_bit <<'END'
can be set and cleared
can be set and cleared
none
none
END
}

# pretended BENT OPTION...: try of a device that has a driver, with KVM and VFIO in steps.c
pretended() {
	pretended_bent=$1
	shift
	BENT=$pretended_bent "$out/steps" --root "$tree" try 00:02.0 --take "$@"
}

try_report() {
	mkdir -p "$tree/sys/bus/pci/drivers/vfio-pci"
	everything > "$out/before"
	same sh -c '"$@" | grep -v -e ^Device: -e ^Kernel: -e ^CPU: -e ^IOMMU | sed "s/ *$//"' - \
		"$out/steps" --root "$tree" try 00:02.0 --take <<'END'
kvm-coherency try: report
Enable No Snoop: set as found, can be set and cleared
Driver: i915, and as found again

STEP           DMA          KVM SAYS KVM FLUSHED CPUID   WBINVD   BY TIME VERDICT
opened         none         off      0 of 16     10.0 us 11.0 us  ignored right
bound          none         off      0 of 16     10.0 us 11.0 us  ignored right
attached       non-coherent on       16 of 16    10.0 us 500.0 us flushed right
replaced       non-coherent on       16 of 16    10.0 us 500.0 us flushed right
detached       none         off      0 of 16     10.0 us 11.0 us  ignored right
attached again non-coherent on       16 of 16    10.0 us 500.0 us flushed right
detached again none         off      0 of 16     10.0 us 11.0 us  ignored right

Right in each step: the guest's WBINVD flushed caches when non-coherent DMA was possible, and only then.
Please send this report, whole, to those who maintain kvm-iommufd: it has no serial numbers and no names of yours.
END
	everything | diff -u "$out/before" -
}

# Verdicts, their exit status, and a step that fails; the device is as found each time
try_verdicts() {
	mkdir -p "$tree/sys/bus/pci/drivers/vfio-pci"
	everything > "$out/before"
	for try_verdict in ':0:right true' 'count:2:WRONG true' 'time:1:unclear true' 'bind:1:'; do
		try_verdict_status=0
		pretended "${try_verdict%%:*}" --json > "$out/seen" 2> "$out/said" || try_verdict_status=$?
		echo "${try_verdict%%:*}:$try_verdict_status:$(jq -r '"\(.verdict) \(.device.restored)"' "$out/seen")" |
			grep -qxF "$try_verdict" || echo "it is not $try_verdict: $(cat "$out/seen" "$out/said")"
		everything | diff -u "$out/before" -
	done
}

# The tool stops itself behind each step, and is killed there. What it had open goes with it.
try_killed_whole() {
	mkdir -p "$tree/sys/bus/pci/drivers/vfio-pci"
	everything > "$out/before"
	for try_whole_at in guarded released given opened bound attached replaced detached; do
		mkfifo "$out/gone"
		"$out/steps" --root "$tree" try 00:02.0 --take --stop-at $try_whole_at > /dev/null 2> "$out/gone" &
		exec 3< "$out/gone"
		until grep -q '^State:.T' /proc/$!/status 2> /dev/null || ! kill -0 $! 2> /dev/null; do :; done
		kill -9 $!
		# Its stderr ends when the guardian has
		cat <&3
		wait $! 2> /dev/null || :
		exec 3<&-
		rm -rf "$out/gone" "$tree"/sys/kernel/debug/kvm/*-77
		everything | diff -u "$out/before" - || echo "killed behind $try_whole_at"
	done
}

full_disk() {
	for full_disk_command in 'list -i 0' 'list -i 0 --json' check; do
		full_disk_status=0
		# shellcheck disable=SC2086 # a list of words
		coherency $full_disk_command > /dev/full 2> /dev/null || full_disk_status=$?
		[ "$full_disk_status" = 1 ] || echo "$full_disk_command: exit status $full_disk_status"
	done
}

try "list: VMs, those without directory, names that command terminals" list_table
try "list --json" list_json
try "list: no VM" list_nothing
try "explain: an iommufd's page table, its devices and who holds them" explain_iommufd
try "explain: no IOMMU, an emulated device, another device's page table" explain_others
try "explain: why permission is off" explain_off_all
try "explain --json: a container, and the time to the nanosecond" explain_json
try "explain: no such VM, several, one without directory, one that is going" explain_nothing
try "without debugfs or KVM" no_debugfs
try "without the feature" no_feature
try "as an ordinary user" no_root
try "watch without tracepoints" no_tracing
try "watch: what it makes of records" watch_text
try "watch --json" watch_json
try "check: IOMMUs, groups, the Enable No Snoop bit" check_table
try "check on an unpatched kernel, and without PCI" check_unpatched
try "try: what is no device" try_refuses_names
try "try: devices that it keeps away from" try_refuses_devices
try "try: devices in use" try_refuses_used
try "try: without the feature, debugfs or root" try_refuses_kernels
try "try: killed at any step, the device is as it was found" try_killed
try "try: the report, with a KVM that is right" try_report
try "try: verdicts, and a step that fails" try_verdicts
try "try: the tool killed behind each step" try_killed_whole
try "try: the Enable No Snoop bit is tried" try_bits
try "wrong words" wrong_words
try "what cannot be written" full_disk
plan
