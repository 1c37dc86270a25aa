# shellcheck shell=sh
# SPDX-License-Identifier: GPL-2.0
# Runs apt with a configuration of its own, which reads some suites from the machine's
# mirrors and checks them against Debian's keyring. Works without root and does not
# touch the system's apt. Sourced after lib.sh.

keyring=/usr/share/keyrings/debian-archive-keyring.gpg

# Lines of "label|codename|URI" for what the machine's apt has of Debian
debian_sources() {
	# shellcheck disable=SC2016 # apt's variables
	apt-get indextargets --format '$(ORIGIN)|$(COMPONENT)|$(CREATED_BY)|$(LABEL)|$(CODENAME)|$(REPO_URI)' |
		sed -n 's,^Debian|main|Packages|,,p'
}

# mirror_of SUITE: security suites have mirrors of their own. Where the machine has
# none configured they are looked for beside the other.
mirror_of() {
	case $1 in
	*-security)
		mirror=$(debian_sources | sed -n 's/^Debian-Security|[^|]*|//p' | head -n 1)
		[ -n "$mirror" ] || mirror=$(mirror_of any | sed 's,/*$,-security/,')
		;;
	*) mirror=$(debian_sources | sed -n 's/^Debian|[^|]*|//p' | head -n 1) ;;
	esac
	echo "$mirror"
}

lists_text() { echo "looking for Debian's $suites on $url"; }

# apt_setup DIR SUITES LOG INSTEAD: leaves DIR/apt.conf, for apt-get -c, and the
# mirror in url. To this apt no package is installed. INSTEAD ends the messages.
apt_setup() {
	suites=$2 instead=$4
	need_packages debian-archive-keyring
	url=$(mirror_of any)
	if [ -z "$url" ] && [ "$(id -u)" = 0 ]; then
		apt-get -q update > "$3" 2>&1 || failed "$3" "apt-get update failed: check the network"
		url=$(mirror_of any)
	fi
	[ -n "$url" ] || die "apt knows no Debian mirror: run apt-get update as root, or $instead"

	mkdir -p "$1/lists/partial" "$1/cache/archives/partial"
	: > "$1/installed"
	for suite in $suites; do
		echo "deb [signed-by=$keyring] $(mirror_of "$suite") $suite main"
	done > "$1/sources.list"
	cat > "$1/apt.conf" <<-EOF
		Dir::Etc::sourcelist "$1/sources.list";
		Dir::Etc::sourceparts "/dev/null";
		Dir::Etc::preferences "/dev/null";
		Dir::Etc::preferencesparts "/dev/null";
		Dir::State "$1";
		Dir::State::lists "$1/lists";
		Dir::State::status "$1/installed";
		Dir::Cache "$1/cache";
		APT::Sandbox::User "root";
		Acquire::Languages "none";
		Debug::NoLocking "true";
	EOF
	logged "$3" lists_text apt-get -q -c "$1/apt.conf" --error-on=any update ||
		failed "$3" "$suites cannot be read from $url: check the network, or $instead"
}
