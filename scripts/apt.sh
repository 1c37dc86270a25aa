# shellcheck shell=sh
# SPDX-License-Identifier: GPL-2.0
# An apt of our own that reads one suite from the mirror that the machine uses,
# checked against Debian's keyring. It works without root and touches nothing of
# the system's. Sourced after lib.sh.

keyring=/usr/share/keyrings/debian-archive-keyring.gpg

debian_mirror() {
	# shellcheck disable=SC2016 # apt's variables
	apt-get indextargets --format '$(ORIGIN)|$(LABEL)|$(COMPONENT)|$(CREATED_BY)|$(REPO_URI)' |
		awk -F '|' '$1 $2 == "DebianDebian" && $3 == "main" && $4 == "Packages" && !found { print $5; found = 1 }'
}

lists_text() { echo "looking for Debian $suite on $url"; }

# apt_setup DIR SUITE LOG INSTEAD: leaves DIR/apt.conf, for apt-get -c, and the
# mirror in url. To this apt no package is installed. INSTEAD ends the messages.
apt_setup() {
	suite=$2 instead=$4
	need_packages debian-archive-keyring
	url=$(debian_mirror)
	if [ -z "$url" ] && [ "$(id -u)" = 0 ]; then
		apt-get -q update > "$3" 2>&1 || failed "$3" "apt-get update failed: check the network"
		url=$(debian_mirror)
	fi
	[ -n "$url" ] || die "apt knows no Debian mirror: run apt-get update as root, or $instead"

	mkdir -p "$1/lists/partial" "$1/cache/archives/partial"
	: > "$1/installed"
	echo "deb [signed-by=$keyring] $url $suite main" > "$1/sources.list"
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
		failed "$3" "$suite cannot be read from $url: check the network, or $instead"
}
