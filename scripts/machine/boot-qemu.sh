#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Boots a kernel on QEMU with the flush oracle, and waits until it powers off.
#
# boot-qemu.sh -k bzImage -i initramfs -o OUTDIR [options] [-- QEMU arguments]
#   -s on|off   VT-d with or without snoop control (default off)
#   -a          AMD-Vi in place of VT-d
#   -c N        CPUs (default 2; -n is the same)
#   -d N        edu devices at 5.0, 6.0, .. each in its own group (default 1)
#   -b          two more edu devices behind one PCIe-to-PCI bridge "br", in one group
#   -m SIZE     memory (default 768M: leaks are searched for in all of it)
#   -x WORDS    more kernel command line: run=/tests/name,arg ...
#   -t SECONDS  timeout (default 600)
#   -q SECONDS  timeout without output of the machine (default 600)
#   -D MICROS   each WBINVD of the kernel takes so long (default 0: no time)
#   -I          the oracle also counts kernel instructions
#   -W          tolerate splats (they are still printed)
#   -K          tolerate only reports of KCSAN, which kcsan-tap.sh judges
#   -j          the kernel has jump labels, as distributions' kernels do: use the QEMU of
#               emulator.sh instead of the system's
#   -T          show the console on this terminal (Ctrl-A X quits), and judge nothing
# QEMU=program chooses another QEMU. OUTDIR gets console.log, the kernel's messages,
# output.log, the output of init and the programs, oracle.log and qemu.log.
set -eu

scripts=$(dirname "$(dirname "$(readlink -f "$0")")")
# shellcheck source=scripts/lib.sh
. "$scripts/lib.sh"
# shellcheck source=scripts/judge/boot-verdict.sh
. "$scripts/judge/boot-verdict.sh"

usage() {
	sed -n 's/^# \?//; 4,23p' "$0" >&2
	exit 2
}

kernel='' initramfs='' outdir=''
snoop=off amd='' cpus=2 edus=1 bridge='' memory=768M words='' timeout=600
insns=off delay=0 splats=fail jump_labels='' terminal=''

while getopts k:i:o:s:ac:n:d:bm:x:t:q:D:IWKjT opt; do
	case $opt in
	k) kernel=$OPTARG ;;
	i) initramfs=$OPTARG ;;
	o) outdir=$OPTARG ;;
	s) snoop=$OPTARG ;;
	a) amd=1 ;;
	c|n) cpus=$OPTARG ;;
	d) edus=$OPTARG ;;
	b) bridge=1 ;;
	m) memory=$OPTARG ;;
	x) words=$OPTARG ;;
	t) timeout=$OPTARG ;;
	q) boot_quiet=$OPTARG ;;
	D) delay=$OPTARG ;;
	I) insns=on ;;
	W) splats=tolerate ;;
	K) splats=races ;;
	j) jump_labels=1 ;;
	T) terminal=1 ;;
	*) usage ;;
	esac
done
shift $((OPTIND - 1))
if [ -z "$kernel" ] || [ -z "$initramfs" ] || [ -z "$outdir" ]; then
	usage
fi

for file in "$kernel" "$initramfs"; do
	[ -r "$file" ] || die "$file cannot be read: build it first (make kernel, scripts/machine/initramfs.sh)"
done
qemu=${QEMU:-qemu-system-x86_64}
[ -n "${QEMU-}" ] || [ -z "$jump_labels" ] || qemu=$("$scripts/machine/emulator.sh")
command -v "$qemu" > /dev/null || need_packages qemu-system-x86
mkdir -p "$outdir"
rm -f "$outdir/console.log" "$outdir/output.log" "$outdir/oracle.log" "$outdir/qemu.log"

version=$("$qemu" --version | sed -n 's/.* version \([0-9]*\).*/\1/p')
plugin=$("$scripts/machine/oracle-build.sh" "$qemu")

if [ -z "$amd" ]; then
	iommu="intel-iommu,intremap=on,snoop-control=$snoop"
	words="intel_iommu=on $words"
else
	# Later kernels find no interrupt remapping on the emulated AMD-Vi; QEMU 9
	# and later need telling that devices are not to bypass it.
	iommu='amd-iommu'
	[ "$version" -lt 9 ] || iommu="$iommu,pt=off"
	words="iommufd.allow_unsafe_interrupts=1 vfio_iommu_type1.allow_unsafe_interrupts=1 $words"
fi

slot=5
while [ "$slot" -lt $((5 + edus)) ]; do
	set -- -device "edu,addr=$(printf %x "$slot").0" "$@"
	slot=$((slot + 1))
done
if [ -n "$bridge" ]; then
	set -- -device pcie-root-port,id=rp,chassis=1,addr=4.0 \
		-device pcie-pci-bridge,id=br,bus=rp \
		-device edu,bus=br,addr=1.0 -device edu,bus=br,addr=2.0 "$@"
fi

# What would be a complaint ends the machine, and what runs behind it is not waited for
[ "$splats" != fail ] || words="panic_on_warn=1 $words"
[ -n "$terminal" ] || set -- -serial chardev:output -chardev "file,id=output,path=$outdir/output.log" "$@"
[ -n "$terminal" ] || words="output=ttyS1 $words"

# On a busy machine the kernel could take a late timer for a broken one, and panic. It could
# also measure the TSC while QEMU stood still, by a factor of 100 wrong, and all its timeouts
# with it, down to a soft lockup: it is told instead.
khz=$("$scripts/machine/tsc-khz.sh")
words="no_timer_check ${khz:+tsc_early_khz=$khz }$words"
# Five-level paging would let KASAN report what is none: a kernel before 6.16 asks
# the CPU's features which layout it has, while identify_cpu() collects them anew.
set -- "$qemu" \
	-machine q35,kernel-irqchip=split -accel tcg,thread=multi -cpu max,la57=off \
	-smp "$cpus" -m "$memory" -nodefaults -display none -no-reboot \
	-serial chardev:console -device "$iommu" \
	-plugin "$plugin,out=$outdir/oracle.log,insns=$insns,delay=$delay" \
	-kernel "$kernel" -initrd "$initramfs" \
	-append "console=ttyS0,115200 loglevel=5 panic=-1 oops=panic kmemleak=on pty.legacy_count=0 $words" \
	"$@"
if [ -n "$terminal" ]; then
	exec "$@" -chardev "stdio,id=console,mux=on,logfile=$outdir/console.log"
fi
timeout -k 5 "$timeout" "$@" -chardev "file,id=console,path=$outdir/console.log" \
	> "$outdir/qemu.log" 2>&1 < /dev/null &
boot_wait $! "$outdir" "$words" "$splats"

case $boot_status in
0) ;;
124|137) boot_failed "$outdir/console.log" "the machine did not power off within $timeout seconds" ;;
*)
	! grep -q -i plugin "$outdir/qemu.log" ||
		boot_failed "$outdir/qemu.log" "$qemu does not load the oracle $plugin: take another QEMU"
	[ -s "$outdir/console.log" ] || boot_failed "$outdir/qemu.log" "QEMU exited with status $boot_status"
	boot_failed "$outdir/console.log" "QEMU exited with status $boot_status: $(tail -n 1 "$outdir/qemu.log")"
	;;
esac
boot_verdict "$outdir" "$(built_as "$kernel")" "$words"
