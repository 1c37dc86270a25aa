#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Checks the documents: their syntax, that what they name exists in our sources, and that
# the contract has what users can see in our sources
set -eu

# shellcheck source=scripts/lib.sh
. "$(dirname "$(readlink -f "$0")")/../lib.sh"
# shellcheck source=scripts/judge/points.sh
. "$TOP/scripts/judge/points.sh"

contract=Documentation/virt/kvm/devices/iommufd.rst
logs=$LOGS/check
mkdir -p "$logs"
cd "$TOP"

# Names that documents take from the kernel and its tools, and those of their examples
elsewhere='CLOCK_BOOTTIME KVM_CAP_VM_COPY_ENC_CONTEXT_FROM KVM_CREATE_DEVICE_TEST
ioas_lock mmu_lock slots_lock amd_iommu pgtbl_v2 iommu_groups kvm_stat
coherency_device coherency_permission hv_begin hv_end hv_iommufd hv_iommufd_add
hv_iommufd_remove hv_ops hv_reserve hv_vm hv_vm_get_noncoherent_dma
hv_vm_may_have_noncoherent_dma hv_vm_put_noncoherent_dma'

python=python3
$python -c 'import docutils' 2> /dev/null || {
	need_packages python3-docutils
	python=/usr/bin/python3
}

sorted() {
	LC_ALL=C sort -u
}

# missing WHAT LIST: complains of words on stdin that LIST does not have
missing() {
	sorted | LC_ALL=C comm -23 - "$2" | sed "s|^|there is no $1 |"
}

# in_docs REGEX: what matches in the documents
in_docs() {
	xargs -d '\n' grep -ohE "$1" < "$logs/docs" || :
}

find README.md CONTRIBUTING.md scripts/README.md Documentation -name '*.rst' -o -name '*.md' |
	sorted > "$logs/docs"

# A comment does not make a name exist, and neither does a patch of documents
find arch configs debian dkms drivers include patches samples scripts tools virt Makefile -type f \
	! -name '*.md' ! -name '*-Documentation-*' ! -path scripts/check/docs.sh | sorted > "$logs/sources"
{
	cat "$logs/sources"
	xargs -d '\n' grep -hvE '^[+ -]?[[:space:]]*(/?\*|//)' < "$logs/sources"
	echo "$elsewhere"
} | grep -oE '[[:alnum:]_]+' | sorted > "$logs/words"

# A word with _ in it is a name, also in prose. One that ends with it stands for several.
names() {
	in_docs '[[:alnum:]_]+' | grep '[[:alnum:]]_[[:alnum:]]' | grep -v '_$' | sed 's/^_*//' |
		missing name "$logs/words"
}

