# SPDX-License-Identifier: GPL-2.0
# The words: BASE=6.12|7.3 KVER=6.12.y FLAVOR=release|debug|kcsan|off|base KERNEL_SRC=dir NO_INSTALL=1

BASE ?= 6.12
FLAVOR ?= release
export BASE FLAVOR KVER KERNEL_SRC NO_INSTALL JOBS COMPARE EDGE_GIB
export MACHINE CPUS RUN ONLY SHARD DURATION SEED MACHINES PROGRAM UPDATE_CORPUS FROM KVM_UNIT_TESTS PATCHES
export TOP := $(CURDIR)

help:
	@sed -n 's/^# help: \{0,1\}//p' Makefile

# help: kvm-iommufd: KVM that follows DMA coherency live
# help:
# help:   make demo         the main job: boots the machine, assigns a device to a guest, prints
# help:                     what KVM allowed and what the machine did; COMPARE=0 leaves the
# help:                     unpatched kernel out
# help:   make test         every test that needs no special hardware, and a summary line;
# help:                     UNITS="50-vtd 53-dirty-tracking" runs only those, and with
# help:                     ONLY=program only that one of theirs, on one machine
# help:   make test-all     what make test leaves out for time: check-link, check-bases, mutate,
# help:                     test-upstream, leaks in more units, longer races and fuzzing, and
# help:                     the packages in real Debian systems
# help:   make check        the checks of the sources alone: checkpatch, sparse, W=1, kernel-doc,
# help:                     the uAPI headers as C and C++, shellcheck, the documents
# help:   make check-link   every combination of KVM and IOMMUFD as y and m links
# help:   make bench        kernel instructions per operation, beside the unpatched kernel;
# help:                     EDGE_GIB=4 adds edges of a guest with so much memory in small pages
# help:   make readme       runs make demo and make bench, and puts what they print into README.md;
# help:                     FROM=dir takes dir/demo.txt and dir/bench.txt of earlier runs
# help:   make mutate       breaks the kernel code on purpose, in one way after another, and prints
# help:                     which test catches which, and which should have;
# help:                     MUTATIONS="30-name 41-name" tries only those, SHARD=1/3 each third,
# help:                     JOBS=n as many at a time; what was tried before is not again
# help:   make coverage     which lines and branches of the kernel code the tests reach, and why
# help:                     not the others
# help:   make test-upstream    upstream's own selftests of iommufd and KVM on this kernel and on
# help:                     the unpatched one, side by side
# help:   make fuzz         fuzzes the uAPI; DURATION=600 seconds and SEED=2 as you like (60 and
# help:                     1), and UPDATE_CORPUS=1 keeps the programs that reached more
# help:   make test-deb, make test-debian    the packages in Debian 12 and 13: installed,
# help:                     upgraded, broken and removed; and booted, with Debian's QEMU as VMM
# help:   make qemu         builds Debian 13's QEMU with the patches of contrib/qemu, in build/qemu/;
# help:                     make qemu-path prints the program; make test-qemu runs it in the machine
# help:   make modules      builds the modules for Debian's own kernel; FLAVOR=base: from
# help:                     unpatched sources
# help:   make modules-path, make image-path    print where they and their kernel are
# help:   make boot         a shell on FLAVOR (stock, stock-base, release, debug, kcsan, base) and
# help:                     MACHINE (vtd, vtd-snoop, amd, none); RUN=program,arg runs one of the
# help:                     selftests, or a file, instead
# help:   make series       patches for maintainers in build/series/, with a cover letter
# help:   make series-check does each of them stand alone: checkpatch, and what it leaves compiles;
# help:                     PATCHES="9 10" checks only those
# help:   make check-bases  the queue on every 6.12.y that Debian's suites offer
# help:   make deb          builds the Debian packages in build/deb/: kvm-iommufd-dkms, -dev, kvm-coherency
# help:   make kernel       builds the kernel
# help:   make kernel-path  prints the bzImage that make kernel makes with the same words
# help:   make clean        removes build/
# help:   make distclean    removes build/ and the cache: sources and compiled objects
# help:
# help:   BASE=6.12         the Linux to build on: 6.12 or 7.3
# help:   KVER=6.12.115     another one of that line than the newest in the machine's suites;
# help:                     or a release, as 6.12.115+deb12-amd64
# help:   FLAVOR=release    release, debug (KASAN, lockdep, UBSAN, kmemleak), kcsan (data races),
# help:                     off (CONFIG_KVM_IOMMUFD off), or base (unpatched)
# help:   KERNEL_SRC=dir    a kernel source tree of that version instead of Debian's
# help:   NO_INSTALL=1      missing Debian packages are an error instead of being installed
# help:   JOBS=n            compilers at a time instead of one for each CPU
# help:
# help: The cache is ~/.cache/kvm-iommufd; KVM_IOMMUFD_CACHE=dir in the environment moves it.
# help: Logs are in build/log/. Patches are edited with quilt in build/$BASE/src:
# help: quilt edit FILE; quilt refresh -p ab -U 1 --no-timestamps --no-index

demo:
	@scripts/demo.sh

test:
	@scripts/test.sh $(UNITS)

test-all:
	@scripts/test-all.sh $(UNITS)

check:
	@scripts/check.sh

check-link:
	@scripts/check-link.sh

bench:
	@scripts/bench.sh

readme:
	@scripts/readme.sh

mutate:
	@scripts/mutate.sh $(MUTATIONS)

coverage:
	@scripts/coverage.sh

test-upstream:
	@scripts/test-upstream.sh

fuzz:
	@scripts/fuzz.sh

test-deb:
	@scripts/test-deb.sh

test-debian:
	@scripts/test-debian.sh

kernel:
	@scripts/kernel.sh

kernel-path:
	@. scripts/lib.sh; echo "$$(object_tree "$$FLAVOR")/arch/x86/boot/bzImage"

modules:
	@scripts/modules.sh

modules-path:
	@scripts/modules.sh path

image-path:
	@scripts/modules.sh image

boot:
	@scripts/boot.sh

series:
	@scripts/series.sh

series-check:
	@scripts/series-check.sh

check-bases:
	@scripts/check-bases.sh

deb:
	@scripts/deb.sh

qemu:
	@scripts/qemu.sh

qemu-path:
	@scripts/qemu.sh path

test-qemu:
	@scripts/test-qemu.sh

clean:
	@scripts/clean.sh

distclean:
	@scripts/clean.sh cache

.PHONY: help demo test test-all check check-link bench readme fuzz mutate coverage test-upstream test-deb test-debian kernel kernel-path modules modules-path image-path boot series series-check check-bases deb qemu qemu-path test-qemu clean distclean
