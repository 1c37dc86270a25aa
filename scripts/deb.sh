#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# deb.sh: builds the Debian packages in build/deb and prints their paths.
set -eu

# shellcheck source=scripts/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

version=$(cat "$TOP/VERSION")
out=$TOP/build/deb
work=$TOP/build/deb.new
tree=$work/kvm-iommufd-$version

deb_text() { echo "building packages"; }

need_packages build-essential debhelper dpkg-dev libjson-c-dev libpci-dev libsmartcols-dev libtracefs-dev \
	libtraceevent-dev lintian pkg-config
rm -rf "$work"
mkdir -p "$out" "$tree" "$LOGS"
(cd "$TOP" && cp -r --preserve=mode arch drivers include virt patches dkms debian samples Documentation VERSION COPYING "$tree/" &&
	cp -r --parents tools/virt tools/testing/selftests/kvm/include/oracle.h "$tree/")
make -s -C "$tree/tools/virt/kvm-coherency" clean
# An editor's and quilt's leavings
find "$tree" \( -name '*~' -o -name '.*.swp' -o -name '*.orig' -o -name '*.rej' \) -delete

SOURCE_DATE_EPOCH=$(dpkg-parsechangelog -l "$tree/debian/changelog" -S Timestamp)
export SOURCE_DATE_EPOCH
(cd "$tree" && logged "$LOGS/deb.log" deb_text dpkg-buildpackage -b -us -uc) ||
	failed "$LOGS/deb.log" "the packages cannot be built"
lintian --fail-on error "$work"/*.changes > "$LOGS/deb-lintian.log" 2>&1 ||
	failed "$LOGS/deb-lintian.log" "lintian finds errors"
# In place, at once each: tests have the directory mounted
rm -rf "$tree"
mv "$work"/* "$out/"
rmdir "$work"
find "$out" -type f ! -name "*_${version}_*" -delete
ls "$out"/*_"$version"_*.deb
