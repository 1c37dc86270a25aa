/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kselftest harness for tests that run on an emulated machine, with all that
 * debug kernels check, on a busy host: only what hangs is to time out.
 */
#ifndef SELFTEST_KVM_PATIENT_HARNESS_H
#define SELFTEST_KVM_PATIENT_HARNESS_H

#include "kselftest_harness.h"

#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT	900

#endif /* SELFTEST_KVM_PATIENT_HARNESS_H */
