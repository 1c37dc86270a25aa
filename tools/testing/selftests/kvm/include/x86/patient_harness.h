/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kselftest harness with a timeout for emulated machines that run debug kernels
 * on a busy host: only a hang should time out.
 */
#ifndef SELFTEST_KVM_PATIENT_HARNESS_H
#define SELFTEST_KVM_PATIENT_HARNESS_H

#include "kselftest_harness.h"

#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT	900

#endif /* SELFTEST_KVM_PATIENT_HARNESS_H */
