# shellcheck shell=sh
# SPDX-License-Identifier: GPL-2.0
# The programs that need only a VT-d with real devices, for units that run them
# in one boot: the life cycle of permission step by step and in every order, the uAPI
# and its errors, the policies, and kvm-vfio for VMMs that know only FILE_ADD and
# FILE_DEL. Sourced after boot-programs.sh.

# shellcheck disable=SC2034 # for boot_unit
tests='iommufd_coherency_test iommufd_observe_test iommufd_uapi_test iommufd_policy_test
iommufd_module_test kvm_vfio_coherency_test'
vtd_words='run=/tests/iommufd_coherency_test run=/tests/iommufd_observe_test'
vtd_words="$vtd_words run=/tests/iommufd_uapi_test,-T,feature_absent run=/tests/iommufd_policy_test"
vtd_words="$vtd_words run=/tests/kvm_vfio_coherency_test"

# boot_vtd FLAVOR SNOOP [WORDS [PHASES]]: kvm-vfio has more phases where it has more to deny,
# and fewer on Debian's kernel, which has no mediated device to try. WORDS have PHASES.
boot_vtd() {
	case $1-$2 in
	stock-off) vtd_phases=444 ;;
	stock-on) vtd_phases=436 ;;
	*-off) vtd_phases=449 ;;
	*-on) vtd_phases=441 ;;
	esac
	boot_unit "$1" "$2" $((vtd_phases + ${4-0})) "$vtd_words ${3-}" -d 2 -b
}
