#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Boots a kernel on Bochs, with VT-x and EPT but no IOMMU, and waits until it powers off.
#
# boot-bochs.sh -k bzImage -i initramfs -o OUTDIR [options]
#   -p MODEL    CPU model (default corei7_haswell_4770)
#   -m MB       memory (default 1024)
#   -x WORDS    more kernel command line: run=/tests/name,arg ...
#   -t SECONDS  timeout (default 600)
#   -W          tolerate splats (they are still printed)
# One CPU, no oracle.
# OUTDIR gets console.log, the kernel's messages, output.log, the output of init and the
# programs, and bochs.log.
set -eu

scripts=$(dirname "$(dirname "$(readlink -f "$0")")")
# shellcheck source=scripts/lib.sh
. "$scripts/lib.sh"
# shellcheck source=scripts/judge/boot-verdict.sh
. "$scripts/judge/boot-verdict.sh"

usage() {
	sed -n 's/^# \?//; 4,13p' "$0" >&2
	exit 2
}

kernel='' initramfs='' outdir=''
model=corei7_haswell_4770 memory=1024 words='' timeout=600 splats=fail

while getopts k:i:o:p:m:x:t:W opt; do
	case $opt in
	k) kernel=$OPTARG ;;
	i) initramfs=$OPTARG ;;
	o) outdir=$OPTARG ;;
	p) model=$OPTARG ;;
	m) memory=$OPTARG ;;
	x) words=$OPTARG ;;
	t) timeout=$OPTARG ;;
	W) splats=tolerate ;;
	*) usage ;;
	esac
done
if [ -z "$kernel" ] || [ -z "$initramfs" ] || [ -z "$outdir" ]; then
	usage
fi
for file in "$kernel" "$initramfs"; do
	[ -r "$file" ] || die "$file cannot be read: build it first (make kernel, scripts/machine/initramfs.sh)"
done
need_packages bochs bochsbios vgabios grub-pc-bin grub-common xorriso mtools

# Bochs takes paths relative to where it runs, and leaves its own files there
mkdir -p "$outdir"
outdir=$(readlink -f "$outdir")
rm -f "$outdir/console.log" "$outdir/output.log" "$outdir/bochs.log"
[ "$splats" != fail ] || words="panic_on_warn=1 $words"

# What Bochs gets wrong would make an unpatched kernel complain: it announces
# hyper-threading (CPUID bit 28) for one CPU, and skylake_x has wrong XSAVE sizes.
iso=$(mktemp -d)
trap 'rm -rf "$iso"' EXIT
mkdir -p "$iso/root/boot/grub"
cp "$kernel" "$iso/root/bzImage"
cp "$initramfs" "$iso/root/initramfs"
cat > "$iso/root/boot/grub/grub.cfg" <<EOF
linux /bzImage console=ttyS0,115200 loglevel=5 clearcpuid=28 panic=-1 oops=panic kmemleak=on output=ttyS1 $words
initrd /initramfs
boot
EOF
grub-mkrescue -d /usr/lib/grub/i386-pc -o "$iso/k.iso" "$iso/root" > "$outdir/bochs.log" 2>&1 ||
	boot_failed "$outdir/bochs.log" "grub-mkrescue failed"

cat > "$iso/bochsrc" <<EOF
cpu: model=$model, count=1, ips=50000000, ignore_bad_msrs=1
memory: guest=$memory, host=$memory
display_library: rfb, options="timeout=0"
com1: enabled=1, mode=file, dev=$outdir/console.log
com2: enabled=1, mode=file, dev=$outdir/output.log
ata0-master: type=cdrom, path=$iso/k.iso, status=inserted
boot: cdrom
log: $outdir/bochs.log
panic: action=report
sound: driver=dummy
EOF
echo c > "$iso/rc"

(cd "$iso" && exec timeout -k 5 "$timeout" bochs -q -f bochsrc -rc rc) > "$outdir/bochs.out" 2>&1 < /dev/null &
boot_wait $! "$outdir" "$words" "$splats"

case $boot_status in
124|137) boot_failed "$outdir/console.log" "the machine did not power off within $timeout seconds" ;;
esac
[ -s "$outdir/console.log" ] || boot_failed "$outdir/bochs.log" "Bochs exited with status $boot_status"
boot_verdict "$outdir" "$(built_as "$kernel")" "$words"
