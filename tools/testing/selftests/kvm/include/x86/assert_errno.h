/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SELFTEST_KVM_ASSERT_ERRNO_H
#define SELFTEST_KVM_ASSERT_ERRNO_H

#include <errno.h>
#include <string.h>

#include "test_util.h"

/* @call has to return a negative number and set errno to @error */
#define ASSERT_ERRNO(call, error)						\
do {										\
	int __ret = (call);							\
	int __errno = errno, __wanted = (error);				\
										\
	TEST_ASSERT(__ret < 0 && __errno == __wanted,				\
		    "%s: returned %d, %s, wanted %s", #call, __ret,		\
		    __ret < 0 ? strerror(__errno) : "no error", strerror(__wanted)); \
} while (0)

#endif /* SELFTEST_KVM_ASSERT_ERRNO_H */
