#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Prints the version of Debian's Linux $BASE that everything is built from, and its
# kernel release. If set, KVER chooses it, as a version or a release; otherwise it is the
# newest in the machine's own suites that the queue fits. Prints the choice and its reason
# on stderr. KVM_IOMMUFD_CHOICE in the environment, the output of an earlier run, is used
# as it is.
set -eu

# shellcheck source=scripts/lib.sh
. "${0%/*}/../lib.sh"

if [ -n "${KVM_IOMMUFD_CHOICE-}" ]; then
	echo "$KVM_IOMMUFD_CHOICE"
	exit 0
fi

case $BASE in
6.12|7.3) ;;
*) die "BASE=$BASE is not a base here: use BASE=6.12 or BASE=7.3" ;;
esac

conf=$("$TOP/scripts/kernel/suites.sh")
queue=$TOP/patches/$BASE
choices=$CACHE/choices
mkdir -p "$choices" "$LOGS"

# What the choice depends on
state=$({ date -r "${conf%/*}/read" +%s; echo "$BASE ${KVER-}"; cat "$queue"/*.patch "$queue/series" 2> /dev/null; } |
	sha256sum | cut -d ' ' -f 1)
if [ -e "$choices/$state" ]; then
	cat "$choices/$state"
	exit 0
fi

# wanted_offers: those that KVER names; of rt and cloud kernels, too
wanted_offers() {
	case ${KVER-} in
	'') cat ;;
	*-amd64)
		awk -v kver="$KVER" '{
			release = kver
			sub(/-(rt|cloud)-amd64$/, "-amd64", release)
			if ($2 == release) { $2 = kver; print }
		}' ;;
	*) awk -v kver="$KVER" '$1 == kver || index($1, kver "-") == 1' ;;
	esac
}

"$TOP/scripts/kernel/offers.sh" | wanted_offers > "$choices/offers"
[ -s "$choices/offers" ] || die "Debian's suites offer no Linux ${KVER:-$BASE} with its source: see scripts/kernel/offers.sh"

misfit=
while read -r version release suite own; do
	if [ -e "$queue/series" ]; then
		parts=$("$TOP/scripts/kernel/fetch.sh" parts "$version" < /dev/null)
		need_packages patch
		fit=$LOGS/fit-$version.log
		if ! "$TOP/dkms/pick-patches" "$queue" "$parts" > "$fit.patches" 2> "$fit"; then
			cat "$fit" >&2
			[ -z "${KVER-}" ] || die "patches/$BASE do not fit Linux $version (log: $fit)"
			echo "patches/$BASE do not fit Linux $version (log: $fit), looking for an older one" >&2
			misfit="$misfit $version"
			continue
		fi
	fi
	reason="the newest in ${suite}"
	[ "$own" = own ] || reason="$reason, as this machine's suites have none"
	[ -z "$misfit" ] || reason="the newest that patches/$BASE fit, which do not fit$misfit"
	[ -z "${KVER-}" ] || reason="for KVER=$KVER, in $suite"
	echo "Linux $version ($release): $reason" >&2
	echo "$version $release" > "$choices/$state.new"
	mv "$choices/$state.new" "$choices/$state"
	cat "$choices/$state"
	exit 0
done < "$choices/offers"
die "patches/$BASE fit no Linux that is on offer: CONTRIBUTING.md says how to add a variant of a patch"