our_tracepoints() {
	awk '$1 == "#define" && $2 == "TRACE_SYSTEM" { subsystem = $3 }
		sub(/^TRACE_EVENT\(/, "") { sub(/,.*/, ""); print subsystem ":" $0 }' include/trace/events/*.h
}

tracepoints() {
	{ our_tracepoints && echo kvm:kvm_exit; } | sorted > "$logs/tracepoints"
	in_docs '\<(kvm|iommufd):[a-z_]+' | missing tracepoint "$logs/tracepoints"
	grep -ohE '__field\([^)]*' include/trace/events/*.h | sed 's/.*[ ,]//' | sorted > "$logs/fields"
	in_docs 'args->[a-z_]+' | sed 's/args->//' | missing 'field of a tracepoint' "$logs/fields"
}

paths() {
	dirs='arch|configs|debian|dkms|drivers|include|patches|samples|scripts|tools|virt|Documentation'
	in_docs "(^|[^/.[:alnum:]-])($dirs)/[[:alnum:]_./-]+\\.[a-z]+\\>" | sed 's/^[^[:alnum:]]//' | sorted |
		grep -v -e /NN- -e 'X\.Y' | while read -r path; do
		[ -e "$path" ] || grep -qF "+++ b/$path" patches/*/*.patch || echo "there is no file $path"
	done
}

targets() {
	sed -n 's/^\([a-z-]*\):$/\1/p' Makefile | sorted > "$logs/targets"
	in_docs '(^ *|[`(])make [a-z-]+' | sed 's/.*make //' | missing 'target of make' "$logs/targets"
}

our_policies() {
	sed -n 's/.*\[KVM_NONCOHERENT_DMA_[A-Z_]*\] = { "\([a-z-]*\)".*/\1/p' arch/x86/kvm/noncoherent_dma.c
}

policies() {
	our_policies | sorted > "$logs/policies"
	in_docs 'noncoherent_dma=[a-z-]+' | sed 's/.*=//' | missing policy "$logs/policies"
}

# The errnos that tables begin a row with. ENODEV is of KVM itself; ENOMEM is tested by a
# harness that lets each allocation fail.
errnos() {
	xargs -d '\n' sed -n 's/^ *\(E[A-Z]*\)  .*/\1/p' < "$logs/docs" | sorted | while read -r errno; do
		[ "$errno" = ENODEV ] || grep -rqwe "-$errno" arch drivers patches virt ||
			echo "nothing returns $errno"
		[ "$errno" = ENOMEM ] || grep -rqE "ERRNO\($errno,|, $errno\)|-$errno\>" tools/testing/selftests ||
			echo "no test expects $errno"
	done
}

# A line for each definition of the uAPI, statistic, tracepoint, file and what it says,
# parameter and policy
visible() {
	sed -n 's/^#define[[:space:]]*\([A-Z][A-Z0-9_]*\)[[:space:]].*/\1/p; s/^	__u[0-9]* \([a-z_]*\);/\1/p' \
		include/uapi/linux/*iommufd*.h
	sed -n 's/^+	STATS_DESC_[A-Z]*(V[A-Z]*, \([a-z_]*\)),/\1/p' patches/*/*.patch
	our_tracepoints
	cat arch/x86/kvm/*.c drivers/iommu/iommufd/coherency.c drivers/vfio/*.c virt/kvm/*/*.c | sed -n '
		s/.*seq_printf(m, "\([a-z-]*:\)\\t.*/\1/p
		s/.*seq_p[a-z]*(m, "\([a-z ]*: [a-z0-9-]*\).*/\1/p
		s/.*debugfs_create_file("\([a-z_]*\)".*/\1/p
		s/^module_param_cb(\([a-z_]*\),.*/kvm.\1/p'
	our_policies
}

undocumented() {
	# Keys of fdinfo stand without their colon
	visible | sed 's/^\([a-z-]*-[a-z-]*\):$/\1/; s/ $//' | sorted | while read -r name; do
		grep -qwF -- "$name" $contract || echo "$contract does not have: $name"
	done
}

# The code for VMMs, as an author would paste it
vmm_code() {
	awk '/^  #include/ { code = 1 } /^[^ ]/ { code = 0 } code' Documentation/virt/kvm/x86/noncoherent-dma-vmm.rst |
		gcc -Iinclude/uapi -Wall -Wextra -Werror -fsyntax-only -x c -
}

while read -r doc; do
	case $doc in *.rst)
		silent "$doc has no warning" "$logs/rst-$(echo "$doc" | tr / -).log" \
			$python scripts/check/rst.py "$doc"
		;;
	esac
done < "$logs/docs"
silent "names in documents exist in the sources" "$logs/docs-names.log" names
silent "tracepoints and fields in documents exist" "$logs/docs-tracepoints.log" tracepoints
silent "files named in documents exist" "$logs/docs-paths.log" paths
silent "targets of make in documents exist" "$logs/docs-targets.log" targets
silent "policies in documents exist" "$logs/docs-policies.log" policies
silent "errnos in documents' tables are returned, and tested" "$logs/docs-errnos.log" errnos
silent "the code for VMMs compiles" "$logs/docs-code.log" vmm_code
silent "what users can see is in $contract" "$logs/docs-visible.log" undocumented
plan
