# shellcheck shell=sh
# SPDX-License-Identifier: GPL-2.0
# Shared by all scripts, which source it; POSIX sh. Nothing here writes to stdout,
# which belongs to the script.

: "${BASE:=6.12}" "${FLAVOR:=release}"
if [ -z "${TOP-}" ]; then
	TOP=$(dirname "$(readlink -f "$0")")
	until [ -e "$TOP/scripts/lib.sh" ]; do TOP=$(dirname "$TOP"); done
fi
CACHE=${KVM_IOMMUFD_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/kvm-iommufd}
LOGS=$TOP/build/log
# Messages of tools are looked for in their logs
LC_ALL=C.UTF-8
export BASE FLAVOR TOP CACHE LC_ALL

# What is compiled of this project, and vfio.c, in an object tree: what coverage and
# data races are of interest in. KUnit's tests and iommufd's selftest are not.
# shellcheck disable=SC2034 # for who sources this
our_objects='arch/x86/kvm/noncoherent_dma.o virt/kvm/vfio.o virt/kvm/coherency.o virt/kvm/vfio_coherency.o
virt/kvm/iommufd/device.o virt/kvm/iommufd/source.o
drivers/iommu/iommufd/coherency.o drivers/vfio/coherency.o drivers/vfio/group_coherency.o'
# What accesses what those allocate
# shellcheck disable=SC2034 # for who sources this
core_objects='kernel/locking/mutex.o kernel/sched/build_utility.o kernel/rcu/tree.o kernel/kthread.o
lib/xarray.o lib/refcount.o fs/eventfd.o fs/file_table.o fs/seq_file.o drivers/iommu/iommu.o
drivers/iommu/iommufd/device.o drivers/vfio/vfio_main.o virt/kvm/kvm_main.o arch/x86/kvm/x86.o'

die() {
	echo "error: $*" >&2
	exit 1
}

# source_tree FLAVOR and object_tree FLAVOR: where a flavor of $BASE is built
source_tree() {
	case $1 in
	base) echo "$TOP/build/$BASE/base" ;;
	*) echo "$TOP/build/$BASE/src" ;;
	esac
}

object_tree() {
	echo "$(source_tree "$1")/obj-$(built_flavor "$1")"
}

# kernel_files: our files that stand in the kernel under the same name. The wrapper linux/kvm.h
# is for VMMs that are compiled against another kernel's headers, and what is said about
# installing is about packages.
kernel_files() {
	(cd "$TOP" && find arch drivers include virt Documentation samples \
		tools/testing/selftests tools/verification -type f \
		! -path include/uapi/linux/kvm.h ! -path Documentation/install.md \
		! -name '.*' ! -name '*~' ! -name '*.rej' 2> /dev/null) | sort
}

# built_flavor FLAVOR: the release kernel can look for data races, as which kcsan is booted;
# with COVERAGE=1 it counts what is executed
built_flavor() {
	case $1:${COVERAGE:-0} in
	release:1) echo coverage ;;
	kcsan:*) echo release ;;
	*) echo "$1" ;;
	esac
}

# wanted FLAVOR: do test units boot it? FLAVORS in the environment is a list of
# those that they do, of which none are missing if it is empty
wanted() {
	case " ${FLAVORS:-$1} " in
	*" $1 "*) ;;
	*) return 1 ;;
	esac
}

# named FLAVOR: is it in that list? For boots that make test-all alone has.
named() {
	[ -n "${FLAVORS-}" ] && wanted "$1"
}

# lock DESCRIPTOR -s|-x WHAT: waits for WHAT to end and locks the file open at
# DESCRIPTOR, shared or exclusively, until this script exits
lock() {
	flock -n "$2" "$1" || {
		echo "waiting for $3 to end" >&2
		flock "$2" "$1"
	}
}

# progress TEXT: one line rewritten on a terminal, else a line every 10 seconds
progress() {
	[ -n "$1" ] || return 0
	if [ -t 2 ]; then
		printf '\r\033[K%s' "$1" >&2
		return
	fi
	progress_now=$(date +%s)
	[ "$progress_now" -ge "${progress_next:-0}" ] || return 0
	progress_next=$((progress_now + 10))
	echo "$1" >&2
}

progress_end() {
	[ ! -t 2 ] || printf '\r\033[K' >&2
}

# logged LOG TEXT COMMAND...: runs COMMAND, an external one, with its output in
# LOG, and shows what the function TEXT prints while it runs. A signal to this
# script ends all that COMMAND started.
logged() {
	logged_log=$1 logged_text=$2
	shift 2
	mkdir -p "$(dirname "$logged_log")"
	setsid "$@" > "$logged_log" 2>&1 &
	logged_pid=$!
	trap 'kill -s TERM -- "-$logged_pid" 2> /dev/null; wait; progress_end; exit 130' HUP INT TERM
	while sleep 1 && kill -0 "$logged_pid" 2> /dev/null; do
		progress "$("$logged_text")"
	done 7>&- 8>&- 9>&- &
	logged_poller=$!
	logged_status=0
	wait "$logged_pid" || logged_status=$?
	kill "$logged_poller" 2> /dev/null || :
	wait "$logged_poller" 2> /dev/null || :
	trap - HUP INT TERM
	progress_end
	return "$logged_status"
}

# failed LOG MESSAGE: shows the end of LOG and dies, of a full disk if that is what LOG says
failed() {
	failed_log=$1
	shift
	tail -n 15 "$failed_log" >&2
	if grep -q -e 'No space left on device' -e 'not enough free space' "$failed_log"; then
		die "disk full while making this: free some space and run it again (log: $failed_log)"
	fi
	die "$* (log: $failed_log)"
}

# need_space DIR MB WHAT
need_space() {
	need_space_mb=$(df -Pm "$1" | awk 'NR == 2 { print $4 }')
	[ "$need_space_mb" -ge "$2" ] ||
		die "$3 needs $2 MB in $1 and $need_space_mb MB are free: free some space and run it again"
}

install_text() {
	sed -n 's/^[pd][ml]status:[^:]*:\([0-9]*\)[.0-9]*:\(.*\)/installing packages: \1 % \2/p' \
		"$LOGS/install.status" 2> /dev/null | tail -n 1
}

# need_packages PACKAGE...: names and installs what is missing
need_packages() {
	need_missing=
	for need_package; do
		[ "$(dpkg-query -W -f '${db:Status-Status}' "$need_package" 2> /dev/null)" = installed ] ||
			need_missing="$need_missing $need_package"
	done
	[ -n "$need_missing" ] || return 0

	need_missing=${need_missing# }
	[ "${NO_INSTALL:-0}" != 1 ] || die "missing packages: $need_missing (apt-get install $need_missing)"
	need_sudo=
	if [ "$(id -u)" != 0 ]; then
		command -v sudo > /dev/null || die "missing packages: as root, apt-get install $need_missing"
		sudo -v || die "missing packages, and sudo refuses: as root, apt-get install $need_missing"
		need_sudo=sudo
	fi
	echo "installing packages: $need_missing" >&2
	mkdir -p "$LOGS"
	# A fresh machine has no package lists, an old one may have stale ones
	for need_try in lists update; do
		if [ "$need_try" = update ]; then
			logged "$LOGS/install-update.log" install_text $need_sudo apt-get -q update ||
				failed "$LOGS/install-update.log" "apt-get update failed: check the network and apt's sources"
		fi
		# shellcheck disable=SC2016,SC2086 # the inner shell's words; a list of words
		! logged "$LOGS/install.log" install_text $need_sudo env DEBIAN_FRONTEND=noninteractive \
			sh -c 'status=$1; shift; exec "$@" 3> "$status"' - "$LOGS/install.status" \
			apt-get -q -y -o APT::Status-Fd=3 -o DPkg::Lock::Timeout=600 \
			install --no-install-recommends $need_missing || return 0
	done
	failed "$LOGS/install.log" "cannot install $need_missing: see apt's message above"
}
